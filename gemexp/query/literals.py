"""What is written on the right side of a comparison, as the value that it means beside a field.

Where only text can stand, as beside a tag, ``2024`` is text; beside a hyperparameter it is a number.
"""

from __future__ import annotations

import re
from calendar import monthrange
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from json import JSONDecoder
from math import inf, isinf, nan
from typing import Final, NamedTuple

from gemexp.digest import HASH_DIGITS, MIN_PREFIX_DIGITS, is_prefix
from gemexp.query.fields import Holds, kind_of
from gemexp.query.syntax import Field, Period, Scalar

MAX_DIGITS: Final = 1000

NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_INTEGER = re.compile(r"[+-]?[0-9]+")
_SINGLE_QUOTED = re.compile(r'\\.|"', re.DOTALL)
_TO_DOUBLE_QUOTES: Final = {'"': '\\"', "\\'": "'"}
_DAY = re.compile(r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2}))?)?")
_DATED = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ]")
_NOW = re.compile(r"now(?:\s*-\s*([0-9]+)\s*([a-z]+))?")
_UNITS: Final = {"s": 1, "min": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_WORDS: Final[dict[str, Scalar]] = {
    "true": True,
    "false": False,
    "null": None,
    "nan": nan,
    "inf": inf,
    "+inf": inf,
    "-inf": -inf,
}
_READ_STRING = JSONDecoder(strict=False).decode
_ALL_BUT_A_MICROSECOND: Final = timedelta(days=1, microseconds=-1)

# What ``now`` means while an expression is read.
NOW: Final[ContextVar[datetime]] = ContextVar("now")


class Misread(Exception):
    """Something that the grammar allows and the language does not; ``position`` counts from 0."""

    def __init__(self, position: int, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.position = position
        self.message = message
        self.hint = hint


class Literal(NamedTuple):
    """A value as it is written.

    Args:
        text: The value, without quotes.
        quoted: It was in quotes.
        position: Where it stands.
        ago: What is subtracted from it, such as ``- 7d``; empty for nothing.
        ago_position: Where that stands.
    """

    text: str
    quoted: bool
    position: int
    ago: str = ""
    ago_position: int = 0


def unquote(written: str, position: int) -> str:
    """Return the text that a JSON string means, in double quotes or single ones.

    Raises:
        Misread: It is none.
    """
    if written[0] == "'":
        inner = _SINGLE_QUOTED.sub(lambda match: _TO_DOUBLE_QUOTES.get(match[0], match[0]), written[1:-1])
        return unquote(f'"{inner}"', position)
    try:
        text: str = _READ_STRING(written)
        text.encode()
    except ValueError:  # UnicodeEncodeError is one
        message = f"{written[:40]} is not a string as JSON has it"
        raise Misread(position, message, "a backslash is written twice: \\\\") from None
    return text


def value_of(field: Field, literal: Literal, *, ordered: bool = False) -> Scalar | Period:
    """Return what a literal means beside a field.

    Args:
        field: What it is compared with.
        literal: As it is written.
        ordered: It is to be less or greater, not only equal.

    Raises:
        Misread: It makes no sense there.
    """
    holds = kind_of(field).holds
    if holds is Holds.TIME:
        return _period(literal)
    text = text_of(literal)
    if holds in (Holds.TEXT, Holds.LABELS):
        return text
    if holds in (Holds.HASH, Holds.HASHES):
        return _prefix(literal)
    value = text if literal.quoted else _scalar(literal)
    is_number = type(value) in (int, float)
    if holds in (Holds.NUMBER, Holds.COUNT) and not is_number and (value is not None or holds is Holds.COUNT):
        raise Misread(literal.position, f"'{field}' is a number, and '{text}' is none")
    if ordered and (value != value or not (is_number or isinstance(value, str))):
        raise Misread(literal.position, f"'{text}' has no order", "only numbers and text are less or greater")
    return value


def text_of(literal: Literal) -> str:
    """Return a literal's text.

    Raises:
        Misread: Something is subtracted from it.
    """
    if literal.ago:
        hint = "only from now something is subtracted, beside created_at; text with blanks is quoted"
        raise Misread(literal.ago_position, f"cannot read on at '{literal.ago}'", hint)
    return literal.text


def _scalar(literal: Literal) -> Scalar:
    text = literal.text
    if text in _WORDS:
        return _WORDS[text]
    if not NUMBER.fullmatch(text):
        return text
    if len(text) > MAX_DIGITS:
        raise Misread(literal.position, f"the number has more than {MAX_DIGITS} digits")
    if _INTEGER.fullmatch(text):
        return int(text)
    number = float(text)
    if isinf(number):
        raise Misread(literal.position, f"'{text}' is beyond what a 64-bit float holds", "write inf or -inf")
    return number


def _prefix(literal: Literal) -> str:
    if not is_prefix(literal.text):
        hint = f"it has {MIN_PREFIX_DIGITS} to {HASH_DIGITS} hexadecimal digits"
        raise Misread(literal.position, f"'{literal.text}' is not a hash or the beginning of one", hint)
    return literal.text.lower()


def _period(literal: Literal) -> Period:
    """Read a year, a month, a day, a moment, ``now``, or ``now - 7d``; without a zone it is UTC."""
    text = f"{literal.text} {literal.ago}".strip()
    try:
        if match := _DAY.fullmatch(text):
            return _calendar(*match.groups())
        if match := _NOW.fullmatch(text):
            moment = NOW.get()
            if match[1]:
                moment -= timedelta(seconds=int(match[1]) * _UNITS[match[2]])
            return Period(moment, moment)
        moment = datetime.fromisoformat(text if _DATED.match(text) else "")
        moment = moment.replace(tzinfo=UTC) if moment.utcoffset() is None else moment.astimezone(UTC)
    except (ValueError, OverflowError, KeyError):
        hint = "such as 2026-10-01, '2026-10-01T12:00Z', now, or now - 7d (s min h d w)"
        raise Misread(literal.position, f"'{text}' is not a time", hint) from None
    return Period(moment, moment)


def _calendar(year: str, month: str | None, day: str | None) -> Period:
    first = datetime(int(year), int(month or 1), int(day or 1), tzinfo=UTC)
    last = first
    if day is None:
        last_month = int(month or 12)
        last = datetime(first.year, last_month, monthrange(first.year, last_month)[1], tzinfo=UTC)
    return Period(first, last + _ALL_BUT_A_MICROSECOND)
