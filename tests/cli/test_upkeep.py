"""``gemexp init`` and ``gemexp fsck``."""

import os
import shutil

import pytest
from surroundings import contents, snapshot


def test_init_makes_a_store_here_or_there_and_again_changes_nothing(gemexp, project):
    assert gemexp("init", "--json").json == {"store": str(project / ".gemexp"), "created": True}
    before = snapshot(project)
    assert gemexp("init", "--json").json == {"store": str(project / ".gemexp"), "created": False}
    assert "made" not in gemexp("init").out
    assert snapshot(project) == before
    gemexp("init", "new/deep")
    assert (project / "new" / "deep" / ".gemexp" / "format").exists()


def test_init_follows_the_global_options_and_the_environment(gemexp, project, monkeypatch):
    gemexp("--store", "s", "init")
    gemexp("--db", "d.sqlite", "init")
    monkeypatch.setenv("GEMEXP_DIR", str(project / "e"))
    gemexp("init")
    assert {path.name for path in project.iterdir()} == {"s", "d.gemexp", "e"}


def test_init_where_it_cannot_is_bad_input(gemexp, project):
    (project / "file").write_text("x")
    assert gemexp("init", "file", code=1).err.startswith("error: ")
    (project / "full").mkdir()
    (project / "full" / "mine").write_text("x")
    gemexp("--store", "full", "init", code=1)
    assert os.listdir(project / "full") == ["mine"]


def test_a_whole_store_is_fine(gemexp, add):
    add({"a": 1}, "-t", "x")
    assert "no problems" in gemexp("fsck").out
    found = gemexp("fsck", "--json").json
    assert (found["objects"], found["records"], found["problems"], found["repairs"]) == (1, 1, [], [])


@pytest.fixture
def damaged(add, store, project):
    hashes = [add({"a": number}) for number in range(3)]
    shutil.copytree(store().root, project / "good")
    path = f"objects/{hashes[0][:2]}/{hashes[0]}"
    os.chmod(f"{store().root}/{path}", 0o644)
    with open(f"{store().root}/{path}", "wb") as file:
        file.write(b"\x1b[31mbad")
    return path


def test_every_bad_file_is_named_and_the_exit_code_is_5(gemexp, damaged, store):
    before = snapshot(store().root)
    assert f"'{damaged}'" in gemexp("fsck", code=5).out
    found = gemexp("fsck", "--json", code=5).json
    assert [one["path"] for one in found["problems"]] == [damaged]
    assert snapshot(store().root) == before


def test_repair_takes_a_good_copy_and_quarantines_the_bad_one(gemexp, damaged, store, project):
    result = gemexp("fsck", "--repair", "--from", "good")
    assert damaged in result.out
    assert contents(store().root) == contents(project / "good")
    assert len(os.listdir(f"{store().root}/local/quarantine")) == 1
    assert gemexp("fsck", "--json").json["problems"] == []


def test_repair_without_a_copy_says_so_and_stays_5(gemexp, damaged):
    assert "no good copy" in gemexp("fsck", "--repair", code=5).out
    found = gemexp("fsck", "--json", code=5).json
    assert [one["path"] for one in found["problems"]] == [damaged]


def test_repair_reports_each_in_json(gemexp, damaged):
    found = gemexp("fsck", "--repair", "--from", "good", "--json").json
    assert [(one["path"], one["solved"]) for one in found["repairs"]] == [(damaged, True)]


def test_a_source_that_is_no_store_is_refused_before_anything_is_moved(gemexp, damaged, store):  # noqa: ARG001
    before = snapshot(store().root)
    gemexp("fsck", "--repair", "--from", "none", code=1)
    gemexp("fsck", "--from", "good", code=2)
    assert snapshot(store().root) == before


def test_a_lost_format_file_is_told(gemexp, store, project):
    store()
    (project / ".gemexp" / "format").unlink()
    for command in (["fsck"], ["list"], ["add", "-"]):
        result = gemexp(*command, stdin='{"a": 1}', code=5)
        assert "format" in result.out + result.err
    gemexp("init")
    gemexp("fsck")
