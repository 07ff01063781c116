"""The text that stands for a file of a store. Cheap to import: git starts it for every file."""

from __future__ import annotations

from gemexp.describing import damage, describe, text_lines
from gemexp.digest import hash_bytes
from gemexp.unpacking import unpack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

# Beyond this, what is slow to load is fast enough to be worth it: OpenSSL, msgpack.
SMALL = 64 * 1024

_HASH_DIGITS = 64
_PACK_SUFFIX = ".gxp"
_PACK = b"\x89GXP"
_MOVE = "gemexp/move@1"
_TEXT_LIMIT = 1024 * 1024
_DAMAGED_LIMIT = 4096


def text(path: str, data: bytes, stores: Sequence[str]) -> bytes:
    """Return the text that stands for a file; see `lines`."""
    return "".join(f"{line}\n" for line in lines(path, data, stores)).encode("utf-8", "backslashreplace")


def is_whole(name: str, data: bytes) -> bool:
    """Tell whether a file holds what its name says."""
    return hash_bytes(data) == _expected_hash(name)


def is_named_by_hash(name: str) -> bool:
    """Tell whether a file's name says what it has to hold."""
    return _expected_hash(name) is not None


def is_made_of_others(data: bytes) -> bool:
    """Tell whether the text of a file takes more than the file: that of a name's move takes two configs."""
    return _MOVE.encode() in data[:_DAMAGED_LIMIT]


def lines(path: str, data: bytes, stores: Sequence[str]) -> Iterator[str]:
    """Yield the lines that stand for a file.

    Args:
        path: Where it is; all that matters is its name, and whether it lies in a set's folder.
        data: What it holds.
        stores: Where to look for the configs that a name moved between.
    """
    folder, _, name = path.replace("\\", "/").rpartition("/")
    expected = _expected_hash(name)
    if is_pack(data):
        yield from _pack_lines(data, expected)
    elif expected is None or hash_bytes(data) == expected:
        yield from _whole_lines(data, stores)
    elif data or not _is_set(folder):
        yield f"damaged: {damage(data, expected, hash_bytes)}"
        yield from _damaged_lines(data)


def is_pack(data: bytes) -> bool:
    """Tell whether bytes begin as a pack does."""
    return data[: len(_PACK)] == _PACK


def _whole_lines(data: bytes, stores: Sequence[str]) -> Iterator[str]:
    """Yield the lines of a file that holds what its name says: the one place that tells what is what."""
    value = _decoded(data)
    if value is not None:
        yield from _move_lines(value, stores) if value["$"] == _MOVE else describe(value)
    else:
        yield from _content_lines(data)


def _move_lines(value: dict[str, Any], stores: Sequence[str]) -> Iterator[str]:
    from gemexp.errors import Corrupt
    from gemexp.moved import move_lines

    try:
        yield from list(move_lines(value, stores))
    except Corrupt as error:
        yield f"damaged: it {error.message}"
        yield from describe(value)


def _pack_lines(data: bytes, expected: str | None) -> Iterator[str]:
    """Yield a pack's table of contents; its bytes may be those of a mapped file."""
    from gemexp import contents
    from gemexp.store.pack import digest

    if expected is not None and digest(data) != expected:
        yield "damaged: its content has another hash"
    yield from contents.lines(data)


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
        value = unpack(data) if len(data) <= SMALL else _unpack_large(data)
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
