"""Everything that draws at random: confidence intervals, random portfolios, sign flips.

Draws come from the raw output of PCG64, which numpy keeps as it is, and not from the methods of its Generator, which
it may change. Each use has a stream of its own, named by a label: adding one changes no other.

Source: section 9 of the specification; D. N. Politis and J. P. Romano, "The Stationary Bootstrap", Journal of the
American Statistical Association 89 (428), 1994, pp. 1303-1313.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from gemexp.backtest.arrays import Bools, Floats, Ints, frozen, quantile
from gemexp.backtest.metrics import Basis
from gemexp.digest import hash_bytes

FEWEST_WINDOWS = 3
RANDOM_DRAWS = 1_000
SIGN_FLIPS = 10_000
_LOW, _HIGH = 0.025, 0.975
_TOGETHER = 1 << 18
_ROUND = 1e12

Interval = list[float] | None


class Stream:
    """Uniform numbers from a seed and a label: PCG64 seeded with the first 16 hexadecimal digits of a SHA-256."""

    def __init__(self, seed: int, label: str) -> None:
        self._bits = np.random.PCG64(int(hash_bytes(f"{seed}:{label}".encode())[:16], 16))

    def uniform(self, *shape: int) -> Floats:
        """Return numbers in [0, 1), (raw >> 11) * 2^-53, in row-major order."""
        raw = self._bits.random_raw(math.prod(shape))
        numbers: Floats = (raw >> np.uint64(11)).astype(np.float64).reshape(shape)
        numbers *= 2.0**-53
        return numbers

    def indices(self, n: int, *shape: int) -> Ints:
        """Return whole numbers in [0, n), floor(u * n)."""
        return (self.uniform(*shape) * n).astype(np.int64)


def mean_interval(values: Sequence[float], seed: int, label: str, replicates: int) -> Interval:
    """Return the 95 % percentile interval of the mean of window figures, resampled independently.

    Returns:
        [low, high], or None for fewer than 3 values or no replicates.
    """
    n = len(values)
    if n < FEWEST_WINDOWS or not replicates:
        return None
    drawn = Stream(seed, label).indices(n, replicates, n)
    table = np.array(values)
    sums = np.zeros(replicates)
    for place in range(n):
        sums += table[drawn[:, place]]
    return _interval(sums / n)


def stationary_indices(stream: Stream, n: int, replicates: int) -> Ints:
    """Return the days of resampled series, shape (n, replicates): blocks of geometric length that wrap around.

    Each day follows the one before with probability 1 - n^(-1/3), and is drawn anew otherwise. A replicate takes
    2 n numbers from the stream, so that how many are made together does not matter.
    """
    numbers = stream.uniform(replicates, 2, n).transpose(1, 2, 0)
    anew = numbers[0] < n ** (-1.0 / 3.0)
    anew[0] = True
    day = np.arange(n)[:, None]
    begun = np.maximum.accumulate(np.where(anew, day, 0), axis=0)
    drawn = (np.take_along_axis(numbers[1], begun, axis=0) * n).astype(np.int64)
    return (drawn + (day - begun)) % n


def series_intervals(returns: Floats, basis: Basis, seed: int, replicates: int) -> dict[str, Interval]:
    """Return the 95 % intervals of the measures of daily returns, shape (n,), by stationary bootstrap.

    NaN policy: a replicate for which a measure is undefined is left out of that measure's interval.
    """
    names = ("sharpe", "sortino", "cagr", "max_drawdown")
    if not replicates or len(returns) < 2:
        return dict.fromkeys(names)
    stream = Stream(seed, "daily")
    together = max(1, _TOGETHER // len(returns))
    chunks = [
        _measures(returns[stationary_indices(stream, len(returns), min(together, replicates - done))], basis)
        for done in range(0, replicates, together)
    ]
    return {name: _interval(np.concatenate([chunk[name] for chunk in chunks])) for name in names}


def _measures(sampled: Floats, basis: Basis) -> dict[str, Floats]:
    """Return the measures of series of shape (n, replicates), each of shape (replicates,); NaN where undefined."""
    n = len(sampled)
    yearly = math.sqrt(basis.periods)
    excess = sampled - basis.risk_free
    average = np.add.reduce(excess, axis=0) / n
    steps = excess - average
    spread = np.sqrt(np.add.reduce(steps * steps, axis=0) / (n - 1))
    spread[excess.min(axis=0) == excess.max(axis=0)] = 0.0
    losses = np.minimum(excess, 0.0)
    downside = np.sqrt(np.add.reduce(losses * losses, axis=0) / n)
    value = np.multiply.accumulate(1.0 + sampled, axis=0)
    drawdown = (1.0 - value / np.maximum(np.maximum.accumulate(value, axis=0), 1.0)).max(axis=0)
    with np.errstate(all="ignore"):
        return {
            "sharpe": np.where(spread > 0.0, average / spread * yearly, np.nan),
            "sortino": np.where(downside > 0.0, average / downside * yearly, np.nan),
            "cagr": np.array([final ** (basis.periods / n) - 1.0 if final >= 0 else np.nan for final in value[-1]]),
            "max_drawdown": np.maximum(drawdown, 0.0),
        }


def random_means(forward: Floats, eligible: Bools, k: int, seed: int) -> Floats:
    """Return the mean forward return of random portfolios, shape (1000,).

    Args:
        forward: Forward returns, shape (W, N).
        eligible: Who can be drawn, shape (W, N).
        k: How many are drawn in each window, without replacement; all where there are fewer.
        seed: Names the stream.
    """
    stream = Stream(seed, "random")
    means = np.zeros(RANDOM_DRAWS)
    every = np.arange(RANDOM_DRAWS)
    for row, mask in enumerate(eligible):
        candidates = forward[row, mask]
        n = len(candidates)
        taken = min(k, n)
        numbers = stream.uniform(RANDOM_DRAWS, taken)
        # The first steps of a Fisher-Yates shuffle, in all draws at once.
        deck = np.tile(np.arange(n), (RANDOM_DRAWS, 1))
        sums = np.zeros(RANDOM_DRAWS)
        for place in range(taken):
            other = place + (numbers[:, place] * (n - place)).astype(np.int64)
            sums += candidates[deck[every, other]]
            deck[every, other] = deck[:, place]
        means += sums / taken
    return means / len(eligible)


def sign_flips(values: Sequence[float], seed: int) -> float | None:
    """Return the two-sided p-value of the mean of ``values`` under random signs; None of no values.

    p = (1 + #{|mean with flipped signs| >= |mean|}) / (10,000 + 1).
    """
    if not values:
        return None
    sums = np.zeros(SIGN_FLIPS)
    observed = 0.0
    for value, signs in zip(values, _signs(seed, len(values)), strict=True):
        sums += value * signs
        observed += value
    return exceedance(np.abs(sums), abs(observed))


@lru_cache(maxsize=2)  # a sweep needs the same signs again for every configuration
def _signs(seed: int, n: int) -> Floats:
    return frozen(np.where(Stream(seed, "sign_flips").uniform(n, SIGN_FLIPS) < 0.5, 1.0, -1.0))


def exceedance(draws: Floats, observed: float) -> float:
    """Return (1 + #{draw >= observed}) / (B + 1), both sides rounded to 12 digits.

    Rounded, because a draw may hold the same assets as the strategy, summed in another order.
    """
    reached = np.rint(draws * _ROUND) >= np.rint(observed * _ROUND)
    return (1 + int(reached.sum())) / (len(draws) + 1)


def _interval(replicates: Floats) -> Interval:
    ordered = np.sort(replicates[~np.isnan(replicates)])
    return [quantile(ordered, _LOW), quantile(ordered, _HIGH)] if len(ordered) else None
