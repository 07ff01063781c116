"""Runs that can be run again: executing commands, executing them once more, and what changed between two runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gemexp.errors import InvalidInput
from gemexp.registry.runs import Runs
from gemexp.store.records import Run

if TYPE_CHECKING:
    from gemexp.environment import Surroundings
    from gemexp.executing import Command
    from gemexp.query.run_changes import RunChanges
    from gemexp.rerunning import Plan, Rerun, Tolerance


class Executing(Runs):
    """Commands of an opened store's runs."""

    def find_run(self, text: str) -> Run:
        """Return the run that a text means: ``run:`` and digits, the beginning of its name, or a config's newest.

        Raises:
            NotFound: It means none.
            AmbiguousPrefix: It means several.
        """
        from gemexp.query import run_changes

        return run_changes.find(self._folder, text)

    def diff_runs(self, first: str, second: str | None = None) -> RunChanges:
        """Return what changed from one run to another; without a second, from a config's newest but one to its newest.

        Raises:
            NotFound, AmbiguousPrefix: See `find_run`.
        """
        from gemexp.query import run_changes

        old, new = (
            run_changes.newest_two(self._folder, first)
            if second is None
            else (self.find_run(first), self.find_run(second))
        )
        return run_changes.between(self._folder, old, new)

    def execute(
        self,
        rev: str,
        command: Command,
        *,
        surroundings: Surroundings | None = None,
        data: Any = None,
        output: int | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Run:
        """Run a command on a configuration in the current folder, and record what came out.

        Args:
            rev: The configuration.
            command: What to run, see `gemexp.executing.here`; digests of its data files are what it ran on.
            surroundings: What it runs in; what is so now if not given.
            data: What it runs on, where no files are named.
            output: File descriptor for what the command prints; this process's standard output if not given.
            environment: Its environment variables; this process's if not given.

        Raises:
            EngineFailed: It could not be run, or failed; nothing was recorded.
            InvalidInput: It left neither metrics nor artifacts, or they cannot be recorded.
        """
        from gemexp import executing

        config = self.load(self.resolve(rev))
        digests = executing.digests(command.data)
        done = executing.execute(command, config, environment=environment, output=output)
        if done.missing:
            raise InvalidInput(
                f"the command did not write {', '.join(map(repr, done.missing))}", hint="nothing was recorded"
            )
        outcome = self.record(
            config,
            done.metrics,
            surroundings=surroundings,
            artifacts=done.artifacts,
            data=digests or data,
            started=done.started,
            duration=done.duration,
            command=command,
        )
        return next(
            run for run in self.runs(config.config_hash) if (run.outcome, run.created_at) == (outcome, done.started)
        )

    def plan_rerun(self, run: str, arguments: tuple[str, ...] = ()) -> Plan:
        """Say what running a recorded command again would run; see `gemexp.rerunning.plan`."""
        from gemexp import rerunning

        return rerunning.plan(self._folder, run, arguments)

    def rerun(self, plan: Plan, tolerance: Tolerance | None = None, *, output: int | None = None) -> Rerun:
        """Run it again, compare and record the verdict; see `gemexp.rerunning.rerun`.

        The command is whatever the store says: show the plan to who started this before it is carried out.
        """
        from gemexp import rerunning

        return rerunning.rerun(self._folder, plan, tolerance, output=output)
