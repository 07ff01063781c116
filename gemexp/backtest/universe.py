"""What is the same for all configurations that choose from the same eligible assets: ranks, base rates, baselines."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from gemexp.backtest.arrays import Bools, Floats, Ints, total
from gemexp.backtest.bootstrap import random_means
from gemexp.backtest.market import Market, Shelf
from gemexp.backtest.portfolio import Track, equal_weights, track
from gemexp.backtest.ranking import centred_ranks
from gemexp.backtest.transforms import transform

_FEATURES_KEPT = 64


@dataclass(frozen=True, slots=True)
class Ranked:
    """Forward returns ranked within their cross-sections.

    Attributes:
        ranks: Centred ranks, shape (W, N); 0 where there is no forward return.
        squares: Sums of their squares, shape (W,).
        count: Number of assets ranked, shape (W,); 0 for a window that is left out.
    """

    ranks: Floats
    squares: Floats
    count: Ints


class Universe:
    """The assets that are eligible in each window, shape (W, N), at least one in each."""

    def __init__(self, market: Market, eligible: Bools) -> None:
        self.market = market
        self.eligible = eligible
        self.count: Ints = eligible.sum(axis=1).astype(np.int64)
        self.nobody = eligible.shape[1]
        self._transformed: Shelf[Floats] = Shelf(_FEATURES_KEPT)
        self._kept: Shelf[Track | str] = Shelf(_FEATURES_KEPT)
        self._random: Shelf[Floats] = Shelf(_FEATURES_KEPT)
        self._top: Shelf[Bools] = Shelf(_FEATURES_KEPT)
        self._ranked: Shelf[Ranked] = Shelf(_FEATURES_KEPT)

    def transformed(self, feature: str, transformation: str) -> Floats:
        """Return a feature transformed within the eligible cross-sections, shape (W, N)."""
        return self._transformed.get(
            (feature, transformation), lambda: transform(transformation, self.market.feature(feature), self.eligible)
        )

    @cached_property
    def positive(self) -> Bools:
        """Whose forward return is above 0, shape (W, N + 1); nobody's is not."""
        return self._with_nobody(self.eligible & (self._forward > 0.0))

    @cached_property
    def above_median(self) -> Bools:
        """Whose forward return is above the median of the eligible, shape (W, N + 1)."""
        medians = [float(np.median(row[mask])) for row, mask in zip(self._forward, self.eligible, strict=True)]
        return self._with_nobody(self.eligible & (self._forward > np.array(medians)[:, None]))

    def top(self, counts: Ints) -> Bools:
        """Return who has one of the ``counts[w]`` best forward returns of window w, shape (W, N + 1)."""

        def make() -> Bools:
            best = np.zeros((len(counts), self.nobody + 1), dtype=bool)
            order = np.argsort(np.where(self.eligible, -self._forward, np.inf), axis=1, kind="stable")
            for window, count in enumerate(counts.tolist()):
                best[window, order[window, :count]] = True
            return best

        return self._top.get(counts.tobytes(), make)

    @cached_property
    def base_rate(self) -> list[float]:
        """The share of the eligible whose forward return is above 0, by window."""
        shares: list[float] = (self.positive.sum(axis=1) / self.count).tolist()
        return shares

    @cached_property
    def mean_forward(self) -> list[float]:
        """The mean forward return of the eligible, by window: what choosing at random is expected to earn."""
        return [
            total(row[mask].tolist()) / int(n)
            for row, mask, n in zip(self._forward, self.eligible, self.count, strict=True)
        ]

    def ranked(self, horizon: int | None) -> Ranked:
        """Return the ranks of the forward returns over ``horizon`` calendar days; None for the windows' own."""

        def make() -> Ranked:
            forward = self._forward if horizon is None else self.market.horizon(horizon)
            taking = self.eligible & ~np.isnan(forward)
            ranks = centred_ranks(forward, taking)
            return Ranked(ranks, np.add.reduce(ranks * ranks, axis=1), taking.sum(axis=1).astype(np.int64))

        return self._ranked.get(horizon, make)

    def random(self, k: int, seed: int) -> Floats:
        """Return the mean forward returns of 1,000 random portfolios, ascending."""
        return self._random.get((k, seed), lambda: np.sort(random_means(self._forward, self.eligible, k, seed)))

    def baseline(self, name: str, k: int, cost: float) -> Track | str:
        """Return what a baseline did, or why there is none.

        Args:
            name: ``equal_weight``, ``momentum`` or ``cap_weighted``.
            k: How many assets momentum holds.
            cost: Share of the value traded that trading costs.
        """

        def make() -> Track | str:
            book = {"equal_weight": self._equal, "momentum": lambda: self._momentum(k), "cap_weighted": self._capped}
            chosen = book[name]()
            return chosen if isinstance(chosen, str) else track(self.market.grown, *chosen, cost)

        return self._kept.get((name, k if name == "momentum" else None, cost), make)

    @property
    def _forward(self) -> Floats:
        return self.market.forward

    def _with_nobody(self, who: Bools) -> Bools:
        return np.concatenate([who, np.zeros((len(who), 1), dtype=bool)], axis=1)

    def _equal(self) -> tuple[Ints, Floats]:
        chosen = np.where(self.eligible, np.arange(self.nobody), self.nobody)
        return chosen, equal_weights(chosen, self.nobody)

    def _momentum(self, k: int) -> tuple[Ints, Floats] | str:
        values = self.market.momentum()
        able = self.eligible & ~np.isnan(values)
        fewest = int(able.sum(axis=1).min())
        if not fewest:
            return "a window has no eligible asset with 22 rows of history"
        order = np.argsort(np.where(able, -values, np.inf), axis=1, kind="stable")[:, :k]
        chosen = np.where(np.arange(order.shape[1]) < able.sum(axis=1)[:, None], order, self.nobody)
        return chosen, equal_weights(chosen, self.nobody)

    def _capped(self) -> tuple[Ints, Floats] | str:
        if self.market.panel.market_cap is None:
            return "the panel has no column 'market_cap'"
        cap = np.nan_to_num(self.market.feature("size"))
        cap = np.where(self.eligible, cap, 0.0)
        sums = np.array([total(row) for row in cap.tolist()])
        if not sums.all():
            return "a window has no eligible asset with a market capitalisation"
        chosen = np.where(cap > 0.0, np.arange(self.nobody), self.nobody)
        return chosen, cap / sums[:, None]
