"""The packs of a store: read as if their entries were files of their own, without unpacking anything."""

from __future__ import annotations

import contextlib
import mmap
import os
import time
from collections.abc import Iterator
from hashlib import sha256
from typing import Final

from gemexp.digest import HASH_DIGITS, is_hash, is_hex
from gemexp.errors import Corrupt, InvalidInput
from gemexp.store import durable, layout, pack_format, pack_index
from gemexp.store.pack_format import Frame
from gemexp.store.pack_index import MEMBERS, OBJECTS, RECORDS, PackIndex

_MTIME_DOUBT_NS: Final = 2_000_000_000
_TABLES: Final = {layout.OBJECTS: OBJECTS, layout.INDEX: RECORDS}
_STEP_BYTES: Final = 1 << 20


class Pack:
    """One pack, mapped into memory.

    Args:
        root: The store's folder.
        name: The pack's hash.

    Raises:
        FileNotFoundError: It is gone.
        StoreUnreadable: The file system refused.
        Corrupt: It is no pack at all.
    """

    def __init__(self, root: str, name: str) -> None:
        self.name = name
        self.path = layout.pack_path(name)
        self._full_path = f"{root}/{self.path}"
        descriptor = durable.open_to_read(root, self.path)
        try:
            self.size = os.fstat(descriptor).st_size
            head = os.read(descriptor, len(pack_format.MAGIC))
            if head != pack_format.MAGIC:
                raise Corrupt("is not a pack", path=self.path)
            self.bytes = mmap.mmap(descriptor, self.size, access=mmap.ACCESS_READ)
        finally:
            os.close(descriptor)
        self.index = self._load_index(root)

    def find(self, path: str) -> Frame | None:
        """Return the frame of a path, or None."""
        try:
            key = pack_format.to_key(path)
        except InvalidInput:
            return None
        table = OBJECTS if key[0] == pack_format.OBJECT else RECORDS if key[0] == pack_format.RECORD else MEMBERS
        start = pack_format.name_start(key)
        for place in self.index.places(table, key[start : start + 8].hex()):
            found = pack_format.read_frame(self.bytes, place)
            if found is not None and found.key == key:
                return found
        return None

    def has_folder(self, path: str) -> bool:
        """Tell whether a path is a folder of sets or names that has entries."""
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
            found = pack_format.read_frame(self.bytes, place)
            if found is not None:
                name = pack_format.file_name(found.key)
                if name.startswith(prefix):
                    yield name

    def entries(self, folder: str) -> Iterator[tuple[str, bytes]]:
        """Yield (name, data) of the entries in a fan-out folder, or in the folder of a set or a name, in order."""
        for path, data in self.paths(*self._span(folder)):
            yield path.rpartition("/")[2], data

    def _span(self, folder: str) -> tuple[int, int]:
        top, _, fan_out = folder.partition("/")
        if top not in _TABLES:
            return self.index.folders[folder][:2] if folder in self.index.folders else (0, 0)
        places = self.index.places(_TABLES[top], fan_out) if layout.parse_fan_out(fan_out) else ()
        if not len(places):
            return (0, 0)
        last = pack_format.read_frame(self.bytes, places[-1])
        return (places[0], self.size if last is None else last.end)

    def memberships(self, config_hash: str) -> Iterator[str]:
        """Yield the paths below ``refs`` whose names begin with a hash."""
        for place in self.index.places(MEMBERS, config_hash):
            found = pack_format.read_frame(self.bytes, place)
            if found is not None:
                with contextlib.suppress(ValueError):
                    path = pack_format.path_unchecked(found.key)
                    if path.rpartition("/")[2].startswith(config_hash):
                        yield path

    def paths(self, start: int = len(pack_format.MAGIC), end: int | None = None) -> Iterator[tuple[str, bytes]]:
        """Yield (path, data) of the entries that can be read, all or those between two places, in order."""
        with open(self._full_path, "rb") as file:
            for frame, data in pack_format.frames(file, start, self.size if end is None else end):
                with contextlib.suppress(Corrupt):
                    yield pack_format.to_path(frame.key), data

    def keyed(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield (key, data) of every entry that can be read, in order."""
        with open(self._full_path, "rb") as file:
            for frame, data in pack_format.frames(file, len(pack_format.MAGIC), self.size):
                yield frame.key, data

    def _load_index(self, root: str) -> PackIndex:
        where = layout.pack_index_path(self.name)
        with contextlib.suppress(OSError, ValueError):
            descriptor = durable.open_to_read(root, where)
            try:
                index = PackIndex(memoryview(mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ)))
            finally:
                os.close(descriptor)
            if index.pack_size == self.size:
                return index
        data = self._build_index()
        durable.note(root, where, data)
        return PackIndex(data)

    def _build_index(self) -> bytes:
        builder = pack_index.Builder()
        digest = sha256()
        whole = len(pack_format.MAGIC)
        with open(self._full_path, "rb") as file:
            while step := file.read(_STEP_BYTES):
                digest.update(step)
            for frame, _ in pack_format.frames(file, whole, self.size):
                with contextlib.suppress(Corrupt):
                    pack_format.to_path(frame.key)
                    builder.add(frame.key, frame.start, frame.end)
        return builder.finish(self.size, damaged=digest.hexdigest() != self.name)


class Packs:
    """All packs of a store; which they are is looked up again whenever the folder has changed.

    Args:
        root: The store's folder.
    """

    def __init__(self, root: str) -> None:
        self._root = root
        self._open: dict[str, Pack] = {}
        self._bad: set[str] = set()
        self._listed_at = -1

    def all(self) -> list[Pack]:
        """Return the packs that there are now."""
        try:
            changed = os.stat(f"{self._root}/{layout.PACKS}").st_mtime_ns
        except OSError:
            self._open.clear()
            return []
        if changed != self._listed_at:
            self._list(changed)
        return list(self._open.values())

    def _list(self, changed: int) -> None:
        began = time.time_ns()
        names = {
            name[: -len(layout.PACK_SUFFIX)]
            for name in os.listdir(f"{self._root}/{layout.PACKS}")
            if name.endswith(layout.PACK_SUFFIX) and is_hash(name[: -len(layout.PACK_SUFFIX)])
        }
        for name in self._open.keys() - names:
            del self._open[name]
        for name in sorted(names - self._open.keys()):
            try:
                self._open[name] = Pack(self._root, name)
            except (FileNotFoundError, Corrupt):
                continue  # fsck names it
        self._listed_at = changed if began - changed > _MTIME_DOUBT_NS else -1

    def find(self, path: str) -> tuple[Pack, Frame] | None:
        """Return where a path is, or None if no pack has it."""
        known = list(self._open.values())
        found = _find(known, path)
        if found is None:  # only then look whether there are new packs
            found = _find([pack for pack in self.all() if pack not in known], path)
        return found

    def read(self, path: str, limit: int) -> bytes | None:
        """Return the data of a path, or None if no pack has it; see `gemexp.store.tree.Tree`."""
        found = self.find(path)
        if found is None:
            return None
        pack, frame = found
        if frame.end - frame.data > limit:
            raise Corrupt(f"is larger than {limit} bytes", path=path)
        return pack.data(frame)

    def holding(self, path: str, data: bytes) -> Pack | None:
        """Return the pack that has a path with just that data, or None."""
        found = self.find(path)
        return found[0] if found is not None and found[0].data(found[1]) == data else None

    def exists(self, path: str) -> bool:
        """Tell whether a pack has a file or a folder of that path."""
        return self.find(path) is not None or any(pack.has_folder(path) for pack in self.all())

    def names(self, path: str, prefix: str = "") -> set[str]:
        """Return the names in a folder that begin with a prefix."""
        found: set[str] = set()
        for pack in self.all():
            found.update(pack.names(path, prefix))
        return found

    def contents(self, path: str, limit: int) -> Iterator[tuple[str, bytes]]:
        """Yield (name, bytes) of the entries in a folder; see `gemexp.store.tree.Tree`."""
        for pack in self.all():
            for name, data in pack.entries(path):
                if len(data) <= limit:
                    yield name, data

    def memberships(self, config_hash: str) -> Iterator[str]:
        """Yield the paths below ``refs`` whose names begin with a hash."""
        for pack in self.all():
            yield from pack.memberships(config_hash)


def _find(packs: list[Pack], path: str) -> tuple[Pack, Frame] | None:
    for pack in packs:
        found = pack.find(path)
        if found is not None:
            return pack, found
    return None
