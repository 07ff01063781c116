"""How paths, values and foreign text are written down for people. Pure, and below everything else."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_PLAIN_KEY = re.compile(r"[^\s.:=\"\[\]\x00-\x1f\x7f-\x9f]+")
# C0, DEL, C1; the line and paragraph separators; what reorders, hides or carries invisible text.
_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
_SHORT_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def format_path(path: tuple[str | int, ...]) -> str:
    """Write a path: ``hyperparameters.model.layers[3]``, with keys that need it in JSON quotes."""
    parts: list[str] = []
    for step in path:
        if isinstance(step, int):
            parts.append(f"[{step}]")
            continue
        key = step if _PLAIN_KEY.fullmatch(step) and not _UNSEEN.search(step) else quote(step)
        parts.append(f".{key}" if parts else key)
    return "".join(parts)


def visible(text: str) -> str:
    """Escape what a terminal would obey or hide, so that foreign text cannot act or pass for other text."""
    return _UNSEEN.sub(_escape, text)


def quote(text: str) -> str:
    """Write text as a JSON string in which every unseen character is escaped."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{_UNSEEN.sub(_escape_json, escaped)}"'


def inline(value: Any) -> str:
    """Write a value on one line as JSON, numbers in full; ``nan``, ``inf`` and ``-inf`` bare."""
    if isinstance(value, str):
        return quote(value)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{quote(key)}: {inline(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(inline, value)) + "]"
    return repr(value)


def flatten(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Yield (path, leaf) pairs, map keys sorted; an empty container is a leaf.

    An array of scalars is one leaf: ``[64, 32]`` reads better on a line than on two.
    """
    if isinstance(value, dict) and value:
        for key in sorted(value):
            yield from flatten(value[key], (*path, key))
    elif isinstance(value, list) and any(isinstance(item, (dict, list)) for item in value):
        for position, item in enumerate(value):
            yield from flatten(item, (*path, position))
    else:
        yield path, value


def type_name(value: Any) -> str:
    """Name a value's type in the words of the format specification."""
    return {
        type(None): "nil",
        bool: "bool",
        int: "int",
        float: "float",
        str: "str",
        list: "array",
        dict: "map",
    }.get(type(value), type(value).__name__)


def _escape(match: re.Match[str]) -> str:
    char = match.group()
    code = ord(char)
    if char in _SHORT_ESCAPES:
        return _SHORT_ESCAPES[char]
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _escape_json(match: re.Match[str]) -> str:
    char = match.group()
    code = ord(char)
    if char in _SHORT_ESCAPES:
        return _SHORT_ESCAPES[char]
    if code < 0x10000:
        return f"\\u{code:04x}"
    return f"\\u{0xD800 + (code - 0x10000 >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"
