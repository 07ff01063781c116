"""YAML 1.2 through ruamel.yaml: ``no`` and ``2024-01-31`` are text, whatever a ``%YAML`` line says.

The one departure from ruamel.yaml's rules is that plain scalars that look like dates stay text: a time object would
lose how it was written. Text that YAML 1.1 readers would take for something else is written in quotes.
"""

from __future__ import annotations

import io
import math
import re
from typing import Any, ClassVar

from ruamel.yaml import YAML
from ruamel.yaml.constructor import SafeConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLError, YAMLStreamError
from ruamel.yaml.representer import SafeRepresenter
from ruamel.yaml.resolver import VersionedResolver, implicit_resolvers

from gemexp.errors import InvalidText

_DROPPED_TAGS = {"tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:value"}
_PLAIN_TEXT = re.compile(r"[A-Za-z_$/][A-Za-z0-9_$./+-]*(?: [A-Za-z0-9_$./+-]+)*")


def loads(text: str) -> Any:
    """Read one YAML document.

    Raises:
        InvalidText: It is not YAML, has a key twice, an unknown tag, or is more than one document.
    """
    try:
        return _yaml().load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = (error.problem or error.context or "cannot be read").split("\n")[0].strip()
        raise InvalidText(
            f"is not YAML: {problem}" + (f" at column {mark.column + 1}" if mark else ""),
            line=mark.line + 1 if mark else None,
        ) from None
    except (YAMLError, YAMLStreamError, ValueError, LookupError, TypeError, AttributeError, AssertionError) as error:
        # The pure Python parser lets such errors out on malformed scalars, tags and directives.
        first_line = str(error).strip().split("\n")[0]
        raise InvalidText(f"is not YAML: {first_line or type(error).__name__}") from None


def dumps(value: Any) -> str:
    """Write plain data as block-style YAML with sorted keys."""
    stream = io.StringIO()
    _yaml().dump(value, stream)
    return stream.getvalue()


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

    def construct_yaml_float(self, node: Any) -> float:
        number: float = super().construct_yaml_float(node)
        if math.isinf(number) and "inf" not in node.value.lower():
            raise InvalidText(
                f"the number {node.value[:40]} is beyond what a 64-bit float holds",
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
