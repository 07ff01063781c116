"""Salvaging a damaged pack: what is whole in it as a new pack, what is not out of the way, what was lost by name."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterator, Sequence
from mmap import mmap
from typing import NamedTuple

from gemexp.store import layout, pack, pack_check, pack_format, packing
from gemexp.store.files import Folder
from gemexp.store.pack_check import Fault
from gemexp.store.packing import Entry


class Salvaged(NamedTuple):
    """What salvaging a pack came to.

    Args:
        pack: The pack that holds what was whole; the damaged one's hash if it is made whole again; None if nothing was.
        files: How many files it holds.
        origin: The store that the whole pack was taken from; empty if it was not.
        lost: What is no longer in it; see `gemexp.store.pack_check.lost`.
    """

    pack: str | None
    files: int
    origin: str
    lost: dict[str, int] | None


def salvage(folder: Folder, name: str, bad: Collection[str], sources: Sequence[Folder], quarantine: str) -> Salvaged:
    """Put a pack beside a damaged one, which is given another name in quarantine; `drop` takes it away.

    Args:
        folder: The store.
        name: The damaged pack's hash.
        bad: Paths of entries that are not what they must be, or not where.
        sources: Other stores: one that has the pack itself makes it whole again.
        quarantine: Where to put the damaged one.

    Raises:
        StoreUnwritable: The file system refused; the damaged pack is still there.
        StoreUnreadable: The file system refused.
        Corrupt: It is no regular file.
    """
    path = layout.pack_path(name)
    content = pack.mapped(folder.root, path)
    lost = pack_check.lost(folder.root, name, content)
    folder.link(path, quarantine)
    origin = take(folder, name, sources)
    written = name if origin else None
    files = 0
    if not origin:
        written, files, *_ = packing.write(folder, _whole_entries(content, bad))
    folder.packs.forget(name)
    return Salvaged(written, files, origin, lost)


def take(folder: Folder, name: str, sources: Sequence[Folder]) -> str:
    """Take a whole pack from the first store that has it; return that store's folder, or nothing if none has."""
    for source in sources:
        if pack_check.is_whole(source.root, name):
            written = packing.repack(folder, [pack.Pack.open(source.root, name, cached=False)], lambda _: True)
            folder.packs.forget(name)
            if written.pack == name:
                return source.root
    return ""


def drop(folder: Folder, name: str) -> None:
    """Take a damaged pack away, once all that can be had of it lies elsewhere, so that an interruption loses nothing.

    Raises:
        StoreUnwritable: The file system refused.
    """
    folder.remove([layout.pack_path(name)])
    packing.sync_removal(folder)  # before its index goes, which knows what was lost
    folder.packs.all()  # which forgets it


def _whole_entries(content: bytes | mmap, bad: Collection[str]) -> Iterator[Entry]:
    """Yield what is whole in a pack, in order of keys; also what is not in order there, which readers do not see."""
    start = len(pack_format.MAGIC) if content[: len(pack_format.MAGIC)] == pack_format.MAGIC else 0
    unseen = (fault for fault in pack_check.walk(content) if isinstance(fault, Fault) and fault.entry)
    misplaced = [(pack_format.to_key(fault.entry), fault.start) for fault in unseen]
    frames = (pack_format.read_frame(content, place) for _, place in sorted(misplaced))
    dropped = {pack_format.to_key(path) for path in bad} - {key for key, _ in misplaced}
    sources = (pack_format.entries(content, start, len(content)), (frame for frame in frames if frame is not None))
    last = b""
    for frame in heapq.merge(*sources, key=lambda frame: frame.key):
        data = content[frame.data : frame.end]
        if frame.key != last and frame.key not in dropped and packing.is_whole(frame.key, data):
            last = frame.key
            yield frame.key, data
