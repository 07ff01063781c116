"""Queries to conditions in SQL, which say the same as `gemexp.query.matching` wherever the index knows enough.

Where it does not, as of feature weights, which it does not hold, a query is enclosed from both sides: by a condition
under which it is surely true, and one without which it cannot be. What lies between is looked up in the store.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import inf
from typing import Any, Final, NamedTuple

from gemexp import canonical
from gemexp.index.cells import ARRAY, BIG_INT, LONG_TEXT, MAX_INT, MIN_INT, equals, hash_span, id_span, is_short
from gemexp.index.columns import CONFIGS, Column, Columns
from gemexp.index.reading import microseconds
from gemexp.index.schema import DAMAGED
from gemexp.query.fields import Holds, Need, kind_of
from gemexp.query.matching import Labels, labels_of, like
from gemexp.query.syntax import And, Atom, Compare, Exists, In, Like, Not, Operator, Or, Period, Query, Scalar

# What a statement of SQLite can hold is limited, and so is its depth. Whatever is larger is looked up in the store.
MAX_ATOMS: Final = 100
MAX_VALUES: Final = 10_000

_MIRRORED: Final[dict[str, str]] = {"<": "<=", "<=": "<=", ">": ">=", ">=": ">="}


class TooLarge(Exception):
    """A query that does not fit into a statement."""


class Term(NamedTuple):
    """A condition on a config that is true or false, never undecided.

    Args:
        sql: The condition; of a row in `table`, or of the config's own row.
        table: The table of values that it speaks of; None for the config's row.
        missing: What holds of a config that has no row in that table.
    """

    sql: str
    table: str | None = None
    missing: bool = False


TRUE: Final = Term("1")
FALSE: Final = Term("0")


class Bounds(NamedTuple):
    """What encloses a query: it is true where the first is, and false where the second is not."""

    sure: Term
    possible: Term

    @property
    def exact(self) -> bool:
        """Whether nothing lies between."""
        return self.sure == self.possible


class Knowledge(NamedTuple):
    """What has to be known of an index to compile queries to it.

    Args:
        columns: Its columns.
        tags: Numbers of tags by their names.
        partial_configs: There are configs with values that have no column.
        partial_outcomes: There are outcomes with such values.
        damaged_outcomes: There are outcomes that could not be read.
        bearers: Returns the ids of the configs that names point to.
    """

    columns: Columns
    tags: dict[str, int]
    partial_configs: bool
    partial_outcomes: bool
    damaged_outcomes: bool
    bearers: Callable[[Labels], Sequence[int]]


class Compiler:
    """Compiles one query.

    Args:
        knowledge: Of the index.

    Attributes:
        values: What the statement's parameters stand for.
        functions: Functions that it calls.
    """

    def __init__(self, knowledge: Knowledge) -> None:
        self._knowledge = knowledge
        self._atoms = 0
        self.values: dict[str, Any] = {}
        self.functions: dict[str, Callable[[Any], bool]] = {}

    def compile(self, query: Query) -> Bounds:
        """Return what encloses a query.

        Raises:
            TooLarge: It does not fit into a statement.
        """
        if isinstance(query, Not):
            denied = self.compile(query.operand)
            return Bounds(_not(denied.possible), _not(denied.sure))
        if isinstance(query, (And, Or)):
            join = _and if isinstance(query, And) else _or
            found = [self.compile(operand) for operand in query.operands]
            return Bounds(join([one.sure for one in found]), join([one.possible for one in found]))
        self._atoms += 1
        if self._atoms > MAX_ATOMS:
            raise TooLarge
        return self._atom(query)

    def _atom(self, atom: Atom) -> Bounds:
        kind = kind_of(atom.field)
        root = atom.field.root
        if root in ("hyperparameters", "metric", "data"):
            return self._inside(atom)
        if kind.need is Need.VALUE:
            return Bounds(FALSE, TRUE)
        if kind.need is Need.TAGS:
            term = self._tagged(labels_of(atom))
        elif kind.need is Need.NAMES:
            term = self._listed("configs.id", self._knowledge.bearers(labels_of(atom)))
        elif kind.holds is Holds.TIME:
            term = self._timely(atom)
        elif kind.holds is Holds.HASH:
            term = TRUE if isinstance(atom, Exists) else _or([self._hashed(prefix) for prefix in _texts(atom)])
        elif kind.holds is Holds.HASHES:
            term = self._parents(atom)
        elif isinstance(atom, Exists):
            term = Term("configs.description != ''" if kind.holds is Holds.TEXT else "configs.runs > 0")
        else:
            # The plus keeps SQLite from taking text for the number that it looks like.
            term = Term(self._compared(f"+configs.{root}", atom, long=False, big=False)[0])
        return Bounds(term, term)

    # Values

    def _inside(self, atom: Atom) -> Bounds:
        """Compile what is asked of values that have columns."""
        field, columns = atom.field, self._knowledge.columns
        path = (field.root, *field.path)
        steps = next((at for at, step in enumerate(path) if isinstance(step, int)), len(path))
        if field.root == "hyperparameters" and not field.path:
            term = TRUE if isinstance(atom, Exists) else FALSE  # a map is equal to nothing
            return Bounds(term, term)
        sure, possible = FALSE, FALSE
        if steps < len(path):
            column = columns.at(path[:steps])
            if column is not None:
                possible = Term(f"{column.name} = {self._value(ARRAY)}", column.table_name)
        elif isinstance(atom, Exists):
            sure = possible = self._filled(columns.below(path))
        else:
            column = columns.at(path)
            if column is not None:
                sure, possible = self._of_column(column, atom)
        return Bounds(sure, _or([possible, *self._unknown(field.root)]))

    def _filled(self, found: Iterable[Column]) -> Term:
        """Return the term for: one of these columns has a value."""
        tables: dict[str, list[str]] = {}
        for column in found:
            tables.setdefault(column.table_name, []).append(column.name)
        return _or([Term(f"coalesce({', '.join(names)}, NULL) IS NOT NULL", table) for table, names in tables.items()])

    def _of_column(self, column: Column, atom: Atom) -> tuple[Term, Term]:
        columns = self._knowledge.columns
        surely, possibly = self._compared(
            column.name, atom, long=column.number in columns.long, big=column.number in columns.big
        )
        return Term(surely, column.table_name), Term(possibly, column.table_name)

    def _unknown(self, root: str) -> list[Term]:
        """Return of which configs not all values of a field are known."""
        if root == "hyperparameters":
            return [Term("configs.partial IS NOT NULL")] if self._knowledge.partial_configs else []
        states = [f"state = {DAMAGED}"] if self._knowledge.damaged_outcomes else []
        states += ["partial IS NOT NULL"] if self._knowledge.partial_outcomes else []
        # Words of this module.
        among = f"SELECT id FROM outcomes WHERE {' OR '.join(states)}"  # noqa: S608
        return [Term(f"configs.outcome IN ({among})")] if states else []

    def _compared(self, cell: str, atom: Atom, *, long: bool, big: bool) -> tuple[str, str]:
        """Return SQL on a cell: under which an atom is surely true, and without which it cannot be.

        Args:
            cell: The cell's name.
            atom: What is asked of it.
            long: It may be long text.
            big: It may be an integer beyond those of SQLite.
        """
        maybe_long = False
        if isinstance(atom, Like):
            sql, maybe_long = self._like(cell, atom.pattern), True
        elif isinstance(atom, In):
            values = [value for value in atom.values if not isinstance(value, Period)]
            sql, maybe_long = self._equal(cell, values), any(map(_is_long, values))
        elif isinstance(atom, Compare) and not isinstance(atom.value, Period):
            value = atom.value
            if atom.operator == "=":
                sql, maybe_long = self._equal(cell, [value]), _is_long(value)
            elif isinstance(value, str):
                sql, maybe_long = self._text_order(cell, atom.operator, value), True
            else:
                sql = self._number_order(cell, atom.operator, value, big=big)
        else:
            raise TypeError(atom)
        return sql, f"({sql} OR {cell} = {self._value(LONG_TEXT)})" if long and maybe_long else sql

    def _equal(self, cell: str, values: Sequence[Scalar]) -> str:
        whole = cell.startswith("+")  # a column of its own, which holds long text too
        forms = [form for value in values for form in ([value] if whole and type(value) is str else equals(value))]
        if len(forms) == 1:
            return f"{cell} = {self._value(forms[0])}"
        return f"{cell} IN ({', '.join(map(self._value, forms))})"

    def _text_order(self, cell: str, operator: Operator, text: str) -> str:
        # Text lies between numbers and blobs.
        end = f"{cell} >= ''" if operator in ("<", "<=") else f"{cell} < x''"
        return f"({cell} {operator} {self._value(text)} AND {end})"

    def _number_order(self, cell: str, operator: Operator, value: Any, *, big: bool) -> str:
        """Compare by value; text and blobs are greater than all numbers, and are none."""
        shown: str = operator
        bound = value
        if type(value) is int and not MIN_INT <= value <= MAX_INT:
            bound = _nearest(value)
            if bound > value:  # there is no float between, so that less is less, and less or equal is less too
                shown = operator[0] if operator[0] == "<" else ">="
            elif bound < value:
                shown = "<=" if operator[0] == "<" else operator[0]
        end = "" if operator[0] == "<" else f" AND {cell} < ''"
        sql = f"({cell} {shown} {self._value(bound)}{end})"
        return f"({sql} OR {self._big_order(cell, operator, value)})" if big else sql

    def _big_order(self, cell: str, operator: Operator, value: Any) -> str:
        """Compare what is beyond SQLite's integers: blobs in the order of their values."""
        first, last = MAX_INT + 1, canonical.MAX_INT
        # A float of that size is whole, and of a smaller one it only matters that it is smaller.
        whole = int(value) if abs(value) < inf else last + 1 if value > 0 else -1
        if operator[0] == "<":
            last = min(last, whole if operator == "<=" else whole - 1)
        else:
            first = max(first, whole if operator == ">=" else whole + 1)
        if first > last:
            return "0"
        low, high = (self._value(BIG_INT + bound.to_bytes(8)) for bound in (first, last))
        return f"{cell} BETWEEN {low} AND {high}"

    def _like(self, cell: str, pattern: str) -> str:
        name = f"like_{len(self.functions)}"
        self.functions[name] = like(pattern)
        return f"{name}({cell})"

    # What else is known of a config

    def _tagged(self, labels: Labels) -> Term:
        tags = self._knowledge.tags
        names = filter(labels.test, tags) if labels.exact is None else labels.exact & tags.keys()
        wanted = [tags[name] for name in names]
        if not wanted:
            return FALSE
        listed = ", ".join(map(self._value, wanted))
        # Parameters are listed, not what they stand for.
        return Term(f"configs.id IN (SELECT config FROM tagged WHERE tag IN ({listed}) AND present)")  # noqa: S608

    def _listed(self, column: str, values: Sequence[Any]) -> Term:
        return Term(f"{column} IN ({', '.join(map(self._value, values))})") if values else FALSE

    def _timely(self, atom: Atom) -> Term:
        if isinstance(atom, Exists):
            return TRUE
        if isinstance(atom, In):
            return _or([self._in_period("=", value) for value in atom.values if isinstance(value, Period)])
        if isinstance(atom, Compare) and isinstance(atom.value, Period):
            return self._in_period(atom.operator, atom.value)
        raise TypeError(atom)

    def _in_period(self, operator: Operator, period: Period) -> Term:
        first, last = microseconds(period.first), microseconds(period.last)
        if operator == "=":
            return Term(f"configs.created BETWEEN {self._value(first)} AND {self._value(last)}")
        end = first if operator in ("<", ">=") else last
        return Term(f"configs.created {operator} {self._value(end)}")

    def _hashed(self, prefix: str) -> Term:
        first, last = map(self._value, id_span(prefix))
        low, high = map(self._value, hash_span(prefix))
        return Term(f"(configs.id BETWEEN {first} AND {last} AND configs.hash BETWEEN {low} AND {high})")

    def _parents(self, atom: Atom) -> Term:
        if isinstance(atom, Exists):
            return Term("configs.id IN (SELECT config FROM parents)")
        spans = [" AND ".join(map(self._value, hash_span(prefix))) for prefix in _texts(atom)]
        wanted = " OR ".join(f"parent BETWEEN {span}" for span in spans)
        # As above.
        return Term(f"configs.id IN (SELECT config FROM parents WHERE {wanted})") if wanted else FALSE  # noqa: S608

    def _value(self, value: Any) -> str:
        """Return the parameter that stands for a value."""
        if len(self.values) >= MAX_VALUES:
            raise TooLarge
        name = f"v{len(self.values)}"
        self.values[name] = value
        return f":{name}"


def render(term: Term) -> str:
    """Return a term as a condition on the config's row."""
    if term.table is None:
        return term.sql
    key = "id" if term.table.startswith(CONFIGS) else "outcome"
    where = f"({term.sql}) IS NOT TRUE" if term.missing else term.sql
    found = f"configs.{key} IN (SELECT id FROM {term.table} WHERE {where})"  # noqa: S608 - its own names and parameters
    return f"({found}) IS NOT TRUE" if term.missing else found


def _not(term: Term) -> Term:
    if term in (TRUE, FALSE):
        return FALSE if term == TRUE else TRUE
    return Term(f"({term.sql}) IS NOT TRUE", term.table, not term.missing if term.table else False)


def _and(terms: list[Term]) -> Term:
    return _joined([term for term in terms if term != TRUE], "AND", FALSE, TRUE)


def _or(terms: list[Term]) -> Term:
    return _joined([term for term in terms if term != FALSE], "OR", TRUE, FALSE)


def _joined(terms: list[Term], word: str, decisive: Term, neutral: Term) -> Term:
    """Join terms; those on one table become one look at it."""
    if not terms or decisive in terms:
        return decisive if terms else neutral
    by_table: dict[str | None, list[Term]] = {}
    for term in terms:
        by_table.setdefault(term.table, []).append(term)
    groups = [_same(found, word) for found in by_table.values()]
    if len(groups) == 1:
        return groups[0]
    return Term("(" + f" {word} ".join(map(render, groups)) + ")")


def _same(terms: list[Term], word: str) -> Term:
    """Join terms on the same table."""
    if len(terms) == 1:
        return terms[0]
    missing = all(term.missing for term in terms) if word == "AND" else any(term.missing for term in terms)
    return Term("(" + f" {word} ".join(term.sql for term in terms) + ")", terms[0].table, missing)


def _texts(atom: Atom) -> list[str]:
    values = atom.values if isinstance(atom, In) else (atom.value,) if isinstance(atom, Compare) else ()
    return list(map(str, values))


def _is_long(value: Scalar) -> bool:
    return isinstance(value, str) and not is_short(value)


def _nearest(value: int) -> float:
    """Return the float that is nearest to an integer, infinite if it is beyond all."""
    try:
        return float(value)
    except OverflowError:
        return inf if value > 0 else -inf
