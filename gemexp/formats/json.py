"""JSON (RFC 8259), with ``{"$float": "nan" | "inf" | "-inf"}`` for what it cannot hold."""

from __future__ import annotations

import json
import math
from typing import Any

from gemexp.canonical import FLOAT_KEY
from gemexp.errors import InvalidText
from gemexp.formats.faults import Fault, parse_float, parse_int, raise_first
from gemexp.notation import inline

_NAMED_FLOATS = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}
_SHAPE = bytes(b"0"[0] if byte in b"0123456789" else b"e"[0] if byte in b"eE" else 0 for byte in range(256))
_BARE_FLOATS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def loads(text: str) -> Any:
    """Read JSON; Python's bare ``NaN`` and ``Infinity`` are read too.

    Raises:
        InvalidText: It is not JSON, an object has a key twice, or a number cannot be stored.
    """
    try:
        if not _may_overflow(text):
            return _PLAIN.decode(text)
    except ValueError:
        pass  # what is wrong, or needs care, is told below
    try:
        value = json.loads(
            text,
            object_pairs_hook=_object,
            parse_float=parse_float,
            parse_int=parse_int,
            parse_constant=_BARE_FLOATS.__getitem__,
        )
    except json.JSONDecodeError as error:
        message = f"is not JSON: {error.msg[:1].lower()}{error.msg[1:]} at column {error.colno}"
        raise InvalidText(message, line=error.lineno) from None
    raise_first(value)
    return value


def dumps(value: Any, *, indent: int | None = None) -> str:
    """Write plain data as ASCII JSON with sorted keys."""
    try:
        return _dumps(value, indent)
    except ValueError:  # a float that JSON has no name for
        return _dumps(_without_named_floats(value), indent)


def _dumps(value: Any, indent: int | None) -> str:
    separators = (",", ": ") if indent else (", ", ": ")
    return json.dumps(value, allow_nan=False, indent=indent, sort_keys=True, separators=separators)


def _may_overflow(text: str) -> bool:
    """Tell whether a number in it may be beyond a float, which the decoder would make infinity."""
    shape = text.encode().translate(_SHAPE, b"+")
    return b"e000" in shape or b"0" * 309 in shape


def _plain_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs) or FLOAT_KEY in result:
        raise ValueError
    return result


def _refuse(_constant: str) -> Any:
    raise ValueError


def _object(pairs: list[tuple[str, Any]]) -> Any:
    result = dict(pairs)
    if len(result) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                return Fault(f"has the key {inline(key)} twice", "remove one of the two")
            seen.add(key)
    if len(result) == 1 and FLOAT_KEY in result:
        name = result[FLOAT_KEY]
        if isinstance(name, str) and name in _NAMED_FLOATS:
            return _NAMED_FLOATS[name]
        return Fault(f'has "{FLOAT_KEY}" as its only key', 'beside it only "nan", "inf" and "-inf" have a meaning')
    return result


def _without_named_floats(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return {FLOAT_KEY: "nan" if value != value else "inf" if value > 0 else "-inf"}
    if isinstance(value, dict):
        return {key: _without_named_floats(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_named_floats(item) for item in value]
    return value


_PLAIN = json.JSONDecoder(object_pairs_hook=_plain_object, parse_constant=_refuse)
