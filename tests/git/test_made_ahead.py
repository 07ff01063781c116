"""Texts that are made ahead: one start of Python for a commit, and never another text than the file's own."""

import subprocess
import sys

import pytest

from gemexp import ExperimentConfig, ExperimentRegistry
from gemexp.describing import VERSION
from gemexp.store import layout


def config(**hyperparameters):
    return ExperimentConfig(["a"], {"a": 0.5}, hyperparameters, description="text")


@pytest.fixture
def starts(tmp_path, monkeypatch):
    """Have the driver run Python through a script that counts; return a function that tells how often since."""
    log, script = tmp_path / "starts", tmp_path / "python"
    script.write_text(f'#!/bin/sh\necho >>"{log}"\nexec "{sys.executable}" "$@"\n')
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))

    def count():
        found = len(log.read_text().splitlines()) if log.exists() else 0
        log.unlink(missing_ok=True)
        return found

    return count


@pytest.fixture
def made(repository):
    return repository / f".git/gemexp/text-{VERSION}"


def shown(printed):
    return {line for line in printed.splitlines() if line.startswith("+hyperparameters.k = ")}


def test_a_commit_costs_one_start(ours, commit, cli, git, starts, made):
    ours.add_many([config(k=number) for number in range(30)])
    commit()
    cli("git", "setup")
    assert len(shown(git("show"))) == 30
    assert starts() == 1
    assert len([*made.iterdir()]) == 2 * 59
    assert len(shown(git("show"))) == 30
    assert starts() == 0, "from what git kept"


def test_so_does_a_history_of_small_commits(ours, commit, cli, git, starts):
    for number in range(8):
        ours.register(config(k=number))
        commit()
    cli("git", "setup")
    assert len(shown(git("log", "-p"))) == 8
    assert starts() == 1


def test_and_what_is_staged(ours, cli, git, starts):
    ours.add_many([config(k=number) for number in range(10)])
    git("add", "-A")
    cli("git", "setup")
    assert len(shown(git("diff", "--cached"))) == 10
    assert starts() == 1


def test_before_the_first_commit_each_file_is_made_by_itself(tmp_path, cli, git, starts, monkeypatch):
    monkeypatch.chdir(tmp_path)
    git("init", "-q")
    ExperimentRegistry(tmp_path / ".gemexp").register(config(k=1))
    git("add", "-A")
    cli("git", "setup")
    assert shown(git("diff", "--cached")) == {"+hyperparameters.k = 1"}
    assert starts() == 2


def test_a_damaged_file_is_not_given_the_text_of_the_whole_one(ours, commit, cli, git, repository, made):
    found = ours.register(config(k=1))
    ours.register(config(k=2))
    commit()
    cli("git", "setup")
    git("show")
    file = repository / ".gemexp" / layout.object_path(found)
    assert (made / f"{found}.raw").read_bytes() == file.read_bytes()
    assert b"hyperparameters.k = 1\n" in (made / found).read_bytes()
    file.chmod(0o644)
    file.write_bytes(file.read_bytes()[:-1] + b"\x63")
    git("add", "-A")
    printed = git("diff", "--cached")
    assert "+damaged: its content has another hash" in printed
    assert "+hyperparameters.k = 99" in printed


def test_damaged_files_are_never_made_ahead(ours, commit, cli, git, repository, made):
    hashes = [ours.register(config(k=number)) for number in range(4)]
    for found in hashes[1:]:
        file = repository / ".gemexp" / layout.object_path(found)
        file.chmod(0o644)
        file.write_bytes(b"x" * 10)
    commit()
    cli("git", "setup")
    assert git("show").count("+damaged: ") == 3
    assert not {*hashes[1:]} & {path.name for path in made.iterdir()}


def test_what_cannot_be_written_is_not_missed(ours, commit, cli, git, repository):
    ours.add_many([config(k=number) for number in range(3)])
    commit()
    cli("git", "setup")
    (repository / ".git/gemexp").write_text("in the way")
    assert len(shown(git("show"))) == 3


def test_a_partial_clone_fetches_nothing_ahead(ours, commit, cli, git, repository, tmp_path, monkeypatch):
    for number in range(3):
        ours.register(config(k=number))
        commit()
    git("config", "uploadpack.allowFilter", "true")
    clone = tmp_path / "clone"
    git("clone", "-q", "--filter=blob:none", "--no-checkout", f"file://{repository}", clone)
    monkeypatch.chdir(clone)
    git("read-tree", "HEAD")
    cli("git", "setup")
    assert len(shown(git("show"))) == 1
    listed = ["git", "rev-list", "--objects", "--all", "--missing=print", "--no-object-names"]
    missing = subprocess.run(listed, capture_output=True, check=True).stdout.count(b"?")
    assert missing >= 4, "only what was shown was fetched"
