"""``gemexp merge``: what it says, and what a script can rely on."""

import json
import os
import shutil

import pytest
from histories import CONFIGS, perform
from surroundings import contents, snapshot

from gemexp import ExperimentRegistry
from gemexp.store import layout

HASHES = [config.config_hash for config in CONFIGS]


@pytest.fixture
def other(tmp_path):
    """Another store, with two configs, one tagged and run, the other deleted."""
    registry = ExperimentRegistry(tmp_path / "other/.gemexp")
    for action in [("add", 0, "one"), ("add", 1, "two"), ("tag", 0, "best"), ("delete", 1, None), ("record", 0, 0.5)]:
        perform(registry, *action)
    return registry


def damage(registry, path, data=b"<<<<<<< HEAD\n"):
    os.unlink(f"{registry.root}/{path}")
    with open(f"{registry.root}/{path}", "wb") as file:
        file.write(data)


@pytest.mark.parametrize("name", ["{}", "{}/.gemexp", "renamed"])
def test_a_folder_that_is_a_store_or_holds_one_is_merged(gemexp, store, other, tmp_path, name):
    folder = str(tmp_path / "other")
    if name == "renamed":
        os.rename(other.root, tmp_path / "bare copy")
        folder = str(tmp_path / "bare copy")
    named = name.format(folder) if "{}" in name else folder
    out = gemexp("merge", named).out
    assert out == (
        f"{named}: took 9 files: 1 new experiment, 1 new run\n"
        "1 new experiment:\n"
        f"  {HASHES[0][:12]}  2024-01-01  one  [best]\n"
        "1 new run:\n"
        f"  {HASHES[0][:12]}  one: loss = 0.5\n"
    )
    assert gemexp("merge", named).out == f"{named}: already up to date\n"
    assert [config.config_hash for config in store().list_all()] == [HASHES[0]]
    assert gemexp("fsck").code == 0


def test_a_dry_run_writes_nothing(gemexp, store, other, project):
    before = snapshot(project)
    told = gemexp("merge", "--dry-run", other.root).out
    assert snapshot(project) == before
    assert gemexp("merge", other.root).out == told.replace("would take", "took")
    assert len(store()) == 1


def test_json_tells_files_and_changes_on_one_line_for_each_source(gemexp, store, other, tmp_path):
    second = ExperimentRegistry(tmp_path / "second")
    perform(second, "add", 2, "three")
    first, last = gemexp("merge", "--json", other.root, second.root, other.root).json_lines[:2]
    assert first["source"] == other.root
    assert first["files"] == {"objects": 4, "records": 3, "members": 2, "moves": 0}
    assert [one["config_hash"] for one in first["changes"]["added"]] == [HASHES[0]]
    assert first["changes"]["runs"][0]["metrics"] == {"loss": 0.5}
    assert (first["bad"], first["left_behind"], first["dry_run"]) == ([], [], False)
    assert last["changes"]["added"][0]["description"] == "three"
    assert len(store()) == 2


def test_all_that_is_whole_is_taken_and_the_rest_named_with_exit_code_5(gemexp, store, other, tmp_path):
    bad = layout.object_path(HASHES[0])
    damage(other, bad)
    second = ExperimentRegistry(tmp_path / "second")
    perform(second, "add", 2, "three")
    result = gemexp("merge", other.root, second.root, code=5)
    assert f"warning: {other.root}: '{bad}' was not taken: it is damaged: its content has another hash\n" in result.err
    assert [config.description for config in store().list_all()] == ["three"]
    assert store().tags_of(HASHES[0]) == ["best"]
    found = gemexp("merge", "--json", other.root, code=5).json_lines[0]
    assert found["bad"] == [{"path": bad, "message": "is damaged: its content has another hash"}]
    assert found["changes"]["added"] == []


def test_many_damaged_files_do_not_fill_the_screen(gemexp, store, other):
    assert store()
    for number in range(30):
        place = f"{other.root}/objects/{number:02x}"
        os.makedirs(place, exist_ok=True)
        with open(f"{place}/{number:02x}{'0' * 62}", "wb") as file:
            file.write(b"bad")
    err = gemexp("merge", other.root, code=5).err.splitlines()
    assert len(err) == 21
    assert err[-1].endswith("… and 10 more")


def test_what_no_reader_knows_is_left_behind_and_noted(gemexp, store, other):
    with open(f"{other.root}/refs/tags/best/{HASHES[0]}.orig", "wb"):
        pass
    os.makedirs(os.fsencode(other.root) + b"/\xff\x1b[31m")
    result = gemexp("merge", other.root)
    assert f"note: {other.root}: 'refs/tags/best/{HASHES[0]}.orig' was left behind" in result.err
    assert "\x1b" not in result.err
    assert len(store()) == 1
    left = [one["path"] for one in gemexp("merge", "--json", other.root).json_lines[0]["left_behind"]]
    assert f"refs/tags/best/{HASHES[0]}.orig" in left


def test_every_source_is_found_before_the_first_is_merged(gemexp, store, other, tmp_path):
    newer = shutil.copytree(other.root, tmp_path / "newer")
    os.unlink(newer / "format")
    (newer / "format").write_bytes(b"gemexp 2 sha256\n")
    (tmp_path / "empty").mkdir()
    before = contents(store().root), contents(newer)
    for source, code, kind in (
        ("nosuch", 3, "not-found"),
        (newer, 1, "unsupported-format"),
        (tmp_path / "empty", 1, "no-store"),
    ):
        error = gemexp("merge", other.root, source, "--json", code=code).error
        assert error["kind"] == kind
        assert error["hint"]
    assert (contents(store().root), contents(newer)) == before


def test_a_store_without_its_format_file_is_damaged(gemexp, store, other):
    assert store()
    os.unlink(f"{other.root}/format")
    assert gemexp("merge", other.root, code=5).err.startswith("error: ")


def test_merging_a_store_with_itself_or_without_an_argument(gemexp, store):
    assert gemexp("merge", ".").out == ".: already up to date\n"
    assert "missing argument" in gemexp("merge", code=2).err
    assert len(store()) == 0


def test_a_store_that_was_named_is_made(gemexp, project, other):
    gemexp("--store", "new", "merge", other.root)
    assert len(ExperimentRegistry(project / "new", create=False)) == 1
    assert gemexp("merge", other.root, code=1).err.startswith("error: there is no store")


def test_merging_is_no_command_that_undo_takes_back(gemexp, store, add, other):
    own = add({"lr": 1})
    gemexp("merge", other.root)
    gemexp("undo")
    assert [config.config_hash for config in store().list_all()] == [HASHES[0]]
    assert own not in store()


def test_where_git_is_missing_folders_are_merged_and_the_rest_is_not_found(gemexp, store, other, monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")
    gemexp("merge", other.root)
    assert len(store()) == 1
    assert "cannot run git" in gemexp("merge", "main", code=3).err


def test_the_json_of_a_merge_without_changes_has_all_its_fields(gemexp, store, other):
    assert store()
    gemexp("merge", other.root)
    (line,) = gemexp("merge", "--json", other.root).out.splitlines()
    assert json.loads(line)["changes"] == {
        part: []
        for part in (
            *("added", "restored", "deleted", "migrated", "removed"),
            *("tags", "descriptions", "names", "runs", "signatures", "checks", "aliases"),
        )
    }
