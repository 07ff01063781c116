"""Creating immutable files atomically and durably, and reading them safely.

A `Batch` writes all its files, then syncs, so that they share the file system's commits; the order in which names
appear is the order in which files were added to it. There is no lock: a name is fixed by its content or meaning, so
two writers of one name write the same file.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Final, Self

from gemexp.errors import Corrupt, StoreUnreadable, StoreUnwritable
from gemexp.store import layout

_NO_LINKS: Final = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV}
_HINTS: Final = {
    errno.EACCES: "the store is not writable for you",
    errno.EPERM: "the store is not writable for you",
    errno.EROFS: "the file system is mounted read-only",
    errno.ENOSPC: "the disk is full; make room and run the command again",
    errno.EFBIG: "a file may not become that large here; see ulimit -f",
    errno.EDQUOT: "your disk quota is used up; make room and run the command again",
    errno.EMFILE: "too many files are open; raise the limit with ulimit -n",
}
_READ_FLAGS: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_CREATE_FLAGS: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
_MODE: Final = 0o444
# A change this soon after another may leave the time of change as it was, on coarse file systems.
_MTIME_DOUBT_NS: Final = 2_000_000_000


class Folder:
    """A store's folder: reads files in it, and makes batches of new ones.

    Args:
        root: Where it is. Nothing is created before a batch is committed.
    """

    def __init__(self, root: str) -> None:
        self.root = root
        self._durable: set[str] = set()  # folders whose own entry this process has seen synced
        self._listings: dict[str, tuple[int, str]] = {}

    def read(self, path: str, limit: int) -> bytes | None:
        """Return a file's bytes, or None if there is no such file.

        Raises:
            Corrupt: It is a link, a folder or a device, or is larger than ``limit`` bytes.
            StoreUnreadable: The file system refused.
        """
        try:
            descriptor = os.open(f"{self.root}/{path}", _READ_FLAGS)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise Corrupt("is a symbolic link", path=path) from None
            raise _unreadable(error, self.root, path) from None
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise Corrupt("is not a regular file", path=path)
            if status.st_size > limit:
                raise Corrupt(f"is larger than {limit} bytes", path=path)
            return os.read(descriptor, status.st_size + 1)
        except OSError as error:
            raise _unreadable(error, self.root, path) from None
        finally:
            os.close(descriptor)

    def exists(self, path: str) -> bool:
        """Tell whether there is an entry of that name."""
        return os.access(f"{self.root}/{path}", os.F_OK)  # half the price of a stat that fails

    def names(self, path: str) -> list[str]:
        """Return the names in a folder, unsorted; none if there is no such folder.

        Raises:
            StoreUnreadable: The file system refused.
        """
        try:
            return os.listdir(f"{self.root}/{path}")
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise _unreadable(error, self.root, path) from None

    def names_with_prefix(self, path: str, prefix: str) -> list[str]:
        """Return the names in a folder that begin with ``prefix``, unsorted.

        Listings are remembered until the folder's time of change moves, as one string each: searching that costs a
        hundredth of listing the folder again, and holding it half of what a list would take.
        """
        listing = self._listing(path)
        if not prefix:
            return listing.split("\n")[1:-1]
        found = []
        start = listing.find(f"\n{prefix}")
        while start >= 0:
            end = listing.index("\n", start + 1)
            found.append(listing[start + 1 : end])
            start = listing.find(f"\n{prefix}", end)
        return found

    def _listing(self, path: str) -> str:
        full_path = f"{self.root}/{path}"
        try:
            changed = os.stat(full_path).st_mtime_ns
            remembered = self._listings.get(path)
            if remembered is not None and remembered[0] == changed:
                return remembered[1]
            began = time.time_ns()
            listing = "\n" + "".join(f"{name}\n" for name in os.listdir(full_path) if "\n" not in name)
        except (FileNotFoundError, NotADirectoryError):
            return "\n"
        except OSError as error:
            raise _unreadable(error, self.root, path) from None
        if began - changed > _MTIME_DOUBT_NS:
            self._listings[path] = (changed, listing)
        return listing

    def note(self, path: str, data: bytes) -> None:
        """Leave a file below ``local/`` that only saves work: it may be lost, and may not be writable at all."""
        with contextlib.suppress(OSError):
            os.makedirs(os.path.dirname(f"{self.root}/{path}"), exist_ok=True)
            temporary = f"{self.root}/{path}.{os.getpid()}"
            with open(temporary, "wb") as file:
                file.write(data)
            os.replace(temporary, f"{self.root}/{path}")

    def move(self, path: str, target: str) -> None:
        """Move a bad file out of the way, to below ``local/``.

        Raises:
            StoreUnwritable: The file system refused.
        """
        try:
            os.makedirs(os.path.dirname(f"{self.root}/{target}"), exist_ok=True)
            os.rename(f"{self.root}/{path}", f"{self.root}/{target}")
            _sync_path(os.path.dirname(f"{self.root}/{path}"))
        except OSError as error:
            raise _unwritable(error, self.root) from None

    def batch(self) -> Batch:
        """Return an empty batch of files to create here."""
        return Batch(self.root, self._durable)


class Batch:
    """Files to be created together: all of them written and synced, or an error and nothing acknowledged.

    Use as a context manager; leaving it without an error commits::

        with folder.batch() as batch:
            batch.create(path, data)
    """

    def __init__(self, root: str, durable: set[str]) -> None:
        self._root = root
        self._durable = durable
        self._wanted: dict[str, bytes] = {}
        self.created: set[str] = set()

    def create(self, path: str, data: bytes) -> None:
        """Have the file ``path`` hold ``data``, and be durable, once the batch is committed."""
        self._wanted[path] = data

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None:
            self.commit()

    def commit(self) -> None:
        """Create what is missing, in order, then sync files and folders, in order.

        A file that is there already is left alone but synced, since its writer may not have done so yet; one that
        holds other bytes is damaged and is replaced.

        Raises:
            StoreUnwritable: The file system refused; what was written so far is unnamed and removed, or complete
                under its name and harmless.
        """
        wanted, self._wanted = self._wanted, {}
        staged: dict[str, str] = {}
        made: list[str] = []
        try:
            missing = {path: data for path, data in wanted.items() if self._is_missing(path, data)}
            self._stage(missing, staged)
            self._make_folders(missing, made)
            for path, data in missing.items():
                self._place(path, data, staged.get(path))
            self._sync(wanted)
        except OSError as error:
            for folder in reversed(made):
                with contextlib.suppress(OSError):  # not empty: another writer uses it
                    os.rmdir(f"{self._root}/{folder}")
            raise _unwritable(error, self._root) from None
        finally:
            for temporary in staged.values():
                with contextlib.suppress(OSError):
                    os.unlink(temporary)

    def _is_missing(self, path: str, data: bytes) -> bool:
        try:
            return Folder(self._root).read(path, len(data)) != data
        except Corrupt:
            return True

    def _stage(self, files: dict[str, bytes], staged: dict[str, str]) -> None:
        """Write the content under temporary names and sync it; empty files have none to write.

        All that can fail for want of room is done here, before the first file gets its name.
        """
        if not all(files.values()):
            _ensure_empty(f"{self._root}/{layout.EMPTY}")
        descriptors: list[int] = []
        try:
            for path, data in files.items():
                if data:
                    descriptor, temporary = self._create_temporary()
                    descriptors.append(descriptor)
                    staged[path] = temporary
                    _write_all(descriptor, data)
                    if len(descriptors) == 128:
                        _sync_and_close(descriptors)
            _sync_and_close(descriptors)
        finally:
            for descriptor in descriptors:
                os.close(descriptor)

    def _create_temporary(self) -> tuple[int, str]:
        path = f"{self._root}/{layout.TMP}/{os.getpid()}-{os.urandom(8).hex()}"
        try:
            return os.open(path, _CREATE_FLAGS, _MODE), path
        except FileNotFoundError:  # local/ is not shared, so a fresh clone has none
            os.makedirs(f"{self._root}/{layout.TMP}", exist_ok=True)
            return os.open(path, _CREATE_FLAGS, _MODE), path

    def _make_folders(self, paths: dict[str, bytes], made: list[str]) -> None:
        for folder in dict.fromkeys(path.rpartition("/")[0] for path in paths):
            self._make_folder(folder, made)

    def _make_folder(self, folder: str, made: list[str]) -> None:
        try:
            os.mkdir(f"{self._root}/{folder}")
        except FileExistsError:
            return
        except FileNotFoundError:
            if not folder:
                raise
            self._make_folder(folder.rpartition("/")[0], made)
            self._make_folder(folder, made)
            return
        made.append(folder)
        self._durable.discard(folder)

    def _place(self, path: str, data: bytes, temporary: str | None) -> None:
        target = f"{self._root}/{path}"
        try:
            if temporary is None:
                self._place_empty(target)
            else:
                _link(temporary, target)
        except FileExistsError:
            if not self._is_missing(path, data):
                return  # another writer was faster
            if temporary is None:
                descriptor, temporary = self._create_temporary()
                os.close(descriptor)
            os.replace(temporary, target)
        except FileNotFoundError:  # another writer's failed batch took its empty folder away
            os.makedirs(os.path.dirname(target), exist_ok=True)
            _ensure_empty(f"{self._root}/{layout.EMPTY}")
            self._place(path, data, temporary)
            return
        self.created.add(path)

    def _place_empty(self, target: str) -> None:
        """Create an empty file as a link to one that is durable already: a name is all that it adds to the disk."""
        source = f"{self._root}/{layout.EMPTY}"
        try:
            os.link(source, target)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            if error.errno == errno.EMLINK:  # 65,000 links on ext4: the next batch begins another one
                with contextlib.suppress(OSError):
                    os.unlink(source)
            _create_empty(target)

    def _sync(self, wanted: dict[str, bytes]) -> None:
        """Sync what is not yet known to be durable, file by file and folder by folder, in order."""
        synced: set[str] = set()
        for path in wanted:
            if path not in self.created:  # found there: its writer may not have synced it yet
                _sync_path(f"{self._root}/{path}")
            folder = path.rpartition("/")[0]
            if folder not in synced:
                synced.add(folder)
                _sync_path(f"{self._root}/{folder}")
            for parent in _parents(path):
                if parent not in self._durable:
                    _sync_path(f"{self._root}/{parent.rpartition('/')[0]}")
                    self._durable.add(parent)


def _parents(path: str) -> Iterator[str]:
    """Yield the folders above a path, innermost first, the store's own left out."""
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def _ensure_empty(path: str) -> None:
    try:
        status = os.lstat(path)
        if stat.S_ISREG(status.st_mode) and status.st_size == 0:
            return
        os.unlink(path)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), exist_ok=True)
    with contextlib.suppress(FileExistsError):
        _create_empty(path)


def _create_empty(path: str) -> None:
    descriptor = os.open(path, _CREATE_FLAGS, _MODE)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
    if hasattr(os, "posix_fadvise"):
        # Starts writing back at once, so that the files of a batch share one commit instead of waiting in turn.
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)


def _sync_and_close(descriptors: list[int]) -> None:
    while descriptors:
        try:
            os.fsync(descriptors[0])
        finally:
            os.close(descriptors.pop(0))


def _sync_path(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), target) from None
        os.rename(source, target)


def _unreadable(error: OSError, root: str, path: str) -> StoreUnreadable:
    reason = (error.strerror or str(error)).lower()
    hint = "the store is not readable for you" if error.errno in (errno.EACCES, errno.EPERM) else None
    return StoreUnreadable(f"cannot read '{path}' in the store '{root}': {reason}", path=path, hint=hint)


def _unwritable(error: OSError, root: str) -> StoreUnwritable:
    path = str(error.filename or root)
    reason = (error.strerror or str(error)).lower()
    hint = _HINTS.get(error.errno or 0)
    return StoreUnwritable(f"cannot write to the store '{root}': {reason}", path=path, errno=error.errno, hint=hint)
