import json
import os
from statistics import variance

import pytest
from small_backtests import DATES, FAST, MOOD, everything, panel_text

from gemexp import ExperimentConfig
from gemexp.backtest import deflated_sharpe, read_panel, sample_panel, tracking
from gemexp.outcome import StoredOutcome
from gemexp.scoring import WEIGHTS

FILES = {"summary.json", "experiment_config.json", "windows.csv", "daily.csv", "equity.svg"}


def test_in_a_fresh_folder_the_sample_is_run_registered_and_written(gemexp, project, store):
    found = gemexp("backtest", "--start", "2013-01-01", "--end", "2022-12-31", "--k", "5", "--no-bootstrap-ci")
    (config,) = store().list_all()
    assert config.feature_names == ["low_vol_63", "mom_12_1"]
    assert config.description == "price-only baseline"
    assert (config.hyperparameters["k"], config.hyperparameters["start"]) == (5, "2013-01-01")
    folder = project / "reports/backtests" / f"2013-01-01_2022-12-31_{config.config_hash[:12]}"
    assert {path.name for path in folder.iterdir()} == FILES
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["data"]["panel_digest"] == sample_panel().digest
    (run,) = store().runs()
    assert run.outcome == summary["outcome_hash"]
    assert run.duration > 0
    assert "numpy" in run.environment["packages"]
    notes = found.err.splitlines()
    assert notes[0].startswith("note: no --data: this is the sample")
    assert notes[1] == "note: no --config: this is the price-only baseline, low_vol_63, mom_12_1"
    assert notes[2] == f"note: made a store in {project}/.gemexp"
    assert notes[3] == "warning: 'end' is 2022-12-31, after the panel's last date, 2022-12-28"
    assert gemexp("fsck").out.endswith(": no problems\n")


def test_figures_stand_beside_those_of_the_baselines_with_an_honest_reading(gemexp, project):
    out = gemexp("backtest", "--start", "2013-01-01", "--end", "2022-12-31", "--k", "5").out
    summary = json.loads(next(project.glob("reports/backtests/*/summary.json")).read_text())
    metrics, lines = summary["metrics"], {line.split("  ")[0]: line.split() for line in out.splitlines()}
    low, high = metrics["ci95"]["sharpe"]
    shown = [metrics["strategy"]["sharpe"], low, high, metrics["equal_weight"]["sharpe"], metrics["momentum"]["sharpe"]]
    assert lines["sharpe"] == ["sharpe", *map(repr, shown)]
    assert lines["precision_at_k"][-1] == repr(metrics["base_rate"])
    assert lines["forward_return"][-1] == repr(metrics["universe_return_mean"])
    assert f"experiment {summary['config']['experiment_hash']}\n" in out
    assert f"outcome    {summary['outcome_hash']}\n" in out
    assert "No skill in the picks: 0.5884297521 of the picks rose, of all eligible assets 0.6061983471." in out
    assert "survivors to 2022" in out
    assert "Deflated Sharpe ratio" in out
    assert "1 configuration was tried" in out
    assert out.splitlines()[-1].startswith("results in reports/backtests/")


@pytest.mark.parametrize(
    ("precision", "base", "interval", "words"),
    [
        (0.5, 0.5, [0.4, 0.6], "No skill in the picks"),
        (0.6, 0.5, [0.4, 0.7], "No evidence of skill in the picks: 0.6 of the picks rose"),
        (0.6, 0.5, [0.55, 0.7], "0.5, which lies below the interval."),
        (0.6, 0.5, None, "not known without intervals"),
    ],
)
def test_what_is_said_of_skill_follows_from_base_rate_and_interval(backtest, precision, base, interval, words):
    from gemexp.cli import findings

    summary = backtest()
    summary["metrics"] |= {"precision_at_k": precision, "base_rate": base}
    summary["metrics"]["ci95"]["precision_at_k"] = interval
    assert words in "\n".join(findings.lines(summary, sample=False, folder="x"))


def test_json_is_the_content_of_the_summary_with_the_names_that_scripts_rely_on(gemexp, project):
    options = ("--experiment-description", "moody", "--experiment-tags", "b, a,")
    found = gemexp("backtest", "--data", "panel.csv", "--config", "mood.json", *DATES, "--k", "2", *options, "--json")
    (folder,) = (project / "reports/backtests").iterdir()
    assert found.out == (folder / "summary.json").read_text()
    assert '{"note": {"message": "made a store' in found.err
    summary = found.json
    assert set(summary["config"]) == {
        *("start", "end", "walk_days", "k", "seed", "bps", "lag", "windows", "days", "periods_per_year"),
        "experiment_hash",
    }
    assert set(summary["data"]) == {"panel_digest", "assets", "first_date", "last_date"}
    assert summary["experiment"] == {
        "config_hash": summary["config"]["experiment_hash"],
        "description": "moody",
        "tags": ["a", "b"],
        "feature_weights": {"Mood": 1.0},
    }
    assert {
        *("precision_at_k", "precision_median", "precision_topk", "base_rate", "forward_return_mean"),
        *("universe_return_mean", "ic_mean", "ic_std", "ic_ir", "ic_t", "ic_hit", "turnover_mean", "delistings_held"),
        *("strategy", "equal_weight", "momentum", "cap_weighted", "random", "ci95", "horizons", "deflated_sharpe"),
    } <= set(summary["metrics"])
    assert set(summary["metrics"]["deflated_sharpe"]) == {"value", "trials"}


def test_parameters_are_the_hyperparameters_of_the_experiment(backtest, store):
    options = ("--seed", "7", "--bps", "5", "--lag", "2", "--horizons", "14,7", "--risk-free-rate", "0.01")
    options += ("--delisting-return", "-0.5", "--allow-fewer", "--periods-per-year", "360")
    config_hash = backtest(*options)["config"]["experiment_hash"]
    assert store().load(config_hash).hyperparameters == {
        "start": "2020-01-01",
        "end": "2020-03-01",
        "walk": "14d",
        "k": 2,
        "seed": 7,
        "bps": 5.0,
        "lag": 2,
        "horizons": [7, 14],
        "risk_free_rate": 0.01,
        "delisting_return": -0.5,
        "allow_fewer": True,
        "n_bootstrap": 0,
        "periods_per_year": 360,
    }


def test_the_stored_outcome_holds_the_tables_that_were_written(backtest, project, store, gemexp):
    summary = backtest("--output", "out")
    outcome = store().outcome(summary["outcome_hash"])
    assert set(outcome.artifacts) == {"windows.csv", "daily.csv"}
    for name, object_hash in outcome.artifacts.items():
        assert store().data(object_hash) == (project / "out" / name).read_bytes()
    assert outcome.data == summary["data"]["panel_digest"]
    assert outcome.metrics["sharpe"] == summary["metrics"]["strategy"]["sharpe"]
    assert not any(name.startswith(("ci95", "horizons")) for name in outcome.metrics)
    assert len(outcome.details["result_digest"]) == 64
    assert StoredOutcome.from_bytes(store().data(summary["outcome_hash"])) == outcome
    assert gemexp("fsck", "--json").json["problems"] == []


def test_the_same_backtest_again_gives_the_same_bytes_and_another_run(backtest, project, store):
    backtest("--output", "one")
    backtest("--output", "two")
    assert everything(project / "one") == everything(project / "two")
    assert set(everything(project / "one")) == FILES
    assert len(store()) == 1
    assert len({run.outcome for run in store().runs()}) == 1
    assert len(store().runs()) == 2
    before = everything(project / "one")
    backtest("--output", "one")
    assert everything(project / "one") == before


def test_files_do_not_depend_on_the_store(backtest, project):
    backtest("--output", "tracked")
    backtest("--output", "untracked", "--no-track-experiments")
    assert everything(project / "tracked") == everything(project / "untracked")


def test_without_tracking_no_store_is_made_read_or_changed(gemexp, backtest, project, monkeypatch):
    backtest("--no-track-experiments")
    assert not (project / ".gemexp").exists()
    gemexp("init")
    (project / ".gemexp/format").chmod(0o644)
    (project / ".gemexp/format").write_text("of the future\n")
    before = everything(project / ".gemexp")
    monkeypatch.setenv("GEMEXP_DIR", str(project / "elsewhere"))
    backtest("--no-track-experiments")
    assert everything(project / ".gemexp") == before
    assert not (project / "elsewhere").exists()


def test_a_store_that_is_named_is_made_and_used(gemexp, project):
    gemexp("--store", "s.gemexp", "backtest", "--data", "panel.csv", "--config", "mood.json", *FAST)
    assert not (project / ".gemexp").exists()
    assert len(gemexp("--store", "s.gemexp", "runs", "--json").json) == 1


def test_a_store_above_the_folder_is_found(gemexp, project, monkeypatch, store):
    gemexp("init")
    (project / "inner").mkdir()
    monkeypatch.chdir(project / "inner")
    found = gemexp("backtest", "--data", "../panel.csv", "--config", "../mood.json", *FAST)
    assert "made a store" not in found.err
    assert len(store()) == 1
    assert not (project / "inner/.gemexp").exists()


def test_parsed_panels_are_kept_in_the_local_part_of_a_store(gemexp, backtest, project):
    gemexp("init")
    first = backtest()
    assert len(list((project / ".gemexp/local/panels").iterdir())) == 1
    assert backtest()["outcome_hash"] == first["outcome_hash"]
    assert gemexp("fsck", "--json").json["problems"] == []


def test_gemscore_is_the_default_where_the_panel_has_its_columns(gemexp, project, store):
    (project / "panel.csv").write_text(panel_text(columns=list(WEIGHTS)))
    found = gemexp("backtest", "--data", "panel.csv", *FAST)
    assert "note: no --config: this is the GemScore, SentimentScore, " in found.err
    assert "no --data" not in found.err
    assert store().list_all()[0].feature_weights == WEIGHTS


def test_a_column_of_text_is_named_as_left_out(gemexp, project):
    text = (project / "panel.csv").read_text().splitlines()
    lines = [f"{text[0]},sector", *(f"{line},tech" for line in text[1:])]
    (project / "panel.csv").write_text("\n".join(lines) + "\n")
    assert (
        "note: columns of text were left out: sector"
        in gemexp("backtest", "--data", "panel.csv", "--config", "mood.json", *FAST).err
    )


@pytest.mark.parametrize("suffix", ["yaml", "toml", "json"])
def test_configuration_from_a_file_of_any_format(gemexp, project, suffix):
    texts = {
        "yaml": "feature_names: [Mood]\nfeature_weights: {Mood: 1.0}\ntags: [x]\n",
        "toml": 'feature_names = ["Mood"]\ntags = ["x"]\n[feature_weights]\nMood = 1.0\n',
        "json": json.dumps({**MOOD, "tags": ["x"]}),
    }
    (project / f"c.{suffix}").write_text(texts[suffix])
    summary = gemexp(
        "backtest", "--data", "panel.csv", "--config", f"c.{suffix}", *FAST, "--experiment-tags", "y", "--json"
    ).json
    assert summary["experiment"]["tags"] == ["x", "y"]


def test_a_written_configuration_runs_again_by_itself(backtest, gemexp, project):
    first = backtest("--output", "out", "--experiment-tags", "mine")
    again = gemexp("backtest", "--data", "panel.csv", "--config", "out/experiment_config.json", "--json").json
    assert again == first
    assert "created_at" not in json.loads((project / "out/experiment_config.json").read_text())
    assert (
        ExperimentConfig.from_json((project / "out/experiment_config.json").read_text()).config_hash
        == (first["config"]["experiment_hash"])
    )


def test_a_registered_backtest_runs_again_by_its_hash_alone(backtest, gemexp, store):
    first = backtest("--experiment-tags", "mine", "--experiment-description", "moody")
    for rev in (first["config"]["experiment_hash"][:8], "mine"):
        assert gemexp("backtest", "--data", "panel.csv", "--config", rev, "--json").json == first
    assert len(store()) == 1
    assert len(store().runs()) == 3


def test_options_make_a_variant_that_keeps_the_description_but_not_the_tags(backtest, gemexp, store):
    first = backtest("--experiment-tags", "mine", "--experiment-description", "moody")
    second = gemexp("backtest", "--data", "panel.csv", "--config", "mine", "--k", "3", "--json").json
    assert second["config"]["k"] == 3
    assert second["config"]["walk_days"] == 14
    assert second["experiment"]["tags"] == []
    assert second["experiment"]["description"] == "moody"
    variant = second["config"]["experiment_hash"]
    assert store().metadata(variant).parents == (first["config"]["experiment_hash"],)
    assert store().resolve("mine") == first["config"]["experiment_hash"]


def test_a_registered_scoring_is_the_parent_of_its_backtests(gemexp, store):
    gemexp("init")
    scoring = gemexp("add", "mood.json", "-q", "-t", "scoring").out.strip()
    summary = gemexp("backtest", "--data", "panel.csv", "--config", "scoring", *FAST, "--json").json
    assert summary["config"]["experiment_hash"] != scoring
    assert store().metadata(summary["config"]["experiment_hash"]).parents == (scoring,)


def test_other_hyperparameters_are_kept(gemexp, project, store):
    (project / "c.json").write_text(json.dumps({**MOOD, "hyperparameters": {"note": "x", "k": 3}}))
    summary = gemexp(
        "backtest", "--data", "panel.csv", "--config", "c.json", *DATES, "--no-bootstrap-ci", "--json"
    ).json
    hyperparameters = store().load(summary["config"]["experiment_hash"]).hyperparameters
    assert (hyperparameters["note"], hyperparameters["k"], hyperparameters["seed"]) == ("x", 3, 13)


def test_a_file_goes_before_a_revision_of_the_same_name(backtest, gemexp, project):
    backtest("--experiment-tags", "both")
    (project / "both").write_text(json.dumps({**MOOD, "hyperparameters": {"k": 1}}))
    assert gemexp("backtest", "--data", "panel.csv", "--config", "both", *DATES, "--json").json["config"]["k"] == 1
    assert gemexp("backtest", "--data", "panel.csv", "--config", "tag:both", "--json").json["config"]["k"] == 2


def test_output_replaces_files_of_an_earlier_run_and_leaves_others(backtest, project):
    (project / "out").mkdir()
    (project / "out/mine.txt").write_text("mine")
    (project / "out/summary.json").write_text("old")
    summary = backtest("--output", "out")
    assert (project / "out/mine.txt").read_text() == "mine"
    assert json.loads((project / "out/summary.json").read_text()) == summary
    assert set(everything(project / "out")) == {*FILES, "mine.txt"}


def test_replacing_the_results_of_another_outcome_is_told(gemexp, project):
    (project / "other.csv").write_text(panel_text(days=74))
    arguments = ("--config", "mood.json", *FAST)
    first = gemexp("backtest", "--data", "panel.csv", *arguments, "--json").json
    assert "replaced" not in gemexp("backtest", "--data", "panel.csv", *arguments).err
    folder = f"reports/backtests/2020-01-01_2020-03-01_{first['config']['experiment_hash'][:12]}"
    told = f"note: the results of outcome {first['outcome_hash'][:12]} in {folder} were replaced\n"
    assert told in gemexp("backtest", "--data", "other.csv", *arguments).err
    (project / folder / "summary.json").write_text("[]")
    assert "replaced" not in gemexp("backtest", "--data", "panel.csv", *arguments).err


def test_deflated_sharpe_counts_the_configurations_tried_on_the_panel(backtest, gemexp, store, project):
    (project / "other.csv").write_text(panel_text(scale=2.0, days=70))
    summaries = [backtest("--k", k) for k in ("1", "2", "3")]
    backtest("--k", "4", data="other.csv")
    assert [one["metrics"]["deflated_sharpe"]["trials"] for one in summaries] == [1, 2, 3]
    again = [backtest("--k", k) for k in ("1", "2", "3")]
    assert [one["metrics"]["deflated_sharpe"]["trials"] for one in again] == [3, 3, 3]
    moments = [store().outcome(one["outcome_hash"]).details["summary"]["moments"] for one in again]
    spread = variance(found["sharpe_per_day"] for found in moments)
    for one, found in zip(again, moments, strict=True):
        value = deflated_sharpe(
            found["sharpe_per_day"],
            observations=found["observations"],
            skewness=found["skewness"],
            kurtosis=found["kurtosis"],
            trials=3,
            variance=spread,
        )
        assert one["metrics"]["deflated_sharpe"]["value"] == pytest.approx(value, rel=1e-9)
    best = {one["outcome_hash"]: one["deflated_sharpe"] for one in gemexp("best", "--metric", "sharpe", "--json").json}
    assert len(best) == 4
    for one in again:
        assert best[one["outcome_hash"]] == one["metrics"]["deflated_sharpe"]
    assert sorted(one["trials"] for one in best.values()) == [1, 3, 3, 3]


def test_trials_are_counted_whatever_their_tag(backtest, gemexp, store):
    backtest("--k", "1", "--experiment-tags", "a")
    second = backtest("--k", "2", "--experiment-tags", "b")
    (one,) = gemexp("best", "--metric", "sharpe", "--tag", "b", "--json").json
    assert one["deflated_sharpe"] == second["metrics"]["deflated_sharpe"]
    panel = read_panel("panel.csv")
    assert tracking.trials(store(), panel.digest) == tracking.tried(store(), panel.digest).configs


def test_module_is_the_command(process, project):
    arguments = ("--data", "panel.csv", "--config", "mood.json", *FAST, "--json")
    first = process("-m", "gemexp.backtest", *arguments, "--output", "one")
    second = process("-m", "gemexp", "backtest", *arguments, "--output", "two")
    assert (first.code, second.code) == (0, 0)
    assert first.out == second.out
    assert everything(project / "one") == everything(project / "two")
    assert process("-m", "gemexp.backtest", "--start", "x").code == 2


BLOCKED = """
import sys

class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == {module!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name={module!r})

sys.meta_path.insert(0, Block())
from gemexp.cli import main
sys.exit(main(sys.argv[1:]))
"""


def test_without_matplotlib_there_is_a_line_and_a_hint_instead_of_a_picture(process, project):
    found = process(
        "-c", BLOCKED.format(module="matplotlib"), "backtest", "--data", "panel.csv", "--config", "mood.json", *FAST
    )
    assert found.code == 0
    (folder,) = (project / "reports/backtests").iterdir()
    assert {path.name for path in folder.iterdir()} == FILES - {"equity.svg"}
    assert "note: equity.svg needs matplotlib: pip install 'gemexp[plot]'" in found.err
    (line,) = (line for line in found.out.splitlines() if line.startswith("growth"))
    assert set(line.split()[1]) <= set("▁▂▃▄▅▆▇█")


def test_where_the_terminal_has_no_blocks_there_is_no_line(process):
    arguments = ("--data", "panel.csv", "--config", "mood.json", *FAST)
    found = process(
        "-c", BLOCKED.format(module="matplotlib"), "backtest", *arguments, env={"PYTHONIOENCODING": "ascii"}
    )
    assert found.code == 0
    assert "growth" not in found.out


def test_a_picture_of_an_earlier_run_does_not_stay_beside_figures_it_does_not_show(backtest, process, project):
    backtest("--output", "out")
    arguments = ("--data", "panel.csv", "--config", "mood.json", *FAST, "--k", "3", "--output", "out")
    assert process("-c", BLOCKED.format(module="matplotlib"), "backtest", *arguments).code == 0
    assert set(everything(project / "out")) == FILES - {"equity.svg"}


@pytest.mark.parametrize("command", [("backtest", *FAST), ("verify", "abcd")])
def test_without_numpy_the_extra_is_named(process, project, command):
    found = process("-c", BLOCKED.format(module="numpy"), *command)
    assert (found.code, found.out) == (1, "")
    assert found.err == "error: a backtest needs numpy\nhint: pip install 'gemexp[backtest]'\n"
    assert not (project / ".gemexp").exists()


def test_what_was_stored_can_be_ranked_and_shown_without_numpy(backtest, process):
    summary = backtest()
    best = process("-c", BLOCKED.format(module="numpy"), "best", "--metric", "sharpe", "--json")
    assert best.json[0]["deflated_sharpe"] == summary["metrics"]["deflated_sharpe"]
    for command in (("runs",), ("list",), ("show", summary["config"]["experiment_hash"]), ("fsck",)):
        assert process("-c", BLOCKED.format(module="numpy"), *command).code == 0


def test_help_loads_no_numpy(process):
    code = "import sys; from gemexp.cli import main; main(['backtest', '--help']); sys.exit('numpy' in sys.modules)"
    assert process("-c", code).code == 0


def test_results_can_be_written_for_others_to_read(backtest, project):
    mask = os.umask(0o022)
    try:
        backtest("--output", "deep/er/out")
    finally:
        os.umask(mask)
    assert (project / "deep/er/out").stat().st_mode & 0o777 == 0o755
    assert {path.stat().st_mode & 0o777 for path in (project / "deep/er/out").iterdir()} == {0o644}
