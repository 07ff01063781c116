"""The array types of the backtest, and the sums whose order is fixed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


def total(values: Iterable[float]) -> float:
    """Return the exactly rounded sum: the same in any order, on any machine.

    NaN policy: NaN in, NaN out; so too where the sum is not a number or leaves the range of a float.
    """
    try:
        return math.fsum(values)
    except (OverflowError, ValueError):  # 1e308 + 1e308, or inf - inf
        return math.nan


def mean(values: Iterable[float]) -> float | None:
    """Return the arithmetic mean of the exact sum; None of nothing."""
    listed = list(values)
    return total(listed) / len(listed) if listed else None


def deviation(values: Sequence[float] | Floats, centre: float | None = None) -> float | None:
    """Return the standard deviation with ddof 1, in two passes; None for fewer than two values.

    Equal values deviate by exactly 0, although their mean may be a rounding away from them. ``centre`` is their mean,
    if it is known already.
    """
    listed = np.asarray(values, dtype=np.float64)
    n = len(listed)
    if n < 2:
        return None
    if listed.min() == listed.max():
        return 0.0
    steps = listed - (total(listed.tolist()) / n if centre is None else centre)
    steps *= steps
    return math.sqrt(total(steps.tolist()) / (n - 1))


def quantile(ordered: Floats, share: float) -> float:
    """Return the linear quantile (Hyndman and Fan's type 7) of values in ascending order, shape (n,), n >= 1."""
    position = share * (len(ordered) - 1)
    below = int(position)
    above = min(below + 1, len(ordered) - 1)
    low, high = float(ordered[below]), float(ordered[above])
    return low + (high - low) * (position - below)


def frozen(values: Floats) -> Floats:
    """Return ``values`` as a read-only array: what is cached must not change under its readers."""
    values.setflags(write=False)
    return values
