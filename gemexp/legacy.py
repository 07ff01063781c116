"""Reading experiments out of a home-made ``experiments.sqlite``, the registry that gemexp replaces.

Its table ``experiments`` holds one row a configuration, ``config_json`` the whole of it; ``experiment_tags`` holds
tags. The file is opened read-only and is left as it is.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

from gemexp import formats
from gemexp.config import SECTIONS, ExperimentConfig
from gemexp.errors import InvalidInput, InvalidValue
from gemexp.notation import inline
from gemexp.rollback import names_another

_COLUMNS = ("config_hash", "created_at", "description", *SECTIONS, "tags", "config_json")
_SQLITE_MAGIC = b"SQLite format 3\x00"
_HINT = "nothing was imported; correct or remove the row, and run the import again"
# Of SQLite's virtual machine: some hundred for each row that is read and sorted.
_MOST_STEPS = 2_000_000_000
_STEPS_AT_ONCE = 1_000_000
_MAX_CELL_BYTES = 64 * 1024 * 1024
_ORDINARY = "SELECT 1 FROM sqlite_schema WHERE name = ? AND type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%'"


class LegacyExperiment(NamedTuple):
    """A configuration, and the hash by which the old registry knew it."""

    old_hash: str
    config: ExperimentConfig


def is_database(path: str) -> bool:
    """Tell whether a file is a SQLite database; an empty file is one that holds nothing."""
    try:
        with open(path, "rb") as file:
            return file.read(len(_SQLITE_MAGIC)) in (b"", _SQLITE_MAGIC)
    except OSError:
        return False


def has_experiments(path: str) -> bool:
    """Tell whether a file is a registry of the old format.

    Raises:
        InvalidInput: It is not a SQLite database, or a damaged one.
    """
    with _open(path) as connection:
        return _is_registry(connection)


def read_experiments(path: str) -> list[LegacyExperiment]:
    """Read all experiments of an old registry, in the order of their time; nothing is returned if any is unusable.

    Raises:
        InvalidInput: The file is not such a registry, or a row in it cannot be used; the message names the row.
    """
    with _open(path) as connection:
        if not _is_registry(connection):
            raise InvalidInput("has no table 'experiments' with a 'config_hash' and a 'config_json'", source=path)
        tags: dict[str, list[str]] = {}
        for old_hash, tag in _tag_rows(connection):
            tags.setdefault(old_hash, []).append(tag)
        columns = [name for name in _COLUMNS if name in _column_names(connection, "experiments")]
        # The names come from _COLUMNS, not from the file.
        rows = connection.execute(f"SELECT {', '.join(columns)} FROM experiments ORDER BY created_at, rowid")  # noqa: S608
        found = []
        for values in rows:
            row = dict(zip(columns, values, strict=True))
            old_hash = row["config_hash"]
            source = f"{path}: experiments[{old_hash if isinstance(old_hash, str) else inline(old_hash)}]"
            if not isinstance(old_hash, str) or not old_hash:
                raise InvalidInput("has no text as its config_hash", source=source, hint=_HINT)
            try:
                found.append(LegacyExperiment(old_hash, _config(row, tags.get(old_hash, []), source)))
            except InvalidInput as error:
                error.source = error.source or source
                error.hint = error.hint or _HINT
                raise
        return found


@contextlib.contextmanager
def _open(path: str) -> Iterator[sqlite3.Connection]:
    """Open a file that may be hostile: read-only, no code from its schema, bounded work."""
    if not Path(path).is_file():
        raise InvalidInput("is a directory" if Path(path).is_dir() else "no such file or directory", source=path)
    if not is_database(path):
        raise InvalidInput("is not a SQLite database", source=path)
    try:
        with _settled(path) as settled, contextlib.closing(sqlite3.connect(settled, uri=True)) as connection:
            steps = count(0, _STEPS_AT_ONCE)
            connection.set_progress_handler(lambda: next(steps) >= _MOST_STEPS, _STEPS_AT_ONCE)
            connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MAX_CELL_BYTES)
            connection.execute("PRAGMA trusted_schema = OFF")
            connection.execute("PRAGMA query_only = ON")
            yield connection
    except (sqlite3.Error, UnicodeDecodeError) as error:  # the latter where SQLite quotes bytes of the file
        raise InvalidInput(f"cannot be read as a SQLite database: {error}", source=path) from None


@contextlib.contextmanager
def _settled(path: str) -> Iterator[str]:
    """Yield the address of a database that reading leaves as it is, with nothing beside it.

    Unfinished work in a journal beside it would have to be written into it first: that is done in a copy.
    """
    journals = [journal for journal in (f"{path}-wal", f"{path}-journal") if os.path.lexists(journal)]
    if not journals:
        yield f"{Path(path).absolute().as_uri()}?mode=ro&immutable=1"
        return
    for journal in journals:
        if not os.path.isfile(journal) or names_another(journal):
            raise InvalidInput(f"has a journal beside it that cannot be played back: '{journal}'", source=path)
    with tempfile.TemporaryDirectory(prefix="gemexp-") as folder:
        copy = Path(folder) / "copy.sqlite"
        shutil.copyfile(path, copy)
        for journal in journals:
            shutil.copyfile(journal, f"{copy}{journal.removeprefix(path)}")
        yield copy.as_uri()


def _is_registry(connection: sqlite3.Connection) -> bool:
    return {"config_hash", "config_json"} <= _column_names(connection, "experiments")


def _column_names(connection: sqlite3.Connection, table: str) -> set[str]:
    """Return the columns of a table that are stored: a view, or what is computed when it is read, is a program."""
    if connection.execute(_ORDINARY, (table,)).fetchone() is None:
        return set()
    return {name for (name,) in connection.execute("SELECT name FROM pragma_table_info(?)", (table,))}


def _tag_rows(connection: sqlite3.Connection) -> Iterator[tuple[str, str]]:
    if {"config_hash", "tag"} <= _column_names(connection, "experiment_tags"):
        yield from connection.execute("SELECT config_hash, tag FROM experiment_tags ORDER BY config_hash, tag")


def _config(row: dict[str, Any], tags: list[str], source: str) -> ExperimentConfig:
    """Build a config from ``config_json``; columns fill in what it lacks, and tags of all three places count."""
    whole = _cell(row, "config_json", source) or {}
    if not isinstance(whole, dict):
        raise InvalidValue(f"is {inline(whole)}, not a map", path=("config_json",))
    for section in SECTIONS:
        if whole.get(section) is None:
            whole[section] = _cell(row, section, source)
    for name in ("description", "created_at"):
        if row.get(name) is not None:
            whole[name] = row[name]
    for name, found in (("config_json.tags", whole.get("tags")), ("tags", _cell(row, "tags", source))):
        if found is not None and not isinstance(found, list):
            raise InvalidInput(f"its '{name}' is {inline(found)}, not a list", source=source, hint=_HINT)
        tags = [*(found or ()), *tags]
    whole["tags"] = tags
    # The old hash was computed from other bytes; what is kept of it is the alias.
    whole.pop("config_hash", None)
    return ExperimentConfig.from_dict({key: value for key, value in whole.items() if value is not None})


def _cell(row: dict[str, Any], column: str, source: str) -> Any:
    text = row.get(column)
    if text is None or text == "":
        return None
    if not isinstance(text, (str, bytes)):
        raise InvalidInput(f"its '{column}' is not JSON text, but {inline(text)}", source=source, hint=_HINT)
    return formats.loads(text, "json", source=f"{source}.{column}")
