"""Running a configuration on a panel.

`run_backtest` gives everything, as an `Outcome`. `evaluate` gives the few figures that a sweep ranks by, in a
fraction of the time. Both share a `Workspace`, which keeps what configurations on one panel have in common.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from gemexp.backtest import bootstrap, measures, metrics
from gemexp.backtest.arrays import mean
from gemexp.backtest.features import Prices
from gemexp.backtest.market import Market, Shelf
from gemexp.backtest.metrics import Basis
from gemexp.backtest.outcome import Daily, Outcome, canonical
from gemexp.backtest.panel import Panel
from gemexp.backtest.parameters import Parameters, experiment_of
from gemexp.backtest.portfolio import Track, equal_weights, track
from gemexp.backtest.ranking import centred_ranks_of_keys, correlations
from gemexp.backtest.selection import Picks, eligible_assets, pick, terms_of
from gemexp.backtest.universe import Universe
from gemexp.backtest.windows import schedule
from gemexp.config import ExperimentConfig
from gemexp.errors import InvalidInput

BASELINES = ("equal_weight", "momentum", "cap_weighted")
_MARKETS_KEPT = 8
_UNIVERSES_KEPT = 16


class Workspace:
    """What configurations on one panel share: windows, features, forward returns, baselines. Not for several threads.

    Args:
        panel: The panel.
    """

    def __init__(self, panel: Panel) -> None:
        self.panel = panel
        self._prices = Prices(panel)
        self._auto = metrics.periods_per_year(panel.days)
        self._markets: Shelf[Market] = Shelf(_MARKETS_KEPT)
        self._universes: Shelf[Universe] = Shelf(_UNIVERSES_KEPT)

    def basis(self, parameters: Parameters) -> Basis:
        """Return what turns daily figures into yearly ones."""
        return Basis.of(parameters.periods_per_year or self._auto, parameters.risk_free_rate)

    def market(self, parameters: Parameters) -> Market:
        """Return the panel as seen through the windows of ``parameters``.

        Raises:
            InvalidInput: As `windows.schedule`.
        """

        def make() -> Market:
            plan = schedule(self.panel.days, parameters)
            return Market(self.panel, self._prices, plan, parameters.delisting_return)

        return self._markets.get(_market_key(parameters), make)

    def choose(self, config: ExperimentConfig, parameters: Parameters) -> tuple[Universe, Picks]:
        """Validate everything, then choose the assets of each window.

        Raises:
            InvalidInput: The configuration, the panel and the parameters do not go together.
        """
        terms = terms_of(config, self.panel)
        market = self.market(parameters)

        def make() -> Universe:
            return Universe(market, eligible_assets(terms, market))

        features = tuple(term.feature for term in terms)
        universe = self._universes.get((_market_key(parameters), features), make)
        return universe, pick(terms, universe, parameters.k, allow_fewer=parameters.allow_fewer)

    def hold(self, universe: Universe, picks: Picks, parameters: Parameters) -> Track:
        """Return what holding the picks at equal weights did."""
        weights = equal_weights(picks.chosen, universe.nobody)
        return track(universe.market.grown, picks.chosen, weights, parameters.cost)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The figures that a sweep ranks by, unrounded; None where undefined.

    Attributes:
        precision_at_k: Mean share of picks that gained.
        forward_return_mean: Mean return of the picks over a window, before costs.
        turnover_mean: Mean turnover of a window.
        ic_mean: Mean rank correlation of score and forward return; None too where it was not asked for.
        strategy: The measures of the daily net returns.
        sharpe_per_day: The Sharpe ratio, not annualised: what the deflated Sharpe ratio takes the variance of.
    """

    precision_at_k: float
    forward_return_mean: float
    turnover_mean: float
    ic_mean: float | None
    strategy: dict[str, float | None]
    sharpe_per_day: float | None


def evaluate(config: ExperimentConfig, workspace: Workspace, parameters: Parameters, *, ic: bool = True) -> Evaluation:
    """Return the main figures of ``config``: those of `run_backtest`, without baselines, intervals and windows.

    Raises:
        InvalidInput: As `run_backtest`.
    """
    universe, picks = workspace.choose(config, parameters)
    held = workspace.hold(universe, picks, parameters)
    basis = workspace.basis(parameters)
    strategy = metrics.measure(held.returns, basis)
    own = measures.picked(universe, picks)
    ics: list[float | None] = []
    if ic:
        ranked = universe.ranked(None)
        ranks = centred_ranks_of_keys(picks.keys, universe.eligible)
        ics = correlations(ranks, ranked.ranks, ranked.squares, ranked.count)
    sharpe = strategy["sharpe"]
    return Evaluation(
        precision_at_k=measures.average(own.precision),
        forward_return_mean=measures.average(own.forward),
        turnover_mean=measures.average(held.turnover.tolist()),
        ic_mean=mean(value for value in ics if value is not None),
        strategy=strategy,
        sharpe_per_day=None if sharpe is None else sharpe / basis.periods**0.5,
    )


def run_backtest(
    config: ExperimentConfig,
    panel: Panel,
    *,
    parameters: Parameters,
    workspace: Workspace | None = None,
) -> Outcome:
    """Evaluate ``config`` on ``panel``, walk-forward.

    Args:
        config: Features, weights and transformations; its hyperparameters are kept beside the parameters.
        panel: The prices.
        parameters: Dates, windows, number of assets, costs.
        workspace: Shared by runs on one panel; a new one if not given.

    Raises:
        InvalidInput: The configuration, the panel and the parameters do not go together. Nothing was computed yet.
    """
    if workspace is None:
        workspace = Workspace(panel)
    elif workspace.panel is not panel:
        raise InvalidInput("the workspace was made for another panel")
    experiment = experiment_of(config, parameters)
    universe, picks = workspace.choose(config, parameters)
    basis = workspace.basis(parameters)
    held = workspace.hold(universe, picks, parameters)
    tracks: dict[str, Track | str] = {"strategy": held}
    for name in BASELINES:
        tracks[name] = universe.baseline(name, parameters.k, parameters.cost)
    table = measures.Windows.of(universe, picks, held, parameters.horizons)
    summary = {
        "windows": len(universe.market.plan),
        "days": len(held.returns),
        "periods_per_year": basis.periods,
        **table.summary(parameters, universe),
        **{name: measures.series(found, basis) for name, found in tracks.items()},
        "notes": {name: found for name, found in tracks.items() if isinstance(found, str)},
        "ci95": {
            **table.intervals(parameters),
            **bootstrap.series_intervals(
                held.returns, basis, parameters.seed, parameters.n_bootstrap if table.enough else 0
            ),
        },
        "moments": metrics.moments(held.returns, basis),
    }
    plan = universe.market.plan
    return Outcome(
        experiment=experiment,
        parameters=parameters,
        panel_digest=panel.digest,
        data=_data(panel),
        windows=canonical(table.records()),
        summary=canonical(summary),
        daily=Daily(
            days=panel.days[plan.first[0] : plan.last[-1] + 1],
            window=universe.market.grown.window,
            returns={name: None if isinstance(found, str) else found.returns for name, found in tracks.items()},
        ),
        warnings=plan.warnings,
    )


def _market_key(parameters: Parameters) -> tuple[object, ...]:
    return (parameters.start, parameters.end, parameters.walk, parameters.lag, parameters.delisting_return)


def _data(panel: Panel) -> dict[str, Any]:
    first, last = (date.fromordinal(int(panel.days[row])).isoformat() for row in (0, -1))
    return {"assets": len(panel.assets), "first_date": first, "last_date": last}
