"""Same config, same outcome: again in one process, and in fresh processes in which everything else is different."""

from __future__ import annotations

from collections.abc import Callable, Collection
from itertools import islice
from typing import Any

from gemexp.config import ExperimentConfig
from gemexp.testing.differences import Difference
from gemexp.testing.pipelines import Pipeline, sections_of
from gemexp.testing.processes import Call, Processes
from gemexp.testing.results import Form
from gemexp.testing.running import Run, Runner
from gemexp.testing.verdicts import Recheck, Verdict
from gemexp.testing.worlds import FACTORS, World, check_factors, told, worlds

SAME_OUTCOME = "same-outcome"
# How often what differed in one process is called to differ again: what is random may be the same by chance.
_TRIES = 4


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
    planned = [Run(config, {}, 2), *(Run(config, world) for world in chosen)]
    if processes is None:
        (first, again), *others = runner.alone(planned)
    else:
        (first, again), *others = processes.each([(run.world, run.call) for run in planned])
    holds = runner.holds(SAME_OUTCOME, config, runner.first(first), 1 + runs, options=options)
    found = runner.differences(first, again)
    if found:
        return holds.fails("when it is called again in the same process", found, again=_again(runner, (), None))
    for world, (other,) in zip(chosen, others, strict=True):
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


def _explained(runner: Runner, holds: Verdict, first: Form, other: Form, world: World) -> Verdict:
    """Return the verdict on an outcome that differed in a world: which of its factors it takes."""
    config = holds.config
    guilty: list[str] = []
    shown: list[Difference] = []
    restless = False
    parts: list[World] = [{}, *({factor: world[factor]} for factor in world), *([world] if len(world) > 1 else [])]
    tried = runner.alone([Run(config, part, 2) for part in parts])
    for part, (one, two) in zip(parts, tried, strict=True):
        # What differs within one process differs by chance, whatever else is different there.
        chance = runner.differences(one, two)
        restless = restless or bool(chance)
        found = chance or runner.differences(first, one)
        shown = shown or found
        if found and not part:
            return holds.fails("in another process, nothing else changed", found, again=_again(runner, (), {}))
        if found and len(part) == 1:
            guilty += part
    if restless:
        guilty = ["scheduling"] if "scheduling" in guilty else []
        part = {factor: world[factor] for factor in guilty}
        when = f"by chance, with {told(part)}" if guilty else "by chance"
        return holds.fails(when, shown, factors=tuple(guilty), again=_again(runner, tuple(guilty), part))
    if not shown:
        when = "in a process that ran other configs before"
        return holds.fails(when, runner.differences(first, other), again=_again(runner, (), world))
    part = {factor: world[factor] for factor in guilty} or dict(world)
    return holds.fails(f"with {told(part)}", shown, factors=tuple(part), again=_again(runner, tuple(part), part))


def _again(runner: Runner, factors: tuple[str, ...], world: World | None) -> Recheck:
    """Return what checks the one thing that failed on another config: two calls, or one here and one in a world."""

    def check(config: ExperimentConfig) -> Verdict:
        if world is None:
            first, *others = runner.run([Call(sections_of(config), 1 + _TRIES)])[0]
            when = "when it is called again in the same process"
        else:
            first = runner.once(config)
            others = runner.run(
                [Call(sections_of(config), _TRIES if "scheduling" in world or not world else 1)], world
            )[0]
            when = f"with {told(world)}" if world else "in another process, nothing else changed"
        options = {"vary": ",".join(factors)} if factors and factors != tuple(FACTORS) else {}
        holds = runner.holds(SAME_OUTCOME, config, runner.first(first), 1, options=options)
        found = next(filter(None, (runner.differences(first, other) for other in others)), [])
        return holds.fails(when, found, factors=factors, again=runner.rechecks(check)) if found else holds

    return runner.rechecks(check)
