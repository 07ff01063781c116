"""Whether somebody else is at work on a store, by what there is below ``local/`` meanwhile."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from itertools import chain, takewhile

from gemexp.store import durable, layout
from gemexp.store.files import Folder

_WAITS = (0, 0.01, 0.1)  # seconds
_WAITS_FOR_OTHERS = (0.3, 1, 2)
# What a collector that is done calls its trash: nothing in it has come alive.
FINISHED = ".done"
TAKEN = "a collector that was interrupted took it"


def rounds(folder: Folder) -> Iterator[None]:
    """Yield whenever it is time to look again for what seems to be missing in a store.

    It was written, or moved into a pack, while one looked. A collector that has seen a mark that is gone by now has it
    back within moments, or whoever took the mark away has, which takes longer where many are at work.
    """
    for wait in chain(_WAITS, takewhile(lambda _: others(folder), _WAITS_FOR_OTHERS)):
        time.sleep(wait)
        yield


def others(folder: Folder) -> bool:
    """Tell whether another process of this machine is writing to a store, or collecting.

    Temporaries and trash are named after the process that makes them; those of one that was killed mean nothing.
    """
    processes = {name.partition("-")[0] for name in folder.loose.names(layout.TMP)}
    # The last part is another one where a collector is done.
    processes |= {name.rpartition("-")[2] for name in folder.loose.names(layout.TRASH)}
    return any(_runs(int(one)) for one in processes if one.isdecimal() and len(one) < 10 and int(one) != os.getpid())


def unfinished(folder: Folder) -> list[str]:
    """Return the trash of collectors that are not done: the next one puts back what is needed of it."""
    return [f"{layout.TRASH}/{name}" for name in folder.loose.names(layout.TRASH) if not name.endswith(FINISHED)]


def open_unfinished(folder: Folder) -> list[Folder]:
    """Open that trash as stores, to read in it; links are passed over."""
    inside = (path for path in unfinished(folder) if durable.is_inside(folder.root, path))
    return [Folder(f"{folder.root}/{path}") for path in inside]


def trashed(folder: Folder, trash: str) -> Folder:
    """Open a part of the trash as a store.

    Raises:
        Corrupt: It is a link, or lies below one.
    """
    durable.require_inside(folder.root, trash)
    return Folder(f"{folder.root}/{trash}")


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # another user's
        return True
    return True
