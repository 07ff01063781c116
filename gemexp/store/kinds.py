"""The kinds of records, and what each must hold."""

from __future__ import annotations

import warnings
from typing import Any

from gemexp import canonical
from gemexp.config import instant
from gemexp.digest import hash_bytes, is_hash
from gemexp.errors import Corrupt, DamageWarning, InvalidInput

PUT = "gemexp/put@1"
DESCRIPTION = "gemexp/description@1"
RUN = "gemexp/run@1"
ALIAS = "gemexp/alias@1"
SIGNATURE = "gemexp/signature@1"
CHECK = "gemexp/check@1"
MOVE = "gemexp/move@1"

_OPTIONAL_TEXT = (str, type(None))
_OPTIONAL_MAP = (dict, type(None))
_FIELDS: dict[str, dict[str, type | tuple[type, ...]]] = {
    PUT: {"config": str, "created_at": str, "description": str, "parents": list},
    DESCRIPTION: {"config": str, "created_at": str, "description": str, "supersedes": list},
    ALIAS: {"alias": str, "config": str, "created_at": str},
    RUN: {
        "by": _OPTIONAL_TEXT,
        "code": _OPTIONAL_MAP,
        "config": str,
        "created_at": str,
        "data": _OPTIONAL_TEXT,
        "duration": (float, type(None)),
        "environment": dict,
        "outcome": str,
        "verifies": _OPTIONAL_TEXT,
    },
    SIGNATURE: {
        "config": str,
        "created_at": str,
        "outcome": str,
        "signature": str,
        "statement": dict,
    },
    CHECK: {
        "by": _OPTIONAL_TEXT,
        "code": _OPTIONAL_MAP,
        "config": str,
        "created_at": str,
        "environment": dict,
        "pipeline": str,
        "settings": dict,
        "verdicts": dict,
    },
    MOVE: {
        "by": _OPTIONAL_TEXT,
        "config": _OPTIONAL_TEXT,
        "created_at": str,
        "name": str,
        "restores": _OPTIONAL_TEXT,
        "supersedes": list,
    },
}
# Fields that a record may lack: there was nothing to say.
_FURTHER: dict[str, dict[str, type]] = {
    RUN: {"command": dict, "installed": str, "patch": str},
    CHECK: {"installed": str},
}
_SUBJECTS = {ALIAS: "alias", MOVE: "name"}
_OBJECTS = ("installed", "patch")
_HASHES = ("config", "outcome", "verifies", "restores", *_OBJECTS)
_LISTS_OF_HASHES = ("parents", "supersedes")


class Gone(Corrupt):
    """A record that was listed and is not there: others collected it in the meantime."""


class Misstated(Corrupt):
    """A record that is whole, and not what a record must be: nothing befell it, and readers ignore it."""


class UnknownKind(Misstated):
    """A record that is whole, but of a kind that this version does not know: a newer version wrote it."""


def read(data: bytes, record_hash: str, about: str) -> dict[str, Any]:
    """Return the record that a file holds.

    Args:
        data: Its bytes.
        record_hash: What its name promises that they are.
        about: What its name promises that it is about; see `check`.

    Raises:
        Corrupt: It is damaged, of an unknown kind, lacks a field, or is about something else.
    """
    _check_hash(data, record_hash)
    return check(canonical.decode(data), about)


def read_proven(data: bytes, record_hash: str) -> dict[str, Any]:
    """Return the record that bytes are which `read` accepted before, if they still have their hash.

    Raises:
        Corrupt: They have another.
    """
    _check_hash(data, record_hash)
    record: dict[str, Any] = canonical.decode_proven(data)
    return record


def check(value: Any, about: str) -> dict[str, Any]:
    """Return a decoded record.

    Args:
        value: What its bytes decode to.
        about: What it must be about, as its file name says: a config, for an alias an older hash, for a move a name.

    Raises:
        Corrupt: It is of an unknown kind, lacks a field, or is about something else.
    """
    record: dict[str, Any] = value if isinstance(value, dict) else {}
    kind = record.get("$")
    fields = _FIELDS.get(kind) if isinstance(kind, str) else None
    if kind is None or fields is None:
        error = UnknownKind if isinstance(kind, str) else Misstated
        raise error("is of a kind that this version does not know", actual=str(kind))
    for name, expected in fields.items():
        if name not in record or not isinstance(record[name], expected):
            raise Misstated(f"lacks '{name}', or has it of another type")
    for name, expected in _FURTHER.get(kind, {}).items():
        if name in record and not isinstance(record[name], expected):
            raise Misstated(f"has '{name}' of another type")
    if record[_SUBJECTS.get(kind, "config")] != about:
        raise Misstated("is about something else than its file name says")
    related = [record.get(name) for name in _HASHES]
    related += [one for name in _LISTS_OF_HASHES for one in record.get(name, ())]
    if not all(one is None or (isinstance(one, str) and is_hash(one)) for one in related):
        raise Misstated("names something that is not a hash")
    try:
        instant(record["created_at"])
    except InvalidInput:
        raise Misstated("has a time that is not ISO 8601") from None
    return record


def objects_of(record: dict[str, Any]) -> list[str]:
    """Return the further objects that a record names: neither config nor outcome, but bytes of any kind."""
    return [record[name] for name in _OBJECTS if isinstance(record.get(name), str)]


def _check_hash(data: bytes, record_hash: str) -> None:
    actual = hash_bytes(data)
    if actual != record_hash:
        raise Corrupt("is damaged: its content has another hash", expected=record_hash, actual=actual)


def pass_over(error: Corrupt, path: str) -> None:
    """Warn that a record is damaged and does not count."""
    if not isinstance(error, (Gone, Misstated)):
        text = f"'{path}' {error.message}; it was passed over, and gemexp fsck tells more"
        warnings.warn(text, DamageWarning, stacklevel=4)
