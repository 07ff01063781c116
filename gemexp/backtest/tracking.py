"""A backtest's outcome in the store: as a general outcome with its two tables, and how many were tried on its panel.

Imports no numpy, so that what was stored can be read without it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from statistics import variance
from typing import TYPE_CHECKING, Any, NamedTuple

from gemexp.backtest.deflated import defined
from gemexp.digest import hash_bytes
from gemexp.errors import Corrupt, NotFound
from gemexp.outcome import StoredOutcome, data_key
from gemexp.recording import RunParts
from gemexp.registry import ExperimentRegistry
from gemexp.store import layout

if TYPE_CHECKING:
    from gemexp.backtest.outcome import Outcome

WINDOWS_FILE = "windows.csv"
DAILY_FILE = "daily.csv"

_SERIES = ("strategy", "equal_weight", "momentum", "cap_weighted")
_NO_FIGURES = ("windows", "days", "periods_per_year", "moments", "notes", "ci95", "horizons")


class Trials(NamedTuple):
    """What was tried on a panel.

    Args:
        configs: Hashes of the configurations.
        variance: The variance (ddof 1) of their Sharpe ratios per day; None where fewer than two are known.
    """

    configs: frozenset[str]
    variance: float | None

    @property
    def number(self) -> int:
        """How many configurations were tried."""
        return len(self.configs)


def metrics(outcome: Outcome) -> dict[str, float | None]:
    """Return the figures of an outcome by name: the strategy's own as ``sharpe``, the others as ``momentum.sharpe``."""
    found: dict[str, float | None] = {}
    for name, value in outcome.summary.items():
        if name in _NO_FIGURES:
            continue
        if name == "strategy":
            found |= value
        elif isinstance(value, dict):
            found |= {f"{name}.{inner}": figure for inner, figure in value.items()}
        elif name not in _SERIES:
            found[name] = value
    return found


def details(outcome: Outcome) -> dict[str, Any]:
    """Return what an outcome holds beside its metrics: parameters, windows, summary, and the digest of all of it."""
    value = outcome.to_value()
    return {**{name: value[name] for name in ("parameters", "summary", "windows")}, "result_digest": outcome.digest}


def artifacts(outcome: Outcome) -> dict[str, bytes]:
    """Return the tables of an outcome by file name."""
    from gemexp.backtest import report

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
        artifacts={name: hash_bytes(content) for name, content in artifacts(outcome).items()},
        details=details(outcome),
    )


def record(
    registry: ExperimentRegistry,
    outcome: Outcome,
    *,
    started: str | None = None,
    duration: float | None = None,
    verifies: str | None = None,
    parents: Iterable[str] = (),
) -> str:
    """Register what was run and store what came out; return the outcome's hash.

    The description and tags of the experiment are taken over, even if it was registered before; ``parents`` are the
    hashes of configurations that it was made from.
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
    registry.register(outcome.experiment, parents=parents)
    return registry.record(outcome.experiment, metrics(outcome), **parts)


def trials(registry: ExperimentRegistry, panel_digest: str) -> set[str]:
    """Return the configurations that were tried on a panel: those with an outcome on it, deleted ones left out."""
    return set(latest(registry, panel_digest))


def latest(registry: ExperimentRegistry, panel_digest: str) -> dict[str, str]:
    """Return configuration -> its latest outcome on a panel, deleted configurations left out."""
    key = data_key(panel_digest)
    found: dict[str, str] = {}
    for run in registry.runs():  # newest first
        if run.data == key:
            found.setdefault(run.config, run.outcome)
    return found


def tried(
    registry: ExperimentRegistry | None,
    panel_digest: str,
    *,
    also: StoredOutcome | None = None,
    known: Mapping[str, float | None] | None = None,
) -> Trials:
    """Return what was tried on a panel, and how the Sharpe ratios of it vary; see `trials`.

    Args:
        registry: The opened store; None if nothing was tried before.
        panel_digest: The panel.
        also: An outcome that counts whether it is stored yet or not.
        known: Sharpe ratios per day by configuration, for which no outcome has to be read.
    """
    values: dict[str, float | None] = dict(known or {})
    if registry is not None:
        for config, outcome_hash in latest(registry, panel_digest).items():
            if config not in values:
                values[config] = _sharpe_per_day(_details(registry, outcome_hash))
    if also is not None:
        values[also.config] = _sharpe_per_day(also.details)
    defined = [value for value in values.values() if value is not None]
    return Trials(frozenset(values), variance(defined) if len(defined) > 1 else None)


def outcomes_of(registry: ExperimentRegistry, rev: str) -> dict[str, str]:
    """Return the latest backtest outcome of a configuration on each panel: panel digest -> outcome hash.

    Runs that it takes over from one that was migrated to it are left out: an outcome names the configuration it is of.

    Raises:
        NotFound, AmbiguousPrefix: See `gemexp.revision.resolve`.
    """
    found: dict[str, str] = {}
    config_hash = registry.resolve(rev)
    for run in registry.runs(config_hash):
        if run.verifies is None and run.config == config_hash:
            outcome = registry.outcome(run.outcome)
            if isinstance(outcome.data, str) and "result_digest" in outcome.details:
                found.setdefault(outcome.data, run.outcome)
    return found


def panel_cache(registry: ExperimentRegistry) -> str:
    """Return the folder, inside the store's own part that is never shared, where parsed panels are kept."""
    return os.path.join(registry.root, layout.PANELS)


def _details(registry: ExperimentRegistry, outcome_hash: str) -> dict[str, Any]:
    try:
        return registry.outcome(outcome_hash).details
    except (NotFound, Corrupt):
        return {}  # a trial it was nevertheless; fsck tells what is wrong with it


def _sharpe_per_day(of: dict[str, Any]) -> float | None:
    value: Any = of
    for step in ("summary", "moments", "sharpe_per_day"):
        value = value.get(step) if isinstance(value, dict) else None
    return defined(value)
