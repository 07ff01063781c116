import datetime as dt

import numpy as np
import pytest
from panels import VOLUME, panel_of, random_rows

from gemexp.backtest import (
    Panel,
    Parameters,
    Workspace,
    default_config,
    evaluate,
    read_panel,
    run_backtest,
    sample_panel,
)
from gemexp.backtest.features import BUILT_IN, Prices, compute
from gemexp.config import ExperimentConfig
from gemexp.errors import InvalidInput, InvalidValue, UsageError
from gemexp.scoring import WEIGHTS

SAMPLE = sample_panel()
DATES = {"start": "2012-01-02", "end": "2012-12-31"}


def run(config=None, panel=SAMPLE, **given):
    config = config or ExperimentConfig(["mom_63"], {"mom_63": 1.0})
    return run_backtest(config, panel, parameters=Parameters(**{**DATES, "n_bootstrap": 0, **given}))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"end": "2012-01-02"}, "not after 'start'"),
        ({"end": "2011-01-02"}, "not after 'start'"),
        ({"start": "2012-02-30"}, "'start' is \"2012-02-30\", not a date"),
        ({"end": dt.datetime(2012, 1, 2)}, "not a date"),  # noqa: DTZ001 - a time is what is wrong
        ({"walk": "0d"}, "'walk' is \"0d\""),
        ({"walk": "30"}, "'walk' is \"30\""),
        ({"walk": "1m"}, "'walk'"),
        ({"walk": "-1d"}, "'walk'"),
        ({"walk": 30}, "'walk' is '30'"),
        ({"walk": "52w"}, "there is no window"),
        ({"k": 0}, "'k' is 0, less than 1"),
        ({"k": 2.5}, "'k' is '2.5', not a whole number"),
        ({"k": True}, "not a whole number"),
        ({"bps": -1}, "'bps' is -1.0, less than 0"),
        ({"bps": float("nan")}, "'bps' is nan, not a finite number"),
        ({"bps": "10"}, "'bps' is '10', not a number"),
        ({"lag": 0}, "'lag' is 0, less than 1"),
        ({"delisting_return": -1.01}, "'delisting-return' is -1.01, less than -1"),
        ({"risk_free_rate": -1}, "'risk-free-rate' is -1.0, not more than -1"),
        ({"horizons": (7, 0)}, "'horizons' is 0, less than 1"),
        ({"horizons": "7"}, "'horizons' is '7', not a list"),
        ({"horizons": (99_999,)}, "more than 36500"),
        ({"n_bootstrap": -1}, "'n-bootstrap' is -1"),
        ({"periods_per_year": 0}, "'periods-per-year' is 0"),
        ({"allow_fewer": 1}, "'allow-fewer' is 1"),
        ({"seed": 2**64}, "more than 64 bits"),
    ],
)
def test_parameters_that_make_no_sense_are_usage_errors(given, words):
    with pytest.raises(UsageError) as caught:
        Parameters(**{**DATES, **given})
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("plain", "words"),
    [
        ({**DATES, "horizon": 7}, "no parameter 'horizon'"),
        ({"start": "2012-01-02"}, "'end' is missing"),
    ],
)
def test_parameters_from_a_map_refuse_what_is_unknown_or_missing(plain, words):
    with pytest.raises(UsageError, match=words):
        Parameters.from_dict(plain)


def test_parameters_survive_a_map_and_have_one_form():
    given = Parameters(start="2012-01-02", end=dt.date(2012, 12, 31), walk="2w", bps=10, horizons=[30, 7, 7])
    assert Parameters.from_dict(given.to_dict()) == given
    assert given == Parameters(**DATES, walk="14d", bps=10.0, horizons=(7, 30))
    assert given.to_dict()["walk"] == "14d"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            {"start": "2022-12-29", "end": "2024-01-01"},
            "'start' is 2022-12-29, after the panel's last date, 2022-12-28",
        ),
        ({"start": "2001-01-01", "end": "2009-12-31"}, "'end' is 2009-12-31, before the panel's first date"),
        ({"start": "2022-12-20", "end": "2024-01-01"}, "there is no window"),
        ({"start": "2009-06-01"}, "the window from 2009-07-01 to 2009-07-30 has no rows"),
        ({"walk": "1d"}, "the window from 2012-01-07 to 2012-01-07 has no rows"),
        ({"k": 21}, "'k' is 21, but only 20 assets are eligible on 2012-01-31"),
    ],
)
def test_dates_and_panel_that_do_not_meet_are_data_errors(given, words):
    with pytest.raises(InvalidInput) as caught:
        run(**given)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_end_after_the_last_date_is_a_warning():
    outcome = run(start="2022-06-01", end="2023-06-01")
    # Windows begin every 30 days; the seventh is the last to begin by 2022-12-28, on 2022-12-28 itself.
    assert [w["test_start"] for w in outcome.windows][-2:] == ["2022-11-28", "2022-12-28"]
    assert (outcome.windows[-1]["first_date"], outcome.windows[-1]["last_date"]) == ("2022-12-28", "2022-12-28")
    assert outcome.warnings == (
        "'end' is 2023-06-01, after the panel's last date, 2022-12-28",
        "5 windows from 2023-01-27 on had no rows",
    )


def test_trailing_window_without_rows_is_dropped_with_a_warning():
    # 2012-12-29 and 30 are a weekend; the panel goes on after them.
    outcome = run(start="2012-10-30", end="2012-12-30")
    assert [w["test_start"] for w in outcome.windows] == ["2012-11-29"]
    assert outcome.warnings == ("1 window from 2012-12-29 on had no rows",)


def test_allow_fewer_takes_all_eligible():
    assert run(k=50, allow_fewer=True).windows[0]["picks"] == list(SAMPLE.assets)


@pytest.mark.parametrize(
    ("start", "words", "hint"),
    [
        ("2010-01-04", "up to its decision, and 'mom_12_1' needs 253", "begin after 2011-01-03"),
        ("2009-12-05", "the panel has no row up to its decision", "begin after 2011-01-03"),
    ],
)
def test_too_short_a_history_names_what_is_needed(start, words, hint):
    config = ExperimentConfig(["mom_12_1", "mom_63"], {"mom_12_1": 1.0, "mom_63": 1.0})
    with pytest.raises(InvalidInput) as caught:
        run(config, start=start)
    assert words in str(caught.value)
    assert hint in caught.value.hint


def test_the_date_that_the_hint_names_is_the_first_that_works():
    config = ExperimentConfig(["mom_12_1"], {"mom_12_1": 1.0})
    first = run(config, start=dt.date(2011, 1, 4) - dt.timedelta(30), end="2011-03-31").windows[0]
    assert first["decision_date"] == "2011-01-03"
    with pytest.raises(InvalidInput, match="no asset is eligible"):
        run(config, start=dt.date(2011, 1, 3) - dt.timedelta(30), end="2011-03-31")


def test_a_panel_shorter_than_the_history_says_so():
    panel = Panel.from_arrays(["2020-01-01", "2020-01-02", "2020-01-03"], ["A"], [[1.0], [1.1], [1.2]])
    with pytest.raises(InvalidInput) as caught:
        run(panel=panel, start="2020-01-01", end="2020-01-03", walk="1d", k=1)
    assert "the whole panel has 3 rows" in caught.value.hint


@pytest.mark.parametrize(
    ("config", "words", "hint"),
    [
        (ExperimentConfig(["mom_64"], {"mom_64": 1.0}), "there is no feature 'mom_64'", "did you mean 'mom_63'?"),
        (ExperimentConfig(["x"], {"x": 1.0}), "there is no feature 'x'", "built in are liquidity_21"),
        (ExperimentConfig(["mom_63", "x"], {"mom_63": 1.0}), "there is no feature 'x'", "built in are"),
        (ExperimentConfig(["size"], {"size": 1.0}), "'size' needs the column 'market_cap'", None),
        (
            ExperimentConfig(["liquidity_21"], {"liquidity_21": 1.0}),
            "needs the column 'dollar_volume' or 'volume'",
            None,
        ),
        (ExperimentConfig(["mom_63"], {"mom_63": 0.0}), "all feature weights are zero", None),
        (ExperimentConfig(["mom_63"], {}), "all feature weights are zero", None),
        (ExperimentConfig([], {}), "all feature weights are zero", None),
        (ExperimentConfig(["mom_63"], {"mom_63": float("inf")}), "is inf, not a finite number", None),
        (ExperimentConfig(["mom_63"], {"mom_63": float("nan")}), "is nan, not a finite number", None),
        (
            ExperimentConfig(["mom_63", "trend_200"], {"mom_63": 1e308, "trend_200": 1e308}),
            "so large that their sum is not finite",
            None,
        ),
        (ExperimentConfig(["mom_63"], {"mom_63": 1.0, "mom_12": 1.0}), "is no feature in feature_names", None),
        (
            ExperimentConfig(["mom_63"], {"mom_63": 1.0}, feature_transformations={"mom_12_1": "rank"}),
            "'feature_transformations.mom_12_1' is no feature in feature_names",
            "leave it out",
        ),
        (
            ExperimentConfig(["mom_63"], {"mom_63": 1.0}, feature_transformations={"mom_63": "ranks"}),
            'is "ranks", no transformation',
            "did you mean 'rank'?",
        ),
        (
            ExperimentConfig(["mom_63"], {"mom_63": 1.0}, feature_transformations={"mom_63": ["rank"]}),
            "no transformation",
            None,
        ),
    ],
)
def test_configurations_that_the_panel_cannot_serve_are_refused(config, words, hint):
    for call in (lambda: run(config), lambda: evaluate(config, Workspace(SAMPLE), Parameters(**DATES))):
        with pytest.raises(InvalidInput) as caught:
            call()
        assert words in str(caught.value)
        if hint:
            assert hint in caught.value.hint


def test_an_unknown_feature_lists_the_columns_of_the_panel():
    with pytest.raises(InvalidInput) as caught:
        run(ExperimentConfig(["mood"], {"mood": 1.0}), panel_of(random_rows(1)))
    assert "did you mean 'Mood'?" in caught.value.hint
    assert "the panel's columns are Mood" in caught.value.hint


def test_a_column_with_the_name_of_a_built_in_feature_is_refused_when_used():
    panel = Panel.from_arrays(
        (SAMPLE.days - 719_163).astype("datetime64[D]"), SAMPLE.assets, SAMPLE.close, columns={"size": SAMPLE.close}
    )
    with pytest.raises(InvalidInput, match="built in, and a column"):
        run(ExperimentConfig(["size"], {"size": 1.0}), panel)
    run(ExperimentConfig(["mom_63"], {"mom_63": 1.0}), panel)


def test_a_path_leads_to_the_weight_that_is_wrong():
    with pytest.raises(InvalidValue) as caught:
        run(ExperimentConfig(["mom_63"], {"mom_63": float("nan")}))
    assert caught.value.path == ("feature_weights", "mom_63")


def test_a_workspace_serves_one_panel():
    parameters = Parameters(**DATES)
    with pytest.raises(InvalidInput, match="another panel"):
        run_backtest(default_config(SAMPLE), SAMPLE, parameters=parameters, workspace=Workspace(sample_panel()))


def test_default_configuration_is_the_gemscore_only_where_its_columns_are():
    assert default_config(SAMPLE).feature_names == ["low_vol_63", "mom_12_1"]
    columns = dict.fromkeys(WEIGHTS, SAMPLE.close * 0 + 0.5)
    dates = (SAMPLE.days - 719_163).astype("datetime64[D]")
    assert (
        default_config(Panel.from_arrays(dates, SAMPLE.assets, SAMPLE.close, columns=columns)).feature_weights
        == WEIGHTS
    )
    columns.popitem()
    panel = Panel.from_arrays(dates, SAMPLE.assets, SAMPLE.close, columns=columns)
    assert "SentimentScore" not in default_config(panel).feature_names


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_each_feature_alone_is_missing_before_it_has_its_history(name):
    """Beside a feature of longer memory, one that answers too early would go unnoticed."""
    panel = read_panel(VOLUME)
    needed = BUILT_IN[name].history
    if BUILT_IN[name].columns == ("market_cap",):
        panel = Panel.from_arrays(
            (panel.days - 719_163).astype("datetime64[D]"), panel.assets, panel.close, market_cap=panel.close
        )
    prices = Prices(panel)
    found = compute(name, panel, prices, np.arange(needed + 1))
    assert np.isnan(found[: needed - 1]).all()
    assert np.isfinite(found[needed - 1 :]).all()


def test_hint_for_too_short_a_history_counts_the_lag():
    config = ExperimentConfig(["reversal_21"], {"reversal_21": 1.0})
    panel = sample_panel()
    for lag in (1, 7):
        with pytest.raises(InvalidInput, match="no asset is eligible") as caught:
            run_backtest(config, panel, parameters=Parameters(start="2009-12-31", end="2010-12-31", walk="7d", lag=lag))
        begin = dt.date.fromisoformat(caught.value.hint.removeprefix("let the first test window begin after "))
        for start, works in ((begin, False), (begin + dt.timedelta(1), True)):
            parameters = Parameters(start=start - dt.timedelta(7), end="2010-12-31", walk="7d", lag=lag, n_bootstrap=0)
            if works:
                run_backtest(config, panel, parameters=parameters)
            else:
                with pytest.raises(InvalidInput, match="no asset is eligible"):
                    run_backtest(config, panel, parameters=parameters)
