"""Tables of polars."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from gemexp.frames import engines
from gemexp.frames.columns import ORDER, Chunk, Column
from gemexp.frames.kinds import Kind, Type


def make(columns: Sequence[Column], chunks: Iterable[Chunk]) -> Any:
    """Return a ``polars.DataFrame``, newest config first."""
    polars = engines.load("polars")
    schema = {column.name: _dtype(polars, column.type) for column in columns}
    parts = [
        polars.DataFrame(
            [polars.Series(name, cells, dtype=schema[name]) for name, cells in zip(schema, chunk.cells, strict=True)]
        )
        for chunk in chunks
    ]
    frame = polars.concat(parts, rechunk=True).sort(list(ORDER), descending=True)
    return frame.select([column.name for column in columns if column.shown])


def _dtype(polars: Any, type_: Type) -> Any:
    kind = {
        Kind.TEXT: polars.String,
        Kind.TIME: polars.Datetime("us", "UTC"),
        Kind.BOOL: polars.Boolean,
        Kind.INT: polars.Int64,
        Kind.UINT: polars.UInt64,
        Kind.FLOAT: polars.Float64,
        Kind.DOCUMENT: polars.String,
    }[type_.kind]
    return polars.List(kind) if type_.listed else kind
