"""Where configurations come from, and taking back what was done last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gemexp.registry.opened import OpenedStore

if TYPE_CHECKING:
    from gemexp.query.lineage import Entry
    from gemexp.undoing import Undone


class History(OpenedStore):
    """Lineage of an opened store, and its journal."""

    def log(self, rev: str | None = None, *, descendants: bool = False, limit: int | None = None) -> list[Entry]:
        """Return configurations with what they were made from, newest first, each before those it was made from.

        Args:
            rev: Only this one and what it was made from; all if not given.
            descendants: With ``rev``, what was made from it too.
            limit: At most so many.
        """
        from gemexp.query import lineage

        start = None if rev is None else self.resolve(rev)
        return lineage.log(self._folder, start, descendants=descendants, limit=limit)

    def keep_journal(self, command: Sequence[str]) -> None:
        """Write down from now on what is created, as one command that `undo` can take back.

        Args:
            command: What to call it: a program's arguments.
        """
        from gemexp.store.journal import Recorder

        self._folder.on_commit = Recorder(self._folder.root, command)

    def undo(self, *, dry_run: bool = False) -> Undone:
        """Take back the last command in this user's journal that was not taken back yet.

        Nothing is removed: what reverses it is added. What somebody changed since is left as it is.

        Args:
            dry_run: Tell what would be done, and write nothing.

        Raises:
            NotFound: There is none.
            InvalidInput: It created more than the journal keeps.
            StoreUnwritable: The file system refused.
        """
        from gemexp import undoing

        return undoing.undo(self._folder, dry_run=dry_run)
