"""Checking packs: whether each is what its name promises, and where it is not."""

from __future__ import annotations

import contextlib
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from mmap import mmap
from typing import NamedTuple

from gemexp.errors import Corrupt, StoreUnreadable
from gemexp.store import layout, pack, pack_format
from gemexp.store.pack_format import Frame
from gemexp.store.pack_index import PackIndex


class Fault(NamedTuple):
    """A place in a pack that is not as it must be.

    Args:
        start: Where it begins.
        end: Where it ends.
        message: What is wrong.
        entry: The path of the entry that is there; empty if none is.
    """

    start: int
    end: int
    message: str
    entry: str = ""


def walk(content: bytes | mmap) -> Iterator[Frame | Fault]:
    """Yield what a pack holds, in order: entries that readers see, and what is not as it must be."""
    magic = content[: len(pack_format.MAGIC)]
    at = len(pack_format.MAGIC) if magic == pack_format.MAGIC else 0
    last = b""
    for found in pack_format.frames(content, at, len(content)):
        if found.start != at:
            yield _hole(at, found.start)
        at = found.end
        if not pack_format.is_key(found.key):
            yield Fault(found.start, found.end, f"holds an entry at byte {found.start} that is no file of a store")
        elif found.key <= last:
            path = pack_format.to_path(found.key)
            yield Fault(found.start, found.end, "is there twice, or not in order: no reader sees it", path)
        else:
            last = found.key
            yield found
    if at != len(content):
        yield _hole(at, len(content))


def _hole(start: int, end: int) -> Fault:
    return Fault(start, end, f"holds nothing that is whole from byte {start} to {end}")


def faults(root: str, name: str) -> Iterator[Fault]:
    """Yield what is wrong with a pack as a whole; what its entries hold is not looked at.

    Raises:
        FileNotFoundError: There is none.
        Corrupt: It is no regular file.
        StoreUnreadable: The file system refused.
    """
    content = pack.mapped(root, layout.pack_path(name))
    if content[: len(pack_format.MAGIC)] != pack_format.MAGIC:
        yield Fault(0, 0, "is not a pack: it does not begin as one")
    elif pack.digest(content) != name:
        yield Fault(0, 0, "is damaged: its content has another hash")
    for found in walk(content):
        if isinstance(found, Fault):
            yield found


def index_lies(root: str, name: str) -> bool:
    """Tell whether readers would believe an index of a whole pack that is not what the pack says."""
    try:
        data = memoryview(pack.mapped(root, layout.pack_index_path(name)))
        content = pack.mapped(root, layout.pack_path(name))
        PackIndex(data, name, len(content)).check()
    except (OSError, Corrupt, StoreUnreadable, ValueError):
        return False  # there is none, or one that nobody believes
    return data != pack.build_index(name, content)


def lost(root: str, name: str, content: bytes | mmap) -> dict[str, int] | None:
    """Tell what a pack held that is not whole in it any more; None if no index from before is there to know it.

    Returns:
        How the paths begin, and how many entries in the whole pack began so.
    """
    if pack.digest(content) == name:
        return {}
    index = _known_index(root, name)
    if index is None:
        return None
    there = array("Q", (found.start for found in walk(content) if isinstance(found, Frame)))
    found = {path: 0 for path, place in index.paths() if bisect_left(there, place) == bisect_right(there, place)}
    for path, _ in index.paths():
        if path in found:
            found[path] += 1
    return found


def _known_index(root: str, name: str) -> PackIndex | None:
    """Return the index that was made when the pack was whole, whatever size it was."""
    with contextlib.suppress(OSError, Corrupt, StoreUnreadable, ValueError):
        index = PackIndex(memoryview(pack.mapped(root, layout.pack_index_path(name))), name)
        index.check()
        return index
    return None
