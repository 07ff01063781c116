"""The libraries that tables are made for: imported when they are needed, and named where they are missing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import Any, Final, Protocol

from gemexp.errors import InvalidInput
from gemexp.frames.columns import Chunk, Column

_EXTRAS: Final = {"pandas": "pandas", "polars": "polars", "pyarrow": "parquet"}


class Writer(Protocol):
    """Makes a table out of columns and the chunks of rows that they have."""

    def __call__(self, columns: Sequence[Column], chunks: Iterable[Chunk]) -> Any:
        """Return the table, newest config first."""


def load(name: str) -> Any:
    """Import a library, or a module of one; by name, because not all have types to check against.

    Raises:
        InvalidInput: It is not installed.
    """
    try:
        return import_module(name)
    except ImportError:
        library = name.partition(".")[0]
        hint = f"pip install 'gemexp[{_EXTRAS[library]}]'"
        raise InvalidInput(f"the library '{library}' is needed, and cannot be imported", hint=hint) from None
