"""Where a store lies, and making one."""

import os
from pathlib import Path

import pytest
from surroundings import contents, snapshot

from gemexp import Corrupt, ExperimentRegistry, GemexpError, NoStore, UnsupportedFormat
from gemexp.errors import InvalidInput
from gemexp.store import location


def test_a_new_store_has_the_files_of_the_specification(tmp_path):
    root = tmp_path / ".gemexp"
    assert location.init(str(root))
    assert contents(root) == {
        ".gitattributes": b"* -text\n/objects/** -diff\n/index/** -diff\n/refs/names/** -diff\n/packs/** -diff\n",
        ".gitignore": b"/local/\n",
        "format": b"gemexp 1 sha256\n",
    }


def test_making_a_store_again_changes_nothing(tmp_path):
    root = str(tmp_path / ".gemexp")
    location.init(root)
    ExperimentRegistry(root).register_all([])
    before = snapshot(root)
    assert not location.init(root)
    assert snapshot(root) == before


def test_git_files_that_a_user_changed_are_kept(tmp_path):
    root = tmp_path / ".gemexp"
    location.init(str(root))
    (root / ".gitattributes").chmod(0o644)
    (root / ".gitattributes").write_text("* -text\nmine\n")
    location.init(str(root))
    assert (root / ".gitattributes").read_text() == "* -text\nmine\n"


def test_a_folder_with_other_things_is_not_made_a_store(tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    before = snapshot(tmp_path)
    with pytest.raises(InvalidInput) as caught:
        location.init(str(tmp_path))
    assert caught.value.hint
    assert snapshot(tmp_path) == before


def test_a_store_without_its_format_file_is_told_and_init_completes_it(tmp_path):
    root = tmp_path / ".gemexp"
    location.init(str(root))
    (root / "format").unlink()
    with pytest.raises(Corrupt, match="format") as caught:
        ExperimentRegistry(root, create=False)
    assert "fsck --repair" in caught.value.hint
    assert location.init(str(root))
    ExperimentRegistry(root, create=False)


@pytest.mark.parametrize("line", ["gemexp 2 sha256\n", "gemexp 1 blake3\n", "gemexp 2 sha256 packs\nmore\n"])
def test_a_store_of_a_newer_version_is_refused_and_not_touched(tmp_path, line):
    root = tmp_path / ".gemexp"
    root.mkdir()
    (root / "format").write_text(line)
    before = snapshot(tmp_path)
    for attempt in (location.init, location.check, ExperimentRegistry):
        with pytest.raises(UnsupportedFormat):
            attempt(str(root))
    assert snapshot(tmp_path) == before


class TestLocating:
    def test_the_nearest_store_upwards_is_found(self, tmp_path, monkeypatch):
        ExperimentRegistry(tmp_path / ".gemexp")
        deep = tmp_path / "a" / "b"
        deep.mkdir(parents=True)
        monkeypatch.chdir(deep)
        assert location.locate().root == str(tmp_path / ".gemexp")
        assert not location.locate().chosen
        ExperimentRegistry(tmp_path / "a" / ".gemexp")
        assert location.locate().root == str(tmp_path / "a" / ".gemexp")

    def test_without_a_store_it_is_the_one_that_would_be_made_here(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        assert location.locate().root == str(tmp_path / ".gemexp")
        assert not (tmp_path / ".gemexp").exists()
        assert ExperimentRegistry().root == str(tmp_path / ".gemexp")
        assert (tmp_path / ".gemexp" / "format").exists()

    def test_the_environment_names_the_store(self, tmp_path, monkeypatch):
        ExperimentRegistry(tmp_path / ".gemexp")
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("GEMEXP_DIR", "elsewhere")
        assert location.locate() == (str(tmp_path / "elsewhere"), None, True)
        monkeypatch.setenv("GEMEXP_DIR", "")
        assert location.locate().root == str(tmp_path / ".gemexp")

    def test_a_folder_is_the_store_itself_or_holds_one(self, tmp_path):
        ExperimentRegistry(tmp_path / "project" / ".gemexp")
        assert location.locate(tmp_path / "project").root == str(tmp_path / "project" / ".gemexp")
        assert location.locate(tmp_path / "project" / ".gemexp").root == str(tmp_path / "project" / ".gemexp")
        assert location.locate(tmp_path / "new").root == str(tmp_path / "new")

    @pytest.mark.parametrize("name", ["db.sqlite", "db.db", "db.SQLite3", "db.v2.sqlite"])
    def test_a_database_has_its_store_beside_it(self, tmp_path, name):
        expected = str(tmp_path / f"{Path(name).stem}.gemexp")
        assert location.locate(tmp_path / name) == (expected, str(tmp_path / name), True)
        (tmp_path / name).touch()
        assert location.locate(str(tmp_path / name)).root == expected

    def test_the_home_folder_may_be_written_as_a_tilde(self, monkeypatch, tmp_path):
        monkeypatch.setenv("HOME", str(tmp_path))
        assert location.locate("~/x.sqlite").root == str(tmp_path / "x.gemexp")
        assert location.locate("~/store").root == str(tmp_path / "store")


def test_a_store_that_is_not_there_is_not_made_unless_asked(tmp_path):
    with pytest.raises(NoStore) as caught:
        ExperimentRegistry(tmp_path / "none", create=False)
    assert "init" in caught.value.hint
    assert os.listdir(tmp_path) == []


def test_a_file_in_a_stores_place_is_no_store(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("hello")
    monkeypatch.setenv("GEMEXP_DIR", str(tmp_path / "file"))
    with pytest.raises(NoStore):
        ExperimentRegistry(create=False)
    with pytest.raises(GemexpError):
        ExperimentRegistry()
    assert (tmp_path / "file").read_text() == "hello"
