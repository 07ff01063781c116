"""Every error: one line that names file and line, the right exit code, nothing written and nothing registered."""

import json
import os
import shutil

import pytest
from small_backtests import BAD, DATES, FAST, MOOD, everything, panel_text

from gemexp import ExperimentRegistry
from gemexp.scoring import WEIGHTS

BAD_LINES = {
    "bad_date": 7,
    "blank_asset": 7,
    "blank_price": 7,
    "duplicate": 7,
    "empty": None,
    "header_only": None,
    "inf_price": 7,
    "latin1": 2,
    "missing_column": 1,
    "nan_price": 7,
    "negative_price": 7,
    "negative_volume": 7,
    "short_row": 7,
    "text_price": 7,
    "unsorted": 6,
    "zero_price": 7,
}


@pytest.fixture
def refused(gemexp, project):
    """Run a command that must fail: it writes nothing and registers nothing, without a store and with one."""

    def run(*arguments, code):
        before = everything(project)
        found = gemexp("backtest", *arguments, code=code)
        assert everything(project) == before
        assert found.out == ""
        lines = found.err.splitlines()
        assert lines[0].startswith("error: ")
        assert all(line.startswith("hint: ") for line in lines[1:])
        assert len(lines) <= 2
        gemexp("init")
        before = everything(project)
        error = gemexp("backtest", *arguments, "--json", code=code).error
        assert (error["kind"] == "usage") == (code == 2)
        shutil.rmtree(project / ".gemexp/local/panels", ignore_errors=True)  # a cache is no result
        assert everything(project) == before
        shutil.rmtree(project / ".gemexp")
        return lines[0]

    return run


def test_every_malformed_panel_is_tested():
    assert {path.stem for path in BAD.iterdir()} == {*BAD_LINES, "ok"}


@pytest.mark.parametrize(("name", "line"), BAD_LINES.items())
def test_malformed_panel_is_named_with_its_line(refused, name, line):
    path = BAD / f"{name}.csv"
    message = refused("--data", path, "--config", "mood.json", *FAST, code=1)
    assert message.startswith(f"error: '{path}:{line}': " if line else f"error: '{path}': ")


def test_sort_accepts_what_is_not_in_order(gemexp, project):
    header, *rows = (project / "panel.csv").read_text().splitlines()
    (project / "unsorted.csv").write_text("\n".join([header, *reversed(rows)]) + "\n")
    arguments = ("--config", "mood.json", *FAST, "--json")
    gemexp("backtest", "--data", "unsorted.csv", *arguments, code=1)
    found = gemexp("backtest", "--data", "unsorted.csv", "--sort", *arguments).json
    assert found["outcome_hash"] == gemexp("backtest", "--data", "panel.csv", *arguments).json["outcome_hash"]
    gemexp("backtest", "--data", "unsorted.csv", *arguments, code=1)  # a parsed panel in the cache is no way around


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "'start' is missing"),
        (("--start", "2020-01-01"), "'end' is missing"),
        (("--start", "2020-13-01", "--end", "2020-03-01"), "'start' is \"2020-13-01\", not a date"),
        (("--start", "2020-03-01", "--end", "2020-03-01"), "'end' is 2020-03-01, not after 'start'"),
        (("--start", "2020-03-01", "--end", "2020-01-01"), "not after 'start'"),
        ((*DATES, "--walk", "0d"), "'walk' is \"0d\""),
        ((*DATES, "--walk", "month"), "'walk' is \"month\""),
        ((*DATES, "--walk", "20w"), "there is no window"),
        ((*DATES, "--k", "0"), "'k' is 0, less than 1"),
        ((*DATES, "--k", "x"), "invalid value for '--k'"),
        ((*DATES, "--bps", "-1"), "'bps' is -1.0, less than 0"),
        ((*DATES, "--bps", "nan"), "'bps' is nan, not a finite number"),
        ((*DATES, "--lag", "0"), "'lag' is 0, less than 1"),
        ((*DATES, "--delisting-return", "-1.5"), "'delisting-return' is -1.5, less than -1"),
        ((*DATES, "--risk-free-rate", "-1"), "'risk-free-rate' is -1.0"),
        ((*DATES, "--horizons", "7,soon"), "'horizons' is '7,soon', not a list of days"),
        ((*DATES, "--horizons", "0"), "'horizons' is 0, less than 1"),
        ((*DATES, "--n-bootstrap", "-1"), "'n-bootstrap' is -1"),
        ((*DATES, "--n-bootstrap", "10", "--no-bootstrap-ci"), "exclude each other"),
        ((*DATES, "--periods-per-year", "0"), "'periods-per-year' is 0"),
        ((*DATES, "--seed", "99999999999999999999"), "more than 64 bits"),
        ((*DATES, "--nonsense"), "no such option"),
        ((*DATES, "extra"), "extra argument"),
    ],
)
def test_calls_that_make_no_sense_are_usage_errors(refused, arguments, words):
    assert words in refused("--data", "panel.csv", "--config", "mood.json", *arguments, code=2)


def test_usage_is_checked_before_any_panel_is_read(refused):
    assert "'k' is 0" in refused("--data", BAD / "empty.csv", *DATES, "--k", "0", code=2)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--start", "2021-01-01", "--end", "2021-06-01"), "'start' is 2021-01-01, after the panel's last date"),
        (("--start", "2019-01-01", "--end", "2019-06-01"), "'end' is 2019-06-01, before the panel's first date"),
        (("--start", "2020-03-10", "--end", "2020-05-01"), "there is no window"),
        (("--start", "2019-10-01", "--end", "2020-03-01"), "has no rows in the panel"),
        ((*DATES, "--k", "6"), "'k' is 6, but only 5 assets are eligible on 2020-01-30"),
        (("--start", "2019-12-01", "--end", "2020-02-01"), "no asset is eligible"),
    ],
)
def test_dates_and_panel_that_do_not_meet_are_data_errors(refused, arguments, words):
    assert words in refused("--data", "panel.csv", "--config", "mood.json", *arguments, code=1)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"feature_names": ["Mud"], "feature_weights": {"Mud": 1}}, "there is no feature 'Mud'"),
        ({"feature_names": ["size"], "feature_weights": {"size": 1}}, "'size' needs the column 'market_cap'"),
        ({"feature_names": ["mom_12_1"], "feature_weights": {"mom_12_1": 1}}, "'mom_12_1' needs 253"),
        ({**MOOD, "feature_transformations": {"Mood": "ranks"}}, 'is "ranks", no transformation'),
        ({**MOOD, "feature_transformations": {"Mud": "rank"}}, "is no feature in feature_names"),
        ({**MOOD, "feature_weights": {"Mood": 1, "Mud": 1}}, "is no feature in feature_names"),
        ({**MOOD, "feature_weights": {"Mood": 0}}, "all feature weights are zero"),
        ({**MOOD, "feature_weights": {}}, "all feature weights are zero"),
        ({**MOOD, "feature_weights": {"Mood": {"$float": "inf"}}}, "is inf, not a finite number"),
        ({**MOOD, "feature_weights": {"Mood": "much"}}, "not a number"),
        ({**MOOD, "features": []}, "'features' is not a part of an experiment configuration"),
        ({**MOOD, "hyperparameters": {"k": 0}}, "'hyperparameters.k' is 0, less than 1"),
        ({**MOOD, "hyperparameters": {"walk": 30}}, "'hyperparameters.walk' is '30'"),
        ({**MOOD, "tags": ["x" * 300]}, "takes 300 bytes"),
        ({"lr": 0.1}, "all feature weights are zero"),
    ],
)
def test_configurations_that_cannot_be_run_are_data_errors(refused, project, config, words):
    (project / "c.json").write_text(json.dumps(config))
    assert words in refused("--data", "panel.csv", "--config", "c.json", *DATES, code=1)


def test_a_faulty_configuration_is_named_by_its_file_and_line(refused, project):
    (project / "c.yaml").write_text("feature_names: [Mood]\nfeature_weights: {Mood: .inf}\n")
    assert refused("--data", "panel.csv", "--config", "c.yaml", *FAST, code=1).startswith("error: 'c.yaml': ")
    (project / "c.yaml").write_text("feature_names: [Mood]\nfeature_names: [Mood]\n")
    assert refused("--data", "panel.csv", "--config", "c.yaml", *FAST, code=1).startswith("error: 'c.yaml:2': ")


def test_a_file_of_several_configurations_is_refused(refused, project):
    (project / "c.jsonl").write_text(f"{json.dumps(MOOD)}\n" * 2)
    assert "holds 2 configurations" in refused("--data", "panel.csv", "--config", "c.jsonl", *FAST, code=1)


@pytest.mark.parametrize("name", ["no.json", "abcdef", "tag:x", "."])
def test_a_configuration_that_is_nowhere_is_not_found(refused, name):
    message = refused("--data", "panel.csv", "--config", name, *FAST, code=3)
    assert message == f"error: there is no file and no config '{name}'"


def test_a_tag_of_several_configurations_is_ambiguous(gemexp, backtest, project):
    for k in ("1", "2"):
        backtest("--k", k, "--experiment-tags", "t")
    before = everything(project)
    found = gemexp("backtest", "--data", "panel.csv", "--config", "t", *FAST, "--json", code=3)
    assert len(found.error["candidates"]) == 2
    assert everything(project) == before


@pytest.mark.parametrize(
    ("name", "words"), [("no.csv", "cannot be read"), ("panel.txt", "is no panel by its name"), (".", "no panel")]
)
def test_a_panel_that_is_nowhere_or_of_another_kind(refused, name, words):
    message = refused("--data", name, *FAST, code=1)
    assert words in message
    assert message.startswith(f"error: '{name}': ")


def test_a_gemscore_is_never_made_up_from_prices(refused, project):
    config = {"feature_names": list(WEIGHTS), "feature_weights": WEIGHTS}
    (project / "gemscore.json").write_text(json.dumps(config))
    assert "there is no feature 'AccumulationScore'" in refused("--config", "gemscore.json", *DATES, code=1)


@pytest.mark.parametrize("output", ["panel.csv", "panel.csv/out", "mood.json/a/b"])
def test_results_that_cannot_be_written_are_not_registered(refused, output):
    message = refused("--data", "panel.csv", "--config", "mood.json", *FAST, "--output", output, code=1)
    assert message.startswith(f"error: '{output}': ")


def test_results_are_not_written_where_the_store_cannot_be(gemexp, project, monkeypatch):
    (project / "occupied").mkdir()
    (project / "occupied/file").write_text("x")
    monkeypatch.setenv("GEMEXP_DIR", str(project / "occupied"))
    before = everything(project)
    found = gemexp("backtest", "--data", "panel.csv", "--config", "mood.json", *FAST, "--output", "a/b", code=1)
    assert "is not a store, and not empty" in found.err
    assert everything(project) == before


def test_a_damaged_store_is_told_before_anything_is_written(gemexp, project):
    gemexp("init")
    (project / ".gemexp/format").chmod(0o644)
    (project / ".gemexp/format").write_text("nonsense\n")
    before = everything(project)
    assert gemexp("backtest", "--data", "panel.csv", *FAST, "--json", code=5).error["kind"] == "corrupt"
    assert everything(project) == before


def test_an_interrupted_backtest_leaves_nothing(gemexp, project, monkeypatch):
    def interrupted(*_args, **_kwargs):
        raise KeyboardInterrupt

    before = everything(project)
    monkeypatch.setattr("gemexp.backtest.tracking.record", interrupted)
    gemexp("backtest", "--data", "panel.csv", "--config", "mood.json", *FAST, code=130)
    assert {name for name in everything(project) if not name.startswith(".gemexp")} == set(before)
    assert len(ExperimentRegistry(project / ".gemexp")) == 0


def test_allow_fewer_takes_what_there_is(gemexp):
    arguments = ("--data", "panel.csv", "--config", "mood.json", *DATES, "--k", "9", "--no-bootstrap-ci")
    gemexp("backtest", *arguments, code=1)
    gemexp("backtest", *arguments, "--allow-fewer")


def test_end_after_the_last_date_is_a_warning(gemexp):
    arguments = ("--data", "panel.csv", "--config", "mood.json", "--start", "2020-01-01", "--end", "2020-04-01")
    found = gemexp("backtest", *arguments, "--k", "2")
    assert "warning: 'end' is 2020-04-01, after the panel's last date, 2020-03-15" in found.err
    assert found.code == 0


def test_a_panel_may_come_with_any_line_that_a_table_has(gemexp, project):
    (project / "p.csv").write_bytes(b"\xef\xbb\xbf" + panel_text().replace("\n", "\r\n").encode())
    first = gemexp("backtest", "--data", "p.csv", "--config", "mood.json", *FAST, "--json").json
    assert (
        first["data"]["panel_digest"]
        == (
            gemexp("backtest", "--data", "panel.csv", "--config", "mood.json", *FAST, "--json").json["data"][
                "panel_digest"
            ]
        )
    )
    assert os.listdir("reports/backtests") == [
        f"2020-01-01_2020-03-01_{first['config']['experiment_hash'][:12]}",
    ]
