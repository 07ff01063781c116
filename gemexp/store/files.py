"""A store's folder: reading files in it safely, and making batches of new ones."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Collection
from typing import Final

from gemexp.store import durable
from gemexp.store.batch import Batch

# A change this soon after another may leave the time of change as it was, on coarse file systems.
_MTIME_DOUBT_NS: Final = 2_000_000_000


class Folder:
    """A store's folder: reads files in it, and makes batches of new ones.

    Args:
        root: Where it is. Nothing is created before a batch is committed.

    Attributes:
        on_commit: Called with the paths that a batch created, before anything of it is acknowledged.
    """

    def __init__(self, root: str) -> None:
        self.root = root
        self._durable: set[str] = set()  # folders whose own entry this process has seen synced
        self._listings: dict[str, tuple[int, str]] = {}
        self.on_commit: Callable[[Collection[str]], None] | None = None

    def read(self, path: str, limit: int) -> bytes | None:
        """Return a file's bytes, or None if there is no such file.

        Raises:
            Corrupt: It is a link, a folder or a device, or is larger than ``limit`` bytes.
            StoreUnreadable: The file system refused.
        """
        return durable.read(self.root, path, limit)

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
            raise durable.unreadable(error, self.root, path) from None

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
            raise durable.unreadable(error, self.root, path) from None
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

    def move(self, path: str, target: str, *, missing_ok: bool = False) -> None:
        """Move a file out of the way, to below ``local/``, or back.

        Args:
            path: The file.
            target: Where to; its folder is made.
            missing_ok: It may have gone in the meantime.

        Raises:
            StoreUnwritable: The file system refused.
        """
        try:
            os.makedirs(os.path.dirname(f"{self.root}/{target}"), exist_ok=True)
            os.rename(f"{self.root}/{path}", f"{self.root}/{target}")
            for folder in (target, path):  # first what appears, then what goes
                durable.sync_path(os.path.dirname(f"{self.root}/{folder}"))
        except OSError as error:
            if not (missing_ok and isinstance(error, FileNotFoundError)):
                raise durable.unwritable(error, self.root) from None

    def size(self, path: str) -> int:
        """Return a file's size in bytes; 0 if it is not there."""
        try:
            return os.lstat(f"{self.root}/{path}").st_size
        except OSError:
            return 0

    def age(self, path: str) -> float:
        """Return the seconds since a file was written; 0 if that is not known.

        A file of several names has the time of the first; then the time counts when it got its latest.
        """
        try:
            status = os.lstat(f"{self.root}/{path}")
        except OSError:
            return 0.0
        return max(0.0, time.time() - (status.st_mtime if status.st_nlink == 1 else status.st_ctime))

    def empty(self, path: str, seconds: float) -> int:
        """Remove what has lain in a folder below ``local/`` for so long; return how many files that were.

        Raises:
            StoreUnwritable: The file system refused.
        """
        import shutil

        removed = 0
        before = time.time() - seconds
        try:
            with os.scandir(f"{self.root}/{path}") as entries:
                old = [entry for entry in entries if entry.stat(follow_symlinks=False).st_mtime <= before]
            for entry in old:
                if entry.is_dir(follow_symlinks=False):
                    removed += sum(len(files) for _, _, files in os.walk(entry.path))
                    shutil.rmtree(entry.path)
                else:
                    os.unlink(entry.path)
                    removed += 1
        except FileNotFoundError:
            return removed
        except OSError as error:
            raise durable.unwritable(error, self.root) from None
        return removed

    def batch(self) -> Batch:
        """Return an empty batch of files to create here."""
        return Batch(self.root, self._durable, self.on_commit)
