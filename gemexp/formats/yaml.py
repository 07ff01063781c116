"""YAML 1.2 through ruamel.yaml: ``no`` and ``2024-01-31`` are text, whatever a ``%YAML`` line says.

The one departure from ruamel.yaml's rules is that plain scalars that look like dates stay text: a time object would
lose how it was written. Text that YAML 1.1 readers would take for something else is written in quotes.
"""

from __future__ import annotations

import io
import math
import re
import warnings
from typing import Any, ClassVar

from ruamel.yaml import YAML
from ruamel.yaml.constructor import DuplicateKeyError, SafeConstructor
from ruamel.yaml.error import MarkedYAMLError, ReusedAnchorWarning, YAMLError, YAMLStreamError
from ruamel.yaml.nodes import MappingNode, SequenceNode
from ruamel.yaml.reader import ReaderError
from ruamel.yaml.representer import SafeRepresenter
from ruamel.yaml.resolver import VersionedResolver, implicit_resolvers

from gemexp.canonical import MAX_BYTES
from gemexp.errors import InvalidText
from gemexp.notation import visible

_DROPPED_TAGS = {"tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:value"}
_MERGE = "tag:yaml.org,2002:merge"
_MOST_MERGED = 250_000
_PLAIN_TEXT = re.compile(r"[A-Za-z_$/][A-Za-z0-9_$./+-]*(?: [A-Za-z0-9_$./+-]+)*")


def loads(text: str) -> Any:
    """Read one YAML document.

    Raises:
        InvalidText: It is not YAML, has a key twice, an unknown tag, or is more than one document.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ReusedAnchorWarning)  # YAML 1.2 allows it: the latest one counts
            value = _yaml().load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = (error.problem or error.context or "cannot be read").split("\n")[0].strip()
        raise InvalidText(
            f"is not YAML: {problem}" + (f" at column {mark.column + 1}" if mark else ""),
            line=mark.line + 1 if mark else None,
            hint="remove one of the two" if isinstance(error, DuplicateKeyError) else None,
        ) from None
    except ReaderError as error:
        raise InvalidText(
            f"is not YAML: the character U+{ord(text[error.position]):04X} is not allowed",
            line=text.count("\n", 0, error.position) + 1,
        ) from None
    except (YAMLError, YAMLStreamError, ValueError, LookupError, TypeError, AttributeError, AssertionError) as error:
        # The pure Python parser lets such errors out on malformed tags and directives.
        first_line = str(error).strip().split("\n")[0]
        raise InvalidText(f"is not YAML: {first_line or type(error).__name__}") from None
    if "*" in text:
        _check_aliases(value)
    return value


def _check_aliases(value: Any) -> None:
    """Refuse aliases that make a small text enormous, counting what is shared once for each place it stands in."""
    sizes: dict[int, int] = {}

    def size(part: Any) -> int:
        if not isinstance(part, (dict, list)):
            return 1
        known = sizes.get(id(part))
        if known is None:
            sizes[id(part)] = 2 * MAX_BYTES  # until it is known; what contains itself stays too large
            items = part.values() if isinstance(part, dict) else part
            known = sizes[id(part)] = 1 + sum(map(size, items))
        return known

    if size(value) > MAX_BYTES:
        raise InvalidText(
            f"has aliases that stand for more than {MAX_BYTES} values", hint="does an anchor contain itself?"
        )


def dumps(value: Any) -> str:
    """Write plain data as block-style YAML with sorted keys."""
    stream = io.StringIO()
    _yaml().dump(value, stream)
    # Whatever is not harmless stands in double quotes, where YAML's escapes are those that `visible` writes.
    return "\n".join(map(visible, stream.getvalue().split("\n")))


def _yaml() -> YAML:
    yaml = YAML(typ="safe", pure=True)
    yaml.Resolver = _Resolver
    yaml.Constructor = _Constructor
    yaml.Representer = _Representer
    yaml.default_flow_style = False
    yaml.allow_unicode = True
    yaml.width = 2**20
    return yaml


class _Resolver(VersionedResolver):
    """The rules for plain scalars."""

    rules: ClassVar[dict[str, list[tuple[str, Any]]]] = {}

    @property
    def processing_version(self) -> tuple[int, int]:
        return (1, 2)

    @property
    def versioned_resolver(self) -> dict[str, list[tuple[str, Any]]]:
        return self.rules


for _versions, _tag, _pattern, _first in implicit_resolvers:
    if (1, 2) in _versions and _tag not in _DROPPED_TAGS:
        for _char in _first:
            _Resolver.rules.setdefault(_char, []).append((_tag, _pattern))


class _Constructor(SafeConstructor):
    """Builds plain data."""

    merged = 0

    def flatten_mapping(self, node: Any) -> None:
        """Take over what ``<<`` names; ten lines of merges of merges would stand for more entries than fit anywhere."""
        for key, value in node.value:
            if key.tag == _MERGE:
                for part in value.value if isinstance(value, SequenceNode) else (value,):
                    if isinstance(part, MappingNode):
                        self.flatten_mapping(part)
                        self.merged += len(part.value)
        if self.merged > _MOST_MERGED:
            raise InvalidText(
                f"has merges of more than {_MOST_MERGED} entries",
                line=node.start_mark.line + 1,
                hint="write them out, or fewer of them",
            )
        super().flatten_mapping(node)

    def construct_object(self, node: Any, deep: bool = False) -> Any:  # noqa: FBT001, FBT002 - ruamel.yaml's signature
        try:
            return super().construct_object(node, deep=deep)
        except (ValueError, LookupError, TypeError):
            # A scalar that is no number, date or truth value after all, or more digits than Python converts.
            raise InvalidText(
                f"cannot be read as {node.tag.rpartition(':')[2]}",
                line=node.start_mark.line + 1,
                hint="quote it if it is text; write an integer of so many digits as a string",
            ) from None

    def construct_yaml_float(self, node: Any) -> float:
        number: float = super().construct_yaml_float(node)
        if math.isinf(number) and "inf" not in node.value.lower():
            raise InvalidText(
                f"has the number {node.value[:40]}, beyond what a 64-bit float holds",
                line=node.start_mark.line + 1,
                hint="write it as a string",
            )
        return number


_Constructor.add_constructor("tag:yaml.org,2002:float", _Constructor.construct_yaml_float)


class _Representer(SafeRepresenter):
    """Writes plain data."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - ruamel.yaml's signature
        return True

    def represent_text(self, data: str) -> Any:
        plain = _PLAIN_TEXT.fullmatch(data) and not any(pattern.match(data) for _, _, pattern, _ in implicit_resolvers)
        return self.represent_scalar("tag:yaml.org,2002:str", data, style=None if plain else '"')


_Representer.add_representer(str, _Representer.represent_text)
