"""The seed is the only randomness: the same one gives the same outcome, and where it matters, another gives another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from gemexp.config import ExperimentConfig
from gemexp.errors import InvalidInput
from gemexp.paths import parse_path, select
from gemexp.testing.differences import Difference, shown
from gemexp.testing.pipelines import Pipeline, sections_of
from gemexp.testing.processes import Call
from gemexp.testing.results import Form
from gemexp.testing.running import Runner
from gemexp.testing.verdicts import Verdict
from gemexp.variants import vary

SEED = "seed"
DEFAULT_PATH = "hyperparameters.seed"


def seed_is_the_only_randomness(
    pipeline: str | Callable[..., Any] | Pipeline,
    config: ExperimentConfig,
    *,
    seed: str = DEFAULT_PATH,
    seeds: Sequence[int] = (0, 1, 2),
    matters: bool = False,
    isolate: bool = True,
    rtol: float = 0.0,
    atol: float = 0.0,
) -> Verdict:
    """Check that the outcome of each seed is the same, in whatever order the seeds are run.

    Args:
        pipeline: A function of a config, or its name.
        config: The configuration.
        seed: The path of the seed in it.
        seeds: The seeds to try.
        matters: The seed must make a difference: if all seeds have the same outcome, it is ignored somewhere.
        isolate: Whether to use fresh processes: one for the seeds in order, one for the other way round.
        rtol: See `gemexp.testing.sameness.same_outcome`.
        atol: As ``rtol``.

    Raises:
        InvalidInput: There is nothing at ``seed``, or there are not two seeds.
        PipelineFailed: As `gemexp.testing.sameness.same_outcome`.
    """
    if len(set(seeds)) < 2:
        raise InvalidInput("one seed has nothing to be compared with", hint="such as seeds=(0, 1, 2)")
    return _checked(Runner(pipeline, isolate=isolate, rtol=rtol, atol=atol), config, seed, seeds, matters=matters)


def _checked(runner: Runner, config: ExperimentConfig, seed: str, seeds: Sequence[int], *, matters: bool) -> Verdict:
    path = parse_path(seed)
    select(sections_of(config), path)
    calls = [Call(sections_of(vary(config, [(path, each)]))) for each in seeds]
    forth = [outcome for (outcome,) in runner.run(calls)]
    back = [outcome for (outcome,) in runner.run(calls[::-1])][::-1]
    options = {"seed": seed} if seed != DEFAULT_PATH else {}
    if matters:
        options["seed-matters"] = ""
    holds = runner.holds(SEED, config, runner.first(forth[0]), 2 * len(seeds) - 1, options=options)
    again = runner.rechecks(lambda smaller: _checked(runner, smaller, seed, seeds, matters=matters))
    for each, first, other in zip(seeds, forth, back, strict=True):
        found = runner.differences(first, other)
        if found:
            return holds.fails(f"when it runs again with the seed {each}", found, again=again)
    if matters and not any(runner.differences(forth[0], other) for other in forth[1:]):
        claim = "the outcome is the same"
        return holds.fails("with another seed: it is ignored", [_alike(seeds, forth[0])], claim=claim, again=again)
    return holds


def _alike(seeds: Sequence[int], outcome: Form) -> Difference:
    """Return as a difference that there is none."""
    note = f"it is that of the seeds {', '.join(map(str, seeds))}"
    return Difference((), shown(outcome), "another outcome", note)
