"""Same config, same outcome: again in one process, and in fresh processes in which everything else is different."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from itertools import islice
from typing import Any

from gemexp.config import ExperimentConfig
from gemexp.testing.differences import Difference
from gemexp.testing.pipelines import Pipeline, sections_of
from gemexp.testing.processes import Call, Process, Processes
from gemexp.testing.results import Form
from gemexp.testing.running import Runner
from gemexp.testing.verdicts import Verdict
from gemexp.testing.worlds import FACTORS, World, check_factors, told, worlds

SAME_OUTCOME = "same-outcome"


def same_outcome(
    pipeline: str | Callable[..., Any] | Pipeline,
    config: ExperimentConfig,
    *,
    runs: int = 3,
    isolate: bool = True,
    vary: Collection[str] | None = None,
    rtol: float = 0.0,
    atol: float = 0.0,
    processes: Processes | None = None,
) -> Verdict:
    """Check that a pipeline gives the same outcome whenever it runs with the same configuration.

    It is called twice in one process. Then, in ``runs`` fresh processes, everything in ``vary`` is different; if an
    outcome differs, each of these is changed by itself, to tell which it was.

    Args:
        pipeline: A function of a config, or its name, such as ``train:run``.
        config: The configuration.
        runs: How many fresh processes; or without ``isolate``, how many more calls.
        isolate: Whether to use fresh processes, which must be able to import the pipeline.
        vary: What is different in them, of `gemexp.testing.worlds.FACTORS`; everything if not given.
        rtol: Floats may differ by ``atol + rtol * max(abs(a), abs(b))``.
        atol: As ``rtol``.
        processes: Processes that are kept for many configs, instead of fresh ones for this one.

    Raises:
        PipelineFailed: The pipeline raised an error, or what it returns cannot be compared.
        InvalidInput: No other process can import the pipeline, or an argument makes no sense.
    """
    runner = Runner(pipeline, isolate=isolate, rtol=rtol, atol=atol)
    factors = check_factors(vary)
    options = {} if vary is None else {"vary": ",".join(factors)}
    if not isolate:
        return _in_this_process(runner, config, runs)
    chosen = list(islice(worlds(factors), runs))
    first, again, others = _outcomes(runner.pipeline, config, chosen, processes)
    holds = runner.holds(SAME_OUTCOME, config, runner.first(first), 1 + runs, options=options)
    found = runner.differences(first, again)
    if found:
        return holds.fails("when it is called again in the same process", found, again=_again(runner, (), None))
    for world, other in zip(chosen, others, strict=True):
        if runner.differences(first, other):
            return _explained(runner, holds, first, other, world)
    return holds


def _in_this_process(runner: Runner, config: ExperimentConfig, runs: int) -> Verdict:
    first, *others = runner.run([Call(sections_of(config), 1 + runs)])[0]
    holds = runner.holds(SAME_OUTCOME, config, runner.first(first), runs)
    for other in others:
        found = runner.differences(first, other)
        if found:
            return holds.fails("when it is called again in the same process", found, again=_again(runner, (), None))
    return holds


def _outcomes(
    pipeline: Pipeline, config: ExperimentConfig, chosen: Sequence[World], kept: Processes | None
) -> tuple[Form, Form, list[Form]]:
    """Return the outcomes of two calls in one process, and of one in each of the worlds; all side by side."""
    sections = sections_of(config)
    started: list[Process] = []
    try:
        for world in ({}, *chosen):
            if kept is None:
                started.append(Process(pipeline, world))
            process = started[-1] if kept is None else kept.start(world)
            process.ask(Call(sections, 1 if world else 2))
            if kept is not None:
                started.append(process)
        (first, again), *others = [process.answer() for process in started]
    finally:
        if kept is None:
            for process in started:
                process.close()
    return first, again, [other for (other,) in others]


def _explained(runner: Runner, holds: Verdict, first: Form, other: Form, world: World) -> Verdict:
    """Return the verdict on an outcome that differed in a world: which of its factors it takes."""
    config = holds.config
    fresh = runner.once(config)
    found = runner.differences(first, fresh)
    if found:
        return holds.fails("in another process, nothing else changed", found, again=_again(runner, (), {}))
    guilty: list[str] = []
    shown: list[Difference] = []
    for factor in world:
        found = runner.differences(first, runner.once(config, {factor: world[factor]}))
        if found:
            guilty.append(factor)
            shown = shown or found
    if not guilty:
        found = runner.differences(first, runner.once(config, world))
        if not found:
            when = "in a process that ran other configs before"
            return holds.fails(when, runner.differences(first, other), again=_again(runner, (), world))
        guilty, shown = list(world), found
    part = {factor: world[factor] for factor in guilty}
    return holds.fails(f"with {told(part)}", shown, factors=tuple(guilty), again=_again(runner, tuple(guilty), part))


def _again(runner: Runner, factors: tuple[str, ...], world: World | None) -> Callable[[ExperimentConfig], Verdict]:
    """Return what checks the one thing that failed on another config: two calls, or one here and one in a world."""

    def check(config: ExperimentConfig) -> Verdict:
        if world is None:
            first, other = runner.run([Call(sections_of(config), 2)])[0]
            when = "when it is called again in the same process"
        else:
            first, other = runner.once(config), runner.once(config, world)
            when = f"with {told(world)}" if world else "in another process, nothing else changed"
        options = {"vary": ",".join(factors)} if factors and factors != tuple(FACTORS) else {}
        holds = runner.holds(SAME_OUTCOME, config, runner.first(first), 1, options=options)
        found = runner.differences(first, other)
        return holds.fails(when, found, factors=factors, again=check) if found else holds

    return check
