"""What a run ran in: Python, packages, the commit of the code, who started it. Nothing that names the machine."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

# A repository may come from anyone: nothing in its settings may run a program of its own, or wait for input.
_GIT = ("git", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "--no-pager")
_GIT_SECONDS = 20.0


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
    commit = _git(["rev-parse", "--verify", "HEAD"], folder)
    if commit is None:
        return None
    changed = _git(
        ["status", "--porcelain", "--untracked-files=no", "--", ":/", ":(exclude,glob,top)**/.gemexp/**"], folder
    )
    return {"commit": commit, "dirty": bool(changed)}


def user() -> str | None:
    """Return the name that git knows the user by, if it knows one."""
    return _git(["config", "user.name"], None) or None


def _git(arguments: Sequence[str], folder: str | None) -> str | None:
    try:
        result = subprocess.run(  # noqa: S603 - the arguments are ours
            [*_GIT, *arguments],
            cwd=folder,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_GIT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return result.stdout.decode("utf-8", "replace").strip() if result.returncode == 0 else None
