"""Measures of windows: what the picks of each earned beside what could be chosen from, and what that sums up to.

Source: section 7 of the specification.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np

from gemexp.backtest import bootstrap, metrics
from gemexp.backtest.arrays import Bools, Floats, deviation, mean, quantile, total
from gemexp.backtest.bootstrap import Interval
from gemexp.backtest.metrics import Basis
from gemexp.backtest.parameters import Parameters
from gemexp.backtest.portfolio import Track
from gemexp.backtest.ranking import centred_ranks_of_keys, correlations
from gemexp.backtest.selection import Picks
from gemexp.backtest.universe import Universe

Figures = list[float | None]


@dataclass(frozen=True, slots=True)
class Picked:
    """By window: the share of picks that gained, and their mean forward return."""

    precision: list[float]
    forward: list[float]


@dataclass(frozen=True, slots=True)
class Windows:
    """All figures by window.

    Attributes:
        ic: Rank correlation of score and forward return; None for fewer than 3 assets, or where either is constant.
        horizons: By days: rank correlations, and mean forward returns of the picks; None where left out.
    """

    universe: Universe
    picks: Picks
    track: Track
    own: Picked
    precision_median: list[float]
    precision_topk: list[float]
    delistings: list[int]
    ic: Figures
    horizons: dict[int, tuple[Figures, Figures]]

    @classmethod
    def of(cls, universe: Universe, picks: Picks, held: Track, horizons: Sequence[int]) -> Windows:
        """Measure ``picks``, which did ``held``, over their windows and over ``horizons`` in calendar days."""
        ranks = centred_ranks_of_keys(picks.keys, universe.eligible)
        gone = universe.market.grown.gone[np.arange(len(picks.chosen))[:, None], picks.chosen]
        return cls(
            universe=universe,
            picks=picks,
            track=held,
            own=picked(universe, picks),
            precision_median=_share(universe.above_median, picks),
            precision_topk=_share(universe.top(picks.count), picks),
            delistings=gone.sum(axis=1).tolist(),
            ic=_ics(universe, ranks, None),
            horizons={
                days: (
                    _ics(universe, ranks, days),
                    [
                        None if math.isnan(value) else value
                        for value in _mean_of_picks(universe.market.horizon(days), picks)
                    ],
                )
                for days in horizons
            },
        )

    @property
    def enough(self) -> bool:
        """Whether there are windows enough for a confidence interval."""
        return len(self.own.precision) >= bootstrap.FEWEST_WINDOWS

    def summary(self, parameters: Parameters, universe: Universe) -> dict[str, Any]:
        """Return the figures over all windows, named as in the summary."""
        forward = average(self.own.forward)
        draws = universe.random(parameters.k, parameters.seed)
        ics = _defined(self.ic)
        return {
            "precision_at_k": average(self.own.precision),
            "precision_median": average(self.precision_median),
            "precision_topk": average(self.precision_topk),
            "base_rate": average(universe.base_rate),
            "forward_return_mean": forward,
            "universe_return_mean": average(universe.mean_forward),
            **_ic_summary(ics),
            "ic_p": bootstrap.sign_flips(ics, parameters.seed),
            "turnover_mean": average(self.track.turnover.tolist()),
            "delistings_held": sum(self.delistings),
            "random": {
                "forward_return_mean": average(universe.mean_forward),
                "q05": quantile(draws, 0.05),
                "q95": quantile(draws, 0.95),
                "p_value": bootstrap.exceedance(draws, forward),
            },
            "horizons": {
                f"{days}d": {
                    "ic_mean": mean(_defined(ic)),
                    "forward_return_mean": mean(_defined(returns)),
                    "left_out": returns.count(None),
                }
                for days, (ic, returns) in self.horizons.items()
            },
        }

    def intervals(self, parameters: Parameters) -> dict[str, Interval]:
        """Return the confidence intervals of the windows' means."""
        figures = {"precision_at_k": self.own.precision, "forward_return": self.own.forward, "ic": _defined(self.ic)}
        return {
            name: bootstrap.mean_interval(values, parameters.seed, name, parameters.n_bootstrap)
            for name, values in figures.items()
        }

    def records(self) -> list[dict[str, Any]]:
        """Return one map for each window, in order: a row of ``windows.csv``."""
        market, plan = self.universe.market, self.universe.market.plan
        assets, days = market.panel.assets, market.panel.days
        nobody = self.universe.nobody
        return [
            {
                "window": window,
                "train_start": _iso(plan.train[window]),
                "test_start": _iso(plan.test[window]),
                "test_end": _iso(plan.until[window] - 1),
                "decision_date": _iso(days[plan.decision[window]]),
                "first_date": _iso(days[plan.first[window]]),
                "last_date": _iso(days[plan.last[window]]),
                "eligible": int(self.universe.count[window]),
                "picks": [assets[asset] for asset in chosen if asset != nobody],
                "precision_at_k": self.own.precision[window],
                "precision_median": self.precision_median[window],
                "precision_topk": self.precision_topk[window],
                "base_rate": self.universe.base_rate[window],
                "lift": _lift(self.own.precision[window], self.universe.base_rate[window]),
                "forward_return": self.own.forward[window],
                "universe_return": self.universe.mean_forward[window],
                "portfolio_return": float(self.track.net[window]) - 1.0,
                "turnover": float(self.track.turnover[window]),
                "delistings_held": self.delistings[window],
                "ic": self.ic[window],
                "horizons": {
                    f"{length}d": {"ic": ic[window], "forward_return": returns[window]}
                    for length, (ic, returns) in self.horizons.items()
                },
            }
            for window, chosen in enumerate(self.picks.chosen.tolist())
        ]


def picked(universe: Universe, picks: Picks) -> Picked:
    """Return what the picks of each window earned."""
    return Picked(_share(universe.positive, picks), _mean_of_picks(universe.market.forward, picks))


def series(found: Track | str, basis: Basis) -> dict[str, float | None] | None:
    """Return the measures of a portfolio's daily returns; None where it could not be formed."""
    return None if isinstance(found, str) else metrics.measure(found.returns, basis)


def average(values: Sequence[float]) -> float:
    """Return the mean of the windows' figures, of which there is at least one."""
    return total(values) / len(values)


def _share(who: Bools, picks: Picks) -> list[float]:
    """Return the share of each window's picks that are among ``who``, shape (W, N + 1)."""
    hits = who[np.arange(len(who))[:, None], picks.chosen].sum(axis=1)
    shares: list[float] = (hits / picks.count).tolist()
    return shares


def _mean_of_picks(values: Floats, picks: Picks) -> list[float]:
    last = values.shape[1] - 1
    rows = values[np.arange(len(values))[:, None], np.minimum(picks.chosen, last)].tolist()
    # Nobody comes last in a row, and so is cut off.
    return [total(row[:count]) / count for row, count in zip(rows, picks.count.tolist(), strict=True)]


def _ics(universe: Universe, ranks: Floats, horizon: int | None) -> Figures:
    ranked = universe.ranked(horizon)
    return correlations(ranks, ranked.ranks, ranked.squares, ranked.count)


def _ic_summary(ics: list[float]) -> dict[str, float | None]:
    centre, spread = mean(ics), deviation(ics)
    ir = None if centre is None or not spread else centre / spread
    return {
        "ic_mean": centre,
        "ic_std": spread,
        "ic_ir": ir,
        "ic_t": None if ir is None else ir * math.sqrt(len(ics)),
        "ic_hit": mean(float(value > 0.0) for value in ics),
    }


def _defined(figures: Figures) -> list[float]:
    return [value for value in figures if value is not None]


def _lift(precision: float, base_rate: float) -> float | None:
    return precision / base_rate if base_rate else None


def _iso(day: Any) -> str:
    return date.fromordinal(int(day)).isoformat()
