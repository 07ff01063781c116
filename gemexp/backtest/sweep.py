"""Sweeps: all combinations of a grid on one panel, on all cores, each recorded as if it had been run alone.

A combination whose experiment has an outcome on the panel is skipped, so that the same sweep again, or one that was
interrupted, runs only what is missing.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from gemexp.backtest import tracking
from gemexp.backtest.deflated import defined, deflated_from_moments
from gemexp.backtest.outcome import canonical
from gemexp.backtest.sweep_plan import Plan, Planned, chunks
from gemexp.backtest.sweep_pool import blocked_interrupt, cores, deferred_interrupt, workers
from gemexp.backtest.sweep_worker import Done, Failure, Job, PanelSource, work
from gemexp.config import ExperimentConfig
from gemexp.environment import surroundings
from gemexp.errors import Corrupt, InvalidInput, NotFound
from gemexp.notation import inline, visible
from gemexp.registry import ExperimentRegistry

# Chunks at work or waiting for each worker: enough that none idles while results are written.
_AHEAD = 3
_POLL_SECONDS = 0.2
_FLUSH_SECONDS = 2.0
_FLUSH_RUNS = 128


class Result(NamedTuple):
    """A combination that has an outcome; ``skipped`` if it was recorded before."""

    number: int
    config_hash: str
    outcome_hash: str
    skipped: bool


class Best(NamedTuple):
    """One of the best combinations of a sweep, with its Sharpe ratio as it is and deflated."""

    result: Result
    sharpe: float
    deflated: float | None


@dataclass
class Sweep:
    """What a sweep came to.

    Attributes:
        plan: What was to be done.
        results: Combinations that have an outcome, by place in the grid.
        failures: Combinations that could not be run, in order of place.
        figures: Sharpe ratio, and moments of the returns, of those that were run, by place.
    """

    plan: Plan
    results: dict[int, Result] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    figures: dict[int, tuple[float | None, dict[str, Any]]] = field(default_factory=dict, repr=False)

    @property
    def run(self) -> int:
        """How many were run and recorded."""
        return sum(not result.skipped for result in self.results.values())

    @property
    def skipped(self) -> int:
        """How many were recorded before."""
        return len(self.results) - self.run

    def best(self, registry: ExperimentRegistry) -> tuple[list[Best], int]:
        """Return the combinations by Sharpe ratio, best first, and how many configurations were tried on the panel.

        The deflated ratio counts everything that was ever tried on the panel, not this sweep alone.
        """
        figures = {
            number: self.figures.get(number) or _stored_figures(registry, result.outcome_hash)
            for number, result in self.results.items()
        }
        known = {
            self.results[number].config_hash: defined(found[1].get("sharpe_per_day"))
            for number, found in figures.items()
        }
        tried = tracking.tried(registry, self.plan.panel.digest, known=known)
        found = []
        for number, result in self.results.items():
            sharpe, moments = figures[number]
            if sharpe is not None:
                deflated = canonical(deflated_from_moments(moments, trials=tried.number, variance=tried.variance))
                found.append(Best(result, sharpe, deflated))
        return sorted(found, key=lambda one: (-one.sharpe, one.result.number)), tried.number


class SweepInterrupted(KeyboardInterrupt):
    """Ctrl-C during a sweep; ``sweep`` is what is recorded."""

    def __init__(self, sweep: Sweep) -> None:
        super().__init__()
        self.sweep = sweep


def run_sweep(
    plan: Plan,
    registry: ExperimentRegistry,
    *,
    tags: Iterable[str] = (),
    description: str | None = None,
    jobs: int | None = None,
    executor: Executor | None = None,
    progress: Callable[[int], object] | None = None,
) -> Sweep:
    """Run what a plan says is new, and record each outcome as soon as it is there.

    A combination that cannot be run does not keep the others from it. Ctrl-C ends the sweep after what is at work;
    a second one ends it at once.

    Args:
        plan: What `plan_sweep` returned.
        registry: Where experiments and outcomes are stored.
        tags: Put on every experiment of the grid, also on those that are recorded already.
        description: Put before the settings that describe a new experiment.
        jobs: How many run at a time; as many as there are cores if not given.
        executor: Where they run, such as a ``ThreadPoolExecutor`` or a Dask client's; it is not shut down. By default
            processes, or this one if ``jobs`` is 1. Processes import the module that calls this, which therefore
            must do so below ``if __name__ == "__main__"``.
        progress: Called with the number of combinations that were just recorded or failed.

    Raises:
        SweepInterrupted: Ctrl-C; what was finished is recorded.
        StoreUnwritable: The file system refused; what was recorded before is kept.
        InvalidInput: A tag cannot be stored; or a worker ended unexpectedly, or cannot read the panel, and what was
            finished is recorded.
    """
    tags = tuple(tags)
    registry.validate(ExperimentConfig((), {}, description=description or "", tags=tags))
    runner = _Runner(plan, registry, tags, description, progress)
    runner.tag_known()
    if plan.new:
        count = max(1, min(jobs or cores(), len(plan.new)))
        with (
            deferred_interrupt() as interrupted,
            workers(executor, plan.panel, tracking.panel_cache(registry), count) as (pool, source),
        ):
            runner.run(pool, source, count, interrupted)
            missing = len(plan.grid) - len(runner.sweep.results) - len(runner.sweep.failures)
        if interrupted.is_set() and missing:
            raise SweepInterrupted(runner.sweep)
    return runner.sweep


class _Runner:
    """Hands out chunks, and records what comes back."""

    def __init__(
        self,
        plan: Plan,
        registry: ExperimentRegistry,
        tags: tuple[str, ...],
        description: str | None,
        progress: Callable[[int], object] | None,
    ) -> None:
        self._plan = plan
        self._registry = registry
        self._tags = tags
        self._description = description
        self._progress = progress
        self._around = surroundings()
        self._pending: list[Done] = []
        self._flushed = time.perf_counter()
        self.sweep = Sweep(plan, failures=list(plan.failures))
        for number, (config_hash, outcome_hash) in plan.known.items():
            self.sweep.results[number] = Result(number, config_hash, outcome_hash, skipped=True)

    def tag_known(self) -> None:
        """Put the sweep's tags on what is recorded already."""
        if self._tags and self._plan.known:
            self._registry.register_all(
                self._with_tags(self._plan.grid.combination(number, self._plan.base.config).experiment)
                for number in self._plan.known
            )

    def run(self, pool: Executor, source: PanelSource, count: int, interrupted: threading.Event) -> None:
        """Run all that is new, until it is done or ``interrupted``."""
        waiting = deque(chunks(self._plan.new, count))
        running: dict[Future[tuple[list[Done | Failure], int]], list[Planned]] = {}
        try:
            while (waiting or running) and not interrupted.is_set():
                while waiting and len(running) < _AHEAD * count and not interrupted.is_set():
                    chunk = waiting.popleft()
                    jobs = [self._job(planned) for planned in chunk]
                    with blocked_interrupt():  # this may start a worker, and Ctrl-C is not for workers
                        running[pool.submit(work, source, jobs)] = chunk
                finished, _ = wait(running, timeout=_POLL_SECONDS, return_when=FIRST_COMPLETED)
                for future in finished:
                    chunk = running.pop(future)
                    left = self._take(future)
                    if left:
                        waiting.appendleft(chunk[-left:])
                self._flush(when_due=True)
        except BrokenExecutor:
            raise InvalidInput(
                "a worker of the sweep ended unexpectedly", hint="memory may have run out; fewer --jobs need less"
            ) from None
        finally:
            self._finish(running)

    def _finish(self, running: Iterable[Future[tuple[list[Done | Failure], int]]]) -> None:
        """Take back what was not begun, wait for the rest, and record all that is finished."""
        begun = [future for future in running if not future.cancel()]
        for future in wait(begun).done:
            if future.exception() is None:
                self._take(future)
        self._flush()
        self.sweep.failures.sort()

    def _job(self, planned: Planned) -> Job:
        _, settings, experiment, parameters = self._plan.grid.combination(planned.number, self._plan.base.config)
        experiment = self._with_tags(experiment)
        shown = settings_text(settings)
        experiment.description = f"{self._description}: {shown}" if self._description else shown
        return Job(planned.number, experiment, parameters)

    def _with_tags(self, experiment: ExperimentConfig) -> ExperimentConfig:
        return ExperimentConfig(
            experiment.feature_names,
            experiment.feature_weights,
            experiment.hyperparameters,
            experiment.feature_transformations,
            tags=[*experiment.tags, *self._tags],
        )

    def _take(self, future: Future[tuple[list[Done | Failure], int]]) -> int:
        results, left = future.result()
        for result in results:
            if isinstance(result, Done):
                self._pending.append(result)
            else:
                self.sweep.failures.append(result)
                self._tell(1)
        return left

    def _flush(self, *, when_due: bool = False) -> None:
        """Record what is finished; ``when_due`` only if it is much, or has waited long."""
        waited = time.perf_counter() - self._flushed
        if not self._pending or (when_due and len(self._pending) < _FLUSH_RUNS and waited < _FLUSH_SECONDS):
            return
        configs = [done.finished.config for done in self._pending]
        for config in configs:
            # What someone wrote about an experiment before says more than its settings.
            if not self._description and self._registry.metadata(config.config_hash).description:
                config.description = ""
        registered = self._registry.register_all(configs, parents=self._plan.base.parents)
        outcomes = self._registry.record_all((done.finished for done in self._pending), surroundings=self._around)
        for done, (config_hash, _), outcome_hash in zip(self._pending, registered, outcomes, strict=True):
            self.sweep.results[done.number] = Result(done.number, config_hash, outcome_hash, skipped=False)
            self.sweep.figures[done.number] = (done.sharpe, done.moments)
        count = len(self._pending)
        self._pending.clear()
        self._flushed = time.perf_counter()
        self._tell(count)

    def _tell(self, count: int) -> None:
        if self._progress is not None:
            self._progress(count)


def settings_text(settings: dict[str, Any]) -> str:
    """Return the settings of a combination on one line: ``k=5, walk=30d``."""
    shown = {name: visible(value) if isinstance(value, str) else inline(value) for name, value in settings.items()}
    return ", ".join(f"{visible(name)}={value}" for name, value in shown.items())


def _stored_figures(registry: ExperimentRegistry, outcome_hash: str) -> tuple[float | None, dict[str, Any]]:
    try:
        outcome = registry.outcome(outcome_hash)
        moments = outcome.details["summary"]["moments"]
        return outcome.metrics.get("sharpe"), moments if isinstance(moments, dict) else {}
    except (NotFound, Corrupt, KeyError, TypeError):  # damaged, which fsck tells, or recorded by hand
        return None, {}
