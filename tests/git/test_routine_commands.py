"""No routine command changes or removes a file that git tracks: afterwards git knows of untracked ones alone."""

import os
import shlex
import shutil
import subprocess

import click
import pytest
from branches import Work, examples, quick_folder
from hypothesis import given, settings
from hypothesis import strategies as st
from seed_format import old_row, write_registry
from surroundings import contents

from gemexp import ExperimentConfig, ExperimentRegistry
from gemexp.cli import main
from gemexp.cli.commands import group

# What each command is called with, one case after the other; in a case, several calls are separated by a semicolon.
QUICK = {
    "add": [
        "add ../new.yaml -d text -t best",
        "add ../many.jsonl -t sweep",
        "add --from best --set hyperparameters.k=7",
        "add ../known.yaml -d 'another description'",
    ],
    "alias": ["alias", "alias beef best", "alias dead variant --force", "alias -d dead"],
    "attest": ["attest best --key ../key"],
    "best": ["best --metric loss"],
    "check": ["check - best", "check - --generate 2 --runs 1", "check - best --no-record"],
    "compare": ["compare best variant"],
    "completion": ["completion bash"],
    "delete": ["delete best --force", "delete variant --force"],
    "describe": ["describe best 'in other words'", "describe best ''"],
    "diff": ["diff best variant", "diff --runs best best", "diff main..theirs", "diff main..theirs --format=md"],
    "explain": ["explain best variant"],
    "export": ["export best ../out.json", "export --all ../out.jsonl", "export --tag best ../out", "export best -"],
    "fsck": ["fsck", "fsck --repair", "fsck --repair --from ../other"],
    "gc": ["gc", "gc --dry-run --grace 0", "gc --grace 0", "add ../new.yaml -t new; delete new -f; gc --grace 0"],
    "git check": ["git check", "add ../new.yaml; git check"],
    "git setup": ["git setup", "git setup --hook; git setup --remove"],
    "git status": ["git status", "add ../new.yaml; git status"],
    "import": ["import ../variant.json", "import --sqlite ../experiments.sqlite"],
    "index build": ["index build", "index build; add ../new.yaml -t new; list --where 'k > 0'"],
    "index drop": ["index build; index drop"],
    "index status": ["index status", "index build; tag best other; index status"],
    "init": ["init", "init elsewhere"],
    "list": ["list", "list --all --json", "list --where 'k > 1'", "list --sort hyperparameters.k"],
    "log": ["log", "log --graph", "log variant"],
    "merge": ["merge theirs", "merge ../other", "merge theirs --dry-run"],
    "migrate": ["migrate --default hyperparameters.seed=0 --force", "migrate --drop hyperparameters.k best --dry-run"],
    "name": [
        "name",
        "name production best",
        "name production variant; name --rollback production",
        "name --history production",
        "name --resolve production",
        "name -d production",
        "name candidate variant",
    ],
    "pack": ["pack", "add ../new.yaml -t new; pack; add ../many.jsonl; pack"],
    "plot": ["plot --metric loss --x k"],
    "record": ["record best --metric loss=0.5 --artifact ../new.yaml", "record variant --metric loss=0.25"],
    "restore": ["restore {gone}"],
    "run": [
        "run best -a copy -- cp .gemexp/format copy",
        "run best -a copy --patch -- cp .gemexp/format copy; verify --rerun best --yes",
    ],
    "runs": ["runs", "runs best --json", "runs --checks"],
    "search": ["search best", "search --where 'hyperparameters.k >= 1'"],
    "show": ["show best", "show best --json", "show best:hyperparameters.k", "show best --raw"],
    "tag": [
        "tag",
        "tag best other 'Upper / case'",
        "tag -d best best",
        "tag --rename best better",
        "tag --where 'k > 0' all",
    ],
    "undo": [
        "tag best other; undo",
        "add ../new.yaml -t new; undo",
        "name production best; undo",
        "tag best x; undo --dry-run",
    ],
}
# Those that take their time are tried once each.
_DATES = "--start 2021-01-01 --end 2021-12-31"
SLOW = {
    "backtest": [f"backtest {_DATES} --k 5 --no-bootstrap-ci --output ../reports --experiment-tags run"],
    "sweep": ["sweep ../grid.yaml --jobs 1"],
    "verify": [f"backtest {_DATES} --k 5 --no-bootstrap-ci --output ../reports --experiment-tags run; verify run"],
}
COMMANDS = QUICK | SLOW
# What each removes files with that git tracks, and only with that.
REMOVING = ["gc --grace 0 --tracked", "pack --all"]


def leaves(command, context, words=()):
    """Yield the names of all commands, those of groups with the group's before them."""
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            yield from leaves(command.get_command(context, name), context, (*words, name))
    else:
        yield " ".join(words)


def test_every_command_is_tried_here():
    assert set(leaves(group, click.Context(group))) == set(COMMANDS)


@pytest.fixture
def prepared(tmp_path_factory, git):
    """A folder with a repository whose store has some of everything, and files that commands read; made once."""
    folder = tmp_path_factory.getbasetemp() / "routine"
    if not folder.exists():
        folder.mkdir()
        fill(folder, Work(folder / "work", git))
    return folder


def fill(folder, work):
    (folder / "new.yaml").write_text("{k: 1, new: true}\n")
    (folder / "many.jsonl").write_text("".join(f'{{"k": {number}, "many": true}}\n' for number in range(3)))
    (folder / "known.yaml").write_text("{k: 1}\n")
    (folder / "grid.yaml").write_text(
        "parameters: {start: 2021-01-01, end: 2021-12-31, n_bootstrap: 0}\ngrid: {k: [3]}\n"
    )
    write_registry(folder / "experiments.sqlite", [old_row("0123456789abcdef")])
    key = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / "key"]
    subprocess.run(key, check=True, stdin=subprocess.DEVNULL)
    registry = ExperimentRegistry(work.store)
    best = registry.register(ExperimentConfig([], {}, {"k": 1}, description="best", tags=["best"]))
    registry.pack()
    variant = ExperimentConfig([], {}, {"k": 2}, tags=["variant"])
    registry.register(variant, parents=[best])
    (folder / "variant.json").write_text(variant.to_json())
    gone = registry.register(ExperimentConfig([], {}, {"k": 3}))
    registry.delete(gone)
    registry.record("best", {"loss": 0.25}, artifacts={"log": b"text"})
    registry.alias("dead", best)
    for rev in ("best", "variant"):
        registry.move_name("production", rev)
    work.commit()
    work.git("checkout", "-q", "-b", "theirs")
    registry.register(ExperimentConfig([], {}, {"k": 4}, tags=["best"]))
    registry.describe(best, "theirs")
    work.commit()
    shutil.copytree(work.store, folder / "other")
    work.git("checkout", "-q", "main")
    registry.register(ExperimentConfig([], {}, {"k": 5}))  # so that there is something that is not committed


@pytest.fixture
def copied(prepared, monkeypatch, git):
    """Copy what is prepared, into memory if possible; make the work tree the current folder, and return it."""
    with quick_folder() as folder:
        shutil.copytree(prepared, folder / "copy")
        monkeypatch.chdir(folder / "copy/work")
        work = Work.existing(folder / "copy/work", git)
        assert {line[:3] for line in work.porcelain()} == {"?? "}
        yield work
        os.chdir("/")


def call(line, accepted=(0,)):
    gone = ExperimentConfig([], {}, {"k": 3}).config_hash
    for one in line.split("; "):
        assert main(shlex.split(one.format(gone=gone))) in accepted, one


@pytest.mark.parametrize("line", [line for lines in COMMANDS.values() for line in lines])
def test_a_routine_command_leaves_tracked_files_as_they_are(copied, line):
    call(line)
    assert {line[:3] for line in copied.porcelain()} <= {"?? "}


@pytest.mark.slow
@settings(max_examples=examples(8))
@given(st.data())
def test_routine_commands_in_any_order_leave_tracked_files_as_they_are(prepared, git, data):
    lines = st.sampled_from(sorted(QUICK)).flatmap(lambda name: st.sampled_from(QUICK[name]))
    with quick_folder() as folder, pytest.MonkeyPatch.context() as patch:
        shutil.copytree(prepared, folder / "copy")
        patch.chdir(folder / "copy/work")
        work = Work.existing(folder / "copy/work", git)
        for line in data.draw(st.lists(st.one_of(lines, st.just("commit")), max_size=12)):
            if line == "commit":
                work.commit()
            else:
                call(line, accepted=(0, 1, 3, 4))  # what one of them took away, another may look for
            assert {line[:3] for line in work.porcelain()} <= {"?? "}


@pytest.mark.parametrize("line", REMOVING)
def test_what_removes_tracked_files_has_to_be_asked_to(copied, line):
    call(line)
    assert " D " in {line[:3] for line in copied.porcelain()}


def test_repairing_puts_the_tracked_file_back_that_was_damaged(copied):
    before = contents(copied.store)
    path = next(path for path in before.keys() & contents("../other").keys() if path.startswith("index/"))
    (copied.store / path).chmod(0o644)
    (copied.store / path).write_bytes(b"<<<<<<< HEAD\n")
    call("fsck --repair --from ../other")
    assert contents(copied.store)[path] == before[path]
    assert {line[:3] for line in copied.porcelain()} == {"?? "}
