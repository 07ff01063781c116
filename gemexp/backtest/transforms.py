"""Transformations: from the eligible cross-section of a feature to [0, 1].

A cross-section in which all values are equal becomes 0.5 throughout, except under ``none``. All sums are exact, so
that the order of the assets cannot show.

Source: section 4 of the specification.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from types import MappingProxyType

import numpy as np

from gemexp.backtest.arrays import Bools, Floats, quantile, total
from gemexp.backtest.ranking import average_ranks

_LIMIT = 3.0
_TAIL = 0.05
_LARGE = 1e150


def rank(values: Floats) -> Floats:
    """Return (average rank - 1) / (n - 1), shape (n,)."""
    return (average_ranks(values) - 1.0) / (len(values) - 1)


def zscore(values: Floats) -> Floats:
    """Return (clip(z, -3, 3) + 3) / 6 with z of ddof 0, shape (n,)."""
    scale = float(np.max(np.abs(values)))
    if not 1 / _LARGE < scale < _LARGE:
        values = values / scale  # z does not change, and the squares stay within the range of a float
    steps = values - total(values.tolist()) / len(values)
    spread = math.sqrt(total((steps * steps).tolist()) / len(values))
    return (np.clip(steps / spread, -_LIMIT, _LIMIT) + _LIMIT) / (2 * _LIMIT)


def winsorize(values: Floats) -> Floats:
    """Return the values clipped to their 5 % and 95 % linear quantiles and stretched to [0, 1], shape (n,)."""
    ordered = np.sort(values)
    return _stretch(np.clip(values, quantile(ordered, _TAIL), quantile(ordered, 1 - _TAIL)))


def log(values: Floats) -> Floats:
    """Return sign(x) * log1p|x| stretched to [0, 1], shape (n,)."""
    # math.log1p is the C library's; numpy's may be replaced by another for some processors.
    return _stretch(np.array([math.copysign(math.log1p(abs(value)), value) for value in values.tolist()]))


def _stretch(values: Floats) -> Floats:
    low, high = float(values.min()), float(values.max())
    if low == high:
        return np.full(len(values), 0.5)
    if math.isinf(high - low):
        values, low, high = values / 2, low / 2, high / 2
    return (values - low) / (high - low)


_BY_NAME: MappingProxyType[str, Callable[[Floats], Floats]] = MappingProxyType(
    {"log": log, "rank": rank, "winsorize": winsorize, "zscore": zscore}
)

NAMES = (*sorted([*_BY_NAME, "none"]),)
"""The names of all transformations."""


def transform(name: str, values: Floats, eligible: Bools) -> Floats:
    """Apply a transformation to each row of ``values``.

    Args:
        name: One of `NAMES`.
        values: Shape (W, N), finite where eligible.
        eligible: Shape (W, N); each row is one cross-section.

    Returns:
        Shape (W, N), within [0, 1]; 0 where not eligible.
    """
    result = np.zeros(values.shape)
    if name == "none":
        np.clip(values, 0.0, 1.0, out=result, where=eligible)
        return result
    function = _BY_NAME[name]
    for row, mask in enumerate(eligible):
        section = values[row, mask]
        if len(section):
            constant = section.min() == section.max()
            result[row, mask] = 0.5 if constant else function(section)
    return result
