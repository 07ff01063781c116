"""How paths, values and foreign text are written down for people. Pure, and below everything else."""

from __future__ import annotations

TYPE_CHECKING = False  # true for a type checker; importing typing would double the time the diff driver takes
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

_SEPARATORS = frozenset(' .:="[]')
# C0, DEL, C1; the line and paragraph separators; what reorders, hides or carries invisible text.
_UNSEEN = (
    range(0x20),
    range(0x7F, 0xA0),
    range(0xAD, 0xAE),
    range(0x61C, 0x61D),
    range(0x180E, 0x180F),
    range(0x200B, 0x2010),
    range(0x2028, 0x202F),
    range(0x2060, 0x2070),
    range(0xD800, 0xE000),
    range(0xFEFF, 0xFF00),
    range(0xFFF9, 0xFFFC),
    range(0xE0000, 0xE0080),
)
_SHORT_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def format_path(path: tuple[str | int, ...]) -> str:
    """Write a path: ``hyperparameters.model.layers[3]``, with keys that need it in JSON quotes."""
    parts: list[str] = []
    for step in path:
        if isinstance(step, int):
            parts.append(f"[{step}]")
            continue
        key = step if _is_plain(step) else quote(step)
        parts.append(f".{key}" if parts else key)
    return "".join(parts)


def visible(text: str) -> str:
    """Escape what a terminal would obey or hide, so that foreign text cannot act or pass for other text."""
    return text if text.isprintable() else "".join(_escape(char) if _is_unseen(char) else char for char in text)


def quote(text: str) -> str:
    """Write text as a JSON string in which every unseen character is escaped."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    if not escaped.isprintable():
        escaped = "".join(_escape_json(char) if _is_unseen(char) else char for char in escaped)
    return f'"{escaped}"'


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


def _is_plain(key: str) -> bool:
    """Tell whether a key can stand in a path without quotes."""
    if not key or not _SEPARATORS.isdisjoint(key):
        return False
    return key.isprintable() or not any(char.isspace() or _is_unseen(char) for char in key)


def _is_unseen(char: str) -> bool:
    return not char.isprintable() and any(ord(char) in codes for codes in _UNSEEN)


def _escape(char: str) -> str:
    code = ord(char)
    if char in _SHORT_ESCAPES:
        return _SHORT_ESCAPES[char]
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _escape_json(char: str) -> str:
    code = ord(char)
    if char in _SHORT_ESCAPES:
        return _SHORT_ESCAPES[char]
    if code < 0x10000:
        return f"\\u{code:04x}"
    return f"\\u{0xD800 + (code - 0x10000 >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"
