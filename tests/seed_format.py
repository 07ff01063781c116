"""Registries in the format of the home-made one that gemexp replaces."""

import json
import sqlite3
from contextlib import closing

SCHEMA = """
CREATE TABLE experiments (config_hash TEXT PRIMARY KEY, created_at, description TEXT, feature_names TEXT,
    feature_weights TEXT, feature_transformations TEXT, hyperparameters TEXT, tags TEXT, config_json TEXT);
CREATE TABLE experiment_tags (config_hash TEXT, tag TEXT);
"""
COLUMNS = (
    "config_hash",
    "created_at",
    "description",
    "feature_names",
    "feature_weights",
    "feature_transformations",
    "hyperparameters",
    "tags",
    "config_json",
)


def old_row(old_hash, k=10, **changes):
    """Return one experiment as the old registry wrote it; ``changes`` replace columns."""
    config = {
        "feature_names": ["Sentiment", "Depth"],
        "feature_weights": {"Sentiment": 0.6, "Depth": 0.4},
        "hyperparameters": {"k": k},
        "feature_transformations": {"Depth": "log"},
        "description": f"k is {k}",
        "tags": ["baseline"],
        "created_at": "2024-01-31T09:00:00",
        "config_hash": old_hash,
    }
    texts = {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in config.items()
        if name in COLUMNS
    }
    return {**texts, "config_json": json.dumps(config), **changes}


def write_registry(path, rows, tags=(), *, wal=False):
    """Write a registry file."""
    with closing(sqlite3.connect(path)) as connection, connection:
        if wal:
            connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(SCHEMA)
        for row in rows:
            columns = ", ".join(row)
            marks = ", ".join("?" * len(row))
            connection.execute(f"INSERT INTO experiments ({columns}) VALUES ({marks})", tuple(row.values()))  # noqa: S608
        connection.executemany("INSERT INTO experiment_tags VALUES (?, ?)", tags)
