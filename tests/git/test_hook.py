"""The pre-commit hook: ours, and that for the tool pre-commit."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from gemexp import ExperimentConfig
from gemexp.store import layout

MANIFEST = Path(__file__).parents[2] / ".pre-commit-hooks.yaml"
PRE_COMMIT = os.path.join(sysconfig.get_path("scripts"), "pre-commit")


def config(**hyperparameters):
    return ExperimentConfig(["a"], {"a": 0.5}, hyperparameters)


@pytest.fixture
def hook(repository, cli):
    """Install the hook; return where it is."""
    cli("git", "setup", "--hook")
    return repository / ".git/hooks/pre-commit"


@pytest.fixture
def broken(ours, repository):
    """A configuration that was damaged before it was committed; returns its path."""
    path = f".gemexp/{layout.object_path(ours.register(config(k=1)))}"
    (repository / path).chmod(0o644)
    (repository / path).write_bytes(b"<<<<<<< HEAD\n=======\n>>>>>>> side\n")
    return path


@pytest.mark.usefixtures("hook")
def test_a_whole_store_is_committed(ours, git):
    ours.register(config(k=1))
    git("add", "-A")
    git("commit", "-q", "-m", "one")
    assert git("status", "--porcelain") == ""


@pytest.mark.usefixtures("hook")
def test_damage_stops_the_commit_and_is_named(broken, git):
    git("add", "-A")
    head = git("rev-parse", "HEAD")
    told = git("commit", "-m", "damaged", code=1)
    assert broken in told
    assert "conflict markers" in told
    assert git("rev-parse", "HEAD") == head
    git("commit", "-q", "--no-verify", "-m", "on purpose")


@pytest.mark.usefixtures("hook")
def test_a_removed_file_stops_the_commit(ours, git, commit):
    found = ours.register(config(k=1))
    commit()
    git("rm", "-q", f".gemexp/{layout.object_path(found)}")
    assert layout.object_path(found) in git("commit", "-m", "removed", code=1)


@pytest.mark.usefixtures("hook")
def test_only_what_is_committed_counts(ours, repository, broken, git):
    """``git commit FILE`` has an index of its own, which the hook is told of."""
    (repository / "code.py").write_text("x = 1\n")
    git("add", "-A")
    git("commit", "-q", "-m", "code alone", "code.py")
    assert broken in git("commit", "-a", "-m", "all", code=1)
    assert ours


@pytest.mark.usefixtures("hook")
def test_commits_in_folders_worktrees_and_merges(ours, repository, git, monkeypatch):
    (repository / "sub").mkdir()
    git("worktree", "add", "-q", "-b", "side", "../side")
    ours.register(config(k=1))
    git("add", "-A")
    git("commit", "-q", "-m", "one", cwd=repository / "sub")
    side = repository.parent / "side"
    monkeypatch.chdir(side)
    found = type(ours)(side / ".gemexp").register(config(k=2))
    git("add", "-A")
    git("commit", "-q", "-m", "two")
    git("merge", "-q", "--no-edit", "--no-commit", "main")
    git("commit", "-q", "--no-edit")
    file = side / ".gemexp" / layout.object_path(found)
    file.chmod(0o644)
    file.write_bytes(b"x")
    assert layout.object_path(found) in git("commit", "-a", "-m", "three", code=1)


def test_another_hook_is_left_alone(repository, cli, git):
    path = repository / ".git/hooks/pre-commit"
    path.write_text("#!/bin/sh\nexit 0\n")
    _, told = cli("git", "setup", "--hook", code=4)
    assert "another hook" in told
    assert "add the line: gemexp git check || exit" in told
    assert path.read_text() == "#!/bin/sh\nexit 0\n"
    assert git("config", "--get", "diff.gemexp.textconv", code=1) == "", "refused before anything was written"
    cli("git", "setup", "--remove")
    assert path.exists()


def test_our_own_hook_is_replaced_and_removed(repository, hook, cli):
    first = hook.read_bytes()
    hook.write_bytes(first + b"# older\n")
    assert json.loads(cli("git", "setup", "--hook", "--json")[0])["hook"] == str(hook)
    assert hook.read_bytes() == first
    assert os.access(hook, os.X_OK)
    cli("git", "setup", "--remove")
    assert not hook.exists()
    assert repository


@pytest.mark.parametrize("folder", [".githooks", "../shared hooks"])
def test_the_folder_of_hooks_that_git_is_told_of(repository, broken, git, cli, folder):
    git("config", "core.hooksPath", folder)
    cli("git", "setup", "--hook")
    assert (repository / folder / "pre-commit").exists()
    assert not (repository / ".git/hooks/pre-commit").exists()
    git("add", "-A", ".gemexp")
    assert broken in git("commit", "-m", "x", code=1)


def test_where_gemexp_is_gone_the_hook_warns_and_lets_pass(broken, hook, git, tmp_path):
    hook.write_text(hook.read_text().replace(sys.executable, "/nowhere/python"))
    git("add", "-A")
    assert broken in git("commit", "-m", "x", code=1), "the one on the PATH"
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("git", "sh"):
        (tools / name).symlink_to(shutil.which(name))
    done = subprocess.run(
        ["git", "commit", "-q", "-m", "x"], env={**os.environ, "PATH": str(tools)}, capture_output=True, check=True
    )
    assert b"warning: gemexp is not installed any more" in done.stderr


def test_a_folder_of_our_name_in_the_repository_is_not_run(broken, hook, repository, git):
    (repository / "gemexp").mkdir()
    (repository / "gemexp/__init__.py").write_text("raise SystemExit(0)\n")
    git("add", "-A")
    assert broken in git("commit", "-m", "x", code=1)
    assert hook


# For the tool pre-commit


@pytest.fixture
def tool(repository, tmp_path, monkeypatch):
    """Set up pre-commit with our manifest, run by the program that is installed, without a network."""
    monkeypatch.setenv("PRE_COMMIT_HOME", str(tmp_path / "home"))
    manifest = MANIFEST.read_text("utf-8")
    assert manifest.count("language: python") == 1
    hooks = manifest.replace("language: python", "language: system").splitlines()
    settings = ["repos:", "- repo: local", "  hooks:", *(f"  {line}" for line in hooks)]
    (repository / ".pre-commit-config.yaml").write_text("\n".join(settings) + "\n")

    def run(*arguments, code=0):
        done = subprocess.run([PRE_COMMIT, *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == code, (done.stdout, done.stderr)
        return done.stdout + done.stderr

    return run


def test_the_manifest_is_valid(tool):
    tool("validate-manifest", str(MANIFEST))
    tool("validate-config", ".pre-commit-config.yaml")


def test_pre_commit_runs_our_hook(tool, ours, git, commit, repository):
    tool("install")
    found = ours.register(config(k=1))
    commit("through pre-commit")
    assert git("status", "--porcelain") == ""
    path = f".gemexp/{layout.object_path(found)}"
    git("rm", "-q", path)
    told = git("commit", "-m", "removed", code=1)
    assert "Failed" in told
    assert path in told
    git("reset", "-q", "--hard")
    (repository / path).chmod(0o644)
    (repository / path).write_bytes(b"x")
    git("add", "-A")
    assert path in tool("run", code=1)


def test_beside_the_hook_of_pre_commit_ours_is_refused(tool, repository, cli):
    tool("install")
    assert "another hook" in cli("git", "setup", "--hook", code=4)[1]
    assert (repository / ".pre-commit-config.yaml").exists()
