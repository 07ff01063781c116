"""The sides of one measurement: those that can be had take turns, and for the others it is noted why not."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING

from prepared import NotThere, Prepared
from results import Results, seconds
from timing import Sample, alternate

if TYPE_CHECKING:
    from catalogue import Row

Turn = Callable[[], Sample | None]


class Sides:
    """Sides that are measured together.

    Args:
        prepared: What they work on.
        results: Where it is noted.
    """

    def __init__(self, prepared: Prepared, results: Results) -> None:
        self.prepared = prepared
        self._results = results
        self._where = prepared.size, prepared.variant.name
        self._turns: dict[str, Turn] = {}
        self._lacking: dict[str, str] = {}
        self._taken: dict[str, list[Sample]] = {}

    def add(self, name: str, prepare: Callable[[], Turn]) -> None:
        """Add a side.

        Args:
            name: What to call it.
            prepare: Gets it ready, and returns what it does in each turn; may raise `NotThere`.
        """
        try:
            self._turns[name] = prepare()
        except NotThere as error:
            self._lacking[name] = str(error)

    def measure(self, turns: int | None = None, *, warm: bool = False) -> None:
        """Have all take their turns: as many as were asked for, if no other number is given."""
        self.prepared.settle()
        self._taken = alternate(self._turns, turns or self.prepared.turns.turns, warm=warm)

    def note(self, ours: str, peers: dict[str, Row]) -> None:
        """Note how one side compares with peers; those that were not added are left out."""
        for theirs, row in peers.items():
            why = self._lacking.get(ours) or self._lacking.get(theirs)
            if why is not None:
                self._results.missing(row, *self._where, why)
            elif theirs in self._taken:
                self._results.times(row, *self._where, self._taken[ours], self._taken[theirs])

    def note_limit(self, side: str, row: Row, limit: float) -> None:
        """Note how much of a limit in seconds a side took."""
        if side in self._lacking:
            self._results.missing(row, *self._where, self._lacking[side])
        else:
            taken = self._taken[side]
            wall = statistics.median(sample.wall for sample in taken)
            self._results.share(row, *self._where, wall, limit, seconds(taken))


def numbered(turn: Callable[[int], Sample]) -> Turn:
    """Return a turn that is told how often it was taken before."""
    numbers = count()
    return lambda: turn(next(numbers))
