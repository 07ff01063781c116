"""What the bytes of a config hold if a comparison is true of it: most need not be decoded to see that it is not.

In the canonical encoding a key stands right before its value, and each has only one form.
"""

from __future__ import annotations

import math
from typing import Final

from gemexp import canonical
from gemexp.query.fields import Holds, Need, kind_of
from gemexp.query.syntax import Atom, Compare, In, Period, Scalar

# Looking for more than these takes longer than decoding.
_MANY: Final = 8


def traces(atom: Atom) -> tuple[bytes, ...]:
    """Return bytes of which an object holds at least one where the atom is true; none if nothing is known of them."""
    kind = kind_of(atom.field)
    if kind.need is not Need.VALUE:
        return ()
    values = _equals(atom)
    if kind.holds is Holds.LABELS:
        return _few([canonical.encode(value) for value in values or ()])
    path = atom.field.path
    keys = [step for step in path if isinstance(step, str)]
    if not keys:
        return ()
    key = canonical.encode(keys[-1])
    if values is None or keys[-1] != path[-1]:
        return (key,)
    return _few([key + form for value in values for form in _forms(value)]) or (key,)


def _equals(atom: Atom) -> tuple[Scalar, ...] | None:
    """Return what the field must be equal to one of; None if it need not be equal to anything."""
    found: tuple[Scalar | Period, ...] | None = None
    if isinstance(atom, In):
        found = atom.values
    elif isinstance(atom, Compare) and atom.operator == "=":
        found = (atom.value,)
    return None if found is None else tuple(value for value in found if not isinstance(value, Period))


def _forms(value: Scalar) -> list[bytes]:
    """Return the encodings of a value: of a number, that of the int and that of the float which are equal to it."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return [canonical.encode(value)]
    forms = []
    if not isinstance(value, float) or (math.isfinite(value) and value.is_integer()):
        whole = int(value)
        if canonical.MIN_INT <= whole <= canonical.MAX_INT:
            forms.append(canonical.encode(whole))
    try:
        if isinstance(value, float) or float(value) == value:
            forms.append(canonical.encode(float(value)))
    except OverflowError:
        pass  # larger than any float
    return forms


def _few(forms: list[bytes]) -> tuple[bytes, ...]:
    return tuple(forms) if len(forms) <= _MANY else ()
