"""Writing packs: many files as one, with one sync instead of one each."""

from __future__ import annotations

import contextlib
import heapq
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import sha256
from itertools import accumulate
from typing import NamedTuple

from gemexp.config import ExperimentConfig, is_config
from gemexp.digest import hash_bytes
from gemexp.errors import Corrupt, InvalidInput, StoreUnreadable, StoreUnwritable
from gemexp.store import durable, kinds, layout, pack_format, pack_index
from gemexp.store.files import Folder
from gemexp.store.pack import Pack

_STEP_BYTES = 1 << 20
_KEPT_AT_ONCE = 1000
_PROGRESS_FILES = 10_000
Entry = tuple[bytes, bytes]


class Packed(NamedTuple):
    """What packing came to.

    Args:
        pack: Hash of the new pack; None if there was nothing to pack.
        files: How many files it holds.
        size: Its bytes.
        loose: How many loose files it replaced.
        packs: How many packs it replaced.
        damaged: How many loose files and packs are damaged, and were left where they are.
        tracked: How many of what it replaced git tracks.
    """

    pack: str | None
    files: int
    size: int
    loose: int = 0
    packs: int = 0
    damaged: int = 0
    tracked: int = 0


class Proof:
    """Whether all configurations and records that went by are valid; those out of a proven pack are known to be."""

    def __init__(self) -> None:
        self.holds = True

    def of(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        """Yield entries, having looked at each."""
        for key, data in entries:
            if self.holds and key[0] in (pack_format.OBJECT, pack_format.RECORD):
                self.holds = _is_valid(key, data)
            yield key, data


def _is_valid(key: bytes, data: bytes) -> bool:
    """Tell whether an entry can be read; objects that are not configurations have other readers."""
    try:
        if key[0] == pack_format.RECORD:
            about, _, record = pack_format.file_name(key).partition("-")
            kinds.read(data, record, about)
        elif is_config(data):
            ExperimentConfig.from_bytes(data)
    except Corrupt:
        return False
    return True


class Run(NamedTuple):
    """Some entries of a pack whose keys begin alike, and which lie there one after the other.

    Args:
        prefix: What all keys begin with: the code of objects or records, or that of a set's folder with its name.
        rests: What follows in each, of one length, sorted.
        contents: The data of each.
    """

    prefix: bytes
    rests: Sequence[bytes]
    contents: Sequence[bytes]


def write(
    folder: Folder,
    entries: Iterable[Entry | Run],
    *,
    created: Iterable[str] = (),
    proof: Proof | None = None,
) -> Packed:
    """Write a pack; when this returns, it is durable.

    Args:
        folder: The store.
        entries: Keys and data, or many at once, sorted by key, each key once.
        created: Paths in it that are new in the store, for the journal; objects may be left out.
        proof: Tells, once all entries were read, whether their configurations are valid.

    Raises:
        StoreUnwritable: The file system refused; nothing of the pack is left.
    """
    builder, digest, size, count = pack_index.Builder(), sha256(), 0, 0
    temporary = f"{folder.root}/{layout.TMP}/{os.getpid()}-{os.urandom(8).hex()}"
    try:
        os.makedirs(os.path.dirname(temporary), exist_ok=True)
        descriptor = os.open(temporary, durable.CREATE_FLAGS, durable.MODE)
        try:
            for step, added in _steps(entries, builder):
                digest.update(step)
                durable.write_all(descriptor, step)
                durable.start_writing_back(descriptor)
                size += len(step)
                count += added
            if count:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        name = digest.hexdigest()
        if count:
            _place(folder, temporary, name)
    except OSError as error:
        raise durable.unwritable(error, folder.root) from None
    finally:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
    if not count:
        return Packed(None, 0, 0)
    index = builder.finish(name, size, proven=proof is not None and proof.holds)
    folder.note(layout.pack_index_path(name), index)
    if folder.on_commit is not None:
        folder.on_commit(created)
    return Packed(name, count, size)


def _steps(entries: Iterable[Entry | Run], builder: pack_index.Builder) -> Iterator[tuple[bytes, int]]:
    """Yield the bytes of a pack in large steps, and how many entries each adds."""
    parts, size, at, added = [pack_format.MAGIC], len(pack_format.MAGIC), 0, 0
    for entry in entries:
        start = at + size
        if isinstance(entry, Run):
            framed = pack_format.frames_alike(*entry)
            *starts, end = accumulate(map(len, framed), initial=start)
            builder.add_alike(entry.prefix, entry.rests, starts, end)
            parts += framed
            added += len(framed)
        else:
            parts.append(pack_format.frame(*entry))
            end = start + len(parts[-1])
            builder.add(entry[0], start, end)
            added += 1
        size = end - at
        if size >= _STEP_BYTES:
            yield b"".join(parts), added
            at, parts, size, added = end, [], 0, 0
    if parts:
        yield b"".join(parts), added


def _place(folder: Folder, temporary: str, name: str) -> None:
    target = f"{folder.root}/{layout.pack_path(name)}"
    parent = os.path.dirname(target)
    os.makedirs(parent, exist_ok=True)
    try:
        durable.link(temporary, target)
    except FileExistsError:  # the same pack, or what damage made of it
        os.replace(temporary, target)
    durable.sync_path(parent)
    durable.sync_path(folder.root)


def pack(folder: Folder, *, keep: Callable[[str], bool], progress: Callable[[int], None] = lambda _: None) -> Packed:
    """Put loose files and smaller packs into one pack, and remove them.

    Everything is checked before it goes into the pack, and the pack before anything is removed. What is damaged stays
    where it is.

    Args:
        folder: The store.
        keep: Tells of a path, of a loose file or a pack, that it must stay where it is, and is not packed.
        progress: Called with the number of files packed so far, now and then.

    Raises:
        StoreUnwritable: The file system refused; nothing was removed that is not in a pack.
    """
    found = [one for one in folder.packs.all() if not keep(one.path)]
    packs = [one for one in found if not one.index.damaged]
    damaged = {one.path for one in found if one.index.damaged}
    if len(packs) < 2 and next(_loose(folder, keep), None) is None:
        return Packed(None, 0, 0, damaged=len(damaged))
    proof = Proof()
    sources = [proof.of(_read_loose(folder, keep, damaged)), *_sources(packs, proof)]
    written = write(folder, _once(heapq.merge(*sources, key=_key_of), progress), proof=proof)
    if written.pack is None:
        return written._replace(damaged=len(damaged))
    new = _verified(folder, written.pack)
    if new is None:
        return written._replace(damaged=len(damaged))
    # One by one, only as long as the pack is there: a collector, or another packer, may replace it any time.
    loose = folder.remove(
        path
        for _, path in _loose(folder, keep)
        if path not in damaged and new.find(path) is not None and folder.loose.exists(new.path)
    )
    replaced = folder.remove(one.path for one in packs if one.name != new.name and folder.loose.exists(new.path))
    _keep(folder, new)
    forget_indexes(folder)
    return written._replace(loose=loose, packs=replaced, damaged=len(damaged))


def repack(folder: Folder, packs: Sequence[Pack], take: Callable[[bytes], bool]) -> Packed:
    """Write one pack of what some packs hold; these stay.

    Args:
        folder: Where to.
        packs: The packs, of this store or another.
        take: Tells of a key whether the pack is to have it.

    Raises:
        StoreUnwritable: The file system refused.
    """
    proof = Proof()
    entries = heapq.merge(*_sources(packs, proof), key=_key_of)
    return write(folder, _once(entry for entry in entries if take(entry[0])), proof=proof)


def replace(folder: Folder, packs: Sequence[Pack], take: Callable[[bytes], bool]) -> bool:
    """Replace packs by one with part of what they hold, which is read back before they go.

    Returns:
        Whether they were replaced; not if another process has put the new pack into one of its own in the meantime,
        perhaps into one of those.

    Raises:
        StoreUnwritable: The file system refused.
        Corrupt: The disk does not hold what was written; nothing was removed.
    """
    written = repack(folder, packs, take)
    new = None if written.pack is None else _verified(folder, written.pack)
    if new is None and written.pack is not None:
        return False
    left = (one.path for one in packs if one.name != written.pack)
    folder.remove(path for path in left if new is None or folder.loose.exists(new.path))
    sync_removal(folder)
    if new is not None:
        _keep(folder, new)
    return True


def sync_removal(folder: Folder) -> None:
    """Have packs that were removed stay so: what a collector took out of them would be back with them."""
    try:
        durable.sync_path(f"{folder.root}/{layout.PACKS}")
    except FileNotFoundError:  # it was the last, and another packer has removed the folder
        pass
    except OSError as error:
        raise durable.unwritable(error, folder.root) from None


def _verified(folder: Folder, name: str) -> Pack | None:
    """Read a pack back from the disk before what it replaces is removed.

    Returns:
        The pack; None if another process has taken what is in it over already.

    Raises:
        Corrupt: It does not hold what was written.
    """
    digest = sha256()
    try:
        with open(f"{folder.root}/{layout.pack_path(name)}", "rb", buffering=0) as file:
            if hasattr(os, "posix_fadvise"):  # not what is in memory
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            while step := file.read(_STEP_BYTES):
                digest.update(step)
        if digest.hexdigest() != name:
            raise Corrupt("does not hold what was written", path=layout.pack_path(name), hint="nothing was removed")
        return Pack.open(folder.root, name)
    except FileNotFoundError:
        return None


def _keep(folder: Folder, new: Pack) -> None:
    """Write back what is in no pack any more, if others have replaced a pack after we relied on it.

    A collector may have taken a config out of it that came alive, and have found it where we were about to remove it.
    Whichever of us looks last repairs.
    """
    if folder.loose.exists(new.path):
        return
    batch, count = folder.batch(), 0
    folder.packs.all()
    for path, data in new.paths():
        if not folder.exists(path):
            batch.create(path, data)
            count += 1
            if not count % _KEPT_AT_ONCE:
                batch.commit()
    batch.commit()


def forget_indexes(folder: Folder) -> None:
    """Remove the derived indexes of packs that are gone; where that fails, they only take room."""
    found = folder.loose.names(layout.PACK_INDEXES)
    there = set(map(layout.parse_pack_name, folder.loose.names(layout.PACKS)))
    with contextlib.suppress(StoreUnwritable):
        folder.remove(f"{layout.PACK_INDEXES}/{name}" for name in found if name.partition(".")[0] not in there)


def _sources(packs: Sequence[Pack], proof: Proof) -> list[Iterator[Entry]]:
    return [one.keyed() if one.index.proven else proof.of(one.keyed()) for one in packs]


def _key_of(entry: Entry) -> bytes:
    return entry[0]


def _loose(folder: Folder, keep: Callable[[str], bool]) -> Iterator[tuple[bytes, str]]:
    """Yield (key, path) of the loose files to pack, in order of key; one folder's names are held at a time.

    Marks of deletion stay loose: their age tells the collector when their time has come.
    """
    for top in (layout.INDEX, layout.OBJECTS):
        for fan_out in sorted(folder.loose.names(top)):
            yield from _packable(folder, f"{top}/{fan_out}", keep)
    yield from _packable(folder, layout.MIGRATED, keep)
    for top in (layout.NAMES, layout.TAGS):
        for name in sorted(folder.loose.names(top), key=lambda name: f"{name}/"):
            yield from _packable(folder, f"{top}/{name}", keep)


def _packable(folder: Folder, path: str, keep: Callable[[str], bool]) -> Iterator[tuple[bytes, str]]:
    found = []
    for name in folder.loose.names(path):
        if not keep(f"{path}/{name}"):
            with contextlib.suppress(InvalidInput):
                found.append((pack_format.to_key(f"{path}/{name}"), name))
    found.sort()
    for key, name in found:
        yield key, f"{path}/{name}"


def _read_loose(folder: Folder, keep: Callable[[str], bool], damaged: set[str]) -> Iterator[Entry]:
    """Yield the loose files that are whole, and note which are not."""
    for key, path in _loose(folder, keep):
        try:
            data = folder.loose.read(path, pack_format.MAX_DATA_BYTES)
        except (Corrupt, StoreUnreadable):
            damaged.add(path)
            continue
        if data is not None and is_whole(key, data):
            yield key, data
        else:
            damaged.add(path)


def is_whole(key: bytes, data: bytes) -> bool:
    """Tell whether an entry holds what its key promises: content of that hash, or nothing."""
    if key[0] == pack_format.OBJECT:
        return hash_bytes(data) == key[1:].hex()
    if key[0] == pack_format.RECORD:
        return hash_bytes(data) == key[33:65].hex()
    if key[0] == pack_format.NAME:
        return hash_bytes(data) == key[pack_format.name_start(key) :].hex()
    return not data


def _once(entries: Iterable[Entry], progress: Callable[[int], None] = lambda _: None) -> Iterator[Entry]:
    """Yield each key once, only entries that are whole."""
    last, count = b"", 0
    for key, data in entries:
        if key != last and is_whole(key, data):
            last = key
            count += 1
            if not count % _PROGRESS_FILES:
                progress(count)
            yield key, data
