"""Rows to columns of one type each, a chunk of rows at a time. Knows nothing of any library, nor of the store."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final, NamedTuple

from gemexp.errors import InvalidInput, NotFound
from gemexp.formats import dumps
from gemexp.frames.kinds import Kind, Seen, Type
from gemexp.notation import format_path
from gemexp.paths import Path, parse_path

CONFIG: Final = "config"
METRIC: Final = "metric"
# What each config has once; the last is the whole of it.
FIXED: Final = {
    "config_hash": Type(Kind.TEXT),
    "created_at": Type(Kind.TIME),
    "description": Type(Kind.TEXT),
    "tags": Type(Kind.TEXT, listed=True),
    "feature_names": Type(Kind.TEXT, listed=True),
    CONFIG: Type(Kind.DOCUMENT),
}
# Maps with a column for each value in them.
MAPS: Final = ("feature_weights", "feature_transformations", "hyperparameters", METRIC)
# What the newest config is known by, so that it can be put first.
ORDER: Final = ("created_at", "config_hash")

_MAX_COLUMNS: Final = 10_000
_CHUNK_CELLS: Final = 500_000
_CHUNK_ROWS: Final = 16_384
_CHUNK_BYTES: Final = 4 * 1024 * 1024


class Column(NamedTuple):
    """A column of a table.

    Args:
        name: What it is called: the path of its values, as `gemexp show REV:PATH` takes it.
        type: What they are.
        shown: It was asked for; others are there to sort by.
    """

    name: str
    type: Type
    shown: bool = True


class Row(NamedTuple):
    """A row before it is taken apart.

    Args:
        fixed: Values of `FIXED`.
        maps: Values of `MAPS`.
    """

    fixed: dict[str, Any]
    maps: dict[str, dict[str, Any]]


class Chunk(NamedTuple):
    """Some rows, column by column.

    Args:
        rows: How many.
        cells: The values of each column, in the order of the columns, and of its type; None where there is none.
    """

    rows: int
    cells: list[list[Any]]


class Wanted:
    """Which columns are asked for.

    Attributes:
        paths: The paths of the columns, or those that several lie below.
        named: They were asked for one by one, and are to be there.

    Args:
        columns: Names of columns, or paths that several columns lie below; None for all but ``config``.
        metrics: With the metrics, if all are asked for.
        whole: With ``config``, if all are asked for.

    Raises:
        InvalidInput: There can be no such column.
    """

    def __init__(self, columns: Collection[str] | None = None, *, metrics: bool = True, whole: bool = False) -> None:
        self.named = columns is not None
        if columns is None:
            left_out = {name for name, wanted in ((METRIC, metrics), (CONFIG, whole)) if not wanted}
            columns = [name for name in (*FIXED, *MAPS) if name not in left_out]
        elif isinstance(columns, str):
            raise InvalidInput(f"columns is '{columns}', not a list of columns", hint="write a list")
        self.paths = [_column_path(name) for name in columns]
        self._roots = {path[0] for path in self.paths}

    def __contains__(self, root: str) -> bool:
        """Tell whether anything below a name of `FIXED` or `MAPS` is asked for."""
        return root in self._roots


class _Node:
    """A path into a config.

    Args:
        path: The path.
        wanted: Values here and below are asked for.
    """

    __slots__ = ("cells", "children", "convert", "path", "seen", "wanted")

    def __init__(self, path: Path, *, wanted: bool) -> None:
        self.path = path
        self.wanted = wanted
        self.children: dict[str, _Node] = {}
        self.seen: Seen | None = None  # what the values have been, if there were any
        self.cells: list[Any] | None = None  # where they go
        self.convert: Callable[[Any], Any] | None = None

    def leaves(self) -> Iterator[_Node]:
        """Yield the nodes that have values, sorted."""
        if self.seen is not None:
            yield self
        for key in sorted(self.children):
            yield from self.children[key].leaves()


class Table:
    """First sees all rows to tell the columns, then takes them once more to fill these.

    Args:
        wanted: Which columns are asked for.
    """

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._root = _Node((), wanted=False)
        self._leaves = 0
        self._rows = 0
        for path in sorted(wanted.paths, key=len):  # what lies below another is asked for with it
            if path[0] in MAPS:
                self._grow(path)

    def _grow(self, path: Path) -> None:
        node = self._root
        for position, key in enumerate(path, 1):
            child = node.children.get(str(key))
            if child is None:
                child = node.children[str(key)] = _Node(path[:position], wanted=node.wanted)
            node = child
        node.wanted = True

    # Looking

    def look(self, maps: Mapping[str, dict[str, Any]]) -> None:
        """Look at the maps of one row.

        Raises:
            InvalidInput: There are too many columns.
        """
        self._rows += 1
        for name, value in maps.items():
            node = self._root.children.get(name)
            if node is not None:
                self._look(node, value)

    def _look(self, node: _Node, value: dict[str, Any]) -> None:
        children = node.children
        for key, item in value.items():
            child = children.get(key)
            if child is None:
                if not node.wanted:
                    continue
                child = children[key] = _Node((*node.path, key), wanted=True)
            if type(item) is dict and item:
                self._look(child, item)
            elif child.wanted:
                if child.seen is None:
                    child.seen = self._seen(child.path)
                child.seen.add(item)

    def _seen(self, path: Path) -> Seen:
        self._leaves += 1
        if self._leaves > _MAX_COLUMNS:
            raise InvalidInput(
                f"the configs have more than {_MAX_COLUMNS} different paths, '{format_path(path)}' among them, "
                "and a table has a column for each",
                hint="name the columns that are needed, or export to .jsonl",
            )
        return Seen(Kind.FLOAT if path[0] == METRIC else Kind.TEXT)

    def columns(self) -> list[Column]:
        """Return the columns of the rows that were seen, those to sort by first where they were not asked for.

        Raises:
            NotFound: No row has a value in a column that was asked for.
        """
        hidden = [Column(name, FIXED[name], shown=False) for name in ORDER if (name,) not in self._wanted.paths]
        shown: dict[str, Column] = {}
        for path in self._wanted.paths:
            for column in self._columns(path):
                shown.setdefault(column.name, column)
        return [*hidden, *shown.values()]

    def _columns(self, path: Path) -> list[Column]:
        name = format_path(path)
        if name in FIXED:
            return [Column(name, FIXED[name])]
        found = [Column(format_path(leaf.path), leaf.seen.type) for leaf in self._at(path).leaves() if leaf.seen]
        if not found and self._wanted.named and len(path) > 1:  # a map as a whole may be empty
            if self._rows:
                hint = "without columns, all that there are are returned"
                raise NotFound(f"no config has the column '{name}'", subject=name, hint=hint)
            found = [Column(name, self._seen(path).type)]
        return found

    def _at(self, path: Path) -> _Node:
        node = self._root
        for key in path:
            node = node.children[str(key)]
        return node

    # Filling

    def chunks(self, columns: Sequence[Column], rows: Iterator[Row]) -> Iterator[Chunk]:
        """Yield the rows that were seen, as chunks of columns; at least one, which may be empty.

        Args:
            columns: What `columns` returned.
            rows: The same rows once more, or fewer.
        """
        most = max(1, min(_CHUNK_ROWS, _CHUNK_CELLS // len(columns), self._rows))
        leaves = {format_path(leaf.path): leaf for leaf in self._root.leaves()}
        for leaf in leaves.values():
            leaf.convert = _converter(leaf.seen.type) if leaf.seen else None
            leaf.cells = None
        left, yielded = True, False
        while left:
            cells: list[list[Any]] = [[None] * most for _ in columns]
            fixed: dict[str, list[Any]] = {}
            for column, part in zip(columns, cells, strict=True):
                if column.name in FIXED:
                    fixed[column.name] = part
                elif column.name in leaves:
                    leaves[column.name].cells = part
            count, left = self._fill(fixed, rows, most)
            if count or not yielded:
                yield Chunk(count, cells if count == most else [part[:count] for part in cells])
                yielded = True

    def _fill(self, fixed: dict[str, list[Any]], rows: Iterator[Row], most: int) -> tuple[int, bool]:
        """Fill a chunk; return how many rows it has, and whether there may be more."""
        count = size = 0
        for row in rows:
            for name, part in fixed.items():
                part[count] = row.fixed[name]
            for name, value in row.maps.items():
                node = self._root.children.get(name)
                if node is not None:
                    _fill_in(node, value, count)
            count += 1
            size += len(row.fixed.get(CONFIG, ""))
            if count == most or size > _CHUNK_BYTES:
                return count, True
        return count, False


def _fill_in(node: _Node, value: dict[str, Any], row: int) -> None:
    children = node.children
    for key, item in value.items():
        child = children.get(key)
        if child is None:
            continue
        if type(item) is dict and item:
            _fill_in(child, item, row)
        elif item is not None and child.cells is not None:
            child.cells[row] = item if child.convert is None else child.convert(item)


def _converter(type_: Type) -> Callable[[Any], Any] | None:
    """Return what makes a value one of a type; None if it is one."""
    if type_.kind is Kind.DOCUMENT:
        return partial(dumps, format="json")
    if type_.kind is not Kind.FLOAT:
        return None
    return _floats if type_.listed else float


def _floats(items: list[float | None]) -> list[float | None]:
    return [None if item is None else float(item) for item in items]


def _column_path(name: str) -> Path:
    path = parse_path(name)
    if path[0] in MAPS and all(isinstance(step, str) for step in path):
        return path
    if path[0] in MAPS:
        raise InvalidInput(f"there is no column '{name}'", hint="a list is one column as a whole")
    if len(path) == 1 and path[0] in FIXED:
        return path
    from difflib import get_close_matches

    close = ["config_hash"] if name == "hash" else get_close_matches(name, [*FIXED, *MAPS], n=1)  # as --where has it
    hint = f"did you mean '{close[0]}'?" if close else f"did you mean 'hyperparameters.{format_path(path)}'?"
    raise InvalidInput(f"there is no column '{name}'", hint=hint)
