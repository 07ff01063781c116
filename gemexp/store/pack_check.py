"""Checking packs: whether each is what its name promises, and where it is not."""

from __future__ import annotations

import contextlib
import os
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from mmap import mmap
from typing import NamedTuple

from gemexp.errors import Corrupt, StoreUnreadable
from gemexp.store import layout, pack_format
from gemexp.store.pack import Pack, digest, mapped
from gemexp.store.pack_format import Frame
from gemexp.store.pack_index import Builder, PackIndex


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


class Examined(NamedTuple):
    """What a look at a whole pack found; what its entries hold was not looked at.

    Args:
        pack: The pack, with an index made anew; None if readers take it for none.
        faults: What is wrong with it.
        index_lies: Whether readers would believe an index of it that is not what the pack says.
        index_damaged: Whether there is an index of it that nobody believes.
    """

    pack: Pack | None
    faults: list[Fault]
    index_lies: bool
    index_damaged: bool = False


def examine(root: str, name: str) -> Examined:
    """Read a pack.

    Raises:
        FileNotFoundError: There is none.
        Corrupt: It is no regular file.
        StoreUnreadable: The file system refused.
    """
    content = mapped(root, layout.pack_path(name))
    is_pack = content[: len(pack_format.MAGIC)] == pack_format.MAGIC
    whole = digest(content) == name
    builder, faults = Builder(), []
    if not is_pack:
        faults.append(Fault(0, 0, "is not a pack: it does not begin as one"))
    elif not whole:
        faults.append(Fault(0, 0, "is damaged: its content has another hash"))
    for found in walk(content):
        if isinstance(found, Fault):
            faults.append(found)
        else:
            builder.add(found.key, found.start, found.end)
    if not is_pack:
        return Examined(None, faults, index_lies=False)
    index = builder.finish(name, len(content), damaged=not whole)
    known = _believed(root, name, len(content)) if whole else None
    # That all entries are proven is not looked at here: whoever checks a store reads each of them.
    lies = known is not None and known[0] != builder.finish(name, len(content), proven=known[1])
    pack = Pack(name, content, PackIndex(index, name))
    return Examined(pack, faults, lies, index_damaged=known is None and _is_there(root, name))


def is_whole(root: str, name: str) -> bool:
    """Tell whether there is a pack in a store, and nothing is wrong with it."""
    try:
        return not examine(root, name).faults
    except (FileNotFoundError, Corrupt, StoreUnreadable):
        return False


def _believed(root: str, name: str, size: int) -> tuple[memoryview, bool] | None:
    """Return the index in ``local/`` that readers would believe, and whether it is proven; None if there is none."""
    try:
        data = memoryview(mapped(root, layout.pack_index_path(name)))
        index = PackIndex(data, name, size)
        index.check()
    except (OSError, Corrupt, StoreUnreadable, ValueError):
        return None
    return data, index.proven


def _is_there(root: str, name: str) -> bool:
    return os.path.lexists(f"{root}/{layout.pack_index_path(name)}")


def lost(root: str, name: str, content: bytes | mmap) -> dict[str, int] | None:
    """Tell what a pack held that is not whole in it any more; None if no index from before is there to know it.

    Returns:
        How the paths begin, and how many entries in the whole pack began so.
    """
    if digest(content) == name:
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
        index = PackIndex(memoryview(mapped(root, layout.pack_index_path(name))), name)
        index.check()
        list(index.paths())  # a lie may be none that can be read
        return index
    return None
