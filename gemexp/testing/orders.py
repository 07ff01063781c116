"""Order does not matter: neither that of feature names nor that of the keys of maps."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from gemexp.config import ExperimentConfig
from gemexp.testing.pipelines import Pipeline, sections_of
from gemexp.testing.processes import Call
from gemexp.testing.running import Runner
from gemexp.testing.verdicts import Verdict

ORDER = "order"


def order_does_not_matter(
    pipeline: str | Callable[..., Any] | Pipeline,
    config: ExperimentConfig,
    *,
    runs: int = 5,
    isolate: bool = True,
    rtol: float = 0.0,
    atol: float = 0.0,
) -> Verdict:
    """Check that a pipeline's outcome does not depend on the order of feature names and of the keys of maps.

    Configurations that differ in nothing else are one configuration, with one hash. Arrays keep their order.

    Args:
        pipeline: A function of a config, or its name.
        config: The configuration.
        runs: How many other orders of the names are tried, and as many of the maps.
        isolate: Whether to run in a fresh process.
        rtol: See `gemexp.testing.sameness.same_outcome`.
        atol: As ``rtol``.

    Raises:
        PipelineFailed, InvalidInput: As `gemexp.testing.sameness.same_outcome`.
    """
    return _checked(Runner(pipeline, isolate=isolate, rtol=rtol, atol=atol), config, runs)


def _checked(runner: Runner, config: ExperimentConfig, runs: int) -> Verdict:
    given = sections_of(config)
    orders = list(_orders(given, runs))
    outcomes = runner.run([Call(sections) for sections in (given, *(sections for _, sections in orders), given)])
    (first,), *others, (last,) = outcomes
    holds = runner.holds(ORDER, config, runner.first(first), len(others))
    for (what, _), (other,) in zip(orders, others, strict=True):
        found = runner.differences(first, other)
        if found:
            restless = runner.differences(first, last)
            when = "when it is called again, in the same order too" if restless else what
            return holds.fails(when, found, again=runner.rechecks(partial(_checked, runner, runs=runs)))
    return holds


def _orders(given: dict[str, Any], runs: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield what is reordered, and the sections in that order; each order once."""
    source = random.Random(0)  # noqa: S311 - nothing secret
    names = given["feature_names"]
    maps = {section: value for section, value in given.items() if section != "feature_names"}
    seen = [repr(names), repr(maps)]
    for run in range(runs):
        turned = names[::-1] if run == 0 else source.sample(names, len(names))
        if repr(turned) not in seen:
            seen.append(repr(turned))
            yield "with the feature names in another order", {**given, "feature_names": turned}
        shuffled = _reordered(maps, None if run == 0 else source)
        if repr(shuffled) not in seen:
            seen.append(repr(shuffled))
            yield "with the keys of maps in another order", {**given, **shuffled}


def _reordered(value: Any, source: random.Random | None) -> Any:
    """Return a value with the keys of all its maps shuffled; reversed without a source."""
    if isinstance(value, dict):
        keys = list(value)[::-1] if source is None else source.sample(list(value), len(value))
        return {key: _reordered(value[key], source) for key in keys}
    if isinstance(value, list):
        return [_reordered(item, source) for item in value]
    return value
