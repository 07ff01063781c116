import dataclasses
import json

import pytest
from small_backtests import FAST, MOOD, everything, panel_text

from gemexp import ExperimentConfig
from gemexp.backtest import Parameters, read_panel, run_backtest, sample_panel, tracking


def doctored(store, config_hash, **figures):
    """Record an outcome of a registered backtest that claims other figures of the strategy."""
    config = store().load(config_hash)
    known = {name: value for name, value in config.hyperparameters.items() if name in Parameters.__slots__}
    outcome = run_backtest(config, read_panel("panel.csv"), parameters=Parameters(**known))
    claimed = {**outcome.summary, "strategy": {**outcome.summary["strategy"], **figures}}
    return tracking.record(store(), dataclasses.replace(outcome, summary=claimed))


@pytest.fixture
def config_hash(backtest):
    return backtest("--experiment-tags", "mine")["config"]["experiment_hash"]


def test_the_same_comes_out_again_and_that_is_recorded(gemexp, config_hash, store):
    (before,) = store().runs()
    found = gemexp("verify", "mine", "--data", "panel.csv")
    assert found.out == f"{config_hash[:12]}  outcome {before.outcome[:12]}: the same again\n"
    again, first = store().runs()
    assert (again.outcome, again.verifies) == (before.outcome, before.outcome)
    assert first == before
    assert "  same  " in gemexp("runs").out.splitlines()[0]
    assert gemexp("fsck", "--json").json["problems"] == []


def test_json_of_a_verdict(gemexp, config_hash, store):
    (before,) = store().runs()
    assert gemexp("verify", "mine", "--data", "panel.csv", "--json").json == {
        "config_hash": config_hash,
        "panel_digest": read_panel("panel.csv").digest,
        "recorded_outcome_hash": before.outcome,
        "outcome_hash": before.outcome,
        "same": True,
        "differences": [],
        "environment": [],
    }


def test_other_figures_are_shown_and_mark_the_configuration(gemexp, backtest, config_hash, store):
    true = backtest()["metrics"]["strategy"]["sharpe"]
    claimed = doctored(store, config_hash, sharpe=9.5)
    found = gemexp("verify", "mine", "--data", "panel.csv", code=1)
    assert f"outcome {claimed[:12]}: DIFFERENT, now " in found.out
    assert f"\n~ sharpe: 9.5 -> {true!r} (" in found.out
    assert found.out.count("~") == 1
    run = store().runs()[0]
    assert (run.verifies, run.outcome) == (claimed, store().runs()[-1].outcome)
    assert "  DIFFERENT  " in gemexp("runs").out.splitlines()[0]
    verdict = gemexp("verify", "mine", "--data", "panel.csv", "--json", code=1).json
    assert verdict["same"] is False
    assert [difference["path"] for difference in verdict["differences"]] == ["sharpe"]
    assert gemexp("list").out.endswith("[mine]  ! not reproducible\n")
    assert gemexp("search", "mine").out.endswith("! not reproducible\n")
    assert "! different outcomes on the same data" in gemexp("show", "mine").out
    for command in (("list",), ("search", "mine")):
        (shown,) = gemexp(*command, "--json").json
        assert shown == ExperimentConfig.from_dict(shown).to_dict()
    assert gemexp("list", "--json").json[0] == gemexp("show", "mine", "--json").json


def test_where_only_the_windows_differ_they_are_shown(gemexp, config_hash, store):
    config = store().load(config_hash)
    known = {name: value for name, value in config.hyperparameters.items() if name in Parameters.__slots__}
    outcome = run_backtest(config, read_panel("panel.csv"), parameters=Parameters(**known))
    windows = [{**outcome.windows[0], "eligible": 99}, *outcome.windows[1:]]
    tracking.record(store(), dataclasses.replace(outcome, windows=windows))
    out = gemexp("verify", "mine", "--data", "panel.csv", code=1).out
    assert "~ windows[0].eligible: 99 -> 5 (-94)" in out


def test_other_versions_since_then_are_named(gemexp, config_hash, store, monkeypatch):
    from gemexp import environment

    now = environment.environment()
    before = {**now, "packages": {**now["packages"], "numpy": "0.1"}, "python": "2.7"}
    with monkeypatch.context() as patch:
        patch.setattr(environment, "environment", lambda: before)
        doctored(store, config_hash, sharpe=9.5)
    out = gemexp("verify", "mine", "--data", "panel.csv", code=1).out
    assert '~ packages.numpy: "0.1" -> ' in out
    assert '~ python: "2.7" -> ' in out


def test_the_sample_is_taken_if_it_is_what_the_backtest_ran_on(gemexp, store, project):
    options = ("--start", "2013-01-01", "--end", "2014-12-31", "--no-bootstrap-ci", "--experiment-tags", "s")
    gemexp("backtest", *options)
    gemexp("verify", "s")
    (run, _) = store().runs()
    assert run.verifies == run.outcome
    (project / "sample.csv").write_text(sample_panel().to_csv())
    gemexp("verify", "s", "--data", "sample.csv", "--sort")


def test_without_the_panel_its_digest_is_named(gemexp, config_hash, project):
    before = everything(project / ".gemexp/index")
    error = gemexp("verify", config_hash[:8], "--json", code=3).error
    digest = read_panel("panel.csv").digest
    assert digest in error["message"]
    assert error["subject"] == digest
    assert "--data" in error["hint"]
    assert everything(project / ".gemexp/index") == before


def test_another_panel_is_refused(gemexp, config_hash, project):  # noqa: ARG001 - it is there to be verified
    (project / "other.csv").write_text(panel_text(days=74))
    error = gemexp("verify", "mine", "--data", "other.csv", "--json", code=3).error
    assert error["subject"] == read_panel("other.csv").digest
    assert read_panel("panel.csv").digest in error["hint"]


def test_of_several_panels_each_is_verified_by_its_own_outcome(gemexp, backtest, project, store):
    (project / "other.csv").write_text(panel_text(days=74))
    backtest("--experiment-tags", "both")
    backtest(data="other.csv")
    outcomes = set()
    for name in ("panel.csv", "other.csv"):
        outcomes.add(gemexp("verify", "both", "--data", name, "--json").json["outcome_hash"])
    assert len(outcomes) == 2
    assert gemexp("list").out.endswith("[both]\n")
    assert "one of" in gemexp("verify", "both", "--json", code=3).error["message"]
    assert len(store().metadata(store().resolve("both")).runs) == 4


def test_a_configuration_without_a_backtest_is_told(gemexp, project):
    gemexp("init")
    gemexp("add", "mood.json", "-t", "scoring")
    gemexp("record", "scoring", "--metric", "sharpe=1")
    found = gemexp("verify", "scoring", code=3)
    assert found.err == (
        "error: no backtest of 'scoring' is recorded\nhint: gemexp backtest --config scoring runs and records one\n"
    )
    gemexp("verify", "nonsense", code=3)
    (project / "bad.csv").write_text("date,asset\n")
    gemexp("verify", "scoring", "--data", "bad.csv", code=1)


def test_without_a_store_there_is_nothing_to_verify(gemexp, project):
    assert gemexp("verify", "abcd", "--json", code=1).error["kind"] == "no-store"
    assert not (project / ".gemexp").exists()


def test_a_damaged_outcome_is_told(gemexp, config_hash, store, project):  # noqa: ARG001
    outcome = store().runs()[0].outcome
    path = project / ".gemexp/objects" / outcome[:2] / outcome
    path.chmod(0o644)
    path.write_bytes(b"damage")
    assert gemexp("verify", "mine", "--data", "panel.csv", "--json", code=5).error["kind"] == "corrupt"


def test_other_hyperparameters_do_not_stand_in_the_way(gemexp, project):
    (project / "c.json").write_text(json.dumps({**MOOD, "hyperparameters": {"note": "x"}, "tags": ["t"]}))
    gemexp("backtest", "--data", "panel.csv", "--config", "c.json", *FAST)
    gemexp("verify", "t", "--data", "panel.csv")
