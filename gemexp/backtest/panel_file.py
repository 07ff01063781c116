"""Panels from files: CSV, gzipped CSV, Parquet; and the sample that ships with the package."""

from __future__ import annotations

import gzip
import io
import os
import zlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, time
from importlib import import_module
from typing import Any

from gemexp.backtest import panel_cache
from gemexp.backtest.panel import Panel
from gemexp.backtest.panel_text import PanelReader, parse_csv
from gemexp.digest import hash_bytes
from gemexp.errors import InvalidInput

SAMPLE = "sp500_20.csv.gz"
_PARQUET_ROWS = 65_536
_MAX_CSV_BYTES = 1 << 30  # of a compressed one: a thousandth of that may hold it


def read_panel(path: str | os.PathLike[str], *, sort: bool = False, cache: str | None = None) -> Panel:
    """Read a panel from a file whose name ends in ``.csv``, ``.csv.gz`` or ``.parquet``.

    Args:
        path: The file.
        sort: Accept rows that are not in order of (date, asset).
        cache: A folder for parsed panels, named by the hash of their file; made when needed. None to parse each time.

    Raises:
        InvalidInput: The file cannot be read, or is of another kind.
        InvalidText: What it holds is no panel; ``source`` is the file and ``line`` the line, where there is one.
    """
    source = os.fspath(path)
    if not source.endswith((".csv", ".csv.gz", ".parquet")):
        raise InvalidInput("is no panel by its name", hint="panels end in .csv, .csv.gz or .parquet", source=source)
    try:
        with open(source, "rb") as file:
            data = file.read()
    except OSError as error:
        raise InvalidInput(f"cannot be read: {error.strerror}", source=source) from None
    if cache is None:
        return _parse(data, source, sort=sort)
    # What --sort accepts must not pass without it only because it was parsed before.
    entry = os.path.join(cache, hash_bytes(data) + ("-sorted" if sort else "") + ".npz")
    panel = panel_cache.load(entry)
    if panel is None:
        panel = _parse(data, source, sort=sort)
        panel_cache.save(panel, entry)
    return panel


def sample_panel(*, cache: str | None = None) -> Panel:
    """Return the sample that ships with the package: 20 US large caps, 2010-2022, survivors to the end of 2022."""
    return read_panel(os.path.join(os.path.dirname(__file__), "data", SAMPLE), cache=cache)


def _parse(data: bytes, source: str, *, sort: bool) -> Panel:
    if source.endswith(".parquet"):
        return _parse_parquet(data, source, sort=sort)
    if source.endswith(".gz"):
        data = _decompressed(data, source)
    return parse_csv(data, source, sort=sort)


def _decompressed(data: bytes, source: str) -> bytes:
    try:
        with gzip.open(io.BytesIO(data)) as file:
            found = file.read(_MAX_CSV_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise InvalidInput(f"is not a gzip file: {error}", source=source) from None
    if len(found) > _MAX_CSV_BYTES:
        hint = "decompress it, if it is what it should be, and name the CSV"
        raise InvalidInput(f"holds more than {_MAX_CSV_BYTES} bytes", hint=hint, source=source)
    return found


def _parse_parquet(data: bytes, source: str, *, sort: bool) -> Panel:
    try:
        pyarrow = import_module("pyarrow")  # by name, because it has no types to check against
        parquet = import_module("pyarrow.parquet")
    except ImportError:
        raise InvalidInput(
            "is a Parquet file, which needs pyarrow", hint="pip install 'gemexp[parquet]'", source=source
        ) from None
    try:
        table = parquet.read_table(pyarrow.BufferReader(data))
    except (pyarrow.ArrowException, OSError) as error:
        reason = (str(error).splitlines() or ["it is damaged"])[0]
        raise InvalidInput(f"is not a Parquet file: {reason}", source=source) from None
    reader = PanelReader(table.column_names, source, numbered="row")
    for batch in table.to_batches(max_chunksize=_PARQUET_ROWS):
        reader.add(list(_text_rows(batch.to_pydict().values())))
    return reader.finish(sort=sort)


def _text_rows(columns: Iterable[Sequence[Any]]) -> Iterator[list[str]]:
    # One path for all files: a float's repr reads back as the same float, and every check is made once, on text.
    for row in zip(*columns, strict=True):
        yield [_text(value) for value in row]


def _text(value: Any) -> str:
    if value is None or value != value:  # a data frame's NaN is a blank
        return ""
    if type(value) is str:
        return value
    if type(value) is float or type(value) is int:
        return repr(value)
    if isinstance(value, datetime) and value.tzinfo is None and value.time() == time():
        # Data frames know no dates, only timestamps: midnight without a zone is a date.
        return value.date().isoformat()
    return str(value)
