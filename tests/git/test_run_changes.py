"""Runs by their names, and what changed from one to another."""

import itertools
import json
import sys

import pytest

from gemexp import ExperimentConfig, canonical, environment
from gemexp.digest import hash_bytes
from gemexp.store import kinds, records

PYTHON = sys.executable
WHEN = "2024-01-31T09:00:00Z"
TRAIN = """
import json, os
loss = json.load(open(os.environ["GEMEXP_CONFIG_FILE"]))["hyperparameters"]["lr"] * FACTOR
json.dump({"loss": loss}, open(os.environ["GEMEXP_METRICS"], "w"))
open("model.txt", "w").write(str(loss))
"""


@pytest.fixture
def project(ours, repository, commit):
    """A script that trains, and a config it trains on."""
    ours.register(ExperimentConfig((), {}, {"lr": 0.5}, tags=["best"]))
    (repository / "train.py").write_text(TRAIN.replace("FACTOR", "2"))
    commit()
    return repository


def test_what_changed_between_two_runs(project, ours, cli, commit, monkeypatch):
    cli("run", "best", "-a", "model.txt", "--data", "d1", "--", PYTHON, "train.py")
    (project / "train.py").write_text(TRAIN.replace("FACTOR", "3"))
    commit()
    listed = environment.installed()
    monkeypatch.setattr(environment, "installed", lambda: listed + b"zz-new==1.0\n")
    cli("run", "best", "-a", "model.txt", "--data", "d2", "--", PYTHON, "train.py")
    new, old = ours.runs()
    found = json.loads(cli("diff", "--runs", "best", "--json")[0])
    assert (found["run1"]["run"], found["run2"]["run"]) == (old.record, new.record)
    (metric,) = found["metrics"]
    assert (metric["path"], metric["old"], metric["new"], metric["delta"]) == ("metrics.loss", 1.0, 1.5, 0.5)
    assert [one["path"] for one in found["packages"]] == ["packages.zz-new"]
    assert [one["path"] for one in found["code"]] == ["code.commit"]
    assert [(one["old"], one["new"]) for one in found["data"]] == [("d1", "d2")]
    assert [one["path"] for one in found["artifacts"]] == ['artifacts."model.txt"']
    assert found["environment"] == found["config"] == found["command"] == found["details"] == []
    out, _ = cli("diff", "--runs", old.record[:10], f"run:{new.record[:8]}", "--exit-code", code=1)
    assert "\nmetrics\n  ~ loss: 1.0 -> 1.5 (+0.5)\n" in out
    assert '\npackages\n  + zz-new = "1.0"\n' in out
    assert '\ndata\n  ~ data: "d1" -> "d2"\n' in out
    out, _ = cli("diff", "--runs", "best", "best", "--exit-code")
    assert "nothing changed" in out


def test_runs_that_say_anything_of_themselves_are_compared(ours, cli):
    config = ExperimentConfig((), {}, {"lr": 0.5}, tags=["best"])
    for odd in ({"packages": 3, "python": ["x"]}, {"packages": {"a": {"b": None}}}, {}):
        around = environment.Surroundings(odd, {"commit": 5, "x\x1b": []}, None, installed=b"\xff\x00==\n==")
        ours.record(config, {"loss": 1.0}, surroundings=around)
    first, second, third = ours.runs()
    for old, new in itertools.permutations((first, second, third), 2):
        out, _ = cli("diff", "--runs", f"run:{old.record}", f"run:{new.record}")
        assert "\x1b" not in out
    assert "\x1b" not in cli("runs")[0]


def test_runs_are_found_by_their_names_and_by_revisions(project, ours, cli):  # noqa: ARG001
    ours.record("best", {"loss": 1.0})
    ours.record("best", {"loss": 2.0})
    new, old = ours.runs()
    assert ours.find_run("best") == new
    assert ours.find_run(f"run:{old.record}") == ours.find_run(old.record[:12]) == old
    for wrong in ("run:", "run:xyz", "run:0000", "0000", "nothing"):
        assert cli("diff", "--runs", wrong, "best", code=3)[1].startswith("error: ")
    other = ours.register(ExperimentConfig((), {}, {"lr": 0.25}))
    assert "no run" in cli("diff", "--runs", other, "best", code=3)[1]
    assert "no two runs" in cli("diff", "--runs", other, code=3)[1]
    assert old.record[:12] in cli("runs")[0]


def test_a_text_that_a_run_and_a_config_begin_with_is_ambiguous(ours, cli):
    config_hash = ours.register(ExperimentConfig((), {}, {"lr": 0.5}))
    outcome = ours.record(config_hash, {"loss": 1.0})
    runs = (records.Run(config_hash, outcome, WHEN, None, float(n), {}, None, None, None) for n in itertools.count())
    run = next(run for run in runs if name_of(run)[:4] == config_hash[:4])
    with ours._folder.batch() as batch:
        name = records.run(batch, run)
    prefix = name[:4]
    assert "ambiguous" in cli("diff", "--runs", prefix, config_hash, code=3)[1]
    assert ours.find_run(f"run:{prefix}").record == name
    assert ours.find_run(f"hash:{prefix}").outcome == outcome
    with ours._folder.batch() as batch:
        records.run(batch, next(run for run in runs if name_of(run)[:4] == prefix))
    assert "2 runs begin with it" in cli("diff", "--runs", f"run:{prefix}", config_hash, code=3)[1]


def name_of(run):
    """Return what a run's record is named, without writing it."""
    fields = {field: value for field, value in run._asdict().items() if field not in run._field_defaults}
    return hash_bytes(canonical.encode({"$": kinds.RUN, **fields}))
