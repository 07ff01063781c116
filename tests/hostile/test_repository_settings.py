"""Repositories whose settings name programs: none is run, by whatever command of gemexp."""

import os
import shutil
import subprocess

import pytest
from surroundings import contents

from gemexp import ExperimentConfig, ExperimentRegistry, environment, textconv
from gemexp.errors import EngineFailed
from gemexp.git import Repository

GIT = ["git", "-c", "user.name=Alice", "-c", "user.email=alice@example.com", "-c", "init.defaultBranch=main"]


@pytest.fixture
def canary(tmp_path):
    """A program that leaves a file, and behaves as most programs would that git starts."""
    sung = tmp_path / "sung"
    program = tmp_path / "canary"
    program.write_text(f'#!/bin/sh\necho "$0 $*" >>{sung}\ncat 2>/dev/null </dev/null\nexit 0\n')
    program.chmod(0o755)
    return program, lambda: sung.read_text() if sung.exists() else ""


@pytest.fixture
def committed(project, monkeypatch):
    """A repository with a store of two commits."""
    for name, value in (("GIT_AUTHOR_NAME", "Alice"), ("GIT_AUTHOR_EMAIL", "a@b"), ("GIT_CONFIG_GLOBAL", os.devnull)):
        monkeypatch.setenv(name, value)
        monkeypatch.setenv(name.replace("AUTHOR", "COMMITTER"), value)
    git(project, "init", "-q", ".")
    registry = ExperimentRegistry(project / ".gemexp")
    for number in range(2):
        (project / "code.py").write_text(f"print({number})\n")
        registry.register(ExperimentConfig([], {}, {"k": number}, tags=["all"]))
        git(project, "add", "-A")
        git(project, "commit", "-q", "-m", f"commit {number}")
    _sign(project)
    git(project, "branch", "other")
    registry.register(ExperimentConfig([], {}, {"k": 2}, tags=["all"]))
    return registry


def git(folder, *arguments, data=None):
    return subprocess.run([*GIT, *arguments], cwd=folder, check=True, capture_output=True, input=data).stdout


def _sign(folder):
    """Put a signature into the last commit, which has git ask a program whether it is good."""
    head, _, message = git(folder, "cat-file", "commit", "HEAD").partition(b"\n\n")
    signature = b"gpgsig -----BEGIN PGP SIGNATURE-----\n \n eA==\n -----END PGP SIGNATURE-----"
    signed = b"\n".join([head, signature, b"", message])
    name = git(folder, "hash-object", "-t", "commit", "-w", "--stdin", data=signed).decode().strip()
    git(folder, "update-ref", "HEAD", name)


def settings(program, hooks):
    """Return the settings of git that name a program, or have it ask one."""
    return f"""\
[core]
	fsmonitor = {program} fsmonitor
	hooksPath = {hooks}
	pager = {program} pager
	editor = {program} editor
	askPass = {program} askpass
	sshCommand = {program} ssh
	gitProxy = {program} proxy
	alternateRefsCommand = {program} alternates
[pager]
	log = {program} pager-log
	status = {program} pager-status
	diff = {program} pager-diff
	config = {program} pager-config
[diff]
	external = {program} diff-external
[diff "evil"]
	textconv = {program} textconv
	command = {program} diff-command
[interactive]
	diffFilter = {program} diff-filter
[log]
	showSignature = true
[gpg]
	program = {program}
[gpg "ssh"]
	program = {program}
	allowedSignersFile = /dev/null
[uploadpack]
	packObjectsHook = {program} pack-objects
[credential]
	helper = {program} credential
[alias]
	status = !{program} alias-status
	log = !{program} alias-log
	rev-parse = !{program} alias-rev-parse
[sequence]
	editor = {program} sequence
[submodule "sub"]
	update = !{program} submodule
	url = ext::{program}
[remote "origin"]
	url = ext::{program} %S
	uploadpack = {program} uploadpack
	receivepack = {program} receivepack
	fetch = +refs/heads/*:refs/remotes/origin/*
	promisor = true
	partialclonefilter = blob:none
[extensions]
	partialClone = origin
"""


def plant(repository, program):
    """Have a repository name the program wherever it can; return the folder of its hooks."""
    hooks = program.parent / "hooks"
    hooks.mkdir(exist_ok=True)
    for name in ("post-index-change", "reference-transaction", "post-checkout", "pre-commit", "fsmonitor-watchman"):
        if not (hooks / name).exists():
            shutil.copy(program, hooks / name)
    with open(repository / "config", "a") as file:
        file.write(settings(program, hooks))


def commands(rev):
    return [
        *(
            ("git", "status"),
            ("git", "status", "--json"),
            ("git", "check"),
            ("git", "setup"),
            ("git", "setup", "--hook"),
        ),
        *(("merge", "other"), ("merge", "--dry-run", "other:.gemexp"), ("list",), ("show", rev), ("log",)),
        *(("diff", "HEAD"), ("diff", "other..HEAD"), ("list", "--since", "other"), ("record", rev, "-m", "loss=1")),
        *(("name", "production", rev), ("pack",), ("gc", "--grace", "0s"), ("add", "-"), ("fsck",), ("undo",)),
        *(("git", "setup", "--remove"),),
    ]


def test_settings_of_a_repository_run_nothing(committed, project, canary, gemexp):
    program, sung = canary
    rev = committed.list_all()[0].config_hash
    (project / ".gitattributes").write_text("* diff=evil\n")
    plant(project / ".git", program)
    (project / "code.py").write_text("print('changed')\n")
    for arguments in commands(rev):
        gemexp(*arguments, stdin='{"a": 1}')
        assert sung() == "", arguments
    assert environment.surroundings().code["dirty"]
    assert sung() == ""


def test_the_canary_sings_where_git_is_asked_without_care(committed, project, canary):
    program, sung = canary
    plant(project / ".git", program)
    subprocess.run(["git", "status"], cwd=project, capture_output=True, check=False)
    assert "fsmonitor" in sung(), committed.root
    subprocess.run(["git", "log"], cwd=project, capture_output=True, check=False)
    assert "--verify" in sung()


def test_what_git_starts_for_each_file_starts_nothing_in_turn(committed, project, canary, capfdbinary, monkeypatch):
    program, sung = canary
    committed.move_name("production", committed.list_all()[0].config_hash)
    git(project, "add", "-A")
    git(project, "commit", "-q", "-m", "moved")
    (folder,) = (project / ".gemexp/refs/names").iterdir()
    (move,) = folder.iterdir()
    plant(project / ".git", program)
    prepared = project / ".git/gemexp/text-1"
    for path in (move, *(project / ".gemexp/objects").rglob("*/*"), *(project / ".gemexp/index").rglob("*/*")):
        monkeypatch.setattr("sys.argv", ["gemexp-textconv", "--ahead", str(prepared), str(os.getpid()), str(path)])
        assert textconv.main() == 0
    assert sung() == ""
    assert capfdbinary.readouterr().out
    assert list(prepared.iterdir()), "it has looked into the repository"


def test_a_bare_repository_within_a_clone_is_asked_nothing_unless_it_is_named(committed, project, canary, gemexp):
    program, sung = canary
    bare = project / "docs/fixture"
    git(project, "clone", "-q", "--bare", ".", str(bare))
    plant(bare, program)
    with open(bare / "config", "a") as file:
        file.write(f'[core]\n\tbare = false\n\tworktree = {project}\n[filter "evil"]\n\tclean = {program} clean\n')
    (bare / "info").mkdir(exist_ok=True)
    (bare / "info/attributes").write_text("* filter=evil\n")
    (project / "code.py").write_text("print('changed')\n")
    rev = committed.list_all()[0].config_hash
    for arguments in commands(rev):
        gemexp("-C", bare, *arguments, stdin='{"a": 1}')
        os.chdir(project)
        assert sung() == "", arguments
    with pytest.raises(EngineFailed):
        Repository.find(str(bare))
    gemexp("merge", bare)
    assert sung() == ""


def test_a_bare_repository_that_is_handed_in_runs_nothing(committed, project, canary, gemexp, tmp_path):
    program, sung = canary
    git(project, "add", "-A")
    git(project, "commit", "-q", "-m", "third")
    bare = tmp_path / "theirs.git"
    git(project, "clone", "-q", "--bare", ".", str(bare))
    plant(bare, program)
    shutil.rmtree(project / ".gemexp")
    gemexp("init", code=0)
    assert gemexp("merge", bare, code=0).out
    assert len(ExperimentRegistry(project / ".gemexp")) == 3
    assert sung() == "", committed.root


@pytest.mark.parametrize("name", ["--upload-pack=x", "-c", "--exec-path=x", "--output=canary", "-o", "--help"])
def test_no_name_becomes_an_option(committed, project, gemexp, name):
    before = set(contents(project))
    git(project, "update-ref", f"refs/heads/{name}", "HEAD")
    for arguments in (
        ("merge", "--", name),
        ("merge", "--", f"{name}:.gemexp"),
        ("diff", "--", f"{name}..HEAD"),
        ("diff", "--", name, "HEAD"),
        ("tag", committed.list_all()[0].config_hash, "--", name),
        ("search", "--", name),
        ("add", "-", "-d", name),
        ("describe", "--", committed.list_all()[0].config_hash, name),
    ):
        gemexp(*arguments, stdin='{"a": 1}')
    gemexp("git", "status")
    new = {path for path in set(contents(project)) - before if not path.startswith((".gemexp/", ".git/"))}
    assert new == set()
