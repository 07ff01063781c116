"""A commit of the code in a folder of its own, for as long as something is run there."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from contextlib import contextmanager

from gemexp.errors import EngineFailed
from gemexp.git import Repository


@contextmanager
def worktree(repository: Repository, commit: str, patch: bytes | None = None) -> Iterator[str]:
    """Check a commit out into a temporary folder, which is gone when the block ends, however it ends.

    Args:
        repository: Where the commit is.
        commit: Its hash.
        patch: What differed from it, as `gemexp.environment.patch` says it; applied to the folder.

    Yields:
        The folder.

    Raises:
        NotFound: There is no such commit.
        EngineFailed: git cannot check it out, or the patch does not fit.
    """
    from shutil import rmtree
    from tempfile import TemporaryDirectory

    found = repository.commit(commit)
    with TemporaryDirectory(prefix="gemexp-", ignore_cleanup_errors=True) as temporary:
        folder = os.path.join(os.path.realpath(temporary), "tree")
        try:
            repository.ask("worktree", "add", "--quiet", "--detach", "--end-of-options", folder, found)
            if patch:
                Repository(folder).ask("apply", "--binary", "--whitespace=nowarn", "-", data=patch)
            yield folder
        finally:
            with contextlib.suppress(EngineFailed):  # the folder goes in any case, and then prune forgets it
                repository.ask("worktree", "remove", "--force", "--force", "--end-of-options", folder)
            rmtree(folder, ignore_errors=True)
            with contextlib.suppress(EngineFailed):
                repository.ask("worktree", "prune")
