"""Collecting deleted configs that lie in packs."""

import os
import time

import pytest
from surroundings import contents

from gemexp import ExperimentConfig, ExperimentRegistry
from gemexp.store import gc, layout
from gemexp.store.files import Folder


def config(number, **fields):
    return ExperimentConfig(["a"], {"a": 0.5}, {"k": number}, **fields)


def packs(registry):
    return sorted(name for name in contents(registry.root) if name.startswith(f"{layout.PACKS}/"))


def answers(registry):
    return [one.to_dict() for one in registry.list_all(None)], registry.tags(), registry.runs()


@pytest.fixture
def deleted(registry):
    """Return the hash of a deleted config that lies in a pack with its run, beside two others."""
    registry.add_many([config(number, tags=["all"]) for number in (2, 3)])
    config_hash = registry.register(config(1, tags=["all", "best"], description="one"))
    registry.record(config_hash, {"loss": 0.5}, artifacts={"own.txt": b"own"})
    registry.pack()
    registry.delete(config_hash)
    age(registry)
    return config_hash


def age(registry, seconds=15 * 86400):
    """Make all deletions look as if they had been made some time ago."""
    folder = f"{registry.root}/{layout.DELETED}"
    for name in os.listdir(folder):
        os.utime(f"{folder}/{name}", (time.time() - seconds,) * 2)


def test_a_packed_config_leaves_its_pack_with_its_run(registry, deleted):
    before, (old,), expected = contents(registry.root), packs(registry), answers(registry)
    collected = registry.collect()
    assert collected.configs == [deleted]
    assert layout.object_path(deleted) in collected.paths
    assert len(collected.paths) == 6, "config, put, run, outcome, artifact, list of packages"
    (new,) = packs(registry)
    assert new != old
    assert b"loss" in before[old]
    assert b"loss" not in contents(registry.root)[new]
    (name,) = os.listdir(f"{registry.root}/{layout.TRASH}")
    trash = Folder(f"{registry.root}/{layout.TRASH}/{name}")
    assert collected.size == sum(len(trash.read(path, 9999)) for path in collected.paths)
    for again in (registry, ExperimentRegistry(registry.root)):
        assert answers(again) == expected
        assert again.get(deleted) is None
        assert again.check().problems == []
        assert again.collect().configs == []


def test_a_dry_run_takes_nothing(registry, deleted):
    before = contents(registry.root)
    assert registry.collect(grace=0, dry_run=True).configs == [deleted]
    assert contents(registry.root) == before


def test_the_last_config_of_a_pack_takes_the_pack_with_it(registry):
    config_hash = registry.register(config(1))
    registry.pack()
    registry.delete(config_hash)
    age(registry)
    registry.collect()
    assert packs(registry) == []
    assert not os.path.exists(f"{registry.root}/{layout.PACK_INDEXES}"), "what was derived from it goes too"
    assert registry.restore(config_hash) == config_hash
    assert registry.get(config_hash) == ExperimentRegistry(registry.root).get(config_hash) is not None


def test_restoring_takes_a_packed_config_out_of_the_trash_with_all_that_belongs_to_it(registry, deleted):
    registry.collect()
    assert ExperimentRegistry(registry.root).restore(deleted[:8]) == deleted
    found = registry.get(deleted)
    assert (found.tags, found.description) == (["all", "best"], "one")
    (run,) = registry.runs(deleted)
    assert registry.metrics(run.outcome) == {"loss": 0.5}
    assert list(registry.outcome(run.outcome).artifacts) == ["own.txt"]
    assert registry.check().problems == []


def test_adding_what_was_collected_from_a_pack_brings_it_back(registry, deleted):
    registry.collect(grace=0)
    assert registry.register(config(1)) == deleted
    assert registry.get(deleted).tags == ["all", "best"]
    assert registry.check().problems == []


def test_what_lies_in_a_pack_and_as_a_file_is_collected_from_both(registry, deleted):
    path = layout.object_path(deleted)
    data = registry.data(deleted)
    os.makedirs(os.path.dirname(f"{registry.root}/{path}"), exist_ok=True)
    with open(f"{registry.root}/{path}", "wb") as file:
        file.write(data)
    assert registry.collect().configs == [deleted]
    assert not ExperimentRegistry(registry.root)._folder.exists(path)
    assert registry.restore(deleted) == deleted
    assert registry.data(deleted) == data


def test_a_config_in_a_pack_that_git_tracks_is_kept_unless_asked_for(registry, deleted):
    (pack,) = packs(registry)
    before = contents(registry.root)
    collected = gc.collect(registry._folder, grace=0, tracked={pack})
    assert (collected.configs, collected.kept) == ([], [gc.Kept(deleted, "git tracks its pack")])
    assert contents(registry.root) == before


def test_an_outcome_in_a_pack_that_git_tracks_keeps_its_config(registry):
    other = registry.register(config(2))
    registry.record(other, {"loss": 0.25})
    registry.pack()
    (pack,) = packs(registry)
    config_hash = registry.register(config(1))
    registry.delete(config_hash)
    registry.delete(other)
    collected = gc.collect(registry._folder, grace=0, tracked={pack})
    assert collected.configs == [config_hash]
    assert collected.kept == [gc.Kept(other, "git tracks its pack")]


def test_a_config_in_a_damaged_pack_is_kept(registry, deleted):
    (pack,) = packs(registry)
    os.chmod(f"{registry.root}/{pack}", 0o644)
    with open(f"{registry.root}/{pack}", "ab") as file:
        file.write(b"more")
    again = ExperimentRegistry(registry.root)
    with pytest.warns(UserWarning, match="is damaged"):
        assert again.collect(grace=0).kept == [gc.Kept(deleted, "its pack is damaged: gemexp fsck --repair")]
    assert packs(registry) == [pack]


def test_a_mark_in_a_pack_is_at_least_as_old_as_its_pack(registry, deleted):
    # Ours leave marks loose, so that this one's age is known; others' packs may hold some.
    from gemexp.store import pack_format, packing

    (mark,) = [path for path in contents(registry.root) if path.startswith(layout.DELETED)]
    packing.write(registry._folder, [(pack_format.to_key(mark), b"")])
    os.unlink(f"{registry.root}/{mark}")
    again = ExperimentRegistry(registry.root)
    assert again.get(deleted) is None
    assert [one.reason for one in again.collect().kept] == ["it was deleted only lately"]
    for pack in packs(registry):
        os.utime(f"{registry.root}/{pack}", (time.time() - 15 * 86400,) * 2)
    assert again.collect().configs == [deleted]
    assert again.get(deleted) is None, "its mark stays"


@pytest.mark.parametrize("moment", ["before", "after"])
def test_what_comes_alive_while_its_pack_is_replaced_is_put_back(registry, deleted, monkeypatch, moment):
    remove = Folder.remove

    def reviving(self, paths):
        paths = list(paths)
        packed = any(path.startswith(f"{layout.PACKS}/") for path in paths)
        others = ExperimentRegistry(registry.root)
        if moment == "before" and packed:
            others.register(config(1))
        removed = remove(self, paths)
        if moment == "after" and packed:
            others.register(config(1))
        return removed

    monkeypatch.setattr(Folder, "remove", reviving)
    assert registry.collect(grace=0).configs == []
    for again in (registry, ExperimentRegistry(registry.root)):
        assert again.get(deleted).tags == ["all", "best"]
        assert again.check().problems == []
        assert len(again.runs(deleted)) == 1


def test_a_writer_whose_pack_is_replaced_before_it_has_revived_a_config_writes_it_anew(registry, deleted, monkeypatch):
    from gemexp.store.batch import Batch

    stage, done = Batch._stage, []

    def colliding(self, files, staged):
        if not done:
            done.append(None)
            done[0] = ExperimentRegistry(registry.root).collect().configs
        stage(self, files, staged)

    writer = ExperimentRegistry(registry.root)
    assert writer.hashes_with_prefix(deleted, deleted=True) == [deleted]
    monkeypatch.setattr(Batch, "_stage", colliding)
    writer.register(config(1))
    assert done == [[deleted]]
    for again in (writer, ExperimentRegistry(registry.root)):
        assert again.get(deleted).hyperparameters == {"k": 1}
        assert again.check().problems == []
