"""``gemexp export FILE.parquet``, and what other tools make of it."""

import json
import os
import sys
import threading

import duckdb
import pytest
from pyarrow import parquet

from gemexp import ExperimentConfig


@pytest.fixture
def filled(store):
    registry = store()
    for number in range(4):
        config = ExperimentConfig(
            ["a"],
            {"a": 0.5},
            {"lr": number or 0.5, "k.d": [number], "mixed": number or "text", "big": 2**63 + number},
            description=f"é {number}\n",
            tags=["t", f"n={number}"],
            created_at=f"2024-01-0{number + 1}T09:00:00+02:00",
        )
        registry.register(config)
        if number:
            registry.record(config, {"sharpe": number / 2, "bad": float("nan") if number == 2 else None})
    return registry


def test_all_are_exported_with_a_column_for_each_value(gemexp, filled, project):
    assert gemexp("export", "--all", "all.parquet", "--json").json == {"exported": 4, "target": "all.parquet"}
    rows = parquet.read_table(project / "all.parquet").to_pylist()
    assert [row["config_hash"] for row in rows] == sorted(config.config_hash for config in filled)
    by_day = {row["created_at"].day: row for row in rows}
    assert [by_day[day]["hyperparameters.lr"] for day in (1, 2, 3, 4)] == [0.5, 1.0, 2.0, 3.0]
    assert [by_day[day]["hyperparameters.mixed"] for day in (1, 2)] == ['"text"', "1"]
    assert by_day[4]["hyperparameters.big"] == 2**63 + 3
    assert by_day[1]['hyperparameters."k.d"'] == [0]
    assert by_day[1]["metric.sharpe"] is None
    assert [json.dumps(by_day[day]["metric.bad"]) for day in (2, 3, 4)] == ["null", "NaN", "null"]
    assert gemexp("export", "--all", "all.jsonl").out == "exported 4 configs to all.jsonl\n"
    assert [row["config"] for row in rows] == (project / "all.jsonl").read_text("utf-8").splitlines()


def test_export_then_import_keeps_hash_description_tags_and_time(gemexp, filled, project):  # noqa: ARG001
    gemexp("export", "--all", "all.parquet")
    gemexp("init", "other")
    for _ in range(2):
        assert len(gemexp("-C", project / "other", "import", "../all.parquet", "-q").out.split()) == 4
        assert gemexp("-C", project / "other", "list", "--json").json == gemexp("-C", project, "list", "--json").json


@pytest.mark.parametrize(
    ("chosen", "count"), [(["--tag", "t"], 4), (["--tag", "n=2"], 1), (["--where", "metric.sharpe > 0.5"], 2)]
)
def test_those_with_a_tag_or_that_match_are_exported(gemexp, filled, project, chosen, count):  # noqa: ARG001
    assert gemexp("export", *chosen, "some.parquet").out.startswith(f"exported {count} config")
    assert parquet.read_metadata(project / "some.parquet").num_rows == count


@pytest.mark.parametrize("chosen", [["--tag", "none"], ["--where", "lr > 9"], ["--where", "lr > 0", "--tag", "none"]])
def test_nothing_to_export_leaves_what_is_there(gemexp, filled, project, chosen):  # noqa: ARG001
    (project / "some.parquet").write_text("old")
    assert "no config" in gemexp("export", *chosen, "some.parquet", code=3).err
    assert (project / "some.parquet").read_text() == "old"
    assert sorted(path.name for path in project.iterdir()) == [".gemexp", "some.parquet"]


def test_a_store_without_configs_becomes_a_file_without_rows(gemexp, store):  # noqa: ARG001
    gemexp("export", "--all", "none.parquet")
    assert parquet.read_table("none.parquet").num_rows == 0
    assert duckdb.sql("SELECT count(*) FROM 'none.parquet'").fetchall() == [(0,)]


def test_duckdb_queries_it(gemexp, filled):  # noqa: ARG001
    gemexp("export", "--all", "all.parquet")
    found = duckdb.sql(
        """SELECT "hyperparameters.lr", "metric.sharpe", len(tags), config->>'$.description' FROM 'all.parquet'
        WHERE list_contains(tags, 't') AND "metric.sharpe" > 0.5 ORDER BY created_at DESC"""
    )
    assert found.fetchall() == [(3.0, 1.5, 2, "é 3\n"), (2.0, 1.0, 2, "é 2\n")]


def test_a_pipe_is_written_into_and_stays_a_pipe(gemexp, filled, project):  # noqa: ARG001
    os.mkfifo(project / "pipe.parquet")
    received = []

    def read():
        with open(project / "pipe.parquet", "rb") as file:
            received.append(file.read())

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    gemexp("export", "--all", "pipe.parquet")
    reader.join(timeout=20)
    (project / "copy.parquet").write_bytes(received[0])
    assert parquet.read_metadata(project / "copy.parquet").num_rows == 4
    assert (project / "pipe.parquet").is_fifo()


@pytest.mark.parametrize("target", ["none/x.parquet", "folder.parquet"])
def test_what_cannot_be_written_is_bad_input(gemexp, filled, project, target):  # noqa: ARG001
    (project / "folder.parquet").mkdir()
    assert target in gemexp("export", "--all", target, code=1).err
    assert sorted(path.name for path in project.iterdir()) == [".gemexp", "folder.parquet"]


def test_one_config_is_not_written_as_json_under_that_name(gemexp, filled, project):
    (config_hash, *_) = [config.config_hash for config in filled]
    error = gemexp("export", config_hash, "x.parquet", code=2).err
    assert "--where" in error
    assert not (project / "x.parquet").exists()


def test_without_pyarrow_the_extra_is_named(gemexp, filled, project, monkeypatch):  # noqa: ARG001
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert "pip install 'gemexp[parquet]'" in gemexp("export", "--all", "x.parquet", code=1).err
    assert not (project / "x.parquet").exists()


def test_what_is_no_exported_parquet_file_imports_nothing(gemexp, filled, project):
    gemexp("export", "--all", "all.parquet")
    duckdb.sql("COPY (SELECT config_hash FROM 'all.parquet') TO 'less.parquet'")
    duckdb.sql("""COPY (SELECT '{"lr": 1}' AS config) TO 'other.parquet'""")
    (project / "text.parquet").write_text("PAR1")
    (project / "cut.parquet").write_bytes((project / "all.parquet").read_bytes()[:-100])
    for name, words in (
        ("less.parquet", "has no column 'config'"),
        ("other.parquet", "'other.parquet:1'"),
        ("text.parquet", "is not a Parquet file"),
        ("cut.parquet", "is not a Parquet file"),
        ("none.parquet", "no such file"),
    ):
        assert words in gemexp("import", name, code=1).err
    assert len(filled) == 4
