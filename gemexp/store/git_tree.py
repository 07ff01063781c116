"""A store as a commit of git holds it, or as its index does: read without a work tree, and never written."""

from __future__ import annotations

import bisect
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import NamedTuple

from gemexp.errors import Corrupt, EngineFailed, StoreUnreadable
from gemexp.git import BlobReader, Repository
from gemexp.store import layout
from gemexp.store.tree import Tree

_REGULAR = ("100644", "100755", "100664")
_FOLDER = "40000"
# Git's names for an empty file, in repositories of SHA-1 and of SHA-256: tags need not be asked for.
_EMPTY = (
    "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391",
    "473a0f4c3be8a93681a267e3b1e9a7dcda1185436fe141f7749120a303721813",
)
_MAX_FOLDER_BYTES = 1 << 29
_FOLDERS_REMEMBERED = 64


class Entry(NamedTuple):
    """A file in a commit or an index: its mode, and the name of its content in git."""

    mode: str
    blob: str


class IndexTree(Tree):
    """The files of a store in an index of git.

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
        return None if entry is None else _content(self._blobs, self.root, path, entry, limit)

    def exists(self, path: str) -> bool:
        """Tell whether there is an entry of that name."""
        return path in self._files or path in self._folders

    def names(self, path: str) -> list[str]:
        """Return the names in a folder; none if there is no such folder."""
        return list(self._folders.get(path, ()))

    def names_with_prefix(self, path: str, prefix: str) -> list[str]:
        """Return the names in a folder that begin with ``prefix``."""
        return _with_prefix(self._folders.get(path, []), prefix)


class _Listing(NamedTuple):
    """A folder in a commit: what git says of each name, and the names in order."""

    entries: dict[str, Entry]
    names: list[str]


class CommitTree(Tree):
    """The files of a store in a commit; a folder is read when it is asked for.

    Args:
        root: What to call it in messages.
        repository: Where the commit is.
        tree: The hash of the store's folder in git.
        blobs: Reads contents.
    """

    def __init__(self, root: str, repository: Repository, tree: str, blobs: BlobReader) -> None:
        self.root = root
        self._repository = repository
        self._tree = tree
        self._blobs = blobs
        self._missing = repository.missing(tree)
        self._listing = lru_cache(maxsize=_FOLDERS_REMEMBERED)(self._read_folder)

    def entry(self, path: str) -> Entry | None:
        """Return what git says of a file or folder."""
        folder, _, name = path.rpartition("/")
        return self._listing(folder).entries.get(name) if path else Entry(_FOLDER, self._tree)

    def read(self, path: str, limit: int) -> bytes | None:
        """Return a file's bytes, or None if there is no such file; see `gemexp.store.tree.Tree`."""
        entry = self.entry(path)
        if entry is None:
            return None
        self._fetch(entry.blob, path)
        return _content(self._blobs, self.root, path, entry, limit)

    def exists(self, path: str) -> bool:
        """Tell whether there is an entry of that name."""
        return self.entry(path) is not None

    def names(self, path: str) -> list[str]:
        """Return the names in a folder; none if there is no such folder."""
        return list(self._listing(path).names)

    def names_with_prefix(self, path: str, prefix: str) -> list[str]:
        """Return the names in a folder that begin with ``prefix``."""
        return _with_prefix(self._listing(path).names, prefix)

    def save(self, path: str, target: str) -> None:
        """Write a file of the commit to a new file, without holding it in memory.

        Raises:
            StoreUnreadable: It is no regular file, or git cannot give it.
        """
        entry = self.entry(path)
        if entry is None or entry.mode not in _REGULAR:
            raise StoreUnreadable(f"'{path}' of {self.root} is not a regular file", path=path)
        self._fetch(entry.blob, path)
        self._repository.save(entry.blob, target)

    def _read_folder(self, path: str) -> _Listing:
        entry = self.entry(path)
        if entry is None or entry.mode != _FOLDER:
            return _Listing({}, [])
        self._fetch(entry.blob, path)
        data = self._blobs.read(entry.blob, _MAX_FOLDER_BYTES, kind="tree")
        if data is None:
            raise StoreUnreadable(f"git cannot give the folder '{path}' of {self.root}", path=path)
        entries = dict(_entries(data, len(entry.blob) // 2))
        return _Listing(entries, sorted(entries))

    def _fetch(self, blob: str, path: str) -> None:
        """Fetch all that is missing at the first file that is, which costs no more than that one."""
        if blob not in self._missing:
            return
        if not self._repository.foreign:
            try:
                self._repository.fetch(self._missing)
            except EngineFailed as error:
                hint = (
                    "the clone is partial, and what it has not fetched yet is needed; run this again once it can be had"
                )
                raise EngineFailed(error.message, hint=hint) from None
            self._missing = set()
            return
        hint = "the clone is partial; clone it anew without --filter"
        raise StoreUnreadable(f"'{path}' of {self.root} was never fetched", path=path, hint=hint)


def same_below(first: Tree, second: Tree, path: str) -> bool:
    """Tell whether git says that two trees hold the same below a path; without git nobody knows before looking."""
    if not isinstance(first, CommitTree) or not isinstance(second, CommitTree):
        return False
    return first.entry(path) == second.entry(path)


@contextmanager
def commit_tree(repository: Repository, commit: str, prefix: str) -> Iterator[CommitTree | None]:
    """Open the store that a commit holds; None if there is nothing at that place.

    Args:
        repository: Where the commit is.
        commit: Its hash.
        prefix: The store's path within the repository.
    """
    tree = repository.tree(commit, prefix)
    if tree is None:
        yield None
        return
    with repository.blobs() as blobs:
        yield CommitTree(f"'{prefix or '.'}' in commit {commit[:12]}", repository, tree, blobs)


@contextmanager
def index_tree(repository: Repository, prefix: str) -> Iterator[IndexTree]:
    """Open the store as it will be in the next commit: the staged files, and those that were committed before."""
    with repository.blobs() as blobs:
        yield IndexTree(f"'{prefix or '.'}' in the index", _staged(repository, prefix), blobs)


def stores(repository: Repository, commit: str) -> list[str]:
    """Return the paths of the stores in a commit: the folders that hold a ``format`` file beside other parts."""
    return [
        path.rpartition("/")[0]
        for path in repository.lines("ls-tree", "-r", "-z", "--name-only", "--full-tree", commit)
        if path.rpartition("/")[2] == layout.FORMAT_FILE and layout.STORE_FOLDER in path.split("/")
    ]


def _staged(repository: Repository, prefix: str) -> Iterator[tuple[str, Entry]]:
    """Yield (path within the store, entry) of the index."""
    start = len(prefix) + 1 if prefix else 0
    for line in repository.lines("ls-files", "-s", "-z", *(["--", f":(literal){prefix}/"] if prefix else [])):
        about, _, path = line.partition("\t")
        mode, blob, _ = about.split()
        yield path[start:], Entry(mode, blob)


def _entries(tree: bytes, digest_size: int) -> Iterator[tuple[str, Entry]]:
    """Yield (name, entry) of a tree object of git: mode, space, name, NUL, and the binary hash, again and again."""
    at = 0
    while at < len(tree):
        space = tree.find(b" ", at)
        end = tree.find(b"\0", space)
        if space < 0 or end < 0:
            return  # git checks its objects' names; this is no tree that it wrote
        mode, name = tree[at:space].decode("ascii", "replace"), os.fsdecode(tree[space + 1 : end])
        at = end + 1 + digest_size
        yield name, Entry(mode, tree[end + 1 : at].hex())


def _content(blobs: BlobReader, root: str, path: str, entry: Entry, limit: int) -> bytes:
    if entry.mode not in _REGULAR:
        raise Corrupt("is not a regular file", path=path)
    if entry.blob in _EMPTY:
        return b""
    try:
        data = blobs.read(entry.blob, limit)
    except Corrupt as error:
        error.path = path
        raise
    if data is None:
        raise StoreUnreadable(f"git cannot give '{path}' of {root}", path=path)
    return data


def _with_prefix(names: list[str], prefix: str) -> list[str]:
    start = bisect.bisect_left(names, prefix)
    end = start
    while end < len(names) and names[end].startswith(prefix):
        end += 1
    return names[start:end]
