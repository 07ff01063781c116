"""Running a recorded backtest again, from what the store holds and the panel, and comparing what came out."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

from gemexp.backtest import tracking
from gemexp.backtest.engine import run_backtest
from gemexp.backtest.panel import Panel
from gemexp.backtest.panel_file import sample_panel
from gemexp.backtest.parameters import Parameters, parameters_in
from gemexp.compare import Difference, differences
from gemexp.config import now
from gemexp.digest import short
from gemexp.errors import NotFound
from gemexp.outcome import StoredOutcome
from gemexp.registry import ExperimentRegistry


class Verdict(NamedTuple):
    """What running a backtest again came to.

    Args:
        config_hash: The experiment.
        panel_digest: The panel.
        recorded: The outcome that was recorded.
        found: The outcome of running it again.
        differences: From the recorded outcome to the new one: of the metrics, or where those agree, of the rest.
        environment: Versions that have changed since the recorded run; empty where the outcomes are the same.
    """

    config_hash: str
    panel_digest: str
    recorded: str
    found: str
    differences: tuple[Difference, ...]
    environment: tuple[Difference, ...]

    @property
    def same(self) -> bool:
        """Whether the backtest is reproduced."""
        return self.recorded == self.found

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {
            "config_hash": self.config_hash,
            "panel_digest": self.panel_digest,
            "recorded_outcome_hash": self.recorded,
            "outcome_hash": self.found,
            "same": self.same,
            "differences": [difference.to_dict() for difference in self.differences],
            "environment": [difference.to_dict() for difference in self.environment],
        }


def verify(registry: ExperimentRegistry, rev: str, panel: Panel | None = None) -> Verdict:
    """Run a recorded backtest again, and record the verdict as a run that names the outcome it was to give again.

    Args:
        registry: The opened store.
        rev: The experiment.
        panel: The panel it was run on; the sample if not given.

    Raises:
        NotFound: No backtest of it is recorded, or none on that panel.
        AmbiguousPrefix: Several configurations answer to ``rev``.
        Corrupt: The recorded outcome or the configuration is damaged.
    """
    started, clock = now(), time.perf_counter()
    config_hash = registry.resolve(rev)
    known = tracking.outcomes_of(registry, config_hash)
    if not known:
        hint = f"gemexp backtest --config {rev} runs and records one"
        raise NotFound(f"no backtest of '{rev}' is recorded", subject=rev, hint=hint)
    given = panel or sample_panel(cache=tracking.panel_cache(registry))
    if given.digest not in known:
        raise _other_panel(rev, list(known), None if panel is None else given)
    recorded = known[given.digest]
    config = registry.load(config_hash)
    outcome = run_backtest(config, given, parameters=Parameters.from_dict(parameters_in(config)))
    again = tracking.stored(outcome)
    before = next(run for run in registry.runs(config_hash) if run.outcome == recorded)
    duration = time.perf_counter() - clock
    found = tracking.record(registry, outcome, started=started, duration=duration, verifies=recorded)
    after = next(run for run in registry.runs(config_hash) if run.outcome == found)
    same = found == recorded
    return Verdict(
        config_hash=config_hash,
        panel_digest=given.digest,
        recorded=recorded,
        found=found,
        differences=() if same else _differences(registry.outcome(recorded), again),
        environment=() if same else _changed(before.environment, after.environment),
    )


def _differences(old: StoredOutcome, new: StoredOutcome) -> tuple[Difference, ...]:
    figures = tuple(differences(old.metrics, new.metrics))
    return figures or tuple(differences({**old.details, **old.artifacts}, {**new.details, **new.artifacts}))


def _changed(old: dict[str, Any], new: dict[str, Any]) -> tuple[Difference, ...]:
    # Which packages were loaded depends on what else was done; only another version of one can be a reason.
    return tuple(difference for difference in differences(old, new) if difference.change == "changed")


def _other_panel(rev: str, known: list[str], given: Panel | None) -> NotFound:
    needed = known[0] if len(known) == 1 else f"one of {', '.join(known)}"
    if given is None:
        message = f"the backtest of '{rev}' did not run on the sample, but on a panel with the digest {needed}"
        return NotFound(message, subject=known[0], hint="name the panel's file with --data")
    message = f"no backtest of '{rev}' on a panel with the digest {short(given.digest)} is recorded"
    return NotFound(message, subject=given.digest, hint=f"it ran on the panel with the digest {needed}")
