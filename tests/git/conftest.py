"""Real repositories, apart from the settings of whoever runs the tests."""

import os
import subprocess
import sysconfig

import pytest

from gemexp import ExperimentRegistry
from gemexp.cli import main


@pytest.fixture(autouse=True)
def _own_git_settings(monkeypatch):
    """Git with no settings but a repository's own, with an author and time that are always the same."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    settings = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0"}
    for role in ("AUTHOR", "COMMITTER"):
        settings |= {f"GIT_{role}_NAME": "Ann", f"GIT_{role}_EMAIL": "ann@example.org"}
        settings[f"GIT_{role}_DATE"] = "2024-01-31T09:00:00Z"
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PATH", f"{sysconfig.get_path('scripts')}{os.pathsep}{os.environ['PATH']}")


@pytest.fixture
def git():
    """Run git in the current folder, or in ``cwd``; return what it prints. An exit code but ``code`` is a failure."""

    def run(*arguments, cwd=None, code=0, stdin=b"", env=None):
        done = subprocess.run(
            ["git", *map(str, arguments)],
            cwd=cwd,
            env={**os.environ, **(env or {})},
            input=stdin,
            capture_output=True,
            check=False,
        )
        told = done.stderr.decode("utf-8", "replace")
        assert code is None or done.returncode == code, (arguments, done.returncode, told, done.stdout)
        return done.stdout.decode("utf-8", "surrogateescape") + (told if code else "")

    return run


@pytest.fixture
def repository(tmp_path, monkeypatch, git):
    """A repository whose first commit, on ``main``, holds an empty store; it is the current folder."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    git("init", "-q", "-b", "main")
    ExperimentRegistry(folder / ".gemexp")
    git("add", "-A")
    git("commit", "-q", "-m", "store")
    return folder


@pytest.fixture
def ours(repository):
    """The repository's store, opened."""
    return ExperimentRegistry(repository / ".gemexp")


@pytest.fixture
def commit(git):
    """Commit the work tree as it is; return the commit's hash."""

    def run(message="more"):
        git("add", "-A")
        git("commit", "-q", "--allow-empty", "-m", message)
        return git("rev-parse", "HEAD").strip()

    return run


@pytest.fixture
def cli(capsysbinary):
    """Run a command in this process; return what it prints, and what it tells on standard error."""

    def run(*arguments, code=0):
        capsysbinary.readouterr()
        assert main([str(argument) for argument in arguments]) == code, capsysbinary.readouterr()
        out, err = capsysbinary.readouterr()
        return out.decode(), err.decode()

    return run
