"""Inputs with time along their rows: changing what comes after a row, and taking what comes up to one.

Rows are axis 0 of an array, the rows of a frame or series of pandas, the dates of a `gemexp.backtest.Panel`; a map or
tuple holds several of these, which have as many rows. What has another number of rows is left as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from gemexp.errors import InvalidInput


class Change(NamedTuple):
    """What the rows after a cut become: rows drawn from all rows, or the same ones with every number scaled.

    Args:
        cut: The last row that stays.
        rows: Which row each row becomes, shape (T,).
        factors: By what its numbers are multiplied, shape (T,); None to leave them.
    """

    cut: int
    rows: Any
    factors: Any


def row_count(inputs: Any) -> int:
    """Return how many rows inputs have: as many as their longest part.

    Raises:
        InvalidInput: They have none.
    """
    count = max(_counts(inputs), default=0)
    if count < 3:
        hint = "hand in an array, a frame, a panel, or a map of these, with at least three rows"
        raise InvalidInput(f"a {type(inputs).__name__} has no rows in time", hint=hint)
    return count


def change_of(count: int, cut: int, number: int) -> Change:
    """Return the change of a number: the first scales what comes after the cut, the others draw its rows anew."""
    source = np.random.Generator(np.random.PCG64([count, cut, number]))
    rows = np.arange(count)
    factors = np.ones(count)
    after = count - cut - 1
    if number == 0:
        factors[cut + 1 :] = source.uniform(0.5, 2.0, after)
        return Change(cut, rows, factors)
    rows[cut + 1 :] = source.integers(0, count, after)
    return Change(cut, rows, None)


def changed(inputs: Any, change: Change) -> Any:
    """Return inputs with what comes after the cut changed; what was handed in stays as it is."""
    count = len(change.rows)
    if _is_panel(inputs):
        return _changed_panel(inputs, change)
    if isinstance(inputs, Mapping):
        return {key: changed(item, change) for key, item in inputs.items()}
    if isinstance(inputs, tuple):
        return tuple(changed(item, change) for item in inputs)
    if not _has_rows(inputs) or len(inputs) != count:
        return inputs
    if _is_frame(inputs):
        if inputs.ndim == 1:
            values = _rows(inputs.to_numpy(), change)
            return type(inputs)(values, index=inputs.index, name=inputs.name)
        columns = [_rows(inputs.iloc[:, at].to_numpy(), change) for at in range(inputs.shape[1])]
        made = type(inputs)(dict(enumerate(columns)), index=inputs.index)
        made.columns = inputs.columns
        return made
    return _rows(np.asarray(inputs), change)


def up_to(outcome: Any, cut: int, count: int) -> Any:
    """Return the rows up to a cut of all parts of an outcome that have as many rows as the inputs.

    Raises:
        InvalidInput: No part has.
    """
    kept = _up_to(outcome, cut, count)
    if kept is None:
        told = f"nothing in the outcome has a row for each of the {count} rows of the inputs"
        hint = "hand in upto=function, which takes an outcome and a row, and returns what is known by then"
        raise InvalidInput(told, hint=hint)
    return kept


def rows_that_say(outcome: Any, count: int) -> Any:
    """Return which rows of an outcome hold something: not None, and not NaN alone; shape (T,)."""
    said = np.zeros(count, dtype=bool)
    if isinstance(outcome, (Mapping, tuple)):
        for part in outcome.values() if isinstance(outcome, Mapping) else outcome:
            said |= rows_that_say(part, count)
    elif _is_frame(outcome) and len(outcome) == count:
        said |= np.asarray(outcome.notna()).reshape(count, -1).any(axis=1)
    elif isinstance(outcome, list) and len(outcome) == count:
        said |= np.array([item is not None for item in outcome])
    elif _has_rows(outcome) and len(outcome) == count:
        rows = np.asarray(outcome).reshape(count, -1)
        said |= ~np.isnan(rows).all(axis=1) if rows.dtype.kind in "fc" else np.ones(count, dtype=bool)
    return said


def _up_to(outcome: Any, cut: int, count: int) -> Any:
    if isinstance(outcome, Mapping):
        parts = {key: _up_to(item, cut, count) for key, item in outcome.items()}
        return {key: part for key, part in parts.items() if part is not None} or None
    if isinstance(outcome, tuple):
        kept = [part for part in (_up_to(item, cut, count) for item in outcome) if part is not None]
        return kept or None
    if _is_frame(outcome):
        return outcome.iloc[: cut + 1] if len(outcome) == count else None
    if isinstance(outcome, list) or _has_rows(outcome):
        return outcome[: cut + 1] if len(outcome) == count else None
    return None


def _counts(inputs: Any) -> list[int]:
    if _is_panel(inputs):
        return [len(inputs.days)]
    if isinstance(inputs, Mapping):
        return [count for item in inputs.values() for count in _counts(item)]
    if isinstance(inputs, tuple):
        return [count for item in inputs for count in _counts(item)]
    return [len(inputs)] if _has_rows(inputs) else []


def _rows(values: Any, change: Change) -> Any:
    taken = values[change.rows]
    if change.factors is None or values.dtype.kind not in "fc":
        return taken
    return taken * change.factors.reshape(-1, *[1] * (values.ndim - 1)).astype(values.dtype)


def _changed_panel(panel: Any, change: Change) -> Any:
    from gemexp.backtest import Panel

    tables = {"volume": panel.volume, "dollar_volume": panel.dollar_volume, "market_cap": panel.market_cap}
    return Panel.from_arrays(
        [_date(day) for day in panel.days],
        panel.assets,
        _rows(panel.close, change),
        columns={name: _rows(table, change) for name, table in panel.columns.items()},
        **{name: _rows(table, change) for name, table in tables.items() if table is not None},
    )


def _date(ordinal: Any) -> Any:
    from datetime import date

    return date.fromordinal(int(ordinal))


def _has_rows(value: Any) -> bool:
    return hasattr(value, "__array__") and getattr(value, "ndim", 0) > 0 and hasattr(value, "__len__")


def _is_frame(value: Any) -> bool:
    return type(value).__module__.partition(".")[0] == "pandas" and type(value).__name__ in ("DataFrame", "Series")


def _is_panel(value: Any) -> bool:
    return type(value).__name__ == "Panel" and type(value).__module__ == "gemexp.backtest.panel"
