"""A panel that is small enough to sweep often, and what the grids of the tests have in common."""

from datetime import date, timedelta

import numpy as np

from gemexp.backtest import Panel

ASSETS, DAYS, FIRST = 8, 840, date(2020, 1, 1)
PARAMETERS = {"start": "2021-02-01", "end": "2021-07-01", "n_bootstrap": 0, "walk": "14d", "k": 3}
BASE = {"feature_names": ["mom_63", "low_vol_63"], "feature_weights": {"mom_63": 0.5, "low_vol_63": 0.5}}


def random_panel(seed=7):
    """Return a panel of random walks."""
    source = np.random.default_rng(seed)
    dates = [FIRST + timedelta(number) for number in range(DAYS)]
    close = 50 * np.exp(np.cumsum(source.normal(2e-4, 0.02, (DAYS, ASSETS)), axis=0))
    return Panel.from_arrays(dates, [f"A{number}" for number in range(ASSETS)], close)
