"""Experiments out of the home-made SQLite registry."""

import json
import os
import sqlite3
from contextlib import closing

import pytest
from seed_format import old_row, write_registry
from surroundings import snapshot

from gemexp import AmbiguousPrefix, ExperimentConfig, ExperimentRegistry, InvalidInput, legacy

OLD, OTHER = "ab" * 32, "ab12" + "cd" * 30


@pytest.fixture
def database(tmp_path):
    folder = tmp_path / "old"
    folder.mkdir()
    return folder / "experiments.sqlite"


def test_opening_one_imports_it_and_keeps_the_old_hashes_as_aliases(database):
    write_registry(database, [old_row(OLD, 10), old_row(OTHER, 20)], [(OLD, "from-table")])
    registry = ExperimentRegistry(str(database))
    assert registry.root == str(database.with_suffix(".gemexp"))
    found = registry.get(OLD[:8])
    assert found == registry.get(OLD)
    assert found.config_hash != OLD
    assert found.to_dict() == {
        "feature_names": ["Depth", "Sentiment"],
        "feature_weights": {"Sentiment": 0.6, "Depth": 0.4},
        "hyperparameters": {"k": 10},
        "feature_transformations": {"Depth": "log"},
        "description": "k is 10",
        "tags": ["baseline", "from-table"],
        "created_at": "2024-01-31T09:00:00",
        "config_hash": found.config_hash,
    }
    assert registry.get(OTHER[:4]).hyperparameters == {"k": 20}
    assert len(registry) == 2
    assert registry.check().problems == []


@pytest.mark.parametrize("wal", [False, True])
def test_the_file_and_its_folder_are_left_as_they_are(database, wal):
    write_registry(database, [old_row(OLD)], wal=wal)
    before = snapshot(database.parent)
    ExperimentRegistry(str(database)).get(OLD)
    after = snapshot(database.parent)
    assert {name: kind for name, kind in after.items() if not name.startswith("experiments.gemexp")} == before


def test_a_registry_in_use_by_another_program_is_read(database):
    with closing(sqlite3.connect(database)) as connection:
        write_registry(database, [old_row(OLD)], wal=True)
        connection.execute("SELECT count(*) FROM experiments").fetchall()
        with connection:
            connection.execute("UPDATE experiments SET description = 'in the log alone'")
        assert ExperimentRegistry(str(database)).get(OLD).description == "in the log alone"


def test_what_was_deleted_or_untagged_since_does_not_come_back(database):
    write_registry(database, [old_row(OLD, 10), old_row(OTHER, 20)])
    registry = ExperimentRegistry(database)
    registry.delete(OLD)
    registry.untag(OTHER, ["baseline"])
    registry.describe(OTHER, "mine")
    for _ in range(2):
        again = ExperimentRegistry(database)
        assert again.get(OLD) is None
        assert again.get(OTHER).tags == []
        assert again.get(OTHER).description == "mine"
        os.utime(database)


def test_experiments_that_came_to_the_old_registry_since_are_imported(database):
    write_registry(database, [old_row(OLD, 10)])
    assert len(ExperimentRegistry(database)) == 1
    with closing(sqlite3.connect(database)) as connection, connection:
        row = old_row(OTHER, 20)
        connection.execute(
            f"INSERT INTO experiments ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})",  # noqa: S608
            tuple(row.values()),
        )
    os.utime(database, (1, 1))
    assert len(ExperimentRegistry(database)) == 2


def test_importing_into_another_store_returns_old_and_new_hashes(database, registry):
    write_registry(database, [old_row(OLD, 10), old_row(OTHER, 20)])
    found = dict(registry.import_sqlite(str(database)))
    assert set(found) == {OLD, OTHER}
    assert all(registry.resolve(old) == one.config_hash for old, one in found.items())
    assert all(one.created for one in found.values())
    before = snapshot(registry.root)
    assert not any(one.created for _, one in registry.import_sqlite(str(database)))
    assert snapshot(registry.root) == before


def test_two_old_hashes_of_one_configuration_both_lead_to_it(database, registry):
    write_registry(database, [old_row(OLD, 10), old_row(OTHER, 10)])
    registry.import_sqlite(str(database))
    assert len(registry) == 1
    assert registry.resolve("abab") == registry.resolve("ab12")


def test_an_old_prefix_of_two_configurations_is_ambiguous(database, registry):
    write_registry(database, [old_row("abcd" * 16, 10), old_row("abcd" + "ef" * 30, 20)])
    registry.import_sqlite(str(database))
    with pytest.raises(AmbiguousPrefix) as caught:
        registry.get("abcd")
    assert caught.value.candidates == sorted(config.config_hash for config in registry)


def test_columns_fill_in_what_config_json_lacks(database, registry):
    write_registry(
        database, [old_row(OLD, 10, config_json=""), old_row(OTHER, 20, config_json='{"hyperparameters": {"k": 3}}')]
    )
    registry.import_sqlite(str(database))
    assert registry.get(OLD).hyperparameters == {"k": 10}
    assert registry.get(OTHER).hyperparameters == {"k": 3}
    assert registry.get(OTHER).feature_names == ["Depth", "Sentiment"]


@pytest.mark.parametrize(
    "changes",
    [
        {"description": None},
        {"tags": None},
        {"tags": ""},
        {"tags": "null"},
        {"tags": "[]"},
        {"feature_transformations": None},
        {"created_at": "2024-01-31 09:00:00"},
        {"created_at": "2024-01-31T09:00:00.123456"},
        {"config_json": json.dumps({"hyperparameters": {"missing": float("nan"), "max_delta": float("inf")}})},
    ],
    ids=str,
)
def test_what_the_seed_wrote_is_read(database, registry, changes):
    write_registry(database, [old_row(OLD, 10, **changes)])
    registry.import_sqlite(str(database))
    assert isinstance(registry.get(OLD), ExperimentConfig)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"config_json": "{"}, "config_json"),
        ({"config_json": "[1]"}, "config_json"),
        ({"config_json": "5"}, "config_json"),
        ({"config_json": 5}, "config_json"),
        ({"config_json": b"\xff\xfe"}, "config_json"),
        ({"config_json": '{"feature_names": ["a", "a"]}'}, "feature_names"),
        ({"config_json": '{"feature_names": ["a"], "extra": 1}'}, "extra"),
        ({"config_json": '{"feature_weights": {"a": "b"}}'}, "feature_weights"),
        ({"tags": "5"}, "tags"),
        ({"tags": '"abc"'}, "tags"),
        ({"tags": '{"a": 1}'}, "tags"),
        ({"tags": "[1]"}, "tags"),
        ({"tags": "baseline, best"}, "tags"),
        ({"created_at": "yesterday"}, "created_at"),
        ({"created_at": 1700000000}, "created_at"),
        ({"config_hash": None}, "config_hash"),
    ],
    ids=str,
)
def test_a_row_that_cannot_be_used_is_named_and_nothing_is_imported(database, registry, changes, word):
    write_registry(database, [old_row(OTHER, 20), {**old_row(OLD, 10), **changes}])
    before = snapshot(registry.root)
    with pytest.raises(InvalidInput, match=word) as caught:
        registry.import_sqlite(str(database))
    assert "experiments.sqlite" in str(caught.value)
    assert snapshot(registry.root) == before
    with pytest.raises(InvalidInput):
        ExperimentRegistry(database)
    assert sorted(os.listdir(database.parent)) == ["experiments.sqlite"]


@pytest.mark.parametrize(
    "schema", ["", "CREATE TABLE experiments (id, name)", "CREATE TABLE other (config_hash, config_json)"]
)
def test_another_database_holds_no_experiments(database, registry, schema):
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.executescript(f"{schema}; CREATE TABLE IF NOT EXISTS more (x)")
    assert not legacy.has_experiments(str(database))
    assert len(ExperimentRegistry(database)) == 0
    with pytest.raises(InvalidInput, match="no table 'experiments'"):
        registry.import_sqlite(str(database))


def test_a_database_without_a_table_of_tags_is_read(database, registry):
    write_registry(database, [old_row(OLD)])
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("DROP TABLE experiment_tags")
    registry.import_sqlite(str(database))
    assert registry.get(OLD).tags == ["baseline"]


def test_a_damaged_database_a_folder_and_a_missing_file_are_refused(database, registry, tmp_path):
    write_registry(database, [old_row(OLD, number) for number in [1]])
    whole = database.read_bytes()
    database.write_bytes(whole[: len(whole) // 2])
    for path in (database, tmp_path, tmp_path / "none.sqlite"):
        with pytest.raises(InvalidInput) as caught:
            registry.import_sqlite(str(path))
        assert str(path) in str(caught.value)
    assert not os.path.exists(tmp_path / "none.sqlite")


def test_names_with_signs_that_mean_something_in_addresses_are_opened(tmp_path, registry):
    path = tmp_path / "a?b#c%41 é.sqlite"
    write_registry(path, [old_row(OLD)])
    registry.import_sqlite(str(path))
    assert registry.get(OLD)
