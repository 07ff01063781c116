"""Stores that lie elsewhere: in another folder, in a bare repository, or in a revision of git.

What git is asked for is read as data: no work tree and no index is touched. A bare repository that is handed in may
come from anyone, and is asked in a way that its settings run nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from tempfile import TemporaryDirectory
from typing import NamedTuple

from gemexp.errors import EngineFailed, InvalidInput, NotFound, StoreUnreadable
from gemexp.git import Repository
from gemexp.store import git_tree, layout, location
from gemexp.store.files import Folder
from gemexp.store.git_tree import CommitTree
from gemexp.store.merge import Source
from gemexp.store.overlay import Nothing, Packed
from gemexp.store.tree import Tree

_MOST_LISTED = 10
_BARE = ("HEAD", "objects", "refs")


class Committed(NamedTuple):
    """A store in a commit.

    Args:
        repository: Where the commit is.
        commit: Its hash.
        prefix: The store's path there; None if the commit has none.
        ours: Our store's folder, whose packs need not be taken out of git again.
    """

    repository: Repository
    commit: str
    prefix: str | None
    ours: str


class Origin(NamedTuple):
    """A store that lies elsewhere.

    Args:
        label: What to call it: what was asked for, and the path where that says more.
        place: A folder, or a commit of git.
    """

    label: str
    place: str | Committed

    @contextmanager
    def open(self) -> Iterator[Tree]:
        """Open it for reading.

        Raises:
            NoStore, UnsupportedFormat, Corrupt: It is none, or of a newer version; see `gemexp.store.location.check`.
        """
        if isinstance(self.place, str):
            location.check(self.place)
            yield Source(self.place)
        else:
            with committed(self.place) as tree:
                yield tree


def find(text: str, root: str) -> Origin:
    """Return the store that ``text`` means.

    A folder, if there is one of that name: a store, a folder that holds one, or a bare repository, of which HEAD
    counts. Else a revision of the repository that our store lies in, and in it the store at the same path, or at that
    which follows a colon, or the only one.

    Args:
        text: What was asked for.
        root: Our store's folder.

    Raises:
        NotFound: There is neither, or no store in it.
        EngineFailed: git is missing, or refuses the repository.
    """
    if os.path.exists(text):
        return _in_folder(text, root)
    try:
        repository = surrounding(root)
    except EngineFailed as error:
        raise _not_found(text, error.message) from None
    if repository is None:
        raise _not_found(text, "no git repository to look for such a revision")
    revision, colon, path = text.partition(":")
    try:
        commit = repository.commit(revision)
    except NotFound:
        raise _not_found(text, "no revision that git knows") from None
    wanted = _inner_path(text, path) if colon else repository.prefix(root)
    return _in_commit(text, Committed(repository, commit, wanted, root), only=bool(colon))


def surrounding(root: str) -> Repository | None:
    """Return the repository whose work tree our store lies in, or else the current folder; None if there is none.

    The store may not be there: a branch without it is checked out.
    """
    folder = root
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    for start in (folder, os.getcwd()):
        repository = Repository.find(start)
        if repository is not None and not repository.bare:
            return repository
    return None


@contextmanager
def committed(place: Committed) -> Iterator[Tree]:
    """Open a store in a commit; without a path, or where there is none, one that holds nothing.

    Raises:
        UnsupportedFormat: It is a newer version's.
        Corrupt: Its ``format`` file is damaged.
    """
    with ExitStack() as opened:
        tree: CommitTree | None = None
        if place.prefix is not None:
            tree = opened.enter_context(git_tree.commit_tree(place.repository, place.commit, place.prefix))
        data = None if tree is None else tree.read(layout.FORMAT_FILE, 4096)
        if tree is None or data is None:
            yield Nothing()
            return
        layout.check_format(data, f"{place.prefix}/{layout.FORMAT_FILE}")
        packs = [name for name in tree.names(layout.PACKS) if layout.parse_pack_name(name)]
        if not packs:
            yield tree
            return
        scratch = f"{place.ours}/{layout.TMP}"
        where = TemporaryDirectory(prefix="packs-", dir=scratch if os.access(scratch, os.W_OK) else None)
        folder = opened.enter_context(where)
        for name in packs:
            _save_pack(tree, name, folder, place.ours)
        yield Packed(tree, Folder(folder))


def at_path(repository: Repository, commit: str, wanted: str | None) -> str | None:
    """Return the path of the store in a commit: the wanted one if there is a store, or else the only one there is.

    Raises:
        NotFound: There are several elsewhere.
    """
    if wanted is not None and _is_store(repository, commit, wanted):
        return wanted
    found = git_tree.stores(repository, commit)
    if len(found) > 1:
        shown = ", ".join(f"'{path}'" for path in found[:_MOST_LISTED])
        more = f" and {len(found) - _MOST_LISTED} more" if len(found) > _MOST_LISTED else ""
        told = f"commit {commit[:12]} holds no store at '{wanted or layout.STORE_FOLDER}', and {len(found)} elsewhere"
        hint = f"name one with --store, or as REV:PATH where one revision is asked for: {shown}{more}"
        raise NotFound(told, subject=commit, hint=hint)
    return found[0] if found else None


def _in_folder(text: str, root: str) -> Origin:
    where = location.locate(text).root
    if location.is_store(where) or not all(os.path.exists(os.path.join(text, name)) for name in _BARE):
        return Origin(text, where)
    repository = Repository.find(text, foreign=True)
    if repository is None or not repository.bare:
        return Origin(text, where)
    try:
        commit = repository.commit("HEAD")
    except NotFound:
        raise NotFound(f"the repository '{text}' has no commit", subject=text) from None
    try:
        ours = surrounding(root)
    except EngineFailed:
        ours = None
    wanted = None if ours is None else ours.prefix(root)
    return _in_commit(text, Committed(repository, commit, wanted or layout.STORE_FOLDER, root), only=False)


def _in_commit(text: str, place: Committed, *, only: bool) -> Origin:
    """Return the store at a path in a commit; if there is none, and it is not ``only`` wanted there, the only one."""
    repository, commit, wanted, ours = place
    if only and (wanted is None or not _is_store(repository, commit, wanted)):
        found = git_tree.stores(repository, commit)
        hint = f"it has one at {', '.join(map(repr, found[:_MOST_LISTED]))}" if found else "it has none anywhere"
        raise NotFound(f"'{text}' holds no store", subject=text, hint=hint)
    path = wanted if only else at_path(repository, commit, wanted)
    if path is None:
        hint = "a store is a folder .gemexp that was committed; git ls-tree -r --name-only REV lists what was"
        raise NotFound(f"'{text}' holds no store", subject=text, hint=hint)
    label = text if only or path == wanted else f"{text}:{path}"
    return Origin(label, Committed(repository, commit, path, ours))


def _save_pack(tree: CommitTree, name: str, folder: str, ours: str) -> None:
    """Put a pack of a commit into a folder; a link to ours, and to the index derived from it, if we have the same."""
    path = f"{layout.PACKS}/{name}"
    for linked in (layout.pack_index_path(name.removesuffix(layout.PACK_SUFFIX)), path):
        os.makedirs(os.path.dirname(f"{folder}/{linked}"), exist_ok=True)
        with suppress(OSError):
            os.link(f"{ours}/{linked}", f"{folder}/{linked}", follow_symlinks=False)
    if not os.path.lexists(f"{folder}/{path}"):
        with suppress(StoreUnreadable):  # no regular file: merging and fsck name it
            tree.save(path, f"{folder}/{path}")


def _is_store(repository: Repository, commit: str, prefix: str) -> bool:
    with git_tree.commit_tree(repository, commit, prefix) as tree:
        return tree is not None and tree.exists(layout.FORMAT_FILE)


def _inner_path(text: str, path: str) -> str:
    """Return the path after a revision's colon as git writes it: from the top of the repository, without ``..``."""
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if path.startswith("/") or ".." in parts:
        raise InvalidInput(
            f"'{text}' does not name a path within the repository", hint="write it from its top: REV:a/b"
        )
    return "/".join(parts)


def _not_found(text: str, reason: str) -> NotFound:
    hint = "STORE is a folder (a store, one that holds .gemexp, a bare git repository), or a revision of git"
    return NotFound(f"there is no folder '{text}', and {reason}", subject=text, hint=hint)
