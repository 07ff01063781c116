"""Portfolios: what the chosen assets earned, day by day, and what trading them cost.

A portfolio is two arrays of shape (W, K): the assets bought at the start of each window, and their weights. Places
that a window does not need hold the asset N, "nobody", with weight 0: its growth is always 1.

Source: section 6 of the specification.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gemexp.backtest.arrays import Bools, Floats, Ints, frozen
from gemexp.backtest.panel import Panel
from gemexp.backtest.windows import Schedule

_TOGETHER = 64


@dataclass(frozen=True, slots=True)
class Growth:
    """What each asset's shares became worth since their window's start.

    Attributes:
        daily: Shape (N + 1, D): by day that is earned, the value on that day of 1 invested at the window's entry.
        window: The window of each day, shape (D,).
        opening: The first day of each window, shape (W,); an index into ``daily``.
        closing: The last day of each window, shape (W,).
        gone: Whether the asset had been delisted by the close of the window's last day, shape (W, N + 1).
    """

    daily: Floats
    window: Ints
    opening: Ints
    closing: Ints
    gone: Bools


@dataclass(frozen=True, slots=True)
class Track:
    """What a portfolio did.

    Attributes:
        returns: Net return by day, shape (D,).
        gross: Value at each window's end of 1 invested at its start, before costs, shape (W,).
        net: The same after costs, shape (W,).
        turnover: Sum of the absolute changes of weights by window, shape (W,).
    """

    returns: Floats
    gross: Floats
    net: Floats
    turnover: Floats


def growth_until(panel: Panel, base: Ints, until: Ints, delisting_return: float) -> Floats:
    """Return H[until] / H[base] with the delisting return applied, shape (len(base), N).

    NaN policy: NaN for an asset that was not observed at or before ``base``.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        ratio = panel.held[until] / panel.held[base]
    ratio[panel.last_rows < until[:, None]] *= 1.0 + delisting_return
    return ratio


def growth(panel: Panel, plan: Schedule, delisting_return: float) -> Growth:
    """Return the growth of every asset on every day of ``plan``."""
    rows = np.arange(plan.first[0], plan.last[-1] + 1)
    lengths = plan.last - plan.first + 1
    window = np.repeat(np.arange(len(plan)), lengths)
    assets = len(panel.assets)
    daily = np.ones((assets + 1, len(rows)))
    daily[:assets] = growth_until(panel, plan.entry[window], rows, delisting_return).T
    gone = np.zeros((len(plan), assets + 1), dtype=bool)
    gone[:, :assets] = panel.last_rows < plan.last[:, None]
    opening = plan.first - plan.first[0]
    return Growth(frozen(daily), window, opening, opening + lengths - 1, gone)


def track(grown: Growth, chosen: Ints, weights: Floats, cost: float) -> Track:
    """Hold ``weights`` of the ``chosen`` assets, bought at each window's entry and left to drift to its end.

    Args:
        grown: The growth of every asset.
        chosen: Assets by window, shape (W, K), no asset twice in a row but nobody.
        weights: Their weights, shape (W, K).
        cost: Share of the value traded that trading costs.
    """
    days = np.arange(len(grown.window))
    value = np.zeros(len(days))
    daily = grown.daily.ravel()
    # Along the first axis numpy adds one asset after the other, in the order given; in groups, to bound the memory.
    for begin in range(0, chosen.shape[1], _TOGETHER):
        places = slice(begin, begin + _TOGETHER)
        at = (chosen[:, places] * len(days)).T.take(grown.window, axis=1)
        at += days
        part = daily.take(at)
        part *= weights[:, places].T.take(grown.window, axis=1)
        value += np.add.reduce(part, axis=0)
    turnover = _turnover(grown, chosen, weights)
    before = np.empty(len(days))
    before[1:] = value[:-1]
    # Each window starts from 1, and pays for its trades on its first day.
    before[grown.opening] = 1.0
    after = value.copy()
    factor = 1.0 - cost * turnover
    after[grown.opening] *= factor
    # Where nothing is left, nothing is earned.
    returns = np.divide(after, before, out=np.ones(len(days)), where=before != 0.0) - 1.0
    gross = value[grown.closing]
    return Track(frozen(returns), gross, factor * gross, turnover)


def _turnover(grown: Growth, chosen: Ints, weights: Floats) -> Floats:
    """Return the sum over assets of |target - drifted| by window, shape (W,).

    Before the first window all is cash, and cash is no asset: buying from it counts once. The proceeds of a delisted
    asset are cash too, so its drifted weight is 0.
    """
    windows, places = chosen.shape
    closing = weights * grown.daily[chosen, grown.closing[:, None]]
    worth = np.zeros(windows)
    for place in range(places):
        worth += closing[:, place]
    window = np.arange(windows)[:, None]
    closing[grown.gone[window, chosen]] = 0.0
    drifted = np.divide(closing, worth[:, None], out=np.zeros(closing.shape), where=worth[:, None] != 0.0)
    change = np.zeros((len(grown.daily), windows))
    change[chosen, window] = weights
    change[chosen[:-1], window[1:]] -= drifted[:-1]
    turnover: Floats = np.add.reduce(np.abs(change), axis=0)
    return turnover


def equal_weights(chosen: Ints, nobody: int) -> Floats:
    """Return weights of 1/n for the n assets of each row that are somebody, shape (W, K)."""
    somebody = chosen != nobody
    count = somebody.sum(axis=1, keepdims=True)
    return np.where(somebody, 1.0 / np.maximum(count, 1), 0.0)
