"""What there is to tell of an index, without touching it; and making or dropping one on request."""

from __future__ import annotations

import contextlib
import os
from typing import NamedTuple

from gemexp.errors import Conflict, GemexpError
from gemexp.index import building, file
from gemexp.index.opened import Snapshot
from gemexp.index.schema import SHOWN
from gemexp.store import durable, layout
from gemexp.store.files import Folder


class IndexStatus(NamedTuple):
    """What there is to tell of an index.

    Args:
        path: Where it lies, or would.
        exists: There is one.
        usable: It is whole, of this version and of this store; if not, it is built anew when something is looked for.
        size: Its bytes.
        configs: How many configurations it lists.
        stale: Folders and packs that are looked at when something is looked for next.
    """

    path: str
    exists: bool
    usable: bool = False
    size: int = 0
    configs: int = 0
    stale: tuple[str, ...] = ()


def status(folder: Folder, database: str | None) -> IndexStatus:
    """Tell of a store's index.

    Raises:
        Corrupt: A pack is damaged.
        Conflict: Somebody writes it just now.
    """
    path = file.place(folder.root, database)
    if not os.path.lexists(path):
        return IndexStatus(path, exists=False)
    size = os.lstat(path).st_size
    try:
        with contextlib.closing(file.connect(path)) as connection:
            file.begin(connection, path, folder.root)
            with file.translated():
                snapshot = Snapshot(connection, folder)
                # The condition is that of an index.
                statement = f"SELECT count(*) FROM configs WHERE state = {SHOWN}"  # noqa: S608
                (count,) = connection.execute(statement).fetchone()
            known = snapshot.pack_names
            packs = {layout.pack_path(name) for name in known ^ building.require_sound_packs(folder)}
            return IndexStatus(path, True, True, size, count, (*snapshot.watch.stale(), *sorted(packs)))
    except file.Unfit:
        return IndexStatus(path, exists=True, size=size)
    except file.Unusable as error:
        raise _busy(path, error) from None


def build(folder: Folder, database: str | None, progress: building.Progress = lambda _: None) -> None:
    """Build a store's index, whether there is one or not.

    Raises:
        StoreUnwritable: The file system refused.
        Corrupt: A pack is damaged.
        Conflict: There is something else at its place by now.
    """
    path = file.place(folder.root, database)
    try:
        os.makedirs(f"{folder.root}/{layout.LOCAL}", exist_ok=True)
        with file.alone(folder.root, waiting=True):
            building.build(folder, path, progress)
    except OSError as error:
        raise durable.unwritable(error, folder.root) from None
    except file.Unusable as error:
        raise _busy(path, error) from None


def drop(folder: Folder, database: str | None) -> bool:
    """Remove a store's index; return whether there was one.

    Raises:
        StoreUnwritable: The file system refused.
    """
    path = file.place(folder.root, database)
    try:
        return file.drop(folder.root, path)
    except file.Unusable as error:
        raise _busy(path, error) from None


def _busy(path: str, error: file.Unusable) -> GemexpError:
    cause = error.__cause__
    if isinstance(cause, OSError) and not isinstance(cause, BlockingIOError):
        return durable.unwritable(cause, os.path.dirname(path))
    return Conflict(f"'{path}' is being written by somebody else", hint="try again when that is done")
