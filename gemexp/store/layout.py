"""The one place that knows the names of files inside a store, and how tags and names are written in them.

All paths are relative to the store's folder, with ``/`` between parts.
"""

import re
from functools import lru_cache
from typing import NamedTuple

from gemexp.digest import HASH_DIGITS, MIN_PREFIX_DIGITS, is_hash, is_hex
from gemexp.errors import Corrupt, InvalidInput, UnsupportedFormat
from gemexp.notation import inline

STORE_FOLDER = ".gemexp"

FORMAT_FILE = "format"
FORMAT = b"gemexp 1 sha256\n"

ATTRIBUTES_FILE = ".gitattributes"
# Without "-text" autocrlf changes bytes; without "-diff" git prints raw bytes where our diff driver is not set up.
ATTRIBUTES = b"* -text\n/objects/** -diff\n/index/** -diff\n/refs/names/** -diff\n/packs/** -diff\n"
IGNORE_FILE = ".gitignore"
IGNORE = b"/local/\n"

OBJECTS = "objects"
INDEX = "index"
REFS = "refs"
TAGS = "refs/tags"
DELETED = "refs/deleted"
NAMES = "refs/names"
MIGRATED = "refs/migrated"
PACKS = "packs"
LOCAL = "local"
TMP = "local/tmp"
TRASH = "local/trash"
JOURNAL = "local/journal"
PACK_INDEXES = "local/packs"
QUARANTINE = "local/quarantine"
IMPORTED = "local/imported"
PANELS = "local/panels"
SQLITE_INDEX = "local/index.sqlite"

PACK_SUFFIX = ".gxp"
PACK_INDEX_SUFFIX = ".gxi"

MAX_NAME_BYTES = 200
# As many causal lengths missing in a row end a set member's: writers leave none missing, incomplete copies may.
WIDEST_GAP = 3


_UNSAFE_BYTE = re.compile(rb"[^a-z0-9._\-=+@]")
_ESCAPE = re.compile(r"%([0-9A-F]{2})")
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.|$)")


class RecordName(NamedTuple):
    """A record's file name: the hash it is about (or, for an alias, an older hash) and its own hash."""

    config: str
    record: str


class MemberName(NamedTuple):
    """A set member's file name: the config (or pair of configs), and the causal length that the file stands for."""

    config: str
    length: int


class Pair(NamedTuple):
    """A member of ``refs/migrated``: a config, and the one that takes its place."""

    old: str
    new: str


def object_path(object_hash: str) -> str:
    """Return where an object lies."""
    return f"{OBJECTS}/{object_hash[:2]}/{object_hash}"


def record_path(config_hash: str, record_hash: str) -> str:
    """Return where a record about a config lies."""
    return f"{INDEX}/{config_hash[:2]}/{config_hash}-{record_hash}"


def tag_folder(tag: str) -> str:
    """Return the folder of a tag's set.

    Raises:
        InvalidInput: The tag is empty or too long.
    """
    return f"{TAGS}/{escape_name(tag, 'tag')}"


def name_folder(name: str) -> str:
    """Return the folder of a name's moves.

    Raises:
        InvalidInput: The name is empty or too long.
    """
    return f"{NAMES}/{escape_name(name, 'name')}"


def move_path(name: str, record_hash: str) -> str:
    """Return where a move of a name lies."""
    return f"{name_folder(name)}/{record_hash}"


def pair_name(pair: Pair) -> str:
    """Return the member of ``refs/migrated`` that stands for a pair."""
    return f"{pair.old}-{pair.new}"


def parse_pair(member: str) -> Pair | None:
    """Read the member that stands for a pair, or return None."""
    old, dash, new = member.partition("-")
    return Pair(old, new) if dash and is_hash(old) and is_hash(new) else None


def pack_path(pack_hash: str) -> str:
    """Return where a pack lies."""
    return f"{PACKS}/{pack_hash}{PACK_SUFFIX}"


def parse_pack_name(name: str) -> str | None:
    """Return the hash that a pack's file name holds, or None."""
    pack_hash = name.removesuffix(PACK_SUFFIX)
    return pack_hash if name.endswith(PACK_SUFFIX) and is_hash(pack_hash) else None


def pack_index_path(pack_hash: str) -> str:
    """Return where the index lies that is derived from a pack."""
    return f"{PACK_INDEXES}/{pack_hash}{PACK_INDEX_SUFFIX}"


def member_path(folder: str, config_hash: str, length: int) -> str:
    """Return the file that says: this config's causal length in this set is at least ``length``."""
    return f"{folder}/{config_hash}" if length == 1 else f"{folder}/{config_hash}.{length}"


def parse_object_name(name: str) -> str | None:
    """Return the hash that an object's file name is, or None."""
    return name if is_hash(name) else None


def parse_fan_out(name: str) -> str | None:
    """Return the two digits that a fan-out folder's name is, or None."""
    return name if len(name) == 2 and is_hex(name) else None


def parse_record_name(name: str) -> RecordName | None:
    """Read a record's file name, or return None."""
    config, dash, record = name.partition("-")
    named = dash and is_hex(config) and MIN_PREFIX_DIGITS <= len(config) <= HASH_DIGITS and is_hash(record)
    return RecordName(config, record) if named else None


def parse_member_name(name: str, *, pairs: bool = False) -> MemberName | None:
    """Read a set member's file name, or return None; length 1 is never written out.

    Args:
        name: The file name.
        pairs: The set's members are pairs of configs.
    """
    config, dot, length = name.partition(".")
    if not (parse_pair(config) if pairs else is_hash(config)):
        return None
    if not dot:
        return MemberName(config, 1)
    if not length.isascii() or not length.isdecimal() or length[0] == "0" or length == "1" or len(length) > 9:
        return None
    return MemberName(config, int(length))


@lru_cache(maxsize=8192)  # a sweep writes the same tags for every config
def escape_name(name: str, what: str) -> str:
    """Write a tag or pointer name as a file name that is safe on every file system.

    Two different names stay different on a disk that ignores case; no name is a path, hidden, a device of Windows,
    or changed by Windows's stripping of dots.

    Args:
        name: Any text.
        what: What to call it in errors.

    Raises:
        InvalidInput: It is empty, not UTF-8 encodable, or longer than 200 bytes when escaped.
    """
    if not isinstance(name, str) or not name:
        raise InvalidInput(f"a {what} is text, and not empty", hint="name it with at least one character")
    try:
        encoded = name.encode()
    except UnicodeEncodeError:
        raise InvalidInput(f"the {what} {inline(name)} is not text: it holds a lone surrogate") from None
    escaped = _UNSAFE_BYTE.sub(lambda match: b"%%%02X" % match.group()[0], encoded).decode("ascii")
    if escaped[0] == "." or _RESERVED.match(escaped):
        escaped = f"%{ord(escaped[0]):02X}{escaped[1:]}"
    if escaped[-1] == ".":
        escaped = f"{escaped[:-1]}%2E"
    if len(escaped) > MAX_NAME_BYTES:
        raise InvalidInput(
            f"the {what} {inline(name[:40])}… takes {len(escaped)} bytes as a file name, at most {MAX_NAME_BYTES}",
            hint="shorten it; each upper-case or non-ASCII byte takes three",
        )
    return escaped


@lru_cache(maxsize=8192)  # the tags of a store are read again for every config
def unescape_name(escaped: str) -> str | None:
    """Read what `escape_name` wrote; None for a file name that it never writes."""
    try:
        name = _ESCAPE.sub(lambda match: chr(int(match[1], 16)), escaped).encode("latin-1").decode()
        return name if escape_name(name, "name") == escaped else None
    except (UnicodeError, InvalidInput):
        return None


def check_format(data: bytes, path: str) -> None:
    """Accept the content of a ``format`` file that this version reads.

    Raises:
        UnsupportedFormat: It is a newer version's.
        Corrupt: It is not a format file.
    """
    words = data.decode("utf-8", "replace").split()
    if len(words) < 2 or words[0] != "gemexp" or not words[1].isdecimal():
        raise Corrupt("is not a store's format file", path=path, expected=FORMAT.decode().strip())
    if words[1:] != ["1", "sha256"]:
        raise UnsupportedFormat(
            f"the store's format is '{' '.join(words)}', and this version reads 'gemexp 1 sha256'",
            hint="upgrade gemexp; the store was not touched",
        )
