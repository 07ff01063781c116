"""Tables of configs for pandas, polars, Arrow and Parquet: a row a config, a column a value, each of one type.

A column's type follows from all of its values, and is told to the library that makes the table: what a library infers
from the first hundred rows may be wrong for the next. So everything is read twice, first the types and then the values,
a part of the rows at a time.

The libraries are extras, and are imported when a table is made.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import IO, TYPE_CHECKING, Any, BinaryIO, Final

from gemexp.errors import UsageError
from gemexp.frames import engines
from gemexp.frames.columns import Wanted
from gemexp.frames.rows import Snapshot
from gemexp.store.tree import Tree

if TYPE_CHECKING:
    from gemexp.frames.engines import Writer

KINDS: Final = ("pandas", "polars", "arrow")


def frame(
    tree: Tree,
    kind: str,
    *,
    among: Collection[str] | None = None,
    columns: Collection[str] | None = None,
    metrics: bool = True,
) -> Any:
    """Return a table of configs, newest first.

    Args:
        tree: The store.
        kind: "pandas", "polars" or "arrow".
        among: Hashes; only these configs.
        columns: Only these, in this order; ``hyperparameters.model`` stands for all columns below it too.
        metrics: With the metrics of each config's latest outcome.

    Raises:
        UsageError: There is no such kind.
        InvalidInput: The library is not installed; a column cannot be there, or there are too many.
        NotFound: No config has a value in a column that was asked for.
    """
    if kind not in KINDS:
        raise UsageError(f"there are no frames of kind '{kind}'", hint=f"choose one of {', '.join(KINDS)}")
    writer = _writer(kind)
    wanted = Wanted(columns, metrics=metrics)
    snapshot = Snapshot(tree, wanted, among)
    return writer(snapshot.columns, snapshot.chunks())


def write_parquet(tree: Tree, file: IO[bytes], *, among: Collection[str] | None = None) -> int:
    """Write a Parquet file of configs, in order of hash; return how many.

    Beside the columns of `frame` it has ``config``: the whole config as one line of JSON, which `gemexp import` reads.

    Args:
        tree: The store.
        file: Open for writing.
        among: Hashes, sorted; only these configs.

    Raises:
        InvalidInput: pyarrow is not installed, or there are too many columns.
    """
    engines.load("pyarrow")
    from gemexp.frames import in_arrow

    snapshot = Snapshot(tree, Wanted(whole=True), among)
    return in_arrow.write_parquet(file, snapshot.columns, snapshot.chunks())


def exported_lines(path: str) -> BinaryIO:
    """Return what `write_parquet` wrote as JSON Lines, each a whole config; the file goes when it is closed.

    Raises:
        InvalidInput: pyarrow is not installed, or it is no such file.
    """
    engines.load("pyarrow")
    from gemexp.frames import in_arrow

    return in_arrow.documents(path)


def _writer(kind: str) -> Writer:
    if kind == "pandas":
        from gemexp.frames.in_pandas import make
    elif kind == "polars":
        from gemexp.frames.in_polars import make
    else:
        from gemexp.frames.in_arrow import make
    return make
