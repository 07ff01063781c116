"""Which outcomes of two configurations to look at beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from gemexp.store.records import Run


class Pair(NamedTuple):
    """A run of each of two configurations, and whether they are known to have had the same data."""

    first: Run
    second: Run
    same_data: bool


def latest_pair(first: Sequence[Run], second: Sequence[Run]) -> Pair | None:
    """Return the latest runs of two configurations on the same data, or if there is none, the latest of each.

    Args:
        first: Runs of one configuration, newest first.
        second: Runs of the other, newest first.

    Returns:
        The pair; None if one of them was never run.
    """
    if not first or not second:
        return None
    latest: dict[str | None, Run] = {}
    for run in second:
        latest.setdefault(run.data, run)
    for run in first:
        if run.data is not None and run.data in latest:
            return Pair(run, latest[run.data], same_data=True)
    return Pair(first[0], second[0], same_data=False)
