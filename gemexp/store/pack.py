"""One pack: read as if its entries were files of their own, without unpacking anything."""

import contextlib
import mmap
import os
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Final, NamedTuple, Self

from gemexp.digest import HASH_DIGITS, is_hex
from gemexp.errors import Corrupt, InvalidInput, StoreUnreadable
from gemexp.store import durable, layout, pack_format, pack_index
from gemexp.store.pack_format import Frame
from gemexp.store.pack_index import MEMBERS, OBJECTS, RECORDS, PackIndex

_TABLES: Final = {layout.OBJECTS: OBJECTS, layout.INDEX: RECORDS}
_FOLDERS_OF_FOLDERS: Final = (layout.REFS, layout.TAGS, layout.NAMES)
_STEP_BYTES: Final = 1 << 20


class Sought(NamedTuple):
    """What is looked for in packs.

    Args:
        table: Which table of an index may have it.
        word: The first eight bytes of the hash that its name begins with, as a number.
        key: Its key.
    """

    table: int
    word: int
    key: bytes


@lru_cache(maxsize=64)  # whoever writes a file looks for it more than once
def sought(path: str) -> Sought | None:
    """Return how to look for a path; None if no pack can hold it."""
    try:
        key = pack_format.to_key(path)
    except InvalidInput:
        return None
    table = OBJECTS if key[0] == pack_format.OBJECT else RECORDS if key[0] == pack_format.RECORD else MEMBERS
    start = pack_format.name_start(key)
    return Sought(table, int.from_bytes(key[start : start + 8], "big"), key)


class Pack:
    """One pack, mapped into memory.

    Args:
        name: The pack's hash.
        content: Its bytes.
        index: Where its entries lie; built anew if it is None.

    Attributes:
        on_damage: Called when an entry is no longer where the index says.
    """

    def __init__(self, name: str, content: bytes | mmap.mmap, index: PackIndex | None = None) -> None:
        self.name = name
        self.path = layout.pack_path(name)
        self.bytes = content
        self.size = len(content)
        self.index = index or PackIndex(build_index(name, content), name, self.size)
        self.on_damage: Callable[[], None] | None = None

    @classmethod
    def open(cls, root: str, name: str, *, cached: bool = True) -> Self:
        """Open a pack of a store.

        Args:
            root: The store's folder.
            name: The pack's hash.
            cached: Use the index in ``local/``, and leave one there.

        Raises:
            FileNotFoundError: It is gone.
            StoreUnreadable: The file system refused.
            Corrupt: It is no pack at all.
        """
        content = mapped(root, layout.pack_path(name))
        if content[: len(pack_format.MAGIC)] != pack_format.MAGIC:
            raise Corrupt("is not a pack", path=layout.pack_path(name))
        if not cached:
            return cls(name, content)
        where = layout.pack_index_path(name)

        def remake() -> bytes:
            data = build_index(name, content)
            if not PackIndex(data, name, len(content)).damaged:  # once it is mended, its name is the same
                durable.note(root, where, data)
            return data

        with contextlib.suppress(OSError, ValueError, Corrupt, StoreUnreadable):
            return cls(name, content, PackIndex(memoryview(mapped(root, where)), name, len(content), remake))
        return cls(name, content, PackIndex(remake(), name, len(content)))

    def find(self, path: str) -> Frame | None:
        """Return the frame of a path, or None."""
        wanted = sought(path)
        return None if wanted is None else self.find_key(wanted)

    def find_key(self, wanted: Sought) -> Frame | None:
        """Return the frame of a key, or None."""
        for place in self.index.at(wanted.table, wanted.word):
            found = self.frame(place)
            if found is not None and found.key == wanted.key:
                return found
        return None

    def numbers(self, wanted: Sought) -> Iterator[int]:
        """Yield the causal lengths of a set's member that have entries."""
        for place in self.index.at(MEMBERS, wanted.word):
            found = self.frame(place)
            if found is not None and found.key.startswith(wanted.key):
                member = layout.parse_member_name(
                    pack_format.file_name(found.key), pairs=found.key[0] == pack_format.MIGRATED
                )
                if member is not None:
                    yield member.length

    def frame(self, place: int) -> Frame | None:
        """Return the frame that the index says is at a place; None if it was damaged since."""
        found = pack_format.read_frame(self.bytes, place)
        if found is None and self.on_damage is not None:
            self.on_damage()
        return found

    def release(self) -> None:
        """Give back the memory that holds the pack; what is read again is mapped again."""
        pack_format.release(self.bytes, 0, self.size)

    def has_folder(self, path: str) -> bool:
        """Tell whether a path is a folder that has entries, or folders."""
        top, _, fan_out = path.partition("/")
        if top in _TABLES:
            if not fan_out:
                return self.index.count(_TABLES[top]) > 0
            return layout.parse_fan_out(fan_out) is not None and len(self.index.places(_TABLES[top], fan_out)) > 0
        if path in _FOLDERS_OF_FOLDERS:
            return any(folder.startswith(f"{path}/") for folder in self.index.folders)
        return path in self.index.folders

    def data(self, frame: Frame) -> bytes:
        """Return the data of an entry."""
        return self.bytes[frame.data : frame.end]

    def names(self, folder: str, prefix: str) -> Iterator[str]:
        """Yield the names in a folder that begin with a prefix."""
        top, _, fan_out = folder.partition("/")
        if top in _TABLES and not fan_out:
            yield from (name for name in self.index.fan_outs(_TABLES[top]) if name.startswith(prefix))
        elif top in _TABLES:
            yield from self._fanned_names(_TABLES[top], fan_out, prefix)
        elif folder in self.index.folders:
            yield from (name for name, _ in self.entries(folder) if name.startswith(prefix))
        else:
            start = f"{folder}/" if folder else ""
            inside = {path[len(start) :].partition("/")[0] for path in self.index.folders if path.startswith(start)}
            inside |= {top for top, table in _TABLES.items() if not folder and self.index.count(table)}
            yield from (name for name in sorted(inside) if name.startswith(prefix))

    def _fanned_names(self, table: int, fan_out: str, prefix: str) -> Iterator[str]:
        digits = prefix.partition("-")[0][:HASH_DIGITS]
        if not layout.parse_fan_out(fan_out) or not is_hex(digits) or not fan_out.startswith(digits[:2]):
            return
        for place in self.index.places(table, digits if len(digits) > 2 else fan_out):
            found = self.frame(place)
            if found is not None:
                name = pack_format.file_name(found.key)
                if name.startswith(prefix):
                    yield name

    def entries(self, folder: str) -> Iterator[tuple[str, bytes]]:
        """Yield (name, data) of the entries in a fan-out folder, or in the folder of a set or a name, in order."""
        file_name = pack_format.file_name
        for key, data in self._keyed(*self._span(folder)):
            yield file_name(key), data

    def frames(self, folder: str) -> Iterator[Frame]:
        """Yield where the entries of such a folder are, in order."""
        yield from pack_format.entries(self.bytes, *self._span(folder))

    def hashes(self, set_folder: str) -> bytes | None:
        """Return the hashes of a set's members; None where not all were added once; see `pack_format.hashes_alike`."""
        start, end = self._span(set_folder)
        return pack_format.hashes_alike(self.bytes, start, end) if end > start else b""

    def _span(self, folder: str) -> tuple[int, int]:
        top, _, fan_out = folder.partition("/")
        if top not in _TABLES:
            return self.index.folders[folder][:2] if folder in self.index.folders else (0, 0)
        places = self.index.places(_TABLES[top], fan_out) if layout.parse_fan_out(fan_out) else ()
        if not len(places):
            return (0, 0)
        last = self.frame(places[-1])
        if last is None:  # up to what is whole again
            found = next(pack_format.frames(self.bytes, places[-1] + 1, self.size), None)
            return (places[0], self.size if found is None else found.start)
        return (places[0], last.end)

    def span(self, table: int) -> tuple[int, int]:
        """Return where the entries of a table begin and end, which lie in one piece; at its end if there are none."""
        if not self.index.count(table):
            return (self.size, self.size)
        first, last = self.index.span(table)
        found = pack_format.read_frame(self.bytes, last)
        return (first, self.size if found is None else found.end)

    def memberships(self, config_hash: str) -> Iterator[str]:
        """Yield the paths below ``refs/tags`` whose names begin with a hash."""
        for place in self.index.places(MEMBERS, config_hash):
            found = self.frame(place)
            if found is not None and found.key[0] == pack_format.TAG:
                path = pack_format.path_unchecked(found.key)
                if path.rpartition("/")[2].startswith(config_hash):
                    yield path

    def paths(self, start: int = len(pack_format.MAGIC), end: int | None = None) -> Iterator[tuple[str, bytes]]:
        """Yield (path, data) of the entries that can be read, all or those between two places, in order."""
        for key, data in self._keyed(start, self.size if end is None else end):
            yield pack_format.path_unchecked(key), data

    def _keyed(self, start: int, end: int) -> Iterator[tuple[bytes, bytes]]:
        content = self.bytes
        for key, at, data, after in pack_format.entries(content, start, end):
            if at != start and self.on_damage is not None:
                self.on_damage()
            start = after
            yield key, content[data:after]
        if start < end and self.on_damage is not None:  # what comes last, or all of it
            self.on_damage()

    def keyed(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield (key, data) of every entry that can be read, in order."""
        for frame in pack_format.entries(self.bytes, len(pack_format.MAGIC), self.size):
            yield frame.key, self.data(frame)


def with_prefix(packs: Sequence[Pack], table: int, digits: str) -> list[tuple[Pack, Frame]]:
    """Return the objects, or the records, whose hash begins with some digits, at least two, in all of some packs."""
    low = pack_index.first_word(digits)
    high = low | pack_index.FULL >> 4 * len(digits[:16])
    found = []
    for number, place in pack_index.places_among([pack.index for pack in packs], table, low, high):
        frame = packs[number].frame(place)
        if frame is not None and frame.key[1:33].hex().startswith(digits):
            found.append((packs[number], frame))
    return found


def with_member(packs: Sequence[Pack], member: bytes) -> list[bytes]:
    """Return the keys in sets, of whatever folder, whose name begins with a hash of 32 bytes, in all of some packs."""
    word = int.from_bytes(member[:8], "big")
    found = []
    for number, place in pack_index.places_among([pack.index for pack in packs], MEMBERS, word, word):
        frame = packs[number].frame(place)
        if frame is not None and frame.key.startswith(member, pack_format.name_start(frame.key)):
            found.append(frame.key)
    return found


def build_index(name: str, content: bytes | mmap.mmap) -> bytes:
    """Return the index of a pack, which says as well whether the pack is what its name promises."""
    builder = pack_index.Builder()
    damaged = digest(content) != name
    for frame in pack_format.entries(content, len(pack_format.MAGIC), len(content)):
        builder.add(frame.key, frame.start, frame.end)
    return builder.finish(name, len(content), damaged=damaged)


def digest(content: bytes | mmap.mmap) -> str:
    """Return the hash of a pack's bytes."""
    from hashlib import sha256  # loading OpenSSL takes longer than a lookup

    found = sha256()
    for start in range(0, len(content), _STEP_BYTES):
        found.update(content[start : start + _STEP_BYTES])
        pack_format.release(content, start, start + _STEP_BYTES)
    return found.hexdigest()


def mapped(root: str, path: str) -> bytes | mmap.mmap:
    """Return a file's bytes, mapped into memory.

    Raises:
        FileNotFoundError: There is none.
        StoreUnreadable: The file system refused.
        Corrupt: It is no regular file.
    """
    descriptor = durable.open_to_read(root, path)
    try:
        if not os.fstat(descriptor).st_size:
            return b""
        return mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ)
    except OSError as error:
        raise durable.unreadable(error, root, path) from None
    finally:
        os.close(descriptor)
