"""What one revision of git has over another, and the work tree over the last commit."""

from __future__ import annotations

from typing import Any, NamedTuple

from gemexp import origins
from gemexp.errors import NotFound
from gemexp.git import Repository
from gemexp.origins import Committed
from gemexp.query.changes import Changes, changes
from gemexp.store import layout
from gemexp.store.files import Folder

_OWN_BUT_FREE = (layout.ATTRIBUTES_FILE, layout.IGNORE_FILE)  # which a user may edit


class Uncommitted(NamedTuple):
    """What of a store is not committed yet.

    Args:
        commit: The commit that is checked out; None before the first.
        changes: What the store has over it.
        staged: How many of its files the next commit will have.
        unstaged: How many git does not know yet.
        modified: Files that git knows with other bytes; a store changes none.
        deleted: Files that git knows and that are gone.
        ignored: Whether git is told to ignore the store.
    """

    commit: str | None
    changes: Changes
    staged: int
    unstaged: int
    modified: tuple[str, ...]
    deleted: tuple[str, ...]
    ignored: bool

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        found = self._asdict()
        return found | {"changes": self.changes.to_dict(), "modified": [*self.modified], "deleted": [*self.deleted]}


def between(text: str, root: str) -> Changes:
    """Return what B has over A, of the revisions in ``A..B``; over what both come from, in ``A...B``.

    A revision that is left out is HEAD; one without a store counts as one with an empty store.

    Args:
        text: The range.
        root: The store's folder, which need not be there: the store is looked for at the same place in the revisions.

    Raises:
        NotFound: There is no repository, or no such revision, or the two have nothing in common.
        EngineFailed: git is missing, or refuses the repository.
    """
    repository = origins.surrounding(root)
    if repository is None:
        raise _no_repository(root)
    dots = "..." if "..." in text else ".."
    left, _, right = text.partition(dots)
    first, second = (repository.commit(side or "HEAD") for side in (left, right))
    if dots == "...":
        base = repository.merge_base(first, second)
        if base is None:
            told = f"'{left or 'HEAD'}' and '{right or 'HEAD'}' have no commit in common"
            hint = f"{left}..{right} compares them as they are; in a shallow clone git fetch --unshallow gets the rest"
            raise NotFound(told, subject=text, hint=hint)
        first = base
    wanted = repository.prefix(root)
    places = [Committed(repository, one, origins.at_path(repository, one, wanted), root) for one in (first, second)]
    with origins.committed(places[0]) as before, origins.committed(places[1]) as after:
        return changes(before, after, variants=True)


def uncommitted(root: str) -> Uncommitted:
    """Return what of a store is not committed yet.

    Raises:
        NotFound: The store lies in no repository.
        EngineFailed: git is missing, or refuses the repository.
    """
    repository = Repository.find(root)
    prefix = None if repository is None or repository.bare else repository.prefix(root)
    if repository is None or prefix is None:
        raise _no_repository(root)
    commit = repository.head()
    found = repository.status(prefix)
    ours = [(state, path) for state, path in found if path not in _OWN_BUT_FREE]
    place = Committed(repository, commit or "", None if commit is None else prefix, root)
    with origins.committed(place) as before:
        return Uncommitted(
            commit,
            changes(before, Folder(root), variants=True),
            sum(state[0] in "AMDT" for state, _ in found),
            sum(state == "??" for state, _ in found),
            tuple(path for state, path in ours if "D" not in state and any(letter in "MTU" for letter in state)),
            tuple(path for state, path in ours if "D" in state),
            not found and repository.ignores(f"{prefix}/{layout.FORMAT_FILE}".lstrip("/")),
        )


def _no_repository(root: str) -> NotFound:
    return NotFound(f"the store '{root}' lies in no git repository", subject=root, hint="git init makes one")
