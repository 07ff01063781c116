"""The peer: a home-made registry over SQLite, one durable commit for each configuration.

Written anew from its description: a table of experiments with their sections as JSON text and the whole as
``config_json``, a table of tags, an index on the time; a connection for each call, prefixes looked up with LIKE.
"""

import json
import sqlite3
from contextlib import closing

_SCHEMA = """
CREATE TABLE IF NOT EXISTS experiments (
    config_hash TEXT PRIMARY KEY, created_at TEXT NOT NULL, description TEXT, feature_names TEXT NOT NULL,
    feature_weights TEXT NOT NULL, feature_transformations TEXT, hyperparameters TEXT, tags TEXT,
    config_json TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS idx_created_at ON experiments(created_at);
CREATE TABLE IF NOT EXISTS experiment_tags (config_hash TEXT NOT NULL, tag TEXT NOT NULL,
    PRIMARY KEY (config_hash, tag));
"""


class SeedRegistry:
    """Registers and finds what `ExperimentConfig.to_dict` returns.

    Args:
        path: The database's file.
        synchronous: SQLite's default is FULL, under which a power cut can take back the last commit: the folder is
            not synced once the journal is gone. EXTRA syncs it, and is as durable as gemexp.
    """

    def __init__(self, path, synchronous="FULL"):
        self.path = str(path)
        self._synchronous = f"PRAGMA synchronous = {synchronous}"
        with closing(sqlite3.connect(self.path)) as connection:
            connection.executescript(_SCHEMA)

    def register(self, fields):
        with closing(sqlite3.connect(self.path)) as connection:
            connection.execute(self._synchronous)
            with connection:
                self._insert(connection, fields)

    def fill(self, many):
        """Insert many in one transaction: to prepare a measurement, not to be measured."""
        with closing(sqlite3.connect(self.path)) as connection, connection:
            for fields in many:
                self._insert(connection, fields)

    def get(self, prefix):
        with closing(sqlite3.connect(self.path)) as connection:
            query = "SELECT config_json FROM experiments WHERE config_hash LIKE ?"
            row = connection.execute(query, (f"{prefix}%",)).fetchone()
        return json.loads(row[0]) if row else None

    @staticmethod
    def _insert(connection, fields):
        sections = ("feature_names", "feature_weights", "feature_transformations", "hyperparameters", "tags")
        connection.execute(
            "INSERT OR REPLACE INTO experiments VALUES (?,?,?,?,?,?,?,?,?)",
            (
                fields["config_hash"],
                fields["created_at"],
                fields["description"],
                *(json.dumps(fields[section]) for section in sections),
                json.dumps(fields, sort_keys=True),
            ),
        )
        connection.execute("DELETE FROM experiment_tags WHERE config_hash = ?", (fields["config_hash"],))
        tags = [(fields["config_hash"], tag) for tag in fields["tags"]]
        connection.executemany("INSERT INTO experiment_tags VALUES (?,?)", tags)
