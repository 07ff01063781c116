"""Repositories whose branches are histories of a store, and what must be the same however they are united."""

import contextlib
import io
import os
import shutil
import tempfile
from pathlib import Path

from histories import NAMES, answers, perform
from hypothesis import settings

from gemexp import ExperimentRegistry
from gemexp.cli import main

# What would be slow, or start by itself at some point; git syncs nothing, since no test here is about power failures.
_SETTINGS = "[gc]\n\tauto = 0\n[maintenance]\n\tauto = false\n[core]\n\tfsync = none\n"


def examples(bounded):
    """Return how many examples a property is tried with: few, or many where a long sweep was asked for."""
    return settings().max_examples if os.environ.get("GEMEXP_SWEEP") else bounded


@contextlib.contextmanager
def quick_folder():
    """Make a folder, in memory if the system has one there, and remove it."""
    shared = "/dev/shm"  # noqa: S108 - the folder made in it is the process's own
    place = shared if os.access(shared, os.W_OK) else None
    folder = tempfile.mkdtemp(prefix="gemexp-", dir=place)
    try:
        yield Path(folder)
    finally:
        shutil.rmtree(folder)


class Work:
    """A work tree with a store in it, whose first commit on ``main`` holds the store, empty.

    Args:
        folder: Where to make it.
        git: The fixture.
        settings: More lines for git's own settings.
    """

    def __init__(self, folder, git, settings=""):
        git("init", "-q", "-b", "main", folder)
        with open(Path(folder, ".git/config"), "a", encoding="utf-8") as file:
            file.write(_SETTINGS + settings)
        ExperimentRegistry(Path(folder, ".gemexp"))
        self._open(folder, git)
        self.commit()

    @classmethod
    def existing(cls, folder, git):
        """Return a work tree that is there already."""
        work = cls.__new__(cls)
        work._open(folder, git)
        return work

    def _open(self, folder, git):
        self.folder = Path(folder)
        self.store = self.folder / ".gemexp"
        self._git = git

    def git(self, *arguments, **options):
        return self._git(*arguments, cwd=self.folder, **options)

    def commit(self):
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "more")

    def play(self, commits):
        """Do what histories say, each list of actions as one commit."""
        for actions in commits:
            registry = ExperimentRegistry(self.store)
            for action in actions:
                perform(registry, *action)
            self.commit()

    def branch(self, name, commits, start="main"):
        """Play commits on a branch, and return its store as it is then, copied with all that is local to it."""
        self.git("checkout", "-q", "-B", name, start)
        self.play(commits)
        copy = self.folder.parent / f"store-{name}"
        shutil.copytree(self.store, copy)
        return copy

    def merge(self, order, *options):
        """Merge branches into the first of them, on a branch of its own; return the hash of the tree of the store."""
        self.git("checkout", "-q", "-B", "merged", order[0])
        for name in order[1:]:
            self.git("merge", "-q", "-m", "merge", *options, name)
        return self.git("rev-parse", "HEAD:.gemexp").strip()

    def porcelain(self):
        """Return what git has to say of the work tree."""
        return self.git("status", "--porcelain", "--untracked-files=all").splitlines()


def shown(root):
    """Return what a store answers, in Python and as commands; nothing may be wrong with it."""
    *found, problems = answers(root)
    assert problems == []
    histories = [["name", "--history", name] for name in NAMES if found[-1].get(name)]
    commands = [["list", "--all"], ["tag"], ["name"], ["runs"], ["alias"], ["log"], *histories]
    return found, [printed("--store", root, *command, "--json") for command in commands]


def printed(*arguments):
    """Run a command in this process, and return what it prints."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        assert main([str(argument) for argument in arguments]) == 0
    return out.getvalue()
