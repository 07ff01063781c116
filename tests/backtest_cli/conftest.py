"""Running ``gemexp backtest`` on small panels: in this process for speed, in one of their own where that matters."""

import json
import os
import subprocess
import sys
from typing import NamedTuple

import pytest
from small_backtests import FAST, MOOD, panel_text

from gemexp import ExperimentRegistry
from gemexp.cli import main


class Result(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)

    @property
    def error(self):
        """What a script reads from standard error."""
        assert self.out == ""
        return json.loads(self.err)["error"]


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder to work in, without a store, that holds a panel and a configuration."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "panel.csv").write_text(panel_text())
    (folder / "mood.json").write_text(json.dumps(MOOD))
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def gemexp(project, capfd):  # noqa: ARG001 - it is where commands run
    """Run a command in this process."""

    def run(*arguments, code=0):
        capfd.readouterr()
        found = main([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        assert found == code, (arguments, found, out, err)
        assert "Traceback" not in err
        return Result(found, out, err)

    return run


@pytest.fixture
def backtest(gemexp):
    """Run a fast backtest of the configuration on the panel, and return its summary."""

    def run(*arguments, config="mood.json", data="panel.csv"):
        return gemexp("backtest", "--data", data, "--config", config, *FAST, "--json", *arguments).json

    return run


@pytest.fixture
def store(project):
    """The store of the project, opened anew at each call."""
    return lambda: ExperimentRegistry(project / ".gemexp", create=False)


@pytest.fixture
def process(project):
    """Run Python in a process of its own."""

    def run(*arguments, env=None):
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("GEMEXP", "_GEMEXP"))}
        done = subprocess.run(
            [sys.executable, *map(str, arguments)],
            cwd=project,
            env={**kept, **(env or {})},
            capture_output=True,
            check=False,
            encoding="utf-8",
        )
        assert "Traceback" not in done.stderr, done.stderr
        return Result(done.returncode, done.stdout, done.stderr)

    return run
