"""Features computed from prices: what was known of each asset at the close of a decision row.

Every feature is a function of rows up to and including its decision row, and higher is better. A windowed statistic
needs `needed(window)` finite values. Sums run from the oldest row to the newest, one row after the other, so that
a figure depends on nothing but the values in its window: no running sum carries another window's rounding.

Source: section 3 of the specification.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from types import MappingProxyType

import numpy as np

from gemexp.backtest.arrays import Bools, Floats, Ints
from gemexp.backtest.panel import Panel
from gemexp.errors import InvalidInput

MAX_STALE = 5
_LONGEST = 252


def needed(window: int) -> int:
    """Return how many finite values a statistic over ``window`` rows needs: 80 %, rounded up."""
    return -(-4 * window // 5)


class Prices:
    """A panel's prices as the features see them, with rows of NaN before the first one.

    The added rows stand for what was before the panel, so that a window may reach back beyond it.
    """

    def __init__(self, panel: Panel) -> None:
        self._panel = panel

    def latest(self, rows: Ints) -> Floats:
        """Return F at ``rows``, shape (D, N): the close, carried on over at most 5 rows."""
        return self.filled[rows + _LONGEST]

    @cached_property
    def filled(self) -> Floats:
        """F, shape (252 + T, N)."""
        return _padded(self._panel.carried(MAX_STALE))

    @cached_property
    def returns(self) -> Floats:
        """r, shape (252 + T, N): F over the row before's F, less 1."""
        result = np.full_like(self.filled, np.nan)
        np.divide(self.filled[1:], self.filled[:-1], out=result[1:])
        result[1:] -= 1.0
        return result

    @cached_property
    def volume(self) -> Floats:
        """Volume as observed, shape (252 + T, N)."""
        assert self._panel.volume is not None  # noqa: S101 - check_columns has seen to it
        return _padded(self._panel.volume)

    @cached_property
    def illiquidity(self) -> Floats:
        """|r| over the value traded, shape (252 + T, N); NaN where nothing was traded."""
        traded = self._panel.value_traded
        assert traded is not None  # noqa: S101 - check_columns has seen to it
        padded = _padded(traded)
        return np.divide(np.abs(self.returns), padded, out=np.full_like(padded, np.nan), where=padded > 0)

    def market_cap(self, rows: Ints) -> Floats:
        """Return the market capitalisation at ``rows``, shape (D, N)."""
        assert self._panel.market_cap is not None  # noqa: S101 - check_columns has seen to it
        return self._panel.market_cap[rows]


@dataclass(frozen=True, slots=True)
class Feature:
    """A built-in feature.

    Attributes:
        compute: From prices and decision rows (D,) to values (D, N), NaN where it cannot be computed.
        history: How many rows, the decision row included, it needs at least.
        columns: The columns of which it needs one, close apart.
    """

    compute: Callable[[Prices, Ints], Floats]
    history: int
    columns: tuple[str, ...] = ()


def change(prices: Prices, rows: Ints, recent: int, past: int) -> Floats:
    """Return F[i - recent] / F[i - past] - 1, shape (D, N)."""
    return prices.latest(rows - recent) / prices.latest(rows - past) - 1.0


def _low_vol(prices: Prices, rows: Ints) -> Floats:
    window = prices.returns
    centre, count = _mean(window, rows, 63)
    squares = np.zeros_like(centre)
    for row in _oldest_first(rows, 63):
        step = window[row] - centre
        step *= step
        squares += np.where(np.isnan(step), 0.0, step)
    # Too few values have no mean, and every step from it counted for nothing above.
    return np.where(np.isnan(centre), np.nan, -np.sqrt(squares / (count - 1)))


def _near_high(prices: Prices, rows: Ints) -> Floats:
    highest = np.full((len(rows), prices.filled.shape[1]), np.nan)
    count = np.zeros(highest.shape, dtype=np.int64)
    for row in _oldest_first(rows, 252):
        values = prices.filled[row]
        np.fmax(highest, values, out=highest)
        count += ~np.isnan(values)
    return prices.latest(rows) / np.where(count >= needed(252), highest, np.nan)


def _trend(prices: Prices, rows: Ints) -> Floats:
    return prices.latest(rows) / _mean(prices.filled, rows, 200)[0] - 1.0


def _liquidity(prices: Prices, rows: Ints) -> Floats:
    return -1e6 * _mean(prices.illiquidity, rows, 21)[0]


def _volume_surge(prices: Prices, rows: Ints) -> Floats:
    return _mean(prices.volume, rows, 5)[0] / _mean(prices.volume, rows, 63)[0] - 1.0


def _mean(values: Floats, rows: Ints, window: int) -> tuple[Floats, Ints]:
    """Return mean and number of the finite values in each window; NaN where they are too few."""
    totals = np.zeros((len(rows), values.shape[1]))
    count = np.zeros(totals.shape, dtype=np.int64)
    for row in _oldest_first(rows, window):
        items = values[row]
        finite: Bools = np.isfinite(items)
        totals += np.where(finite, items, 0.0)
        count += finite
    return np.where(count >= needed(window), totals, np.nan) / np.maximum(count, 1), count


def _oldest_first(rows: Ints, window: int) -> list[Ints]:
    return [rows + (_LONGEST - back) for back in range(window - 1, -1, -1)]


def _padded(values: Floats) -> Floats:
    return np.concatenate([np.full((_LONGEST, values.shape[1]), np.nan), values])


BUILT_IN = MappingProxyType(
    {
        "liquidity_21": Feature(_liquidity, needed(21) + 1, ("dollar_volume", "volume")),
        "low_vol_63": Feature(_low_vol, needed(63) + 1),
        "mom_12_1": Feature(lambda prices, rows: change(prices, rows, 21, 252), 253),
        "mom_63": Feature(lambda prices, rows: change(prices, rows, 0, 63), 64),
        "near_high_252": Feature(_near_high, needed(252)),
        "reversal_21": Feature(lambda prices, rows: -change(prices, rows, 0, 21), 22),
        "size": Feature(lambda prices, rows: prices.market_cap(rows), 1, ("market_cap",)),
        "trend_200": Feature(_trend, needed(200)),
        "volume_surge": Feature(_volume_surge, needed(63), ("volume",)),
    }
)
"""The built-in features by name."""


def compute(name: str, panel: Panel, prices: Prices, rows: Ints) -> Floats:
    """Return the feature ``name`` at ``rows``, shape (D, N); a row before the first has no values.

    NaN policy: NaN where the history is too short or has gaps, and wherever the quotient is not finite.
    """
    known = rows >= 0
    # No feature looks back over more than 252 rows, and so none looks back beyond the padding from a row that exists.
    rows = np.maximum(rows, 0)
    with np.errstate(all="ignore"):
        values = panel.columns[name][rows] if name in panel.columns else BUILT_IN[name].compute(prices, rows)
    return np.where(known[:, None] & np.isfinite(values), values, np.nan)


def check_feature(name: str, panel: Panel) -> None:
    """Refuse a feature that the panel cannot give.

    Raises:
        InvalidInput: It is unknown, needs a column that is not there, or could mean two things.
    """
    if name in BUILT_IN and name in panel.columns:
        raise InvalidInput(f"the feature '{name}' is built in, and a column of the panel too", hint="rename the column")
    if name in panel.columns:
        return
    if name not in BUILT_IN:
        known = [*BUILT_IN, *panel.columns]
        close = get_close_matches(name, known, n=1)
        columns = f"; the panel's columns are {', '.join(panel.columns)}" if panel.columns else ""
        hint = f"built in are {', '.join(BUILT_IN)}{columns or '; the panel has no further columns'}"
        raise InvalidInput(
            f"there is no feature '{name}'", hint=f"did you mean '{close[0]}'? {hint}" if close else hint
        )
    columns_needed = BUILT_IN[name].columns
    if columns_needed and all(getattr(panel, column) is None for column in columns_needed):
        which = " or ".join(f"'{column}'" for column in columns_needed)
        raise InvalidInput(f"the feature '{name}' needs the column {which}, which the panel lacks")


def history(names: list[str]) -> tuple[str, int]:
    """Return the feature that needs the longest history, and how many rows that is; a column feature needs one."""
    lengths = {name: BUILT_IN[name].history if name in BUILT_IN else 1 for name in names}
    longest = max(sorted(lengths), key=lengths.__getitem__)
    return longest, lengths[longest]
