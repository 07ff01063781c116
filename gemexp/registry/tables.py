"""All configurations as one table, for other tools."""

from __future__ import annotations

from collections.abc import Collection
from typing import IO, TYPE_CHECKING, Any

from gemexp.registry.opened import OpenedStore

if TYPE_CHECKING:
    from gemexp.query.syntax import Query


class Tables(OpenedStore):
    """An opened store as tables."""

    def to_frame(
        self,
        kind: str = "pandas",
        *,
        where: str | Query | None = None,
        tag: str | None = None,
        columns: Collection[str] | None = None,
        metrics: bool = True,
    ) -> Any:
        """Return a table of configurations, newest first: a row each, a column of one type for each of their values.

        Args:
            kind: "pandas", "polars" or "arrow"; each needs the extra of that name, Arrow ``parquet``.
            where: Only those that match this expression.
            tag: Only those that carry it.
            columns: Only these, such as ``["config_hash", "hyperparameters.lr", "metric"]``; a path stands for all
                columns below it.
            metrics: With the metrics of the latest outcomes.

        Raises:
            InvalidInput: The library is not installed; a column cannot be there, or there are too many.
            InvalidQuery: ``where`` cannot be read.
            NotFound: No configuration has a value in a column that was asked for.
            UsageError: There is no such kind.
        """
        from gemexp import frames

        among = self._among(where, tag)
        return frames.frame(self._folder, kind, among=among, columns=columns, metrics=metrics)

    def write_parquet(self, file: IO[bytes], *, where: str | Query | None = None, tag: str | None = None) -> int:
        """Write a Parquet file of configurations, in order of hash; return how many.

        The columns are those of `to_frame`, and ``config``, which holds each configuration whole.

        Args:
            file: Open for writing.
            where: Only those that match this expression.
            tag: Only those that carry it.

        Raises:
            InvalidInput: pyarrow is not installed, or there are too many columns.
            InvalidQuery: ``where`` cannot be read.
        """
        from gemexp import frames

        return frames.write_parquet(self._folder, file, among=self._among(where, tag))

    def _among(self, where: str | Query | None, tag: str | None) -> Collection[str] | None:
        if where is not None:
            return self.select(where, tag=tag)
        if tag is None:
            return None
        from gemexp.query.syntax import Compare, Field

        return self.select(Compare(Field("tag"), "=", tag))
