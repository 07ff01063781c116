"""Which folders of a store have changed since the index looked at them: told by their times, without listing them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from sqlite3 import Connection
from time import time_ns
from typing import Final, NamedTuple

from gemexp.store import layout

# A change this soon after another may leave a folder's times as they were, on coarse file systems.
_DOUBT_NS: Final = 2_000_000_000

Stamp = tuple[int, int, int]  # time of change, time of change of the entry itself, number
_GONE: Final[Stamp] = (0, 0, 0)
_DOUBTFUL: Final[Stamp] = (-1, 0, 0)

# Folders of folders, which come and go; their members have to be watched one by one.
PARENTS: Final = (layout.OBJECTS, layout.INDEX, layout.TAGS)
ALWAYS: Final = (*PARENTS, layout.DELETED, layout.MIGRATED)


class Changed(NamedTuple):
    """What has to be looked at again.

    Args:
        fan_outs: Folders of objects and records, by their two digits.
        sets: Folders of tags, and of deletions.
        migrated: The folder of migrations.
        stamps: What to remember of each folder that changed.
    """

    fan_outs: set[str]
    sets: set[str]
    migrated: bool
    stamps: dict[str, Stamp]

    def __bool__(self) -> bool:
        return bool(self.stamps)


class Watch:
    """The folders that an index has looked at, and when.

    Args:
        root: The store's folder.
        known: Their stamps then, by path.
    """

    def __init__(self, root: str, known: dict[str, Stamp]) -> None:
        self._root = root
        self._known = dict.fromkeys(ALWAYS, _GONE) | known

    @classmethod
    def load(cls, root: str, connection: Connection) -> Watch:
        """Return what an index has noted."""
        rows = connection.execute("SELECT path, modified, changed, inode FROM folders")
        return cls(root, {path: (modified, changed, inode) for path, modified, changed, inode in rows})

    def is_current(self) -> bool:
        """Tell whether no folder has changed."""
        return next(self._stale(), None) is None

    def stale(self) -> list[str]:
        """Return the folders that have changed, or may have, sorted."""
        return sorted(path for path, _ in self._stale())

    def changed(self) -> Changed:
        """Return what has changed, also what is new."""
        stale = dict(self._stale())
        for parent in PARENTS:
            if parent in stale:
                for path in _children(self._root, parent):
                    if path not in self._known:
                        stale[path] = _stamp(self._root, path)
        now = time_ns()
        fan_outs = {path[-2:] for path in stale if path.startswith((f"{layout.OBJECTS}/", f"{layout.INDEX}/"))}
        sets = {path for path in stale if path.startswith(f"{layout.TAGS}/") or path == layout.DELETED}
        settled = {path: stamp if now - max(stamp[:2]) > _DOUBT_NS else _DOUBTFUL for path, stamp in stale.items()}
        return Changed(fan_outs, sets, layout.MIGRATED in stale, settled)

    def note(self, connection: Connection, stamps: dict[str, Stamp]) -> None:
        """Remember stamps, as far as they are others."""
        for path, stamp in stamps.items():
            if self._known.get(path) == stamp:
                continue
            self._known[path] = stamp
            if stamp == _GONE:
                connection.execute("DELETE FROM folders WHERE path = ?", (path,))
                if path not in ALWAYS:
                    del self._known[path]
            else:
                connection.execute("INSERT OR REPLACE INTO folders VALUES (?, ?, ?, ?)", (path, *stamp))

    def _stale(self) -> Iterator[tuple[str, Stamp]]:
        stat, prefix = os.stat, f"{self._root}/"
        for path, known in self._known.items():
            try:
                status = stat(prefix + path)
            except (FileNotFoundError, NotADirectoryError):
                now = _GONE
            else:
                now = (status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
            if now != known:
                yield path, now


def _stamp(root: str, path: str) -> Stamp:
    try:
        status = os.stat(f"{root}/{path}")
    except (FileNotFoundError, NotADirectoryError):
        return _GONE
    return (status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


def _children(root: str, parent: str) -> Iterable[str]:
    try:
        names = os.listdir(f"{root}/{parent}")
    except (FileNotFoundError, NotADirectoryError):
        return
    for name in names:
        is_one = layout.unescape_name(name) is not None if parent == layout.TAGS else layout.parse_fan_out(name)
        if is_one:
            yield f"{parent}/{name}"
