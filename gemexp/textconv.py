"""``gemexp-textconv FILE``: a file of a store as text, for ``git diff``, ``git log -p`` and ``git show``.

git starts it once for every file, so that starting is what it costs: it imports next to nothing, and reads small
objects without msgpack. What it prints depends on the file alone, since git keeps it; only a move of a name is printed
with what differs between two configs, which are immutable too.

``--ahead`` names a folder for the texts of files that git will ask for next, and the process that asks; see
`gemexp.ahead`.
"""

from __future__ import annotations

import sys

from gemexp.notation import visible
from gemexp.texts import is_made_of_others, is_named_by_hash, is_pack, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, BinaryIO

USAGE = "usage: gemexp-textconv [--store DIR]... [--ahead DIR PROCESS] FILE"

_STORE = ".gemexp"
_MOST_BYTES = 16 * 1024 * 1024  # of a pack in memory


def main() -> int:
    """Print a file's text; return an exit code, which is not 0 only if there is no such file."""
    arguments = sys.argv[1:]
    stores, ahead = [], None
    while len(arguments) > 2 and arguments[0] in ("--store", "--ahead"):
        if arguments[0] == "--store":
            stores.append("" if arguments[1] == "." else arguments[1].rstrip("/"))
            del arguments[:2]
        else:
            ahead = arguments[1:3]
            del arguments[:3]
    if len(arguments) != 1 or arguments[0].startswith("-"):
        sys.stderr.write(f"{USAGE}\n")
        return 0 if arguments in (["-h"], ["--help"]) else 2
    try:
        with open(arguments[0], "rb") as file:
            data = file.read(_MOST_BYTES)
            if len(data) == _MOST_BYTES:
                data = _mapped(file) if is_pack(data) else data + file.read()
    except OSError as error:
        sys.stderr.write(f"error: {visible(arguments[0])}: {error.strerror or error}\n")
        return 1
    # As bytes: the text must not depend on the locale.
    sys.stdout.buffer.write(text(arguments[0], data, stores or [_STORE]))
    sys.stdout.buffer.flush()
    if ahead and not is_made_of_others(data):
        _prepare(arguments[0], stores or [_STORE], *ahead)
    return 0


def _mapped(file: BinaryIO) -> bytes:
    """Return a file's bytes without reading all of them into memory."""
    from mmap import ACCESS_READ, mmap

    mapped: Any = mmap(file.fileno(), 0, access=ACCESS_READ)
    return mapped  # type: ignore[no-any-return] # what reads packs takes either


def run() -> None:
    """Print a file's text, and leave without taking the interpreter down piece by piece."""
    code = main()
    sys.stderr.flush()
    try:
        from posix import _exit
    except ImportError:
        sys.exit(code)
    _exit(code)


def _prepare(path: str, stores: Sequence[str], folder: str, asker: str) -> None:
    name = path.replace("\\", "/").rpartition("/")[2]
    if is_named_by_hash(name):
        from gemexp import ahead

        ahead.prepare(name, stores, folder, asker)
