"""Checking and repairing the moves of names and the pairs of migrated configurations."""

import os
import shutil
import subprocess
import threading

import pytest
from surroundings import contents, snapshot
from written_moves import move_record, write_move

from gemexp import ExperimentConfig, ExperimentRegistry
from gemexp.canonical import decode, encode
from gemexp.digest import hash_bytes
from gemexp.store import at_work, layout, sets
from gemexp.store.files import Folder
from gemexp.store.layout import Pair

GHOST = "12" * 32


@pytest.fixture
def hashes(registry):
    return registry.add_many(ExperimentConfig([], {}, {"n": number}) for number in range(3))


@pytest.fixture
def filled(registry, hashes):
    """A store with a name that was moved twice, and a configuration that was migrated, back and again."""
    registry.move_name("production", hashes[0])
    registry.move_name("production", hashes[1])
    folder = Folder(registry.root)
    for turn in (sets.add, sets.remove, sets.add):
        with folder.batch() as batch:
            turn(folder, batch, layout.MIGRATED, layout.pair_name(Pair(hashes[0], hashes[2])))
    return registry


@pytest.fixture
def copy(filled, tmp_path):
    return ExperimentRegistry(shutil.copytree(filled.root, tmp_path / "copy"))


def problems(registry):
    return {problem.path: problem.message for problem in registry.check().problems}


def notes(registry):
    return {note.path: note.message for note in registry.check().notes}


def paths(registry, start):
    return [path for path in contents(registry.root) if path.startswith(start)]


def rewrite(registry, path, data):
    full = f"{registry.root}/{path}"
    os.makedirs(os.path.dirname(full), exist_ok=True)
    if os.path.exists(full):
        os.unlink(full)
    with open(full, "wb") as file:
        file.write(data)


def test_whole_moves_and_pairs_are_counted_and_no_problem(filled):
    before = snapshot(filled.root)
    report = filled.check()
    assert (report.objects, report.records, report.members) == (3, 5, 3)
    assert (report.problems, report.notes) == ([], [])
    assert snapshot(filled.root) == before


@pytest.mark.parametrize("damage", [lambda data: data[:-1], lambda _: b"", lambda data: data + b"\n"])
def test_a_damaged_move_is_named_and_taken_from_a_copy(filled, copy, damage):
    damaged = paths(filled, "refs/names/")
    for path in damaged:
        rewrite(filled, path, damage(contents(filled.root)[path]))
    assert set(problems(filled)) == set(damaged)
    assert notes(filled) == {}
    repairs = filled.repair(filled.check().problems, [copy.root])
    assert [one.solved for one in repairs] == [True, True]
    assert problems(filled) == {}
    assert contents(filled.root) == contents(copy.root)
    assert len(os.listdir(f"{filled.root}/local/quarantine")) == 2


def test_a_damaged_move_is_not_taken_from_a_copy_that_is_damaged_too(filled, copy, tmp_path):
    good = shutil.copytree(copy.root, tmp_path / "good")
    path = paths(filled, "refs/names/")[0]
    rewrite(filled, path, b"bad")
    rewrite(copy, path, b"bad too")
    assert [one.solved for one in filled.repair(filled.check().problems, [copy.root, str(good)])] == [True]
    assert contents(filled.root) == contents(good)


def test_a_move_without_a_copy_is_put_aside_and_said_to_be_lost(filled):
    path = paths(filled, "refs/names/")[0]
    rewrite(filled, path, b"bad")
    assert [one.solved for one in filled.repair(filled.check().problems)] == [False]
    assert problems(filled) == {}
    assert not os.path.exists(f"{filled.root}/{path}")


def test_a_move_of_another_name_is_named(filled, hashes):
    data = move_record("other", hashes[0], "2024-01-01")
    path = f"refs/names/production/{hash_bytes(data)}"
    rewrite(filled, path, data)
    assert list(problems(filled)) == [path]


def test_a_whole_record_that_is_no_move_is_named(filled, hashes):
    good = decode(move_record("production", hashes[0], "2024-01-01"))
    expected = set()
    for changes in ({"$": "gemexp/move@9"}, {"config": "x"}, {"supersedes": None}, {"created_at": "then"}):
        data = encode(good | changes)
        expected.add(f"refs/names/production/{hash_bytes(data)}")
        rewrite(filled, f"refs/names/production/{hash_bytes(data)}", data)
    assert set(problems(filled)) == expected


def test_a_move_where_no_reader_looks_is_named_and_put_aside(filled, hashes):
    data = move_record("a", hashes[0], "2024-01-01")
    path = f"refs/names/%61/{hash_bytes(data)}"
    rewrite(filled, path, data)
    assert list(problems(filled)) == [path]
    assert [one.solved for one in filled.repair(filled.check().problems)] == [True]
    assert problems(filled) == {}


@pytest.mark.parametrize("path", ["refs/names/x", "refs/names/production/x~", "refs/names/a/b/c", "refs/migrated/x"])
def test_files_between_them_that_nobody_reads_are_noted(filled, path):
    rewrite(filled, path, b"mine")
    assert problems(filled) == {}
    assert list(notes(filled)) == [path]


def test_a_name_that_points_to_what_is_missing_is_a_problem_and_what_it_pointed_to_before_is_not(filled, hashes, copy):
    for config in hashes[:2]:
        for path in [layout.object_path(config), *paths(filled, f"index/{config[:2]}/{config}")]:
            os.unlink(f"{filled.root}/{path}")
    for path in paths(filled, "refs/migrated/"):
        os.unlink(f"{filled.root}/{path}")
    assert list(problems(filled)) == [layout.object_path(hashes[1])]
    assert "refs/names/production/" in problems(filled)[layout.object_path(hashes[1])]
    assert all(one.solved for one in filled.repair(filled.check().problems, [copy.root]))
    assert problems(filled) == {}


def test_a_name_that_points_to_what_is_no_config_is_a_problem(filled, hashes):
    outcome = filled.record(hashes[0], {"loss": 1})
    write_move(filled.root, "mistaken", outcome, "2024-01-01")
    assert list(problems(filled)) == [layout.object_path(outcome)]


def test_what_points_to_a_deleted_and_collected_config_is_no_problem(filled, hashes):
    filled.tag(hashes[1], ["x"])
    filled.delete(hashes[1])
    filled.delete(hashes[2])
    for config in hashes[1:]:
        os.unlink(f"{filled.root}/{layout.object_path(config)}")
    assert problems(filled) == {}


def test_a_missing_superseded_move_is_noted(filled):
    current, before = filled.pointer("production").history
    os.unlink(f"{filled.root}/{layout.move_path('production', before.record)}")
    assert problems(filled) == {}
    assert list(notes(filled)) == [layout.move_path("production", before.record)]
    assert filled.pointer("production").heads == (current,)


def test_rivals_are_noted(filled, hashes):
    write_move(filled.root, "production", hashes[2], "2024-01-01")
    assert problems(filled) == {}
    assert list(notes(filled)) == ["refs/names/production"]
    assert "--resolve" in notes(filled)["refs/names/production"]
    filled.settle_name("production")
    assert notes(filled) == {}


def test_pairs_with_content_are_named_and_written_anew(filled):
    before = contents(filled.root)
    pairs = paths(filled, "refs/migrated/")
    for path in pairs:
        rewrite(filled, path, b"x")
    assert set(problems(filled)) == set(pairs)
    assert all(one.solved for one in filled.repair(filled.check().problems))
    assert contents(filled.root) == before


def test_a_gap_below_a_pair_is_named_and_filled(filled, hashes):
    before = contents(filled.root)
    first, second = (f"refs/migrated/{hashes[0]}-{hashes[2]}{end}" for end in ("", ".2"))
    os.unlink(f"{filled.root}/{first}")
    os.unlink(f"{filled.root}/{second}")
    assert list(problems(filled)) == [first, second]
    assert all(one.solved for one in filled.repair(filled.check().problems))
    assert contents(filled.root) == before


def test_a_pair_of_a_config_that_is_not_there_is_a_problem(filled, hashes):
    rewrite(filled, f"refs/migrated/{hashes[0]}-{GHOST}", b"")
    assert list(problems(filled)) == [layout.object_path(GHOST)]
    rewrite(filled, f"refs/migrated/{'34' * 32}-{hashes[0]}", b"")
    assert set(problems(filled)) == {layout.object_path(GHOST), layout.object_path("34" * 32)}


@pytest.mark.parametrize("folder", [layout.OBJECTS, layout.INDEX])
def test_what_somebody_at_work_is_about_to_bring_back_is_not_missing(filled, hashes, tmp_path, folder):
    (path,) = (path for path in paths(filled, f"{folder}/") if hashes[1] in path)
    os.rename(f"{filled.root}/{path}", tmp_path / "away")
    os.makedirs(f"{filled.root}/{layout.TMP}", exist_ok=True)
    with subprocess.Popen(["sleep", "60"]) as other:
        temporary = f"{filled.root}/{layout.TMP}/{other.pid}-0123456789abcdef"
        with open(temporary, "xb"):
            assert at_work.others(Folder(filled.root))
        later = threading.Timer(0.3, os.rename, [tmp_path / "away", f"{filled.root}/{path}"])
        later.start()
        assert problems(filled) == {}
        later.join()
        other.kill()
    assert not at_work.others(Folder(filled.root))  # who was killed is not
    os.unlink(f"{filled.root}/{path}")
    assert len(problems(filled)) == 1


@pytest.fixture
def recorded(registry, hashes):
    """A store in which a config has a run, with an artifact; return its hash, and the paths of outcome and artifact."""
    outcome = registry.record(hashes[0], {"loss": 0.5}, artifacts={"log.txt": b"done"})
    return hashes[0], [layout.object_path(outcome), layout.object_path(hash_bytes(b"done"))]


def test_what_only_a_deleted_config_refers_to_may_be_gone(registry, recorded, hashes):
    config, belonging = recorded
    registry.delete(config)
    for path in (layout.object_path(config), *reversed(belonging)):
        os.unlink(f"{registry.root}/{path}")  # as a collector that is interrupted leaves it
        assert problems(registry) == {}
    os.unlink(f"{registry.root}/{layout.object_path(hashes[1])}")
    assert list(problems(registry)) == [layout.object_path(hashes[1])]


def test_what_another_config_refers_to_too_is_missing(registry, recorded, hashes):
    config, (_, artifact) = recorded
    registry.record(hashes[1], {"loss": 0.25}, artifacts={"log.txt": b"done"})
    registry.delete(config)
    os.unlink(f"{registry.root}/{artifact}")
    assert list(problems(registry)) == [artifact]


def test_what_a_killed_collector_took_is_brought_back_with_all_that_it_names(registry, recorded):
    _, (outcome, artifact) = recorded
    before = contents(registry.root)
    for path in (outcome, artifact):
        target = f"{registry.root}/{layout.TRASH}/17-0/{path}"
        os.makedirs(os.path.dirname(target))
        os.rename(f"{registry.root}/{path}", target)
    assert list(problems(registry)) == [outcome]
    assert at_work.TAKEN in problems(registry)[outcome]
    registry.collect()
    assert notes(registry) == problems(registry) == {}
    assert contents(registry.root) == before


def test_a_link_in_the_trash_keeps_nothing_from_being_told(registry, hashes, tmp_path):
    registry.tag(hashes[0], ["t"])
    os.makedirs(f"{registry.root}/{layout.TRASH}")
    os.symlink(tmp_path, f"{registry.root}/{layout.TRASH}/17-0")
    missing = layout.object_path(hashes[0])
    os.makedirs(os.path.dirname(tmp_path / missing))
    os.rename(f"{registry.root}/{missing}", tmp_path / missing)
    assert "refers to it" in problems(registry)[missing]
    assert at_work.TAKEN not in problems(registry)[missing]
