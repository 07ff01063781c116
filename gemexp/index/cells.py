"""Values as SQLite holds them, so that comparing cells says what the where-language says of the values.

SQLite orders NULL before numbers, numbers before text, text before blobs; numbers by value, whether integer or real,
and text by code points. So does the where-language. What SQLite has no type for is a blob: true, false, null and nan,
and integers that need all 64 bits, each in its canonical encoding. Of arrays and of long text only a mark is held.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from struct import Struct
from typing import Any, Final

from gemexp import canonical
from gemexp.digest import HASH_DIGITS

Cell = int | float | str | bytes

MAX_TEXT_BYTES: Final = 200
MAX_INT: Final = 2**63 - 1
MIN_INT: Final = -(2**63)
LONG_TEXT: Final = b"\xd9"
ARRAY: Final = b"\x90"
EMPTY_MAP: Final = b"\x80"
# What the canonical encoding of a larger integer begins with: its eight bytes follow, so that these blobs are in order.
BIG_INT: Final = b"\xcf"

# An id is so many bits of a hash: few enough for seven bytes, and in the order of hashes.
_ID_DIGITS: Final = 12
_ID_SHIFT: Final = 1
_FIRST_WORD: Final = Struct(">Q24x")
_WORD_SHIFT: Final = 64 - 4 * _ID_DIGITS + _ID_SHIFT


def id_of(config_hash: str) -> int:
    """Return the number that stands for a hash. Two hashes may have the same, which whoever writes has to notice."""
    return int(config_hash[:_ID_DIGITS], 16) >> _ID_SHIFT


def ids_of(hashes: bytes) -> Iterator[int]:
    """Yield the numbers of some hashes of 32 bytes, which come one after the other."""
    for (word,) in _FIRST_WORD.iter_unpack(hashes):
        yield word >> _WORD_SHIFT


def id_span(prefix: str) -> tuple[int, int]:
    """Return the first and the last id that hashes beginning with ``prefix`` can have."""
    return id_of(prefix.ljust(HASH_DIGITS, "0")), id_of(prefix.ljust(HASH_DIGITS, "f"))


def hash_span(prefix: str) -> tuple[bytes, bytes]:
    """Return the first and the last hash that begin with ``prefix``."""
    return bytes.fromhex(prefix.ljust(HASH_DIGITS, "0")), bytes.fromhex(prefix.ljust(HASH_DIGITS, "f"))


def cell(value: Any) -> Cell:
    """Return what stands for a value of plain data; a map must be empty."""
    kind = type(value)
    if kind is int:
        return value if value <= MAX_INT else canonical.encode(value)
    if kind is str:
        return value if is_short(value) else LONG_TEXT
    if kind is float:
        return value if value == value else canonical.encode(value)
    if kind is list:
        return ARRAY
    return EMPTY_MAP if kind is dict else _word(value)


def is_short(text: str) -> bool:
    """Tell whether text is held as it is."""
    return 4 * len(text) <= MAX_TEXT_BYTES or len(text.encode()) <= MAX_TEXT_BYTES


def leaves(value: Mapping[str, Any], root: str) -> dict[str, Cell]:
    """Return the cells of what a map holds at any depth, by the JSON text of their paths; arrays are not looked into.

    Args:
        value: The map.
        root: The first step of all paths.
    """
    found: dict[str, Cell] = {}
    if root not in _PATHS or len(_PATHS[root].texts) > _MAX_TEXTS:
        _PATHS[root] = _Step(json.dumps([root]), {})
    _collect(value, _PATHS[root], found)
    return found


class _Step:
    """A step of paths that were seen: writing them out costs more than all the rest.

    Args:
        text: The path up to here, as JSON.
        texts: Those of all paths that begin so with the same root; shared by its steps.
    """

    __slots__ = ("next", "text", "texts")

    def __init__(self, text: str, texts: dict[str, None]) -> None:
        self.text = text
        self.texts = texts
        self.next: dict[str, _Step] = {}

    def to(self, key: str) -> _Step:
        """Return the step to a key."""
        text = f"{self.text[:-1]}, {json.dumps(key)}]"
        self.texts[text] = None
        step = self.next[key] = _Step(text, self.texts)
        return step


_PATHS: Final[dict[str, _Step]] = {}
_MAX_TEXTS: Final = 10_000


def _collect(value: Mapping[str, Any], step: _Step, found: dict[str, Cell]) -> None:
    known = step.next
    for key, item in value.items():
        there = known.get(key) or step.to(key)
        kind = type(item)
        if kind is float:
            found[there.text] = item if item == item else canonical.encode(item)
        elif kind is dict and item:
            _collect(item, there, found)
        else:
            found[there.text] = cell(item)


def equals(value: Any) -> list[Cell]:
    """Return all cells of values that are equal to a scalar; none if it is text that is too long to be held."""
    if type(value) is str:
        return [value] if is_short(value) else []
    if type(value) not in (int, float) or value != value:
        return [canonical.encode(value)]
    found: list[Cell] = []
    if MIN_INT <= value <= MAX_INT or type(value) is float:
        found.append(value)
    elif abs(value) < 2**1024 and _is_float(value):
        found.append(float(value))
    if MAX_INT < value <= canonical.MAX_INT and (type(value) is int or value.is_integer()):
        found.append(canonical.encode(int(value)))
    return found


def _is_float(value: int) -> bool:
    try:
        return float(value) == value
    except OverflowError:
        return False


@lru_cache(maxsize=8)
def _word(value: bool | None) -> bytes:  # noqa: FBT001 - it is a value
    return canonical.encode(value)
