"""What is looked for in a store: one interface, by going through the store's files, or quicker by an index of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

from gemexp.query import scan
from gemexp.store.tree import Tree

if TYPE_CHECKING:
    from gemexp.config import ExperimentConfig
    from gemexp.query.ranking import Ranked
    from gemexp.query.syntax import Query


class Finder(Protocol):
    """Finds configs. All finders give the same answers."""

    def newest(
        self, *, tag: str | None = None, among: Iterable[str] | None = None, limit: int | None = None
    ) -> list[ExperimentConfig]:
        """Return configs, those with a tag, or among some hashes; see `gemexp.query.scan.newest`."""

    def count(self) -> int:
        """Return how many there are; see `gemexp.query.scan.count`."""

    def matching(self, query: Query) -> list[str]:
        """Return the hashes of those that match, sorted; see `gemexp.query.selecting.matching`."""

    def tag_counts(self) -> dict[str, int]:
        """Return how many configs carry each tag; see `gemexp.query.scan.tag_counts`."""

    def disputed(self, hashes: Iterable[str]) -> set[str]:
        """Return which had different outcomes on the same data; see `gemexp.query.scan.disputed`."""

    def rank(
        self, metric: str, *, tag: str | None = None, among: set[str] | None = None, smallest: bool = False
    ) -> list[Ranked]:
        """Return configs by a metric; see `gemexp.query.ranking.rank`."""


class Scanner(Finder):
    """Finds by going through the store's files: what it answers is the definition.

    Args:
        tree: The store.
    """

    def __init__(self, tree: Tree) -> None:
        self._tree = tree

    def newest(
        self, *, tag: str | None = None, among: Iterable[str] | None = None, limit: int | None = None
    ) -> list[ExperimentConfig]:
        """Return configs, those with a tag, or among some hashes; see `gemexp.query.scan.newest`."""
        return scan.newest(self._tree, tag=tag, among=among, limit=limit)

    def count(self) -> int:
        """Return how many there are; see `gemexp.query.scan.count`."""
        return scan.count(self._tree)

    def matching(self, query: Query) -> list[str]:
        """Return the hashes of those that match, sorted; see `gemexp.query.selecting.matching`."""
        from gemexp.query import selecting

        return list(selecting.matching(self._tree, query))

    def tag_counts(self) -> dict[str, int]:
        """Return how many configs carry each tag; see `gemexp.query.scan.tag_counts`."""
        return scan.tag_counts(self._tree)

    def disputed(self, hashes: Iterable[str]) -> set[str]:
        """Return which had different outcomes on the same data; see `gemexp.query.scan.disputed`."""
        return scan.disputed(self._tree, hashes)

    def rank(
        self, metric: str, *, tag: str | None = None, among: set[str] | None = None, smallest: bool = False
    ) -> list[Ranked]:
        """Return configs by a metric; see `gemexp.query.ranking.rank`."""
        from gemexp.query import ranking

        return ranking.rank(self._tree, metric, tag=tag, among=among, smallest=smallest)
