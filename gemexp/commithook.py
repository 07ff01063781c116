"""The pre-commit hook: having git check what is staged in stores before it commits."""

from __future__ import annotations

import os
import shlex
import sys

from gemexp.errors import Conflict
from gemexp.git import Repository, write_whole

NAME = "pre-commit"
COMMAND = "gemexp git check"
_MARK = "# gemexp: `gemexp git setup --hook` wrote this, `gemexp git setup --remove` removes it"
_MODE = 0o755


def install(repository: Repository) -> str:
    """Have git run the check before each commit; return where the hook is.

    Raises:
        Conflict: Another hook is there.
    """
    path = _path(repository)
    if os.path.lexists(path) and not _is_ours(path):
        raise Conflict(f"'{path}' is another hook", hint=f"add the line: {COMMAND} || exit")
    write_whole(path, os.fsencode(script()), _MODE)
    return path


def remove(repository: Repository) -> str | None:
    """Remove the hook if it is ours; return where it was."""
    path = _path(repository)
    if not _is_ours(path):
        return None
    os.unlink(path)
    return path


def script() -> str:
    """Return the hook. It runs the gemexp that wrote it, or where that is gone, the one on the PATH."""
    python = shlex.quote(sys.executable)
    module = shlex.quote(os.path.join(os.path.dirname(os.path.abspath(__file__)), "__main__.py"))
    # -P: a folder named gemexp in the repository is not to be taken for the program.
    return f"""\
#!/bin/sh
{_MARK}
if test -x {python} && test -f {module}; then
    exec {python} -P -m {COMMAND}
elif command -v gemexp >/dev/null; then
    exec {COMMAND}
fi
echo 'warning: gemexp is not installed any more: what is staged in its stores was not checked' >&2
"""


def _path(repository: Repository) -> str:
    return os.path.join(repository.path("hooks"), NAME)


def _is_ours(path: str) -> bool:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.readlines()[1:2] == [f"{_MARK}\n"]
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return False
