"""Collecting deleted configs: what is taken, what stays, and that nothing alive is ever lost."""

import multiprocessing
import os
import random
import time

import pytest
from surroundings import contents

from gemexp import ExperimentConfig, ExperimentRegistry
from gemexp.store import gc, layout
from gemexp.store.files import Folder


def config(number, **fields):
    return ExperimentConfig(["a"], {"a": 0.5}, {"k": number}, **fields)


@pytest.fixture
def deleted(registry):
    """Return the hash of a config that was run with an artifact, tagged, and deleted."""
    config_hash = registry.register(config(1, tags=["best"], description="one"))
    registry.record(config_hash, {"loss": 0.5}, artifacts={"own.txt": b"own", "shared.txt": b"shared"})
    registry.delete(config_hash)
    return config_hash


def age(registry, config_hash, seconds=15 * 86400):
    """Make a deletion look as if it had been made some time ago."""
    folder = f"{registry.root}/{layout.DELETED}"
    for name in os.listdir(folder):
        if name.startswith(config_hash):
            os.utime(f"{folder}/{name}", (time.time() - seconds,) * 2)


def test_a_fresh_deletion_is_kept(registry, deleted):
    before = contents(registry.root)
    collected = registry.collect()
    assert collected.configs == []
    assert collected.kept == [gc.Kept(deleted, "it was deleted only lately")]
    assert contents(registry.root) == before


def test_a_mark_beside_many_other_empty_files_has_its_own_age(registry, deleted):
    age(registry, deleted)
    for number in range(2, 5):
        registry.delete(registry.register(config(number, tags=["x"])))
    assert registry.collect(dry_run=True).configs == [deleted]


def test_an_old_deletion_leaves_its_mark_and_its_tags(registry, deleted):
    alive = registry.register(config(2))
    registry.record(alive, {"loss": 0.4}, artifacts={"shared.txt": b"shared"})
    age(registry, deleted)
    before = contents(registry.root)
    collected = registry.collect()
    assert collected.configs == [deleted]
    after = contents(registry.root)
    assert set(before) - set(after) == set(collected.paths)
    assert collected.size == sum(len(before[path]) for path in collected.paths)
    assert f"{layout.DELETED}/{deleted}" in after
    assert f"{layout.TAGS}/best/{deleted}" in after
    assert b"shared" in after.values(), "another config's outcome names it"
    assert b"own" not in after.values()
    assert [one.config_hash for one in registry.list_all()] == [alive]
    assert registry.check().problems == []


def test_a_dry_run_takes_nothing(registry, deleted):
    age(registry, deleted)
    before = contents(registry.root)
    assert registry.collect(dry_run=True).configs == [deleted]
    assert contents(registry.root) == before


def test_what_a_name_points_to_or_did_is_kept(registry):
    first, second = registry.register(config(1)), registry.register(config(2))
    registry.move_name("production", first)
    registry.move_name("production", second)
    for one in (first, second):
        registry.delete(one)
        age(registry, one)
    assert {one.config for one in registry.collect().kept} == {first, second}


def test_restoring_takes_a_config_out_of_the_trash_with_all_that_belongs_to_it(registry, deleted):
    before = contents(registry.root)
    age(registry, deleted)
    registry.collect()
    assert registry.get(deleted) is None
    assert registry.restore(deleted[:8]) == deleted
    assert registry.get(deleted).tags == ["best"]
    assert registry.get(deleted).description == "one"
    (run,) = registry.runs(deleted)
    assert registry.metrics(run.outcome) == {"loss": 0.5}
    after = contents(registry.root)
    assert {path: after[path] for path in before} == before


def test_the_trash_and_what_killed_writers_left_go_after_the_grace_time(registry, deleted):
    age(registry, deleted)
    registry.collect()
    left = f"{registry.root}/{layout.TMP}/1-aa"
    with open(left, "wb") as file:
        file.write(b"half")
    assert registry.collect().emptied == 0
    os.utime(left, (time.time() - 2 * 86400,) * 2)
    (trash,) = os.listdir(f"{registry.root}/{layout.TRASH}")
    os.utime(f"{registry.root}/{layout.TRASH}/{trash}", (time.time() - 15 * 86400,) * 2)
    assert registry.collect().emptied == 8
    assert os.listdir(f"{registry.root}/{layout.TRASH}") == []
    assert not os.path.exists(left)


def test_adding_what_was_collected_brings_it_back(registry, deleted):
    registry.collect(grace=0)
    assert registry.register(config(1)) == deleted
    assert registry.get(deleted).tags == ["best"]
    assert registry.check().problems == []


def test_running_a_deleted_config_revives_it(registry, deleted):
    registry.record(config(1), {"loss": 0.1})
    assert deleted in registry
    assert registry.collect(grace=0).configs == []


@pytest.mark.parametrize("moment", ["before", "after"])
def test_what_comes_alive_while_it_is_taken_is_put_back(registry, deleted, monkeypatch, moment):
    age(registry, deleted)
    move = Folder.move

    def reviving(self, path, target, **options):
        others = ExperimentRegistry(registry.root)
        if moment == "before" and path == layout.object_path(deleted):
            others.register(config(1))
        move(self, path, target, **options)
        if moment == "after" and path == layout.object_path(deleted):
            others.register(config(1))

    monkeypatch.setattr(Folder, "move", reviving)
    assert registry.collect().configs == []
    assert registry.get(deleted).config_hash == deleted
    assert registry.check().problems == []


def write(root, seed, until, acknowledged):
    """Add, delete and restore a few configs in turn, and say what was acknowledged last of each."""
    draw = random.Random(seed)  # noqa: S311 - not for secrets
    registry = ExperimentRegistry(root)
    state = {}
    count = 0
    while time.monotonic() < until:
        number = draw.randrange(6) * 10 + seed
        one = config(number)
        if state.get(number, False) and draw.random() < 0.5:
            registry.delete(one.config_hash)
            state[number] = False
        else:
            registry.register(one)
            state[number] = True
        count += 1
    acknowledged.put((state, count))


def collect(root, until, rounds):
    registry = ExperimentRegistry(root)
    count = 0
    while time.monotonic() < until:
        registry.collect(grace=0)
        count += 1
    rounds.put(count)


def test_writers_lose_nothing_to_a_collector_that_runs_all_the_time(registry):
    context = multiprocessing.get_context("fork")
    acknowledged, rounds = context.Queue(), context.Queue()
    until = time.monotonic() + 3
    processes = [context.Process(target=write, args=(registry.root, seed, until, acknowledged)) for seed in range(3)]
    processes.append(context.Process(target=collect, args=(registry.root, until, rounds)))
    for process in processes:
        process.start()
    found = [acknowledged.get(timeout=60) for _ in range(3)]
    assert rounds.get(timeout=60) > 5
    for process in processes:
        process.join()
        assert process.exitcode == 0
    assert sum(count for _, count in found) > 50
    for state, _ in found:
        for number, alive in state.items():
            one = registry.get(config(number).config_hash)
            assert (one is not None) == alive, number
            if alive:
                assert one.hyperparameters == {"k": number}
    assert registry.check().problems == []
