"""``gemexp undo``: what reverses the last command is added, and said."""

import os
import shutil
from pathlib import Path

import pytest
from seed_format import old_row, write_registry
from surroundings import contents, merge, snapshot

from gemexp import ExperimentConfig, ExperimentRegistry
from gemexp.cli.commands import _COMMANDS
from gemexp.cli.session import _UNDOABLE
from gemexp.store import check, journal
from gemexp.store.files import Folder


@pytest.fixture
def state(gemexp):
    """Return what the store says."""
    return lambda: tuple(gemexp(*command, "--json").json for command in (["list"], ["tag"], ["name"], ["alias"]))


@pytest.fixture
def one(add):
    return add({"a": 1}, "-d", "first", "-t", "best")


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (["add", "-", "-t", "new", "-d", "other"], "  delete {new}"),
        (["add", "--from", "best", "--set", "hyperparameters.a=2"], "  delete {new}"),
        (["tag", "best", "x", "y"], "  untag {one} x"),
        (["tag", "-d", "best", "best"], "  tag {one} best"),
        (["tag", "--rename", "best", "worst"], "  untag {one} worst"),
        (["describe", "best", "second"], '  describe {one} "first"'),
        (["delete", "best", "-f"], "  restore {one}"),
        (["name", "production", "best"], "  name production taken away"),
        (["alias", "dead", "best"], "  alias dead taken away"),
    ],
    ids=lambda value: "-".join(value[:2]) if isinstance(value, list) else "",
)
def test_each_command_is_taken_back_and_said(gemexp, store, one, state, command, told):
    before, held = state(), contents(store().root)
    gemexp(*command, stdin='{"a": 2}')
    assert state() != before
    new = ExperimentConfig([], {}, {"a": 2}).config_hash
    lines = gemexp("undo").out.splitlines()
    assert lines[0].startswith(f"took back: gemexp {command[0]} ")
    assert told.format(one=one[:12], new=new[:12]) in lines
    assert state() == before
    assert held.items() <= contents(store().root).items()
    assert check.check(Folder(store().root)).problems == []


def test_two_undos_take_back_two_commands(gemexp, one, state):
    before = state()
    gemexp("restore", gemexp("delete", one, "-f").out.split()[1])
    between = state()
    gemexp("describe", one, "second")
    gemexp("describe", one, "third")
    gemexp("undo")
    assert gemexp("show", one, "--json").json["description"] == "second"
    gemexp("undo")
    assert state() == between
    assert gemexp("undo").out.startswith(f"took back: gemexp restore {one[:12]}\n")
    assert gemexp("undo").out.startswith(f"took back: gemexp delete {one} -f\n")
    assert state() == before
    gemexp("undo")
    assert gemexp("list", "--json").json == []
    assert gemexp("undo", "--json", code=3).error["kind"] == "not-found"


def test_a_dry_run_tells_and_writes_nothing(gemexp, one, store):
    gemexp("tag", one, "x")
    before = snapshot(store().root)
    result = gemexp("undo", "--dry-run")
    assert result.out == f"would take back: gemexp tag {one} x\n  untag {one[:12]} x\n"
    assert snapshot(store().root) == before
    value = gemexp("undo", "--dry-run", "--json").json
    assert value["command"] == ["tag", one, "x"]
    assert value["done"] == [{"action": "untag", "subject": one, "value": "x"}]
    assert (value["left"], value["dry_run"]) == ([], True)
    assert snapshot(store().root) == before


def test_a_command_that_changed_nothing_is_not_what_undo_takes_back(gemexp, one):
    gemexp("tag", one, "x")
    gemexp("tag", one, "x")
    gemexp("describe", one, "first")
    assert gemexp("undo").out.startswith(f"took back: gemexp tag {one} x\n")


def test_what_reads_or_records_runs_is_not_taken_back(gemexp, one):
    gemexp("tag", one, "x")
    gemexp("record", one, "-m", "loss=1")
    gemexp("migrate", "--default", "hyperparameters.b=1", "-f")
    gemexp("list")
    assert gemexp("undo").out.startswith(f"took back: gemexp tag {one} x\n")


def test_what_was_undone_and_done_again_is_as_if_done_once(gemexp, one, add):
    gemexp("undo")
    assert add({"a": 1}) == one
    (config,) = gemexp("list", "--json").json
    assert (config["description"], config["tags"]) == ("", [])
    gemexp("undo")
    add({"a": 1}, "-d", "first", "-t", "best")
    assert gemexp("show", "best:description").out == "first\n"


class TestWhatOthersChangedSince:
    @pytest.fixture
    def elsewhere(self, project, one, store):  # noqa: ARG002 - it is there before the clone is made
        """Return a clone of the store, and what brings its changes back here."""
        clone = project / "clone"
        shutil.copytree(store().root, clone, ignore=shutil.ignore_patterns("local"))
        return ExperimentRegistry(clone), lambda: merge(clone, store().root)

    def test_it_is_left_and_said(self, gemexp, elsewhere, one):
        other, bring = elsewhere
        gemexp("tag", one, "x", "y")
        bring()
        merge(Path(".gemexp"), other.root)
        other.untag(one, ["x"])
        bring()
        result = gemexp("undo")
        assert result.out.splitlines() == [
            f"took back: gemexp tag {one} x y",
            f"  untag {one[:12]} y",
            f"  left: untag {one[:12]} x: it was changed since",
        ]
        assert gemexp("tag", one).out == "best\n"

    def test_nothing_taken_back_is_an_exit_code_and_the_next_goes_on(self, gemexp, elsewhere, one):
        other, bring = elsewhere
        gemexp("tag", one, "kept")
        gemexp("describe", one, "mine")
        merge(Path(".gemexp"), other.root)
        other.describe(one, "theirs")
        bring()
        value = gemexp("undo", "--json", code=1).json
        assert value["done"] == []
        assert value["left"] == [
            {"action": "describe", "subject": one, "value": None, "reason": "it was described since"}
        ]
        assert gemexp("show", f"{one}:description").out == "theirs\n"
        assert gemexp("undo").out.startswith(f"took back: gemexp tag {one} kept\n")

    def test_a_config_that_others_registered_too_stays(self, gemexp, elsewhere, add):
        other, bring = elsewhere
        both = add({"b": 1}, "-t", "mine")
        other.register(ExperimentConfig([], {}, {"b": 1}))
        bring()
        result = gemexp("undo")
        assert "it is registered by another record too" in result.out
        assert gemexp("show", both, "--json").json["tags"] == []

    def test_a_name_that_was_moved_since_stays(self, gemexp, elsewhere, one, add):
        other, bring = elsewhere
        second = add({"b": 1})
        gemexp("name", "production", one)
        merge(Path(".gemexp"), other.root)
        other.move_name("production", second)
        bring()
        assert "left: name production taken away: it was moved since" in gemexp("undo", code=1).out
        assert gemexp("name", "production", "-q").out.strip() == second

    def test_rivals_that_a_command_settled_are_rivals_again(self, gemexp, elsewhere, one, add):
        other, bring = elsewhere
        second = add({"b": 1})
        merge(Path(".gemexp"), other.root)
        other.move_name("production", second)
        other.describe(one, "theirs")
        gemexp("name", "production", one)
        gemexp("describe", one, "mine")
        bring()
        registry = ExperimentRegistry(".gemexp")
        before = [move.config for move in registry.pointer("production").heads]
        described = registry.metadata(one)
        assert (len(before), len(described.other_descriptions)) == (2, 1)
        gemexp("name", "--resolve", "production", second)
        gemexp("describe", one, "settled")
        gemexp("undo")
        after = registry.metadata(one)
        assert (after.description, after.other_descriptions) == (described.description, described.other_descriptions)
        gemexp("undo")
        assert [move.config for move in registry.pointer("production").heads] == before

    @pytest.mark.usefixtures("elsewhere")
    def test_each_copy_of_a_store_has_its_own_journal(self, gemexp):
        gemexp("--store", "clone", "undo", code=3)


def test_a_config_that_was_run_since_is_left(gemexp, one):
    gemexp("record", one, "-m", "loss=1")
    assert "it was run since" in gemexp("undo", code=1).out
    assert gemexp("show", "best:config_hash").out.strip() == one


def test_a_config_that_was_migrated_since_is_left_with_its_tags(gemexp, one):
    gemexp("migrate", "--default", "hyperparameters.b=1", "-f")
    assert f"left: delete {one[:12]}: it was migrated since" in gemexp("undo", code=1).out
    (config,) = gemexp("list", "--json").json
    assert config["tags"] == ["best"]


def test_a_config_that_another_was_migrated_to_since_is_left(gemexp, one, add):
    add({"a": 1, "b": 1})
    gemexp("migrate", "--drop", "hyperparameters.b", "-f")
    gemexp("undo", code=1)
    assert f"left: delete {one[:12]}: it was migrated since" in gemexp("undo", code=1).out
    assert [config["config_hash"] for config in gemexp("list", "--json").json] == [one]


def test_files_that_a_checkout_took_away_are_passed_over(gemexp, one, store):
    gemexp("tag", one, "x")
    (Path(store().root) / "refs/tags/x" / one).unlink()
    assert "it was changed since" in gemexp("undo", code=1).out
    assert gemexp("tag", one).out == "best\n"


def test_a_deletion_is_taken_back_while_the_config_lies_in_the_trash(gemexp, one, store):
    gemexp("delete", one, "-f")
    os.utime(Path(store().root) / "refs/deleted" / one, (0, 0))
    gemexp("gc", "--grace", "1h")
    gemexp("show", one, code=3)
    assert f"restore {one[:12]}" in gemexp("undo", "--dry-run").out
    gemexp("undo")
    assert gemexp("show", "best:hyperparameters.a").out == "1\n"


def test_a_deletion_stays_once_the_config_is_gone_for_good(gemexp, one):
    gemexp("delete", one, "-f")
    gemexp("gc", "--grace", "0")
    assert f"left: restore {one[:12]}: it was collected since" in gemexp("undo", code=1).out
    gemexp("fsck")


@pytest.mark.usefixtures("store")
def test_an_old_registry_is_taken_back_and_its_hashes_still_tell_what_was_deleted(gemexp, project):
    database = project / "old.sqlite"
    write_registry(database, [old_row(f"{number}" * 64, k=number) for number in range(3)])
    gemexp("import", "--sqlite", database)
    assert [alias["alias"] for alias in gemexp("alias", "--json").json] == [f"{number}" * 64 for number in range(3)]
    result = gemexp("undo")
    assert result.out.count("  delete ") == result.out.count("  untag ") == 3
    assert gemexp("list", "--json").json == []
    assert "deleted" in gemexp("show", "1111", code=3).err
    gemexp("import", "--sqlite", database)
    assert len(gemexp("search", "baseline", "--json").json) == 3
    assert gemexp("show", "1111:hyperparameters.k").out == "1\n"


@pytest.mark.usefixtures("one")
def test_what_is_too_large_to_undo_is_said(gemexp, monkeypatch):
    monkeypatch.setattr(journal, "MAX_COMMAND_BYTES", 1000)
    gemexp("add", "-", "--jsonl", stdin="".join(f'{{"n": {number}}}\n' for number in range(20)))
    assert "too large to undo" in gemexp("undo", code=1).err
    assert len(gemexp("list", "--json").json) == 21
    gemexp("undo")
    assert len(gemexp("list", "--json").json) == 20


@pytest.mark.parametrize("count", [300, 1100], ids=["several batches of files", "a pack"])
def test_a_bulk_add_is_one_command(gemexp, store, count):
    gemexp("add", "-", "--jsonl", "-t", "bulk", stdin="".join(f'{{"n": {number}}}\n' for number in range(count)))
    value = gemexp("undo", "--json").json
    actions = [one["action"] for one in value["done"]]
    assert (actions.count("delete"), actions.count("untag")) == (count, count)
    assert (gemexp("list", "--json").json, gemexp("tag", "--json").json) == ([], {})
    gemexp("add", "-", "--jsonl", stdin='{"n": 1}\n')
    assert [config["tags"] for config in gemexp("list", "--json").json] == [[]]
    assert check.check(Folder(store().root)).problems == []


def test_foreign_text_in_the_journal_cannot_act(gemexp, one):
    gemexp("describe", one, "\x1b]0;evil\x07")
    gemexp("tag", one, "\x1b[31m")
    for _ in range(2):
        result = gemexp("undo")
        assert "\x1b" not in result.out
        assert "\x07" not in result.out


def test_what_can_be_undone_are_commands():
    assert set(_COMMANDS) >= _UNDOABLE
