"""Each command that writes, with the store that it is tried on."""

import json
import os
import shutil
import subprocess
import time
from typing import NamedTuple

import seed_format
from store_contents import here

from gemexp import ExperimentConfig

A, B, C, D = ({"lr": number, "layers": [8, number]} for number in (1, 2, 3, 4))
_A, _D = (ExperimentConfig([], {}, hyperparameters=one).compute_hash() for one in (A, D))
_OLD = "0123456789abcdef" * 4
_GC = ["gc", "--grace", "1h"]
_LINES = [{"lr": number / 8, "seed": number} for number in range(12)]


class Command(NamedTuple):
    """A command to be tried.

    Args:
        name: What the tests call it.
        arguments: Its arguments.
        prepare: Makes the project that it is called in.
        stdin: What it reads.
        codes: Exit codes that are fine where it is repeated.
        piecemeal: Whether each line that it prints acknowledges what that line names, and no more.
        compares_index: Whether there is an index, whose answers are to be those of the store.
        outside: Files outside the store that it writes: each is as before, or whole.
        replayed: Whether all that it does can be replayed; not if another program writes for it.
    """

    name: str
    arguments: list
    prepare: object
    stdin: bytes = b""
    codes: tuple = (0,)
    piecemeal: bool = False
    compares_index: bool = False
    outside: tuple = ()
    replayed: bool = True

    def __repr__(self):
        return self.name


def _text(value):
    return json.dumps(value).encode()


def _add(project, value, *arguments):
    return here(project, "add", "-", "-q", *arguments, stdin=_text(value))[1].strip()


def nothing(project):
    """Leave the project without a store."""


def basic(project):
    """Make a store of four configs: tags, a description, a parent, a run, a name, an alias; one is deleted."""
    here(project, "init")
    _add(project, A, "-t", "best", "-t", "u", "-d", "first")
    _add(project, B, "-t", "u")
    here(project, "add", "-q", "--from", "tag:best", "--set", "hyperparameters.lr=9", "-t", "c")
    _add(project, D, "-t", "d", "-d", "went")
    (project / "model.txt").write_text("weights")
    here(project, "record", "tag:c", "-m", "loss=0.5", "-a", "model.txt", "--data", "2024")
    here(project, "record", "tag:d", "-m", "loss=0.25", "-a", "model.txt", "--data", "2023")
    here(project, "name", "production", "tag:best")
    here(project, "alias", _OLD, "tag:best")
    here(project, "delete", "-f", "tag:d")
    _age(project / ".gemexp" / "refs" / "deleted" / _D)


def _age(path):
    """Have a file be a day old."""
    day_ago = time.time() - 24 * 3600
    os.utime(path, (day_ago, day_ago))


def _and(*commands):
    """Make the basic store, and run commands in it."""

    def prepare(project):
        basic(project)
        for command in commands:
            here(project, *command)

    return prepare


def _several_packs(project):
    basic(project)
    here(project, "pack")
    _add(project, {"lr": 5}, "-t", "late")
    here(project, "pack")
    _add(project, {"lr": 6}, "-t", "later")


def _with_other(project):
    basic(project)
    other = project / "other"
    other.mkdir()
    here(other, "init")
    _add(other, {"lr": 7}, "-t", "best", "-d", "theirs")
    _add(other, B, "-t", "theirs")
    here(other, "name", "staging", "tag:theirs")


def _exported(project):
    basic(project)
    other = project / "other"
    other.mkdir()
    here(other, "init")
    for number in range(4):
        _add(other, {"lr": 20 + number}, "-t", f"n{number}", "-d", f"number {number}")
    here(other, "export", "--all", "../all.jsonl")
    shutil.rmtree(other)


def _with_old_registry(project):
    basic(project)
    rows = [seed_format.old_row(f"{number}" * 64, k=number) for number in (1, 2)]
    seed_format.write_registry(project / "old.sqlite", rows)


def _damage(project):
    basic(project)
    shutil.copytree(project / ".gemexp", project / "good")
    path = project / ".gemexp" / "objects" / _A[:2] / _A
    path.unlink()
    path.write_bytes(b"damaged")


def _damaged_pack(project):
    basic(project)
    shutil.copytree(project / ".gemexp", project / "good")
    here(project, "pack")
    (name,) = os.listdir(project / ".gemexp" / "packs")
    path = project / ".gemexp" / "packs" / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.chmod(0o644)
    path.write_bytes(data)


def _last_alone(project):
    """Leave one command in the journal, so that there is nothing to undo after it."""
    basic(project)
    shutil.rmtree(project / ".gemexp" / "local" / "journal")
    _add(project, {"lr": 30}, "-t", "mistake", "-t", "u")


def _indexed(project):
    basic(project)
    here(project, "index", "build")


def _outdated_index(project):
    _indexed(project)
    _add(project, {"lr": 40}, "-t", "fresh")
    here(project, "tag", "-d", "tag:c", "c")


def _collected(project):
    basic(project)
    here(project, *_GC)


def _old_trash(project):
    _collected(project)
    for trash in (project / ".gemexp" / "local" / "trash").iterdir():
        _age(trash)


def _in_git(project):
    subprocess.run(["git", "init", "-q", project], check=True)
    basic(project)


_OF_GIT = (".git/config", ".git/info/attributes", ".git/hooks/pre-commit")
_JSONL = b"".join(_text(line) + b"\n" for line in _LINES)

COMMANDS = [
    Command("init", ["init"], nothing),
    Command("add", ["add", "-", "-q", "-d", "new", "-t", "best", "-t", "x/y"], basic, _text(C)),
    Command("add to a fresh store", ["add", "-", "-q", "-t", "x"], lambda project: here(project, "init"), _text(C)),
    Command("add again", ["add", "-", "-q", "-d", "other words", "-t", "more"], basic, _text(A)),
    Command("add what was deleted", ["add", "-", "-q", "-t", "again"], basic, _text(D)),
    Command("add a variant", ["add", "-q", "--from", "tag:best", "--set", "hyperparameters.lr=50"], basic),
    Command("add to a named store", ["--store", ".gemexp", "add", "-", "-q"], nothing, _text(A)),
    Command("add --jsonl", ["add", "--jsonl", "-", "-q", "-t", "many"], basic, _JSONL, piecemeal=True),
    Command("tag", ["tag", "tag:c", "one", "two", "u"], basic),
    Command("tag -d", ["tag", "-d", f"hash:{_A}", "best", "u"], basic, codes=(0, 3)),
    Command("tag --rename", ["tag", "--rename", "u", "v"], basic, codes=(0, 3)),
    Command("tag --where", ["tag", "--where", "lr < 5", "small"], basic),
    Command("describe", ["describe", "tag:best", "second thoughts"], basic),
    Command("delete", ["delete", "-f", f"hash:{_A}"], basic, codes=(0, 3)),
    Command("restore", ["restore", f"hash:{_D}"], basic, codes=(0, 3)),
    Command("restore from the trash", ["restore", _D], _collected, codes=(0, 3)),
    Command("name", ["name", "production", "tag:c"], basic),
    Command("name -d", ["name", "-d", "production"], basic, codes=(0, 3)),
    Command("record", ["record", "tag:best", "-m", "loss=0.125", "-a", "model.txt"], basic),
    Command("alias", ["alias", "beefbeef", "tag:c"], basic),
    Command("alias -d", ["alias", "-d", _OLD], basic, codes=(0, 3)),
    Command("migrate", ["migrate", "-f", "--default", "hyperparameters.seed=0"], basic, codes=(0,)),
    Command("merge", ["merge", "other"], _with_other),
    Command("import", ["import", "all.jsonl", "-q"], _exported, piecemeal=True),
    Command("import --sqlite", ["import", "--sqlite", "old.sqlite"], _with_old_registry),
    Command("pack", ["pack"], basic),
    Command("pack several", ["pack", "--all"], _several_packs),
    Command("gc", _GC, basic),
    Command("gc of packs", _GC, _and(["pack"])),
    Command("gc of the trash", _GC, _old_trash),
    Command("fsck --repair", ["fsck", "--repair", "--from", "good"], _damage),
    Command("fsck --repair of a pack", ["fsck", "--repair", "--from", "good"], _damaged_pack),
    Command("undo", ["undo"], _last_alone, codes=(0, 1, 3)),
    Command("export", ["export", "--all", "all.jsonl"], _exported, outside=("all.jsonl",)),
    Command("git setup", ["git", "setup", "--hook"], _in_git, outside=_OF_GIT, replayed=False),
    Command("index build", ["index", "build"], basic, compares_index=True),
    Command("index build again", ["index", "build"], _outdated_index, compares_index=True),
    Command("list with an index", ["list"], _outdated_index, compares_index=True),
    Command("add with an index", ["add", "-", "-q", "-t", "best"], _indexed, _text(C), compares_index=True),
]
