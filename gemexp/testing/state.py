"""No hidden state: what a process ran before does not matter."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

from gemexp.config import ExperimentConfig
from gemexp.notation import flatten, format_path, inline
from gemexp.testing.pipelines import Pipeline, sections_of
from gemexp.testing.processes import Call
from gemexp.testing.running import Run, Runner
from gemexp.testing.verdicts import Check, Verdict
from gemexp.variants import vary

NO_HIDDEN_STATE = "no-hidden-state"
MAX_NEIGHBOURS = 6


def no_hidden_state(
    pipeline: str | Callable[..., Any] | Pipeline,
    config: ExperimentConfig,
    *,
    others: Sequence[ExperimentConfig] | None = None,
    isolate: bool = True,
    rtol: float = 0.0,
    atol: float = 0.0,
) -> Verdict:
    """Check that a pipeline leaves nothing behind that changes what it gives for the next configuration.

    One process runs the configuration, then others, then the configuration again. Each must give what it gives in a
    process of its own.

    Args:
        pipeline: A function of a config, or its name.
        config: The configuration.
        others: What to run beside it; if not given, configurations that differ from it in one value.
        isolate: Whether to use fresh processes. Without, a fault may go unnoticed that an earlier call prepared.
        rtol: See `gemexp.testing.sameness.same_outcome`.
        atol: As ``rtol``.

    Raises:
        PipelineFailed, InvalidInput: As `gemexp.testing.sameness.same_outcome`.
    """
    runner = Runner(pipeline, isolate=isolate, rtol=rtol, atol=atol)
    if others is None:
        return _checked(runner, config, lambda one: list(neighbours(one)))
    given = [Neighbour(str(number), "another config", other) for number, other in enumerate(others)]
    return _checked(runner, config, lambda _: given)


class Neighbour(NamedTuple):
    """A configuration beside another.

    Args:
        place: Where they differ.
        what: How it differs there, in words.
        config: The configuration.
    """

    place: str
    what: str
    config: ExperimentConfig


Beside = Callable[[ExperimentConfig], list[Neighbour]]


def _checked(runner: Runner, config: ExperimentConfig, beside: Beside) -> Verdict:
    itself = Neighbour("", "", config)
    every = [itself, *beside(config), itself]
    together = [outcome for (outcome,) in runner.run([Call(sections_of(each.config)) for each in every])]
    alone = [outcome for (outcome,) in runner.alone([Run(each.config, {}) for each in every[:-1]])]
    holds = runner.holds(NO_HIDDEN_STATE, config, runner.first(alone[0]), len(every))
    for each, one, two in zip(every, [*alone, alone[0]], together, strict=True):
        found = runner.differences(one, two)
        if found:
            where = f", with {each.what}" if each.what else ""
            again = runner.rechecks(_only(runner, beside, each.place), keeping=False)
            return holds.fails(f"after other configs in the same process{where}", found, again=again)
    return holds


def _only(runner: Runner, beside: Beside, place: str) -> Check:
    """Return what checks again beside the one neighbour that showed it; beside all if it was the config itself."""

    def fewer(config: ExperimentConfig) -> list[Neighbour]:
        return [each for each in beside(config) if not place or each.place == place]

    return lambda config: _checked(runner, config, fewer)


def neighbours(config: ExperimentConfig) -> Iterator[Neighbour]:
    """Yield configurations that differ from one in a single value; a few."""
    yield from islice(_neighbours(config), MAX_NEIGHBOURS)


def _neighbours(config: ExperimentConfig) -> Iterator[Neighbour]:
    for section in ("hyperparameters", "feature_weights"):
        for path, value in flatten(getattr(config, section), (section,)):
            place = format_path(path)
            for new in _beside(value):
                yield Neighbour(place, f"{place} = {inline(new)}", vary(config, [(path, new)]))
    names = config.feature_names
    if names:
        fewer = vary(config, [(("feature_names",), names[:-1])])
        yield Neighbour("feature_names", f"feature_names without {inline(names[-1])}", fewer)


def _beside(value: Any) -> list[Any]:
    """Return another value of the same kind."""
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        return [value + 1]
    if isinstance(value, float):
        return [value * 1.5 + 0.125]
    if isinstance(value, str):
        return [f"{value}x"]
    if isinstance(value, list) and len(value) > 1:
        return [value[:-1]]
    return []
