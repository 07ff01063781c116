"""Commands that are recorded with what came out, run again in a clean work tree, and runs compared."""

import io
import json
import os
import sys

import pytest

from gemexp import ExperimentConfig, environment
from gemexp.config import now
from gemexp.digest import hash_bytes
from gemexp.executing import Command
from gemexp.recording import finish
from gemexp.store import layout, objects

TRAIN = """
import json, os, sys
config = json.load(open(os.environ["GEMEXP_CONFIG_FILE"]))
assert os.environ["GEMEXP_CONFIG"] == config["config_hash"]
loss = config["hyperparameters"]["lr"] * FACTOR
json.dump({"loss": loss}, open(os.environ["GEMEXP_METRICS"], "w"))
open("model.txt", "w").write(str(loss))
print("trained", *sys.argv[1:])
"""
PYTHON = sys.executable
WHEN = "2024-01-31T09:00:00Z"


@pytest.fixture
def project(ours, repository, commit):
    """A script that trains, and a config it trains on."""
    ours.register(ExperimentConfig((), {}, {"lr": 0.5}, tags=["best"]))
    (repository / "train.py").write_text(TRAIN.replace("FACTOR", "2"))
    (repository / ".gitignore").write_text("model.txt\nprices.csv\nmetrics.json\n")
    commit()
    return repository


def code_is(project, factor, *, commit=None):
    (project / "train.py").write_text(TRAIN.replace("FACTOR", factor))
    if commit:
        commit()


def answers(monkeypatch, text):
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))


def json_of(answer):
    return json.loads(answer[0])


def test_a_command_is_run_and_recorded_with_what_it_left(project, ours, cli):
    (project / "prices.csv").write_bytes(b"1,2\n")
    out, _ = cli(
        "run", "best", "-a", "model.txt", "--data-file", "prices.csv", "--json", "--", PYTHON, "train.py", "--x"
    )
    told = json.loads(out)
    (run,) = ours.runs()
    assert told == {"config_hash": run.config, "outcome_hash": run.outcome, "run": run.record}
    outcome = ours.outcome(run.outcome)
    assert outcome.metrics == {"loss": 1.0}
    assert objects.get(ours._folder, outcome.artifacts["model.txt"]) == b"1.0"
    assert outcome.data == {"prices.csv": hash_bytes(b"1,2\n")}
    assert Command.from_dict(run.command) == Command(
        (PYTHON, "train.py", "--x"), "", None, {"model.txt": "model.txt"}, {"prices.csv": "prices.csv"}
    )
    assert run.code["dirty"] is False
    assert run.duration > 0
    assert ours.check().problems == []


def test_what_a_command_does_not_leave_is_an_error_and_nothing_is_recorded(project, ours, cli):
    (project / "metrics.json").write_text('{"loss": 1}')
    for arguments, told, code in (
        (("best", "--", PYTHON, "-c", "pass"), "wrote no metrics", 1),
        (("best", "--metrics", "metrics.json", "--", PYTHON, "-c", "pass"), "wrote no metrics to 'metrics.json'", 1),
        (("best", "-a", "none.txt", "--", PYTHON, "train.py"), "did not write 'none.txt'", 1),
        (("best", "--", PYTHON, "-c", "raise SystemExit(3)"), "exit code 3", 6),
        (("best", "--", PYTHON, "-c", "import os; os.kill(os.getpid(), 9)"), "signal 9", 6),
        (("best", "--", "./no-such-program"), "cannot run", 6),
        (("best", "--data-file", "none.csv", "--", PYTHON, "train.py"), "none.csv", 1),
        (("nothing", "--", PYTHON, "train.py"), "nothing", 3),
    ):
        _, err = cli("run", *arguments, code=code)
        assert told in err
    text = "import os; open(os.environ['GEMEXP_METRICS'], 'w').write({!r})"
    for wrong in ('{"loss": "low"}', "[1]", "{"):
        cli("run", "best", "--", PYTHON, "-c", text.format(wrong), code=1)
    assert ours.runs() == []


def test_metrics_may_lie_in_a_file_of_the_commands_own(project, ours, cli):  # noqa: ARG001
    program = "open('metrics.json', 'w').write('{\"loss\": 0.25}')"
    cli("run", "best", "--metrics", "metrics.json", "--", PYTHON, "-c", program)
    (run,) = ours.runs()
    assert ours.metrics(run.outcome) == {"loss": 0.25}
    assert json_of(cli("verify", "--rerun", "best", "--yes", "--json"))["same"] is True


def test_a_recorded_command_gives_the_same_again_in_a_clean_work_tree(project, ours, cli, git):
    (project / "prices.csv").write_bytes(b"1,2\n")
    cli("run", "best", "-a", "model.txt", "--data-file", "prices.csv", "--", PYTHON, "train.py")
    code_is(project, "3")  # what is not committed does not count
    (recorded,) = ours.runs()
    before = git("status", "--porcelain", "--untracked-files=no")
    found = json_of(cli("verify", "--rerun", "best", "--yes", "--json"))
    assert found["same"] is True
    assert (found["recorded_outcome_hash"], found["outcome_hash"]) == (recorded.outcome, recorded.outcome)
    assert found["command"] == [PYTHON, "train.py"]
    assert found["differences"] == found["environment"] == []
    assert ours.runs()[0].verifies == recorded.outcome
    assert ours.runs()[0].code == {"commit": git("rev-parse", "HEAD").strip(), "dirty": False}
    assert git("status", "--porcelain", "--untracked-files=no") == before
    assert len(git("worktree", "list").splitlines()) == 1
    assert ours.check().problems == []
    assert "not reproducible" not in cli("list")[0]


def test_what_comes_out_differently_is_shown_and_exits_with_1(project, ours, cli):  # noqa: ARG001
    cli("run", "best", "-a", "model.txt", "--", PYTHON, "train.py")
    (recorded,) = ours.runs()
    other = "import json, os; json.dump({'loss': 1.001}, open(os.environ['GEMEXP_METRICS'], 'w'))"
    out, err = cli("verify", "--rerun", "best", "--", PYTHON, "-c", other, code=1)
    assert "run it" not in err, "a command of one's own is not asked about"
    assert f"outcome {recorded.outcome[:12]}: DIFFERENT" in out
    assert "~ metrics.loss: 1.0 -> 1.001 (+0.001)" in out
    assert '- artifacts."model.txt"' in out


@pytest.mark.parametrize(
    ("found", "options", "same"),
    [
        ("1.001", (), False),
        ("1.001", ("--rtol", "0.01"), True),
        ("1.001", ("--atol", "0.0011"), True),
        ("1.001", ("--rtol", "0.0001"), False),
        ("1", (), False),
        ("1", ("--atol", "0.1"), True),
        ("None", ("--atol", "9"), False),
    ],
)
def test_tolerances_are_explicit(project, cli, found, options, same):  # noqa: ARG001
    cli("run", "best", "--", PYTHON, "train.py")
    other = f"import json, os; json.dump({{'loss': {found}}}, open(os.environ['GEMEXP_METRICS'], 'w'))"
    answer = json_of(
        cli("verify", "--rerun", "best", "--json", *options, "--", PYTHON, "-c", other, code=int(not same))
    )
    assert answer["same"] is same
    assert len(answer["differences"]) == 1


def test_a_recorded_command_does_not_run_before_a_yes(project, cli, monkeypatch):
    program = f"open({str(project / 'ran')!r}, 'w')"
    cli("run", "best", "-a", "ran", "--", PYTHON, "-c", program)
    (project / "ran").unlink()
    answers(monkeypatch, "n\n")
    _, err = cli("verify", "--rerun", "best", code=1)
    assert "open(" in err
    assert "the command is what the store says" in err
    assert "[y/N]" in err
    assert "--yes" in err
    answers(monkeypatch, "")
    _, err = cli("verify", "--rerun", "best", code=1)
    assert not (project / "ran").exists()
    answers(monkeypatch, "y\n")
    cli("verify", "--rerun", "best", code=1)
    assert (project / "ran").exists(), "it was told where to write by its own argument"


def test_a_hostile_command_is_shown_with_what_a_terminal_would_obey_escaped(project, ours, cli, monkeypatch):  # noqa: ARG001
    answers(monkeypatch, "n\n")
    config = ours.get("best")
    command = Command(("echo", "\x1b[2Jharmless\r\n"))
    around = environment.Surroundings({}, environment.code_version(), "Eve\x1b[31m")
    ours.record(config, {"loss": 1.0}, command=command, surroundings=around)
    _, err = cli("verify", "--rerun", "best", code=1)
    assert "\x1b" not in err
    assert "\r" not in err


def test_a_patch_that_was_kept_is_applied(project, ours, cli):
    code_is(project, "3")
    cli("run", "best", "--patch", "--", PYTHON, "train.py")
    (run,) = ours.runs()
    assert b"-loss" in objects.get(ours._folder, run.patch)
    code_is(project, "4")
    assert json_of(cli("verify", "--rerun", "best", "--yes", "--json"))["same"] is True
    code_is(project, "2")
    cli("run", "best", "--patch", "--", PYTHON, "train.py")
    assert ours.runs()[0].patch is None, "nothing differed"
    assert ours.check().problems == []


def test_a_patch_and_a_commit_from_elsewhere_are_asked_about_though_the_command_is_ones_own(
    project, ours, cli, git, commit, monkeypatch
):
    mine = ("--", PYTHON, "train.py")
    code_is(project, "3")
    cli("run", "best", "--patch", *mine)
    answers(monkeypatch, "n\n")
    assert "a patch that the store holds" in cli("verify", "--rerun", "best", *mine, code=1)[1]
    git("checkout", "-q", "-b", "elsewhere")
    commit()
    cli("run", "best", *mine)
    git("checkout", "-q", "main")
    _, err = cli("verify", "--rerun", "best", *mine, code=1)
    assert "the commit is none that HEAD comes from" in err
    assert "the command is" not in err
    assert len(ours.runs()) == 1, "the other lies on the branch"
    assert len(git("worktree", "list").splitlines()) == 1


@pytest.mark.parametrize("commit_", ["HEAD", "main", "--all", "0" * 39, "g" * 40])
def test_a_recorded_commit_that_is_none_is_not_taken_for_a_revision(project, ours, cli, commit_):  # noqa: ARG001
    around = environment.Surroundings({}, {"commit": commit_, "dirty": False}, None)
    ours.record("best", {"loss": 1.0}, surroundings=around)
    assert "no commit" in cli("verify", "--rerun", "best", "--", PYTHON, "train.py", code=3)[1]


def test_a_patch_that_does_not_fit_fails_and_leaves_no_work_tree(project, ours, cli, git):  # noqa: ARG001
    around = environment.surroundings()._replace(patch=b"diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n")
    ours.record("best", {"loss": 1.0}, surroundings=around, command=Command((PYTHON, "train.py")))
    assert "git apply failed" in cli("verify", "--rerun", "best", "--yes", code=6)[1]
    assert len(git("worktree", "list").splitlines()) == 1


def test_without_a_patch_what_was_changed_is_missing(project, cli):
    code_is(project, "3")
    cli("run", "best", "--", PYTHON, "train.py")
    out, _ = cli("verify", "--rerun", "best", "--yes", code=1)
    assert "~ metrics.loss: 1.5 -> 1.0 (-0.5)" in out


def test_a_command_runs_in_the_folder_it_ran_in(project, ours, cli, commit, monkeypatch):
    (project / "sub").mkdir()
    (project / "train.py").rename(project / "sub/train.py")
    commit()
    monkeypatch.chdir(project / "sub")
    (project / "sub/prices.csv").write_bytes(b"1")
    cli("run", "best", "-a", str(project / "sub/model.txt"), "--data-file", "prices.csv", "--", PYTHON, "train.py")
    (run,) = ours.runs()
    assert run.command["folder"] == "sub"
    assert run.command["artifacts"] == {"model.txt": "model.txt"}
    monkeypatch.chdir(project)
    cli("verify", "--rerun", "best", "--yes")


def test_a_command_that_fails_exits_with_6_and_leaves_nothing(project, ours, cli, git):  # noqa: ARG001
    cli("run", "best", "--", PYTHON, "train.py")
    before = ours.runs()
    _, err = cli("verify", "--rerun", "best", "--", PYTHON, "-c", "raise SystemExit(4)", code=6)
    assert "exit code 4" in err
    assert ours.runs() == before
    assert len(git("worktree", "list").splitlines()) == 1
    assert git("worktree", "prune", "--dry-run", "--verbose") == ""


def test_data_that_has_changed_or_is_gone_is_told_before_anything_runs(project, ours, cli):
    prices = project / "prices.csv"
    prices.write_bytes(b"1")
    cli("run", "best", "--data-file", "prices.csv", "--", PYTHON, "train.py")
    prices.write_bytes(b"2")
    _, err = cli("verify", "--rerun", "best", "--yes", code=3)
    assert "'prices.csv' has changed" in err
    prices.unlink()
    _, err = cli("verify", "--rerun", "best", "--yes", code=3)
    assert "'prices.csv' is not there" in err
    assert len(ours.runs()) == 1


def test_where_nothing_was_recorded_it_exits_with_3(project, ours, cli):  # noqa: ARG001
    assert "no run" in cli("verify", "--rerun", "best", code=3)[1]
    ours.record("best", {"loss": 1.0})
    assert "no command" in cli("verify", "--rerun", "best", code=3)[1]
    cli("verify", "--rerun", "best", "--", PYTHON, "train.py")
    other = ours.register(ExperimentConfig((), {}, {"lr": 0.1}))
    ours.record(other, {"loss": 1.0}, surroundings=environment.Surroundings({}, None, None))
    assert "no commit" in cli("verify", "--rerun", other, "--", PYTHON, "train.py", code=3)[1]
    gone = environment.Surroundings({}, {"commit": "0" * 40, "dirty": False}, None)
    ours.record(other, {"loss": 1.0}, surroundings=gone)
    assert "0" * 40 in cli("verify", "--rerun", other, "--", PYTHON, "train.py", code=3)[1]


@pytest.mark.parametrize(
    "hostile",
    [
        Command((PYTHON, "train.py"), artifacts={"a.txt": "../../../secret"}),
        Command((PYTHON, "train.py"), artifacts={"a.txt": "link"}),
        Command((PYTHON, "train.py"), metrics="../../metrics.json"),
        Command((PYTHON, "train.py"), folder="../.."),
        Command((PYTHON, "train.py"), data={"d": "../../../planted"}),
    ],
)
def test_a_foreign_record_leads_nowhere_outside_the_work_tree(project, ours, cli, commit, tmp_path, hostile):
    (project / "link").symlink_to(tmp_path / "secret")
    (tmp_path / "secret").write_bytes(b"secret")
    commit()
    ours.record("best", {"loss": 1.0}, command=hostile, data={"d": "0" * 64})
    _, err = cli("verify", "--rerun", "best", "--yes", code=1)
    assert "outside the work tree" in err
    assert len(ours.runs()) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"arguments": []},
        {"arguments": "rm -r"},
        {"arguments": ["a\0b"]},
        {"folder": None},
        {"folder": "\0"},
        {"metrics": 1},
        {"artifacts": ["a"]},
        {"data": {"a": None}},
        {"shell": True},
    ],
)
def test_a_recorded_command_that_is_none_is_corrupt(project, ours, cli, change):  # noqa: ARG001
    config = ours.get("best")
    finished = finish(config, {"loss": 1.0}, started=now())._replace(command={**Command(("x",)).to_dict(), **change})
    ours.record_all([finished])
    cli("verify", "--rerun", "best", "--yes", code=5)


def test_a_patch_that_is_too_large_is_refused_before_anything_runs(project, ours, cli, monkeypatch):
    monkeypatch.setattr(environment, "MAX_PATCH_BYTES", 100)
    code_is(project, "3" * 200)
    _, err = cli("run", "best", "--patch", "--", PYTHON, "train.py", code=1)
    assert "more than 100 bytes" in err
    assert ours.runs() == []


def test_a_patch_holds_binary_files_and_nothing_of_a_store(project, ours, commit):
    (project / "weights.bin").write_bytes(bytes(range(256)))
    commit()
    (project / "weights.bin").write_bytes(bytes(range(255, -1, -1)))
    stored = project / ".gemexp" / layout.object_path(ours.resolve("best"))
    stored.chmod(0o644)
    stored.write_bytes(b"damage")
    patch = environment.patch()
    assert b"GIT binary patch" in patch
    assert b".gemexp" not in patch


def test_packages_are_listed_once_however_many_runs_there_are(ours):
    config = ExperimentConfig((), {}, {"lr": 0.5})
    for number in range(3):
        ours.record(config, {"loss": number})
    (name,) = {run.installed for run in ours.runs()}
    listed = environment.packages_in(objects.get(ours._folder, name))
    assert listed["click"] == environment.environment()["packages"].get("click", listed["click"])
    assert listed["pytest"] == pytest.__version__


def test_record_keeps_digests_of_data_files(project, ours, cli):
    (project / "prices.csv").write_bytes(b"")
    cli("record", "best", "-m", "loss=1", "--data-file", "prices.csv")
    (run,) = ours.runs()
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert ours.outcome(run.outcome).data == {"prices.csv": empty}
    cli("record", "best", "-m", "loss=1", "--data", "x", "--data-file", "prices.csv", code=2)
    os.makedirs("other")
    (project / "other/prices.csv").write_bytes(b"")
    _, err = cli(
        "record", "best", "-m", "loss=1", "--data-file", "prices.csv", "--data-file", "other/prices.csv", code=1
    )
    assert "same file name" in err


def test_options_that_do_not_go_together_are_a_usage_error(project, cli):  # noqa: ARG001
    for arguments in (
        ("--rerun", "--signatures"),
        ("best", "--yes"),
        ("best", "--rtol", "0.1"),
        ("--rerun", "best", "--data", "x"),
        ("--rerun", "best", "--allowed-signers", "x"),
        ("best", "--", "echo"),
        ("--rerun",),
        (),
    ):
        cli("verify", *arguments, code=2)
