"""The deflated Sharpe ratio: how sure one can be of a Sharpe ratio that was the best of many.

Source: D. H. Bailey and M. Lopez de Prado, "The Deflated Sharpe Ratio: Correcting for Selection Bias, Backtest
Overfitting, and Non-Normality", The Journal of Portfolio Management 40 (5), 2014, pp. 94-107: their equation for the
expected maximum of N independent trials, and the probabilistic Sharpe ratio of "The Sharpe Ratio Efficient Frontier"
(Journal of Risk 15 (2), 2012) taken at it.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Any

_EULER = 0.5772156649015329
_NORMAL = NormalDist()
_MOST = 1e100  # of what is squared


def expected_maximum(trials: int, variance: float) -> float:
    """Return the Sharpe ratio to expect of the best of ``trials`` without skill.

    SR0 = sqrt(V) * ((1 - g) * Z(1 - 1/N) + g * Z(1 - 1/(N e))), with g Euler's constant and Z the normal quantile.

    Args:
        trials: N, the number of independent trials, >= 1. A single one was not selected: the result is 0.
        variance: V, the variance of the trials' Sharpe ratios, per period.
    """
    if trials < 2:
        return 0.0
    high = _NORMAL.inv_cdf(1 - 1 / trials)
    higher = _NORMAL.inv_cdf(1 - 1 / (trials * math.e))
    return math.sqrt(variance) * ((1 - _EULER) * high + _EULER * higher)


def deflated_sharpe(
    sharpe: float | None,
    *,
    observations: int,
    skewness: float | None,
    kurtosis: float | None,
    trials: int = 1,
    variance: float | None = None,
) -> float | None:
    """Return the probability that the true Sharpe ratio exceeds what the best of ``trials`` reaches by luck.

    DSR = F((SR - SR0) * sqrt(T - 1) / sqrt(1 - s * SR + (k - 1) / 4 * SR^2)), with F the normal distribution.

    Args:
        sharpe: SR, per period and not annualised; None where it is undefined.
        observations: T, the number of returns it was computed from.
        skewness: s, of the returns.
        kurtosis: k, of the returns; 3 for a normal distribution.
        trials: N, how many configurations were tried, this one counted.
        variance: V, the variance of their Sharpe ratios, per period. If not given, that of estimates without skill:
            1 / (T - 1), which is what the estimation error alone gives.

    Returns:
        A probability; None where the Sharpe ratio or its standard error is undefined.
    """
    if sharpe is None or skewness is None or kurtosis is None or observations < 2:
        return None
    error = 1.0 - skewness * sharpe + (kurtosis - 1.0) / 4.0 * sharpe * sharpe
    if error <= 0.0:
        return None
    beyond = sharpe - expected_maximum(trials, 1.0 / (observations - 1) if variance is None else variance)
    return _NORMAL.cdf(beyond * math.sqrt(observations - 1) / math.sqrt(error))


def deflated_from_moments(moments: Any, *, trials: int, variance: float | None = None) -> float | None:
    """Return `deflated_sharpe` from the ``moments`` of an outcome's summary; None if these are not what they must be.

    Whatever says that it is a backtest's outcome may have been written by anyone.
    """
    found = moments if isinstance(moments, dict) else {}
    sharpe, skewness, kurtosis = (defined(found.get(name)) for name in ("sharpe_per_day", "skewness", "kurtosis"))
    observations = found.get("observations")
    return deflated_sharpe(
        sharpe,
        observations=observations if type(observations) is int else 0,
        skewness=skewness,
        kurtosis=kurtosis,
        trials=trials,
        variance=variance,
    )


def defined(value: object) -> float | None:
    """Return a figure of an outcome if it is one that can be computed with, and None if not."""
    return value if isinstance(value, float) and abs(value) < _MOST else None
