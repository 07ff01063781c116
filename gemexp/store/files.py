"""A store's folder: reading files in it safely, and making batches of new ones."""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections.abc import Callable, Iterable, Iterator

from gemexp.store import durable
from gemexp.store.batch import Batch, Synced
from gemexp.store.loose import LooseFiles
from gemexp.store.packs import Packs


class Folder:
    """A store's folder: reads files in it, and makes batches of new ones.

    Args:
        root: Where it is. Nothing is created before a batch is committed.

    Attributes:
        loose: The files that are files of their own.
        packs: Those that lie in packs.
        on_commit: Called with the paths that a batch created, before anything of it is acknowledged.
    """

    def __init__(self, root: str) -> None:
        self.root = root
        self._synced = Synced()
        self.loose = LooseFiles(root)
        self.packs = Packs(root)
        self.on_commit: Callable[[Iterable[str]], None] | None = None

    def read(self, path: str, limit: int) -> bytes | None:
        """Return a file's bytes, or None if there is no such file.

        Raises:
            Corrupt: It is a link, a folder or a device, or is larger than ``limit`` bytes.
            StoreUnreadable: The file system refused.
        """
        data = durable.read(self.root, path, limit)
        # Packs come second: what is packed is named in its pack before the loose file goes.
        return self.packs.read(path, limit) if data is None else data

    def exists(self, path: str) -> bool:
        """Tell whether there is an entry of that name."""
        return self.loose.exists(path) or self.packs.exists(path)

    def names(self, path: str) -> list[str]:
        """Return the names in a folder, unsorted; none if there is no such folder.

        Raises:
            StoreUnreadable: The file system refused.
        """
        return _union(self.loose.names(path), self.packs.names(path))

    def each_name(self, path: str) -> Iterator[str]:
        """Yield the names in a folder, unsorted and some twice; see `gemexp.store.tree.Tree`."""
        yield from self.loose.each_name(path)
        yield from self.packs.each_name(path)

    def names_with_prefix(self, path: str, prefix: str) -> list[str]:
        """Return the names in a folder that begin with ``prefix``, unsorted."""
        return _union(self.loose.names_with_prefix(path, prefix), self.packs.names(path, prefix))

    def contents(self, path: str, limit: int) -> Iterator[tuple[str, bytes | None]]:
        """Yield (name, bytes) of the files in a folder; see `gemexp.store.tree.Tree`."""
        seen, unread = set(), set()
        for name, data in self.loose.contents(path, limit):
            if data is None:
                unread.add(name)
            else:
                seen.add(name)
                yield name, data
        if not seen and not unread:
            yield from self.packs.contents(path, limit)
            return
        for name, data in self.packs.contents(path, limit):
            if name not in seen:
                unread.discard(name)
                yield name, data
        yield from ((name, None) for name in unread)

    def memberships(self, config_hash: str) -> Iterator[str]:
        """Yield the paths below ``refs/tags`` that stand for a config; see `gemexp.store.tree.Tree`."""
        while True:
            packs = self.packs.all()
            packed = set(self.packs.memberships(config_hash))
            loose = set(self.loose.memberships(config_hash, packed))
            if self.packs.all() == packs:  # else they may have been packed while we looked
                break
        yield from packed | loose

    def numbers(self, set_folder: str, member: str) -> set[int]:
        """Return the causal lengths of a set's member that there are files of; see `gemexp.store.tree.Tree`."""
        return self.numbers_in([set_folder], member)[set_folder]

    def numbers_in(self, set_folders: Iterable[str], member: str) -> dict[str, set[int]]:
        """Return the same for several sets, by their folders."""
        sought = list(set_folders)
        while True:
            packs = self.packs.all()
            found = {one: self.loose.numbers(one, member, self.packs.numbers(one, member, packs)) for one in sought}
            if self.packs.all() == packs:  # else they may have been packed while we looked
                return found

    def note(self, path: str, data: bytes) -> None:
        """Leave a file below ``local/`` that only saves work: it may be lost, and may not be writable at all."""
        durable.note(self.root, path, data)

    def move(self, path: str, target: str, *, missing_ok: bool = False) -> None:
        """Move a file out of the way, to below ``local/``, or back.

        Args:
            path: The file.
            target: Where to; its folder is made.
            missing_ok: It may have gone in the meantime.

        Raises:
            StoreUnwritable: The file system refused.
        """
        for moved in (path, target):
            durable.require_inside(self.root, moved.rpartition("/")[0])
        try:
            while not self._renamed(path, target):
                if not os.path.lexists(f"{self.root}/{path}"):
                    if missing_ok:
                        return
                    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
            for moved in (target, path):  # first what appears, then what goes
                with contextlib.suppress(FileNotFoundError):  # it was packed already, and its folder removed
                    durable.sync_path(os.path.dirname(f"{self.root}/{moved}"))
        except OSError as error:
            raise durable.unwritable(error, self.root) from None

    def _renamed(self, path: str, target: str) -> bool:
        """Rename a file; tell whether it and the folder to move it to were there."""
        place = os.path.dirname(f"{self.root}/{target}")
        try:
            if not os.path.isdir(place):
                os.makedirs(place, exist_ok=True)
                for _, parent in durable.chain(target):
                    durable.sync_path(f"{self.root}/{parent}")
            os.rename(f"{self.root}/{path}", f"{self.root}/{target}")
        except FileNotFoundError:  # of a packer: it removes folders that are empty
            return False
        return True

    def link(self, path: str, target: str) -> None:
        """Give a file another name, below ``local/``; where links are not supported, that name instead.

        Raises:
            StoreUnwritable: The file system refused.
        """
        durable.require_inside(self.root, target.rpartition("/")[0])
        try:
            os.makedirs(os.path.dirname(f"{self.root}/{target}"), exist_ok=True)
            durable.link(f"{self.root}/{path}", f"{self.root}/{target}")
            durable.sync_path(os.path.dirname(f"{self.root}/{target}"))
        except OSError as error:
            raise durable.unwritable(error, self.root) from None

    def remove(self, paths: Iterable[str]) -> int:
        """Remove files for good, those that a pack holds now, and the folders that are empty then.

        Returns:
            How many were there.

        Raises:
            StoreUnwritable: The file system refused.
        """
        removed = 0
        try:
            folders = set()
            for path in paths:
                folder = path.rpartition("/")[0]
                if folder not in folders:
                    durable.require_inside(self.root, folder)
                    folders.add(folder)
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(f"{self.root}/{path}")
                    removed += 1
            for folder in folders:
                if folder.count("/"):
                    with contextlib.suppress(OSError):  # not empty
                        os.rmdir(f"{self.root}/{folder}")
        except OSError as error:
            raise durable.unwritable(error, self.root) from None
        return removed

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

    def empty(self, path: str, seconds: float, *, ending: str = "") -> int:
        """Remove what has lain in a folder below ``local/`` for so long; return how many files that were.

        Args:
            path: The folder.
            seconds: How long.
            ending: Only what has a name that ends so.

        Raises:
            StoreUnwritable: The file system refused.
        """
        import shutil

        removed = 0
        before = time.time() - seconds
        durable.require_inside(self.root, path)
        try:
            with os.scandir(f"{self.root}/{path}") as entries:
                there = [entry for entry in entries if entry.name.endswith(ending)]
            old = [entry for entry in there if entry.stat(follow_symlinks=False).st_mtime <= before]
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
        return Batch(self.root, self.packs, self._synced, self.on_commit)


def _union(loose: list[str], packed: set[str]) -> list[str]:
    return list(packed.union(loose)) if packed else loose
