"""What a run ran in: Python, packages, the commit of the code and what differs from it, who started it.

Nothing that names the machine.
"""

from __future__ import annotations

import os
import platform
import re
import sys
from functools import cache
from typing import Any, NamedTuple

from gemexp.errors import EngineFailed, InvalidInput
from gemexp.git import Repository

MAX_PATCH_BYTES = 16 * 1024 * 1024

_GIT_SECONDS = 20.0
_ALL_BUT_STORES = ("--", ":/", ":(exclude,glob,top)**/.gemexp/**")


class Surroundings(NamedTuple):
    """What a run ran in.

    Args:
        environment: See `environment`.
        code: See `code_version`.
        by: See `user`.
        installed: See `installed`; None if not told.
        patch: See `patch`; None if not kept.
    """

    environment: dict[str, Any]
    code: dict[str, Any] | None
    by: str | None
    installed: bytes | None = None
    patch: bytes | None = None


def surroundings(*, with_patch: bool = False) -> Surroundings:
    """Return what a run that starts or ends now runs in.

    Args:
        with_patch: Also what differs from the commit that is checked out.

    Raises:
        InvalidInput: More differs than can be kept.
        EngineFailed: git cannot say what differs.
    """
    code = code_version()
    kept = patch() if with_patch and code is not None and code["dirty"] else None
    return Surroundings(environment(), code, user(), installed(), kept)


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
        "platform": platform.platform(),
        "python": platform.python_version(),
        "system": platform.system(),
    }


@cache
def installed() -> bytes:
    """Return the installed distributions, whether they are loaded or not, as sorted lines ``name==version``."""
    from importlib.metadata import distributions

    found: dict[str, str] = {}
    for distribution in distributions():
        name = distribution.metadata["Name"]
        if name:  # what comes first on the path is what is imported
            found.setdefault(re.sub(r"[-_.]+", "-", name).lower(), distribution.version)
    return "".join(f"{name}=={version}\n" for name, version in sorted(found.items())).encode()


def packages_in(listed: bytes) -> dict[str, str]:
    """Return the versions by name that `installed` wrote down."""
    pairs = (line.partition("==") for line in listed.decode("utf-8", "replace").splitlines())
    return {name: version for name, equals, version in pairs if equals}


def patch(folder: str | None = None) -> bytes:
    """Return how tracked files differ from the commit that is checked out, as ``git apply`` takes it.

    Files that git does not track are not in it, nor is what lies in a store.

    Raises:
        InvalidInput: It takes more than 16 MiB.
        EngineFailed: git cannot say it.
    """
    found = Repository(folder or os.curdir).patch(_ALL_BUT_STORES, limit=MAX_PATCH_BYTES)
    if found is None:
        raise InvalidInput(
            f"what differs from the commit takes more than {MAX_PATCH_BYTES} bytes",
            hint="commit it, or leave out --patch",
        )
    return found


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
