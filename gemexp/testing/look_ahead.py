"""No look-ahead: what comes after a moment does not change what a pipeline says up to it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from gemexp.config import ExperimentConfig
from gemexp.errors import InvalidInput, InvalidValue
from gemexp.testing.pipelines import Pipeline, PipelineFailed, pipeline_of
from gemexp.testing.results import Form, comparable
from gemexp.testing.running import Runner
from gemexp.testing.verdicts import Verdict

NO_LOOK_AHEAD = "no-look-ahead"


def no_look_ahead(
    pipeline: str | Callable[..., Any] | Pipeline,
    config: ExperimentConfig,
    inputs: Any,
    *,
    cuts: Sequence[int] | None = None,
    runs: int = 3,
    upto: Callable[[Any, int], Any] | None = None,
    rtol: float = 0.0,
    atol: float = 0.0,
) -> Verdict:
    """Check that changing the inputs after a row changes nothing of the outcome up to it.

    It runs in this process. Needs numpy.

    Args:
        pipeline: A function of a config and of inputs, or its name.
        config: The configuration.
        inputs: An array with time along axis 0, a frame or series of pandas with time along its rows, a
            `gemexp.backtest.Panel`, or a map or tuple of these; or a function that returns them, given the config if it
            takes an argument, or its name.
        cuts: The rows after which to change; if not given, a few across those that the outcome has something for.
        runs: How often the inputs are changed after each: once all numbers are scaled, then rows are drawn anew.
        upto: Returns what of an outcome is known at a row; if not given, what has as many rows as the inputs, up to it.
        rtol: See `gemexp.testing.sameness.same_outcome`.
        atol: As ``rtol``.

    Raises:
        PipelineFailed: The pipeline raised an error, or what it returns cannot be compared.
        InvalidInput: The inputs have no rows, or nothing in the outcome has.
    """
    from gemexp.testing import time_rows

    runner = Runner(pipeline, isolate=False, rtol=rtol, atol=atol)
    given, name = _inputs(inputs, config)
    count = time_rows.row_count(given)
    outcome = runner.pipeline.call(config, given)
    chosen = _cuts(time_rows.rows_that_say(outcome, count)) if cuts is None else list(cuts)
    if not all(0 <= cut < count - 1 for cut in chosen):
        raise InvalidInput(f"a cut is not one of the rows from 0 to {count - 2}", hint="nothing comes after the last")
    holds = runner.holds(NO_LOOK_AHEAD, config, _form(outcome), runs * len(chosen), options={"inputs": name})

    def again(smaller: ExperimentConfig) -> Verdict:
        return no_look_ahead(runner.pipeline, smaller, inputs, cuts=cuts, runs=runs, upto=upto, rtol=rtol, atol=atol)

    known = upto or (lambda result, cut: time_rows.up_to(result, cut, count))
    for cut in chosen:
        before = _form(known(outcome, cut))
        for number in range(runs):
            changed = time_rows.changed(given, time_rows.change_of(count, cut, number))
            found = runner.differences(before, _form(known(runner.pipeline.call(config, changed), cut)))
            if found:
                return holds.fails(
                    f"up to row {cut} when the inputs after it are changed", found, again=runner.rechecks(again)
                )
    return holds


def _inputs(inputs: Any, config: ExperimentConfig) -> tuple[Any, str]:
    """Return the inputs, and how a command names them."""
    if not callable(inputs) and not isinstance(inputs, str):
        return inputs, "MODULE:FUNCTION"
    source = pipeline_of(inputs)
    takes = any(
        each.default is each.empty and each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)
        for each in inspect.signature(source.function).parameters.values()
    )
    return source.function(*([config] if takes else [])), source.name


def _cuts(said: Any) -> list[int]:
    """Return a few of the rows that say something, from early to late; of all rows where that is not known."""
    rows = [row for row, says in enumerate(said[:-1]) if says] or list(range(len(said) - 1))
    last = len(rows) - 1
    return sorted({rows[place] for place in (last // 4, last // 2, 3 * last // 4, max(last - 8, 0), last)})


def _form(outcome: Any) -> Form:
    try:
        return comparable(outcome)
    except InvalidValue as error:
        raise PipelineFailed(f"what the pipeline returns cannot be compared: {error}", hint=error.hint) from None
