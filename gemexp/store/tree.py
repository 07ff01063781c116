"""What reading a store needs of the place where its files lie: a folder, a commit of git, an index of git."""

from __future__ import annotations

from typing import Protocol


class Tree(Protocol):
    """A store's shared files, by path.

    Whatever only reads a store takes a tree; what writes takes a `gemexp.store.files.Folder`, which is one.
    """

    @property
    def root(self) -> str:
        """What to call it in messages."""

    def read(self, path: str, limit: int) -> bytes | None:
        """Return a file's bytes, or None if there is no such file.

        Raises:
            Corrupt: It is not a regular file, or is larger than ``limit`` bytes.
            StoreUnreadable: It is there, and cannot be read.
        """

    def exists(self, path: str) -> bool:
        """Tell whether there is an entry of that name."""

    def names(self, path: str) -> list[str]:
        """Return the names in a folder, unsorted; none if there is no such folder."""

    def names_with_prefix(self, path: str, prefix: str) -> list[str]:
        """Return the names in a folder that begin with ``prefix``, unsorted."""
