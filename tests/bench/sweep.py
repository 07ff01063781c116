"""How fast a sweep of 1,000 configurations is, outcomes recorded and all, beside a loop of bt backtests.

    python tests/bench/sweep.py [--configs 1000] [--folder DIR]

On the sample panel, 2013 to 2022 in windows of 30 days, without confidence intervals. bt is given the weights, and
so does no scoring; it measures the portfolio alone, has no baselines, and records nothing. It runs on one core, as its
users' loops do; a few of its runs are measured, and counted as often as ours. The disk is that of ``--folder``.
"""

import argparse
import shutil
import statistics
import sys
import tempfile
import time
import warnings

import numpy as np
from backtest import timed, with_bt

from gemexp import ExperimentRegistry
from gemexp.backtest import Workspace, evaluate, grid_from_value, plan_sweep, run_backtest, run_sweep, sample_panel
from gemexp.backtest.sweep_pool import cores

BASE = {"feature_names": ["low_vol_63", "mom_12_1", "trend_200"], "feature_weights": {"low_vol_63": 1.0}}
PARAMETERS = {"start": "2013-01-01", "end": "2022-12-28", "n_bootstrap": 0}
BT_RUNS = 5


def make_grid(count):
    """Return a grid of about ``count`` combinations: picks by two weights."""
    steps = max(2, round((count / 10) ** 0.5))
    weights = {"from": 0.1, "to": 1.0, "count": steps}
    axes = {"k": [*range(3, 13)], "feature_weights.mom_12_1": weights, "feature_weights.trend_200": weights}
    return grid_from_value({"base": BASE, "parameters": PARAMETERS, "grid": axes})


def report(what, seconds, count, note=""):
    print(f"{what:52} {seconds:8.2f} s {seconds / count * 1e3:8.2f} ms each   {note}".rstrip(), flush=True)


def measure_bt(panel, plan, workspace):
    """Return the median seconds of one bt backtest of weights that were chosen before."""
    combination = plan.grid.combination(0, plan.base.config)
    universe, picks = workspace.choose(combination.experiment, combination.parameters)
    dates = np.array(panel.days - 719_163, dtype="datetime64[D]")
    schedule = universe.market.plan
    return statistics.median(timed(lambda: with_bt(panel, dates, schedule, picks, "picks"))[0] for _ in range(BT_RUNS))


def measure_stored(panel, grid, folder):
    """Print the sweeps in this process and on all cores, and again; return the seconds of the second."""
    seconds = {}
    for jobs in sorted({1, cores()}):
        registry = ExperimentRegistry(f"{folder}/{jobs}")
        plan = plan_sweep(grid, panel, registry)
        seconds[jobs], sweep = timed(
            lambda plan=plan, registry=registry, jobs=jobs: run_sweep(plan, registry, jobs=jobs)
        )
        assert sweep.run == len(grid), "all of it was new"
        report(f"run and recorded, jobs {jobs}", seconds[jobs], len(grid))
        if jobs != max(1, cores()):
            shutil.rmtree(registry.root)
    again, plan = timed(lambda: plan_sweep(grid, panel, registry))
    assert not plan.new, "all of it is recorded"
    report("again: finding that nothing is new", again, len(grid))
    best, _ = timed(lambda: run_sweep(plan, registry).best(registry))
    report("again: which are best, outcomes read", best, len(grid))
    return seconds[cores()]


def main():
    """Print a line for each measurement."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--configs", type=int, default=1000)
    parser.add_argument("--folder")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    panel, grid = sample_panel(), make_grid(options.configs)
    planned, plan = timed(lambda: plan_sweep(grid, panel, None))
    print(f"{len(grid)} configurations, {len(panel.days)} days, {len(panel.assets)} assets, {cores()} cores")
    report("planned: experiments built and hashed", planned, len(grid))
    workspace = Workspace(panel)
    combinations = [grid.combination(number, plan.base.config) for number in range(len(grid))]
    figures, _ = timed(lambda: [evaluate(one.experiment, workspace, one.parameters) for one in combinations])
    report("figures alone, one core, nothing recorded", figures, len(grid))
    sample = combinations[:50]
    begun = time.perf_counter()
    for one in sample:
        run_backtest(one.experiment, panel, parameters=one.parameters, workspace=workspace)
    whole = (time.perf_counter() - begun) / len(sample) * len(grid)
    report(f"whole outcomes, one core ({len(sample)} measured)", whole, len(grid))
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        recorded = measure_stored(panel, grid, folder)
    theirs = measure_bt(panel, plan, workspace) * len(grid)
    note = f"{theirs / recorded:.1f} times our recorded sweep, {theirs / figures:.1f} times our figures alone"
    report(f"bt, weights given ({BT_RUNS} measured)", theirs, len(grid), note)


if __name__ == "__main__":
    sys.exit(main())
