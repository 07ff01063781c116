import csv
import hashlib
import io
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from panels import VOLUME, panel_of, random_rows

from gemexp.backtest import (
    Outcome,
    Parameters,
    Workspace,
    default_config,
    evaluate,
    read_panel,
    report,
    run_backtest,
    sample_panel,
    tracking,
)
from gemexp.backtest.outcome import canonical
from gemexp.config import ExperimentConfig

SAMPLE = sample_panel()
PARAMETERS = Parameters(start="2013-01-01", end="2022-12-31", k=5)
FINGERPRINT = os.path.join(os.path.dirname(__file__), "fingerprint.py")


@pytest.fixture(scope="module")
def outcome() -> Outcome:
    return run_backtest(default_config(SAMPLE), SAMPLE, parameters=PARAMETERS)


def test_price_factors_show_no_skill_on_the_sample(outcome):
    assert round(outcome.summary["precision_at_k"], 3) == 0.588
    assert round(outcome.summary["base_rate"], 3) == 0.606
    low, high = outcome.summary["ci95"]["ic"]
    assert low < 0 < high
    assert outcome.summary["random"]["p_value"] > 0.05


def test_summary_has_the_names_that_scripts_rely_on(outcome):
    summary = report.summary(outcome, "f" * 64, trials=7)
    assert set(summary) >= {"config", "data", "experiment", "outcome_hash", "metrics"}
    assert set(summary["config"]) == set(
        "start end walk_days k seed bps lag windows days periods_per_year experiment_hash".split()  # noqa: SIM905
    )
    assert set(summary["data"]) == {"panel_digest", "assets", "first_date", "last_date"}
    assert set(summary["experiment"]) == {"config_hash", "description", "tags", "feature_weights"}
    names = (
        "precision_at_k precision_median precision_topk base_rate forward_return_mean universe_return_mean "
        "ic_mean ic_std ic_ir ic_t ic_hit turnover_mean delistings_held strategy equal_weight momentum cap_weighted "
        "random ci95 horizons deflated_sharpe"
    )
    assert set(summary["metrics"]) == {*names.split(), "ic_p"}
    series = {"total_return", "cagr", "volatility", "sharpe", "sortino", "max_drawdown", "calmar"}
    for name in ("strategy", "equal_weight", "momentum"):
        assert set(summary["metrics"][name]) == series
    assert set(summary["metrics"]["random"]) == {"forward_return_mean", "q05", "q95", "p_value"}
    assert set(summary["metrics"]["horizons"]) == {"7d", "14d", "30d"}
    assert set(summary["metrics"]["ci95"]) == {
        "precision_at_k",
        "forward_return",
        "ic",
        "sharpe",
        "sortino",
        "cagr",
        "max_drawdown",
    }
    assert summary["metrics"]["deflated_sharpe"]["trials"] == 7
    assert summary["metrics"]["cap_weighted"] is None
    assert summary["notes"]["cap_weighted"] == "the panel has no column 'market_cap'"
    assert (
        summary["config"]["experiment_hash"] == summary["experiment"]["config_hash"] == outcome.experiment.config_hash
    )
    assert summary["outcome_hash"] == "f" * 64
    json.dumps(summary, allow_nan=False)


def test_digest_is_the_sha256_of_the_canonical_result(outcome):
    value = outcome.to_value()
    assert set(value) == {"config_hash", "panel_digest", "parameters", "windows", "summary"}
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert outcome.digest == hashlib.sha256(text.encode()).hexdigest()
    assert json.loads(outcome.to_json()) == value


def test_all_figures_have_ten_digits_and_are_plain(outcome):
    def leaves(value):
        if isinstance(value, (dict, list)):
            for item in value.values() if isinstance(value, dict) else value:
                yield from leaves(item)
        else:
            yield value

    found = list(leaves(outcome.to_value()))
    assert {type(leaf) for leaf in found} <= {str, int, float, bool, type(None)}
    assert all(leaf == float(f"{leaf:.10g}") for leaf in found if type(leaf) is float)


def test_canonical_form_of_special_floats():
    given = {"a": [-0.0, float("nan"), float("-inf"), np.float64(1 / 3), (1, True)]}
    assert repr(canonical(given)) == "{'a': [0.0, None, None, 0.3333333333, [1, True]]}"


def test_the_same_run_again_is_the_same_outcome(outcome):
    workspace = Workspace(SAMPLE)
    again = [run_backtest(default_config(SAMPLE), SAMPLE, parameters=PARAMETERS, workspace=workspace) for _ in range(2)]
    assert {o.digest for o in again} == {outcome.digest}
    assert {report.daily_csv(o) for o in again} == {report.daily_csv(outcome)}


def test_a_registered_experiment_runs_as_itself(outcome):
    again = run_backtest(
        outcome.experiment, SAMPLE, parameters=Parameters.from_dict(outcome.experiment.hyperparameters)
    )
    assert again.config_hash == outcome.config_hash
    assert again.digest == outcome.digest


def test_description_and_tags_are_no_part_of_the_outcome(outcome):
    config = default_config(SAMPLE)
    config.description, config.tags = "another", ["x"]
    again = run_backtest(config, SAMPLE, parameters=PARAMETERS)
    assert again.digest == outcome.digest
    assert report.summary(again, again.digest)["experiment"]["tags"] == ["x"]


def test_trials_change_the_deflated_sharpe_ratio_and_not_the_outcome(outcome):
    once, often = (report.summary(outcome, outcome.digest, trials=n) for n in (1, 1000))
    assert once["outcome_hash"] == often["outcome_hash"]
    assert once["metrics"]["deflated_sharpe"]["value"] > often["metrics"]["deflated_sharpe"]["value"] > 0


def test_another_seed_changes_only_what_is_drawn(outcome):
    other = run_backtest(
        default_config(SAMPLE), SAMPLE, parameters=Parameters(start="2013-01-01", end="2022-12-31", k=5, seed=14)
    )
    drawn = {"random", "ci95", "ic_p"}
    assert other.windows == outcome.windows
    assert {name for name in other.summary if other.summary[name] != outcome.summary[name]} == drawn


def test_windows_table_holds_the_figures_of_the_outcome(outcome):
    text = report.windows_csv(outcome)
    assert "\r" not in text
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == len(outcome.windows)
    for row, window in zip(rows, outcome.windows, strict=True):
        assert row["picks"].split(";") == window["picks"]
        assert float(row["forward_return"]) == window["forward_return"]
        assert float(row["ic"]) == window["ic"]
        left_out = window["horizons"]["30d"]["forward_return"] is None
        assert (row["forward_return_30d"] == "") is left_out


def test_daily_table_compounds_to_the_total_return(outcome):
    text = report.daily_csv(outcome)
    assert "\r" not in text
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == outcome.summary["days"]
    assert [rows[0]["date"], rows[-1]["date"]] == ["2013-01-31", "2022-12-28"]
    for name in ("strategy", "equal_weight", "momentum"):
        value = 1.0
        for row in rows:
            value *= 1 + float(row[f"{name}_return"])
            assert float(row[f"{name}_equity"]) == pytest.approx(value, rel=1e-6)
        assert value - 1 == pytest.approx(outcome.summary[name]["total_return"], rel=1e-6)
    assert {row["cap_weighted_equity"] for row in rows} == {""}
    for window, record in enumerate(outcome.windows):
        days = [1 + float(row["strategy_return"]) for row in rows if row["window"] == str(window)]
        assert np.prod(days) - 1 == pytest.approx(record["portfolio_return"], abs=1e-8)


def test_evaluate_gives_the_figures_of_the_whole_run(outcome):
    workspace = Workspace(SAMPLE)
    found = evaluate(default_config(SAMPLE), workspace, PARAMETERS)
    summary = outcome.summary
    for name in ("precision_at_k", "forward_return_mean", "turnover_mean", "ic_mean"):
        assert canonical(getattr(found, name)) == summary[name]
    assert canonical(found.strategy) == summary["strategy"]
    assert canonical(found.sharpe_per_day) == pytest.approx(summary["moments"]["sharpe_per_day"], rel=1e-9)
    assert evaluate(default_config(SAMPLE), workspace, PARAMETERS, ic=False).ic_mean is None


def test_a_shared_workspace_does_not_mix_up_runs():
    rows = random_rows(11, days=330)
    panel = panel_of(rows)
    calendar = sorted({date for date, _ in rows})
    names = ["mom_63", "Mood", "size", "low_vol_63"]
    runs = [
        (
            ExperimentConfig(
                names, {names[n % 4]: 1.0, names[n % 3]: 0.5 + n}, feature_transformations={names[n % 4]: t}
            ),
            Parameters(
                start=calendar[150 + n],
                end=calendar[-1],
                walk="15d",
                k=1 + n % 3,
                lag=1 + n % 2,
                delisting_return=-0.1 * (n % 3),
                allow_fewer=True,
                n_bootstrap=0,
            ),
        )
        for n in range(12)
        for t in ("rank", "zscore")
    ]
    shared = Workspace(panel)
    for config, parameters in [*runs, *reversed(runs)]:
        alone = run_backtest(config, panel, parameters=parameters)
        assert run_backtest(config, panel, parameters=parameters, workspace=shared).digest == alone.digest


def test_fewer_than_three_windows_have_no_interval():
    outcome = run_backtest(
        default_config(SAMPLE), SAMPLE, parameters=Parameters(start="2013-01-01", end="2013-03-15", k=5)
    )
    assert outcome.summary["windows"] == 2
    assert set(outcome.summary["ci95"].values()) == {None}


def test_no_bootstrap_has_no_interval(outcome):
    parameters = Parameters(start="2013-01-01", end="2022-12-31", k=5, n_bootstrap=0)
    without = run_backtest(default_config(SAMPLE), SAMPLE, parameters=parameters)
    assert set(without.summary["ci95"].values()) == {None}
    assert without.summary["strategy"] == outcome.summary["strategy"]


def test_intervals_hold_the_figure_they_are_of(outcome):
    summary = outcome.summary
    for name, value in {
        "precision_at_k": summary["precision_at_k"],
        "forward_return": summary["forward_return_mean"],
        "ic": summary["ic_mean"],
        **{name: summary["strategy"][name] for name in ("sharpe", "sortino", "cagr", "max_drawdown")},
    }.items():
        low, high = summary["ci95"][name]
        assert low < value < high, name


def test_horizons_past_the_end_of_the_panel_are_left_out_and_counted(outcome):
    left_out = {name: figures["left_out"] for name, figures in outcome.summary["horizons"].items()}
    # The last windows begin on 2022-12-10 and 2022-11-10; the panel ends on 2022-12-28.
    assert outcome.windows[-1]["test_start"] == "2022-12-10"
    assert left_out == {"7d": 0, "14d": 0, "30d": 1}


def test_cap_weighted_and_volume_runs_have_all_baselines():
    panel = panel_of(random_rows(2, days=200))
    days = sorted({date for date, _ in random_rows(2, days=200)})
    config = ExperimentConfig(["mom_63"], {"mom_63": 1.0})
    outcome = run_backtest(
        config, panel, parameters=Parameters(start=days[70], end=days[-1], walk="20d", k=2, allow_fewer=True)
    )
    assert outcome.summary["cap_weighted"]["total_return"] is not None
    assert outcome.summary["notes"] == {}


def test_importing_the_package_and_checking_parameters_load_no_numpy():
    program = (
        "import sys, gemexp, gemexp.backtest\n"
        "gemexp.backtest.Parameters(start='2020-01-01', end='2021-01-01')\n"
        "assert 'numpy' not in sys.modules\n"
        "gemexp.backtest.Panel\n"
        "assert 'numpy' in sys.modules and 'pandas' not in sys.modules and 'scipy' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def fingerprint(**environment):
    done = subprocess.run(
        [sys.executable, FINGERPRINT], check=True, capture_output=True, text=True, env={**os.environ, **environment}
    )
    return done.stdout


def test_outcomes_do_not_depend_on_what_the_processor_can_do():
    core = getattr(np, "_core", None) or np.core
    umath = core._multiarray_umath
    optional = [name for name in umath.__cpu_dispatch__ if umath.__cpu_features__.get(name)]
    assert optional
    plain = fingerprint()
    assert len(plain.splitlines()) == 4
    assert fingerprint(NPY_DISABLE_CPU_FEATURES=" ".join(optional)) == plain
    assert fingerprint(PYTHONHASHSEED="1", OMP_NUM_THREADS="1", TZ="Asia/Tokyo", LC_ALL="C") == plain


def test_real_volumes_give_every_feature_a_value():
    panel = read_panel(VOLUME)
    names = [
        "liquidity_21",
        "low_vol_63",
        "mom_12_1",
        "mom_63",
        "near_high_252",
        "reversal_21",
        "trend_200",
        "volume_surge",
    ]
    outcome = run_backtest(
        ExperimentConfig(names, dict.fromkeys(names, 0.125)),
        panel,
        parameters=Parameters(start="2014-01-31", end="2023-09-21", k=3),
    )
    assert {w["eligible"] for w in outcome.windows} == {6}
    assert outcome.summary["windows"] > 110


def test_outcome_of_the_sample_is_the_same_on_every_python_numpy_and_machine():
    """The hashes are those that Python 3.11 and numpy 2 gave; whatever runs this test has to give them again."""
    panel = sample_panel()
    found = run_backtest(default_config(panel), panel, parameters=Parameters(start="2013-01-01", end="2022-12-28", k=5))
    assert found.digest == "0cfac96227d9ebe7814dace7efefcc0e65205e8eeae644aa8747aaaffce347b1"
    stored = tracking.stored(found).outcome_hash
    assert stored == "6d81498ae2aba6de17df51e94818fe9013cd1c7cca06643d3fb6365c9411a068"
