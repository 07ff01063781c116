"""Merging: taking over, file by file, what another store has and this one lacks.

What is there already is not read: a name is fixed by its content or meaning, so that a file of that name is the same
file, or damaged, which ``fsck`` finds. Whatever is taken is checked before, so that a damaged source damages nothing.
Doing it again takes nothing more, and the order of sources does not matter.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import chain, islice
from typing import NamedTuple

from gemexp import canonical
from gemexp.digest import HASH_DIGITS
from gemexp.errors import Corrupt, NotFound, StoreUnreadable
from gemexp.store import kinds, layout, names, objects, pack_format, packing, records
from gemexp.store.files import Folder
from gemexp.store.overlay import Packed
from gemexp.store.packs import Packs
from gemexp.store.tree import Tree

_BATCH_FILES = 1000
_BATCH_BYTES = 16 * 1024 * 1024
# So many are written as one pack: about what a thousand configs come to, of which adding makes a pack too.
PACK_FROM = 4000
# A list of more paths than this would take more memory than taking the files does.
_MOST_PATHS = 200_000
_PARTS = {
    *(layout.FORMAT_FILE, layout.ATTRIBUTES_FILE, layout.IGNORE_FILE, layout.LOCAL),
    *(layout.OBJECTS, layout.INDEX, layout.REFS, layout.PACKS),
}
_REFS = {layout.DELETED, layout.MIGRATED, layout.NAMES, layout.TAGS}
_MOST_PASSES = 10


class _Wanted(NamedTuple):
    """A file that the store lacks: what kind it is, where it belongs, and what returns its content, checked."""

    what: str
    path: str
    content: Callable[[], bytes]


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
    before the next; thousands of files as one pack instead, and the deletions after it. Damaged files, and those with a
    name that no reader knows, are passed over and reported.

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
        if not self._dry_run and self._are_many():
            self._take_as_pack()
        for found in (self._objects(), self._records(), self._refs()):
            for wanted in found:
                self._add(wanted)
            self._write()
        return sum(self._taken.values()) - before

    def _are_many(self) -> bool:
        packable = chain(self._objects(), self._records(), self._packable_refs())
        return next(islice(packable, PACK_FROM - 1, None), None) is not None

    def _take_as_pack(self) -> None:
        """Take what a pack can hold; marks of deletion stay loose, since their age tells the collector their time."""
        created: list[str] = []
        packing.write(self._folder, self._entries(created), created=created)

    def _entries(self, created: list[str]) -> Iterator[tuple[bytes, bytes]]:
        """Yield what a pack can hold, in the order of keys."""
        journalled = self._folder.on_commit is not None
        for wanted in chain(self._records(), self._objects(), self._packable_refs()):
            data = self._checked(wanted)
            if data is not None:
                if journalled:
                    created.append(wanted.path)
                yield pack_format.to_key(wanted.path), data

    def _packable_refs(self) -> Iterator[_Wanted]:
        there = {f"{layout.REFS}/{part}" for part in self._names(layout.REFS)}
        parts = (part for part in (layout.MIGRATED, layout.NAMES, layout.TAGS) if part in there)
        return chain.from_iterable(map(self._refs_in, parts))

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

    def _objects(self) -> Iterator[_Wanted]:
        for fan_out, name in self._missing_in_fan_outs(layout.OBJECTS):
            path = f"{layout.OBJECTS}/{fan_out}/{name}"
            if layout.parse_object_name(name) and name.startswith(fan_out):
                yield _Wanted("objects", path, partial(objects.get, self._source, name))
            else:
                self._leave(path)

    def _records(self) -> Iterator[_Wanted]:
        for fan_out, file_name in self._missing_in_fan_outs(layout.INDEX, _order_of_record):
            path = f"{layout.INDEX}/{fan_out}/{file_name}"
            name = layout.parse_record_name(file_name)
            if name and file_name.startswith(fan_out):
                yield _Wanted("records", path, partial(self._record, path, name))
            else:
                self._leave(path)

    def _refs(self) -> Iterator[_Wanted]:
        for part in self._names(layout.REFS):
            path = f"{layout.REFS}/{part}"
            if path in _REFS:
                yield from self._refs_in(path)
            else:
                self._leave(path)

    def _refs_in(self, part: str) -> Iterator[_Wanted]:
        """Yield what is missing in the deletions or migrations, in each tag's folder, or in each name's."""
        if part in (layout.DELETED, layout.MIGRATED):
            yield from self._members(part)
            return
        for escaped in sorted(self._names(part), key="{}/".format):  # in the order of keys
            path = f"{part}/{escaped}"
            name = layout.unescape_name(escaped)
            if name is None:
                self._leave(path)
            elif part == layout.TAGS:
                yield from self._members(path)
            else:
                yield from self._moves(path, name)

    def _members(self, set_folder: str) -> Iterator[_Wanted]:
        for file_name in self._missing(set_folder):
            path = f"{set_folder}/{file_name}"
            if layout.parse_member_name(file_name, pairs=set_folder == layout.MIGRATED):
                yield _Wanted("members", path, partial(self._member, path))
            else:
                self._leave(path)

    def _moves(self, name_folder: str, name: str) -> Iterator[_Wanted]:
        for file_name in self._missing(name_folder):
            path = f"{name_folder}/{file_name}"
            if layout.parse_object_name(file_name):
                yield _Wanted("moves", path, partial(self._move, path, file_name, name))
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

    def _missing_in_fan_outs(self, part: str, order: Callable[[str], str] | None = None) -> Iterator[tuple[str, str]]:
        for fan_out in self._names(part):
            if layout.parse_fan_out(fan_out):
                for name in sorted(self._missing(f"{part}/{fan_out}"), key=order):
                    yield fan_out, name
            else:
                self._leave(f"{part}/{fan_out}")

    def _missing(self, path: str) -> Iterable[str]:
        """Return the names in a folder of the source that the store lacks, sorted."""
        found = self._names(path)
        there = set(self._folder.names(path)) if found else ()
        return (name for name in found if name not in there) if there else found

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

    def _checked(self, wanted: _Wanted) -> bytes | None:
        """Return a file's content, and count it as taken; None if it is not what its name promises."""
        path = wanted.path
        if path in self._bad:
            return None
        try:
            data = wanted.content()
        except kinds.UnknownKind as error:
            self._unknown.setdefault(path, error.message)
            return None
        except (Corrupt, NotFound, StoreUnreadable) as error:
            self._bad[path] = error.message
            return None
        self._taken[wanted.what] += 1
        if self._paths is not None:
            self._paths.append(path)
            if len(self._paths) > _MOST_PATHS:
                self._paths = None
        return data

    def _add(self, wanted: _Wanted) -> None:
        """Have a file taken, if its content is what its name promises."""
        data = self._checked(wanted)
        if data is None or self._dry_run:
            return
        self._waiting[wanted.path] = data
        self._waiting_bytes += len(data)
        if len(self._waiting) >= _BATCH_FILES or self._waiting_bytes >= _BATCH_BYTES:
            self._write()

    def _write(self) -> None:
        with self._folder.batch() as batch:
            for path, data in self._waiting.items():
                batch.create(path, data)
        self._waiting = {}
        self._waiting_bytes = 0


def _order_of_record(file_name: str) -> str:
    """Return what orders records as their keys in a pack do: what an alias stands for may be shorter than a hash."""
    about, _, record = file_name.partition("-")
    return about.ljust(HASH_DIGITS, "0") + record
