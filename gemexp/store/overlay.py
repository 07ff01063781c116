"""A store's files as they were before some came, or as they would be with some more: without copying anything."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gemexp.store.files import Folder
from gemexp.store.tree import Tree


class Nothing(Tree):
    """A store without any file."""

    root = "nothing"

    def read(self, path: str, limit: int) -> bytes | None:  # noqa: ARG002 - a tree's signature
        """Return None: there is no file."""
        return None

    def exists(self, path: str) -> bool:  # noqa: ARG002 - a tree's signature
        """Return False: there is nothing."""
        return False

    def names(self, path: str) -> list[str]:  # noqa: ARG002 - a tree's signature
        """Return no names."""
        return []

    def names_with_prefix(self, path: str, prefix: str) -> list[str]:  # noqa: ARG002 - a tree's signature
        """Return no names."""
        return []


class Without(Tree):
    """A tree as it would be without some files; a folder that only held these is there, and empty.

    Args:
        tree: All files.
        paths: Those to hide.
    """

    def __init__(self, tree: Tree, paths: Iterable[str]) -> None:
        self.root = tree.root
        self._tree = tree
        self._hidden = _by_folder(paths)

    def read(self, path: str, limit: int) -> bytes | None:
        """Return a file's bytes, or None if there is no such file; see `gemexp.store.tree.Tree`."""
        return None if self._hides(path) else self._tree.read(path, limit)

    def exists(self, path: str) -> bool:
        """Tell whether there is an entry of that name."""
        return not self._hides(path) and self._tree.exists(path)

    def names(self, path: str) -> list[str]:
        """Return the names in a folder, unsorted; none if there is no such folder."""
        hidden = self._hidden.get(path, ())
        return [name for name in self._tree.names(path) if name not in hidden]

    def names_with_prefix(self, path: str, prefix: str) -> list[str]:
        """Return the names in a folder that begin with ``prefix``, unsorted."""
        hidden = self._hidden.get(path, ())
        return [name for name in self._tree.names_with_prefix(path, prefix) if name not in hidden]

    def _hides(self, path: str) -> bool:
        folder, _, name = path.rpartition("/")
        return name in self._hidden.get(folder, ())


class With(Tree):
    """A tree as it would be with some files of another.

    Args:
        tree: The files that are there.
        other: Where the others are.
        paths: Which of them.
    """

    def __init__(self, tree: Tree, other: Tree, paths: Iterable[str]) -> None:
        self.root = tree.root
        self._tree = tree
        self._other = other
        self._added = _by_folder(paths)
        for folder in list(self._added):
            above = folder
            while above:
                above, _, name = above.rpartition("/")
                self._added.setdefault(above, set()).add(name)

    def read(self, path: str, limit: int) -> bytes | None:
        """Return a file's bytes, or None if there is no such file; see `gemexp.store.tree.Tree`."""
        return (self._other if self._adds(path) else self._tree).read(path, limit)

    def exists(self, path: str) -> bool:
        """Tell whether there is an entry of that name."""
        return self._adds(path) or self._tree.exists(path)

    def names(self, path: str) -> list[str]:
        """Return the names in a folder, unsorted; none if there is no such folder."""
        return [*{*self._tree.names(path), *self._added.get(path, ())}]

    def names_with_prefix(self, path: str, prefix: str) -> list[str]:
        """Return the names in a folder that begin with ``prefix``, unsorted."""
        added = (name for name in self._added.get(path, ()) if name.startswith(prefix))
        return [*{*self._tree.names_with_prefix(path, prefix), *added}]

    def _adds(self, path: str) -> bool:
        folder, _, name = path.rpartition("/")
        return name in self._added.get(folder, ())


class Packed(Tree):
    """A tree whose packs are read as if what they hold were files of their own.

    Args:
        tree: The files; its packs are files like any other.
        folder: A folder with the same packs, and nothing else.

    Attributes:
        tree: As given.
        folder: As given.
    """

    def __init__(self, tree: Tree, folder: Folder) -> None:
        self.root = tree.root
        self.tree = tree
        self.folder = folder

    def read(self, path: str, limit: int) -> bytes | None:
        """Return a file's bytes, or None if there is no such file; see `gemexp.store.tree.Tree`."""
        data = self.tree.read(path, limit)
        return self.folder.read(path, limit) if data is None else data

    def exists(self, path: str) -> bool:
        """Tell whether there is an entry of that name."""
        return self.tree.exists(path) or self.folder.exists(path)

    def names(self, path: str) -> list[str]:
        """Return the names in a folder, unsorted; none if there is no such folder."""
        return [*{*self.tree.names(path), *self.folder.names(path)}]

    def names_with_prefix(self, path: str, prefix: str) -> list[str]:
        """Return the names in a folder that begin with ``prefix``, unsorted."""
        return [*{*self.tree.names_with_prefix(path, prefix), *self.folder.names_with_prefix(path, prefix)}]

    def memberships(self, config_hash: str) -> Iterator[str]:
        """Yield the paths below ``refs/tags`` that stand for a config; see `gemexp.store.tree.Tree`."""
        yield from {*self.tree.memberships(config_hash), *self.folder.memberships(config_hash)}


def _by_folder(paths: Iterable[str]) -> dict[str, set[str]]:
    folders: dict[str, set[str]] = {}
    for path in paths:
        folder, _, name = path.rpartition("/")
        folders.setdefault(folder, set()).add(name)
    return folders
