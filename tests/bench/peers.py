"""The peers: git, and Python programs in an environment of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
import venv
from collections.abc import Sequence
from pathlib import Path

from timing import run
from workload import CACHE

HERE = Path(__file__).parent
NOT_INSTALLED = "not installed"

# Byte code is compiled once, as pip does when it installs a package; without it, compiling would be measured.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
_SCRIPT = Path(sys.executable).with_name("gemexp")
GEMEXP = [str(_SCRIPT)] if _SCRIPT.exists() else [sys.executable, "-m", "gemexp"]

_GIT_SETTINGS = ("gc.auto=0", "maintenance.auto=false", "core.fsync=all", "fastimport.unpackLimit=0")
_GIT = ["git", *(word for setting in _GIT_SETTINGS for word in ("-c", setting))]
_GIT_ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
}


class Installed:
    """The Python programs that gemexp is measured beside: signac, MLflow, DVC.

    Args:
        folder: Their virtual environment; by default one in the temporary folder that all runs share.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or CACHE / "peers"

    def install(self) -> None:
        """Install what the extra ``bench`` names."""
        text = (HERE.parents[1] / "pyproject.toml").read_text("utf-8")
        wanted = tomllib.loads(text)["project"]["optional-dependencies"]["bench"]
        print(f"installing {', '.join(wanted)} in {self.folder}", flush=True)
        venv.create(self.folder, with_pip=True)
        run([self.python, "-m", "pip", "install", "--quiet", *wanted])

    @property
    def python(self) -> Path:
        return self.folder / "bin/python"

    def program(self, name: str) -> str | None:
        """Return a program's path, or None if it is not installed."""
        path = self.folder / "bin" / name
        return str(path) if path.exists() else None

    def driver(self, name: str, folder: Path) -> Driver | None:
        """Start the script that drives a peer from inside, or return None if the peer is not installed."""
        if self.program(name) is None:
            return None
        return Driver([str(self.python), str(HERE / f"{name}_side.py")], folder)

    def versions(self) -> list[str]:
        """Return the names of those that are installed, with their versions."""
        if not self.python.exists():
            return []
        names = [name for name in ("signac", "mlflow", "dvc") if self.program(name)]
        program = "import sys, importlib.metadata as m; print(*(f'{n} {m.version(n)}' for n in sys.argv[1:]), sep=';')"
        done = subprocess.run([self.python, "-c", program, *names], stdout=subprocess.PIPE, text=True, check=True)
        return done.stdout.strip().split(";") if names else []


class Driver:
    """A script that answers requests, a line of JSON each, and measures itself while it does.

    Args:
        command: What starts it.
        folder: Where it runs.
    """

    def __init__(self, command: Sequence[str], folder: Path) -> None:
        self._process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
        )

    def ask(self, **request: object) -> dict[str, object]:
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"{self._process.args} ended while it was asked {request}")
        return json.loads(answer)

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


class Git:
    """A bare git repository that waits for the disk wherever git can.

    Args:
        path: Its folder, made if it is not there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.exists():
            run(["git", "init", "--quiet", "--bare", str(path)], env=_GIT_ENVIRONMENT)

    def command(self, *arguments: str) -> list[str]:
        return [*_GIT, f"--git-dir={self.path}", *arguments]

    def run(self, *arguments: str, **options: object) -> None:
        run(self.command(*arguments), env=_GIT_ENVIRONMENT, **options)

    def start(self, *arguments: str, stdin: object = subprocess.PIPE) -> subprocess.Popen:
        return subprocess.Popen(
            self.command(*arguments), env=_GIT_ENVIRONMENT, stdin=stdin, stdout=subprocess.PIPE, bufsize=0
        )

    def fast_import(self, stream: Path) -> None:
        """Import blobs; when this returns they are durable, which takes a sync of the folder that git leaves out."""
        with stream.open("rb") as file:
            self.run("fast-import", "--quiet", stdin=file)
        folder = os.open(self.path / "objects/pack", os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def contents(self, prefix: str) -> int:
        """Return how many bytes all blobs below some references have; they are read whole."""
        with (
            self.start("for-each-ref", "--format=%(objectname)", prefix, stdin=subprocess.DEVNULL) as names,
            self.start("cat-file", "--batch", "--buffer", stdin=names.stdout) as blobs,
        ):
            names.stdout.close()
            size = 0
            while step := blobs.stdout.read(1 << 16):
                size += len(step)
        return size


class Conversation:
    """A git process that answers line by line.

    Args:
        repository: Where.
        arguments: The command.
    """

    def __init__(self, repository: Git, *arguments: str) -> None:
        self._process = repository.start(*arguments)
        self._answers = open(self._process.stdout.fileno(), "rb", closefd=False)  # noqa: SIM115 - closed with it
        self.pids = [self._process.pid]

    def read(self, name: str) -> bytes:
        """Return an object's content, from ``cat-file --batch``."""
        self._process.stdin.write(f"{name}\n".encode())
        head = self._answers.readline().split()
        if len(head) != 3:
            raise KeyError(name)
        return self._answers.read(int(head[2]) + 1)[:-1]

    def line(self, text: str) -> bytes:
        """Return the line that answers another."""
        self._process.stdin.write(f"{text}\n".encode())
        return self._answers.readline()

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait()
        self._answers.close()
        self._process.stdout.close()
