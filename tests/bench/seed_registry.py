"""The peer: a home-made registry over SQLite, one durable commit for each configuration.

Written anew from its description: a table of experiments with their sections as JSON text and the whole as
``config_json``, a table of tags, an index on the time; a connection for each call, prefixes looked up with LIKE.
"""

import json
import sqlite3
from contextlib import closing
from hashlib import sha256

_SCHEMA = """
CREATE TABLE IF NOT EXISTS experiments (
    config_hash TEXT PRIMARY KEY, created_at TEXT NOT NULL, description TEXT, feature_names TEXT NOT NULL,
    feature_weights TEXT NOT NULL, feature_transformations TEXT, hyperparameters TEXT, tags TEXT,
    config_json TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS idx_created_at ON experiments(created_at);
CREATE TABLE IF NOT EXISTS experiment_tags (config_hash TEXT NOT NULL, tag TEXT NOT NULL,
    PRIMARY KEY (config_hash, tag));
"""
_SECTIONS = ("feature_names", "feature_weights", "feature_transformations", "hyperparameters")


def seed_hash(fields):
    """Return the hash that the seed gives a configuration: of its sections as sorted JSON."""
    text = json.dumps({section: fields[section] for section in _SECTIONS}, sort_keys=True)
    return sha256(text.encode()).hexdigest()


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

    def forget(self, hashes):
        """Remove what a measurement has added."""
        with closing(sqlite3.connect(self.path)) as connection, connection:
            for query in (
                "DELETE FROM experiments WHERE config_hash = ?",
                "DELETE FROM experiment_tags WHERE config_hash = ?",
            ):
                connection.executemany(query, [(one,) for one in hashes])

    def get(self, prefix):
        found = self._texts("SELECT config_json FROM experiments WHERE config_hash LIKE ? LIMIT 1", f"{prefix}%")
        return json.loads(found[0]) if found else None

    def list_all(self, limit=100):
        return self._configs("SELECT config_json FROM experiments ORDER BY created_at DESC LIMIT ?", limit)

    def search_by_tag(self, tag):
        query = """
            SELECT e.config_json FROM experiments e JOIN experiment_tags t ON e.config_hash = t.config_hash
            WHERE t.tag = ? ORDER BY e.created_at DESC"""
        return self._configs(query, tag)

    def search(self, k, lr):
        """Return the hashes of those with this ``k`` and a larger ``lr``: what the schema allows, had it the method."""
        query = """
            SELECT config_hash FROM experiments
            WHERE json_extract(hyperparameters, '$.k') = ? AND json_extract(hyperparameters, '$.lr') > ?"""
        return self._texts(query, k, lr)

    def _configs(self, query, *values):
        return [json.loads(text) for text in self._texts(query, *values)]

    def _texts(self, query, *values):
        with closing(sqlite3.connect(self.path)) as connection:
            return [text for (text,) in connection.execute(query, values)]

    @staticmethod
    def _insert(connection, fields):
        connection.execute(
            "INSERT OR REPLACE INTO experiments VALUES (?,?,?,?,?,?,?,?,?)",
            (
                fields["config_hash"],
                fields["created_at"],
                fields["description"],
                *(json.dumps(fields[section]) for section in (*_SECTIONS, "tags")),
                json.dumps(fields, sort_keys=True),
            ),
        )
        connection.execute("DELETE FROM experiment_tags WHERE config_hash = ?", (fields["config_hash"],))
        tags = [(fields["config_hash"], tag) for tag in fields["tags"]]
        connection.executemany("INSERT INTO experiment_tags VALUES (?,?)", tags)
