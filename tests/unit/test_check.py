"""Checking a store, naming what is bad, and repairing it from copies."""

import os
import shutil

import pytest
from surroundings import contents, snapshot

from gemexp import ExperimentConfig, ExperimentRegistry, NoStore
from gemexp.canonical import encode
from gemexp.digest import hash_bytes


@pytest.fixture
def filled(registry):
    base = registry.register(ExperimentConfig(["a"], {"a": 1}, {"k": 1}, description="base", tags=["t", "u"]))
    variant = registry.register(ExperimentConfig(["a"], {"a": 2}, {"k": 2}), parents=[base])
    registry.describe(base, "better")
    registry.untag(base, ["u"])
    registry.delete(variant)
    registry.restore(variant)
    return registry


@pytest.fixture
def copy(filled, tmp_path):
    shutil.copytree(filled.root, tmp_path / "copy")
    return ExperimentRegistry(tmp_path / "copy")


def rewrite(root, path, data):
    """Put other bytes in a file's place, without touching what else may share its content."""
    full = os.path.join(root, path)
    os.unlink(full)
    with open(full, "wb") as file:
        file.write(data)


def first(root, start):
    return next(name for name in sorted(contents(root)) if name.startswith(start))


def problems(registry):
    return {problem.path: problem.message for problem in registry.check().problems}


def test_a_whole_store_has_no_problems_and_checking_changes_nothing(filled):
    before = snapshot(filled.root)
    report = filled.check()
    assert report.problems == []
    assert report.notes == []
    assert (report.objects, report.records, report.members) == (2, 3, 5)
    assert snapshot(filled.root) == before


def test_an_empty_store_has_no_problems(registry):
    assert registry.check().problems == []


DAMAGES = {
    "flipped": lambda data: bytes([data[0] ^ 1]) + data[1:],
    "cut": lambda data: data[:-1],
    "emptied": lambda _: b"",
    "longer": lambda data: data + b"\x00",
    "zeros": lambda data: bytes(len(data)),
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("kind", ["objects/", "index/"])
def test_every_damaged_object_and_record_is_named_and_taken_from_a_copy(filled, copy, kind, damage):
    damaged = {}
    for path, data in contents(filled.root).items():
        if path.startswith(kind):
            damaged[path] = data
            rewrite(filled.root, path, DAMAGES[damage](data))
    assert set(problems(filled)) == set(damaged)
    repairs = filled.repair(filled.check().problems, [copy.root])
    assert all(one.solved for one in repairs)
    assert problems(filled) == {}
    assert contents(filled.root) == contents(copy.root)
    quarantined = os.listdir(f"{filled.root}/local/quarantine")
    assert len(quarantined) == len(damaged)


def test_an_object_under_another_objects_name_is_named(filled):
    one, other = [path for path in contents(filled.root) if path.startswith("objects/")]
    rewrite(filled.root, one, contents(filled.root)[other])
    assert set(problems(filled)) == {one}


def test_bytes_that_are_no_canonical_configuration_are_named_even_under_their_hash(filled):
    for data in (b"\x81\xd9\x01$\xa1x\xa1$", encode({"$": "gemexp/config@1"}), encode({"$": "gemexp/config@2"})):
        name = hash_bytes(data)
        folder = f"{filled.root}/objects/{name[:2]}"
        os.makedirs(folder, exist_ok=True)
        with open(f"{folder}/{name}", "wb") as file:
            file.write(data)
        assert f"objects/{name[:2]}/{name}" in problems(filled)


def test_a_missing_object_is_named_and_taken_from_a_copy(filled, copy):
    path = first(filled.root, "objects/")
    os.unlink(f"{filled.root}/{path}")
    assert list(problems(filled)) == [path]
    assert "missing" in problems(filled)[path]
    assert [one.solved for one in filled.repair(filled.check().problems, [copy.root])] == [True]
    assert contents(filled.root) == contents(copy.root)


def test_a_missing_object_without_a_copy_stays_a_problem(filled):
    path = first(filled.root, "objects/")
    os.unlink(f"{filled.root}/{path}")
    assert [one.solved for one in filled.repair(filled.check().problems)] == [False]
    assert list(problems(filled)) == [path]


def test_a_damaged_copy_is_not_taken_and_a_later_good_one_is(filled, copy, tmp_path):
    shutil.copytree(copy.root, tmp_path / "good")
    path = first(filled.root, "objects/")
    rewrite(filled.root, path, b"bad")
    rewrite(copy.root, path, b"bad too")
    repairs = filled.repair(filled.check().problems, [copy.root, str(tmp_path / "good")])
    assert [one.solved for one in repairs] == [True]
    assert contents(filled.root) == contents(tmp_path / "good")


def test_tags_and_deletions_with_content_are_named_and_written_anew(filled):
    before = contents(filled.root)
    members = [path for path in before if path.startswith("refs/")]
    for path in members:
        rewrite(filled.root, path, b"x")
    assert set(problems(filled)) == set(members)
    assert all(one.solved for one in filled.repair(filled.check().problems))
    assert contents(filled.root) == before


def test_a_gap_in_a_set_is_named_and_filled(filled):
    path = next(path for path in contents(filled.root) if path.startswith("refs/tags/u/") and not path.endswith(".2"))
    before = contents(filled.root)
    os.unlink(f"{filled.root}/{path}")
    assert list(problems(filled)) == [path]
    assert all(one.solved for one in filled.repair(filled.check().problems))
    assert contents(filled.root) == before


def test_a_tag_of_an_object_that_is_not_there_is_named(filled):
    ghost = "12" * 32
    rewrite_new(f"{filled.root}/refs/tags/t/{ghost}")
    assert any(ghost in path for path in problems(filled))


def rewrite_new(path, data=b""):
    with open(path, "wb") as file:
        file.write(data)


def test_links_are_named(filled, tmp_path):
    path = first(filled.root, "objects/")
    outside = tmp_path / "outside"
    shutil.move(f"{filled.root}/{path}", outside)
    os.symlink(outside, f"{filled.root}/{path}")
    assert path in problems(filled)
    assert "link" in problems(filled)[path]


def test_pipes_in_a_files_place_are_named_without_waiting(filled):
    path = first(filled.root, "index/")
    os.unlink(f"{filled.root}/{path}")
    os.mkfifo(f"{filled.root}/{path}")
    assert path in problems(filled)


def test_an_object_in_the_wrong_folder_is_told(filled):
    path = first(filled.root, "objects/")
    wrong = "00" if path.split("/")[1] != "00" else "11"
    os.makedirs(f"{filled.root}/objects/{wrong}", exist_ok=True)
    shutil.move(f"{filled.root}/{path}", f"{filled.root}/objects/{wrong}/{path.split('/')[2]}")
    assert path in problems(filled)


@pytest.mark.parametrize(
    "path",
    [".DS_Store", "objects/README", "refs/tags/t/.x.swp", "packs/future.gxp", "refs/names/production/x", "notes/a~"],
)
def test_files_that_readers_pass_over_are_noted_and_stay(filled, path):
    os.makedirs(os.path.dirname(f"{filled.root}/{path}"), exist_ok=True)
    rewrite_new(f"{filled.root}/{path}", b"mine")
    report = filled.check()
    assert report.problems == []
    assert path in [note.path for note in report.notes]
    before = contents(filled.root)
    filled.repair(report.problems)
    assert contents(filled.root) == before


def test_an_object_without_a_record_is_noted_and_harmless(filled):
    for name in [path for path in contents(filled.root) if path.startswith(("index/", "refs/"))]:
        os.unlink(f"{filled.root}/{name}")
    report = filled.check()
    assert report.problems == []
    assert [note.path.split("/")[0] for note in report.notes] == ["objects", "objects"]


def test_a_source_that_is_no_store_is_refused_before_anything_is_moved(filled, tmp_path):
    rewrite(filled.root, first(filled.root, "objects/"), b"bad")
    before = snapshot(filled.root)
    with pytest.raises(NoStore):
        filled.repair(filled.check().problems, [str(tmp_path / "none")])
    assert snapshot(filled.root) == before


def test_what_is_moved_away_twice_is_kept_twice(filled, copy):
    path = first(filled.root, "objects/")
    for content in (b"bad", b"worse"):
        rewrite(filled.root, path, content)
        filled.repair(filled.check().problems, [copy.root])
    folder = f"{filled.root}/local/quarantine"
    held = set()
    for name in os.listdir(folder):
        with open(f"{folder}/{name}", "rb") as file:
            held.add(file.read())
    assert held == {b"bad", b"worse"}


def test_local_files_are_nobodys_business(filled):
    rewrite_new(f"{filled.root}/local/tmp/left-over", b"half")
    rewrite_new(f"{filled.root}/local/anything", b"x")
    assert filled.check().problems == []
