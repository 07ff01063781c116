"""A panel of prices: what was observed of which asset on which date."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from gemexp.backtest.arrays import Bools, Floats, Ints, frozen
from gemexp.errors import InvalidInput
from gemexp.notation import inline

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

KNOWN_COLUMNS = ("asset", "close", "date", "dollar_volume", "market_cap", "volume")
_NEEDS_QUOTES = frozenset('",\r\n')
_CHUNK = 65_536


class Panel:
    """Closing prices and further columns by date and asset. Immutable; make one with `from_arrays` or `read_panel`.

    Missing observations are NaN. A date or an asset without any close is not part of the panel, so that a panel
    made from arrays and the same panel read from a file are equal.

    Attributes:
        days: The calendar, shape (T,), as proleptic ordinals (`datetime.date.toordinal`), ascending.
        assets: The N names, ascending by code point.
        close: Closing prices, shape (T, N), one currency, adjusted for dividends and splits; NaN where not observed.
        volume: Shares traded, shape (T, N), or None where the panel has no such column.
        dollar_volume: Value traded as given, shape (T, N), or None; see `value_traded`.
        market_cap: Market capitalisation, shape (T, N), NaN where unknown, or None.
        columns: The column features by name, each of shape (T, N), NaN where missing.
        ignored: Names of columns of text that were left out when the panel was read.
    """

    def __init__(
        self,
        days: Ints,
        assets: tuple[str, ...],
        values: Mapping[str, Floats],
        *,
        ignored: Sequence[str] = (),
    ) -> None:
        # `values` is trusted to be validated, sorted and aligned: from_arrays and read_panel see to that.
        self.days = days
        days.setflags(write=False)
        self.assets = assets
        self.close = frozen(values["close"])
        self.volume = _optional(values, "volume")
        self.dollar_volume = _optional(values, "dollar_volume")
        self.market_cap = _optional(values, "market_cap")
        self.columns = {name: frozen(values[name]) for name in sorted(values) if name not in KNOWN_COLUMNS}
        self.ignored = tuple(ignored)

    @classmethod
    def from_arrays(
        cls,
        dates: Iterable[Any],
        assets: Iterable[str],
        close: ArrayLike,
        *,
        volume: ArrayLike | None = None,
        dollar_volume: ArrayLike | None = None,
        market_cap: ArrayLike | None = None,
        columns: Mapping[str, ArrayLike] | None = None,
    ) -> Panel:
        """Make a panel from arrays.

        Args:
            dates: T different dates (`datetime.date`, ISO text, or ``datetime64[D]``), in any order.
            assets: N different names, in any order.
            close: Shape (T, N), finite and > 0 where observed, NaN where not.
            volume: Shape (T, N), finite and >= 0 wherever there is a close.
            dollar_volume: Shape (T, N), as ``volume``; close * volume if not given.
            market_cap: Shape (T, N), > 0 or NaN.
            columns: Column features, each of shape (T, N), finite or NaN.

        Raises:
            InvalidInput: A shape, a name or a value cannot be used.
        """
        days = _days(dates)
        names = _names(assets)
        given = {"close": close, "volume": volume, "dollar_volume": dollar_volume, "market_cap": market_cap}
        for name in columns or {}:
            if name in KNOWN_COLUMNS or not isinstance(name, str) or not name:
                raise InvalidInput(f"'{name}' cannot be the name of a column feature")
        tables = {
            name: _table(name, table, (len(days), len(names)))
            for name, table in {**given, **(columns or {})}.items()
            if table is not None
        }
        seen: Bools = ~np.isnan(tables["close"])
        for name, table in tables.items():
            _check_table(name, table, seen, days, names)
        rows = np.argsort(days, kind="stable")
        rows = rows[np.logical_or.reduce(seen, axis=1)[rows]]
        order = np.array(sorted(range(len(names)), key=names.__getitem__), dtype=np.int64)
        order = order[np.logical_or.reduce(seen, axis=0)[order]]
        if not len(rows):
            raise InvalidInput("a panel needs at least one close")
        kept = {
            name: np.ascontiguousarray(np.where(seen, table, np.nan)[np.ix_(rows, order)])
            for name, table in tables.items()
        }
        return cls(days[rows], tuple(names[a] for a in order), kept)

    @cached_property
    def observed(self) -> Bools:
        """Where there is a close, shape (T, N)."""
        return ~np.isnan(self.close)

    @cached_property
    def last_rows(self) -> Ints:
        """The last row of each asset, shape (N,); an asset is delisted after it unless it is the panel's last."""
        seen: Ints = (len(self.days) - 1 - np.argmax(self.observed[::-1], axis=0)).astype(np.int64)
        return seen

    @cached_property
    def held(self) -> Floats:
        """The closes, the last one carried on without limit, shape (T, N); NaN before the first."""
        return frozen(self.carried(None))

    @property
    def value_traded(self) -> Floats | None:
        """The value traded, shape (T, N): ``dollar_volume``, else close * volume, else None."""
        if self.dollar_volume is not None or self.volume is None:
            return self.dollar_volume
        return self.close * self.volume

    def carried(self, limit: int | None) -> Floats:
        """Return the closes, each carried on over at most ``limit`` rows without one, shape (T, N)."""
        rows = np.arange(len(self.days))[:, None]
        latest = np.maximum.accumulate(np.where(self.observed, rows, -1), axis=0)
        filled = np.take_along_axis(self.close, np.maximum(latest, 0), axis=0)
        gone = latest < 0 if limit is None else (latest < 0) | (rows - latest > limit)
        filled[gone] = np.nan
        return filled

    @cached_property
    def digest(self) -> str:
        """The SHA-256 of the canonical CSV: rows and columns sorted, floats by repr, blank for missing, LF."""
        state = hashlib.sha256()
        lines = self._lines()
        while chunk := list(islice(lines, _CHUNK)):
            state.update("".join(chunk).encode())
        return state.hexdigest()

    def to_csv(self) -> str:
        """Return the canonical CSV, which `digest` is the SHA-256 of and `read_panel` reads back."""
        return "".join(self._lines())

    def _lines(self) -> Iterator[str]:
        from datetime import date

        tables = {"close": self.close, "volume": self.volume, "dollar_volume": self.dollar_volume}
        tables |= {"market_cap": self.market_cap, **self.columns}
        at, of = np.nonzero(self.observed)
        names = [_cell(name) for name in self.assets]
        dates = [date.fromordinal(day).isoformat() for day in self.days.tolist()]
        cells: dict[str, Iterable[str]] = {
            "asset": map(names.__getitem__, of.tolist()),
            "date": map(dates.__getitem__, at.tolist()),
        }
        for name, table in tables.items():
            if table is not None:
                cells[name] = ("" if x != x else repr(x) for x in table[self.observed].tolist())
        header = sorted(cells)
        yield ",".join(map(_cell, header)) + "\n"
        for row in zip(*(cells[name] for name in header), strict=True):
            yield ",".join(row) + "\n"


def _optional(values: Mapping[str, Floats], name: str) -> Floats | None:
    return frozen(values[name]) if name in values else None


def _cell(text: str) -> str:
    # Not the csv module, whose choice of what to quote differs between versions of Python.
    return '"' + text.replace('"', '""') + '"' if _NEEDS_QUOTES & set(text) else text


def _days(dates: Iterable[Any]) -> Ints:
    try:
        calendar = np.array(list(dates), dtype="datetime64[D]")
    except (ValueError, TypeError):
        raise InvalidInput("the dates of a panel must be dates, or text as YYYY-MM-DD") from None
    if calendar.ndim != 1 or np.isnat(calendar).any():
        raise InvalidInput("the dates of a panel must be one list of dates, none missing")
    days = calendar.astype(np.int64) + 719_163  # the ordinal of 1970-01-01
    if len(days) and not 1 <= days.min() <= days.max() <= 3_652_059:
        raise InvalidInput("the dates of a panel must be between the years 1 and 9999")
    if len(np.unique(days)) != len(days):
        raise InvalidInput("the dates of a panel must differ")
    return days


def _names(assets: Iterable[str]) -> list[str]:
    names = list(assets)
    for name in names:
        if not isinstance(name, str) or not name.strip():
            raise InvalidInput(f"an asset is named {name!r}, which is no text or blank")
        if any("\ud800" <= letter <= "\udfff" for letter in name):
            raise InvalidInput(f"an asset is named {inline(name)}, which holds a lone surrogate")
    if len(set(names)) != len(names):
        raise InvalidInput("the assets of a panel must have different names")
    return names


def _table(name: str, table: ArrayLike, shape: tuple[int, int]) -> Floats:
    try:
        values = np.array(table, dtype=np.float64)
    except (ValueError, TypeError):
        raise InvalidInput(f"'{name}' is not a table of numbers") from None
    if values.shape != shape:
        raise InvalidInput(f"'{name}' has the shape {values.shape}, not {shape}")
    return values


def _check_table(name: str, table: Floats, seen: Bools, days: Ints, assets: Sequence[str]) -> None:
    wrong = seen & ~acceptable(name, table)
    if wrong.any():
        from datetime import date

        t, a = (int(index) for index in np.argwhere(wrong)[0])
        when = date.fromordinal(int(days[t]))
        raise InvalidInput(f"'{name}' of {inline(assets[a])} on {when} is {table[t, a]}, not {demand(name)}")


def acceptable(name: str, values: Floats) -> Bools:
    """Tell which values the column ``name`` may hold where its asset was observed; NaN stands for a blank."""
    if name == "close":
        return np.isfinite(values) & (values > 0)
    if name in ("volume", "dollar_volume"):
        return np.isfinite(values) & (values >= 0)
    if name == "market_cap":
        return np.isnan(values) | (np.isfinite(values) & (values > 0))
    return ~np.isinf(values)


def demand(name: str) -> str:
    """Say what `acceptable` demands of the column ``name``."""
    demands = {
        "close": "a finite number above 0",
        "volume": "a finite number of at least 0",
        "dollar_volume": "a finite number of at least 0",
        "market_cap": "a finite number above 0, or blank",
    }
    return demands.get(name, "a finite number, or blank")
