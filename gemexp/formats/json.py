"""JSON (RFC 8259), with ``{"$float": "nan" | "inf" | "-inf"}`` for what it cannot hold."""

from __future__ import annotations

import json
import math
from typing import Any

from gemexp.canonical import FLOAT_KEY
from gemexp.errors import InvalidText
from gemexp.notation import format_path, inline

_NAMED_FLOATS = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}
_BARE_FLOATS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def loads(text: str) -> Any:
    """Read JSON; Python's bare ``NaN`` and ``Infinity`` are read too.

    Raises:
        InvalidText: It is not JSON, or an object has a key twice.
    """
    reader = _Reader()
    try:
        value = json.loads(
            text,
            object_pairs_hook=reader.pairs,
            parse_float=_parse_float,
            parse_int=_parse_int,
            parse_constant=_BARE_FLOATS.__getitem__,
        )
    except json.JSONDecodeError as error:
        line_text = text.split("\n")[error.lineno - 1].strip()[:40]
        message = f"is not JSON: {error.msg[:1].lower()}{error.msg[1:]} at column {error.colno}"
        raise InvalidText(
            message, line=error.lineno, hint=f"the line reads {inline(line_text)}" if line_text else None
        ) from None
    if reader.faulty:
        path, message = _find_fault(value, ())
        raise InvalidText(f"'{format_path(path)}' {message}" if path else f"the value {message}")
    return value


def dumps(value: Any, *, indent: int | None = None) -> str:
    """Write plain data as ASCII JSON with sorted keys."""
    return json.dumps(
        _without_named_floats(value),
        allow_nan=False,
        indent=indent,
        sort_keys=True,
        separators=(",", ": ") if indent else (", ", ": "),
    )


class _Fault:
    """Stands where an object cannot be read, until the path to it is known."""

    def __init__(self, message: str) -> None:
        self.message = message


class _Reader:
    def __init__(self) -> None:
        self.faulty = False

    def pairs(self, pairs: list[tuple[str, Any]]) -> Any:
        result = dict(pairs)
        if len(result) != len(pairs):
            seen: set[str] = set()
            for key, _ in pairs:
                if key in seen:
                    return self._fault(f"has the key {inline(key)} twice")
                seen.add(key)
        if len(result) == 1 and FLOAT_KEY in result:
            name = result[FLOAT_KEY]
            if isinstance(name, str) and name in _NAMED_FLOATS:
                return _NAMED_FLOATS[name]
            return self._fault(f'has "{FLOAT_KEY}" as its only key, but not "nan", "inf" or "-inf" there')
        return result

    def _fault(self, message: str) -> _Fault:
        self.faulty = True
        return _Fault(message)


def _find_fault(value: Any, path: tuple[str | int, ...]) -> tuple[tuple[str | int, ...], str]:
    if isinstance(value, _Fault):
        return path, value.message
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, item in items:
        found = _find_fault(item, (*path, step))
        if found[1]:
            return found
    # A fault inside an object that itself repeats a key is gone with the repeated value.
    return (path, "") if path else ((), "has a key twice")


def _parse_float(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise InvalidText(f"the number {text[:40]} is beyond what a 64-bit float holds", hint="write it as a string")
    return number


def _parse_int(text: str) -> int:
    if len(text) > 40:
        raise InvalidText(f"an integer of {len(text)} digits is too large", hint="write it as a string")
    return int(text)


def _without_named_floats(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return {FLOAT_KEY: "nan" if value != value else "inf" if value > 0 else "-inf"}
    if isinstance(value, dict):
        return {key: _without_named_floats(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_named_floats(item) for item in value]
    return value
