"""Merging: taking over, file by file, what another store has and this one lacks.

What is there already is not read: a name is fixed by its content or meaning, so that a file of that name is the same
file, or damaged, which ``fsck`` finds. Whatever is taken is checked before, so that a damaged source damages nothing.
Doing it again takes nothing more, and the order of sources does not matter.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

from gemexp import canonical
from gemexp.errors import Corrupt, NotFound, StoreUnreadable
from gemexp.store import kinds, layout, names, objects, records
from gemexp.store.files import Folder
from gemexp.store.overlay import Packed
from gemexp.store.packs import Packs
from gemexp.store.tree import Tree

_BATCH_FILES = 1000
_BATCH_BYTES = 16 * 1024 * 1024
# A list of more paths than this would take more memory than taking the files does.
_MOST_PATHS = 200_000
_PARTS = {
    *(layout.FORMAT_FILE, layout.ATTRIBUTES_FILE, layout.IGNORE_FILE, layout.LOCAL),
    *(layout.OBJECTS, layout.INDEX, layout.REFS, layout.PACKS),
}
_MOST_PASSES = 10


class Passed(NamedTuple):
    """A file of the source that was passed over, and why."""

    path: str
    message: str


class Merged(NamedTuple):
    """What merging took, or would take.

    Args:
        objects: How many objects.
        records: How many records.
        members: How many files of tags, deletions and migrations.
        moves: How many moves of names.
        paths: All of them; None where they are too many to list.
        bad: What is damaged in the source, and was not taken.
        unknown: What no reader of this version looks at, and was left behind.
    """

    objects: int
    records: int
    members: int
    moves: int
    paths: tuple[str, ...] | None
    bad: tuple[Passed, ...]
    unknown: tuple[Passed, ...]

    @property
    def files(self) -> int:
        """How many files in all."""
        return self.objects + self.records + self.members + self.moves


class Source(Folder):
    """Another store's folder, which may come from anyone: nothing but folders of its own is listed, nothing written.

    Args:
        root: Where it is.
    """

    def __init__(self, root: str) -> None:
        super().__init__(root)
        self.packs = Packs(root, cached=False)

    def names(self, path: str) -> list[str]:
        """Return the names in a folder, unsorted; none if there is no such folder.

        Raises:
            Corrupt: It is a link, or anything else that is no folder.
            StoreUnreadable: The file system refused.
        """
        try:
            mode = os.lstat(f"{self.root}/{path}").st_mode
        except OSError:
            return super().names(path)  # which tells why, or that it is not there
        if not stat.S_ISDIR(mode) and path:
            raise Corrupt("is a symbolic link" if stat.S_ISLNK(mode) else "is not a folder", path=path)
        try:
            return super().names(path)
        except (Corrupt, StoreUnreadable) as error:
            if error.path != layout.PACKS:
                raise
            return self.loose.names(path)  # what the packs hold cannot be read, and listing them tells so


def merge(folder: Folder, source: Tree, *, dry_run: bool = False) -> Merged:
    """Take every file that the source has and the store lacks.

    Objects come first, then records about them, then tags, deletions, names and migrations, in batches, each durable
    before the next. Damaged files, and those with a name that no reader knows, are passed over and reported.

    Args:
        folder: The store to complete.
        source: The other store, a `Source` or a commit of git.
        dry_run: Tell what would be taken, and take nothing.

    Raises:
        StoreUnwritable: The file system refused; what was taken before is whole, and merging again takes the rest.
    """
    merger = _Merger(folder, source, dry_run=dry_run)
    # A collector may take a file away that was found there, before those came that bring it to life again.
    for _ in range(_MOST_PASSES):
        if not merger.take() or dry_run:
            break
    return merger.merged()


class _Merger:
    def __init__(self, folder: Folder, source: Tree, *, dry_run: bool) -> None:
        self._folder = folder
        self._source = source
        holder = source.folder if isinstance(source, Packed) else source
        self._packs = holder.packs if isinstance(holder, Folder) else None
        if self._packs is not None:
            self._packs.warns = False  # what is bad is reported
        self._dry_run = dry_run
        self._taken: dict[str, int] = dict.fromkeys(("objects", "records", "members", "moves"), 0)
        self._paths: list[str] | None = []
        self._bad: dict[str, str] = {}
        self._unknown: dict[str, str] = {}
        self._waiting: dict[str, bytes] = {}
        self._waiting_bytes = 0

    def merged(self) -> Merged:
        return Merged(
            **self._taken,
            paths=None if self._paths is None else tuple(dict.fromkeys(self._paths)),
            bad=tuple(Passed(path, message) for path, message in sorted(self._bad.items())),
            unknown=tuple(Passed(path, message) for path, message in sorted(self._unknown.items())),
        )

    def take(self) -> int:
        """Take what is missing; return how many files that were."""
        before = sum(self._taken.values())
        for name in self._names(""):
            if name not in _PARTS:
                self._leave(name)
        self._look_at_packs()
        self._take_objects()
        self._write()
        self._take_records()
        self._write()
        self._take_refs()
        self._write()
        return sum(self._taken.values()) - before

    def _look_at_packs(self) -> None:
        """Report packs that are damaged: what is whole in them is taken like any other file."""
        found = self._names(layout.PACKS)
        if not found or layout.PACKS in self._bad:
            return
        damaged = {} if self._packs is None else {pack.name: pack.index.damaged for pack in self._packs.all()}
        for name in found:
            path = f"{layout.PACKS}/{name}"
            pack_hash = layout.parse_pack_name(name)
            if pack_hash is None:
                self._leave(path)
            elif damaged.get(pack_hash, True):
                self._bad[path] = "is damaged" if pack_hash in damaged else "is not a pack"

    def _take_objects(self) -> None:
        for fan_out, name in self._missing_in_fan_outs(layout.OBJECTS):
            path = f"{layout.OBJECTS}/{fan_out}/{name}"
            if layout.parse_object_name(name) and name.startswith(fan_out):
                self._add("objects", path, partial(objects.get, self._source, name))
            else:
                self._leave(path)

    def _take_records(self) -> None:
        for fan_out, file_name in self._missing_in_fan_outs(layout.INDEX):
            path = f"{layout.INDEX}/{fan_out}/{file_name}"
            name = layout.parse_record_name(file_name)
            if name and file_name.startswith(fan_out):
                self._add("records", path, partial(self._record, path, name))
            else:
                self._leave(path)

    def _take_refs(self) -> None:
        for part in self._names(layout.REFS):
            path = f"{layout.REFS}/{part}"
            if path in (layout.DELETED, layout.MIGRATED):
                self._take_members(path)
            elif path in (layout.TAGS, layout.NAMES):
                self._take_named(path)
            else:
                self._leave(path)

    def _take_named(self, part: str) -> None:
        """Take what is missing in each tag's folder, or each name's."""
        for escaped in self._names(part):
            path = f"{part}/{escaped}"
            name = layout.unescape_name(escaped)
            if name is None:
                self._leave(path)
            elif part == layout.TAGS:
                self._take_members(path)
            else:
                self._take_moves(path, name)

    def _take_members(self, set_folder: str) -> None:
        for file_name in self._missing(set_folder):
            path = f"{set_folder}/{file_name}"
            if layout.parse_member_name(file_name, pairs=set_folder == layout.MIGRATED):
                self._add("members", path, partial(self._member, path))
            else:
                self._leave(path)

    def _take_moves(self, name_folder: str, name: str) -> None:
        for file_name in self._missing(name_folder):
            path = f"{name_folder}/{file_name}"
            if layout.parse_object_name(file_name):
                self._add("moves", path, partial(self._move, path, file_name, name))
            else:
                self._leave(path)

    def _member(self, path: str) -> bytes:
        """Return what a member's file holds here: its name says all, and whatever is in it is ignored."""
        self._read(path)
        return b""

    def _record(self, path: str, name: layout.RecordName) -> bytes:
        data = self._read(path)
        records.from_bytes(data, name)
        return data

    def _move(self, path: str, record_hash: str, name: str) -> bytes:
        data = self._read(path)
        names.from_value(record_hash, kinds.read(data, record_hash, name))
        return data

    def _read(self, path: str) -> bytes:
        data = self._source.read(path, canonical.MAX_BYTES)
        if data is None:
            raise Corrupt("is missing")
        return data

    def _missing_in_fan_outs(self, part: str) -> Iterator[tuple[str, str]]:
        for fan_out in self._names(part):
            if layout.parse_fan_out(fan_out):
                for name in self._missing(f"{part}/{fan_out}"):
                    yield fan_out, name
            else:
                self._leave(f"{part}/{fan_out}")

    def _missing(self, path: str) -> list[str]:
        """Return the names in a folder of the source that the store lacks, sorted."""
        found = set(self._names(path))
        if found:
            found.difference_update(self._folder.names(path))
        return sorted(found)

    def _names(self, path: str) -> list[str]:
        try:
            found = self._source.names(path)
            if not found and not isinstance(self._source, (Folder, Packed)) and self._source.exists(path):
                raise Corrupt("is not a folder")  # git has no empty ones
        except (Corrupt, StoreUnreadable) as error:
            self._bad[path] = error.message
            return []
        return sorted(found)

    def _leave(self, path: str) -> None:
        self._unknown.setdefault(path, "is not part of a store that this version knows")

    def _add(self, what: str, path: str, content: Callable[[], bytes]) -> None:
        """Have a file taken, if its content is what its name promises."""
        if path in self._bad:
            return
        try:
            data = content()
        except kinds.UnknownKind as error:
            self._unknown.setdefault(path, error.message)
            return
        except (Corrupt, NotFound, StoreUnreadable) as error:
            self._bad[path] = error.message
            return
        self._taken[what] += 1
        if self._paths is not None:
            self._paths.append(path)
            if len(self._paths) > _MOST_PATHS:
                self._paths = None
        if self._dry_run:
            return
        self._waiting[path] = data
        self._waiting_bytes += len(data)
        if len(self._waiting) >= _BATCH_FILES or self._waiting_bytes >= _BATCH_BYTES:
            self._write()

    def _write(self) -> None:
        with self._folder.batch() as batch:
            for path, data in self._waiting.items():
                batch.create(path, data)
        self._waiting = {}
        self._waiting_bytes = 0
