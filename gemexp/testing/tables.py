"""Frames of pandas, polars and pyarrow as plain data, told by their type's name: none of them is imported."""

from __future__ import annotations

from typing import Any


def plain(value: Any) -> Any:
    """Return a frame, series or index as maps, lists and arrays; None if it is none of these."""
    library, name = type(value).__module__.partition(".")[0], type(value).__name__
    if library == "pandas":
        return _of_pandas(value, name)
    if library == "polars":
        if name == "DataFrame":
            return {column.name: _of_polars(column) for column in value.get_columns()}
        return _of_polars(value) if name == "Series" else None
    if library == "pyarrow":
        if name in ("Table", "RecordBatch"):
            columns = zip(value.schema, value.columns, strict=True)
            return {field.name: {"type": str(field.type), "values": column.to_pylist()} for field, column in columns}
        if hasattr(value, "to_pylist"):
            return {"type": str(value.type), "values": value.to_pylist()}
    return None


def _of_polars(series: Any) -> Any:
    return {"type": str(series.dtype), "values": series.to_list()}


def _of_pandas(value: Any, name: str) -> Any:
    if name == "DataFrame":
        columns: dict[Any, Any] = {}
        for position, label in enumerate(value.columns):
            # Two columns may have one name.
            columns[f"{label}#{position}" if label in columns else label] = _values(value.iloc[:, position])
        return {"columns": columns, "order": list(columns), "index": _values(value.index)}
    if name == "Series":
        return {"name": value.name, "values": _values(value), "index": _values(value.index)}
    if name.endswith("Index"):
        return _values(value)
    if name in ("Timestamp", "Timedelta", "Period", "Interval", "NAType", "NaTType"):
        return {"type": name, "value": str(value)}
    return None


def _values(column: Any) -> Any:
    """Return a column as an array, or as its type and a list where numpy has no such type."""
    if type(column.dtype).__module__.partition(".")[0] == "numpy" and column.dtype.kind in "biufmMc":
        return column.to_numpy()
    missing = column.isna()
    items = [None if gone else item for item, gone in zip(column.tolist(), missing, strict=True)]
    return {"type": str(column.dtype), "values": items}
