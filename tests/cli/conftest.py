"""Running commands: in this process for speed, in one of their own where that matters."""

import io
import json
import os
import pty
import select
import subprocess
import sys
import sysconfig
import termios
from typing import NamedTuple

import pytest

from gemexp import ExperimentRegistry
from gemexp.cli import main


def strict_json(text):
    """Read JSON as RFC 8259 has it: no NaN, no Infinity, no key twice."""

    def refuse(name):
        raise AssertionError(f"{name} is not JSON")

    def pairs(items):
        assert len(dict(items)) == len(items)
        return dict(items)

    return json.loads(text, parse_constant=refuse, object_pairs_hook=pairs)


class Result(NamedTuple):
    code: int
    out: str
    err: str
    raw: bytes = b""

    @property
    def json(self):
        assert self.code in (0, 1, 5), self.err
        return strict_json(self.out)

    @property
    def json_lines(self):
        return [strict_json(line) for line in self.out.splitlines()]

    @property
    def told(self):
        """What a script reads from standard error: warnings, notes, and an error at last."""
        lines = [strict_json(line) for line in self.err.splitlines()]
        assert all(len(line) == 1 and {*line} <= {"warning", "note", "error"} for line in lines)
        assert not any("error" in line for line in lines[:-1])
        return lines

    @property
    def error(self):
        """The error that a script reads from standard error."""
        assert self.out == ""
        return self.told[-1]["error"]


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder to work in, without a store."""
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def gemexp(project, capsysbinary, monkeypatch):  # noqa: ARG001 - it is where commands run
    """Run a command in this process."""

    def run(*arguments, stdin=b"", code=0):
        data = stdin.encode() if isinstance(stdin, str) else stdin
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data), encoding="utf-8"))
        capsysbinary.readouterr()
        found = main([str(argument) for argument in arguments])
        out, err = capsysbinary.readouterr()
        result = Result(found, out.decode("utf-8", "surrogateescape"), err.decode(), out)
        if code is not None:
            assert found == code, (arguments, result)
        if found == 0:
            assert "error:" not in result.err
        assert "Traceback" not in result.err
        return result

    return run


@pytest.fixture
def store(gemexp, project):
    """Make a store in the folder, and return it opened anew at each call."""
    gemexp("init")
    return lambda: ExperimentRegistry(project / ".gemexp", create=False)


@pytest.fixture
def add(gemexp, store):  # noqa: ARG001 - there must be one
    """Add a configuration by the command, and return its hash."""

    def run(value, *arguments):
        return gemexp("add", "-", "-q", *arguments, stdin=json.dumps(value)).out.strip()

    return run


@pytest.fixture
def process(project):
    """Run a command in a process of its own, by ``python -m gemexp`` or the script."""

    def run(*arguments, stdin=b"", script=False, env=None, **options):
        program = (
            [os.path.join(sysconfig.get_path("scripts"), "gemexp")] if script else [sys.executable, "-m", "gemexp"]
        )
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("GEMEXP", "_GEMEXP"))}
        done = subprocess.run(  # noqa: PLW1510 - it is in the options
            [*program, *(argument if isinstance(argument, bytes) else str(argument) for argument in arguments)],
            **{
                "input": stdin,
                "stdout": subprocess.PIPE,
                "stderr": subprocess.PIPE,
                "cwd": project,
                "check": False,
                "env": {**environment, **(env or {})},
                **options,
            },
        )
        out = (done.stdout or b"").decode("utf-8", "surrogateescape")
        return Result(done.returncode, out, (done.stderr or b"").decode("utf-8", "surrogateescape"), done.stdout or b"")

    return run


@pytest.fixture
def terminal(project):
    """Run a command on a terminal of its own; return its exit code and all that was shown."""

    def run(*arguments, rows=24, typed=b"", env=None):
        leader, follower = pty.openpty()
        termios.tcsetwinsize(follower, (rows, 80))
        environment = {**os.environ, "TERM": "xterm", "PAGER": "sed s/^/paged:/", **(env or {})}
        environment.pop("LINES", None)
        environment.pop("COLUMNS", None)
        with subprocess.Popen(
            [sys.executable, "-m", "gemexp", *map(str, arguments)],
            stdin=follower,
            stdout=follower,
            stderr=follower,
            cwd=project,
            env=environment,
            start_new_session=True,
        ) as running:
            os.close(follower)
            if typed:
                os.write(leader, typed)
            shown = b""
            while True:
                ready, _, _ = select.select([leader], [], [], 60)
                assert ready, shown
                try:
                    part = os.read(leader, 65536)
                except OSError:  # the other side is closed
                    break
                if not part:
                    break
                shown += part
            os.close(leader)
            return running.wait(60), shown.decode()

    return run
