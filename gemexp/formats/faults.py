"""Faults that a parser meets before the path to them is known."""

from __future__ import annotations

import math
from typing import Any

from gemexp.errors import InvalidText
from gemexp.notation import format_path


class Fault:
    """Stands in a value where something cannot be read, until `raise_first` finds the path to it."""

    def __init__(self, message: str, hint: str) -> None:
        self.message = message
        self.hint = hint


def parse_float(text: str) -> float | Fault:
    """Read a number; beyond what a 64-bit float holds it is a fault, not infinity."""
    number = float(text)
    if math.isinf(number) and "inf" not in text.lower():
        return Fault(f"is {text[:40]}, beyond what a 64-bit float holds", "write it as a string")
    return number


def parse_int(text: str) -> int | Fault:
    """Read an integer of any size that could be stored, and a little more."""
    if len(text) > 40:
        return Fault(f"is an integer of {len(text)} digits, too large to store", "write it as a string")
    return int(text)


def raise_first(value: Any) -> None:
    """Raise the first fault in a value, with the path to it.

    Raises:
        InvalidText: There is one.
    """
    found = _find(value, ())
    if found is not None:
        path, fault = found
        where = f"'{format_path(path)}'" if path else "the value"
        raise InvalidText(f"{where} {fault.message}", hint=fault.hint)


def _find(value: Any, path: tuple[str | int, ...]) -> tuple[tuple[str | int, ...], Fault] | None:
    if isinstance(value, Fault):
        return path, value
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, item in items:
        found = _find(item, (*path, step))
        if found is not None:
            return found
    return None
