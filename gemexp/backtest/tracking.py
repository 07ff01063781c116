"""A backtest's outcome in the store: as a general outcome with its two tables, and how many were tried on its panel."""

from __future__ import annotations

from typing import Any

from gemexp.backtest import report
from gemexp.backtest.outcome import Outcome
from gemexp.outcome import StoredOutcome, data_key
from gemexp.recording import RunParts
from gemexp.registry import ExperimentRegistry
from gemexp.store.objects import hash_of

WINDOWS_FILE = "windows.csv"
DAILY_FILE = "daily.csv"

_SERIES = ("strategy", "equal_weight", "momentum", "cap_weighted")
_NO_FIGURES = ("windows", "days", "periods_per_year", "moments", "notes")


def metrics(outcome: Outcome) -> dict[str, float | None]:
    """Return the figures of an outcome by name: the strategy's own as ``sharpe``, the others as ``momentum.sharpe``."""
    found: dict[str, float | None] = {}
    for name, value in outcome.summary.items():
        if name in _NO_FIGURES:
            continue
        if name == "strategy":
            found |= value
        elif isinstance(value, dict):
            found |= {
                f"{name}.{inner}": figure for inner, figure in value.items() if not isinstance(figure, (dict, list))
            }
        elif name not in _SERIES:
            found[name] = value
    return found


def details(outcome: Outcome) -> dict[str, Any]:
    """Return what an outcome holds beside its metrics: parameters, windows, summary, and the digest of all of it."""
    value = outcome.to_value()
    return {**{name: value[name] for name in ("parameters", "summary", "windows")}, "result_digest": outcome.digest}


def artifacts(outcome: Outcome) -> dict[str, bytes]:
    """Return the tables of an outcome by file name."""
    return {
        WINDOWS_FILE: report.windows_csv(outcome).encode(),
        DAILY_FILE: report.daily_csv(outcome).encode(),
    }


def stored(outcome: Outcome) -> StoredOutcome:
    """Return an outcome as the store holds it; its hash is the same whether it is stored or not."""
    return StoredOutcome(
        config=outcome.config_hash,
        metrics=metrics(outcome),
        data=outcome.panel_digest,
        artifacts={name: hash_of(content) for name, content in artifacts(outcome).items()},
        details=details(outcome),
    )


def record(
    registry: ExperimentRegistry,
    outcome: Outcome,
    *,
    started: str | None = None,
    duration: float | None = None,
    verifies: str | None = None,
) -> str:
    """Register what was run and store what came out; return the outcome's hash.

    The description and tags of the experiment are taken over, even if it was registered before.
    """
    parts: RunParts = {
        "artifacts": artifacts(outcome),
        "data": outcome.panel_digest,
        "details": details(outcome),
    }
    if started is not None:
        parts["started"] = started
    if duration is not None:
        parts["duration"] = duration
    if verifies is not None:
        parts["verifies"] = verifies
    registry.register(outcome.experiment)
    return registry.record(outcome.experiment, metrics(outcome), **parts)


def trials(registry: ExperimentRegistry, panel_digest: str) -> set[str]:
    """Return the configurations that were tried on a panel: those with an outcome on it, deleted ones left out."""
    key = data_key(panel_digest)
    return {run.config for run in registry.runs() if run.data == key}


def outcomes_of(registry: ExperimentRegistry, rev: str) -> dict[str, str]:
    """Return the latest backtest outcome of a configuration on each panel: panel digest -> outcome hash.

    Raises:
        NotFound, AmbiguousPrefix: See `gemexp.revision.resolve`.
    """
    found: dict[str, str] = {}
    for run in registry.runs(rev):
        if run.verifies is None:
            outcome = registry.outcome(run.outcome)
            if isinstance(outcome.data, str) and "result_digest" in outcome.details:
                found.setdefault(outcome.data, run.outcome)
    return found
