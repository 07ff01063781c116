"""Walk-forward windows: which rows are tested, and at which row each window is decided.

Source: section 2 of the specification; the generator is the one of the system that inspired it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import numpy as np

from gemexp.backtest.arrays import Ints
from gemexp.backtest.parameters import Parameters
from gemexp.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Schedule:
    """The windows of a run, in order; every array has the shape (W,).

    Attributes:
        train: First day of each training window, as an ordinal.
        test: First day of each test window.
        until: Day after the last day of each test window.
        decision: The row whose close decides: everything known later is unknown.
        entry: The row at whose close the shares are bought, the last before the window. It is the decision row
            unless ``lag`` is more than 1.
        first: First row earned.
        last: Last row earned.
        warnings: What a user should know about windows that were left out.
    """

    train: Ints
    test: Ints
    until: Ints
    decision: Ints
    entry: Ints
    first: Ints
    last: Ints
    warnings: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.first)


def intervals(start: int, end: int, walk: int) -> Iterator[tuple[int, int, int]]:
    """Yield (train, test, until) as ordinals: training is [train, test), testing [test, until).

    The last test window includes ``end``, so that its ``until`` is the day after.
    """
    train = start
    while train + walk < end:
        stop = min(end, train + 2 * walk)
        yield train, train + walk, stop + 1 if stop == end else stop
        train += walk


def schedule(calendar: Ints, parameters: Parameters) -> Schedule:
    """Lay the windows of ``parameters`` over the panel's ``calendar`` of ordinals, shape (T,).

    Raises:
        InvalidInput: The dates and the panel do not meet, a window between others has no rows, or there is none.
    """
    start, end = parameters.start.toordinal(), parameters.end.toordinal()
    opens, closes = int(calendar[0]), int(calendar[-1])
    if start > closes:
        raise InvalidInput(f"'start' is {parameters.start}, after the panel's last date, {_iso(closes)}")
    if end < opens:
        raise InvalidInput(f"'end' is {parameters.end}, before the panel's first date, {_iso(opens)}")
    warnings = []
    if end > closes:
        warnings.append(f"'end' is {parameters.end}, after the panel's last date, {_iso(closes)}")
    spans = list(intervals(start, end, parameters.walk_days))
    train, test, until = (np.array(column, dtype=np.int64) for column in zip(*spans, strict=True))
    first = np.searchsorted(calendar, test).astype(np.int64)
    last = np.searchsorted(calendar, until).astype(np.int64) - 1
    count = int(np.max(np.nonzero(last >= first)[0], initial=-1)) + 1
    if not count:
        raise InvalidInput(
            f"there is no window: the panel has no row from {_iso(int(test[0]))} to {parameters.end}",
            hint="the first walk is never traded; start earlier, or end later",
        )
    if count < len(spans):
        dropped = len(spans) - count
        warnings.append(f"{dropped} window{'s' * (dropped > 1)} from {_iso(int(test[count]))} on had no rows")
    train, test, until, first, last = (column[:count] for column in (train, test, until, first, last))
    empty = np.nonzero(last < first)[0]
    if len(empty):
        window = int(empty[0])
        raise InvalidInput(
            f"the window from {_iso(int(test[window]))} to {_iso(int(until[window]) - 1)} has no rows in the panel",
            hint="walk in longer steps, or choose dates that the panel covers",
        )
    return Schedule(
        train=train,
        test=test,
        until=until,
        decision=first - parameters.lag,
        entry=first - 1,
        first=first,
        last=last,
        warnings=tuple(warnings),
    )


def horizon_rows(calendar: Ints, plan: Schedule, days: int) -> Ints:
    """Return the last row in [test, test + days) by window, shape (W,).

    It is -1 where that reaches past the panel's last date, and where it holds no row.
    """
    until = plan.test + days
    rows = np.searchsorted(calendar, until).astype(np.int64) - 1
    rows[(until - 1 > calendar[-1]) | (rows < plan.first)] = -1
    return rows


def _iso(day: int) -> str:
    return date.fromordinal(day).isoformat()
