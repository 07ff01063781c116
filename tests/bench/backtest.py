"""How fast a backtest is, side by side with bt and, where it is installed, vectorbt.

    python tests/bench/backtest.py [--check]

500 assets, 2,500 days, 8 features, the panel in memory, as the specification sets the limits: one configuration
under 1 s; 1,000 configurations on one panel at most 3 s without IC, and 10 s with. With ``--check`` the exit code is
1 if a limit is missed. bt and vectorbt are given the weights: they do no scoring, so that the comparison favours
them. vectorbt is no dependency of the tests, because it needs numba; install it beside to see its line.
"""

import sys
import time
import warnings

import numpy as np

from gemexp.backtest import Panel, Parameters, Workspace, evaluate, run_backtest
from gemexp.config import ExperimentConfig

ASSETS, DAYS, CONFIGS = 500, 2_500, 1_000
FEATURES = [
    "liquidity_21", "low_vol_63", "mom_12_1", "mom_63", "near_high_252", "reversal_21", "trend_200", "volume_surge",
]  # fmt: skip
LIMITS = {"one configuration": 1.0, "1,000 configurations": 3.0, "1,000 configurations with IC": 10.0}


def make_panel():
    """Return a panel of random walks."""
    source = np.random.default_rng(0)
    dates = np.datetime64("2010-01-04") + np.arange(2 * DAYS)
    dates = dates[np.is_busday(dates)][:DAYS]
    close = 100 * np.exp(np.cumsum(source.normal(3e-4, 0.02, (DAYS, ASSETS)), axis=0))
    volume = source.integers(10**5, 10**6, close.shape).astype(float)
    panel = Panel.from_arrays(dates, [f"A{number:03}" for number in range(ASSETS)], close, volume=volume)
    return panel, dates


def timed(call):
    """Return the seconds that a call takes, and its result."""
    begun = time.perf_counter()
    result = call()
    return time.perf_counter() - begun, result


def with_bt(panel, dates, plan, picks, config):
    """Backtest the same weights with bt."""
    import bt
    import pandas as pd

    rows = slice(int(plan.entry[0]), int(plan.last[-1]) + 1)
    prices = pd.DataFrame(panel.close[rows], index=pd.to_datetime(dates[rows]), columns=panel.assets)
    weights = pd.DataFrame(0.0, index=pd.to_datetime(dates[plan.entry]), columns=panel.assets)
    for row, chosen in enumerate(picks.chosen):
        weights.iloc[row, chosen] = 1 / len(chosen)
    algos = [bt.algos.RunOnDate(*weights.index), bt.algos.WeighTarget(weights), bt.algos.Rebalance()]
    test = bt.Backtest(bt.Strategy(config, algos), prices, integer_positions=False, progress_bar=False)
    test.run()
    return test


def with_vectorbt(panel, dates, plan, picks):
    """Backtest the same weights with vectorbt."""
    import pandas as pd
    import vectorbt as vbt

    rows = slice(int(plan.entry[0]), int(plan.last[-1]) + 1)
    prices = pd.DataFrame(panel.close[rows], index=pd.to_datetime(dates[rows]), columns=panel.assets)
    size = np.full(prices.shape, np.nan)
    for row, chosen in zip(plan.entry - plan.entry[0], picks.chosen, strict=True):
        size[row] = 0.0
        size[row, chosen] = 1 / len(chosen)
    return vbt.Portfolio.from_orders(
        prices, size, size_type="targetpercent", group_by=True, cash_sharing=True, call_seq="auto", freq="D"
    ).total_return()


def main():
    """Print a line for each measurement, and return the exit code."""
    warnings.simplefilter("ignore")
    panel, dates = make_panel()
    digest, _ = timed(lambda: panel.digest)
    print(f"{'hash of the panel':44} {digest:8.3f} s")
    parameters = Parameters(start=str(dates[255]), end=str(dates[-1]), n_bootstrap=0)
    equal = ExperimentConfig(FEATURES, dict.fromkeys(FEATURES, 1 / len(FEATURES)))
    taken = {"one configuration": timed(lambda: run_backtest(equal, panel, parameters=parameters))[0]}
    full = Parameters(**{**parameters.to_dict(), "n_bootstrap": 2_000})
    bootstrapped, _ = timed(lambda: run_backtest(equal, panel, parameters=full))
    source = np.random.default_rng(1)
    configs = [ExperimentConfig(FEATURES, dict(zip(FEATURES, source.random(8), strict=True))) for _ in range(CONFIGS)]
    workspace = Workspace(panel)
    for name, ic in (("1,000 configurations", False), ("1,000 configurations with IC", True)):
        taken[name], _ = timed(lambda ic=ic: [evaluate(c, workspace, parameters, ic=ic) for c in configs])
    for name, seconds in taken.items():
        print(f"{name:44} {seconds:8.3f} s   limit {LIMITS[name]:.0f} s")
    print(f"{'one configuration with 2,000 replicates':44} {bootstrapped:8.3f} s")
    whole, _ = timed(lambda: [run_backtest(c, panel, parameters=parameters, workspace=workspace) for c in configs[:50]])
    print(f"{'1,000 whole outcomes (50 measured)':44} {20 * whole:8.3f} s")

    universe, picks = workspace.choose(equal, parameters)
    plan = universe.market.plan
    ours, _ = timed(lambda: workspace.hold(universe, picks, parameters))
    print(f"{'the portfolio alone, weights given':44} {ours:8.4f} s")
    for name, call in (
        ("bt, weights given", lambda: with_bt(panel, dates, plan, picks, "picks")),
        ("vectorbt, weights given", lambda: with_vectorbt(panel, dates, plan, picks)),
    ):
        try:
            call()  # once to warm up, because vectorbt compiles
            theirs, _ = timed(call)
        except ImportError:
            print(f"{name:44} not installed")
            continue
        ratio = theirs / taken["one configuration"]
        print(
            f"{name:44} {theirs:8.3f} s   {ratio:.1f} times ours with scoring, {theirs / ours:,.0f} times ours without"
        )
    missed = [name for name, seconds in taken.items() if seconds > LIMITS[name]]
    return 1 if missed and "--check" in sys.argv[1:] else 0


if __name__ == "__main__":
    sys.exit(main())
