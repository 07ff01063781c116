"""The optional index of a store, which makes finding quicker."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from gemexp.registry.opened import OpenedStore

if TYPE_CHECKING:
    from gemexp.index.status import IndexStatus


class Indexing(OpenedStore):
    """The index of an opened store."""

    def build_index(self, progress: Callable[[int], None] = lambda _: None) -> IndexStatus:
        """Build the index anew; from then on, whatever looks for configurations uses it and keeps it up to date.

        Args:
            progress: Called with the number of configurations so far, now and then.

        Raises:
            StoreUnwritable: The file system refused.
            Corrupt: A pack is damaged.
            Conflict: Somebody else builds it just now.
        """
        from gemexp.index import status

        status.build(self._folder, self._database, progress)
        return self.index_status()

    def index_status(self) -> IndexStatus:
        """Tell of the index: whether there is one, and what of it is out of date.

        Raises:
            Corrupt: A pack is damaged.
            Conflict: Somebody writes it just now.
        """
        from gemexp.index import status

        return status.status(self._folder, self._database)

    def drop_index(self) -> bool:
        """Remove the index, which changes no answer; return whether there was one.

        Raises:
            StoreUnwritable: The file system refused.
        """
        from gemexp.index import status

        return status.drop(self._folder, self._database)
