"""Where the entries of a pack lie: derived from the pack, kept in ``local/``, and made anew where it does not fit.

Three sorted tables of (first eight bytes of a hash, place in the pack): objects by their hash, records by what they are
about, and members of sets and moves of names by the hash that their file names begin with. Folders of tags and names
lie in the pack in one piece each; a fourth table says where.

An index that lacked an entry would hide a file, so nothing in it is believed unchecked. Its header says of which pack
it is, and has a checksum of its own. So has each of the 256 sections of a table, the hashes that begin with the same
two digits: it is looked at when the section is first used, so that a lookup costs little however large the tables
are.
"""

import sys
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import islice, pairwise
from mmap import mmap
from operator import le
from typing import NamedTuple
from zlib import crc32

from gemexp.store import layout, pack_format

_MAGIC = b"GXPINDX3"
_ORDER = 0x0102030405060708  # reads differently on a machine of the other byte order
_SECTIONS = 256
_TABLES = 3
_WORDS_AT = len(_MAGIC) + 32
# The order of bytes, the pack's size, what is known of it, the folders' size and checksum; where the sections of each
# table end, and their checksums; the checksum of all that.
_WORDS = 5 + 2 * _TABLES * _SECTIONS + 1
_HEADER_BYTES = _WORDS_AT + 8 * _WORDS
FULL = (1 << 64) - 1
# Where fewer of a table's entries are looked for, going through it takes longer.
_BISECT_BELOW = 50
_DAMAGED, _PROVEN = 1, 2

OBJECTS, RECORDS, MEMBERS = range(3)


class FolderPlace(NamedTuple):
    """A folder of a set or a name within a pack: where its entries begin and end, and how many."""

    start: int
    end: int
    entries: int


class PackIndex:
    """The tables of one pack.

    Args:
        data: What `Builder.finish` returned, or the mapped file that holds it.
        pack: The pack's hash.
        pack_size: Its bytes; None if they may have changed since.
        remake: Builds the index anew, where it turns out to be damaged; None if nothing is to be checked.

    Attributes:
        pack_size: The pack's bytes when the index was made.
        damaged: The pack is not what its name promises.
        proven: Whoever wrote the pack saw that all configurations and records in it are valid.

    Raises:
        ValueError: It is not an index of this version, machine and pack, or is damaged.
    """

    def __init__(
        self,
        data: bytes | memoryview,
        pack: str,
        pack_size: int | None = None,
        remake: Callable[[], bytes] | None = None,
    ) -> None:
        self._remake = remake
        self._read(data)
        if self._pack != pack or pack_size not in (None, self.pack_size):
            raise ValueError("is another pack's index")

    def _read(self, data: bytes | memoryview) -> None:
        view = memoryview(data)
        self._content = view.obj
        head = view[:_HEADER_BYTES]
        if len(head) < _HEADER_BYTES or head[: len(_MAGIC)] != _MAGIC:
            raise ValueError("is not an index of this version")
        words = head[_WORDS_AT:].cast("Q").tolist()
        if words[0] != _ORDER or words[-1] != crc32(head[:-8]):
            raise ValueError("is damaged, or another machine's index")
        self._pack = bytes(head[len(_MAGIC) : _WORDS_AT]).hex()
        self.pack_size, known, folders, self._folders_sum = words[1:5]
        self.damaged, self.proven = bool(known & _DAMAGED), bool(known & _PROVEN)
        self._ends = words[5 : 5 + _TABLES * _SECTIONS]
        self._starts = [end if section % _SECTIONS else 0 for section, end in enumerate([0, *self._ends[:-1]])]
        self._sums = words[5 + _TABLES * _SECTIONS : -1]
        counts = self._ends[_SECTIONS - 1 :: _SECTIONS]
        if _HEADER_BYTES + 16 * sum(counts) + folders != len(view):
            raise ValueError("is cut short")
        for table in range(0, len(self._ends), _SECTIONS):
            if self._ends[table : table + _SECTIONS] != sorted(self._ends[table : table + _SECTIONS]):
                raise ValueError("has sections that overlap")
        self._tables: list[tuple[memoryview, memoryview]] = []
        at = _HEADER_BYTES
        for count in counts:
            middle, end = at + 8 * count, at + 16 * count
            self._tables.append((view[at:middle].cast("Q"), view[middle:end].cast("Q")))
            at = end
        self._folders_text = view[at:]
        self._folders: dict[str, FolderPlace] | None = None
        self._sound = bytearray(_TABLES * _SECTIONS)
        if self._remake is None:
            self._sound = bytearray(b"\1" * len(self._sound))

    @property
    def folders(self) -> dict[str, FolderPlace]:
        """The folders of sets and names in the pack, by path."""
        if self._folders is None:
            if self._remake is not None and crc32(self._folders_text) != self._folders_sum:
                self._make_anew()
            try:
                self._folders = _folders(self._folders_text)
            except (ValueError, TypeError):  # somebody made it so, and the checksum too
                if self._remake is None:
                    raise ValueError("is damaged") from None
                self._make_anew()
                self._folders = _folders(self._folders_text)
        return self._folders

    def count(self, table: int) -> int:
        """Return how many entries a table has."""
        return len(self._tables[table][0])

    def places(self, table: int, digits: str) -> Sequence[int]:
        """Return where entries may be whose hash begins with some digits: those that agree in the first 16.

        Args:
            table: Which table.
            digits: At least two.
        """
        low = first_word(digits)
        return self.between(table, low, low | FULL >> 4 * len(digits[:16]))

    def at(self, table: int, word: int) -> Sequence[int]:
        """Return where entries may be whose hash begins with eight bytes, given as a number."""
        return self.between(table, word, word)

    def among(self, table: int, words: set[int]) -> set[int]:
        """Return those of some first eight bytes of hashes, given as numbers, that entries have."""
        if len(words) * _BISECT_BELOW < self.count(table):
            return {word for word in words if self.at(table, word)}
        self._check_all(table)
        return words.intersection(self._tables[table][0])

    def between(self, table: int, low: int, high: int) -> Sequence[int]:
        """Return where entries may be whose hash begins with eight bytes between two, which begin with the same one."""
        keys, places, start, end = self.section(table * _SECTIONS + (low >> 56))
        start = bisect_left(keys, low, start, end)
        if start == end or keys[start] > high:
            return ()
        if start + 1 == end or keys[start + 1] > high:
            return (places[start],)
        return places[start : bisect_right(keys, high, start, end)]

    def fan_outs(self, table: int) -> list[str]:
        """Return the first two digits that occur in a table, each once, sorted."""
        sections = (self._section(table * _SECTIONS + byte) for byte in range(_SECTIONS))
        return [f"{byte:02x}" for byte, (start, end) in enumerate(sections) if start < end]

    def span(self, table: int) -> tuple[int, int]:
        """Return the first and the last place of a table."""
        self._check_all(table)
        places = self._tables[table][1]
        found = (min(places), max(places)) if len(places) else (0, 0)
        self._release()
        return found

    def paths(self) -> Iterator[tuple[str, int]]:
        """Yield how each entry's path begins, up to the first 16 digits of the hash in it, and its place; unsorted."""
        for table, top in ((OBJECTS, layout.OBJECTS), (RECORDS, layout.INDEX)):
            for key, place in zip(*self._tables[table], strict=True):
                yield f"{top}/{key >> 56:02x}/{key:016x}", place
        folders = sorted((place.start, path) for path, place in self.folders.items())
        starts = [start for start, _ in folders]
        for key, place in zip(*self._tables[MEMBERS], strict=True) if starts else ():
            yield f"{folders[bisect_right(starts, place) - 1][1]}/{key:016x}", place

    def check(self) -> None:
        """Look at all checksums.

        Raises:
            ValueError: One is wrong.
        """
        sums = [self._sum(section) for section in range(_TABLES * _SECTIONS)]
        if sums != self._sums or crc32(self._folders_text) != self._folders_sum:
            raise ValueError("is damaged")

    def section(self, section: int) -> tuple[memoryview, memoryview, int, int]:
        """Return a section's table of first words and places, and where in it the section begins and ends."""
        if not self._sound[section]:
            self._check(section)
        keys, places = self._tables[section // _SECTIONS]
        return keys, places, self._starts[section], self._ends[section]

    def _section(self, section: int) -> tuple[int, int]:
        return (self._starts[section], self._ends[section])

    def _check_all(self, table: int) -> None:
        for section in range(table * _SECTIONS, (table + 1) * _SECTIONS):
            if not self._sound[section]:
                self._check(section)

    def _check(self, section: int) -> None:
        """Look at a section's checksum before it is used for the first time."""
        if self._sum(section) == self._sums[section]:
            self._sound[section] = 1
        else:
            self._make_anew()
        self._release()  # a lookup reads little of what was looked at

    def _release(self) -> None:
        """Give back the memory that holds the index, if it is a mapped file; what is read again is mapped again."""
        if isinstance(self._content, mmap):
            pack_format.release(self._content, 0, len(self._content))

    def _sum(self, section: int) -> int:
        keys, places = self._tables[section // _SECTIONS]
        start, end = self._section(section)
        return crc32(places[start:end], crc32(keys[start:end]))

    def _make_anew(self) -> None:
        if self._remake is not None:
            data, self._remake = self._remake(), None
            self._read(data)


def places_among(indexes: Sequence[PackIndex], table: int, low: int, high: int) -> list[tuple[int, int]]:
    """Return where entries may be in many packs, as `PackIndex.between` does for one.

    A store may have some twenty packs, and each lookup looks into all of them.

    Returns:
        (number of the pack, place in it).
    """
    found = []
    section = table * _SECTIONS + (low >> 56)
    for number, index in enumerate(indexes):
        keys, places, start, end = index.section(section)
        at = bisect_left(keys, low, start, end)
        while at < end and keys[at] <= high:
            found.append((number, places[at]))
            at += 1
    return found


def first_word(digits: str) -> int:
    """Return the first sixteen digits of a hash as a number; missing ones count as 0."""
    return int(digits[:16].ljust(16, "0"), 16)


def _folders(text: memoryview) -> dict[str, FolderPlace]:
    lines = (line.split(" ") for line in str(text, "ascii").splitlines())
    return {path: FolderPlace(*map(int, place)) for path, *place in lines}


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

    def add_alike(self, prefix: bytes, rests: Sequence[bytes], starts: Sequence[int], end: int) -> None:
        """Note entries whose keys begin alike: an object's, a record's, or a set's, whose folder is all of ``prefix``.

        Args:
            prefix: What all keys begin with.
            rests: What follows in each: the hash comes first.
            starts: Where the frame of each begins.
            end: Where the last ends.
        """
        kind = prefix[0]
        table = OBJECTS if kind == pack_format.OBJECT else RECORDS if kind == pack_format.RECORD else MEMBERS
        if table == MEMBERS:
            self._note_folder(prefix, prefix + rests[0], starts[0], end, len(rests))
        words = array("Q", b"".join([rest[:8] for rest in rests]))
        if sys.byteorder == "little":
            words.byteswap()
        keys, places = self._tables[table]
        keys.extend(words)
        places.extend(array("Q", starts))

    def _member(self, key: bytes, start: int, end: int) -> bytes:
        at = pack_format.name_start(key)
        self._note_folder(key[:at], key, start, end, 1)
        return key[at : at + 8]

    def _note_folder(self, folder: bytes, key: bytes, start: int, end: int, entries: int) -> None:
        if folder == self._folder_key:
            path, first, _, count = self._folders[-1]
            self._folders[-1] = (path, first, end, count + entries)
        else:
            self._folder_key = folder
            self._folders.append((pack_format.to_path(key).rpartition("/")[0], start, end, entries))

    def finish(self, pack: str, pack_size: int, *, damaged: bool = False, proven: bool = False) -> bytes:
        """Return the index as bytes.

        Args:
            pack: The pack's hash.
            pack_size: Its bytes.
            damaged: Its bytes are not those that its name promises.
            proven: All configurations and records in it are valid.
        """
        known = damaged * _DAMAGED | proven * _PROVEN
        tables = [_sorted(*table) for table in self._tables]
        folders = "".join(f"{path} {start} {end} {count}\n" for path, start, end, count in self._folders).encode()
        words = array("Q", [_ORDER, pack_size, known, len(folders), crc32(folders)])
        ends = [[bisect_right(keys, (byte << 56) | (FULL >> 8)) for byte in range(_SECTIONS)] for keys, _ in tables]
        for found in ends:
            words.extend(found)
        for (keys, places), found in zip(tables, ends, strict=True):
            for start, end in pairwise([0, *found]):
                words.append(crc32(memoryview(places)[start:end], crc32(memoryview(keys)[start:end])))
        head = b"".join((_MAGIC, bytes.fromhex(pack), words.tobytes()))
        parts = [head, crc32(head).to_bytes(8, sys.byteorder)]
        parts += [part.tobytes() for table in tables for part in table]
        return b"".join([*parts, folders])


def _sorted(keys: "array[int]", places: "array[int]") -> "tuple[array[int], array[int]]":
    """Sort a table by its keys; objects and records, which lie in that order in the pack, are sorted already."""
    if all(map(le, keys, islice(keys, 1, None))):
        return keys, places
    both = sorted((key << 64) | place for key, place in zip(keys, places, strict=True))
    return array("Q", (one >> 64 for one in both)), array("Q", (one & FULL for one in both))
