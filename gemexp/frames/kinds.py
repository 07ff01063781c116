"""What type a column has, decided over all of its values."""

from __future__ import annotations

from enum import Enum
from typing import Any, Final, NamedTuple

_MAX_SIGNED: Final = 2**63 - 1
# Beyond it, not every integer is a float64.
_EXACT: Final = 2**53


class Kind(Enum):
    """What every value of a column, or every item of its lists, is."""

    TEXT = "text"
    TIME = "time in UTC, to the microsecond"
    BOOL = "true or false"
    INT = "integer of 64 bits"
    UINT = "integer of 64 bits without a sign"
    FLOAT = "float64"
    DOCUMENT = "JSON text"


class Type(NamedTuple):
    """A column's type.

    Args:
        kind: What its values are.
        listed: They are lists of that.
    """

    kind: Kind
    listed: bool = False


class Seen:
    """What the values of a column have been so far; None is a value of no type.

    Args:
        default: The type of a column that has no other values.
    """

    __slots__ = ("_default", "_documents", "_high", "_inexact", "_items", "_low", "_types")

    def __init__(self, default: Kind = Kind.TEXT) -> None:
        self._default = default
        self._types: set[type] = set()
        self._low = self._high = 0
        self._inexact = False  # an integer that is no float64 was among them
        self._documents = False  # a map was, or a list that is no list of one type
        self._items: Seen | None = None

    def add(self, value: Any) -> None:
        """Look at one more value."""
        kind = type(value)
        if kind is int:
            if value < self._low:
                self._low = value
            elif value > self._high:
                self._high = value
            if not -_EXACT <= value <= _EXACT and int(float(value)) != value:
                self._inexact = True
        elif kind is list:
            self._items = self._items or Seen()
            for item in value:
                self._items.add(item)
        elif kind is dict:
            self._documents = True
        elif value is None:
            return
        self._types.add(kind)

    @property
    def type(self) -> Type:
        """The narrowest type that holds all values as they are; JSON text if there is none."""
        types = self._types
        if self._documents or (self._items is not None and len(types) > 1):
            return Type(Kind.DOCUMENT)
        if self._items is not None:
            inner = self._items.type
            plain = not inner.listed and inner.kind is not Kind.DOCUMENT
            return Type(inner.kind, listed=True) if plain else Type(Kind.DOCUMENT)
        if not types:
            return Type(self._default)
        if types == {str}:
            return Type(Kind.TEXT)
        if types == {bool}:
            return Type(Kind.BOOL)
        if types == {int}:
            return Type(self._integers())
        exact = types == {float} or (types == {int, float} and not self._inexact)
        return Type(Kind.FLOAT if exact else Kind.DOCUMENT)

    def _integers(self) -> Kind:
        if self._high <= _MAX_SIGNED:
            return Kind.INT
        return Kind.DOCUMENT if self._low < 0 else Kind.UINT
