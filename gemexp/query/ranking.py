"""Which configurations did best: their outcomes, ranked by a metric, with how many were tried on the same data."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from typing import NamedTuple

from gemexp.config import instant
from gemexp.errors import NotFound
from gemexp.outcome import StoredOutcome
from gemexp.query import scan, walk
from gemexp.revision import tagged
from gemexp.store import records
from gemexp.store.records import Metadata
from gemexp.store.standing import Standing
from gemexp.store.tree import Tree


class Ranked(NamedTuple):
    """A configuration's latest outcome on some data.

    Args:
        config_hash: The configuration.
        outcome_hash: Its outcome.
        value: The metric.
        trials: How many different configurations have an outcome on that data, this one counted.
        reproducible: Whether all of its outcomes on that data are the same.
        outcome: The outcome itself.
        metadata: What the records say of the configuration.
    """

    config_hash: str
    outcome_hash: str
    value: float
    trials: int
    reproducible: bool
    outcome: StoredOutcome
    metadata: Metadata


def rank(
    tree: Tree,
    metric: str,
    *,
    tag: str | None = None,
    among: Container[str] | None = None,
    smallest: bool = False,
    recorded: Iterable[str] | None = None,
) -> list[Ranked]:
    """Return the outcomes that have a metric, best first.

    Trials are counted over the whole store, whatever is ranked: choosing after the fact does not undo a trial.

    Args:
        tree: The store.
        metric: Its name; outcomes without it, or with None or NaN, are left out.
        tag: Only configurations that carry it.
        among: Only configurations of these hashes.
        smallest: The smallest is the best, as of a loss.
        recorded: All configurations whose records say of runs, and all that replace others, if that is known.

    Raises:
        NotFound: No outcome has that metric.
    """
    latest = {(config_hash, run.data): (run.outcome, metadata) for config_hash, run, metadata in _runs(tree, recorded)}
    trials: dict[str | None, int] = {}
    for _, data in latest:
        trials[data] = trials.get(data, 0) + 1
    carriers = None if tag is None else tagged(tree, tag)
    found = []
    known: set[str] = set()
    for (config_hash, data), (outcome_hash, metadata) in latest.items():
        if any(wanted is not None and config_hash not in wanted for wanted in (carriers, among)):
            continue
        outcome = scan.outcome(tree, outcome_hash)
        if outcome is None:
            continue
        known |= outcome.metrics.keys()
        value = outcome.metrics.get(metric)
        if value is not None and value == value:
            reproducible = data not in metadata.disputed
            found.append(Ranked(config_hash, outcome_hash, value, trials[data], reproducible, outcome, metadata))
    if not found:
        from difflib import get_close_matches

        close = get_close_matches(metric, known, n=3) or sorted(known)[:10]
        hint = f"there is {', '.join(close)}" if close else "gemexp record and gemexp backtest store outcomes"
        of = " of a config that matches" if among is not None else f" of a config tagged '{tag}'" if tag else ""
        raise NotFound(f"no outcome{of} has the metric '{metric}'", subject=metric, hint=hint)
    return sorted(found, key=lambda one: (one.value if smallest else -one.value, one.config_hash))


def _runs(tree: Tree, recorded: Iterable[str] | None) -> Iterator[tuple[str, records.Run, Metadata]]:
    """Yield (configuration, run, metadata); what a replaced configuration ran counts for the one in its place."""
    standing = Standing(tree)
    found: dict[str, Metadata] = {}
    for config_hash, metadata in records.all_metadata(tree) if recorded is None else walk.metadata(tree, recorded):
        if config_hash not in standing.deleted:
            for name in standing.successors(config_hash) or [config_hash]:
                found[name] = _joined(found.get(name), metadata, own=name == config_hash)
    for config_hash, metadata in found.items():
        for run in metadata.runs:
            yield config_hash, run, metadata


def _joined(known: Metadata | None, more: Metadata, *, own: bool) -> Metadata:
    if known is None:
        return more
    runs = sorted((*known.runs, *more.runs), key=lambda run: (instant(run.created_at), run.outcome))
    return (more if own else known)._replace(runs=tuple(runs))
