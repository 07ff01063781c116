"""Tables of Arrow, and Parquet files, which hold the same types."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from typing import IO, Any, BinaryIO, Final

from gemexp.errors import InvalidInput
from gemexp.formats import open_file
from gemexp.frames import engines
from gemexp.frames.columns import CONFIG, ORDER, Chunk, Column
from gemexp.frames.kinds import Kind

# Readers skip whole row groups; the larger, the smaller the file, and the more memory it takes to write it.
_GROUP_BYTES: Final = 24 * 1024 * 1024
_READ_ROWS: Final = 1000
# What is different in every row gains nothing from a dictionary.
_UNIQUE: Final = ("config_hash", "created_at", "config")


def make(columns: Sequence[Column], chunks: Iterable[Chunk]) -> Any:
    """Return a ``pyarrow.Table``, newest config first."""
    arrow = engines.load("pyarrow")
    schema = _schema(arrow, columns)
    table = arrow.Table.from_batches([_batch(arrow, schema, chunk) for chunk in chunks], schema)
    table = table.sort_by([(name, "descending") for name in ORDER])
    return table.select([column.name for column in columns if column.shown])


def write_parquet(file: IO[bytes], columns: Sequence[Column], chunks: Iterable[Chunk]) -> int:
    """Write a Parquet file in row groups, in the order of the chunks; return how many rows it has."""
    arrow, parquet = engines.load("pyarrow"), engines.load("pyarrow.parquet")
    schema = _schema(arrow, columns)
    dictionaries = [column.name for column in columns if column.name not in _UNIQUE]
    rows = size = 0
    group: list[Any] = []
    with parquet.ParquetWriter(file, schema, compression="zstd", use_dictionary=dictionaries) as writer:
        for chunk in chunks:
            group.append(_batch(arrow, schema, chunk))
            rows += chunk.rows
            size += group[-1].nbytes
            if size > _GROUP_BYTES:
                _write_group(arrow, writer, schema, group)
                group, size = [], 0
        _write_group(arrow, writer, schema, group)
    return rows


def documents(path: str) -> BinaryIO:
    """Return the column ``config`` of a Parquet file as a temporary file, a line each.

    Raises:
        InvalidInput: The file cannot be read, or has no such column.
    """
    lines = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    try:
        with open_file(path) as file:
            _copy_documents(file, path, lines)
    except BaseException:
        lines.close()
        raise
    lines.seek(0)
    return lines


def _copy_documents(file: BinaryIO, path: str, lines: IO[bytes]) -> None:
    arrow, parquet = engines.load("pyarrow"), engines.load("pyarrow.parquet")
    try:
        with parquet.ParquetFile(file) as table:
            if CONFIG not in table.schema_arrow.names:
                hint = "gemexp export writes a column that holds each config whole"
                raise InvalidInput(f"has no column '{CONFIG}'", source=path, hint=hint)
            for batch in table.iter_batches(_READ_ROWS, columns=[CONFIG]):
                lines.writelines(f"{text}\n".encode() for text in batch.column(0).to_pylist())
    except (arrow.ArrowException, OSError) as error:
        reason = (str(error).splitlines() or ["it is damaged"])[0]
        raise InvalidInput(f"is not a Parquet file: {reason}", source=path) from None


def _write_group(arrow: Any, writer: Any, schema: Any, group: list[Any]) -> None:
    table = arrow.Table.from_batches(group, schema)
    if table.num_rows:
        writer.write_table(table, row_group_size=table.num_rows)


def _batch(arrow: Any, schema: Any, chunk: Chunk) -> Any:
    arrays = [arrow.array(cells, field.type) for cells, field in zip(chunk.cells, schema, strict=True)]
    return arrow.RecordBatch.from_arrays(arrays, schema=schema)


def _schema(arrow: Any, columns: Sequence[Column]) -> Any:
    return arrow.schema([_field(arrow, column) for column in columns])


def _field(arrow: Any, column: Column) -> Any:
    kind = _type(arrow, column.type.kind)
    # Text and JSON text are one type; the second is told by the field's metadata.
    metadata = {"gemexp": "json"} if column.type.kind is Kind.DOCUMENT else None
    return arrow.field(column.name, arrow.list_(kind) if column.type.listed else kind, metadata=metadata)


def _type(arrow: Any, kind: Kind) -> Any:
    return {
        Kind.TEXT: arrow.string(),
        Kind.TIME: arrow.timestamp("us", "UTC"),
        Kind.BOOL: arrow.bool_(),
        Kind.INT: arrow.int64(),
        Kind.UINT: arrow.uint64(),
        Kind.FLOAT: arrow.float64(),
        Kind.DOCUMENT: arrow.string(),
    }[kind]
