"""Ranges of a grid: ``{from: 0, to: 1, step: 0.1}`` and ``{from: 0.001, to: 1, count: 4, log: true}``.

- ``step``: from, from + step, and so on, as long as ``to`` is not passed; ``to`` is included where a step reaches it.
- ``count``: so many values, evenly spaced, both ends included; with ``log`` each a constant factor from the next.

Numbers are taken as the decimals they are written as and computed exactly: a step of 0.1 gives 0.3 and never
0.30000000000000004, which would be another configuration. Values of a logarithmic range are rounded to 15 digits.
A range whose ``from`` and ``step`` (``from`` and ``to``, with ``count``) are whole numbers gives whole numbers where
all its values are, and floats otherwise. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Context, Decimal
from difflib import get_close_matches
from fractions import Fraction
from typing import Any

from gemexp.errors import InvalidInput
from gemexp.notation import inline

MAX_VALUES = 1_000_000
KEYS = ("from", "to", "step", "count", "log")

_WIDE = Context(prec=50)
_ROUND = Context(prec=15)


def is_range(value: Any) -> bool:
    """Tell whether a part of a grid is a range, rather than a map of further paths."""
    return isinstance(value, Mapping) and "from" in value


def expand(spec: Mapping[str, Any], shown: str) -> list[int] | list[float]:
    """Return the values of a range, in its order.

    Args:
        spec: The range.
        shown: What to call it in errors.

    Raises:
        InvalidInput: It is no range, or has more than `MAX_VALUES` values.
    """
    _check_keys(spec, shown)
    start, stop = (_number(spec[key], f"{shown}.{key}") for key in ("from", "to"))
    logarithmic = spec.get("log", False)
    if not isinstance(logarithmic, bool):
        raise InvalidInput(f"'{shown}.log' is {inline(logarithmic)}, not true or false", hint="write true or false")
    if "count" in spec:
        count = spec["count"]
        if type(count) is not int or count < 2:
            raise InvalidInput(f"'{shown}.count' is {inline(count)}, not a whole number of at least 2", hint=_SHAPE)
        _check_size(count, shown)
        exact = _logarithmic(start, stop, count, shown) if logarithmic else _linear(start, stop, count)
        return _plain(exact, whole=type(spec["from"]) is int and type(spec["to"]) is int)
    if logarithmic:
        raise InvalidInput(f"'{shown}.log' goes with 'count', not with 'step'", hint=_SHAPE)
    step = _number(spec["step"], f"{shown}.step")
    if not step or (stop - start) / step < 0:
        wrong = "0" if not step else f"{inline(spec['step'])}, which leads away from 'to'"
        raise InvalidInput(f"'{shown}.step' is {wrong}", hint="a step is added to 'from' until 'to' is passed")
    steps = (stop - start) // step
    _check_size(steps + 1, shown)
    exact = [start + number * step for number in range(steps + 1)]
    return _plain(exact, whole=type(spec["from"]) is int and type(spec["step"]) is int)


_SHAPE = "write {from: 1, to: 5, step: 1}, or {from: 0.001, to: 1, count: 4, log: true}"


def _check_keys(spec: Mapping[str, Any], shown: str) -> None:
    for key in spec:
        if key not in KEYS:
            close = get_close_matches(str(key), KEYS, n=1)
            hint = f"did you mean '{close[0]}'?" if close else _SHAPE
            raise InvalidInput(f"'{shown}' is a range with the unknown part {inline(str(key))}", hint=hint)
    for key in ("from", "to"):
        if key not in spec:
            raise InvalidInput(f"'{shown}' is a range without '{key}'", hint=_SHAPE)
    if ("step" in spec) == ("count" in spec):
        which = "both 'step' and 'count'" if "step" in spec else "neither 'step' nor 'count'"
        raise InvalidInput(f"'{shown}' is a range with {which}", hint=_SHAPE)


def _number(value: Any, shown: str) -> Fraction:
    if type(value) is int or (type(value) is float and math.isfinite(value)):
        return Fraction(repr(value))
    raise InvalidInput(f"'{shown}' is {_shown(value)}, not a finite number", hint="list other values: [30d, 60d]")


def _shown(value: Any) -> str:
    return inline(value) if value is None or isinstance(value, (str, bool, int, float, list, dict)) else f"'{value}'"


def _check_size(count: int, shown: str) -> None:
    if count > MAX_VALUES:
        raise InvalidInput(
            f"'{shown}' is a range of {count:,} values, more than {MAX_VALUES:,}", hint="take larger steps"
        )


def _linear(start: Fraction, stop: Fraction, count: int) -> list[Fraction]:
    return [start + (stop - start) * number / (count - 1) for number in range(count)]


def _logarithmic(start: Fraction, stop: Fraction, count: int, shown: str) -> list[Fraction]:
    if start <= 0 or stop <= 0:
        raise InvalidInput(f"'{shown}' is a logarithmic range that reaches 0", hint="begin and end above 0")
    first, last = (_WIDE.divide(Decimal(end.numerator), Decimal(end.denominator)) for end in (start, stop))
    ratio = _WIDE.divide(last, first)
    inner = []
    for number in range(1, count - 1):
        factor = _WIDE.power(ratio, _WIDE.divide(Decimal(number), Decimal(count - 1)))
        inner.append(Fraction(_ROUND.plus(_WIDE.multiply(first, factor))))
    return [start, *inner, stop]


def _plain(exact: list[Fraction], *, whole: bool) -> list[int] | list[float]:
    if whole and all(value.denominator == 1 for value in exact):
        return [value.numerator for value in exact]
    return [float(value) + 0.0 for value in exact]
