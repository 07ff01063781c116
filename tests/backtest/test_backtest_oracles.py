"""The figures against other people's programs: empyrical, scipy, bt, arch."""

import datetime as dt
import math
import warnings

import numpy as np
import pytest
from panels import DELISTED, VOLUME
from scipy import stats

from gemexp.backtest import (
    Parameters,
    Workspace,
    bootstrap,
    deflated_sharpe,
    metrics,
    read_panel,
    run_backtest,
    sample_panel,
)
from gemexp.backtest.deflated import expected_maximum
from gemexp.backtest.metrics import Basis
from gemexp.backtest.selection import scores, terms_of
from gemexp.backtest.transforms import transform
from gemexp.config import ExperimentConfig

with warnings.catch_warnings():
    # What these packages do when they are loaded is theirs.
    warnings.simplefilter("ignore")
    import bt
    import empyrical
    import pandas as pd
    from arch.bootstrap import StationaryBootstrap

SAMPLE = sample_panel()
CONFIG = ExperimentConfig(["low_vol_63", "mom_12_1"], {"low_vol_63": 0.4, "mom_12_1": 0.6})
DATES = {"start": "2012-01-01", "end": "2020-12-31"}


def returns_of(config=CONFIG, panel=SAMPLE, **given):
    workspace = Workspace(panel)
    parameters = Parameters(**{**DATES, "n_bootstrap": 0, **given})
    universe, picks = workspace.choose(config, parameters)
    return workspace.hold(universe, picks, parameters).returns, universe, picks, parameters


@pytest.mark.parametrize("rate", [0.0, 0.03])
@pytest.mark.parametrize("periods", [252, 365])
def test_measures_of_the_series_are_those_of_empyrical(rate, periods):
    returns, *_ = returns_of()
    basis = Basis.of(periods, rate)
    found = metrics.measure(returns, basis)
    series = pd.Series(returns)
    daily = (1 + rate) ** (1 / periods) - 1
    expected = {
        "total_return": empyrical.cum_returns_final(series),
        "cagr": empyrical.cagr(series, annualization=periods),
        "volatility": empyrical.annual_volatility(series, annualization=periods),
        "sharpe": empyrical.sharpe_ratio(series, risk_free=daily, annualization=periods),
        "sortino": empyrical.sortino_ratio(series, required_return=daily, annualization=periods),
        "max_drawdown": -empyrical.max_drawdown(series),
        "calmar": empyrical.calmar_ratio(series, annualization=periods),
    }
    assert found == {name: pytest.approx(value, rel=1e-10) for name, value in expected.items()}


def test_a_loss_on_the_first_day_is_a_drawdown():
    series = np.array([-0.1, 0.05, 0.02])
    assert metrics.measure(series, Basis.of(252, 0.0))["max_drawdown"] == pytest.approx(0.1)
    assert -empyrical.max_drawdown(pd.Series(series)) == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("series", "undefined"),
    [
        ([0.0, 0.0, 0.0], {"sharpe", "sortino", "calmar"}),
        ([0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1], {"sharpe", "sortino", "calmar"}),
        ([0.01, 0.02], {"sortino", "calmar"}),
        ([0.01], {"volatility", "sharpe", "sortino", "calmar"}),
        ([-1.5, 0.1], {"cagr", "calmar"}),
    ],
)
def test_a_measure_that_would_divide_by_zero_is_none(series, undefined):
    found = metrics.measure(np.array(series), Basis.of(252, 0.0))
    assert {name for name, value in found.items() if value is None} == undefined


@pytest.mark.parametrize(("weekend", "periods"), [(19, 252), (20, 365)])
def test_a_fifth_of_weekend_days_makes_a_year_of_365(weekend, periods):
    monday = dt.date(2024, 1, 1).toordinal()
    weekdays = [monday + 7 * week + day for week in range(40) for day in range(5)][: 100 - weekend]
    weekends = [monday + 7 * week + 5 + week % 2 for week in range(weekend)]
    assert metrics.periods_per_year(np.array(sorted(weekdays + weekends))) == periods


@pytest.mark.parametrize("path", [DELISTED, VOLUME, None])
def test_ic_is_the_rank_correlation_of_scipy(path):
    panel = SAMPLE if path is None else read_panel(path)
    config = ExperimentConfig(["mom_63", "reversal_21"], {"mom_63": 1.0, "reversal_21": 0.1})
    parameters = Parameters(start="2017-10-01", end="2020-06-30", k=3, n_bootstrap=0)
    outcome = run_backtest(config, panel, parameters=parameters)
    universe, _ = Workspace(panel).choose(config, parameters)
    score = scores(terms_of(config, panel), universe)
    forward = universe.market.forward
    assert len(outcome.windows) > 20
    for w, window in enumerate(outcome.windows):
        mask = universe.eligible[w]
        expected = stats.spearmanr(np.round(score[w, mask], 12), forward[w, mask]).statistic
        assert window["ic"] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("path", [None, DELISTED])
def test_equity_without_costs_is_that_of_bt(path):
    panel = SAMPLE if path is None else read_panel(path)
    config = ExperimentConfig(["mom_63"], {"mom_63": -1.0})
    start, end = ("2012-01-01", "2016-12-31") if path is None else ("2018-01-01", "2020-11-30")
    returns, universe, picks, _ = returns_of(config, panel, start=start, end=end, bps=0, k=5)
    plan = universe.market.plan
    index = pd.to_datetime([dt.date.fromordinal(day) for day in panel.days.tolist()])
    # bt knows no gaps: it is given the prices carried on, as the specification holds them.
    prices = pd.DataFrame(panel.held, index=index, columns=panel.assets)
    prices = prices.iloc[plan.entry[0] : plan.last[-1] + 1]
    weights = pd.DataFrame(0.0, index=index[plan.entry], columns=panel.assets)
    for row, chosen in enumerate(picks.chosen):
        weights.iloc[row, chosen] = 1 / len(chosen)
    strategy = bt.Strategy(
        "picks", [bt.algos.RunOnDate(*weights.index), bt.algos.WeighTarget(weights), bt.algos.Rebalance()]
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        test = bt.Backtest(strategy, prices, integer_positions=False, progress_bar=False)
        test.run()
    theirs = test.strategy.prices.loc[prices.index]
    ours = metrics.equity(returns)
    assert len(ours) > 600
    np.testing.assert_allclose(ours, (theirs / theirs.iloc[0]).to_numpy()[1:], rtol=1e-9)


@pytest.mark.parametrize("k", [3, 20])
def test_transformations_are_those_of_scipy_and_numpy(k):
    values = np.random.default_rng(k).normal(size=(4, k)).round(1) * [[1], [1e-200], [1e200], [5]]
    every = np.ones(values.shape, dtype=bool)
    zscores = (np.clip(stats.zscore(values / np.abs(values).max(axis=1, keepdims=True), axis=1), -3, 3) + 3) / 6
    np.testing.assert_allclose(transform("zscore", values, every), zscores, atol=1e-12)
    expected = [(stats.rankdata(row) - 1) / (k - 1) for row in values]
    np.testing.assert_allclose(transform("rank", values, every), expected, atol=1e-15)
    low, high = np.quantile(values, [0.05, 0.95], axis=1, keepdims=True)
    clipped = np.clip(values, low, high)
    np.testing.assert_allclose(transform("winsorize", values, every), (clipped - low) / (high - low), atol=1e-12)
    logs = np.sign(values) * np.log1p(np.abs(values))
    stretched = (logs - logs.min(axis=1, keepdims=True)) / np.ptp(logs, axis=1, keepdims=True)
    np.testing.assert_allclose(transform("log", values, every), stretched, atol=1e-12)
    np.testing.assert_array_equal(transform("none", values, every), np.clip(values, 0, 1))


@pytest.mark.parametrize("name", ["rank", "zscore", "winsorize", "log", "none"])
def test_a_constant_cross_section_is_a_half(name):
    values = np.full((2, 7), 0.1)
    eligible = np.ones((2, 7), dtype=bool)
    eligible[1, 1:] = False  # and so is one with a single asset
    expected = np.where(eligible, 0.1 if name == "none" else 0.5, 0.0)
    np.testing.assert_array_equal(transform(name, values, eligible), expected)


def test_interval_of_a_mean_is_that_of_scipy():
    values = np.random.default_rng(3).gamma(2.0, size=60)
    low, high = bootstrap.mean_interval(values.tolist(), 13, "forward_return", 20_000)
    theirs = stats.bootstrap((values,), np.mean, n_resamples=20_000, method="percentile", rng=1).confidence_interval
    width = high - low
    assert low == pytest.approx(theirs.low, abs=0.05 * width)
    assert high == pytest.approx(theirs.high, abs=0.05 * width)


def test_intervals_of_the_series_are_those_of_arch():
    returns, *_ = returns_of(start="2013-01-01", end="2015-12-31")
    basis = Basis.of(252, 0.0)
    ours = bootstrap.series_intervals(returns, basis, 13, 4000)
    names = list(ours)

    def measures(sample):
        found = metrics.measure(np.asarray(sample), basis)
        return np.array([found[name] for name in names])

    # arch's block length is the mean one, the inverse of the probability to begin anew.
    theirs = StationaryBootstrap(len(returns) ** (1 / 3), returns, seed=5).conf_int(measures, 4000, method="percentile")
    for place, name in enumerate(names):
        width = ours[name][1] - ours[name][0]
        assert ours[name] == pytest.approx(theirs[:, place].tolist(), abs=0.1 * width), name


def test_replicates_are_measured_as_the_series_is():
    returns, *_ = returns_of(start="2013-01-01", end="2014-12-31")
    basis = Basis.of(252, 0.02)
    days = bootstrap.stationary_indices(bootstrap.Stream(1, "daily"), len(returns), 25)
    together = bootstrap._measures(returns[days], basis)
    for replicate in range(25):
        alone = metrics.measure(returns[days[:, replicate]], basis)
        for name, values in together.items():
            assert values[replicate] == pytest.approx(alone[name], rel=1e-10)


def test_blocks_follow_the_calendar_and_begin_anew_as_often_as_they_should():
    n, replicates = 400, 300
    days = bootstrap.stationary_indices(bootstrap.Stream(2, "daily"), n, replicates)
    assert days.shape == (n, replicates)
    assert (days.min(), days.max()) == (0, n - 1)
    anew = (days[1:] != (days[:-1] + 1) % n).mean()
    # A restart falls on the following day once in n, and then cannot be seen.
    expected = n ** (-1 / 3) * (1 - 1 / n)
    assert anew == pytest.approx(expected, abs=4 * math.sqrt(expected / (n * replicates)))
    counts = np.bincount(days.ravel(), minlength=n)
    assert counts.mean() == replicates
    assert abs(counts - replicates).max() < 8 * math.sqrt(replicates * n ** (1 / 3) * 2)


def test_replicates_do_not_depend_on_how_many_are_made_together():
    stream = bootstrap.Stream(3, "daily")
    apart = [bootstrap.stationary_indices(stream, 50, count) for count in (1, 4, 2)]
    together = bootstrap.stationary_indices(bootstrap.Stream(3, "daily"), 50, 7)
    np.testing.assert_array_equal(np.concatenate(apart, axis=1), together)


def test_stream_is_the_raw_one_of_pcg64():
    import hashlib

    seed = int(hashlib.sha256(b"13:ic").hexdigest()[:16], 16)
    raw = np.random.PCG64(seed).random_raw(6)
    expected = [(int(number) >> 11) / 2**53 for number in raw]
    assert bootstrap.Stream(13, "ic").uniform(2, 3).ravel().tolist() == expected
    assert bootstrap.Stream(13, "ic").indices(10, 6).tolist() == [int(u * 10) for u in expected]


def test_random_portfolios_have_the_expected_mean_and_spread():
    source = np.random.default_rng(4)
    forward = source.normal(size=(30, 12))
    eligible = source.random((30, 12)) < 0.8
    means = bootstrap.random_means(forward, eligible, 5, 13)
    exact = np.mean([forward[w, eligible[w]].mean() for w in range(30)])
    # Variance of the mean of 5 drawn from n without replacement: s^2/5 * (n - 5)/n, with ddof 1.
    variance = np.mean([forward[w, m].var(ddof=1) / 5 * (m.sum() - 5) / m.sum() for w, m in enumerate(eligible)]) / 30
    assert means.mean() == pytest.approx(exact, abs=4 * math.sqrt(variance / len(means)))
    assert means.var() == pytest.approx(variance, rel=0.2)


def test_taking_all_is_no_better_than_chance():
    every = ExperimentConfig(["mom_63"], {"mom_63": 1.0})
    outcome = run_backtest(every, SAMPLE, parameters=Parameters(**DATES, k=20, n_bootstrap=0))
    random = outcome.summary["random"]
    assert random["p_value"] == 1.0
    assert random["q05"] == random["q95"] == random["forward_return_mean"]
    assert outcome.summary["strategy"] == outcome.summary["equal_weight"]


def test_sign_flips_agree_with_the_t_test():
    values = np.random.default_rng(6).normal(0.15, 1.0, size=120)
    p = bootstrap.sign_flips(values.tolist(), 13)
    assert p == pytest.approx(stats.ttest_1samp(values, 0.0).pvalue, abs=0.015)
    assert bootstrap.sign_flips([], 13) is None
    assert bootstrap.sign_flips([0.0, 0.0], 13) == 1.0


def test_moments_are_those_of_scipy():
    returns, *_ = returns_of()
    found = metrics.moments(returns, Basis.of(252, 0.0))
    assert found["skewness"] == pytest.approx(stats.skew(returns))
    assert found["kurtosis"] == pytest.approx(stats.kurtosis(returns, fisher=False))
    assert found["sharpe_per_day"] == pytest.approx(returns.mean() / returns.std(ddof=1))


def test_deflated_sharpe_ratio_is_that_of_the_paper():
    # The paper's numerical example: an annualised Sharpe ratio of 2.5 over 1,250 days, variance of the trials' 1/2.
    sharpe, variance = 2.5 / math.sqrt(250), 0.5 / 250
    assert expected_maximum(100, variance) == pytest.approx(0.1132, abs=5e-5)
    moments = {"observations": 1250, "skewness": -3.0, "kurtosis": 10.0}
    assert deflated_sharpe(sharpe, **moments, trials=100, variance=variance) == pytest.approx(0.9004, abs=5e-5)
    assert deflated_sharpe(sharpe, **moments, trials=46, variance=variance) == pytest.approx(0.9505, abs=5e-5)


def test_more_trials_deflate_more():
    moments = {"observations": 2000, "skewness": -0.3, "kurtosis": 8.0}
    values = [deflated_sharpe(0.05, **moments, trials=n) for n in (1, 2, 10, 100, 10_000)]
    assert values == sorted(values, reverse=True)
    assert len(set(values)) == 5
    one = stats.norm.cdf(0.05 * math.sqrt(1999) / math.sqrt(1 + 0.3 * 0.05 + 7 / 4 * 0.05**2))
    assert values[0] == pytest.approx(one)
    assert deflated_sharpe(None, **moments) is None


def test_expected_maximum_is_that_of_simulated_trials():
    simulated = np.random.default_rng(8).normal(size=(20_000, 50)).max(axis=1).mean()
    assert expected_maximum(50, 1.0) == pytest.approx(simulated, rel=0.02)
