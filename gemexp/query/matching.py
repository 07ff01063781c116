"""Queries to predicates: what a query says of one config.

A predicate asks a `Candidate` for no more than it has to: operands that need less are looked at first, and a candidate
reads what it is asked for only then.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Container, Mapping
from datetime import datetime
from functools import lru_cache
from operator import ge, gt, le, lt
from typing import Any, Final, NamedTuple, Protocol

from gemexp.paths import Path
from gemexp.query.fields import Holds, Need, kind_of
from gemexp.query.syntax import And, Atom, Compare, Exists, Field, In, Like, Not, Or, Period, Query, Scalar
from gemexp.query.traces import traces

_MISSING: Final = object()
_ORDERS: Final[dict[str, Callable[[Any, Any], bool]]] = {"<": lt, "<=": le, ">": gt, ">=": ge}
_PLAIN: Final = (str, int, float)
_WILDCARD = re.compile(r"\\(.)|([%_])|([^%_\\]+|\\)", re.DOTALL)

Predicate = Callable[["Candidate"], bool]
_Get = Callable[["Candidate"], Any]
_Test = Callable[[Any], bool]


class Candidate(Protocol):
    """A config that may match."""

    @property
    def config_hash(self) -> str:
        """Its hash."""

    @property
    def value(self) -> Mapping[str, Any]:
        """Its sections, those at least that the query asks for."""

    def may_hold(self, traces: tuple[bytes, ...]) -> bool:
        """Tell whether the config's bytes hold one of these; true if that is dearer to tell than to read its value."""

    @property
    def created_at(self) -> datetime:
        """When it was registered first."""

    @property
    def description(self) -> str:
        """Its description."""

    @property
    def parents(self) -> Collection[str]:
        """What it was made from."""

    @property
    def runs(self) -> int:
        """How often it was run."""

    @property
    def metrics(self) -> Mapping[str, float | None]:
        """The metrics of its latest run's outcome."""

    @property
    def outcome_data(self) -> Any:
        """What that outcome was computed on; None if not said."""


class Labels(NamedTuple):
    """Which labels an atom is true of.

    Args:
        exact: All of them, if they can be listed.
        test: Tells of any label.
    """

    exact: frozenset[str] | None
    test: Callable[[str], bool]


class Bearers(Protocol):
    """Who bears labels: configs are found by tag and by name, not tags and names by config."""

    def bearers(self, need: Need, labels: Labels) -> Container[str]:
        """Return the hashes of the configs that bear one of these tags, or names."""


def needs(query: Query) -> frozenset[Need]:
    """Return what may have to be read of a config to tell whether it matches."""
    if isinstance(query, Not):
        return needs(query.operand)
    if isinstance(query, (And, Or)):
        return frozenset[Need]().union(*map(needs, query.operands))
    return frozenset((kind_of(query.field).need,))


def predicate(query: Query, bearers: Bearers) -> Predicate:
    """Return a function that tells whether a config matches.

    Args:
        query: What is asked for.
        bearers: Asked for labels when the first config is looked at, at the earliest.
    """
    if isinstance(query, Not):
        denied = predicate(query.operand, bearers)
        return lambda candidate: not denied(candidate)
    if isinstance(query, (And, Or)):
        # No operand has an effect, so that their order is free.
        operands = sorted(query.operands, key=_price)
        predicates = [predicate(operand, bearers) for operand in operands]
        return _all(predicates) if isinstance(query, And) else _any(predicates)
    return _atom(query, bearers)


def clues(query: Query) -> tuple[bytes, ...]:
    """Return bytes of which the object of any config that matches holds at least one; none if nothing is known."""
    if isinstance(query, And):
        return next(filter(None, map(clues, sorted(query.operands, key=_price))), ())
    return () if isinstance(query, (Not, Or)) else traces(query)


def sections(query: Query) -> frozenset[str]:
    """Return which sections of a config's value may have to be read."""
    if isinstance(query, Not):
        return sections(query.operand)
    if isinstance(query, (And, Or)):
        return frozenset[str]().union(*map(sections, query.operands))
    return frozenset((query.field.root,) if kind_of(query.field).need is Need.VALUE else ())


def labels_of(atom: Atom) -> Labels:
    """Return which labels an atom on a field of labels is true of."""
    if isinstance(atom, Compare):
        exact = frozenset((str(atom.value),))
    elif isinstance(atom, In):
        exact = frozenset(map(str, atom.values))
    else:
        return Labels(None, like(atom.pattern) if isinstance(atom, Like) else lambda _label: True)
    return Labels(exact, exact.__contains__)


def _price(query: Query) -> tuple[Need, bool]:
    """Return what comes first: what needs little, then what is told without decoding in most cases."""
    return max(needs(query)), not (isinstance(query, In) or (isinstance(query, Compare) and query.operator == "="))


def _all(predicates: list[Predicate]) -> Predicate:
    if len(predicates) == 2:
        first, second = predicates
        return lambda candidate: first(candidate) and second(candidate)
    return lambda candidate: all(one(candidate) for one in predicates)


def _any(predicates: list[Predicate]) -> Predicate:
    if len(predicates) == 2:
        first, second = predicates
        return lambda candidate: first(candidate) or second(candidate)
    return lambda candidate: any(one(candidate) for one in predicates)


def _atom(atom: Atom, bearers: Bearers) -> Predicate:
    kind = kind_of(atom.field)
    if kind.need in (Need.TAGS, Need.NAMES):
        return _bearing(bearers, kind.need, labels_of(atom))
    get = _getter(atom.field)
    if kind.holds in (Holds.HASH, Holds.HASHES):
        return _hashed(atom, get)
    if kind.holds is Holds.LABELS:
        test = _on_labels(labels_of(atom))
    elif isinstance(atom, Exists) and kind.holds in (Holds.TEXT, Holds.COUNT):
        test = bool
    else:
        test = _test(atom)
    clues = traces(atom)
    if clues:
        return lambda candidate: candidate.may_hold(clues) and test(get(candidate))
    return lambda candidate: test(get(candidate))


def _bearing(bearers: Bearers, need: Need, labels: Labels) -> Predicate:
    # No more than one search, and none unless it comes to that.
    found = lru_cache(maxsize=1)(lambda: bearers.bearers(need, labels))
    return lambda candidate: candidate.config_hash in found()


def _on_labels(labels: Labels) -> _Test:
    if labels.exact is not None and len(labels.exact) == 1:
        (label,) = labels.exact
        return lambda found: label in found
    return lambda found: any(map(labels.test, found))


def _hashed(atom: Atom, get: _Get) -> Predicate:
    if isinstance(atom, Exists):
        return lambda candidate: bool(get(candidate))
    values = atom.values if isinstance(atom, In) else (atom.value,) if isinstance(atom, Compare) else ()
    prefixes = tuple(map(str, values))
    if kind_of(atom.field).holds is Holds.HASH:
        return lambda candidate: candidate.config_hash.startswith(prefixes)
    return lambda candidate: any(parent.startswith(prefixes) for parent in get(candidate))


def _getter(field: Field) -> _Get:
    """Return a function that gets what the field holds; `_MISSING` where there is nothing."""
    if kind_of(field).need is Need.VALUE:
        return _inside((field.root, *field.path))
    if field.root == "metric":
        (name,) = field.path
        return lambda candidate: candidate.metrics.get(str(name), _MISSING)
    if field.root == "data":
        return _data(field.path)
    attribute = {"hash": "config_hash", "parent": "parents"}.get(field.root, field.root)
    return lambda candidate: getattr(candidate, attribute)


def _inside(path: Path) -> _Get:
    if len(path) == 2 and isinstance(path[1], str):
        section, key = str(path[0]), path[1]
        return lambda candidate: candidate.value[section].get(key, _MISSING)
    return lambda candidate: _follow(candidate.value, path)


def _data(path: Path) -> _Get:
    def get(candidate: Candidate) -> Any:
        data = candidate.outcome_data
        return _MISSING if data is None else _follow(data, path)

    return get


def _follow(value: Any, path: Path) -> Any:
    for step in path:
        kind = type(value)
        if kind is dict:
            if step not in value:
                return _MISSING
        elif kind is not list or type(step) is not int or step >= len(value):
            return _MISSING
        value = value[step]
    return value


def _test(atom: Atom) -> _Test:
    """Return a function that tells of what a field holds, or of `_MISSING`."""
    if isinstance(atom, Exists):
        return lambda value: value is not _MISSING
    if isinstance(atom, Like):
        return like(atom.pattern)
    if isinstance(atom, In):
        return _member(atom.values)
    if isinstance(atom.value, Period):
        return _timely(atom.operator, atom.value)
    if atom.operator == "=":
        return _equal(atom.value)
    order, wanted = _ORDERS[atom.operator], atom.value
    if isinstance(wanted, str):
        return lambda value: type(value) is str and order(value, wanted)
    return lambda value: (type(value) is float or type(value) is int) and order(value, wanted)


def _equal(wanted: Scalar) -> _Test:
    if wanted is None or isinstance(wanted, bool):
        return lambda value: value is wanted
    if wanted != wanted:
        return lambda value: type(value) is float and value != value
    # A truth value is an int in Python, and here it is none.
    return lambda value: bool(value == wanted) and type(value) is not bool


def _member(values: tuple[Scalar | Period, ...]) -> _Test:
    plain = frozenset(value for value in values if type(value) in _PLAIN)
    others = [
        _timely("=", value) if isinstance(value, Period) else _equal(value)
        for value in values
        if type(value) not in _PLAIN or value != value
    ]
    return lambda value: (type(value) in _PLAIN and value in plain) or any(other(value) for other in others)


def _timely(operator: str, period: Period) -> Callable[[datetime], bool]:
    first, last = period.first, period.last
    if operator == "=":
        return lambda moment: first <= moment <= last
    # Less than a day is before it, and less or equal is not after it.
    order, end = _ORDERS[operator], first if operator in ("<", ">=") else last
    return lambda moment: order(moment, end)


def like(pattern: str) -> Callable[[Any], bool]:
    """Return a function that tells whether a value is text of a form.

    What stands between two ``%`` is looked for once, from the left, and never given up again: that is enough, and
    keeps the time linear where an expression that tries all ways would take forever.
    """
    parts: list[list[str]] = [[]]
    for match in _WILDCARD.finditer(pattern):
        escaped, wildcard, plain = match.groups()
        if wildcard == "%":
            parts.append([])
        else:
            parts[-1] += ["."] if wildcard else map(re.escape, plain if escaped is None else escaped)
    first, *others = parts
    expression = "".join(first)
    if others:
        *middle, last = others
        expression += "".join(f"(?>.*?{''.join(part)})" for part in middle if part)
        expression += f"(?=.{{{len(last)}}}).*+(?<={''.join(last)})"
    found = re.compile(expression, re.DOTALL)
    return lambda value: type(value) is str and found.fullmatch(value) is not None
