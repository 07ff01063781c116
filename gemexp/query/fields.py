"""What a query can ask a config for: the fields, what each holds, and what has to be read to know it."""

from __future__ import annotations

from enum import Enum, IntEnum
from typing import Final, NamedTuple

from gemexp.notation import format_path
from gemexp.paths import Path
from gemexp.query.syntax import Field

_HYPERPARAMETERS: Final = "hyperparameters"
# From here on, an unknown first key is rather a misspelt field than a hyperparameter: tags, metrics, parents.
_CLOSE: Final = 0.82
# What the fields are called elsewhere, and too far from what they are called here to be found by likeness.
_ELSEWHERE: Final = {"config_hash": "hash", "features": "feature_names", "weights": "feature_weights"}


class Need(IntEnum):
    """What has to be read of a config; the later, the dearer."""

    HASH = 0
    TAGS = 1
    NAMES = 2
    VALUE = 3
    RECORDS = 4
    OUTCOMES = 5


class Holds(Enum):
    """What a field holds."""

    VALUE = "anything, or nothing"
    NUMBER = "a number, or nothing"
    COUNT = "a number"
    TEXT = "text"
    TIME = "a time"
    LABELS = "any number of labels"
    HASH = "a hash"
    HASHES = "any number of hashes"


class Kind(NamedTuple):
    """A kind of field.

    Args:
        holds: What is compared.
        need: What has to be read for it.
        inside: A path may follow the field, or has to: ``"path"``, ``"name"`` (one key), or ``""`` for neither.
    """

    holds: Holds
    need: Need
    inside: str = ""


FIELDS: Final = {
    "created_at": Kind(Holds.TIME, Need.RECORDS),
    "data": Kind(Holds.VALUE, Need.OUTCOMES, "path"),
    "description": Kind(Holds.TEXT, Need.RECORDS),
    "feature_names": Kind(Holds.LABELS, Need.VALUE),
    "feature_transformations": Kind(Holds.VALUE, Need.VALUE, "path"),
    "feature_weights": Kind(Holds.VALUE, Need.VALUE, "path"),
    "hash": Kind(Holds.HASH, Need.HASH),
    "hyperparameters": Kind(Holds.VALUE, Need.VALUE, "path"),
    "metric": Kind(Holds.NUMBER, Need.OUTCOMES, "name"),
    "name": Kind(Holds.LABELS, Need.NAMES),
    "parent": Kind(Holds.HASHES, Need.RECORDS),
    "runs": Kind(Holds.COUNT, Need.RECORDS),
    "tag": Kind(Holds.LABELS, Need.TAGS),
}

_MAY_LACK: Final = (Holds.VALUE, Holds.NUMBER)
_ORDERED: Final = (Holds.VALUE, Holds.NUMBER, Holds.COUNT, Holds.TEXT, Holds.TIME)
_TEXTUAL: Final = (Holds.VALUE, Holds.TEXT, Holds.LABELS)


class Misnamed(Exception):
    """A path that leads to no field."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def kind_of(field: Field) -> Kind:
    """Return what kind of field it is."""
    return FIELDS[field.root]


def may_lack(field: Field) -> bool:
    """Tell whether a config may have no such value, so that every comparison with it is false."""
    return kind_of(field).holds in _MAY_LACK


def is_ordered(field: Field) -> bool:
    """Tell whether ``<`` makes sense of it."""
    return kind_of(field).holds in _ORDERED


def is_textual(field: Field) -> bool:
    """Tell whether ``like`` makes sense of it."""
    return kind_of(field).holds in _TEXTUAL


def find(path: Path) -> Field:
    """Return the field that a path means; one that begins with no field's name is inside the hyperparameters.

    Raises:
        Misnamed: The field is not followed by what it needs, or the path looks like a misspelt field.
    """
    root, rest = path[0], path[1:]
    if not isinstance(root, str) or root not in FIELDS:
        _refuse_misspelt(path)
        return Field(_HYPERPARAMETERS, path)
    inside = FIELDS[root].inside
    elsewhere = f"for the hyperparameter write {_HYPERPARAMETERS}.{format_path(path)}"
    if not inside and rest:
        raise Misnamed(f"there is nothing inside the field '{root}'", elsewhere)
    if inside == "name" and (len(rest) != 1 or not isinstance(rest[0], str)):
        example = f'{root}."{format_path(rest)}"' if len(rest) > 1 else f"{root}.sharpe"
        raise Misnamed(f"'{root}' is followed by one name, such as {example}", elsewhere)
    return Field(root, rest)


def _refuse_misspelt(path: Path) -> None:
    from difflib import get_close_matches

    root = str(path[0])
    close = [_ELSEWHERE[root]] if root in _ELSEWHERE else get_close_matches(root, FIELDS, n=1, cutoff=_CLOSE)
    if close:
        raise Misnamed(
            f"there is no field '{root}'",
            f"did you mean '{close[0]}'? for the hyperparameter write {_HYPERPARAMETERS}.{format_path(path)}",
        )
