"""Which column holds which path: values lie in tables of up to 32 columns, one row for each object that has any.

A row of many columns costs one byte for each that is empty, and a scan reads whole rows. So the most frequent paths
come first and lie together, and paths that only another family of configs has lie in tables that these do not fill.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from sqlite3 import Connection
from typing import Final, NamedTuple

from gemexp.index.cells import BIG_INT, LONG_TEXT, Cell
from gemexp.paths import Path

TABLE_COLUMNS: Final = 32
# All paths together, and those of one object: an enormous config must not take all the room.
MAX_PATHS: Final = 2048
MAX_LEAVES: Final = 512
MAX_PATH_CHARACTERS: Final = 500

CONFIGS: Final = "config_values"
OUTCOMES: Final = "outcome_values"

# Cells by the JSON text of their paths.
Leaves = Mapping[str, Cell]
# The texts of the paths that each table has columns for.
Layout = Mapping[int, tuple[str, ...]]


class Column(NamedTuple):
    """Where the values at a path are.

    Args:
        path: The path, whose first step is a field of the where-language.
        kind: `CONFIGS` or `OUTCOMES`.
        table: The table's number among those of its kind.
        number: The column's number.
    """

    path: Path
    kind: str
    table: int
    number: int

    @property
    def table_name(self) -> str:
        """The table's name."""
        return f"{self.kind}_{self.table}"

    @property
    def name(self) -> str:
        """The column's name."""
        return f"c{self.number}"


class Values(NamedTuple):
    """The values of some objects.

    Args:
        rows: Rows by table, of those objects that fit into them.
        others: Id and values of the others.
    """

    rows: dict[int, list[tuple[Cell | int | None, ...]]]
    others: list[tuple[int, Leaves]]


def arrange(objects: Iterable[tuple[int, Leaves]], layout: Layout) -> Values:
    """Make rows of values, as far as there are columns for all that an object has.

    Args:
        objects: Ids, and what each holds.
        layout: The columns that there are.
    """
    values = Values({}, [])
    tables = {text: table for table, texts in layout.items() for text in texts}
    for number, found in objects:
        if tables.keys() >= found.keys() and not (bytes in set(map(type, found.values())) and _is_odd(found)):
            for table in set(map(tables.__getitem__, found)):
                values.rows.setdefault(table, []).append((number, *map(found.get, layout[table])))
        else:
            values.others.append((number, found))
    return values


def _is_odd(found: Leaves) -> bool:
    """Tell whether an object holds what comparisons have to look for besides."""
    return any(type(value) is bytes and (value == LONG_TEXT or value[:1] == BIG_INT) for value in found.values())


class Columns:
    """The columns of an index; new paths get new ones.

    Args:
        connection: The index.

    Attributes:
        long: Columns that hold long text, of which only a mark is there.
        big: Columns that hold integers beyond those of SQLite.
        grown: Whether there are more than when this was made.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._by_text: dict[str, Column] = {}
        self._by_path: dict[Path, Column] = {}
        self.long: set[int] = set()
        self.big: set[int] = set()
        self.grown = False
        self._tables: dict[tuple[str, int], list[Column]] = {}
        self._texts: dict[tuple[str, int], list[str]] = {}
        statement = "SELECT number, kind, value_table, path, long, big FROM columns ORDER BY number"
        for number, kind, table, text, is_long, is_big in connection.execute(statement):
            self._note(text, Column(tuple(json.loads(text)), kind, table, number))
            self.long.update([number] if is_long else [])
            self.big.update([number] if is_big else [])

    def at(self, path: Path) -> Column | None:
        """Return the column of a path; None if it has none."""
        return self._by_path.get(path)

    def below(self, path: Path) -> list[Column]:
        """Return the columns of a path and of all paths inside it."""
        return [column for found, column in self._by_path.items() if found[: len(path)] == path]

    def tables(self, kind: str) -> list[list[Column]]:
        """Return the columns of each table of a kind."""
        return [columns for (found, _), columns in self._tables.items() if found == kind]

    def make_room(self, kind: str, many: Iterable[Leaves]) -> None:
        """Make columns for the paths of some objects, those first that are found most often."""
        counts = Counter(text for one in many if len(one) <= MAX_LEAVES for text in one)
        for text, _ in counts.most_common():
            self._column(kind, text)

    def layout(self, kind: str) -> Layout:
        """Return which table of a kind holds which paths."""
        return {table: tuple(texts) for (found, table), texts in self._texts.items() if found == kind}

    def insert(self, kind: str, values: Values) -> set[int]:
        """Insert the values of objects, unless they are there.

        Args:
            kind: `CONFIGS` or `OUTCOMES`.
            values: Their values.

        Returns:
            The ids of those that hold values at paths which have no column.
        """
        partial = set()
        for number, found in values.others:
            if not found.keys() <= self._by_text.keys() and not self._make_columns(kind, found):
                partial.add(number)
            known = {text: self._by_text[text] for text in found if text in self._by_text}
            for table in {column.table for column in known.values()}:
                row = (number, *map(found.get, self._texts[kind, table]))
                values.rows.setdefault(table, []).append(row)
            for text, column in known.items():
                self._mark(column.number, found[text])
        for table, many in values.rows.items():
            width = len(self._texts[kind, table])
            places = ", ".join("?" * (1 + width))
            padded = (row if len(row) > width else row + (None,) * (1 + width - len(row)) for row in many)
            # The names come from this module.
            self._connection.executemany(f"INSERT OR IGNORE INTO {kind}_{table} VALUES ({places})", padded)  # noqa: S608
        return partial

    def remove(self, kind: str, numbers: Iterable[int]) -> None:
        """Remove the values of objects that are not there any more."""
        for number in numbers:
            for table in self.layout(kind):
                # The names come from this module.
                self._connection.execute(f"DELETE FROM {kind}_{table} WHERE id = ?", (number,))  # noqa: S608

    def _make_columns(self, kind: str, found: Leaves) -> bool:
        """Make columns for the paths of an object that have none; tell whether all have one then."""
        if len(found) > MAX_LEAVES:
            return False
        columns = [self._column(kind, text) for text in found]
        return None not in columns

    def _column(self, kind: str, text: str) -> Column | None:
        """Return the column of a path, a new one if it has none; None if there is no more room."""
        if text in self._by_text:
            return self._by_text[text]
        if len(self._by_text) >= MAX_PATHS or len(text) > MAX_PATH_CHARACTERS:
            return None
        tables = self.tables(kind)
        if not tables or len(tables[-1]) == TABLE_COLUMNS:
            table, position, first = len(tables), 0, TABLE_COLUMNS * len(self._tables)
        else:
            table, position, first = len(tables) - 1, len(tables[-1]), tables[-1][0].number
        column = Column(tuple(json.loads(text)), kind, table, first + position)
        if position:
            self._connection.execute(f"ALTER TABLE {column.table_name} ADD COLUMN {column.name}")
        else:
            self._connection.execute(f"CREATE TABLE {column.table_name} (id INTEGER PRIMARY KEY, {column.name})")
        self._connection.execute(
            "INSERT INTO columns VALUES (?, ?, ?, ?, 0, 0, NULL)", (column.number, kind, column.table, text)
        )
        self._note(text, column)
        self.grown = True
        return column

    def _note(self, text: str, column: Column) -> None:
        self._by_text[text] = column
        self._by_path[column.path] = column
        self._tables.setdefault((column.kind, column.table), []).append(column)
        self._texts.setdefault((column.kind, column.table), []).append(text)

    def _mark(self, number: int, value: Cell) -> None:
        """Remember that a column holds what comparisons have to look for besides."""
        if type(value) is not bytes:
            return
        if value == LONG_TEXT and number not in self.long:
            self.long.add(number)
            self._connection.execute("UPDATE columns SET long = 1 WHERE number = ?", (number,))
        elif value[:1] == BIG_INT and number not in self.big:
            self.big.add(number)
            self._connection.execute("UPDATE columns SET big = 1 WHERE number = ?", (number,))
