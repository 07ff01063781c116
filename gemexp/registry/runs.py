"""What came out of configurations: recording runs, and reading their outcomes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Unpack

from gemexp.config import ExperimentConfig
from gemexp.errors import Corrupt, NotFound
from gemexp.query import scan
from gemexp.registry.opened import OpenedStore
from gemexp.store import objects
from gemexp.store.records import Run

if TYPE_CHECKING:
    from gemexp.environment import Surroundings
    from gemexp.outcome import StoredOutcome
    from gemexp.query.ranking import Ranked
    from gemexp.query.syntax import Query
    from gemexp.recording import ActiveRun, Finished, RunParts


class Runs(OpenedStore):
    """Runs and outcomes of an opened store."""

    def record(
        self,
        config: ExperimentConfig | str,
        metrics: Mapping[str, float | None],
        *,
        surroundings: Surroundings | None = None,
        **parts: Unpack[RunParts],
    ) -> str:
        """Store what came out of a configuration, and that it was run; return the outcome's hash.

        Args:
            config: A configuration, registered if it is not yet, or a revision.
            metrics: Number by name; None for one that is not defined.
            surroundings: What it ran in, see `gemexp.environment.surroundings`; what is so now if not given.
            **parts: Artifacts, data and more, see `gemexp.recording.RunParts`.

        Raises:
            InvalidInput, StoreUnwritable: See `gemexp.recording.record`.
        """
        from gemexp import recording

        return recording.record(self._folder, self._config(config), metrics, surroundings=surroundings, **parts)

    def record_all(self, finished: Iterable[Finished], *, surroundings: Surroundings | None = None) -> list[str]:
        """Store what `gemexp.recording.finish` made of many runs, as `gemexp.recording.record_all` does."""
        from gemexp import recording

        return recording.record_all(self._folder, finished, surroundings=surroundings)

    def run(self, config: ExperimentConfig | str, *, data: Any = None) -> ActiveRun:
        """Return a run to use as a context manager: ``with registry.run(config) as run: run.log(loss=0.3)``.

        It is recorded when its block ends without an error.
        """
        from gemexp.recording import ActiveRun

        return ActiveRun(self._folder, self._config(config), data)

    def runs(self, rev: str | None = None, *, where: str | Query | None = None) -> list[Run]:
        """Return the runs of a configuration, or of those that match an expression, or all; newest first.

        Raises:
            InvalidQuery: ``where`` cannot be read.
        """
        if where is not None:
            found = set(self.select(where))
            return scan.runs_of(self._folder, *(found if rev is None else found & {self.resolve(rev)}))
        if rev is not None:
            return scan.runs_of(self._folder, self.resolve(rev))
        return scan.runs(self._folder)

    def disputed(self, hashes: Iterable[str]) -> set[str]:
        """Return those of some configurations that had different outcomes on the same data, by their whole hashes."""
        return self._finder.disputed(hashes)

    def outcome(self, outcome_hash: str) -> StoredOutcome:
        """Return an outcome.

        Raises:
            NotFound: There is no such object.
            Corrupt: It is damaged, or not an outcome.
        """
        from gemexp.outcome import StoredOutcome

        return StoredOutcome.from_bytes(objects.get(self._folder, outcome_hash))

    def metrics(self, outcome_hash: str) -> dict[str, float | None]:
        """Return the metrics of an outcome; none if it is missing or damaged, which fsck tells."""
        try:
            return self.outcome(outcome_hash).metrics
        except (NotFound, Corrupt):
            return {}

    def rank(
        self, metric: str, *, tag: str | None = None, where: str | Query | None = None, smallest: bool = False
    ) -> list[Ranked]:
        """Return configurations by a metric of their latest outcomes, best first.

        Args:
            metric: Its name.
            tag: Only configurations that carry it.
            where: Only configurations that match this expression.
            smallest: The smallest is the best.

        Raises:
            NotFound: No outcome has that metric.
            InvalidQuery: ``where`` cannot be read.
        """
        among = None if where is None else set(self.select(where))
        return self._finder.rank(metric, tag=tag, among=among, smallest=smallest)
