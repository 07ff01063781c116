"""From rows of text to a panel, with every demand that the format makes.

Each chunk of rows is read column by column, which is fast. Only when that fails are its rows read one by one, to
name the first bad line and what is wrong with it.
"""

from __future__ import annotations

import csv
import io
import re
from array import array
from collections.abc import Callable, Sequence
from datetime import date
from itertools import islice

import numpy as np

from gemexp.backtest.arrays import Floats, Ints
from gemexp.backtest.panel import KNOWN_COLUMNS, Panel, acceptable, demand
from gemexp.errors import InvalidText
from gemexp.notation import inline

REQUIRED = ("date", "asset", "close")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_NOT_IN_NUMBERS = re.compile(r"[^0-9.eE+-]")
_CHUNK = 65_536
_MAX_SHOWN = 40


def parse_csv(data: bytes, source: str, *, sort: bool = False) -> Panel:
    """Read a panel from the bytes of a CSV: UTF-8, comma, one header line.

    Args:
        data: The file's bytes.
        source: What to call it in messages.
        sort: Accept rows that are not in order of (date, asset).

    Raises:
        InvalidText: It is no panel; ``line`` counts from 1.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InvalidText("is not UTF-8", hint="convert the file to UTF-8", source=source, line=line) from None
    if not text.strip():
        raise InvalidText("is empty", hint="a panel has a header with date, asset and close", source=source)
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        reader = PanelReader(next(rows), source, first_line=rows.line_num)
        if '"' not in text:
            # Then a row is a line, and lines need no counting.
            while chunk := list(islice(rows, _CHUNK)):
                reader.add(chunk)
        else:
            while pairs := [(row, rows.line_num) for row in islice(rows, _CHUNK)]:
                reader.add([row for row, _ in pairs], [line for _, line in pairs])
    except csv.Error as error:
        raise InvalidText(f"is not CSV: {error}", source=source, line=rows.line_num) from None
    return reader.finish(sort=sort)


class PanelReader:
    """Takes chunks of rows of text, and makes a panel of them.

    Args:
        header: The names of the columns.
        source: What to call the file in messages.
        first_line: The line of the header.
        numbered: What rows are called where they are not lines of text.

    Raises:
        InvalidText: A column is missing, nameless or there twice.
    """

    def __init__(self, header: Sequence[str], source: str, *, first_line: int = 1, numbered: str = "") -> None:
        self._source = source
        self._numbered = numbered
        self._line = first_line if not numbered else 0
        self._header = list(header)
        self._check_header(first_line)
        self._days = array("q")
        self._codes = array("q")
        self._lines = array("q")
        self._day_of: dict[str, int] = {}
        self._code_of: dict[str, int] = {}
        self._columns = {name: array("d") for name in self._header if name not in ("date", "asset")}
        self._numbers = dict.fromkeys(self._columns, 0)
        self._texts: dict[str, tuple[int, str]] = {}

    def add(self, rows: Sequence[list[str]], lines: Sequence[int] | None = None) -> None:
        """Take a chunk of rows; ``lines`` are their lines where rows and lines may differ.

        Raises:
            InvalidText: A row is no observation.
        """
        if lines is None:
            lines = range(self._line + 1, self._line + 1 + len(rows))
        self._line = lines[-1] if lines else self._line
        try:
            cells = dict(zip(self._header, zip(*rows, strict=True), strict=True)) if rows else {}
            days = [self._day(text) for text in cells.get("date", ())]
            codes = [self._code(text) for text in cells.get("asset", ())]
            values = {name: self._known(name, cells[name]) for name in self._columns if name in KNOWN_COLUMNS and rows}
        except ValueError:
            self._explain(rows, lines)
            raise
        self._days.extend(days)
        self._codes.extend(codes)
        self._lines.extend(lines)
        for name, column in self._columns.items():
            if rows:
                column.frombytes((values[name] if name in values else self._other(name, cells[name], lines)).tobytes())

    def finish(self, *, sort: bool) -> Panel:
        """Return the panel of all rows taken.

        Raises:
            InvalidText: There is no row, two are of one date and asset, a column mixes numbers and text, or the rows
                are not in order and ``sort`` is false.
        """
        if not self._days:
            raise self._error("has a header and no rows")
        ignored = self._ignored()
        assets = sorted(self._code_of)
        rank = np.empty(len(assets), dtype=np.int64)
        rank[[self._code_of[name] for name in assets]] = np.arange(len(assets))
        days = np.frombuffer(self._days, dtype=np.int64)
        ranks = rank[np.frombuffer(self._codes, dtype=np.int64)]
        keys = days * len(assets) + ranks
        self._check_order(keys, days, assets, ranks, sort=sort)
        calendar, at = np.unique(days, return_inverse=True)
        tables = {}
        for name, column in self._columns.items():
            if name not in ignored:
                table = np.full((len(calendar), len(assets)), np.nan)
                table[at, ranks] = np.frombuffer(column, dtype=np.float64)
                tables[name] = table
        return Panel(calendar, tuple(assets), tables, ignored=ignored)

    def _check_header(self, line: int) -> None:
        place = None if self._numbered else line
        seen: set[str] = set()
        for position, name in enumerate(self._header, 1):
            if not name.strip():
                raise self._error(f"column {position} has no name", line=place, hint="name it, or leave it out")
            if name in seen:
                raise self._error(f"has the column {_shown(name)} twice", line=place, hint="leave one out")
            seen.add(name)
        for name in REQUIRED:
            if name not in seen:
                hint = f"a panel needs the columns {', '.join(REQUIRED)}; there are {', '.join(map(_shown, seen))}"
                raise self._error(f"has no column '{name}'", line=place, hint=hint)

    def _day(self, text: str) -> int:
        day = self._day_of.get(text)
        if day is None:
            if not _DATE.fullmatch(text):
                raise ValueError(text)
            day = self._day_of[text] = date.fromisoformat(text).toordinal()
        return day

    def _code(self, text: str) -> int:
        code = self._code_of.get(text)
        if code is None:
            if not text.strip():
                raise ValueError(text)
            code = self._code_of[text] = len(self._code_of)
        return code

    def _known(self, name: str, cells: Sequence[str]) -> Floats:
        values = _numbers_or_blank(cells) if name == "market_cap" else _numbers(cells)
        if not acceptable(name, values).all():
            raise ValueError(name)
        return values

    def _other(self, name: str, cells: Sequence[str], lines: Sequence[int]) -> Floats:
        """Read a column feature; one that holds only text turns out to be none, so text is noted, not refused."""
        try:
            values = _numbers_or_blank(cells)
            if not acceptable(name, values).all():
                raise ValueError(name)
        except ValueError:
            values = np.full(len(cells), np.nan)
            for position, cell in enumerate(cells):
                if _NUMBER.fullmatch(cell) and abs(float(cell)) < float("inf"):
                    values[position] = float(cell)
                elif cell:
                    self._texts.setdefault(name, (lines[position], cell))
        self._numbers[name] += int(np.isfinite(values).sum())
        return values

    def _ignored(self) -> tuple[str, ...]:
        for name, (line, text) in self._texts.items():
            if self._numbers[name]:
                raise self._error(f"'{name}' is {_shown(text)}, not {demand(name)}", line=line)
        return tuple(sorted(self._texts))

    def _check_order(self, keys: Ints, days: Ints, assets: Sequence[str], ranks: Ints, *, sort: bool) -> None:
        steps = np.diff(keys)
        if (steps > 0).all():
            return
        order = np.argsort(keys, kind="stable")
        again = np.nonzero(np.diff(keys[order]) == 0)[0]
        if len(again):
            # Of several, the one that a reader of the file meets first.
            second = int(order[again + 1].min())
            first = int(np.nonzero(keys == keys[second])[0][0])
            when, lines = date.fromordinal(int(days[second])), self._lines
            which = f"{when} of {_shown(assets[int(ranks[second])])}"
            unit = self._numbered or "line"
            raise self._error(f"repeats {which}, which stands on {unit} {lines[first]}", line=lines[second])
        if not sort:
            late = int(np.nonzero(steps < 0)[0][0]) + 1
            raise self._error(
                "is not in order of date and asset", line=self._lines[late], hint="sort the file, or use --sort"
            )

    def _explain(self, rows: Sequence[list[str]], lines: Sequence[int]) -> None:
        """Raise for the first bad row of a chunk that has one."""
        for row, line in zip(rows, lines, strict=True):
            if len(row) != len(self._header):
                raise self._error(f"has {len(row)} fields, not {len(self._header)}", line=line)
            for name, text in zip(self._header, row, strict=True):
                wrong, hint = self._wrong(name, text)
                if wrong:
                    raise self._error(wrong, line=line, hint=hint)

    def _wrong(self, name: str, text: str) -> tuple[str, str | None]:
        """Say what is wrong with a cell, and what to do about it; nothing if nothing is."""
        if name == "date" and not _holds(self._day, text):
            return f"'date' is {_shown(text)}, not a date", "write dates as YYYY-MM-DD, without a time"
        if name == "asset" and not _holds(self._code, text):
            return "'asset' is blank", None
        if name in self._columns and name in KNOWN_COLUMNS and not _holds(lambda cell: self._known(name, [cell]), text):
            what = _shown(text) if text.strip() else "blank"
            hint = None if text.strip() else "a missing observation is a missing row"
            return f"'{name}' is {what}, not {demand(name)}", hint
        return "", None

    def _error(self, message: str, *, line: int | None = None, hint: str | None = None) -> InvalidText:
        if self._numbered and line is not None:
            return InvalidText(f"{self._numbered} {line}: {message}", hint=hint, source=self._source)
        return InvalidText(message, hint=hint, source=self._source, line=line)


def _numbers(cells: Sequence[str]) -> Floats:
    """Read numbers as JSON and CSV writers write them; Python's own ``1_000``, `` 1``, ``nan`` and ``inf`` are none."""
    values = np.array(list(map(float, cells)), dtype=np.float64)
    if _NOT_IN_NUMBERS.search("".join(cells)):
        raise ValueError("not a number")
    return values


def _numbers_or_blank(cells: Sequence[str]) -> Floats:
    values = np.full(len(cells), np.nan)
    values[[cell != "" for cell in cells]] = _numbers([cell for cell in cells if cell])
    return values


def _holds(read: Callable[[str], object], text: str) -> bool:
    try:
        read(text)
    except ValueError:
        return False
    return True


def _shown(text: str) -> str:
    return inline(text if len(text) <= _MAX_SHOWN else text[: _MAX_SHOWN - 3] + "...")
