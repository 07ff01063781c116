"""What this project computes, as pipelines: a backtest, a sweep, and what registering leaves in a store."""

import os
import tempfile
from datetime import date, timedelta
from pathlib import Path

from gemexp import ExperimentConfig, ExperimentRegistry
from gemexp.canonical import normalise

ASSETS, DAYS, FIRST = 8, 560, date(2020, 1, 1)
DATES = {"start": "2021-01-04", "end": "2021-06-30", "walk": "14d"}


def panel():
    """Return random walks with gaps and an asset that is delisted."""
    return _panel(gaps=True)


def whole_panel():
    """Return random walks of assets that are there from the first day to the last."""
    return _panel(gaps=False)


def _panel(*, gaps):
    import numpy as np

    from gemexp.backtest import Panel

    source = np.random.default_rng(7)
    close = 50 * np.exp(np.cumsum(source.normal(2e-4, 0.02, (DAYS, ASSETS)), axis=0))
    if gaps:
        close[source.random((DAYS, ASSETS)) < 0.01] = np.nan
        close[500:, 0] = np.nan
    mood = source.random((DAYS, ASSETS)).round(2)
    dates = [FIRST + timedelta(number) for number in range(DAYS)]
    return Panel.from_arrays(dates, [f"A{number}" for number in range(ASSETS)], close, columns={"Mood": mood})


def config(**hyperparameters):
    """Return a scoring by price and by a column of the panel, with what a backtest needs to know."""
    return ExperimentConfig(
        ["mom_63", "low_vol_63", "Mood"],
        {"mom_63": 0.5, "low_vol_63": 0.3, "Mood": 0.1},
        {"seed": 13, "k": 3, "n_bootstrap": 20, **hyperparameters},
    )


def backtest(config, prices=None):
    from gemexp.backtest import Parameters, run_backtest

    parameters = Parameters(**DATES, **config.hyperparameters)
    scoring = ExperimentConfig(config.feature_names, config.feature_weights)
    return run_backtest(scoring, panel() if prices is None else prices, parameters=parameters)


def figures(config):
    outcome = backtest(config)
    return {"value": outcome.to_value(), "daily": outcome.daily, "digest": outcome.digest}


def picks(config):
    return [window["picks"] for window in backtest(config).windows]


def decided_by(outcome, row):
    """Return what a backtest decided up to a row."""
    day = (FIRST + timedelta(row)).isoformat()
    return [window["picks"] for window in outcome.windows if window["decision_date"] <= day]


def earned_by(outcome, row):
    """Return the windows of a backtest that are over at a row, with the last of their horizons."""
    day = (FIRST + timedelta(row - 31)).isoformat()
    return [window for window in outcome.windows if window["test_end"] <= day]


def sweep(config):
    from gemexp.backtest import grid_from_value, plan_sweep, run_sweep

    prices = panel()
    base = {"feature_names": config.feature_names, "feature_weights": config.feature_weights}
    grid = {"base": base, "parameters": {**DATES, "n_bootstrap": 20}, "grid": {"k": [2, 3], "bps": [0, 10]}}
    with tempfile.TemporaryDirectory() as folder:
        registry = ExperimentRegistry(os.path.join(folder, "store"))
        found = run_sweep(plan_sweep(grid_from_value(grid), prices, registry), registry, jobs=1)
        return {number: (result.config_hash, result.outcome_hash) for number, result in found.results.items()}


def store(config):
    """Return all files that registering a config and recording an outcome leave, but the run's, which says when."""
    config.tags = ["best", "é"]
    config.description = "as it is"
    with tempfile.TemporaryDirectory() as folder:
        registry = ExperimentRegistry(os.path.join(folder, "store"))
        registry.register(config)
        metrics = {f"loss of {name}": weight for name, weight in config.feature_weights.items()}
        outcome = registry.record(config, metrics, details=normalise({"config": config.hyperparameters}))
        root = Path(registry.root)
        assert [run.outcome for run in registry.runs()] == [outcome]
        files = [path for path in root.rglob("*") if path.is_file() and "local" not in path.parts]
        names = {path.relative_to(root).as_posix(): path.read_bytes() for path in files}
        return {name: data for name, data in names.items() if b"gemexp/run@" not in data}
