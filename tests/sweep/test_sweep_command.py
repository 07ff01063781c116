"""``gemexp sweep``: what it prints, its exit codes, and what Ctrl-C and kill leave."""

import os
import pty
import re
import signal
import subprocess
import sys
import threading

import pytest
from small import PARAMETERS

from gemexp import ExperimentRegistry
from gemexp.backtest import sample_panel

PATIENCE_SECONDS = 60
# Enough work that an interruption finds some of it done and some not, on any machine.
LONG = {"k": [2, 3, 4, 5], "feature_weights.mom_63": {"from": 0.05, "to": 1, "step": 0.05}, "walk": ["7d", "8d", "9d"]}
ALL = 240


def store():
    return ExperimentRegistry(".gemexp", create=False)


def long_sweep(write_grid, panel_file, *arguments, **options):
    """Start a sweep in a process group of its own, as a terminal does."""
    write_grid(LONG, n_bootstrap=3000)
    command = [sys.executable, "-m", "gemexp", "sweep", "grid.json", "--data", str(panel_file), *arguments]
    return subprocess.Popen(command, start_new_session=True, **options)


def wait_until(condition):
    """Wait for something that another process does."""
    for _ in range(PATIENCE_SECONDS * 50):
        if condition():
            return
        threading.Event().wait(0.02)
    raise AssertionError("it did not happen")


class TestPrinting:
    def test_summary_says_how_many_and_which_are_best(self, gemexp, write_grid, panel_file):
        write_grid({"k": [2, 3], "walk": ["14d", "21d"]})
        result = gemexp("sweep", "grid.json", "--data", panel_file, "-n", "2", "-j", "1", "-t", "s")
        lines = result.out.splitlines()
        assert lines[:2] == [
            "4 combinations: 4 run, 0 skipped, 0 failed",
            "best by sharpe, of 4 configurations tried on this panel:",
        ]
        assert len(lines) == 4
        assert re.fullmatch(r"[0-9a-f]{12}  sharpe=-?\d\S*  deflated=0\.\d+  k=\d, walk=\d\dd", lines[2])
        assert "note: 4 combinations of k (2), walk (2)" in result.err
        again = gemexp("sweep", "grid.json", "--data", panel_file, "-n", "0", "-j", "1")
        assert again.out == "4 combinations: 0 run, 4 skipped, 0 failed\n"

    def test_json_has_all_of_it(self, gemexp, write_grid, panel_file):
        write_grid({"k": [2, 3, 9]})
        found = gemexp("sweep", "grid.json", "--data", panel_file, "--json", "-j", "1", code=1).json
        assert (found["combinations"], found["run"], found["skipped"], found["trials"]) == (3, 2, 0, 2)
        assert [one["settings"] for one in found["failed"]] == [{"k": 9}]
        assert "only 8 assets" in found["failed"][0]["message"]
        assert [one["settings"] for one in found["results"]] == [{"k": 2}, {"k": 3}]
        runs = {run.config: run.outcome for run in store().runs()}
        assert {one["config_hash"]: one["outcome_hash"] for one in found["results"]} == runs
        assert found["best"][0]["deflated_sharpe"]["trials"] == 2

    def test_best_by_sweep_and_best_by_store_agree(self, gemexp, write_grid, panel_file):
        write_grid({"k": [2, 3, 4]})
        swept = gemexp("sweep", "grid.json", "--data", panel_file, "--json", "-j", "1").json["best"]
        ranked = gemexp("best", "--metric", "sharpe", "--json").json
        keys = ("config_hash", "outcome_hash", "deflated_sharpe")
        assert [[one[key] for key in keys] for one in swept] == [[one[key] for key in keys] for one in ranked]

    def test_dry_run_tells_what_is_new_and_writes_nothing(self, gemexp, write_grid, panel_file, project):
        write_grid({"k": [2]})
        gemexp("sweep", "grid.json", "--data", panel_file, "-j", "1")
        write_grid({"k": [1, 2, 3]})
        before = sorted(project.rglob("*"))
        result = gemexp("sweep", "grid.json", "--data", panel_file, "--dry-run")
        assert result.out.splitlines()[0] == "3 combinations: 2 new, 1 recorded already, 0 impossible"
        assert [line.split("  ")[1] for line in result.out.splitlines()[1:]] == ["k=1", "k=3"]
        found = gemexp("sweep", "grid.json", "--data", panel_file, "--dry-run", "--json").json
        assert (found["combinations"], found["new"], found["skipped"], found["failed"]) == (3, 2, 1, [])
        assert sorted(project.rglob("*")) == before

    def test_failures_are_told_once_for_each_reason(self, gemexp, write_grid, panel_file):
        write_grid({"k": [2, 9, 10], "bps": [1, 2]})
        result = gemexp("sweep", "grid.json", "--data", panel_file, "-j", "1", code=1)
        assert "6 combinations: 2 run, 0 skipped, 4 failed" in result.out
        assert result.err.count("error: 2 combinations, such as k=") == 2
        assert "error: 2 combinations, such as k=9, bps=1.0: 'k' is 9, but only 8 assets are eligible" in result.err

    def test_a_bar_is_drawn_on_a_terminal_only(self, write_grid, panel_file):
        write_grid({"k": [2, 3, 4]})
        command = [sys.executable, "-m", "gemexp", "sweep", "grid.json", "--data", str(panel_file), "-j", "1"]
        parent, child = pty.openpty()
        subprocess.run(command, stdout=subprocess.DEVNULL, stderr=child, check=True)
        os.close(child)
        drawn = b""
        while True:
            try:
                part = os.read(parent, 65536)
            except OSError:  # as Linux tells that the other end is closed
                break
            if not part:
                break
            drawn += part
        os.close(parent)
        assert b"3/3" in drawn
        plain = subprocess.run(command, capture_output=True, check=True, text=True)
        assert "sweep" not in plain.stderr

    def test_without_data_it_is_the_sample(self, gemexp, write_grid):
        write_grid({"k": [2]}, start="2015-01-01", end="2016-01-01")
        found = gemexp("sweep", "grid.json", "--json", "-j", "1").json
        assert found["panel_digest"] == sample_panel().digest


class TestErrors:
    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("grid: {kk: [1]}", "error: 'g.yaml': 'grid.kk' is no parameter"),
            ("grid: {k: [1]}\ngrid: {k: [2]}", "error: 'g.yaml:2': "),
            ("grid: {k: [1]}", "error: 'g.yaml': has no 'start'"),
            ("base: nobody\nparameters: {start: 2021-02-01, end: 2021-07-01}\ngrid: {k: [1]}", "error: "),
        ],
    )
    def test_a_bad_grid_is_one_line_and_leaves_nothing(self, gemexp, project, panel_file, text, message):
        (project / "g.yaml").write_text(text, "utf-8")
        before = sorted(project.rglob("*"))
        result = gemexp("sweep", "g.yaml", "--data", panel_file, code=3 if "nobody" in text else 1)
        assert message in result.err
        assert "hint: " in result.err
        assert [path for path in sorted(project.rglob("*")) if "local" not in path.parts] == [
            path for path in before if "local" not in path.parts
        ]

    def test_a_grid_that_is_not_there_and_jobs_that_make_no_sense(self, gemexp, write_grid):
        gemexp("sweep", "none.yaml", code=1)
        gemexp("sweep", write_grid({"k": [2]}), "--jobs", "0", code=2)

    def test_without_numpy_it_says_what_to_install(self, write_grid):
        write_grid({"k": [2]})
        program = "import sys; sys.modules['numpy'] = None; from gemexp.cli import main; sys.exit(main(sys.argv[1:]))"
        done = subprocess.run(
            [sys.executable, "-c", program, "sweep", "grid.json"], capture_output=True, text=True, check=False
        )
        assert done.returncode == 1
        assert "gemexp[backtest]" in done.stderr


class TestInterruption:
    @pytest.mark.parametrize("jobs", ["1", "2"])
    def test_ctrl_c_keeps_what_is_finished_and_the_same_command_runs_the_rest(
        self, gemexp, write_grid, panel_file, jobs
    ):
        process = long_sweep(
            write_grid, panel_file, "-j", jobs, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        wait_until(lambda: store().runs())
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE_SECONDS)
        assert (process.returncode, out) == (130, "")
        recorded, new = map(int, re.search(r"(\d+) of (\d+) new combinations are recorded", err).groups())
        assert "the same command runs the rest" in err
        assert "Traceback" not in err
        assert new == ALL
        assert 0 < len(store().runs()) == recorded < new
        assert gemexp("fsck").out.endswith("no problems\n")
        found = gemexp("sweep", "grid.json", "--data", panel_file, "-j", "2", "--json").json
        assert (found["run"], found["skipped"]) == (new - recorded, recorded)
        assert len(store().runs()) == new

    def test_a_killed_sweep_takes_its_workers_along_and_keeps_what_was_recorded(self, gemexp, write_grid, panel_file):
        process = long_sweep(write_grid, panel_file, "-j", "2", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(lambda: store().runs())
        assert members(process.pid) - {process.pid}
        process.kill()
        process.wait()
        wait_until(lambda: not members(process.pid))
        recorded = len(store().runs())
        assert gemexp("fsck").out.endswith("no problems\n")
        found = gemexp("sweep", "grid.json", "--data", panel_file, "-j", "2", "--json").json
        assert (found["run"], found["skipped"]) == (ALL - recorded, recorded)


def members(group):
    """Return the processes of a group that are alive, as Linux tells."""
    found = set()
    for pid in filter(str.isdecimal, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
                state, _, of = file.read().rpartition(") ")[2].split()[:3]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(of) == group and state != "Z":
            found.add(int(pid))
    return found


def test_parameters_of_the_tests_are_those_of_a_backtest(gemexp, write_grid, panel_file):
    """A sweep of one is the backtest of the same options."""
    write_grid({"k": [PARAMETERS["k"]]})
    swept = gemexp("sweep", "grid.json", "--data", panel_file, "--json", "-j", "1").json["results"][0]
    options = [f"--{name.replace('_', '-')}={value}" for name, value in PARAMETERS.items()]
    alone = gemexp("backtest", "--data", panel_file, "--config", swept["config_hash"], *options, "--json").json
    assert alone["outcome_hash"] == swept["outcome_hash"]
    assert alone["experiment"]["config_hash"] == swept["config_hash"]
