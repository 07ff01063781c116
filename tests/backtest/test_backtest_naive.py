"""The engine against a second implementation, on real panels and on random ones."""

import datetime as dt

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from naive import Naive, backtest
from panels import DELISTED, SAMPLE, VOLUME, panel_of, random_rows, rows_of

from gemexp.backtest import Parameters, read_panel, run_backtest
from gemexp.backtest.features import BUILT_IN
from gemexp.config import ExperimentConfig
from gemexp.errors import InvalidInput

TRANSFORMATIONS = ("rank", "zscore", "winsorize", "log", "none")
PRICES = [name for name, feature in sorted(BUILT_IN.items()) if not feature.columns]


def compare(rows, panel, config, parameters):
    outcome = run_backtest(config, panel, parameters=parameters)
    chosen = {
        name: config.feature_transformations.get(name, "none" if name in panel.columns else "rank")
        for name in config.feature_names
    }
    records, metrics = backtest(
        Naive(rows),
        {name: config.feature_weights.get(name, 0.0) for name in config.feature_names},
        chosen,
        start=parameters.start,
        end=parameters.end,
        walk=parameters.walk,
        k=parameters.k,
        bps=parameters.bps,
        lag=parameters.lag,
        horizons=parameters.horizons,
        rf=parameters.risk_free_rate,
        delisting_return=parameters.delisting_return,
        periods=outcome.summary["periods_per_year"],
    )
    assert len(outcome.windows) == len(records)
    for ours, theirs in zip(outcome.windows, records, strict=True):
        same({name: ours[name] for name in theirs}, theirs)
    same({name: outcome.summary[name] for name in metrics}, metrics)
    return outcome


def same(ours, theirs, path=""):
    if isinstance(theirs, dict):
        assert set(ours) == set(theirs), path
        for name, value in theirs.items():
            same(ours[name], value, f"{path}.{name}")
    elif isinstance(theirs, float):
        assert ours == pytest.approx(theirs, rel=1e-9, abs=1e-12), path
    else:
        assert ours == theirs, path


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data())
def test_random_panels_and_configurations_agree(data):
    draw = data.draw
    rows = random_rows(draw(st.integers(0, 10**6)), days=330, assets=draw(st.integers(2, 7)))
    names = draw(st.lists(st.sampled_from([*sorted(BUILT_IN), "Mood"]), min_size=1, max_size=4, unique=True))
    weights = draw(st.lists(st.sampled_from([1.0, 0.5, -0.3, 0.1, 0.0, 7.0]), min_size=len(names), max_size=len(names)))
    transforms = {name: draw(st.sampled_from(TRANSFORMATIONS)) for name in names if draw(st.booleans())}
    calendar = sorted({date for date, _ in rows})
    lag = draw(st.integers(1, 3))
    parameters = Parameters(
        start=calendar[draw(st.integers(250, 280))],
        end=calendar[-1] + dt.timedelta(draw(st.integers(-3, 20))),
        walk=draw(st.sampled_from(["9d", "2w", "15d"])),
        k=draw(st.integers(1, 4)),
        bps=draw(st.sampled_from([0.0, 10.0, 55.5])),
        lag=lag,
        horizons=draw(st.sampled_from([(7, 14, 30), (3,), ()])),
        risk_free_rate=draw(st.sampled_from([0.0, 0.03])),
        delisting_return=draw(st.sampled_from([0.0, -0.3, -1.0])),
        allow_fewer=True,
        n_bootstrap=0,
    )
    config = ExperimentConfig(names, dict(zip(names, weights, strict=True)), feature_transformations=transforms)
    try:
        compare(rows, panel_of(rows), config, parameters)
    except InvalidInput as error:
        told = ("eligible", "all feature weights are zero", "has no rows in the panel")
        assert any(one in str(error) for one in told), error  # noqa: PT017


@pytest.mark.parametrize("transformation", TRANSFORMATIONS)
def test_sample_panel_agrees(transformation):
    names = ["mom_12_1", "low_vol_63", "reversal_21", "trend_200", "near_high_252", "mom_63"]
    config = ExperimentConfig(
        names,
        dict(zip(names, (0.3, 0.2, -0.1, 0.2, 0.1, 0.3), strict=True)),
        feature_transformations=dict.fromkeys(names, transformation),
    )
    rows = {key: cell for key, cell in rows_of(SAMPLE).items() if key[0].year in (2010, 2011)}
    compare(rows, panel_of(rows), config, Parameters(start="2011-01-31", end="2011-11-30", k=5, n_bootstrap=0))


@pytest.mark.parametrize("delisting_return", [0.0, -0.4])
def test_gaps_and_a_delisting_while_held_agree(delisting_return):
    rows = rows_of(DELISTED)
    panel = read_panel(DELISTED)
    config = ExperimentConfig(["low_vol_63", "mom_63"], {"low_vol_63": -1.0, "mom_63": 0.25})
    parameters = Parameters(start="2019-04-02", end="2020-06-30", k=6, delisting_return=delisting_return, n_bootstrap=0)
    outcome = compare(rows, panel, config, parameters)
    held = [window for window in outcome.windows if "RRC" in window["picks"]]
    assert held[-1]["delistings_held"] == 1
    assert held[-1]["first_date"] <= "2020-03-06" < held[-1]["last_date"]
    assert outcome.summary["delistings_held"] == 1
    assert all("RRC" not in window["picks"] for window in outcome.windows if window["decision_date"] > "2020-03-06")


def test_an_asset_in_a_gap_is_not_eligible_but_stays_held():
    panel = read_panel(DELISTED)
    config = ExperimentConfig(["mom_63"], {"mom_63": 1.0})
    parameters = Parameters(start="2019-07-05", end="2019-09-05", walk="4w", k=3, n_bootstrap=0)
    first, *_ = run_backtest(config, panel, parameters=parameters).windows
    assert first["decision_date"] == "2019-08-01"
    assert first["eligible"] == len(panel.assets) - 1  # BBY has no close from 2019-08-01 to 14


def test_volume_features_agree_on_real_volumes():
    rows = {key: cell for key, cell in rows_of(VOLUME).items() if key[0].year in (2013, 2014)}
    names = ["liquidity_21", "volume_surge", "mom_63"]
    config = ExperimentConfig(names, dict.fromkeys(names, 1 / 3), feature_transformations={"liquidity_21": "zscore"})
    compare(rows, panel_of(rows), config, Parameters(start="2013-05-01", end="2014-12-31", k=2, n_bootstrap=0))


@pytest.mark.parametrize("lag", [1, 2, 5])
@pytest.mark.parametrize("name", PRICES)
def test_each_price_feature_agrees_alone(name, lag):
    rows = random_rows(7, days=330, assets=5)
    calendar = sorted({date for date, _ in rows})
    config = ExperimentConfig([name], {name: 1.0}, feature_transformations={name: "zscore"})
    parameters = Parameters(
        start=calendar[262], end=calendar[-1], walk="2w", k=2, lag=lag, allow_fewer=True, n_bootstrap=0
    )
    compare(rows, panel_of(rows), config, parameters)
