"""Metamorphic relations: when a config is changed so, the outcome changes so; what the user knows of a pipeline."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gemexp.config import ExperimentConfig
from gemexp.errors import InvalidInput, InvalidValue
from gemexp.notation import visible
from gemexp.testing.differences import Difference, shown
from gemexp.testing.pipelines import Pipeline, PipelineFailed, pipeline_of
from gemexp.testing.results import comparable
from gemexp.testing.running import Runner
from gemexp.testing.verdicts import Verdict
from gemexp.variants import vary

METAMORPHIC = "metamorphic"
Transform = Callable[[ExperimentConfig], ExperimentConfig]
Relation = Callable[[Any, Any], Any]


def metamorphic(
    pipeline: str | Callable[..., Any] | Pipeline,
    config: ExperimentConfig,
    transform: str | Transform,
    relation: str | Relation | None = None,
    *,
    rtol: float = 0.0,
    atol: float = 0.0,
) -> Verdict:
    """Check a relation between the outcomes of a configuration and of a transformed one.

    It runs in this process, since a relation takes outcomes as the pipeline returns them.

    Args:
        pipeline: A function of a config, or its name.
        config: The configuration.
        transform: A function that returns another config, such as `scale_weights`, or its name.
        relation: A function of both outcomes that returns whether they go together, such as `same_ranking`, or its
            name; an AssertionError counts as no. Without one, the outcomes must be the same.
        rtol: Floats may differ by ``atol + rtol * max(abs(a), abs(b))``, if there is no relation.
        atol: As ``rtol``.

    Raises:
        PipelineFailed: The pipeline raised an error.
        InvalidInput: The transform does not return a config.
    """
    runner = Runner(pipeline, isolate=False, rtol=rtol, atol=atol)
    change = pipeline_of(transform)
    related = None if relation is None else pipeline_of(relation)
    other = change.function(config)
    if not isinstance(other, ExperimentConfig):
        raise InvalidInput(f"'{change.name}' returned a {type(other).__name__}, not a config")
    outcomes = [runner.pipeline.call(each) for each in (config, other)]
    try:
        first, second = map(comparable, outcomes)
    except InvalidValue as error:
        raise PipelineFailed(f"what the pipeline returns cannot be compared: {error}", hint=error.hint) from None
    options = {"transform": change.name} | ({} if related is None else {"relation": related.name})
    holds = runner.holds(METAMORPHIC, config, first, 1, options=options)

    def again(smaller: ExperimentConfig) -> Verdict:
        return metamorphic(runner.pipeline, smaller, transform, relation, rtol=rtol, atol=atol)

    if related is None:
        found = runner.differences(first, second)
    else:
        found = [] if (note := _broken(related, outcomes)) is None else [_unrelated(first, second, note)]
    if not found:
        return holds
    claim = "the outcome differs" if related is None else "the outcomes do not go together"
    return holds.fails(f"after '{change.name}'", found, claim=claim, again=runner.rechecks(again))


def scale_weights(config: ExperimentConfig, factor: float = 2.0) -> ExperimentConfig:
    """Return a configuration with all feature weights multiplied by a factor."""
    scaled = {name: weight * factor for name, weight in config.feature_weights.items()}
    return vary(config, [(("feature_weights",), scaled)])


def same_ranking(first: Any, second: Any) -> bool:
    """Tell whether two outcomes rank the same: numbers by name, or numbers in a row; equal numbers share a rank."""
    return _ranks(first) == _ranks(second)


def _ranks(outcome: Any) -> list[tuple[Any, int]]:
    items = outcome.items() if isinstance(outcome, Mapping) else enumerate(list(outcome))
    numbers = {key: float(value) for key, value in items}
    places = {value: place for place, value in enumerate(sorted(set(numbers.values())))}
    return sorted(((str(key), places[value]) for key, value in numbers.items()))


def _broken(relation: Pipeline, outcomes: Sequence[Any]) -> str | None:
    """Return what is to be said of a relation that does not hold; None if it does."""
    try:
        holds = relation.function(*outcomes)
    except AssertionError as error:
        return f"'{relation.name}' does not hold: {visible(str(error))}".rstrip(": ")
    return None if holds else f"'{relation.name}' does not hold"


def _unrelated(first: Any, second: Any, note: str) -> Difference:
    return Difference((), shown(first), shown(second), note)
