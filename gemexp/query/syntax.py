"""Queries as data: what a where-expression says, in seven kinds of nodes, to be evaluated or compiled to SQL.

Every query is true or false of a config, never undecided: a comparison with a value that is not there is false.
``!=``, ``not in`` and ``not like`` are no nodes of their own: `gemexp.query.where` writes them out with `Not` and
`Exists`. ``str`` of a query is an expression that reads back as the same query.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from gemexp.notation import inline, quote
from gemexp.paths import Path

Scalar = str | int | float | bool | None
Operator = Literal["=", "<", "<=", ">", ">="]

KEYWORDS: Final = frozenset(("and", "or", "not", "in", "like", "exists"))
# A key of a path that needs no quotes: what ends a word of an expression cannot stand in it.
PLAIN_KEY: Final = r"""[^\s.:="'\[\]<>!(),]+"""

_PLAIN_KEY = re.compile(PLAIN_KEY)
_UNSEEN_PLAIN = re.compile(r"[\x00-\x20\x7f-\xa0]")
_INSTANT: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Field:
    """What a config is asked for.

    Args:
        root: One of `gemexp.query.fields.FIELDS`.
        path: Where inside it, such as ``("model", "lr")`` in ``hyperparameters``.
    """

    root: str
    path: Path = ()

    def __str__(self) -> str:
        return self.root + "".join(f"[{step}]" if isinstance(step, int) else f".{_key(step)}" for step in self.path)


@dataclass(frozen=True, slots=True)
class Period:
    """A stretch of time, such as a day; both ends belong to it, and of a moment they are the same.

    Args:
        first: Its first microsecond, in UTC.
        last: Its last.
    """

    first: datetime
    last: datetime

    def __str__(self) -> str:
        if self.first == self.last:
            return quote(self.first.isoformat(timespec="microseconds"))
        days = (self.last - self.first + _INSTANT).days
        return quote(self.first.isoformat()[: 10 if days == 1 else 7 if days < 32 else 4])


@dataclass(frozen=True, slots=True)
class Compare:
    """The field, or one of its labels, stands in this relation to the value.

    Numbers compare by value, whether they are int or float, and text by code points; other types have no order.
    Of a hash, the value is a prefix.
    """

    field: Field
    operator: Operator
    value: Scalar | Period

    def __str__(self) -> str:
        return f"{self.field} {self.operator} {_literal(self.value)}"


@dataclass(frozen=True, slots=True)
class In:
    """The field, or one of its labels, is equal to one of the values."""

    field: Field
    values: tuple[Scalar | Period, ...]

    def __str__(self) -> str:
        return f"{self.field} in [{', '.join(map(_literal, self.values))}]"


@dataclass(frozen=True, slots=True)
class Like:
    """The field, or one of its labels, is text of a form.

    ``%`` stands for any characters, ``_`` for one, and a backslash takes the meaning from what follows it.
    """

    field: Field
    pattern: str

    def __str__(self) -> str:
        return f"{self.field} like {quote(self.pattern)}"


@dataclass(frozen=True, slots=True)
class Exists:
    """There is such a value; a field of text or of labels is not empty, a count not 0."""

    field: Field

    def __str__(self) -> str:
        return f"exists {self.field}"


@dataclass(frozen=True, slots=True)
class Not:
    """The operand is false."""

    operand: Query

    def __str__(self) -> str:
        return f"not {_operand(self.operand)}"


@dataclass(frozen=True, slots=True)
class And:
    """All operands are true. There are two or more, and none is an `And` itself."""

    operands: tuple[Query, ...]

    def __str__(self) -> str:
        return " and ".join(map(_operand, self.operands))


@dataclass(frozen=True, slots=True)
class Or:
    """One of the operands is true. There are two or more, and none is an `Or` itself."""

    operands: tuple[Query, ...]

    def __str__(self) -> str:
        return " or ".join(f"({one})" if isinstance(one, Or) else str(one) for one in self.operands)


Atom = Compare | In | Like | Exists
Query = Atom | Not | And | Or


def conjunction(*queries: Query) -> Query:
    """Return the query that is true where all are; there is at least one."""
    operands = [part for query in queries for part in (query.operands if isinstance(query, And) else (query,))]
    return operands[0] if len(operands) == 1 else And(tuple(operands))


def disjunction(*queries: Query) -> Query:
    """Return the query that is true where any is; there is at least one."""
    operands = [part for query in queries for part in (query.operands if isinstance(query, Or) else (query,))]
    return operands[0] if len(operands) == 1 else Or(tuple(operands))


def _operand(query: Query) -> str:
    return f"({query})" if isinstance(query, (And, Or)) else str(query)


def _key(key: str) -> str:
    return key if _PLAIN_KEY.fullmatch(key) and not _UNSEEN_PLAIN.search(key) else quote(key)


def _literal(value: Scalar | Period) -> str:
    return str(value) if isinstance(value, Period) else inline(value)
