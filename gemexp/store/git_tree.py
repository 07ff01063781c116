"""A store as a commit of git holds it, or as its index does: read without a work tree, and never written."""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from gemexp.errors import Corrupt, StoreUnreadable
from gemexp.git import BlobReader, Repository
from gemexp.store import layout

_REGULAR = ("100644", "100755", "100664")


class Entry(NamedTuple):
    """A file in a commit or an index: its mode, and the name of its content in git."""

    mode: str
    blob: str


class GitTree:
    """The files of a store in a commit or an index.

    Args:
        root: What to call it in messages.
        entries: By path within the store.
        blobs: Reads contents.
    """

    def __init__(self, root: str, entries: Iterable[tuple[str, Entry]], blobs: BlobReader) -> None:
        self.root = root
        self._blobs = blobs
        self._files: dict[str, Entry] = {}
        folders: dict[str, set[str]] = {}
        for path, entry in entries:
            self._files[path] = entry
            while path:
                path, _, name = path.rpartition("/")  # noqa: PLW2901 - each folder above in turn
                known = folders.setdefault(path, set())
                if name in known:
                    break
                known.add(name)
        self._folders = {path: sorted(names) for path, names in folders.items()}

    def entry(self, path: str) -> Entry | None:
        """Return what git says of a file."""
        return self._files.get(path)

    def read(self, path: str, limit: int) -> bytes | None:
        """Return a file's bytes, or None if there is no such file; see `gemexp.store.tree.Tree`."""
        entry = self._files.get(path)
        if entry is None:
            return None
        if entry.mode not in _REGULAR:
            raise Corrupt("is not a regular file", path=path)
        data = self._blobs.read(entry.blob, limit)
        if data is None:
            raise StoreUnreadable(f"git cannot give '{path}' of {self.root}, or it is too large", path=path)
        return data

    def exists(self, path: str) -> bool:
        """Tell whether there is an entry of that name."""
        return path in self._files or path in self._folders

    def names(self, path: str) -> list[str]:
        """Return the names in a folder; none if there is no such folder."""
        return list(self._folders.get(path, ()))

    def names_with_prefix(self, path: str, prefix: str) -> list[str]:
        """Return the names in a folder that begin with ``prefix``."""
        names = self._folders.get(path, [])
        start = bisect.bisect_left(names, prefix)
        end = start
        while end < len(names) and names[end].startswith(prefix):
            end += 1
        return names[start:end]


@contextmanager
def commit_tree(repository: Repository, commit: str, prefix: str) -> Iterator[GitTree]:
    """Open the store that a commit holds.

    Args:
        repository: Where the commit is.
        commit: Its hash.
        prefix: The store's path within the repository.
    """
    with repository.blobs() as blobs:
        root = f"'{prefix or '.'}' in commit {commit[:12]}"
        yield GitTree(root, _listed(repository, ["ls-tree", "-r", "-z", "--full-tree", commit], prefix), blobs)


@contextmanager
def index_tree(repository: Repository, prefix: str) -> Iterator[GitTree]:
    """Open the store as it will be in the next commit: the staged files, and those that were committed before."""
    with repository.blobs() as blobs:
        yield GitTree(f"'{prefix or '.'}' in the index", _listed(repository, ["ls-files", "-s", "-z"], prefix), blobs)


def stores(repository: Repository, commit: str) -> list[str]:
    """Return the paths of the stores in a commit: the folders that hold a ``format`` file beside other parts."""
    return [
        path.rpartition("/")[0]
        for path in repository.lines("ls-tree", "-r", "-z", "--name-only", "--full-tree", commit)
        if path.rpartition("/")[2] == layout.FORMAT_FILE and layout.STORE_FOLDER in path.split("/")
    ]


def _listed(repository: Repository, command: list[str], prefix: str) -> Iterator[tuple[str, Entry]]:
    """Yield (path within the store, entry) of what ``ls-tree`` or ``ls-files`` prints."""
    start = len(prefix) + 1 if prefix else 0
    for line in repository.lines(*command, *(["--", f":(literal){prefix}/"] if prefix else [])):
        about, _, path = line.partition("\t")
        words = about.split()
        blob = words[2] if words[1] in ("blob", "commit", "tree") else words[1]
        yield path[start:], Entry(words[0], blob)
