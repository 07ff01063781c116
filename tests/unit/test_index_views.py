"""The views that other tools read in the SQLite index, by SQLite alone."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from gemexp import ExperimentConfig
from gemexp.store import layout


def reading(registry):
    path = Path(registry.root, layout.SQLITE_INDEX)
    connection = sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)
    connection.row_factory = sqlite3.Row
    return closing(connection)


def add(registry, **parameters):
    return registry.register(ExperimentConfig([], {}, parameters))


def found(connection, condition):
    query = f"SELECT config_hash FROM experiments AS e WHERE {condition} ORDER BY config_hash"  # noqa: S608
    return [row["config_hash"] for row in connection.execute(query)]


def test_values_of_any_type_at_one_path_are_told_apart(registry):
    values = [2.5, 2, 2**63, "2.5", "", None, True, False, [2.5], {}, float("nan"), float("inf"), "x" * 300]
    hashes = [add(registry, lr=value, number=number) for number, value in enumerate(values)]
    registry.build_index()
    with reading(registry) as connection:
        assert found(connection, 'e."hyperparameters.lr" = 2.5') == hashes[:1]
        assert found(connection, "e.\"hyperparameters.lr\" = '2.5'") == hashes[3:4]
        query = 'SELECT "hyperparameters.lr", typeof("hyperparameters.lr") FROM experiments ORDER BY config_hash'
        shown = dict(zip(sorted(hashes), map(tuple, connection.execute(query)), strict=True))
        assert [shown[name] for name in hashes] == [
            *((2.5, "real"), (2, "integer"), ("...", "text"), ("2.5", "text"), ("", "text"), ("null", "text")),
            *(("true", "text"), ("false", "text"), ("[...]", "text"), ("{}", "text"), ("nan", "text")),
            *((float("inf"), "real"), ("...", "text")),
        ]
        assert found(connection, 'e."hyperparameters.lr" IS NULL') == []


@pytest.mark.parametrize("first", ["LR", "lr"])
@pytest.mark.parametrize("updated", [False, True])
def test_names_that_differ_by_case_alone_belong_to_the_same_paths_whatever_came_first(registry, first, updated):
    other = "lr" if first == "LR" else "LR"
    one = add(registry, **{first: 2.5, "all": [1]})
    if updated:
        registry.build_index()
    two = add(registry, **{other: 2.5, "none": None})
    both = add(registry, LR=1, lr=2.5)
    if updated:
        assert registry.select("lr = 2.5")  # brings the index up to date
    else:
        registry.build_index()
    small, large = (one, two) if first == "lr" else (two, one)
    with reading(registry) as connection:
        assert found(connection, 'e."hyperparameters.lr" = 2.5') == sorted([small, both])
        assert found(connection, 'e."hyperparameters.LR_" = 2.5') == [large]
        assert found(connection, 'e."hyperparameters.LR_" = 1') == [both]


def test_every_path_is_told_with_the_column_that_shows_it(registry):
    config = add(registry, LR=1, lr={"a.b": 2, "c": 3}, **{f"p{number}": number for number in range(300)})
    registry.record(config, {"loss": 0.5}, data={"days": 3})
    registry.build_index()
    with reading(registry) as connection:
        query = 'SELECT "column" FROM paths WHERE "view" = ? AND path = ?'
        for view, path, column in (
            ("experiments", ["hyperparameters", "LR"], "hyperparameters.LR"),
            ("experiments", ["hyperparameters", "lr", "a.b"], 'hyperparameters.lr."a.b"'),
            ("runs", ["metric", "loss"], "metric.loss"),
            ("runs", ["data", "days"], "data.days"),
        ):
            assert [tuple(row) for row in connection.execute(query, (view, json.dumps(path)))] == [(column,)]
        for view in ("experiments", "runs"):
            columns = [row[0] for row in connection.execute(f"SELECT * FROM {view}").description]  # noqa: S608
            query = 'SELECT "column" FROM paths WHERE "view" = ? AND "column" IS NOT NULL'
            named = {row[0] for row in connection.execute(query, (view,))}
            assert named == {column for column in columns if "." in column}
        (left,) = connection.execute('SELECT count(*) FROM paths WHERE "column" IS NULL').fetchone()
        assert left == 303 - 8 * 32  # a table with more columns is not readable


def test_a_name_that_is_no_column_is_an_error_where_the_view_is_named(registry):
    add(registry, lr=2.5)
    registry.build_index()
    with reading(registry) as connection, pytest.raises(sqlite3.OperationalError, match="no such column"):
        found(connection, 'e."hyperparameters.rate" = 2.5')
