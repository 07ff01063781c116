"""What a run ran in: Python, packages, the commit of the code, who started it. Nothing that names the machine."""

from __future__ import annotations

import os
import platform
import sys
from functools import cache
from typing import Any, NamedTuple

from gemexp.errors import EngineFailed
from gemexp.git import Repository

_GIT_SECONDS = 20.0
_ALL_BUT_STORES = ("--", ":/", ":(exclude,glob,top)**/.gemexp/**")


class Surroundings(NamedTuple):
    """What a run ran in.

    Args:
        environment: See `environment`.
        code: See `code_version`.
        by: See `user`.
    """

    environment: dict[str, Any]
    code: dict[str, Any] | None
    by: str | None


def surroundings() -> Surroundings:
    """Return what a run that starts or ends now runs in."""
    return Surroundings(environment(), code_version(), user())


@cache
def environment() -> dict[str, Any]:
    """Return the versions of Python and of the distributions that the loaded modules belong to."""
    from importlib.metadata import PackageNotFoundError, packages_distributions, version

    loaded = {name.partition(".")[0] for name in sys.modules}
    packages = {}
    for module, distributions in packages_distributions().items():
        if module in loaded:
            for distribution in distributions:
                try:
                    packages[distribution] = version(distribution)
                except PackageNotFoundError:
                    continue
    return {
        "implementation": platform.python_implementation(),
        "machine": platform.machine(),
        "packages": packages,
        "python": platform.python_version(),
        "system": platform.system(),
    }


def code_version(folder: str | None = None) -> dict[str, Any] | None:
    """Return the commit that is checked out in ``folder``, and whether tracked files differ from it; None outside git.

    What lies in a store does not count: registering a run must not make the next one look dirty.
    """
    here = Repository(folder or os.curdir)
    try:
        commit = here.ask("rev-parse", "--verify", "HEAD", seconds=_GIT_SECONDS).decode().strip()
        changed = here.ask("status", "--porcelain", "--untracked-files=no", *_ALL_BUT_STORES, seconds=_GIT_SECONDS)
    except EngineFailed:
        return None
    return {"commit": commit, "dirty": bool(changed.strip())}


def user() -> str | None:
    """Return the name that git knows the user by, if it knows one."""
    try:
        name = Repository(os.curdir).ask("config", "user.name", seconds=_GIT_SECONDS)
    except EngineFailed:
        return None
    return name.decode("utf-8", "replace").strip() or None
