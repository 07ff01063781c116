"""Batches of new files: written, then synced, then named, so that they share the file system's commits.

The order in which names appear is the order in which files were added. There is no lock: a name is fixed by its content
or meaning, so two writers of one name write the same file.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Final, Self

from gemexp.errors import Corrupt
from gemexp.store import durable, layout
from gemexp.store.packs import Packs

_TAGS = f"{layout.TAGS}/"
_FANNED_OUT: Final = (layout.OBJECTS, layout.INDEX)
_ALL_FAN_OUTS_FROM: Final = 16


class Synced:
    """What this process has seen synced: folders' own entries, and packs.

    Packing removes folders, and whoever makes one again may not have synced it yet.
    """

    def __init__(self) -> None:
        self.paths: set[str] = set()
        self._stamp: object = None

    def forget_unless(self, stamp: object) -> None:
        """Forget everything if the packs are others than before."""
        if stamp != self._stamp:
            self.paths.clear()
            self._stamp = stamp


class Batch:
    """Files to be created together: all of them written and synced, or an error and nothing acknowledged.

    Use as a context manager; leaving it without an error commits::

        with folder.batch() as batch:
            batch.create(path, data)

    Attributes:
        created: The paths that the last commit created; what was there already, whole or damaged, is none of them.
    """

    def __init__(
        self, root: str, packs: Packs, synced: Synced, on_commit: Callable[[Iterable[str]], None] | None = None
    ) -> None:
        self._root = root
        self._packs = packs
        self._synced = synced
        self._on_commit = on_commit
        self._wanted: dict[str, bytes] = {}
        self._empty: str | None = None
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
        self.created = set()
        while wanted:
            stamp = self._packs.stamp()
            self._synced.forget_unless(stamp)
            loose = self._leave_packed(wanted)
            again = self._commit(loose) if loose else set()
            # A collector may have taken a file away between our finding it there and the names that keep it alive.
            again.update(path for path in loose if not os.access(f"{self._root}/{path}", os.F_OK))
            if self._packs.stamp() != stamp:  # or a pack; and a packer may have removed files and folders
                again.update(wanted)
            wanted = {path: data for path, data in wanted.items() if path in again}
        self._tell_of_tags()
        if self._on_commit is not None and self.created:
            self._on_commit(self.created)

    def _tell_of_tags(self) -> None:
        """Let those who remember tags see that some were added; see `gemexp.store.tag_map`."""
        if any(path.startswith(_TAGS) for path in self.created):
            with contextlib.suppress(OSError):  # another user's folder: they notice later
                now = time.time_ns()
                os.utime(f"{self._root}/{layout.TAGS}", ns=(now, now))

    def _leave_packed(self, wanted: dict[str, bytes]) -> dict[str, bytes]:
        """Return what no pack holds; packs that hold the rest are synced, since their writers may not have done so."""
        left = {}
        packs = self._packs.all()  # those that come or go meanwhile are seen by `commit`
        if not packs:
            return wanted
        for path, data in wanted.items():
            pack = self._packs.holding(path, data, packs)
            if pack is None:
                left[path] = data
            elif pack.path not in self._synced.paths:
                try:
                    for one in (pack.path, layout.PACKS, "."):
                        durable.sync_path(f"{self._root}/{one}")
                except FileNotFoundError:
                    continue  # `commit` sees that it has gone
                except OSError as error:
                    raise durable.unwritable(error, self._root) from None
                self._synced.paths.add(pack.path)
        return left

    def _commit(self, wanted: dict[str, bytes]) -> set[str]:
        """Create and sync files; return those whose folder went in the meantime."""
        self._empty = None
        staged: dict[str, str] = {}
        made: list[str] = []
        try:
            # Of an empty file creating it tells soon enough.
            missing = {path: data for path, data in wanted.items() if not data or self._is_missing(path, data)}
            self._stage(missing, staged)
            self._make_folders(missing, made)
            for path, data in missing.items():
                self._place(path, data, staged.get(path))
            return self._sync(wanted)
        except OSError as error:
            for folder in reversed(made):
                with contextlib.suppress(OSError):  # not empty: another writer uses it
                    os.rmdir(f"{self._root}/{folder}")
            raise durable.unwritable(error, self._root) from None
        finally:
            for temporary in staged.values():
                with contextlib.suppress(OSError):
                    os.unlink(temporary)

    def _is_missing(self, path: str, data: bytes) -> bool:
        if not os.access(f"{self._root}/{path}", os.F_OK):  # cheaper than failing to open it
            return True
        try:
            return durable.read(self._root, path, len(data)) != data
        except Corrupt:
            return True

    def _stage(self, files: dict[str, bytes], staged: dict[str, str]) -> None:
        """Write the content under temporary names and sync it; empty files have none to write.

        All that can fail for want of room is done here, before the first file gets its name.
        """
        from gemexp.store import syncing  # only where something is written

        descriptors: list[int] = []
        try:
            for path, data in files.items():
                if data:
                    descriptor, temporary = self._create_temporary()
                    descriptors.append(descriptor)
                    staged[path] = temporary
                    durable.write_all(descriptor, data)
                    if len(descriptors) == syncing.MOST_OPEN:
                        syncing.sync_and_close(descriptors)
            syncing.sync_and_close(descriptors)
        finally:
            for descriptor in descriptors:
                os.close(descriptor)

    def _create_temporary(self) -> tuple[int, str]:
        path = f"{self._root}/{layout.TMP}/{os.getpid()}-{os.urandom(8).hex()}"
        try:
            return os.open(path, durable.CREATE_FLAGS, durable.MODE), path
        except FileNotFoundError:  # local/ is not shared, so a fresh clone has none
            os.makedirs(f"{self._root}/{layout.TMP}", exist_ok=True)
            return os.open(path, durable.CREATE_FLAGS, durable.MODE), path

    def _make_folders(self, paths: dict[str, bytes], made: list[str]) -> None:
        there: set[str] = set()
        for folder in dict.fromkeys(path.rpartition("/")[0] for path in paths):
            if not durable.require_inside(self._root, folder, there):
                self._make_folder(folder, made)
        for top in _FANNED_OUT:
            if any(folder.startswith(f"{top}/") for folder in made):
                self._make_fan_outs(f"{self._root}/{top}")

    def _make_fan_outs(self, top: str) -> None:
        """Make all fan-out folders that are missing, unless there are few: a store that has some soon has them all.

        Together they cost what a handful costs if each is made, and synced, with the first file in it.
        """
        with contextlib.suppress(OSError):  # those that are needed are there
            there = set(os.listdir(top))
            if len(there) >= _ALL_FAN_OUTS_FROM:
                for name in {f"{byte:02x}" for byte in range(256)} - there:
                    with contextlib.suppress(FileExistsError):
                        os.mkdir(f"{top}/{name}")

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
        self._synced.paths.discard(folder)

    def _place(self, path: str, data: bytes, temporary: str | None) -> None:
        target = f"{self._root}/{path}"
        try:
            if temporary is None:
                self._place_empty(path)
            else:
                durable.link(temporary, target)
        except FileExistsError:
            if not self._is_missing(path, data):
                return  # another writer was faster
            if temporary is None:
                descriptor, temporary = self._create_temporary()
                os.close(descriptor)
            os.replace(temporary, target)
            return
        except FileNotFoundError:  # another writer's failed batch took its empty folder away
            os.makedirs(os.path.dirname(target), exist_ok=True)
            self._empty = None
            self._place(path, data, temporary)
            return
        self.created.add(path)

    def _place_empty(self, path: str) -> None:
        """Create an empty file: another name of the batch's first one, since a name is all that it adds to the disk.

        Not of an older batch's: another name changes a file's ctime, and git would read all of them again. It has no
        content to sync; its name is synced with its folder.
        """
        target = f"{self._root}/{path}"
        alone = path.startswith(f"{layout.DELETED}/")  # its own time tells the collector how old a mark is
        if self._empty is not None and not alone:
            try:
                os.link(f"{self._root}/{self._empty}", target)
            except OSError as error:
                if error.errno not in durable.NO_LINKS:
                    raise
            else:
                return
        os.close(os.open(target, durable.CREATE_FLAGS, durable.MODE))
        if not alone:
            self._empty = path

    def _sync(self, wanted: dict[str, bytes]) -> set[str]:
        """Sync what is not yet known to be durable: files that were there already, and folders.

        Returns:
            The files whose folder has gone, with them or before they came back.
        """
        from gemexp.store import syncing

        needed: dict[str, set[str]] = {}  # what each file needs to have synced
        entered: dict[str, str] = {}  # folders, and where their own entries are
        found = [path for path in wanted if path not in self.created]  # their writers may not have synced them yet
        for path in wanted:
            above = {child: parent for child, parent in durable.chain(path) if child not in self._synced.paths}
            entered |= above
            needed[path] = {path.rpartition("/")[0], *above.values()}
        folders = set().union(*needed.values())
        for top in folders.intersection(_FANNED_OUT):  # syncing it is enough for all that are in it now
            with contextlib.suppress(FileNotFoundError):  # told of below
                entered |= {f"{top}/{name}": top for name in os.listdir(f"{self._root}/{top}")}
        missing = syncing.sync_paths([f"{self._root}/{path}" for path in (*found, *sorted(folders))])
        gone = {path[len(self._root) + 1 :] for path in missing}  # files: a collector took them, `commit` sees that
        self._synced.paths.update(child for child, parent in entered.items() if parent not in gone)
        return {path for path, folders in needed.items() if not gone.isdisjoint(folders)}
