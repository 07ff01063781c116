"""Keeping a store whole: checking, repairing, and taking over what lies elsewhere."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from gemexp.errors import EngineFailed
from gemexp.registering import Registered
from gemexp.registry.opened import OpenedStore
from gemexp.store import location

if TYPE_CHECKING:
    from gemexp.merging import Merge
    from gemexp.store.check import Problem, Report
    from gemexp.store.gc import Collected
    from gemexp.store.packing import Packed
    from gemexp.store.repair import Repair


class Upkeep(OpenedStore):
    """Upkeep of an opened store."""

    def check(self) -> Report:
        """Read every file of the store, and report what is not as it must be."""
        from gemexp.store import check

        return check.check(self._folder)

    def repair(self, problems: Iterable[Problem], sources: Iterable[str] = ()) -> list[Repair]:
        """Move bad files to quarantine, and put good copies in their place where they can be had.

        Args:
            problems: What `check` reported.
            sources: Other stores to take copies from.

        Raises:
            NoStore: A source is none.
            StoreUnwritable: The file system refused.
        """
        from gemexp.store import repair
        from gemexp.store.merge import Source

        roots = [location.locate(source).root for source in sources]
        for root in roots:
            location.check(root)
        return repair.repair(self._folder, list(problems), [Source(root) for root in roots])

    def merge(self, source: str, *, dry_run: bool = False) -> Merge:
        """Take over what another store has and this one lacks; what is taken is checked before.

        Args:
            source: A folder, or a revision of git; see `gemexp.origins.find`.
            dry_run: Tell what would come in, and take nothing.

        Raises:
            NotFound: It is not there.
            NoStore, UnsupportedFormat, Corrupt: It is no store that can be read.
            StoreUnwritable: The file system refused.
        """
        return next(self.merge_all([source], dry_run=dry_run))

    def merge_all(self, sources: Iterable[str], *, dry_run: bool = False) -> Iterator[Merge]:
        """Merge stores one after the other, as `merge` does; all are found before the first is merged."""
        from gemexp import merging

        return merging.merge_all(self._folder, sources, dry_run=dry_run)

    def import_sqlite(self, path: str) -> list[tuple[str, Registered]]:
        """Import an old registry's experiments, and keep their old hashes as aliases.

        Returns:
            The old hash of each, and what registering it came to.

        Raises:
            InvalidInput: The file is not such a registry, or a row cannot be used; nothing was written.
        """
        from gemexp import importing

        return importing.import_sqlite(self._folder, path)

    def collect(self, *, grace: float | None = None, tracked: bool = False, dry_run: bool = False) -> Collected:
        """Take deleted configurations out of the store, into the trash, and what has lain there long enough out of it.

        Args:
            grace: Seconds that a deletion must be old, and that files stay in the trash; two weeks if not given.
            tracked: Take files that git tracks too; git then sees them as removed.
            dry_run: Tell what would be taken, and take nothing.

        Raises:
            EngineFailed: git refused to say which files it tracks.
            StoreUnwritable: The file system refused.
        """
        from gemexp.store import gc

        seconds = gc.GRACE_SECONDS if grace is None else grace
        if not tracked:
            return gc.collect(self._folder, grace=seconds, tracked=self._tracked(), dry_run=dry_run)
        before = self._tracked_and_there()
        collected = gc.collect(self._folder, grace=seconds, dry_run=dry_run)
        return collected._replace(tracked=self._gone(before))

    def pack(self, *, everything: bool = False, progress: Callable[[int], None] = lambda _: None) -> Packed:
        """Put loose files, and smaller packs, into one pack; what git tracks stays as it is.

        Args:
            everything: Files that git tracks too; git then sees them as removed, and the pack as new.
            progress: Called with the number of files packed so far, now and then.

        Raises:
            EngineFailed: git refused to say which files it tracks.
            StoreUnwritable: The file system refused; nothing was lost.
        """
        from gemexp.store import packing

        if not everything:
            return packing.pack(self._folder, keep=self._tracked().__contains__, progress=progress)
        before = self._tracked_and_there()
        packed = packing.pack(self._folder, keep=lambda _: False, progress=progress)
        return packed._replace(tracked=self._gone(before))

    def _tracked_and_there(self) -> list[str]:
        """Return the files that git tracks, as far as it can be asked."""
        try:
            return [path for path in self._tracked() if self._folder.loose.exists(path)]
        except EngineFailed:
            return []

    def _gone(self, paths: Iterable[str]) -> int:
        return sum(not self._folder.loose.exists(path) for path in paths)

    def _tracked(self) -> frozenset[str]:
        """Return the paths in the store that git tracks; none outside a work tree."""
        if not _in_git(self.root):  # where git need not even be installed
            return frozenset()
        from gemexp.git import Repository

        repository = Repository.find(self.root)
        prefix = None if repository is None or repository.bare else repository.prefix(self.root)
        if repository is None or prefix is None:
            return frozenset()
        return frozenset(repository.tracked(prefix))


def _in_git(folder: str) -> bool:
    """Tell whether git would find a repository upwards of a folder."""
    folder = os.path.realpath(folder)
    while not os.path.lexists(os.path.join(folder, ".git")):
        parent = os.path.dirname(folder)
        if parent == folder:
            return False
        folder = parent
    return True
