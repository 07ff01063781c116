"""The registry: an opened store, in the words of those who use it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Unpack

from gemexp import registering, revision
from gemexp.config import ExperimentConfig, check_description
from gemexp.errors import Corrupt, NotFound
from gemexp.query import scan
from gemexp.registering import Registered
from gemexp.store import layout, location, objects, records, sets
from gemexp.store.files import Folder
from gemexp.store.location import Location
from gemexp.store.records import Metadata, Run

if TYPE_CHECKING:
    from gemexp.compare import Diff
    from gemexp.environment import Surroundings
    from gemexp.outcome import StoredOutcome
    from gemexp.query.ranking import Ranked
    from gemexp.recording import ActiveRun, Finished, RunParts
    from gemexp.store.check import Problem, Repair, Report


class ExperimentRegistry:
    """An opened store.

    Args:
        path: A folder, or a SQLite file whose store lies beside it (``db.sqlite`` in ``db.gemexp``); experiments that
            the file holds in the old registry's format are imported once, and the file is left as it is. Without a
            path: the folder that ``GEMEXP_DIR`` names, or the nearest ``.gemexp`` upwards from the current folder.
        create: Make the store if there is none.

    Raises:
        NoStore: There is no store, and ``create`` is false.
        UnsupportedFormat: The store is a newer version's.
        StoreUnwritable: The store cannot be made.
    """

    def __init__(self, path: str | os.PathLike[str] | Location | None = None, *, create: bool = True) -> None:
        where = path if isinstance(path, Location) else location.locate(path)
        self._folder = Folder(where.root)
        unseen = None
        if where.database is not None and os.path.exists(where.database):
            from gemexp import importing

            unseen = importing.find_unseen(self._folder, where.database)
        if not location.is_store(where.root) and (create or unseen is not None):
            location.init(where.root)
        location.check(where.root)
        if unseen is not None:
            importing.import_unseen(self._folder, unseen)

    @property
    def root(self) -> str:
        """The store's folder, absolute."""
        return self._folder.root

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

        Configurations are written in batches as they come: if one cannot be stored, those before it may have been.
        """
        return [registered.config_hash for registered in self.register_all(configs)]

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
        try:
            return self.load(self.resolve(prefix))
        except NotFound:
            return None

    def resolve(self, rev: str, *, deleted: bool = False) -> str:
        """Return the hash that a revision means.

        Raises:
            NotFound, AmbiguousPrefix: See `gemexp.revision.resolve`.
        """
        return revision.resolve(self._folder, rev, deleted=deleted)

    def resolve_with_path(self, rev: str) -> revision.Revision:
        """Return the hash and the path that ``REV:path`` means.

        Raises:
            NotFound, AmbiguousPrefix: See `gemexp.revision.resolve`.
            InvalidPath: What follows the revision is not a path.
        """
        return revision.resolve_with_path(self._folder, rev)

    def load(self, config_hash: str) -> ExperimentConfig:
        """Return the configuration of a whole hash, deleted or not.

        Raises:
            NotFound: There is no such object.
            Corrupt: It is damaged, or not a configuration.
        """
        return scan.load(self._folder, config_hash)

    def data(self, config_hash: str) -> bytes:
        """Return an object's bytes as they are stored, checked against its hash."""
        return objects.get(self._folder, config_hash)

    def metadata(self, config_hash: str) -> Metadata:
        """Return what the records say of a configuration."""
        return records.metadata(self._folder, config_hash)

    def hashes_with_prefix(self, prefix: str, *, deleted: bool = False) -> list[str]:
        """Return the hashes of configurations, or of deleted ones, that begin with ``prefix``; sorted."""
        return scan.hashes_with_prefix(self._folder, prefix, deleted=deleted)

    def list_all(self, limit: int | None = 100) -> list[ExperimentConfig]:
        """Return configurations, newest first, at most ``limit``; all with None."""
        return self.find(limit=limit)

    def search_by_tag(self, tag: str) -> list[ExperimentConfig]:
        """Return the configurations that carry a tag, newest first; none if nobody uses the tag."""
        return self.find(tag=tag)

    def find(
        self, *, tag: str | None = None, sort: str | None = None, limit: int | None = None
    ) -> list[ExperimentConfig]:
        """Return configurations, newest first, or sorted by a field or a value inside them.

        Args:
            tag: Only those that carry it.
            sort: A field, or a path such as ``hyperparameters.lr``, ascending; those without it come last.
            limit: At most so many.

        Raises:
            InvalidPath: ``sort`` is not a path.
        """
        if sort is None:
            return scan.newest(self._folder, tag=tag, limit=limit)
        return scan.ordered(self._folder, sort, tag=tag, limit=limit)

    def __iter__(self) -> Iterator[ExperimentConfig]:
        """Yield all configurations, in order of hash."""
        return scan.every(self._folder)

    def __len__(self) -> int:
        return scan.count(self._folder)

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

    # Tags and descriptions

    def tags(self) -> dict[str, int]:
        """Return how many configurations carry each tag, by tag; tags that none carries are left out."""
        return scan.tag_counts(self._folder)

    def tags_of(self, config_hash: str) -> list[str]:
        """Return the tags of a configuration, sorted."""
        return scan.tags_of(self._folder, config_hash)

    def tag(self, rev: str, tags: Iterable[str]) -> list[str]:
        """Add tags to a configuration; return those it did not have."""
        return self._turn_tags([self.resolve(rev)], add=tags)

    def untag(self, rev: str, tags: Iterable[str]) -> list[str]:
        """Remove tags from a configuration; return those it had."""
        return self._turn_tags([self.resolve(rev)], remove=tags)

    def rename_tag(self, old: str, new: str) -> list[str]:
        """Put one tag in another's place on every configuration that carries it; return their hashes."""
        layout.tag_folder(new)
        members = sorted(revision.tagged(self._folder, old))
        if not members:
            raise NotFound(f"no config carries the tag '{old}'", subject=old, hint="gemexp tag lists all tags")
        if old != new:
            self._turn_tags(members, add=[new], remove=[old])
        return members

    def describe(self, rev: str, description: str) -> bool:
        """Replace a configuration's description, and any that a merge left beside it; return whether it changed."""
        description = check_description(description)
        config_hash = self.resolve(rev)
        known = self.metadata(config_hash)
        if description == known.description and not known.other_descriptions:
            return False
        with self._folder.batch() as batch:
            records.describe(batch, config_hash, description, known.heads)
        return True

    def _turn_tags(self, hashes: list[str], add: Iterable[str] = (), remove: Iterable[str] = ()) -> list[str]:
        turns = [(sets.add, tag, layout.tag_folder(tag)) for tag in dict.fromkeys(add)]
        turns += [(sets.remove, tag, layout.tag_folder(tag)) for tag in dict.fromkeys(remove)]
        with self._folder.batch() as batch:
            return [
                tag
                for config_hash in hashes
                for turn, tag, folder in turns
                if turn(self._folder, batch, folder, config_hash)
            ]

    # Deleting

    def delete(self, rev: str) -> bool:
        """Mark a configuration as deleted; `restore` brings it back. Return whether there was one."""
        try:
            config_hash = self.resolve(rev)
        except NotFound:
            return False
        with self._folder.batch() as batch:
            return sets.add(self._folder, batch, layout.DELETED, config_hash)

    def restore(self, rev: str) -> str:
        """Bring a configuration back, looked for among the deleted ones; return its hash."""
        config_hash = self.resolve(rev, deleted=True)
        with self._folder.batch() as batch:
            sets.remove(self._folder, batch, layout.DELETED, config_hash)
        return config_hash

    # Runs

    def record(
        self, config: ExperimentConfig | str, metrics: Mapping[str, float | None], **parts: Unpack[RunParts]
    ) -> str:
        """Store what came out of a configuration, and that it was run; return the outcome's hash.

        Args:
            config: A configuration, registered if it is not yet, or a revision.
            metrics: Number by name; None for one that is not defined.
            **parts: Artifacts, data and more, see `gemexp.recording.RunParts`.

        Raises:
            InvalidInput, StoreUnwritable: See `gemexp.recording.record`.
        """
        from gemexp import recording

        return recording.record(self._folder, self._config(config), metrics, **parts)

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

    def runs(self, rev: str | None = None) -> list[Run]:
        """Return the runs of a configuration, or all, newest first."""
        if rev is not None:
            return list(reversed(self.metadata(self.resolve(rev)).runs))
        return scan.runs(self._folder)

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

    def rank(self, metric: str, *, tag: str | None = None, smallest: bool = False) -> list[Ranked]:
        """Return configurations by a metric of their latest outcomes, best first.

        Raises NotFound if no outcome has that metric.
        """
        from gemexp.query import ranking

        return ranking.rank(self._folder, metric, tag=tag, smallest=smallest)

    def _config(self, config: ExperimentConfig | str) -> ExperimentConfig:
        return self.load(self.resolve(config)) if isinstance(config, str) else config

    # Upkeep

    def check(self) -> Report:
        """Read every file of the store, and report what is not as it must be."""
        from gemexp.store import check

        return check.check(self._folder)

    def repair(self, problems: Iterable[Problem], sources: Iterable[str] = ()) -> list[Repair]:
        """Move bad files to quarantine, and put good copies in their place where they can be had.

        Args:
            problems: What `check` reported.
            sources: Other stores to take copies from.

        Raises:
            NoStore: A source is none.
            StoreUnwritable: The file system refused.
        """
        from gemexp.store import check

        roots = [location.locate(source).root for source in sources]
        for root in roots:
            location.check(root)
        return check.repair(self._folder, list(problems), [Folder(root) for root in roots])

    # Old registries

    def import_sqlite(self, path: str) -> list[tuple[str, Registered]]:
        """Import an old registry's experiments, and keep their old hashes as aliases.

        Returns:
            The old hash of each, and what registering it came to.

        Raises:
            InvalidInput: The file is not such a registry, or a row cannot be used; nothing was written.
        """
        from gemexp import importing

        return importing.import_sqlite(self._folder, path)
