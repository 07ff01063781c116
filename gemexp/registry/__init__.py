"""The registry: an opened store, in the words of those who use it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from gemexp import registering
from gemexp.config import ExperimentConfig
from gemexp.digest import is_prefix
from gemexp.errors import NotFound
from gemexp.paths import parse_path
from gemexp.query import scan
from gemexp.registering import Registered
from gemexp.registry.attesting import Attesting
from gemexp.registry.equivalence import Equivalence
from gemexp.registry.executing import Executing
from gemexp.registry.history import History
from gemexp.registry.indexing import Indexing
from gemexp.registry.labels import Labels
from gemexp.registry.names import Names
from gemexp.registry.tables import Tables
from gemexp.registry.upkeep import Upkeep

if TYPE_CHECKING:
    from gemexp.bulk import Encoded
    from gemexp.compare import Diff
    from gemexp.query.syntax import Query


class ExperimentRegistry(Attesting, Equivalence, Executing, History, Indexing, Labels, Names, Tables, Upkeep):
    """An opened store.

    Args:
        path: A folder, or a SQLite file whose store lies beside it (``db.sqlite`` in ``db.gemexp``); experiments that
            the file holds in the old registry's format are imported once, and the file is left as it is. Without a
            path: the folder that ``GEMEXP_DIR`` names, or the nearest ``.gemexp`` upwards from the current folder.
        create: Make the store if there is none.
        damaged: Open one that is there even if its ``format`` file is damaged or missing, so that it can be repaired.

    Raises:
        NoStore: There is no store, and ``create`` is false.
        UnsupportedFormat: The store is a newer version's.
        StoreUnwritable: The store cannot be made.
    """

    # Registering

    def register(self, config: ExperimentConfig, *, parents: Iterable[str] = ()) -> str:
        """Store a configuration; when this returns, it is durable.

        Registering it again changes nothing, except that another description replaces the current one and more
        tags are added.

        Args:
            config: What to store.
            parents: Hashes of configurations that it was made from.

        Returns:
            Its hash.

        Raises:
            InvalidValue: It cannot be stored; nothing was written.
            StoreUnwritable: The file system refused.
        """
        return self.register_all([config], parents=parents)[0].config_hash

    def add_many(self, configs: Iterable[ExperimentConfig]) -> list[str]:
        """Store many configurations, sharing the cost of making them durable; return their hashes.

        Configurations are written in batches as they come, each durable before the next begins: if one cannot be
        stored, those before it may have been, and a call that was interrupted is finished by making it again.
        A thousand or more are put into packs.
        """
        from gemexp import bulk

        encoded = map(bulk.encoded, configs)
        return [one.config_hash for batch in self.register_encoded(encoded) for one in batch]

    def register_encoded(
        self, configs: Iterable[Encoded], *, parents: Iterable[str] = ()
    ) -> Iterator[list[Registered]]:
        """Store what `gemexp.bulk.encoded` made of configurations; yield each batch when it is durable."""
        from gemexp import bulk

        return bulk.register(self._folder, configs, list(parents))

    def register_all(self, configs: Iterable[ExperimentConfig], *, parents: Iterable[str] = ()) -> list[Registered]:
        """Store many configurations as `add_many`, and tell which the store did not show before."""
        return registering.register_all(self._folder, configs, list(parents))

    def validate(self, config: ExperimentConfig) -> None:
        """Raise what registering a configuration would raise for its sake; nothing is written.

        Raises:
            InvalidInput: It or one of its tags cannot be stored.
        """
        registering.validate(config)

    # Looking up

    def get(self, prefix: str) -> ExperimentConfig | None:
        """Return the configuration that a hash, its beginning, or another revision means; None if there is none.

        Raises:
            AmbiguousPrefix: Several answer to it; ``candidates`` are their hashes.
            Corrupt: Its object is damaged.
        """
        if isinstance(prefix, str) and is_prefix(prefix):
            from gemexp.query import lookup  # it reads packs, which takes modules of their own

            config = lookup.plain(self._folder, prefix.lower())
            if config is not None:
                return config
        try:
            return self.load(self.resolve(prefix))
        except NotFound:
            return None

    def list_all(self, limit: int | None = 100) -> list[ExperimentConfig]:
        """Return configurations, newest first, at most ``limit``; all with None."""
        return self.find(limit=limit)

    def search_by_tag(self, tag: str) -> list[ExperimentConfig]:
        """Return the configurations that carry a tag, newest first; none if nobody uses the tag."""
        return self.find(tag=tag)

    def find(
        self,
        *,
        tag: str | None = None,
        where: str | Query | None = None,
        sort: str | None = None,
        limit: int | None = None,
    ) -> list[ExperimentConfig]:
        """Return configurations, newest first, or sorted by a field or a value inside them.

        Args:
            tag: Only those that carry it.
            where: Only those that match this expression, such as ``lr > 0.01 and metric.loss < 1``.
            sort: A field, or a path such as ``hyperparameters.lr``, ascending; those without it come last.
            limit: At most so many.

        Raises:
            InvalidQuery: ``where`` cannot be read.
            InvalidPath: ``sort`` is not a path.
        """
        if where is None:
            among = None
        else:
            among, tag = self.select(where, tag=tag), None
        if sort is None:
            return self._finder.newest(tag=tag, among=among, limit=limit)
        path = parse_path(sort)
        return scan.ordered(self._finder.newest(tag=tag, among=among), path)[:limit]

    def each(self, hashes: Collection[str]) -> Iterator[ExperimentConfig]:
        """Yield the configurations of some whole hashes, such as `select` returns, one at a time, in their order."""
        return scan.every(self._folder, among=hashes)

    def __iter__(self) -> Iterator[ExperimentConfig]:
        """Yield all configurations, in order of hash."""
        return scan.every(self._folder)

    def __len__(self) -> int:
        return self._finder.count()

    def __bool__(self) -> bool:
        return True

    def __contains__(self, rev: object) -> bool:
        try:
            return isinstance(rev, str) and bool(self.resolve(rev))
        except NotFound:
            return False

    # Comparing

    def compare(self, first: str, second: str) -> dict[str, Any]:
        """Compare two configurations section by section; ``{"error": …}`` where one is missing."""
        config1, config2 = self.get(first), self.get(second)
        if config1 is None or config2 is None:
            missing = [rev for rev, config in ((first, config1), (second, config2)) if config is None]
            return {"error": f"not found: {', '.join(missing)}"}
        from gemexp import compare

        return compare.compare(config1, config2)

    def diff(self, first: str, second: str) -> Diff:
        """Return what differs between two configurations.

        Raises:
            NotFound, AmbiguousPrefix: See `gemexp.revision.resolve`.
        """
        from gemexp.compare import Diff

        return Diff(self.load(self.resolve(first)), self.load(self.resolve(second)))

    def explain(self, first: str, second: str) -> list[str]:
        """Say in sentences why two hashes differ, or why they agree."""
        from gemexp.compare import explain

        return explain(self.load(self.resolve(first)), self.load(self.resolve(second)))
