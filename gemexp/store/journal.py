"""What each command of a user created, so that ``undo`` can take it back: a line of JSON for each batch of files.

The journal lies in ``local/``: it is never shared, and may be lost. Each user of a copy of the store has one. Lines are
appended in one write each, so that commands that run at once do not mix; a torn line is passed over.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from gemexp.config import now
from gemexp.errors import Corrupt, StoreUnreadable
from gemexp.store import durable, layout

MAX_BYTES: Final = 4 * 1024 * 1024
# What one command may take of it: some fifteen thousand configs with two tags each.
MAX_COMMAND_BYTES: Final = 4 * 1024 * 1024
# A line is appended to what has not reached the limit, and packing a million files names none of them.
_MOST_BYTES: Final = 4 * MAX_BYTES
_FLAGS: Final = os.O_NONBLOCK | os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW


class Entry(NamedTuple):
    """A command that wrote.

    Args:
        id: Names it in the journal.
        command: Its arguments.
        time: When it last wrote, ISO 8601.
        created: The paths that it created, objects left out.
        complete: Whether these are all; false for a command that created more than the journal keeps.
    """

    id: str
    command: tuple[str, ...]
    time: str
    created: frozenset[str]
    complete: bool


class Recorder:
    """Writes down what one command creates; to be a folder's ``on_commit``.

    Args:
        root: The store's folder.
        command: The command's arguments.
    """

    def __init__(self, root: str, command: Sequence[str]) -> None:
        self._root = root
        self._command = list(command)
        self._id = os.urandom(8).hex()
        self._size = 0

    def __call__(self, created: Iterable[str]) -> None:
        """Write down the paths of one batch; a journal that cannot be written fails no command."""
        if self._size > MAX_COMMAND_BYTES:
            return
        kept = []
        for path in created:  # no further than there is room: there may be a million
            if path.startswith(f"{layout.OBJECTS}/"):  # says nothing that the record beside it does not
                continue
            self._size += len(path.rpartition("/")[2]) + 4
            kept.append(path)
            if self._size > MAX_COMMAND_BYTES:
                break
        entry = {"id": self._id, "time": now(), "command": self._command}
        if self._size > MAX_COMMAND_BYTES:
            _append(self._root, {**entry, "complete": False})
        elif paths := _grouped(kept):
            _append(self._root, {**entry, "created": paths})


def mark_undone(root: str, entry: Entry, created: Collection[str] = ()) -> None:
    """Write down that a command was taken back, as far as it could be, and what that created."""
    _append(root, {"undoes": entry.id, "time": now(), "created": _grouped(created)})


def last(root: str) -> tuple[Entry, frozenset[str]] | None:
    """Return this user's last command that was not taken back yet; None if there is none.

    Returns:
        The command, and the paths that later commands created which were taken back, and that taking them back did:
        they cancel each other.
    """
    found: dict[str, tuple[int, Entry]] = {}
    undone: dict[str, tuple[int, frozenset[str]]] = {}
    for number, line in enumerate(_lines(root)):
        if "undoes" in line:
            undone[line["undoes"]] = (number, _expanded(line))
        else:
            entry = _entry(line)
            known = found.pop(entry.id, (number, entry))[1]
            created, complete = known.created | entry.created, known.complete and entry.complete
            found[entry.id] = (number, entry._replace(created=created, complete=complete))  # what wrote last comes last
    left = [(number, entry) for number, entry in found.values() if entry.id not in undone]
    if not left:
        return None
    last_number, last_entry = left[-1]
    later = [entry.created for number, entry in found.values() if number > last_number]
    later += [created for number, created in undone.values() if number > last_number]
    return last_entry, frozenset().union(*later)


def _entry(line: dict[str, Any]) -> Entry:
    return Entry(
        id=line["id"],
        command=tuple(line["command"]),
        time=line["time"],
        created=_expanded(line),
        complete=line.get("complete", True),
    )


def _grouped(paths: Iterable[str]) -> dict[str, list[str]]:
    """Return the names in each folder; the folder of a record is known by its name."""
    found: dict[str, list[str]] = {}
    for path in sorted(paths):
        folder, _, name = path.rpartition("/")
        if folder.startswith(f"{layout.INDEX}/"):
            found.setdefault(layout.INDEX, []).append(name)
        elif not folder.startswith(f"{layout.OBJECTS}/"):
            found.setdefault(folder, []).append(name)
    return found


def _expanded(line: dict[str, Any]) -> frozenset[str]:
    return frozenset(
        f"{folder}/{name[:2]}/{name}" if folder == layout.INDEX else f"{folder}/{name}"
        for folder, names in line.get("created", {}).items()
        for name in names
    )


def _path(root: str) -> str:
    return f"{root}/{layout.JOURNAL}/{os.getuid()}.jsonl"


def _older(path: str) -> str:
    return f"{path}.1"


def _append(root: str, line: dict[str, Any]) -> None:
    from json import dumps

    path = _path(root)
    data = f"{dumps(line, separators=(',', ':'))}\n".encode()
    with contextlib.suppress(OSError, Corrupt):
        durable.require_inside(root, layout.JOURNAL)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        descriptor = os.open(path, _FLAGS, 0o600)
        if not _is_own(descriptor):
            os.close(descriptor)
            os.unlink(path)
            descriptor = os.open(path, _FLAGS | os.O_EXCL, 0o600)
        try:
            size = os.fstat(descriptor).st_size
            if size and os.pread(descriptor, 1, size - 1) != b"\n":
                data = b"\n" + data  # whoever wrote the line before was killed
            os.write(descriptor, data)
            if size > MAX_BYTES and os.path.samestat(os.fstat(descriptor), os.stat(path)):
                os.replace(path, _older(path))
        finally:
            os.close(descriptor)


def _is_own(descriptor: int) -> bool:
    """Tell whether a file is one of its own, and not also somebody's letter, or a pipe."""
    status = os.fstat(descriptor)
    return stat.S_ISREG(status.st_mode) and status.st_nlink == 1


def _lines(root: str) -> Iterator[dict[str, Any]]:
    """Yield the lines that are whole, oldest first."""
    from json import loads

    path = _path(root)
    for name in (_older(path), path):
        try:
            data = durable.read(root, name[len(root) + 1 :], _MOST_BYTES) or b""
        except (Corrupt, StoreUnreadable):
            continue
        for text in data.splitlines():
            with contextlib.suppress(ValueError):
                line = loads(text)
                if _is_whole(line):
                    yield line


def _is_whole(line: Any) -> bool:
    if not isinstance(line, dict) or not isinstance(line.get("time"), str):
        return False
    created = line.get("created", {})
    lists = [*created.values()] if isinstance(created, dict) else [None]
    lists += [] if "undoes" in line else [line.get("command")]
    return isinstance(line.get("undoes", line.get("id")), str) and all(
        isinstance(found, list) and all(isinstance(one, str) for one in found) for found in lists
    )
