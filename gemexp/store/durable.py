"""Single steps of writing files so that they are whole and stay: exclusive, synced, linked into place."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from functools import partial
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
SYNCS_AT_ONCE = 8
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


def require_inside(root: str, folder: str) -> None:
    """Accept a folder of a store that no symbolic link leads to, or that is not there yet.

    A store may come from anyone, and what is reached through a link lies elsewhere. What writes looks each time.

    Raises:
        Corrupt: It is a link, or lies below one.
    """
    while folder:
        if os.path.islink(f"{root}/{folder}"):
            raise Corrupt(LINKED, path=folder, hint=LINK_HINT)
        folder = folder.rpartition("/")[0]


def is_inside(root: str, folder: str) -> bool:
    """Tell the same; what reads looks once, since a link that is put there later is somebody's here."""
    place = f"{root}/{folder}"
    if place not in _INSIDE:
        try:
            require_inside(root, folder)
        except Corrupt:
            return False
        if os.path.isdir(place):
            _INSIDE.add(place)
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
    if hasattr(os, "posix_fadvise"):
        # Starts writing back at once, so that the files of a batch share one commit instead of waiting in turn.
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)


def sync_and_close(descriptors: list[int]) -> None:
    """Sync and close files, all at once, emptying the list."""
    try:
        for error in _together([partial(os.fsync, descriptor) for descriptor in descriptors]):
            if error is not None:
                raise error
    finally:
        while descriptors:
            os.close(descriptors.pop(0))


def sync_paths(paths: Sequence[str]) -> list[str]:
    """Sync files and folders, all at once; return those that are not there.

    Raises:
        OSError: One could not be synced.
    """
    errors = _together([partial(sync_path, path) for path in paths])
    for error in errors:
        if error is not None and not isinstance(error, FileNotFoundError):
            raise error
    return [path for path, error in zip(paths, errors, strict=True) if error is not None]


def _together(calls: Sequence[Callable[[], None]]) -> list[Exception | None]:
    """Make calls that wait for the disk, some at once, so that they share the file system's commits.

    Returns:
        The error that each came to.
    """
    errors: list[Exception | None] = [OSError(errno.EIO, "was not synced")] * len(calls)
    left = iter(range(len(calls)))

    def work() -> None:
        for number in left:
            try:
                calls[number]()
                errors[number] = None
            except Exception as error:  # noqa: BLE001 - whoever called us raises it
                errors[number] = error

    helpers = []
    if len(calls) > 1 < SYNCS_AT_ONCE:
        from threading import Thread

        helpers = [Thread(target=work, daemon=True) for _ in range(min(len(calls), SYNCS_AT_ONCE) - 1)]
    for helper in helpers:
        with contextlib.suppress(RuntimeError):  # there are too many: what is left is done here
            helper.start()
    work()
    for helper in helpers:
        if helper.ident is not None:
            helper.join()
    return errors


def sync_path(path: str) -> None:
    """Sync a file or folder that is there."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


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
