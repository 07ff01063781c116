"""What is in the SQLite index. Its tables may change with any version; other tools read the views.

A view names its columns by their paths. SQLite does not tell LR from lr in names, so that of several such paths one
has the name alone, and the view ``paths`` says what the others are called.

Configs have the numbers that `gemexp.index.cells.id_of` gives their hashes, so that the order of numbers is that of
hashes, and a tag's rows need no hash. ``state`` adds up `PUT`, `OBJECT` and `HIDDEN`; a config is listed where it is
`SHOWN`.
"""

from __future__ import annotations

from sqlite3 import Connection
from typing import Final

from gemexp.index.columns import CONFIGS, OUTCOMES, Column, Columns
from gemexp.notation import format_path

# SQLite keeps it in the header of the file: "gxpi".
APPLICATION_ID: Final = 0x67787069
VERSION: Final = 2

# Somebody registered it; its object is there; it is deleted or replaced.
PUT, OBJECT, HIDDEN = 1, 2, 4
SHOWN: Final = PUT | OBJECT

# An outcome's object is not there, is whole, or is damaged.
MISSING, WHOLE, DAMAGED = 0, 1, 2

# The deletions are a set of the same kind as a tag's.
DELETED_TAG: Final = 0

TABLES: Final = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE folders (path TEXT PRIMARY KEY, modified INTEGER, changed INTEGER, inode INTEGER) WITHOUT ROWID;
CREATE TABLE packs (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE configs (
    id INTEGER PRIMARY KEY, hash BLOB NOT NULL, state INTEGER NOT NULL, created INTEGER, created_at TEXT,
    description TEXT, tags TEXT NOT NULL DEFAULT '', runs INTEGER, outcome INTEGER, partial INTEGER,
    loose INTEGER, pack INTEGER, start INTEGER, size INTEGER);
CREATE TABLE suspects (hash BLOB PRIMARY KEY, id INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE pairs (old TEXT NOT NULL, new TEXT NOT NULL, PRIMARY KEY (old, new)) WITHOUT ROWID;
CREATE TABLE tags (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, quoted TEXT NOT NULL);
CREATE TABLE tagged (
    tag INTEGER NOT NULL, config INTEGER NOT NULL, present INTEGER NOT NULL, loose INTEGER NOT NULL,
    PRIMARY KEY (tag, config)) WITHOUT ROWID;
CREATE TABLE parents (config INTEGER NOT NULL, parent BLOB NOT NULL, PRIMARY KEY (config, parent)) WITHOUT ROWID;
CREATE TABLE config_runs (
    config INTEGER NOT NULL, number INTEGER NOT NULL, outcome INTEGER NOT NULL, created_at TEXT NOT NULL, data TEXT,
    duration REAL, by TEXT, commit_hash TEXT, verifies TEXT, PRIMARY KEY (config, number)) WITHOUT ROWID;
CREATE TABLE outcomes (id INTEGER PRIMARY KEY, hash BLOB NOT NULL, state INTEGER NOT NULL, partial INTEGER);
CREATE TABLE columns (
    number INTEGER PRIMARY KEY, kind TEXT NOT NULL, value_table INTEGER NOT NULL, path TEXT NOT NULL,
    long INTEGER NOT NULL, big INTEGER NOT NULL, shown TEXT);
CREATE VIEW paths AS SELECT
    CASE kind WHEN 'config_values' THEN 'experiments' ELSE 'runs' END AS "view", path, shown AS "column" FROM columns;
"""

# Made when the tables are filled.
INDEXES: Final = f"""
CREATE INDEX configs_by_time ON configs (created) WHERE state = {SHOWN};
"""

# Of so many tables of values, the views show all columns: SQLite joins at most 64, and wide tables are hard to read.
_SHOWN_TABLES: Final = 8

# What the views show of the blobs that stand for values.
_WORDS: Final = {"c3": "true", "c2": "false", "c0": "null", "cb7ff8000000000000": "nan", "90": "[...]", "80": "{}"}

# Columns of the views that hold no values.
_OWN: Final = (
    *("config_hash", "outcome_hash", "created_at", "description", "tags", "runs"),
    *("data", "duration", "by", "commit", "verifies"),
)

_EXPERIMENTS: Final = """
CREATE VIEW experiments AS SELECT
    lower(hex(configs.hash)) AS config_hash, configs.created_at AS created_at, configs.description AS description,
    (SELECT '[' || coalesce(group_concat(quoted), '') || ']' FROM
        (SELECT tags.quoted AS quoted FROM json_each('[' || configs.tags || ']') AS carried
        JOIN tags ON tags.id = carried.value ORDER BY tags.name)) AS tags,
    configs.runs AS runs{columns}
FROM configs{joins} WHERE configs.state = {shown}
"""
_RUNS: Final = """
CREATE VIEW runs AS SELECT
    lower(hex(configs.hash)) AS config_hash, lower(hex(outcomes.hash)) AS outcome_hash,
    config_runs.created_at AS created_at, config_runs.data AS data, config_runs.duration AS duration,
    config_runs.by AS by, config_runs.commit_hash AS "commit", config_runs.verifies AS verifies{columns}
FROM config_runs JOIN configs ON configs.id = config_runs.config JOIN outcomes ON outcomes.id = config_runs.outcome
{joins} WHERE configs.state & {hidden} = 0
"""


def create(connection: Connection) -> None:
    """Make the tables."""
    connection.executescript(TABLES)


def create_views(connection: Connection, columns: Columns) -> None:
    """Make the views for other tools, anew if they are there."""
    for view, text, kind, key in (
        ("experiments", _EXPERIMENTS, CONFIGS, "configs.id"),
        ("runs", _RUNS, OUTCOMES, "outcomes.id"),
    ):
        tables = columns.tables(kind)
        joined = [table[0].table_name for table in tables[:_SHOWN_TABLES]]
        joins = "".join(f"\nLEFT JOIN {table} ON {table}.id = {key}" for table in joined)
        names = _names([column for table in tables for column in table])
        shown = [(column, names[column.number]) for table in tables[:_SHOWN_TABLES] for column in table]
        shown = [(column, name) for column, name in shown if name.isprintable()]
        connection.execute(f"DROP VIEW IF EXISTS {view}")
        cells = "".join(_cell(column, name) for column, name in shown)
        connection.execute(text.format(columns=cells, joins=joins, shown=SHOWN, hidden=HIDDEN))
        connection.execute("UPDATE columns SET shown = NULL WHERE kind = ?", (kind,))
        connection.executemany(
            "UPDATE columns SET shown = ? WHERE number = ?", ((name, column.number) for column, name in shown)
        )


def _names(columns: list[Column]) -> dict[int, str]:
    """Return what a view's columns are called, by their numbers.

    Which of several has a name alone must not change with the order in which they came: lr comes before LR.
    """
    taken = set(_OWN)
    found: dict[int, str] = {}
    named = {column.number: format_path(column.path) for column in columns}
    for number in sorted(named, key=lambda number: named[number].swapcase()):
        name = named[number]
        while name.lower() in taken:
            name += "_"
        taken.add(name.lower())
        found[number] = name
    return found


def _cell(column: Column, name: str) -> str:
    """Return a view's column, what SQLite has no type for as text."""
    cell = f"{column.table_name}.{column.name}"
    cases = " ".join(f"WHEN x'{code}' THEN '{word}'" for code, word in _WORDS.items())
    words = f"CASE {cell} {cases} ELSE '...' END"
    quoted = name.replace('"', '""')
    return f""",\n    CASE WHEN typeof({cell}) = 'blob' THEN {words} ELSE {cell} END AS "{quoted}\""""
