"""Where two outcomes differ: exactly by default, or by more than a tolerance that is stated."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from gemexp.digest import short
from gemexp.errors import InvalidInput
from gemexp.notation import format_path, inline, quote, visible
from gemexp.testing.results import Array, Blob, File, Form, Other, Raised

_WIDTH = 120
Path = tuple[str | int, ...]


class Tolerance(NamedTuple):
    """How far two floats may lie apart: ``abs(a - b) <= atol + rtol * max(abs(a), abs(b))``.

    With zeros, the default, they must be the same float: 0.0 is not -0.0, and NaN is NaN.
    """

    rtol: float = 0.0
    atol: float = 0.0

    def check(self) -> Tolerance:
        """Return this.

        Raises:
            InvalidInput: One is negative, or no number.
        """
        for name, value in self._asdict().items():
            if not isinstance(value, (int, float)) or not value >= 0 or math.isinf(value):
                raise InvalidInput(f"{name} is {value!r}, not a number from 0 on", hint="such as rtol=1e-9")
        return self

    def accepts(self, first: float, second: float) -> bool:
        """Tell whether two floats count as equal."""
        if first != first or second != second:
            return first != first and second != second
        if first == second:
            return bool(self.rtol or self.atol) or math.copysign(1.0, first) == math.copysign(1.0, second)
        if math.isinf(first) or math.isinf(second):
            return False
        return abs(first - second) <= self.atol + self.rtol * max(abs(first), abs(second))


EXACT = Tolerance()


@dataclass(frozen=True, slots=True)
class Difference:
    """One place at which two outcomes differ.

    Attributes:
        path: Where; empty for the outcome as a whole.
        first: What is there in the first, in its shortest text; "nothing" if it lacks it.
        second: The same of the second.
        note: What else is to be said, such as how many elements of an array differ.
    """

    path: Path
    first: str
    second: str
    note: str = ""

    def __str__(self) -> str:
        where = f"{format_path(self.path)}: " if self.path else ""
        return f"{where}{self.first} != {self.second}" + (f" ({self.note})" if self.note else "")

    def to_dict(self) -> dict[str, str]:
        """Return plain data for JSON."""
        return {"path": format_path(self.path), "first": self.first, "second": self.second, "note": self.note}


def differences(first: Form, second: Form, tolerance: Tolerance = EXACT, path: Path = ()) -> Iterator[Difference]:
    """Yield where two forms differ, map keys sorted."""
    if type(first) is dict and type(second) is dict:
        for key in sorted(first.keys() | second.keys()):
            yield from _items(first, second, key, tolerance, (*path, key))
    elif type(first) is list and type(second) is list:
        items, others = dict(enumerate(first)), dict(enumerate(second))
        for position in range(max(len(first), len(second))):
            yield from _items(items, others, position, tolerance, (*path, position))
    elif type(first) is Array and type(second) is Array:
        yield from _arrays(first, second, tolerance, path)
    elif _is_float(first, second):
        if not tolerance.accepts(float(first), float(second)):
            note = "" if tolerance == EXACT else f"{abs(first - second)!r} apart"
            yield Difference(path, shown(first), shown(second), note)
    elif type(first) is not type(second) or first != second:
        yield Difference(path, *_told_apart(first, second))


def shown(form: Form) -> str:
    """Write a form on one line, in its shortest text."""
    if isinstance(form, Array):
        return f"array of {form.dtype}, shape {form.shape}"
    if isinstance(form, Blob):
        return f"{len(form.data)} bytes, {form.data[:16]!r}"
    if isinstance(form, File):
        return f"a file of {form.size} bytes, SHA-256 {short(form.digest)}"
    if isinstance(form, Other):
        return f"{form.type} {visible(form.text)}"
    if isinstance(form, Raised):
        return f"raised {form.type}: {visible(form.message)}"
    if isinstance(form, (dict, list)):
        text = f"a map of {len(form)}" if isinstance(form, dict) else f"a list of {len(form)}"
        return _cut(inline(form)) if _is_plain(form) else text
    return _cut(inline(form))


def _items(
    first: dict[Any, Form], second: dict[Any, Form], step: Any, tolerance: Tolerance, path: Path
) -> Iterator[Difference]:
    if step not in first:
        yield Difference(path, "nothing", shown(second[step]))
    elif step not in second:
        yield Difference(path, shown(first[step]), "nothing")
    else:
        yield from differences(first[step], second[step], tolerance, path)


def _arrays(first: Array, second: Array, tolerance: Tolerance, path: Path) -> Iterator[Difference]:
    if first == second:
        return
    if (first.dtype, first.shape) != (second.dtype, second.shape):
        yield Difference(path, shown(first), shown(second))
        return
    import numpy as np

    one, other = (np.frombuffer(each.data, each.dtype).reshape(each.shape) for each in (first, second))
    apart = ~_same_elements(one, other, tolerance)
    count = int(np.count_nonzero(apart))
    if not count:
        return
    place = tuple(int(step) for step in np.argwhere(apart)[0])
    note = f"{count} of {one.size} elements differ, this is the first"
    if one.dtype.kind == "f":
        with np.errstate(invalid="ignore"):
            note += f"; by {float(np.nanmax(np.abs(one - other)))!r} at most"
    yield Difference((*path, *place), str(one[place].item()), str(other[place].item()), note)


def _same_elements(one: Any, other: Any, tolerance: Tolerance) -> Any:
    import numpy as np

    if one.dtype.kind not in "fc":
        # Not by ==: NaT is not itself.
        size = one.dtype.itemsize
        return np.frombuffer(one.tobytes(), f"V{size}").reshape(one.shape) == np.frombuffer(
            other.tobytes(), f"V{size}"
        ).reshape(one.shape)
    both_nan = np.isnan(one) & np.isnan(other)
    if tolerance == EXACT:
        signs = np.signbit(one.real) == np.signbit(other.real)
        if one.dtype.kind == "c":
            signs &= np.signbit(one.imag) == np.signbit(other.imag)
        return ((one == other) & signs) | both_nan
    with np.errstate(invalid="ignore"):
        near = np.abs(one - other) <= tolerance.atol + tolerance.rtol * np.maximum(np.abs(one), np.abs(other))
    return (one == other) | (near & np.isfinite(one) & np.isfinite(other)) | both_nan


def _is_float(first: Form, second: Form) -> bool:
    """Tell whether both are floats; an int is not a float, whatever the tolerance."""
    return type(first) is float and type(second) is float


def _told_apart(first: Form, second: Form) -> tuple[str, str]:
    """Write both, with their types where they print alike, and the part where long texts part."""
    if isinstance(first, str) and isinstance(second, str):
        start = next((at for at, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), 0)
        if start > _WIDTH // 2:
            return tuple(f"...{quote(text[start - 20 : start + 40])}" for text in (first, second))  # type: ignore[return-value]
    one, other = shown(first), shown(second)
    if one == other or type(first) is not type(second):
        return f"{one} ({type(first).__name__})", f"{other} ({type(second).__name__})"
    return one, other


def _is_plain(form: Form) -> bool:
    if isinstance(form, dict):
        return all(map(_is_plain, form.values()))
    if isinstance(form, list):
        return all(map(_is_plain, form))
    return form is None or isinstance(form, (bool, int, float, str))


def _cut(text: str) -> str:
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 3]}..."
