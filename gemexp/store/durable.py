"""Single steps of writing files so that they are whole and stay: exclusive, synced, linked into place."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from typing import Final

from gemexp.errors import Corrupt, StoreUnreadable, StoreUnwritable

NO_LINKS: Final = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV}
HINTS: Final = {
    errno.EACCES: "the store is not writable for you",
    errno.EPERM: "the store is not writable for you",
    errno.EROFS: "the file system is mounted read-only",
    errno.ENOSPC: "the disk is full; make room and run the command again",
    errno.EFBIG: "a file may not become that large here; see ulimit -f",
    errno.EDQUOT: "your disk quota is used up; make room and run the command again",
    errno.EIO: "the disk or its cable is failing; copy the store elsewhere, and look at the system's log",
    errno.EMFILE: "too many files are open; raise the limit with ulimit -n",
    errno.ENFILE: "too many files are open on this machine; try again later",
}
_REFUSED: Final = {errno.EACCES, errno.EPERM}
READ_FLAGS: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
FOLDER_FLAGS: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_DIRECTORY
CREATE_FLAGS: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
MODE: Final = 0o444
LINKED: Final = "is a symbolic link, which a store never holds"
LINK_HINT: Final = "remove the link: nothing of a store lies elsewhere"
_INSIDE: Final[set[str]] = set()


def read(root: str, path: str, limit: int) -> bytes | None:
    """Return a file's bytes, or None if there is no such file; links are not followed.

    Raises:
        Corrupt: It is a link, a folder or a device, or is larger than ``limit`` bytes.
        StoreUnreadable: The file system refused.
    """
    try:
        descriptor = open_to_read(root, path)
    except FileNotFoundError:
        return None
    try:
        status = os.fstat(descriptor)
        if status.st_size > limit:
            raise Corrupt(f"is larger than {limit} bytes", path=path)
        return os.read(descriptor, status.st_size + 1)
    except OSError as error:
        raise unreadable(error, root, path) from None
    finally:
        os.close(descriptor)


def read_in(folder: int, name: str, limit: int) -> bytes | None:
    """Return the bytes of a file in an open folder; None if it is no regular file, too large, or cannot be read."""
    try:
        descriptor = os.open(name, READ_FLAGS, dir_fd=folder)
    except OSError:
        return None
    try:
        status = os.fstat(descriptor)
        if status.st_size > limit or not stat.S_ISREG(status.st_mode):
            return None
        return os.read(descriptor, status.st_size + 1)
    except OSError:
        return None
    finally:
        os.close(descriptor)


def require_inside(root: str, folder: str, there: set[str] | None = None) -> bool:
    """Accept a folder of a store that no symbolic link leads to, or that is not there yet.

    A store may come from anyone, and what is reached through a link lies elsewhere. What writes looks each time.

    Args:
        root: The store's folder.
        folder: The path in it.
        there: Folders that a caller with many has seen accepted just now; those that are there are added.

    Returns:
        Whether it is there.

    Raises:
        Corrupt: It is a link, or lies below one.
    """
    seen = set[str]() if there is None else there
    above = folder
    while above and above not in seen:
        try:
            mode = os.lstat(f"{root}/{above}").st_mode
        except (OSError, ValueError):
            mode = 0
        if stat.S_ISLNK(mode):
            raise Corrupt(LINKED, path=above, hint=LINK_HINT)
        if stat.S_ISDIR(mode):
            seen.add(above)
        above = above.rpartition("/")[0]
    return folder in seen


def is_inside(root: str, folder: str) -> bool:
    """Tell the same; what reads looks once, since a link that is put there later is somebody's here."""
    place = f"{root}/{folder}"
    if place not in _INSIDE:
        try:
            if require_inside(root, folder):
                _INSIDE.add(place)
        except Corrupt:
            return False
    return True


def open_to_read(root: str, path: str) -> int:
    """Open a regular file, without following links; return its descriptor.

    Raises:
        FileNotFoundError: There is none.
        Corrupt: It is a link, a folder or a device.
        StoreUnreadable: The file system refused.
    """
    folder = path.rpartition("/")[0]
    if f"{root}/{folder}" not in _INSIDE and not is_inside(root, folder):
        raise Corrupt("lies behind a symbolic link, which a store never holds", path=path, hint=LINK_HINT)
    try:
        descriptor = os.open(f"{root}/{path}", READ_FLAGS)
    except FileNotFoundError:
        raise
    except NotADirectoryError as error:
        raise FileNotFoundError(*error.args) from None
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise Corrupt("is a symbolic link", path=path) from None
        raise unreadable(error, root, path) from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise Corrupt("is not a regular file", path=path)
    return descriptor


def note(root: str, path: str, data: bytes) -> None:
    """Leave a file below ``local/`` that only saves work: it may be lost, and may not be writable at all."""
    temporary = f"{root}/{path}.{os.urandom(8).hex()}"
    with contextlib.suppress(OSError, Corrupt):
        require_inside(root, path.rpartition("/")[0])
        os.makedirs(os.path.dirname(temporary), exist_ok=True)
        descriptor = os.open(temporary, CREATE_FLAGS, MODE)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
            os.replace(temporary, f"{root}/{path}")
        except OSError:
            os.unlink(temporary)
            raise


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of ``data``."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def start_writing_back(descriptor: int) -> None:
    """Have what was written go to the disk while other work is done, so that syncing it takes less."""
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)


def sync_path(path: str) -> None:
    """Sync a file or folder that is there."""
    descriptor = open_to_sync(path)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def open_to_sync(path: str) -> int:
    """Open a file or folder that is there; return its descriptor."""
    return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)


def chain(path: str) -> Iterator[tuple[str, str]]:
    """Yield (folder, its parent) for each folder above a path, innermost first; the last parent is ``""``."""
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path, path.rpartition("/")[0]


def link(source: str, target: str) -> None:
    """Give a file another name, or where links are not supported, that name instead; FileExistsError if it is taken."""
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), target) from None
        os.rename(source, target)


def hint_for(number: int | None) -> str | None:
    """Return what to do about an error of the system that need not be a store's."""
    return "look at whose it is, and at its mode" if number in _REFUSED else HINTS.get(number or 0)


def unreadable(error: OSError, root: str, path: str) -> StoreUnreadable:
    """Tell that the file system refused a read."""
    reason = (error.strerror or str(error)).lower()
    hint = "the store is not readable for you" if error.errno in _REFUSED else hint_for(error.errno)
    return StoreUnreadable(f"cannot read '{path}' in the store '{root}': {reason}", path=path, hint=hint)


def unwritable(error: OSError, root: str) -> StoreUnwritable:
    """Tell that the file system refused a write."""
    path = str(error.filename or root)
    reason = (error.strerror or str(error)).lower()
    hint = HINTS.get(error.errno or 0)
    return StoreUnwritable(f"cannot write to the store '{root}': {reason}", path=path, errno=error.errno, hint=hint)
