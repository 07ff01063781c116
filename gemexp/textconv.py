"""``gemexp-textconv FILE``: a file of a store as text, for ``git diff``, ``git log -p`` and ``git show``.

git starts it once for every file, so that starting is what it costs: it imports next to nothing, and reads small
objects without msgpack. What it prints depends on the file alone, since git keeps it; only a move of a name is printed
with what differs between two configs, which are immutable too.
"""

from __future__ import annotations

import sys

from gemexp.describing import describe, text_lines
from gemexp.notation import visible
from gemexp.unpacking import unpack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

USAGE = "usage: gemexp-textconv [--store DIR]... FILE"

_HASH_DIGITS = 64
_PACK_SUFFIX = ".gxp"
_MOVE = "gemexp/move@1"
_TEXT_LIMIT = 1024 * 1024
_DAMAGED_LIMIT = 4096
# Beyond this, what is slow to load is fast enough to be worth it: OpenSSL, msgpack.
_SMALL = 64 * 1024


def main() -> int:
    """Print a file's text; return an exit code, which is not 0 only if there is no such file."""
    arguments = sys.argv[1:]
    stores = []
    while len(arguments) > 2 and arguments[0] == "--store":
        stores.append(arguments[1].rstrip("/"))
        del arguments[:2]
    if len(arguments) != 1 or arguments[0].startswith("-"):
        sys.stderr.write(f"{USAGE}\n")
        return 0 if arguments in (["-h"], ["--help"]) else 2
    try:
        with open(arguments[0], "rb") as file:
            data = file.read()
    except OSError as error:
        sys.stderr.write(f"error: {visible(arguments[0])}: {error.strerror or error}\n")
        return 1
    text = "".join(f"{line}\n" for line in lines(arguments[0], data, stores or [".gemexp"]))
    # As bytes: the text must not depend on the locale.
    sys.stdout.buffer.write(text.encode("utf-8", "backslashreplace"))
    sys.stdout.buffer.flush()
    return 0


def run() -> None:
    """Print a file's text, and leave without taking the interpreter down piece by piece."""
    code = main()
    sys.stderr.flush()
    try:
        from posix import _exit
    except ImportError:
        sys.exit(code)
    _exit(code)


def lines(path: str, data: bytes, stores: Sequence[str]) -> Iterator[str]:
    """Yield the lines that stand for a file.

    Args:
        path: Where it is; all that matters is its name, and whether it lies in a set's folder.
        data: What it holds.
        stores: Where to look for the configs that a name moved between.
    """
    folder, _, name = path.replace("\\", "/").rpartition("/")
    expected = _expected_hash(name)
    if expected is None or _hash(data) == expected:
        yield from _whole_lines(data, stores)
    elif data or not _is_set(folder):
        yield f"damaged: {reason(data, expected)}"
        yield from _damaged_lines(data)


def reason(data: bytes, expected: str) -> str:
    """Say how a file was damaged that should have had another hash, where that can be seen from its content."""
    if not data:
        return "it is empty"
    if b"<<<<<<< " in data and b">>>>>>> " in data:
        return "it holds the conflict markers of a merge"
    if b"\r\n" in data and _hash(data.replace(b"\r\n", b"\n")) == expected:
        return "its line ends were converted"
    return "its content has another hash"


def _whole_lines(data: bytes, stores: Sequence[str]) -> Iterator[str]:
    # The one place that tells what is what. A pack is to print its table of contents.
    value = _decoded(data)
    if value is None:
        yield from _content_lines(data)
    elif value["$"] == _MOVE:
        yield from _move_lines(value, stores)
    else:
        yield from describe(value)


def _move_lines(value: dict[str, Any], stores: Sequence[str]) -> Iterator[str]:
    from gemexp.errors import Corrupt
    from gemexp.moved import move_lines

    try:
        yield from list(move_lines(value, stores))
    except Corrupt as error:
        yield f"damaged: it {error.message}"
        yield from describe(value)


def _content_lines(data: bytes) -> Iterator[str]:
    """Yield what an artifact is: text as it is, everything else by its size."""
    try:
        text = None if b"\0" in data else data.decode()
    except UnicodeDecodeError:
        text = None
    if text is None or len(data) > _TEXT_LIMIT:
        yield f"{'binary' if text is None else 'text'}, {len(data)} bytes"
    elif data:
        yield from text_lines(text or "")


def _damaged_lines(data: bytes) -> Iterator[str]:
    """Yield whatever can be shown."""
    value = _decoded(data)
    if value is not None:
        yield from describe(value)
    elif b"gemexp/" in data[:_HASH_DIGITS]:
        yield from text_lines(data[:_DAMAGED_LIMIT].decode("utf-8", "backslashreplace"))
        if len(data) > _DAMAGED_LIMIT:
            yield f"... {len(data)} bytes"
    else:
        yield from _content_lines(data)


def _decoded(data: bytes) -> dict[str, Any] | None:
    """Return the object or record that bytes are; None if they are neither."""
    try:
        value = unpack(data) if len(data) <= _SMALL else _unpack_large(data)
    except ValueError:
        return None
    kind = value.get("$") if isinstance(value, dict) else None
    return value if isinstance(kind, str) and kind.startswith("gemexp/") else None


def _unpack_large(data: bytes) -> Any:
    from gemexp.canonical import decode
    from gemexp.errors import Corrupt

    try:
        return decode(data)
    except Corrupt as error:
        raise ValueError(error.message) from None


def _expected_hash(name: str) -> str | None:
    """Return the hash that a file's name gives its content; older versions of git put something in front."""
    digits = name.removesuffix(_PACK_SUFFIX)[-_HASH_DIGITS:]
    return digits if len(digits) == _HASH_DIGITS and not digits.strip("0123456789abcdef") else None


def _is_set(folder: str) -> bool:
    """Tell whether an empty file is a member of a set, whose name says it all."""
    return any(f"/refs/{one}/" in f"/{folder}/" for one in ("tags", "deleted", "migrated"))


def _hash(data: bytes) -> str:
    digest: str = (_lean_sha256() if len(data) <= _SMALL else _openssl_sha256())(data).hexdigest()
    return digest


def _lean_sha256() -> Any:
    """Return what hashlib falls back to itself: loading OpenSSL takes longer than all else here. So does random.py."""
    try:
        return __import__("_sha2" if sys.version_info >= (3, 12) else "_sha256").sha256
    except ImportError:
        return _openssl_sha256()


def _openssl_sha256() -> Any:
    from hashlib import sha256

    return sha256
