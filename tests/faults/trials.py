"""Commands tried once to their end, so that it is known what they call, and what a store says before and after."""

import os
import random

import crash_states
import file_trees
import store_contents
from fault_commands import COMMANDS

from gemexp.store import check
from gemexp.store.files import Folder

BY_NAME = {command.name: command for command in COMMANDS}


def some(found, number, seed):
    """Return so many of what was found, drawn in a way that can be repeated; all where GEMEXP_SWEEP is set."""
    if os.environ.get("GEMEXP_SWEEP") or len(found) <= number:
        return found
    return random.Random(seed).sample(found, number)  # noqa: S311 - to repeat a failure


class Trial:
    """A command that was run to its end once, below strace.

    Attributes:
        judge: Knows what a state between may be.
        calls: What it called.
        writing: Those of its calls that write.
        done: What it printed.
    """

    def __init__(self, command, workspace, server):
        self.project = workspace / "project"
        file_trees.clear(self.project)
        self.project.mkdir()
        command.prepare(self.project)
        root = f"{self.project}/.gemexp"
        before = store_contents.contents(root)
        before_outside = store_contents.outside(self.project, command.outside)
        damaged = {one.path for one in check.check(Folder(root)).problems} if before else set()
        self._disk = crash_states.Disk(self.project)
        self._before = crash_states.images(self.project)
        files = {path.removeprefix(".gemexp/") for path in self._before}
        self.done = server.run(command.arguments, self.project, command.stdin)
        assert self.done.code == 0, self.done
        self.calls = server.calls(self.done)
        # What the server opens for a command's output is none of the command's calls.
        self.writing = [call for call in self.calls if call.writes and not call.is_below(server.folder)]
        after = store_contents.contents(root), store_contents.outside(self.project, command.outside)
        self.judge = store_contents.Judge(command, (before, before_outside), after, files, damaged)

    def begin(self):
        """Put everything back to where it was before the command; return the folder to call it in."""
        file_trees.build(self._before, self.project)
        return self.project

    def states(self, **options):
        """Yield what a crash may leave."""
        self._disk.follow(self.calls)
        return self._disk.states(self.judge.command.name, **options)

    def build(self, state):
        """Put the files so as a crash may leave them."""
        file_trees.build(state.tree, self.project)
        return self.project
