"""What reading a store needs of the place where its files lie: a folder, a commit of git, an index of git."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from gemexp.errors import Corrupt, StoreUnreadable
from gemexp.store import layout


class Tree(Protocol):
    """A store's shared files, by path.

    Whatever only reads a store takes a tree; what writes takes a `gemexp.store.files.Folder`, which is one.
    """

    root: str  # what to call it in messages

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

    def each_name(self, path: str) -> Iterator[str]:
        """Yield the names in a folder, unsorted and some twice, but without holding all at once where that can be."""
        yield from self.names(path)

    def names_with_prefix(self, path: str, prefix: str) -> list[str]:
        """Return the names in a folder that begin with ``prefix``, unsorted."""

    def contents(self, path: str, limit: int) -> Iterator[tuple[str, bytes | None]]:
        """Yield (name, bytes) of the files in a folder, in no order; None for the bytes of one that cannot be read so.

        In ``objects`` and ``index`` that is a fan-out folder. Cheaper than reading them one by one, where that can be.
        """
        for name in self.names(path):
            try:
                yield name, self.read(f"{path}/{name}", limit)
            except (Corrupt, StoreUnreadable):
                yield name, None

    def memberships(self, config_hash: str) -> Iterator[str]:
        """Yield the paths below ``refs/tags`` whose names begin with a config's hash."""
        for tag in self.names_with_prefix(layout.TAGS, ""):
            folder = f"{layout.TAGS}/{tag}"
            yield from (f"{folder}/{name}" for name in self.names_with_prefix(folder, config_hash))

    def numbers(self, set_folder: str, member: str) -> set[int]:
        """Return the causal lengths of a set's member that there are files of, up to where too many are missing."""
        found: set[int] = set()
        number = 1
        while number - max(found, default=0) <= layout.WIDEST_GAP:
            if self.exists(layout.member_path(set_folder, member, number)):
                found.add(number)
            number += 1
        return found
