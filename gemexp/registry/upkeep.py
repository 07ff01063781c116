"""Keeping a store whole: checking, repairing, and taking over what lies elsewhere."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from gemexp.registering import Registered
from gemexp.registry.opened import OpenedStore
from gemexp.store import location
from gemexp.store.files import Folder

if TYPE_CHECKING:
    from gemexp.store.check import Problem, Repair, Report


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
        from gemexp.store import check

        roots = [location.locate(source).root for source in sources]
        for root in roots:
            location.check(root)
        return check.repair(self._folder, list(problems), [Folder(root) for root in roots])

    def import_sqlite(self, path: str) -> list[tuple[str, Registered]]:
        """Import an old registry's experiments, and keep their old hashes as aliases.

        Returns:
            The old hash of each, and what registering it came to.

        Raises:
            InvalidInput: The file is not such a registry, or a row cannot be used; nothing was written.
        """
        from gemexp import importing

        return importing.import_sqlite(self._folder, path)
