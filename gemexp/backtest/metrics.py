"""Measures of a series of daily net returns.

A measure that would divide by 0 is None, never 0 or infinite. Sums are exactly rounded, so that no figure depends
on the order in which a machine adds.

Source: section 8 of the specification.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from gemexp.backtest.arrays import Floats, Ints, deviation, total

_WEEKEND_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class Basis:
    """What turns daily figures into yearly ones.

    Attributes:
        periods: Trading days in a year.
        risk_free: Risk-free return per day.
    """

    periods: int
    risk_free: float

    @classmethod
    def of(cls, periods: int, risk_free_rate: float) -> Basis:
        """Make a basis from the yearly ``risk_free_rate``, compounded daily."""
        return cls(periods, (1.0 + risk_free_rate) ** (1.0 / periods) - 1.0)


def periods_per_year(calendar: Ints) -> int:
    """Return 365 if at least 20 % of the dates, shape (T,) as ordinals, are Saturdays or Sundays; else 252."""
    weekend = int((calendar % 7 == 6).sum()) + int((calendar % 7 == 0).sum())
    return 365 if weekend >= _WEEKEND_SHARE * len(calendar) else 252


def measure(returns: Floats, basis: Basis) -> dict[str, float | None]:
    """Return all measures of the daily ``returns``, shape (n,), n >= 1, by their names in the summary."""
    final, drawdown = _path(returns)
    listed = returns.tolist()
    yearly = math.sqrt(basis.periods)
    excess = returns - basis.risk_free
    average = total(listed if basis.risk_free == 0.0 else excess.tolist()) / len(listed)
    deviates = deviation(excess, average)
    losses = np.minimum(excess, 0.0)
    downside = math.sqrt(total((losses * losses).tolist()) / len(listed))
    spread = deviates if basis.risk_free == 0.0 else deviation(returns)
    cagr = annual_growth(final, len(listed), basis)
    return {
        "total_return": final - 1.0,
        "cagr": cagr,
        "volatility": None if spread is None else spread * yearly,
        "sharpe": _ratio(average, deviates, yearly),
        "sortino": _ratio(average, downside, yearly),
        "max_drawdown": drawdown,
        "calmar": None if cagr is None else _ratio(cagr, drawdown, 1.0),
    }


def annual_growth(final: float, days: int, basis: Basis) -> float | None:
    """Return final^(A/n) - 1; None where nothing, or less, is left to grow, or too much for a float."""
    try:
        return final ** (basis.periods / days) - 1.0 if final >= 0.0 else None
    except OverflowError:
        return None


def equity(returns: Floats) -> Floats:
    """Return the value, at each day's end, of 1 invested before the first day, shape (n,)."""
    grown: Floats = np.multiply.accumulate(1.0 + returns)
    return grown


def drawdowns(value: Floats) -> Floats:
    """Return by day the loss from the highest value so far, the start value 1 counted; ``value`` as `equity` gives."""
    lost: Floats = 1.0 - value / np.maximum(np.maximum.accumulate(value), 1.0)
    return lost


def moments(returns: Floats, basis: Basis) -> dict[str, float | int | None]:
    """Return what the deflated Sharpe ratio needs to know of the returns, shape (n,).

    Returns:
        ``sharpe_per_day`` (not annualised), ``skewness`` and ``kurtosis`` (of the population, 3 for a normal
        distribution; None where all returns are equal), and ``observations``.
    """
    listed = returns.tolist()
    n = len(listed)
    excess = returns - basis.risk_free
    per_day = _ratio(total(excess.tolist()) / n, deviation(excess), 1.0)
    steps = returns - total(listed) / n
    squares = steps * steps
    variance = total(squares.tolist()) / n
    if per_day is None or variance == 0.0:
        return {"sharpe_per_day": None, "skewness": None, "kurtosis": None, "observations": n}
    third = total((squares * steps).tolist()) / n
    fourth = total((squares * squares).tolist()) / n
    return {
        "sharpe_per_day": per_day,
        "skewness": third / (variance * math.sqrt(variance)),
        "kurtosis": fourth / (variance * variance),
        "observations": n,
    }


def _path(returns: Floats) -> tuple[float, float]:
    """Return the final value of 1 invested, and the largest loss from a peak, the start counted as one."""
    with np.errstate(over="ignore", invalid="ignore"):
        path = np.empty(len(returns) + 1)
        path[0] = 1.0
        path[1:] = equity(returns)
        peak = np.maximum.accumulate(path)
        return float(path[-1]), float(np.max(1.0 - path / peak))


def _ratio(value: float, by: float | None, factor: float) -> float | None:
    return None if by is None or by == 0.0 else value / by * factor
