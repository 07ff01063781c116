"""Running a pipeline for a property: in fresh processes or in this one, and comparing what comes out."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from typing import Any, NamedTuple

from gemexp.config import ExperimentConfig
from gemexp.notation import visible
from gemexp.testing import processes
from gemexp.testing.differences import Difference, Tolerance, differences
from gemexp.testing.pipelines import Pipeline, PipelineFailed, pipeline_of, sections_of
from gemexp.testing.processes import Call, Process, Processes
from gemexp.testing.results import Form, Raised, digest
from gemexp.testing.verdicts import Check, Recheck, Verdict
from gemexp.testing.worlds import World

_AT_ONCE = os.cpu_count() or 1


class Run(NamedTuple):
    """What one fresh process is to do.

    Args:
        config: The configuration.
        world: What is different in it.
        times: How often it calls the pipeline.
    """

    config: ExperimentConfig
    world: World
    times: int = 1

    @property
    def call(self) -> Call:
        """What to ask the process for."""
        return Call(sections_of(self.config), self.times)


class Runner:
    """Runs one pipeline, and compares what comes out.

    Args:
        pipeline: The function, or its name.
        isolate: Whether each run has a fresh process; else all are in this one.
        rtol: See `gemexp.testing.differences.Tolerance`.
        atol: As ``rtol``.

    Raises:
        InvalidInput: No other process can import the pipeline, or a tolerance is no number from 0 on.
    """

    def __init__(self, pipeline: Any, *, isolate: bool, rtol: float, atol: float) -> None:
        self.pipeline: Pipeline = pipeline_of(pipeline)
        self.isolate = isolate
        self.tolerance = Tolerance(rtol, atol).check()
        self._kept: Processes | None = None
        if isolate:
            self.pipeline.check_open()

    def run(self, calls: Sequence[Call], world: World | None = None) -> list[list[Form]]:
        """Return the outcomes of some calls, made one after the other in one process."""
        if self._kept is not None:
            return self._kept.run(world or {}, calls)
        if self.isolate:
            return processes.run_fresh(self.pipeline, world or {}, calls)
        return processes.run_here(self.pipeline, calls)

    @contextmanager
    def keeping(self) -> Iterator[None]:
        """Use one process for each world as long as the block lasts, instead of a fresh one for each run."""
        if not self.isolate:
            yield
            return
        with Processes(self.pipeline) as kept:
            self._kept = kept
            try:
                yield
            finally:
                self._kept = None

    def once(self, config: ExperimentConfig, world: World | None = None) -> Form:
        """Return the outcome of one call."""
        return self.run([Call(sections_of(config))], world)[0][0]

    def alone(self, runs: Sequence[Run]) -> Iterator[list[Form]]:
        """Yield the outcomes of each of some runs, in a fresh process each; a few are under way at once."""
        if not self.isolate:
            yield from (self.run([run.call])[0] for run in runs)
            return
        with ExitStack() as stack:
            started: deque[Process] = deque()
            for run in runs:
                process = stack.enter_context(Process(self.pipeline, run.world))
                process.ask(run.call)
                started.append(process)
                if len(started) > _AT_ONCE:
                    yield _ended(started.popleft())
            while started:
                yield _ended(started.popleft())

    def first(self, form: Form) -> Form:
        """Return the outcome that others are compared with.

        Raises:
            PipelineFailed: The pipeline raised an error.
        """
        if isinstance(form, Raised):
            told = f"the pipeline '{self.pipeline.name}' raised {form.type}: {visible(form.message)}"
            raise PipelineFailed(told, type=form.type, error=form.message)
        return form

    def differences(self, first: Form, second: Form) -> list[Difference]:
        """Return where two outcomes differ by more than the tolerance."""
        return list(differences(first, second, self.tolerance))

    def holds(self, name: str, config: ExperimentConfig, first: Form, compared: int, **parts: Any) -> Verdict:
        """Return the verdict that a property holds."""
        return Verdict(
            name,
            self.pipeline.name,
            config,
            holds=True,
            compared=compared,
            tolerance=self.tolerance,
            outcome=digest(first),
            **parts,
        )

    def rechecks(self, check: Check, *, keeping: bool = True) -> Recheck:
        """Return what checks once more what failed, on other configurations.

        Args:
            check: Checks one.
            keeping: Whether many may share processes, unless the last word is to be had.
        """
        return Recheck(check, self.keeping if keeping else nullcontext)


def _ended(process: Process) -> list[Form]:
    """Return the outcomes of the one call that a process was asked for, and end it."""
    with process:
        return process.answer()
