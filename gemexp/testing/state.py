"""No hidden state: what a process ran before does not matter."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any

from gemexp.config import ExperimentConfig
from gemexp.notation import flatten, format_path, inline
from gemexp.testing.pipelines import Pipeline, sections_of
from gemexp.testing.processes import Call
from gemexp.testing.running import Runner
from gemexp.testing.verdicts import Verdict
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

    One process runs the configuration, then others, then the configuration again; another runs them all the other way
    round. Each configuration must have one outcome.

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
    beside = list(neighbours(config)) if others is None else [("another config", other) for other in others]
    calls = [Call(sections_of(each)) for each in (config, *(other for _, other in beside))]
    first, *forth, last = [outcome for (outcome,) in runner.run([*calls, calls[0]])]
    *back, alone = [outcome for (outcome,) in runner.run(calls[:0:-1] + calls[:1])]
    holds = runner.holds(NO_HIDDEN_STATE, config, runner.first(first), 2 + len(beside))

    def again(smaller: ExperimentConfig) -> Verdict:
        return no_hidden_state(runner.pipeline, smaller, others=others, isolate=isolate, rtol=rtol, atol=atol)

    for other in (last, alone):
        found = runner.differences(first, other)
        if found:
            return holds.fails("after other configs in the same process", found, again=again)
    for (what, _), one, two in zip(beside, forth, back[::-1], strict=True):
        found = runner.differences(two, one)
        if found:
            return holds.fails(f"with {what}, by what ran before in the same process", found, again=again)
    return holds


def neighbours(config: ExperimentConfig) -> Iterator[tuple[str, ExperimentConfig]]:
    """Yield configurations that differ from one in a single value, and what it is; a few."""
    yield from islice(_neighbours(config), MAX_NEIGHBOURS)


def _neighbours(config: ExperimentConfig) -> Iterator[tuple[str, ExperimentConfig]]:
    names = config.feature_names
    if len(names) > 1:
        yield f"feature_names without {inline(names[-1])}", vary(config, [(("feature_names",), names[:-1])])
    for section in ("hyperparameters", "feature_weights"):
        for path, value in flatten(getattr(config, section), (section,)):
            for new in _beside(value):
                yield f"{format_path(path)} = {inline(new)}", vary(config, [(path, new)])


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
