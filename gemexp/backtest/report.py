"""An outcome as the files that a run writes: the summary's map, and the text of the two tables.

All three hold the rounded figures that the outcome's hash covers or, for the days, figures rounded in the same way.

Source: section 14 of the specification.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from datetime import date
from functools import lru_cache
from typing import Any

import numpy as np

from gemexp.backtest.arrays import Floats
from gemexp.backtest.deflated import deflated_from_moments
from gemexp.backtest.metrics import equity
from gemexp.backtest.outcome import Outcome, canonical

_CONFIG = ("start", "end", "k", "seed", "bps", "lag")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_NOT_METRICS = ("windows", "days", "periods_per_year", "moments", "notes")


def summary(outcome: Outcome, outcome_hash: str, *, trials: int = 1, variance: float | None = None) -> dict[str, Any]:
    """Return the content of ``summary.json``.

    Args:
        outcome: The outcome.
        outcome_hash: What names it in a store, whether it is stored or not; see `gemexp.backtest.tracking.stored`.
        trials: How many different configurations were tried on the panel, this one counted. It is no part of the
            outcome: another trial changes what this one means, not what it found.
        variance: The variance of the trials' Sharpe ratios per day, where it is known; see `deflated_sharpe`.
    """
    parameters, found = outcome.parameters.to_dict(), outcome.summary
    value = deflated_from_moments(found["moments"], trials=trials, variance=variance)
    return {
        "config": {
            **{name: parameters[name] for name in _CONFIG},
            "walk_days": outcome.parameters.walk_days,
            "windows": found["windows"],
            "days": found["days"],
            "periods_per_year": found["periods_per_year"],
            "experiment_hash": outcome.config_hash,
        },
        "data": {"panel_digest": outcome.panel_digest, **outcome.data},
        "experiment": {
            "config_hash": outcome.config_hash,
            "description": outcome.experiment.description,
            "tags": list(outcome.experiment.tags),
            "feature_weights": dict(outcome.experiment.feature_weights),
        },
        "outcome_hash": outcome_hash,
        "metrics": {
            **{name: figure for name, figure in found.items() if name not in _NOT_METRICS},
            "deflated_sharpe": {"value": canonical(value), "trials": trials},
        },
        "notes": found["notes"],
        "warnings": list(outcome.warnings),
    }


def windows_csv(outcome: Outcome) -> str:
    """Return the text of ``windows.csv``: a row for each window, the picks separated by semicolons."""
    rows = []
    for record in outcome.windows:
        flat = {name: value for name, value in record.items() if name != "horizons"}
        flat["picks"] = ";".join(record["picks"])
        for length, figures in record["horizons"].items():
            flat |= {f"{name}_{length}": value for name, value in figures.items()}
        rows.append(flat)
    return _csv(list(rows[0]), (row.values() for row in rows))


def daily_csv(outcome: Outcome) -> str:
    """Return the text of ``daily.csv``: by day and portfolio the net return, and the value of 1 at the start."""
    daily = outcome.daily
    header = ["date", "window"]
    columns: list[Iterable[str]] = [_dates(daily.days.tobytes()), map(str, daily.window.tolist())]
    for name, returns in daily.returns.items():
        header += [f"{name}_return", f"{name}_equity"]
        blank = ("",) * len(daily.days)
        columns += (blank, blank) if returns is None else _returns_and_equity(returns.tobytes())
    lines = [",".join(header), *map(",".join, zip(*columns, strict=True)), ""]  # no cell needs quotes
    return "\n".join(lines)


# In a sweep the dates and the baselines are the same from one configuration to the next, and writing numbers as
# text is most of the work.
@lru_cache(maxsize=4)
def _dates(days: bytes) -> tuple[str, ...]:
    return tuple(date.fromordinal(day).isoformat() for day in np.frombuffer(days, np.int64).tolist())


@lru_cache(maxsize=16)
def _returns_and_equity(returns: bytes) -> tuple[tuple[str, ...], tuple[str, ...]]:
    values = np.frombuffer(returns, np.float64)
    return _texts(values), _texts(equity(values))


def _texts(values: Floats) -> tuple[str, ...]:
    """Return what `canonical` makes of each value, as text; blank where it is None. All are formatted in one go."""
    rounded = ("%.10g " * len(values) % tuple(values.tolist())).split()
    return tuple(repr(value + 0.0) if math.isfinite(value) else "" for value in map(float, rounded))


def _csv(header: Sequence[str], rows: Iterable[Iterable[Any]]) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([_plain(cell) for cell in row] for row in rows)
    return text.getvalue()


def _plain(cell: Any) -> Any:
    """Keep a spreadsheet from taking text for a formula, such as the name of an asset in somebody's panel."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell
