"""Writing packs: many files as one, with one sync instead of one each."""

from __future__ import annotations

import contextlib
import heapq
import os
from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from typing import NamedTuple

from gemexp.digest import hash_bytes
from gemexp.errors import Corrupt, InvalidInput
from gemexp.store import durable, layout, pack_format, pack_index
from gemexp.store.files import Folder

_STEP_BYTES = 1 << 20
# Keys of loose files are sorted in memory; what they hold is read one by one.
Entry = tuple[bytes, bytes]


class Packed(NamedTuple):
    """What packing came to.

    Args:
        pack: Hash of the new pack; None if there was nothing to pack.
        files: How many files it holds.
        size: Its bytes.
        removed: How many loose files and packs it replaced.
    """

    pack: str | None
    files: int
    size: int
    removed: int


def write(folder: Folder, entries: Iterable[Entry]) -> Packed:
    """Write a pack; when this returns, it is durable.

    Args:
        folder: The store.
        entries: Keys and data, sorted by key, each key once.

    Raises:
        StoreUnwritable: The file system refused; nothing of the pack is left.
    """
    builder, digest, size, count = pack_index.Builder(), sha256(), 0, 0
    temporary = f"{folder.root}/{layout.TMP}/{os.getpid()}-{os.urandom(8).hex()}"
    try:
        os.makedirs(os.path.dirname(temporary), exist_ok=True)
        descriptor = os.open(temporary, durable.CREATE_FLAGS, durable.MODE)
        try:
            with open(descriptor, "wb", buffering=0, closefd=False) as file:
                for step, added in _steps(entries, builder):
                    digest.update(step)
                    file.write(step)
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
        return Packed(None, 0, 0, 0)
    folder.note(layout.pack_index_path(name), builder.finish(name, size, damaged=False))
    if folder.on_commit is not None:
        folder.on_commit([layout.pack_path(name)])
    return Packed(name, count, size, 0)


def _steps(entries: Iterable[Entry], builder: pack_index.Builder) -> Iterator[tuple[bytes, int]]:
    """Yield the bytes of a pack in large steps, and how many entries each adds."""
    parts, size, at, added = [pack_format.MAGIC], len(pack_format.MAGIC), 0, 0
    for key, data in entries:
        framed = pack_format.frame(key, data)
        start = at + size
        size += len(framed)
        builder.add(key, start, at + size)
        parts.append(framed)
        added += 1
        if size >= _STEP_BYTES:
            yield b"".join(parts), added
            at, parts, size, added = at + size, [], 0, 0
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
    loose = sorted((pack_format.to_key(path), path) for path in _loose_paths(folder) if not keep(path))
    packs = [one for one in folder.packs.all() if not keep(one.path) and not one.index.damaged]
    if len(packs) < 2 and not loose:
        return Packed(None, 0, 0, 0)
    taken: list[str] = []
    sources = [_read_loose(folder, loose, taken), *(one.keyed() for one in packs)]
    written = write(folder, _once(heapq.merge(*sources, key=lambda entry: entry[0]), progress))
    if written.pack is None:
        return written
    _verify(folder, written.pack)
    removed = [*taken, *(one.path for one in packs if one.name != written.pack)]
    folder.remove(removed)
    return written._replace(removed=len(removed))


def _loose_paths(folder: Folder) -> Iterator[str]:
    """Yield the paths of the loose files that a pack can hold."""
    for top in (layout.OBJECTS, layout.INDEX):
        for fan_out in folder.loose.names(top):
            yield from _packable(folder, f"{top}/{fan_out}")
    # Marks of deletion stay loose: their age tells the collector when their time has come.
    yield from _packable(folder, layout.MIGRATED)
    for top in (layout.TAGS, layout.NAMES):
        for name in folder.loose.names(top):
            yield from _packable(folder, f"{top}/{name}")


def _packable(folder: Folder, path: str) -> Iterator[str]:
    for name in folder.loose.names(path):
        with contextlib.suppress(InvalidInput):
            pack_format.to_key(f"{path}/{name}")
            yield f"{path}/{name}"


def _read_loose(folder: Folder, paths: list[tuple[bytes, str]], taken: list[str]) -> Iterator[Entry]:
    """Yield the loose files that are whole, and note which they are."""
    for key, path in paths:
        try:
            data = folder.loose.read(path, pack_format.MAX_DATA_BYTES)
        except Corrupt:
            continue
        if data is not None and is_whole(key, data):
            taken.append(path)
            yield key, data


def is_whole(key: bytes, data: bytes) -> bool:
    """Tell whether an entry holds what its key promises: content of that hash, or nothing."""
    if key[0] == pack_format.OBJECT:
        return hash_bytes(data) == key[1:].hex()
    if key[0] == pack_format.RECORD:
        return hash_bytes(data) == key[33:65].hex()
    if key[0] == pack_format.NAME:
        return hash_bytes(data) == key[pack_format.name_start(key) :].hex()
    return not data


def _once(entries: Iterable[Entry], progress: Callable[[int], None]) -> Iterator[Entry]:
    """Yield each key once, only entries that are whole."""
    last, count = b"", 0
    for key, data in entries:
        if key != last and is_whole(key, data):
            last = key
            count += 1
            if not count % 10_000:
                progress(count)
            yield key, data


def _verify(folder: Folder, name: str) -> None:
    """Read a pack back from the disk before what it replaces is removed.

    Raises:
        Corrupt: It does not hold what was written.
    """
    digest = sha256()
    with open(f"{folder.root}/{layout.pack_path(name)}", "rb") as file:
        while step := file.read(_STEP_BYTES):
            digest.update(step)
    if digest.hexdigest() != name:
        raise Corrupt("does not hold what was written", path=layout.pack_path(name), hint="nothing was removed")
