"""The packs of a store: read as if their entries were files of their own, without unpacking anything."""

from __future__ import annotations

import contextlib
import mmap
import os
import stat
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from hashlib import sha256
from typing import Final

from gemexp.digest import HASH_DIGITS, is_hex
from gemexp.errors import Corrupt, DamageWarning, InvalidInput, StoreUnreadable
from gemexp.store import durable, layout, pack_format, pack_index
from gemexp.store.pack_format import Frame
from gemexp.store.pack_index import MEMBERS, OBJECTS, RECORDS, PackIndex

_MTIME_DOUBT_NS: Final = 2_000_000_000
_TABLES: Final = {layout.OBJECTS: OBJECTS, layout.INDEX: RECORDS}
_FOLDERS_OF_FOLDERS: Final = (layout.REFS, layout.TAGS, layout.NAMES)
_STEP_BYTES: Final = 1 << 20
# Each place that is read may map 64 KiB around it, and they would add up to whole packs.
_RELEASE_AFTER: Final = 512
_ENTRIES_A_PLACE: Final = 16
_DAMAGED: Final = "is damaged, and what is not whole in it was passed over"


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
    def open(cls, root: str, name: str, *, cached: bool = True) -> Pack:
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
        try:
            key = pack_format.to_key(path)
        except InvalidInput:
            return None
        table = OBJECTS if key[0] == pack_format.OBJECT else RECORDS if key[0] == pack_format.RECORD else MEMBERS
        start = pack_format.name_start(key)
        for place in self.index.places(table, key[start : start + 8].hex()):
            found = self._frame(place)
            if found is not None and found.key == key:
                return found
        return None

    def _frame(self, place: int) -> Frame | None:
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
            found = self._frame(place)
            if found is not None:
                name = pack_format.file_name(found.key)
                if name.startswith(prefix):
                    yield name

    def entries(self, folder: str) -> Iterator[tuple[str, bytes]]:
        """Yield (name, data) of the entries in a fan-out folder, or in the folder of a set or a name, in order."""
        for path, data in self.paths(*self._span(folder)):
            yield path.rpartition("/")[2], data

    def frames(self, folder: str) -> Iterator[Frame]:
        """Yield where the entries of such a folder are, in order."""
        yield from pack_format.entries(self.bytes, *self._span(folder))

    def _span(self, folder: str) -> tuple[int, int]:
        top, _, fan_out = folder.partition("/")
        if top not in _TABLES:
            return self.index.folders[folder][:2] if folder in self.index.folders else (0, 0)
        places = self.index.places(_TABLES[top], fan_out) if layout.parse_fan_out(fan_out) else ()
        if not len(places):
            return (0, 0)
        last = self._frame(places[-1])
        if last is None:  # up to what is whole again
            found = next(pack_format.frames(self.bytes, places[-1] + 1, self.size), None)
            return (places[0], self.size if found is None else found.start)
        return (places[0], last.end)

    def memberships(self, config_hash: str) -> Iterator[str]:
        """Yield the paths below ``refs/tags`` whose names begin with a hash."""
        for place in self.index.places(MEMBERS, config_hash):
            found = self._frame(place)
            if found is not None and found.key[0] == pack_format.TAG:
                path = pack_format.path_unchecked(found.key)
                if path.rpartition("/")[2].startswith(config_hash):
                    yield path

    def paths(self, start: int = len(pack_format.MAGIC), end: int | None = None) -> Iterator[tuple[str, bytes]]:
        """Yield (path, data) of the entries that can be read, all or those between two places, in order."""
        for frame in pack_format.entries(self.bytes, start, self.size if end is None else end):
            if frame.start != start and self.on_damage is not None:
                self.on_damage()
            start = frame.end
            yield pack_format.path_unchecked(frame.key), self.data(frame)

    def keyed(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield (key, data) of every entry that can be read, in order."""
        for frame in pack_format.entries(self.bytes, len(pack_format.MAGIC), self.size):
            yield frame.key, self.data(frame)


def build_index(name: str, content: bytes | mmap.mmap) -> bytes:
    """Return the index of a pack, which says as well whether the pack is what its name promises."""
    builder = pack_index.Builder()
    damaged = digest(content) != name
    for frame in pack_format.entries(content, len(pack_format.MAGIC), len(content)):
        builder.add(frame.key, frame.start, frame.end)
    return builder.finish(name, len(content), damaged=damaged)


def digest(content: bytes | mmap.mmap) -> str:
    """Return the hash of a pack's bytes."""
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


class Packs:
    """All packs of a store; which they are is looked up again whenever the folder has changed.

    Args:
        root: The store's folder.
        cached: Use the indexes in ``local/``, and leave new ones there.

    Attributes:
        warns: Whether damage is warned of; what reports it itself needs no warning.
    """

    def __init__(self, root: str, *, cached: bool = True) -> None:
        self._root = root
        self._cached = cached
        self._open: dict[str, Pack] = {}
        self._bad: set[str] = set()
        self._listed_at = -1
        self._places = 0
        self.warns = True

    def all(self) -> list[Pack]:
        """Return the packs that there are now.

        Raises:
            StoreUnreadable: The file system refused.
            Corrupt: Their folder is a symbolic link.
        """
        try:
            status = os.lstat(f"{self._root}/{layout.PACKS}")
        except (FileNotFoundError, NotADirectoryError):
            self._open.clear()
            return []
        except OSError as error:
            raise durable.unreadable(error, self._root, layout.PACKS) from None
        if status.st_mtime_ns != self._listed_at:
            if stat.S_ISLNK(status.st_mode):
                raise Corrupt("is a symbolic link, which a store never holds", path=layout.PACKS)
            began = time.time_ns()
            while not self._list():
                pass
            self._listed_at = status.st_mtime_ns if began - status.st_mtime_ns > _MTIME_DOUBT_NS else -1
        return list(self._open.values())

    def stamp(self) -> object:
        """Return something that is another when packs have come or gone."""
        folder = f"{self._root}/{layout.PACKS}"
        try:
            return (os.stat(folder).st_mtime_ns, frozenset(os.listdir(folder)))
        except OSError:
            return None

    def _list(self) -> bool:
        """Open what is new; tell whether all that was listed could be opened.

        What has gone in the meantime lies in another pack now, which the listing may have missed.
        """
        try:
            names = set(filter(None, map(layout.parse_pack_name, os.listdir(f"{self._root}/{layout.PACKS}"))))
        except (FileNotFoundError, NotADirectoryError):
            names = set()
        except OSError as error:
            raise durable.unreadable(error, self._root, layout.PACKS) from None
        for name, pack in list(self._open.items()):
            if name not in names or pack.index.damaged:  # a good one may be in its place now
                del self._open[name]
        for name in sorted(names - self._open.keys()):
            try:
                self._open[name] = Pack.open(self._root, name, cached=self._cached)
            except FileNotFoundError:
                return False
            except Corrupt as error:
                self._tell(name, error.message)
            else:
                self._open[name].on_damage = partial(self._tell, name, _DAMAGED)
                if self._open[name].index.damaged:
                    self._tell(name, _DAMAGED)
        return True

    def _tell(self, name: str, message: str) -> None:
        if self.warns and name not in self._bad:
            self._bad.add(name)
            text = f"'{layout.pack_path(name)}' {message}; gemexp fsck tells more"
            warnings.warn(text, DamageWarning, stacklevel=4)

    def find(self, path: str) -> tuple[Pack, Frame] | None:
        """Return where a path is, or None if no pack has it."""
        self._use(1)
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

    def holders(self, path: str) -> list[Pack]:
        """Return the packs that have a path."""
        return [pack for pack in self.all() if pack.find(path) is not None]

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
        self._use(1 + len(found) // _ENTRIES_A_PLACE)
        return found

    def contents(self, path: str, limit: int) -> Iterator[tuple[str, bytes]]:
        """Yield (name, bytes) of the entries in a folder; see `gemexp.store.tree.Tree`."""
        packs = self.all()
        seen = set()
        for pack in packs:
            for name, data in pack.entries(path):
                if len(data) <= limit and name not in seen:
                    if len(packs) > 1:
                        seen.add(name)
                    yield name, data
            self._use(_RELEASE_AFTER)

    def memberships(self, config_hash: str) -> Iterator[str]:
        """Yield the paths below ``refs/tags`` whose names begin with a hash."""
        for pack in self.all():
            self._use(1)
            yield from pack.memberships(config_hash)

    def _use(self, places: int) -> None:
        """Count the places that are read, and give back the memory that holds them now and then."""
        self._places += places
        if self._places >= _RELEASE_AFTER:
            self._places = 0
            for pack in self._open.values():
                pack.release()


def _find(packs: list[Pack], path: str) -> tuple[Pack, Frame] | None:
    for pack in packs:
        found = pack.find(path)
        if found is not None:
            return pack, found
    return None
