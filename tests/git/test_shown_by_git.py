"""``gemexp git setup``, and what git itself prints then: git diff, log, show and blame, wherever the store lies."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gemexp import ExperimentConfig, ExperimentRegistry, describing
from gemexp.digest import short
from gemexp.store import layout

CACHE = "refs/notes/textconv/gemexp"


def config(**hyperparameters):
    return ExperimentConfig(["a"], {"a": 0.5}, hyperparameters)


def added(printed):
    return [line[1:] for line in printed.splitlines() if line.startswith("+") and not line.startswith("+++")]


@pytest.fixture
def shown(repository, ours, cli, commit):  # noqa: ARG001 - it is where this happens
    """A repository that is set up, with a commit of two configurations, a run and a name that moved."""
    first = ours.register(ExperimentConfig(["a"], {"a": 0.5}, {"lr": 0.1}, description="the first", tags=["t"]))
    second = ours.register(ExperimentConfig(["a"], {"a": 0.5}, {"lr": 0.2}), parents=[first])
    ours.record(second, {"sharpe": 1.5}, data="panel")
    ours.move_name("production", first)
    ours.move_name("production", second)
    ours.describe(second, "faster\nand better")
    commit("experiments")
    cli("git", "setup")
    return first, second


def test_show_and_log_print_text(shown, git):
    first, second = shown
    for command in (["show"], ["log", "-p", "-1"], ["diff", "HEAD~1", "HEAD"]):
        lines = added(git(*command))
        assert {"hyperparameters.lr = 0.1", "hyperparameters.lr = 0.2", "sharpe = 1.5"} <= {*lines}
        assert {"    the first", "    faster", "    and better", f"from: {short(first)}"} <= {*lines}
        at = lines.index(f"production: {short(first)} -> {short(second)}")
        assert lines[at + 1] == "~ hyperparameters.lr: 0.1 -> 0.2 (+0.1)"
        assert f"production: (nowhere) -> {short(first)}" in lines


def test_blame_prints_text(shown, git):
    path = f".gemexp/{layout.object_path(shown[0])}"
    assert "hyperparameters.lr = 0.1" in git("blame", "--textconv", path)


def test_what_is_staged_and_what_is_changed_are_text(shown, git, ours, repository):
    new = ours.register(config(lr=0.3))
    git("add", "-A")
    assert "hyperparameters.lr = 0.3" in added(git("diff", "--cached"))
    path = repository / f".gemexp/{layout.object_path(shown[0])}"
    path.chmod(0o644)
    path.write_bytes(path.read_bytes().replace(b"\x3f\xb9", b"\x3f\xc9"))
    printed = git("diff")
    assert "+damaged: its content has another hash" in printed
    assert "-hyperparameters.lr = 0.1\n+hyperparameters.lr = 0.2" in printed
    assert new


@pytest.mark.usefixtures("shown")
def test_what_git_keeps_is_what_it_printed(git):
    cold = git("show")
    assert git("show-ref", CACHE)
    assert git("show") == cold
    git("update-ref", "-d", CACHE)
    assert git("show") == cold, "made ahead, or each by itself: the same"


@pytest.mark.usefixtures("shown")
def test_a_second_setup_changes_nothing_and_other_lines_stay(git, cli, repository):
    attributes = repository / ".git/info/attributes"
    before = attributes.read_bytes(), (repository / ".git/config").read_bytes()
    git("show")
    assert json.loads(cli("git", "setup", "--json")[0])["changed"] is False
    assert before == (attributes.read_bytes(), (repository / ".git/config").read_bytes())
    assert git("show-ref", CACHE), "nothing changed, so nothing is forgotten"
    attributes.write_bytes(b"*.txt text\n\n" + before[0].replace(b"# <<< gemexp\n", b"") + b"*.md -text\n")
    cli("git", "setup")
    text = attributes.read_text()
    assert text.startswith("*.txt text\n\n*.md -text\n# >>> gemexp")
    assert text.count("diff=gemexp") == len(set(text.splitlines())) - 5
    cli("git", "setup", "--remove")
    assert attributes.read_text() == "*.txt text\n\n*.md -text\n"


def test_remove_takes_everything_back(repository, ours, git, cli):
    attributes, settings = repository / ".git/info/attributes", repository / ".git/config"
    before = settings.read_bytes()
    ours.register(config(k=1))
    git("add", "-A")
    cli("git", "setup", "--hook")
    assert "k = 1" in git("diff", "--cached")
    assert "+hyperparameters.k = 1" in git("diff", "--cached")
    cli("git", "setup", "--remove")
    assert settings.read_bytes() == before
    assert not attributes.exists()
    assert not (repository / ".git/hooks/pre-commit").exists()
    assert not (repository / ".git/gemexp").exists()
    assert git("show-ref", CACHE, code=1) == ""
    assert "Binary files" in git("diff", "--cached")
    assert "nothing was set up" in cli("git", "setup", "--remove")[0]


@pytest.mark.usefixtures("shown")
def test_a_new_version_of_the_text_makes_git_forget(git, cli, monkeypatch):
    git("show")
    monkeypatch.setattr("gemexp.diffdriver.VERSION", describing.VERSION + 1)
    cli("git", "setup")
    assert git("show-ref", CACHE, code=1) == ""
    assert f"gemexp text {describing.VERSION + 1};" in git("config", "diff.gemexp.textconv")


@pytest.mark.parametrize("folder", ["sub/deep", "a[b]*? größe", 'quo"te', "-dash", "back\\slash\tand tab"])
def test_stores_in_folders_of_any_name(repository, git, cli, commit, folder):
    registry = ExperimentRegistry(repository / folder / ".gemexp")
    registry.register(config(k=7))
    registry.move_name("best", registry.list_all()[0].config_hash)
    registry.move_name("best", registry.register(config(k=8)))
    commit()
    found = json.loads(cli("git", "setup", "--json")[0])
    assert found["stores"] == sorted([".gemexp", f"{folder}/.gemexp"])
    lines = added(git("show"))
    assert "hyperparameters.k = 7" in lines
    assert "~ hyperparameters.k: 7 -> 8 (+1)" in lines
    path = repository / folder / ".gemexp" / layout.object_path(registry.resolve("best"))
    path.chmod(0o644)
    path.write_bytes(b"\x01")
    assert "+damaged: its content has another hash" in git("diff")


def test_several_stores_of_any_name(repository, git, cli, commit):
    for name, number in (("db.gemexp", 1), ("other", 2)):
        ExperimentRegistry(repository / name).register(config(k=number))
    (repository / "format").write_text("not a store's\n")
    commit()
    assert json.loads(cli("git", "setup", "--json")[0])["stores"] == [".gemexp", "db.gemexp", "other"]
    assert {"hyperparameters.k = 1", "hyperparameters.k = 2"} <= {*added(git("show"))}


def test_a_store_that_git_does_not_know_yet(repository, git, cli, monkeypatch):
    ExperimentRegistry(repository / "new/.gemexp").register(config(k=1))
    (repository / ".git/info/exclude").write_text("ignored\n")
    ExperimentRegistry(repository / "ignored/.gemexp").register(config(k=2))
    monkeypatch.chdir(repository / "new")
    assert json.loads(cli("git", "setup", "--json")[0])["stores"] == [".gemexp", "new/.gemexp"]
    named = cli("--store", repository / "ignored/.gemexp", "git", "setup", "--json")[0]
    assert json.loads(named)["stores"] == [".gemexp", "ignored/.gemexp", "new/.gemexp"]
    git("add", "-A", cwd=repository)
    assert "hyperparameters.k = 1" in added(git("diff", "--cached"))


def test_where_there_is_nothing_to_set_up(tmp_path, git, cli, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "no git repository" in cli("git", "setup", code=1)[1]
    git("init", "-q")
    assert "no store" in cli("git", "setup", code=1)[1]
    assert git("config", "--get", "diff.gemexp.textconv", code=1) == ""


@pytest.mark.usefixtures("ours")
def test_a_worktree_and_another_branch(shown, git, cli, commit, repository, monkeypatch):
    git("worktree", "add", "-q", "-b", "side", "../side")
    side = repository.parent / "side"
    monkeypatch.chdir(side)
    cli("git", "setup")
    registry = ExperimentRegistry(side / ".gemexp")
    registry.move_name("production", registry.register(config(lr=0.4)))
    commit("on the side")
    moved = f"production: {short(shown[1])} -> "
    assert any(line.startswith(moved) for line in added(git("show")))
    monkeypatch.chdir(repository)
    printed = git("show", "side")
    assert "+~ hyperparameters.lr: 0.2 -> 0.4 (+0.2)" in printed, "the new config is in no file here, but in history"


@pytest.mark.usefixtures("shown")
def test_a_bare_repository(git, cli, repository, tmp_path, monkeypatch):
    bare = tmp_path / "bare.git"
    git("clone", "-q", "--bare", repository, bare)
    monkeypatch.chdir(bare)
    assert json.loads(cli("git", "setup", "--json")[0])["stores"] == [".gemexp"]
    monkeypatch.chdir(tmp_path)
    for command in (["-C", bare, "show"], ["--git-dir", bare, "show"]):
        lines = added(git(*command))
        assert "hyperparameters.lr = 0.1" in lines
        assert "~ hyperparameters.lr: 0.1 -> 0.2 (+0.1)" in lines


@pytest.mark.usefixtures("shown")
def test_a_submodule(git, cli, repository, tmp_path, monkeypatch):
    outer = tmp_path / "outer"
    git("init", "-q", outer)
    git("-c", "protocol.file.allow=always", "submodule", "add", "-q", repository, "inner", cwd=outer)
    monkeypatch.chdir(outer / "inner")
    cli("git", "setup")
    assert "hyperparameters.lr = 0.1" in added(git("show"))
    assert git("config", "--get", "diff.gemexp.textconv", cwd=outer, code=1) == ""


def test_a_move_whose_configs_are_nowhere_is_told_by_hashes(repository, ours, git, cli, commit):
    first, second = ours.register(config(k=1)), ours.register(config(k=2))
    ours.move_name("best", first)
    ours.move_name("best", second)
    shutil.rmtree(repository / ".gemexp/objects")
    commit()
    cli("git", "setup")
    lines = added(git("show"))
    assert f"best: {short(first)} -> {short(second)}" in lines
    assert not any(line.startswith("~") for line in lines)
    (old,) = [move.record for move in ours.pointer("best").history if move.config == first]
    (repository / ".gemexp" / layout.move_path("best", old)).unlink()
    git("update-ref", "-d", CACHE)
    git("add", "-A")
    git("commit", "-q", "--amend", "-m", "without the move before")
    lines = added(git("show"))
    assert f"best: (nowhere) -> {short(second)}" in lines
    assert f"after the move {short(old)}, which is not here" in lines


@pytest.mark.usefixtures("repository")
def test_moves_that_a_merge_brought_together_are_settled_with_both_differences(ours, git, cli, commit):
    hashes = [ours.register(config(k=number)) for number in range(3)]
    commit()
    git("checkout", "-q", "-b", "side")
    ours.move_name("best", hashes[0])
    commit()
    git("checkout", "-q", "main")
    ours.move_name("best", hashes[1])
    commit()
    git("merge", "-q", "--no-edit", "side")
    ours.settle_name("best", hashes[2])
    commit()
    cli("git", "setup")
    lines = added(git("show"))
    assert f"best: {', '.join(sorted(map(short, hashes[:2])))} -> {short(hashes[2])}" in lines
    assert {"~ hyperparameters.k: 0 -> 2 (+2)", "~ hyperparameters.k: 1 -> 2 (+1)"} <= {*lines}


@pytest.mark.usefixtures("repository")
def test_a_move_between_packed_configs(ours, git, cli, commit):
    for number in range(2):
        ours.move_name("best", ours.register(config(k=number)))
    ours.pack()
    commit()
    ours.move_name("best", ours.register(config(k=2)))
    commit()
    cli("git", "setup")
    lines = added(git("log", "-p"))
    assert "~ hyperparameters.k: 1 -> 2 (+1)" in lines
    assert "pack of 6 files" in lines


def test_a_name_that_is_taken_away(ours, git, cli, commit):
    first = ours.register(config(k=1))
    ours.move_name("best", first)
    commit()
    ours.drop_name("best")
    commit()
    cli("git", "setup")
    assert f"best: {short(first)} -> (nowhere)" in added(git("show"))


@pytest.mark.usefixtures("repository")
def test_hostile_text_does_not_reach_the_terminal(ours, git, cli, commit):
    evil = "\x1b]0;owned\x07\x1b[31m\r\u202e"
    found = ours.register(ExperimentConfig([], {}, {evil: evil}, description=evil, tags=["t"]))
    ours.record(found, {"m": 1}, artifacts={"a.txt": evil.encode()}, data=evil)
    commit()
    cli("git", "setup")
    printed = git("log", "-p", "--no-color")
    assert not set(printed) & {"\x1b", "\x07", "\r", "\u202e"}
    assert r"\x1b[31m" in printed


@pytest.mark.usefixtures("shown")
def test_a_clone_without_the_driver_prints_no_raw_bytes(git, repository, tmp_path):
    git("clone", "-q", repository, tmp_path / "clone")
    printed = git("log", "-p", cwd=tmp_path / "clone")
    assert "Binary files /dev/null and b/.gemexp/objects/" in printed
    assert "gemexp/config@1" not in printed
    assert "gemexp/move@1" not in printed
    assert "gemexp/put@1" not in printed


@pytest.mark.usefixtures("shown")
def test_patches_for_others_keep_the_bytes(git, repository, tmp_path):
    patch = git("format-patch", "--stdout", "-1", "--binary")
    assert "GIT binary patch" in patch
    clone = tmp_path / "clone"
    git("clone", "-q", repository, clone)
    git("reset", "-q", "--hard", "HEAD~1", cwd=clone)
    git("am", "-q", cwd=clone, stdin=patch.encode("utf-8", "surrogateescape"))
    assert git("rev-parse", "HEAD^{tree}", cwd=clone) == git("rev-parse", "HEAD^{tree}")


# Without gemexp


@pytest.fixture
def moved(shown, git, tmp_path):  # noqa: ARG001 - it is where this happens
    """A repository that was set up by a copy of gemexp which can be taken away; returns where the copy is."""
    packages = tmp_path / "packages"
    source = Path(describing.__file__).parent
    shutil.copytree(source, packages / "gemexp", ignore=shutil.ignore_patterns("__pycache__", "backtest"))
    done = subprocess.run(
        [sys.executable, "-m", "gemexp", "git", "setup"],
        env={**os.environ, "PYTHONPATH": str(packages)},
        cwd=Path.cwd(),
        check=True,
        capture_output=True,
    )
    assert done
    assert str(packages) in git("config", "diff.gemexp.textconv")
    return packages


def without_program(tmp_path):
    """Return an environment in which nothing of gemexp is found, but git and the tools of the shell are."""
    tools = tmp_path / "tools"
    tools.mkdir(exist_ok=True)
    for name in ("git", "sh", "cat", "cmp", "sed"):
        if not (tools / name).exists():
            (tools / name).symlink_to(shutil.which(name))
    return {"PATH": str(tools)}


def test_where_the_package_is_gone_plain_bytes_are_printed_and_not_kept(moved, git, tmp_path):
    alone = without_program(tmp_path)
    shutil.move(moved, tmp_path / "away")
    for _ in range(2):  # the second time from what git kept, if it did
        printed = git("show", env=alone)
        assert "gemexp/config@1" in printed
        assert "\x1b" not in printed
    shutil.move(tmp_path / "away", moved)
    for _ in range(2):
        lines = added(git("show", env=alone))
        assert "hyperparameters.lr = 0.1" in lines
        assert not any("gemexp/config@1" in line for line in lines), "bytes were taken for text"


def test_where_the_package_is_gone_the_program_on_the_path_is_taken(moved, git, tmp_path):
    shutil.move(moved, tmp_path / "away")
    lines = added(git("show"))
    assert "hyperparameters.lr = 0.1" in lines
    assert "~ hyperparameters.lr: 0.1 -> 0.2 (+0.1)" in lines


def test_a_package_that_is_broken_does_not_stop_git(moved, git, tmp_path):
    (moved / "gemexp/notation.py").write_text("raise SystemExit(1)\n")
    assert "gemexp/config@1" in git("show", env=without_program(tmp_path))


@pytest.mark.usefixtures("shown")
def test_a_repository_that_was_moved_is_shown_all_the_same(git, repository, tmp_path):
    shutil.move(repository, tmp_path / "elsewhere")
    assert "hyperparameters.lr = 0.1" in added(git("-C", tmp_path / "elsewhere", "show"))
    assert not repository.exists()
