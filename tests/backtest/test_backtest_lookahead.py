"""What must not matter, and what must be found: no figure knows the future, and a feature that does is exposed."""

import datetime as dt
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from panels import DELISTED, VOLUME, panel_of, random_rows

from gemexp.backtest import Panel, Parameters, Workspace, read_panel, run_backtest, sample_panel
from gemexp.backtest.features import BUILT_IN
from gemexp.backtest.ranking import asset_of, average_ranks, best, centred_ranks, centred_ranks_of_keys, keys, levels
from gemexp.config import ExperimentConfig
from gemexp.scoring import score

SAMPLE = sample_panel()
PRICES = sorted(name for name, feature in BUILT_IN.items() if not feature.columns)
PARAMETERS = Parameters(start="2015-01-01", end="2016-12-31", k=4, n_bootstrap=0)
ALL = ExperimentConfig(PRICES, {name: 0.1 * n + 0.3 for n, name in enumerate(PRICES)})


def dates_of(panel):
    return (panel.days - 719_163).astype("datetime64[D]")


def with_close(panel, close, **columns):
    return Panel.from_arrays(dates_of(panel), panel.assets, close, columns=columns)


def figures(outcome):
    """Return all figures, without what names the panel or its assets."""
    return [{name: x for name, x in w.items() if name != "picks"} for w in outcome.windows], outcome.summary


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), window=st.integers(0, 23), lag=st.integers(1, 4))
def test_prices_after_the_decision_change_no_pick(seed, window, lag):
    parameters = Parameters(start="2015-01-01", end="2016-12-31", k=4, lag=lag, n_bootstrap=0)
    workspace = Workspace(SAMPLE)
    _, picks = workspace.choose(ALL, parameters)
    row = workspace.market(parameters).plan.decision[window]
    future = np.random.default_rng(seed).uniform(0.2, 5.0, SAMPLE.close.shape)
    future[: row + 1] = 1.0
    _, again = Workspace(with_close(SAMPLE, SAMPLE.close * future)).choose(ALL, parameters)
    np.testing.assert_array_equal(again.chosen[: window + 1], picks.chosen[: window + 1])
    np.testing.assert_array_equal(again.keys[: window + 1], picks.keys[: window + 1])


def test_prices_at_the_decision_do_change_picks():
    workspace = Workspace(SAMPLE)
    _, picks = workspace.choose(ALL, PARAMETERS)
    row = workspace.market(PARAMETERS).plan.decision[3]
    changed = SAMPLE.close.copy()
    changed[row, picks.chosen[3, 0]] *= 0.2
    _, again = Workspace(with_close(SAMPLE, changed)).choose(ALL, PARAMETERS)
    assert (again.chosen[3] != picks.chosen[3]).any()


def test_a_panel_that_ends_with_the_window_gives_the_same_window():
    outcome = run_backtest(ALL, SAMPLE, parameters=PARAMETERS)
    rows = int(np.searchsorted(SAMPLE.days, PARAMETERS.end.toordinal(), side="right"))
    short = Panel.from_arrays(dates_of(SAMPLE)[:rows], SAMPLE.assets, SAMPLE.close[:rows])
    again = run_backtest(ALL, short, parameters=PARAMETERS)
    for ours, theirs in zip(outcome.windows, again.windows, strict=True):
        assert {**ours, "horizons": 0} == {**theirs, "horizons": 0}


@pytest.mark.parametrize("transformation", ["rank", "none"])
def test_a_feature_equal_to_the_forward_return_is_perfect(transformation):
    market = Workspace(SAMPLE).market(PARAMETERS)
    oracle = np.full(SAMPLE.close.shape, np.nan)
    # Clipping to [0, 1] would tie the losses, so that the oracle is moved and squeezed into it.
    oracle[market.plan.decision] = market.forward / 10 + 0.5
    panel = with_close(SAMPLE, SAMPLE.close, Oracle=oracle)
    config = ExperimentConfig(["Oracle"], {"Oracle": 2.0}, feature_transformations={"Oracle": transformation})
    outcome = run_backtest(config, panel, parameters=PARAMETERS)
    assert {w["ic"] for w in outcome.windows} == {1.0}
    assert {w["precision_topk"] for w in outcome.windows} == {1.0}
    assert outcome.summary["ic_std"] == 0.0
    assert outcome.summary["ic_ir"] is None
    assert outcome.summary["random"]["p_value"] == pytest.approx(1 / 1001)
    opposite = ExperimentConfig(["Oracle"], {"Oracle": -2.0}, feature_transformations={"Oracle": transformation})
    worst = run_backtest(opposite, panel, parameters=PARAMETERS)
    assert {w["ic"] for w in worst.windows} == {-1.0}
    assert worst.summary["precision_topk"] == 0.0
    assert worst.summary["random"]["p_value"] == 1.0


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_order_of_dates_assets_columns_and_features_changes_nothing(seed):
    source = random.Random(seed)  # noqa: S311 - nothing secret
    panel = panel_of(random_rows(5, days=120))
    assets, rows = list(range(len(panel.assets))), list(range(len(panel.days)))
    source.shuffle(assets)
    source.shuffle(rows)
    pick = lambda table: table[np.ix_(rows, assets)]  # noqa: E731
    columns = {"Other": panel.close, "Mood": panel.columns["Mood"]}
    names = ["mom_63", "Mood", "Other", "size"]
    weights = {"mom_63": 0.5, "Mood": 0.1, "Other": -0.3, "size": 0.2}
    parameters = Parameters(
        start=dt.date.fromordinal(int(panel.days[66])),
        end=dt.date.fromordinal(int(panel.days[-1])),
        walk="9d",
        k=2,
        allow_fewer=True,
    )
    straight = Panel.from_arrays(
        dates_of(panel), panel.assets, panel.close, market_cap=panel.market_cap, columns=columns
    )
    shuffled = Panel.from_arrays(
        dates_of(panel)[rows],
        [panel.assets[a] for a in assets],
        pick(panel.close),
        market_cap=pick(panel.market_cap),
        columns={name: pick(columns[name]) for name in source.sample(sorted(columns), 2)},
    )
    first = run_backtest(ExperimentConfig(names, weights), straight, parameters=parameters)
    source.shuffle(names)
    again = run_backtest(ExperimentConfig(names, weights), shuffled, parameters=parameters)
    assert again.to_json() == first.to_json()


def test_a_stock_split_changes_no_figure():
    factors = 2.0 ** np.random.default_rng(9).integers(-6, 7, len(SAMPLE.assets))
    outcome = run_backtest(ALL, SAMPLE, parameters=PARAMETERS)
    assert figures(run_backtest(ALL, with_close(SAMPLE, SAMPLE.close * factors), parameters=PARAMETERS)) == figures(
        outcome
    )


def test_a_feature_of_no_weight_changes_no_figure():
    panel = read_panel(VOLUME)
    parameters = Parameters(start="2014-01-01", end="2015-12-31", k=2, n_bootstrap=0)
    alone = ExperimentConfig(["mom_63"], {"mom_63": 1.0})
    beside = ExperimentConfig(["mom_63", "mom_12_1", "volume_surge"], {"mom_63": 1.0, "mom_12_1": 0.0})
    assert figures(run_backtest(beside, panel, parameters=parameters)) == figures(
        run_backtest(alone, panel, parameters=parameters)
    )


def test_double_weights_change_no_pick():
    double = ExperimentConfig(PRICES, {name: 2 * weight for name, weight in ALL.feature_weights.items()})
    assert figures(run_backtest(double, SAMPLE, parameters=PARAMETERS)) == figures(
        run_backtest(ALL, SAMPLE, parameters=PARAMETERS)
    )


def test_no_cost_is_dearer_than_some():
    free, dear = (
        run_backtest(
            ALL, SAMPLE, parameters=Parameters(start="2015-01-01", end="2016-12-31", k=4, bps=bps, n_bootstrap=0)
        )
        for bps in (0.0, 25.0)
    )
    for cheap, costly in zip(free.windows, dear.windows, strict=True):
        assert cheap["portfolio_return"] == pytest.approx(cheap["forward_return"], abs=1e-9)
        factor = 1 - 25e-4 * costly["turnover"]
        assert costly["portfolio_return"] == pytest.approx(factor * (1 + cheap["portfolio_return"]) - 1, abs=1e-9)
    assert free.windows[0]["turnover"] == 1.0


def test_full_replacement_is_a_turnover_of_two():
    dates = [dt.date(2020, 1, 1) + dt.timedelta(n) for n in range(40)]
    close = np.full((40, 4), 5.0)
    flag = np.zeros((40, 4))
    flag[:, :2] = 1
    flag[19:] = 1 - flag[19:]
    panel = Panel.from_arrays(dates, list("ABCD"), close, columns={"Flag": flag})
    config = ExperimentConfig(["Flag"], {"Flag": 1.0})
    parameters = Parameters(start=dates[0], end=dates[-1], walk="10d", k=2, bps=100, n_bootstrap=0)
    outcome = run_backtest(config, panel, parameters=parameters)
    assert [(w["picks"], w["turnover"]) for w in outcome.windows] == [
        (["A", "B"], 1.0),
        (["C", "D"], 2.0),
        (["C", "D"], 0.0),
    ]
    assert outcome.summary["strategy"]["total_return"] == pytest.approx(0.99 * 0.98 - 1)


def test_windows_are_those_of_the_seed():
    outcome = run_backtest(ALL, SAMPLE, parameters=Parameters(start="2015-01-01", end="2015-03-12", k=4, n_bootstrap=0))
    assert [
        (w["train_start"], w["test_start"], w["test_end"], w["decision_date"], w["first_date"], w["last_date"])
        for w in outcome.windows
    ] == [
        ("2015-01-01", "2015-01-31", "2015-03-01", "2015-01-30", "2015-02-02", "2015-02-27"),
        ("2015-01-31", "2015-03-02", "2015-03-12", "2015-02-27", "2015-03-02", "2015-03-12"),
    ]


def test_scores_are_the_gemscore_where_the_columns_are():
    from gemexp.backtest.selection import scores, terms_of
    from gemexp.scoring import WEIGHTS

    source = np.random.default_rng(1)
    columns = {name: source.uniform(-0.5, 1.5, SAMPLE.close.shape) for name in WEIGHTS}
    panel = with_close(SAMPLE, SAMPLE.close, **columns)
    config = ExperimentConfig(list(WEIGHTS), WEIGHTS)
    universe, _ = Workspace(panel).choose(config, PARAMETERS)
    found = 100 * scores(terms_of(config, panel), universe)
    for window, row in enumerate(universe.market.plan.decision.tolist()):
        for a in range(len(panel.assets)):
            theirs = score({name: float(columns[name][row, a]) for name in WEIGHTS})
            assert found[window, a] == pytest.approx(theirs, abs=1e-10)


@settings(max_examples=200, deadline=None)
@given(
    scores=st.lists(
        st.one_of(
            st.floats(-60, 60),
            st.floats(-1e6, 1e6),
            st.integers(-(10**13), 10**13).map(lambda n: n * 1e-12 + 5e-13),
            st.sampled_from([0.0, 1 / 3, 0.1 + 0.2, 0.3]),
        ),
        min_size=1,
        max_size=40,
    ),
    out=st.sets(st.integers(0, 39)),
)
def test_order_and_ties_are_those_of_rounding_to_12_digits(scores, out):
    values = np.array([scores])
    eligible = np.array([[a not in out for a in range(len(scores))]])
    level = levels(values)[0].tolist()
    rounded = [round(x, 12) for x in scores]
    for a, x in enumerate(rounded):
        for b, y in enumerate(rounded):
            assert (level[a] < level[b], level[a] == level[b]) == (x < y, x == y)
    key = keys(values, eligible)
    inside = [a for a in range(len(scores)) if a not in out]
    expected = sorted(inside, key=lambda a: (-rounded[a], a))
    assert asset_of(best(key, len(scores)), len(scores))[0, : len(inside)].tolist() == expected
    if inside:
        fast = centred_ranks_of_keys(key, eligible)[0]
        slow = centred_ranks(np.array([rounded]), eligible)[0]
        np.testing.assert_array_equal(fast, slow)
        assert fast[inside].sum() == 0
        np.testing.assert_array_equal(
            fast[inside], 2 * average_ranks(np.array([rounded[a] for a in inside])) - len(inside) - 1
        )


def test_nothing_left_earns_nothing():
    panel = read_panel(DELISTED)
    config = ExperimentConfig(["mom_63"], {"mom_63": -1.0})
    parameters = Parameters(start="2019-12-20", end="2020-06-30", k=1, delisting_return=-1.0, n_bootstrap=0)
    outcome = run_backtest(config, panel, parameters=parameters)
    assert outcome.summary["delistings_held"] == 1
    assert outcome.summary["strategy"]["total_return"] == -1.0
    assert outcome.summary["strategy"]["cagr"] == -1.0
    assert outcome.summary["strategy"]["max_drawdown"] == 1.0
    assert outcome.windows[-1]["window"] > next(w["window"] for w in outcome.windows if w["delistings_held"])
