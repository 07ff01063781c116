"""Tables of pandas.

It has no lists: they are Python's, in a column of objects. What is missing among float64 is NaN.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from gemexp.frames import engines
from gemexp.frames.columns import ORDER, Chunk, Column
from gemexp.frames.kinds import Kind, Type


def make(columns: Sequence[Column], chunks: Iterable[Chunk]) -> Any:
    """Return a ``pandas.DataFrame``, newest config first."""
    pandas = engines.load("pandas")
    parts: list[list[Any]] = [[] for _ in columns]
    types = [_dtype(pandas, column.type) for column in columns]
    for chunk in chunks:
        for part, type_, cells in zip(parts, types, chunk.cells, strict=True):
            part.append(pandas.Series(cells, dtype=type_))
    whole = {
        column.name: part[0] if len(part) == 1 else pandas.concat(part, ignore_index=True)
        for column, part in zip(columns, parts, strict=True)
    }
    frame = pandas.DataFrame(whole).sort_values(list(ORDER), ascending=False, ignore_index=True)
    return frame[[column.name for column in columns if column.shown]]


def _dtype(pandas: Any, type_: Type) -> Any:
    if type_.listed:
        return object
    if type_.kind is Kind.TIME:
        return pandas.DatetimeTZDtype("us", "UTC")
    return {
        Kind.TEXT: "string",
        Kind.BOOL: "boolean",
        Kind.INT: "Int64",
        Kind.UINT: "UInt64",
        Kind.FLOAT: "float64",
        Kind.DOCUMENT: "string",
    }[type_.kind]
