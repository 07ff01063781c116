"""The file of the SQLite index: where it lies, and whether what is in it can be believed.

SQLite does not notice when a bit of a value flips. So whoever writes the index seals it: the file's time of change is
set to a moment long ago that is drawn at random, and noted inside. Any other write, by whoever, gives the file the time
of that write, and the seal is broken. Noted are the number of the file and that of the store's folder as well, so that
a copy, or the index of another store, is none.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
from collections.abc import Iterator
from sqlite3 import Connection
from typing import Final

from gemexp.index import schema
from gemexp.rollback import names_another
from gemexp.store import durable, layout

_MOST_STEPS: Final = 100_000
_SAFELY: Final = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
# Whoever waits longer is quicker without the index.
_BUSY_SECONDS: Final = 0.5
_CACHE_KIB: Final = 32 * 1024
# File systems keep even seconds at least, and all of these: from 1980 to 2005.
_FIRST_SEAL: Final = 315_532_800
_SEALS: Final = 400_000_000
# It cannot be used now, which says nothing of what is in it.
_PASSING: Final = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_READONLY,
}


class Unfit(Exception):
    """The index cannot be believed, or not be brought up to date: it has to be built anew."""


class Unusable(Exception):
    """There is no index to be had now: somebody writes it, or may not be written by us."""


def place(root: str, database: str | None) -> str:
    """Return where a store's index lies: in the file that was named for it, unless that holds something else."""
    if database is not None and (not os.path.lexists(database) or is_index(database)):
        return database
    return f"{root}/{layout.SQLITE_INDEX}"


def is_index(path: str) -> bool:
    """Tell whether a file is an index, of whatever version and store."""
    if not os.path.isfile(path):
        return False
    try:
        # Somebody's own database gets no file beside it from our looking at it.
        with contextlib.closing(_connect(path, "ro&immutable=1")) as connection:
            (found,) = connection.execute("PRAGMA application_id").fetchone()
    except sqlite3.Error:
        return False
    return bool(found == schema.APPLICATION_ID)


def is_replaceable(root: str, path: str) -> bool:
    """Tell whether there is nothing at a path that somebody else may need."""
    return path == f"{root}/{layout.SQLITE_INDEX}" or not os.path.lexists(path) or is_index(path)


def connect(path: str) -> Connection:
    """Open an index that is there; whether it is one is told by `begin`."""
    with translated():
        _refuse_planted(path)
        connection = _connect(path, "rw")
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA cell_size_check = ON")
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        return connection


def _refuse_planted(path: str) -> None:
    """Accept a file that SQLite may open for writing.

    A journal beside it is played back then, and one that names another file would have that deleted. None of ours does.

    Raises:
        Unfit: Somebody put such a journal there; it is gone now.
        Unusable: It is no regular file.
    """
    if not stat.S_ISREG(os.lstat(path).st_mode):
        raise Unusable
    journal = f"{path}-journal"
    if os.path.lexists(journal) and (os.path.islink(journal) or names_another(journal)):
        os.unlink(journal)
        raise Unfit


def create(path: str) -> Connection:
    """Make a new file to be filled; it is not safe against anything before `finish`."""
    os.close(os.open(path, durable.CREATE_FLAGS, 0o644))
    connection = _connect(path, "rw")
    for pragma in ("journal_mode = OFF", "synchronous = OFF", "locking_mode = EXCLUSIVE", "cache_size = -65536"):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
    return connection


def finish(connection: Connection, path: str, root: str, target: str) -> None:
    """Seal a new file that is filled, and move it into place."""
    seal = _new_seal()
    facts = {"version": schema.VERSION, "file": str(os.stat(path).st_ino), "store": _number(root), "seal": seal}
    connection.executemany("INSERT INTO facts VALUES (?, ?)", facts.items())
    connection.execute("COMMIT")
    connection.close()
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    _set_time(path, seal)
    os.replace(path, target)


def begin(connection: Connection, path: str, root: str) -> int:
    """Begin to read, and make sure that this is the sealed index of the store; return its seal.

    Raises:
        Unfit: It is not.
        Unusable: Somebody else has it.
    """
    with translated():
        connection.execute("BEGIN")
    return _check(connection, path, root)


def _check(connection: Connection, path: str, root: str) -> int:
    with translated():
        # Until it is known to be ours, it may hold anything, such as a view that never ends.
        connection.set_progress_handler(lambda: True, _MOST_STEPS)
        try:
            facts = dict(connection.execute("SELECT name, value FROM facts"))
        finally:
            connection.set_progress_handler(None, 0)
        # From here on nobody else can commit to the file, so that its time belongs to what is in it.
        status = os.stat(path)
        expected = {"version": schema.VERSION, "file": str(status.st_ino), "store": _number(root)}
    seal = facts.pop("seal", None)
    if facts != expected or not isinstance(seal, int) or seal * 1_000_000_000 != status.st_mtime_ns:
        raise Unfit
    return seal


@contextlib.contextmanager
def writing(connection: Connection, path: str, root: str) -> Iterator[None]:
    """Write to an index, all or nothing; it is sealed anew if anything changed.

    Raises:
        Unfit: It cannot be believed.
        Unusable: Somebody else has it, or it is not ours to write.
    """
    with translated():
        if os.stat(path).st_uid != os.geteuid():
            raise Unusable  # setting its time is left to its owner
        # What is locked so stays locked after the commit, until the file is sealed.
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        try:
            connection.execute("BEGIN IMMEDIATE")
            _check(connection, path, root)
            before = connection.total_changes
            yield
            seal = _new_seal() if connection.total_changes > before else None
            if seal is not None:
                connection.execute("UPDATE facts SET value = ? WHERE name = 'seal'", (seal,))
            connection.execute("COMMIT")
            if seal is not None:
                _set_time(path, seal)
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            with contextlib.suppress(sqlite3.Error):
                connection.execute("PRAGMA locking_mode = NORMAL")
                connection.execute("SELECT value FROM facts").fetchone()  # lets go of the lock


def drop(root: str, path: str) -> bool:
    """Remove an index; return whether there was one.

    Raises:
        Unusable: The file system refused.
    """
    if not os.path.lexists(path) or not is_replaceable(root, path):
        return False
    try:
        os.unlink(path)
        for left in (f"{path}-journal", f"{root}/{layout.SQLITE_INDEX}.lock"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(left)
    except OSError as error:
        raise Unusable from error
    return True


def break_seal(path: str, error: Unfit) -> None:
    """Have an index built anew when it is opened next, if an error says that it is damaged."""
    code = getattr(error.__cause__, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        with contextlib.suppress(OSError):
            os.utime(path)


def require_writable(path: str) -> None:
    """Accept a file that can be replaced.

    Raises:
        Unusable: Its folder is not ours to write.
    """
    if not os.access(os.path.dirname(path), os.W_OK | os.X_OK):
        raise Unusable


@contextlib.contextmanager
def alone(root: str, *, waiting: bool = False) -> Iterator[None]:
    """Make sure that nobody else builds the store's index: it takes all cores for a while.

    Args:
        root: The store's folder.
        waiting: Wait until whoever does is done.

    Raises:
        Unusable: Somebody does.
    """
    import fcntl

    try:
        os.makedirs(f"{root}/{layout.LOCAL}", exist_ok=True)
        descriptor = os.open(f"{root}/{layout.SQLITE_INDEX}.lock", os.O_RDWR | os.O_CREAT | _SAFELY, 0o644)
    except OSError as error:
        raise Unusable from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if waiting else fcntl.LOCK_NB))
        except OSError as error:
            raise Unusable from error
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Turn SQLite's and the system's errors into ours."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
        raise (Unusable if code & 0xFF in _PASSING else Unfit) from error
    except OSError as error:
        raise Unusable from error


def _connect(path: str, mode: str) -> Connection:
    address = path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    return sqlite3.connect(
        f"file:{address}?mode={mode}",
        uri=True,
        timeout=_BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
        factory=_Connection,
    )


def _number(root: str) -> str:
    return str(os.stat(root).st_ino)


def _new_seal() -> int:
    return _FIRST_SEAL + 2 * (int.from_bytes(os.urandom(8)) % _SEALS)


def _set_time(path: str, seal: int) -> None:
    os.utime(path, ns=(os.stat(path).st_atime_ns, seal * 1_000_000_000))


class _Connection(sqlite3.Connection):
    """A connection that is closed with the last registry that uses it."""

    def __del__(self) -> None:
        with contextlib.suppress(sqlite3.ProgrammingError):  # it was never opened
            self.close()
