"""A tree of git whose packs are read in the work tree: a pack is named by its content, so that it is the same there."""

from __future__ import annotations

from gemexp.store import layout
from gemexp.store.files import Folder
from gemexp.store.pack import Pack
from gemexp.store.tree import Tree


class TrackedPacks(Tree):
    """A tree whose packs are read as if what they hold were files of their own.

    Args:
        tree: The files; its packs are files like any other.
        folder: The store in the work tree, of which nothing but these packs counts.

    Attributes:
        unread: Packs that are not in the work tree, so that nobody knows what they hold.
    """

    def __init__(self, tree: Tree, folder: Folder) -> None:
        self.root = tree.root
        self._tree = tree
        self._packs: list[Pack] = []
        wanted = set(filter(None, map(layout.parse_pack_name, tree.names(layout.PACKS))))
        if wanted:
            folder.packs.warns = False  # of packs that are not meant, too
            self._packs = [pack for pack in folder.packs.all() if pack.name in wanted]
        self.unread = wanted - {pack.name for pack in self._packs}

    def packed(self, path: str) -> bytes | None:
        """Return the bytes that a pack has of a path; None if none has it."""
        for pack in self._packs:
            frame = pack.find(path)
            if frame is not None:
                return pack.data(frame)
        return None

    def read(self, path: str, limit: int) -> bytes | None:
        """Return a file's bytes, or None if there is no such file; see `gemexp.store.tree.Tree`."""
        data = self._tree.read(path, limit)
        return self.packed(path) if data is None else data

    def exists(self, path: str) -> bool:
        """Tell whether there is an entry of that name."""
        return self._tree.exists(path) or any(pack.find(path) or pack.has_folder(path) for pack in self._packs)

    def names(self, path: str) -> list[str]:
        """Return the names in a folder, unsorted; none if there is no such folder."""
        return self.names_with_prefix(path, "")

    def names_with_prefix(self, path: str, prefix: str) -> list[str]:
        """Return the names in a folder that begin with ``prefix``, unsorted."""
        packed = {name for pack in self._packs for name in pack.names(path, prefix)}
        return [*{*self._tree.names_with_prefix(path, prefix), *packed}]
