"""Where the entries of a pack lie: derived from the pack, kept in ``local/``, and made anew where it does not fit.

Three sorted tables of (first eight bytes of a hash, place in the pack): objects by their hash, records by what they are
about, and members of sets and moves of names by the hash that their file names begin with. Folders of tags and names
lie in the pack in one piece each; a fourth table says where.
"""

from __future__ import annotations

import json
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from itertools import islice
from operator import le
from typing import NamedTuple

from gemexp.store import pack_format

_MAGIC = b"GXPINDX1"
_ORDER = 0x0102030405060708  # reads differently on a machine of the other byte order
_HEADER_WORDS = 8
_FULL = (1 << 64) - 1

OBJECTS, RECORDS, MEMBERS = range(3)


class FolderPlace(NamedTuple):
    """A folder of a set or a name within a pack: where its entries begin and end, and how many."""

    start: int
    end: int
    entries: int


class PackIndex:
    """The tables of one pack.

    Args:
        data: What `build` returned, or the mapped file that holds it.
    """

    def __init__(self, data: bytes | memoryview) -> None:
        words = memoryview(data)[len(_MAGIC) : len(_MAGIC) + 8 * _HEADER_WORDS].cast("Q")
        if bytes(data[: len(_MAGIC)]) != _MAGIC or len(words) != _HEADER_WORDS or words[0] != _ORDER:
            raise ValueError("is not an index of this version and machine")
        self.pack_size, self.damaged, *counts, folders = words[1:7]
        at = len(_MAGIC) + 8 * _HEADER_WORDS
        self._tables: list[tuple[Sequence[int], Sequence[int]]] = []
        for count in counts:
            keys, places = at, at + 8 * count
            at = places + 8 * count
            view = memoryview(data)
            self._tables.append((view[keys:places].cast("Q"), view[places:at].cast("Q")))
        if at + folders != len(data):
            raise ValueError("is cut short")
        self._folders_text = memoryview(data)[at:]
        self._folders: dict[str, FolderPlace] | None = None

    @property
    def folders(self) -> dict[str, FolderPlace]:
        """The folders of sets and names in the pack, by path."""
        if self._folders is None:
            self._folders = {path: FolderPlace(*place) for path, *place in json.loads(bytes(self._folders_text))}
        return self._folders

    def count(self, table: int) -> int:
        """Return how many entries a table has."""
        return len(self._tables[table][0])

    def places(self, table: int, digits: str) -> Sequence[int]:
        """Return where entries may be whose hash begins with some digits: those that agree in the first 16."""
        keys, places = self._tables[table]
        low = first_word(digits)
        if len(digits) >= 16:
            start = bisect_left(keys, low)
            if start == len(keys) or keys[start] != low:
                return ()
            return places[start : bisect_right(keys, low, start)]
        start = bisect_left(keys, low)
        return places[start : bisect_right(keys, low | (_FULL >> (4 * len(digits))), start)]

    def fan_outs(self, table: int) -> list[str]:
        """Return the first two digits that occur in a table, each once, sorted."""
        keys = self._tables[table][0]
        found, at = [], 0
        while at < len(keys):
            byte = keys[at] >> 56
            found.append(f"{byte:02x}")
            at = bisect_right(keys, (byte << 56) | (_FULL >> 8), at)
        return found

    def span(self, table: int) -> tuple[int, int]:
        """Return the first and the last place of a table."""
        places = self._tables[table][1]
        return (min(places), max(places)) if len(places) else (0, 0)


def first_word(digits: str) -> int:
    """Return the first sixteen digits of a hash as a number; missing ones count as 0."""
    return int(digits[:16].ljust(16, "0"), 16)


class Builder:
    """Collects the tables of a pack while its entries are written, or read, in order."""

    def __init__(self) -> None:
        self._tables = tuple((array("Q"), array("Q")) for _ in range(3))
        self._folders: list[tuple[str, int, int, int]] = []
        self._folder_key = b""

    def add(self, key: bytes, start: int, end: int) -> None:
        """Note an entry: its key, where its frame begins and where it ends."""
        kind = key[0]
        if kind == pack_format.OBJECT:
            table, word = OBJECTS, key[1:9]
        elif kind == pack_format.RECORD:
            table, word = RECORDS, key[1:9]
        else:
            table, word = MEMBERS, self._member(key, start, end)
        keys, places = self._tables[table]
        keys.append(int.from_bytes(word, "big"))
        places.append(start)

    def _member(self, key: bytes, start: int, end: int) -> bytes:
        at = pack_format.name_start(key)
        if key[:at] == self._folder_key:
            path, first, _, count = self._folders[-1]
            self._folders[-1] = (path, first, end, count + 1)
        else:
            self._folder_key = key[:at]
            self._folders.append((pack_format.to_path(key).rpartition("/")[0], start, end, 1))
        return key[at : at + 8]

    def finish(self, pack_size: int, *, damaged: bool) -> bytes:
        """Return the tables as bytes."""
        tables = [_sorted(*table) for table in self._tables]
        folders = json.dumps(self._folders, separators=(",", ":")).encode()
        header = [_ORDER, pack_size, int(damaged), *(len(keys) for keys, _ in tables), len(folders), 0]
        parts = [_MAGIC, array("Q", header).tobytes()]
        parts += [part.tobytes() for table in tables for part in table]
        return b"".join([*parts, folders])


def build(entries: Iterable[pack_format.Frame], pack_size: int, *, damaged: bool) -> bytes:
    """Return the tables of a pack whose frames are at hand."""
    builder = Builder()
    for entry in entries:
        builder.add(entry.key, entry.start, entry.end)
    return builder.finish(pack_size, damaged=damaged)


def _sorted(keys: array[int], places: array[int]) -> tuple[array[int], array[int]]:
    """Sort a table by its keys; objects and records, which lie in that order in the pack, are sorted already."""
    if all(map(le, keys, islice(keys, 1, None))):
        return keys, places
    both = sorted((key << 64) | place for key, place in zip(keys, places, strict=True))
    return array("Q", (one >> 64 for one in both)), array("Q", (one & _FULL for one in both))
