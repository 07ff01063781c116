"""The optional SQLite index: it makes finding quicker, and changes no answer.

`Finders` chooses whether the index is asked or the store's files. Nothing here is imported before there is an index.
"""

from __future__ import annotations

import os

from gemexp.query.finder import Finder, Scanner
from gemexp.store import layout
from gemexp.store.files import Folder


class Finders:
    """Chooses what finds configs in a store.

    Args:
        folder: The store.
        database: The file that was named for its index, if one was.
    """

    def __init__(self, folder: Folder, database: str | None) -> None:
        self._folder = folder
        self._database = database
        self._scanner = Scanner(folder)
        self._indexed: Finder | None = None

    def get(self) -> Finder:
        """Return the one that is quickest: by the index if there is one."""
        if self._indexed is None and self._may_be_there():
            from gemexp.index.answers import Indexed
            from gemexp.index.opened import Index

            self._indexed = Indexed(self._folder, Index(self._folder, self._database))
        return self._indexed or self._scanner

    def _may_be_there(self) -> bool:
        local = f"{self._folder.root}/{layout.SQLITE_INDEX}"
        return os.path.exists(local) or (self._database is not None and os.path.exists(self._database))


def is_index(path: str) -> bool:
    """Tell whether a file is an index, of whatever version and store."""
    from gemexp.index import file

    return file.is_index(path)
