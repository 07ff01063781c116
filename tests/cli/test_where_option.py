"""``--where``: in search, list, best, runs, export and tag, and what it says of an expression that it cannot read."""

import json
import subprocess
import sys

import pytest
from surroundings import contents, snapshot

from gemexp.cli.report import pointed


@pytest.fixture
def filled(add):
    return [add({"k": k, "lr": k / 10}, "-d", f"run {k}", "-t", f"k={k}") for k in range(1, 6)]


def hashes(result):
    return [config["config_hash"] for config in result.json]


def test_search_finds_what_matches(gemexp, filled):
    assert hashes(gemexp("search", "--where", "k in [2, 4] or lr > 0.45", "--json")) == [
        filled[4],
        filled[3],
        filled[1],
    ]
    assert hashes(gemexp("search", "k=2", "--where", "lr > 0", "--json")) == [filled[1]]
    assert hashes(gemexp("search", "k=2", "--where", "lr > 1", "--json")) == []
    assert len(gemexp("search", "--where", "k > 0", "-n", 2).out.splitlines()) == 2
    assert gemexp("search", "--where", "k = 77").out == ""
    gemexp("search", code=2)


def test_list_takes_an_expression_too(gemexp, filled):
    found = gemexp("list", "--where", "k > 1", "--tag", "k=3", "--json")
    assert hashes(found) == [filled[2]]
    found = gemexp("list", "--where", "not k = 3", "--sort", "hyperparameters.k", "-n", 3, "--json")
    assert hashes(found) == [filled[0], filled[1], filled[3]]


def test_best_and_runs_take_an_expression(gemexp, filled):
    for number, config_hash in enumerate(filled):
        gemexp("record", config_hash, "-m", f"loss={number}")
    found = gemexp("best", "--metric", "loss", "--where", "k < 4", "--json").json
    assert [one["config_hash"] for one in found] == [filled[2], filled[1], filled[0]]
    found = gemexp("best", "--metric", "loss", "--where", "k < 4", "--tag", "k=2", "--json").json
    assert [one["config_hash"] for one in found] == [filled[1]]
    assert "that matches" in gemexp("best", "--metric", "loss", "--where", "k = 77", code=3).err
    assert [run["config_hash"] for run in gemexp("runs", "--where", "metric.loss > 2", "--json").json] == filled[:2:-1]
    assert gemexp("runs", filled[0], "--where", "metric.loss > 2", "--json").json == []


def test_export_writes_what_matches(gemexp, filled, project):
    assert gemexp("export", "--where", "k < 3", "some").out == "exported 2 configs to some\n"
    assert {path.stem for path in (project / "some").iterdir()} == set(filled[:2])
    gemexp("export", "--where", "k < 3", "--tag", "k=1", "one.jsonl")
    (line,) = (project / "one.jsonl").read_text("utf-8").splitlines()
    assert json.loads(line)["config_hash"] == filled[0]
    printed = gemexp("export", "--where", "k > 3", "-").json_lines
    assert sorted(config["config_hash"] for config in printed) == sorted(filled[3:])
    gemexp("-C", project, "--store", project / "other", "import", "some")
    again = gemexp("--store", project / "other", "search", "--where", "k < 3", "--json").json
    assert sorted(config["config_hash"] for config in again) == sorted(filled[:2])


def test_an_export_of_nothing_is_an_error_and_writes_nothing(gemexp, filled, project):
    for target in ("some", "some.jsonl", "-"):
        assert gemexp("export", "--where", "k > 77", target, "--json", code=3).error["subject"] == "k > 77"
    assert sorted(path.name for path in project.iterdir()) == [".gemexp"]
    gemexp("export", "--where", "k > 1", "--all", "x.jsonl", code=2)
    gemexp("export", "--where", "k > 1", code=2)
    gemexp("export", "--where", "k > 1", filled[0], "x.json", code=2)


def test_tags_are_added_and_removed_in_bulk(gemexp, filled, store):
    before = snapshot(store().root)
    assert gemexp("tag", "--where", "k > 2", "--dry-run", "good").out == "3 of 3 matching configs would be tagged\n"
    assert snapshot(store().root) == before
    assert gemexp("tag", "--where", "k > 2", "good").out == "3 of 3 matching configs tagged\n"
    found = gemexp("tag", "--where", "k > 1", "good", "fine", "--json").json
    assert found == {"matching": 4, "changed": sorted(filled[1:]), "tags": ["good", "fine"], "dry_run": False}
    assert gemexp("tag", "-d", "--where", "k = 3 or k = 1", "good").out == "1 of 2 matching configs untagged\n"
    assert (
        gemexp("tag", "-d", "--where", "k = 4", "good", "--dry-run").out == "1 of 1 matching config would be untagged\n"
    )
    counts = gemexp("tag", "--json").json
    assert (counts["good"], counts["fine"]) == (3, 4)
    assert gemexp("tag", "--where", "k = 77", "good").out == "0 of 0 matching configs tagged\n"


def test_bulk_tagging_is_undone_at_once(gemexp, filled, store):  # noqa: ARG001
    gemexp("tag", "--where", "k > 2", "good")
    gemexp("undo")
    assert "good" not in gemexp("tag", "--json").json


def test_tag_calls_that_make_no_sense_are_usage_errors(gemexp, filled):
    for arguments in (
        ["--where", "k > 2"],
        ["--where", "k > 2", "--rename", "a", "b"],
        ["--dry-run", filled[0], "x"],
        ["--dry-run"],
    ):
        assert gemexp("tag", *arguments, "--json", code=2).error["kind"] == "usage"


@pytest.mark.parametrize(
    "command",
    [["search"], ["list"], ["best", "--metric", "x"], ["runs"], ["export", "some"], ["tag", "x"], ["tag", "-d", "x"]],
    ids=" ".join,
)
def test_what_cannot_be_read_is_pointed_at_and_changes_nothing(gemexp, filled, project, command):  # noqa: ARG001
    before = contents(project)
    result = gemexp(*command, "--where", "k > 1 and tagz = 3", code=1)
    error, text, caret, hint = result.err.splitlines()
    assert error == "error: there is no field 'tagz'"
    assert text == "  k > 1 and tagz = 3"
    assert caret == "            ^"
    assert hint == "hint: did you mean 'tag'? for the hyperparameter write hyperparameters.tagz"
    found = gemexp(*command, "--where", "k > 1 and tagz = 3", "--json", code=1).error
    assert found["kind"] == "invalid-query"
    assert (found["text"], found["column"]) == ("k > 1 and tagz = 3", 11)
    assert contents(project) == before


def test_the_caret_stands_under_what_is_shown(gemexp, filled):  # noqa: ARG001
    lines = gemexp("search", "--where", "k >\n= 1", code=1).err.splitlines()
    assert lines[1:3] == ["  k >\\n= 1", "       ^"]
    lines = gemexp("search", "--where", "k = 'a\x1b[2J' x", code=1).err.splitlines()
    assert lines[1:3] == ["  k = 'a\\x1b[2J' x", " " * 17 + "^"]


@pytest.mark.parametrize(
    ("text", "column", "shown", "place"),
    [
        ("ab", 1, "  ab", 2),
        ("ab", 3, "  ab", 4),
        ("größe x", 7, "  größe x", 8),
        ("e\u0301 x", 4, "  e\u0301 x", 4),
        ("漢字 x", 4, "  漢字 x", 7),
        ("a" * 200, 101, f"  …{'a' * 70}{'a' * 30}…", 73),
    ],
)
def test_a_column_is_where_the_text_is_wide(text, column, shown, place):
    assert pointed(text, column) == [shown, " " * place + "^"]


@pytest.mark.parametrize(("arguments", "expected"), [(["list"], False), (["list", "--where", "k = 3"], True)])
def test_the_parser_is_imported_only_where_there_is_an_expression(project, filled, arguments, expected):  # noqa: ARG001
    program = f"import sys; from gemexp.cli import main; main({arguments!r}); sys.exit('lark' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], cwd=project, capture_output=True, check=False)
    assert done.returncode == expected
    assert done.stdout.count(b"\n") == (1 if expected else 5)
