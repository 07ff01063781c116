"""Collectors that are killed, or overtaken: what has come alive is there again, at the latest after the next."""

import os
import time

import pytest
from packed_stores import config

from gemexp import ExperimentRegistry, NotFound
from gemexp.cli import main
from gemexp.store import gc, layout
from gemexp.store.batch import Batch
from gemexp.store.files import Folder


class KilledError(BaseException):
    """Stands for SIGKILL: nothing of what the process would have done comes after it."""


@pytest.fixture
def deleted(registry):
    """Return the hash of a deleted config with a run and a description of its own."""
    config_hash = registry.register(config(1, tags=["best"], description="one"))
    registry.describe(config_hash, "better")
    registry.record(config_hash, {"loss": 0.5}, artifacts={"log.txt": b"own"})
    registry.delete(config_hash)
    return config_hash


def killed_after(registry, monkeypatch, path):
    """Collect, and be killed when a file has been taken away."""
    move = Folder.move

    def killing(self, moved, target, **options):
        move(self, moved, target, **options)
        if moved == path:
            raise KilledError

    with monkeypatch.context() as patched:
        patched.setattr(Folder, "move", killing)
        with pytest.raises(KilledError):
            ExperimentRegistry(registry.root).collect(grace=0)


def is_whole(root, config_hash):
    registry = ExperimentRegistry(root)
    found = registry.get(config_hash)
    (run,) = registry.runs(config_hash)
    assert registry.metrics(run.outcome) == {"loss": 0.5}
    assert registry.data(registry.outcome(run.outcome).artifacts["log.txt"]) == b"own"
    assert registry.check().problems == []
    return (found.description, found.tags) == ("better", ["best"])


def test_a_command_restores_what_was_collected(registry, deleted, capsys):
    long_ago = time.time() - 15 * 86400
    os.utime(f"{registry.root}/{layout.member_path(layout.DELETED, deleted, 1)}", (long_ago, long_ago))
    assert registry.collect().configs == [deleted]
    assert main(["--store", registry.root, "restore", deleted[:9]]) == 0
    assert capsys.readouterr() == (f"restored {deleted[:12]}\n", "")
    assert is_whole(registry.root, deleted)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("act", ["restore", "register"])
def test_what_is_brought_back_is_whole_though_a_collector_takes_it_meanwhile_and_is_killed(
    registry, deleted, monkeypatch, act, packed
):
    if packed:
        registry.pack()
    stage, done = Batch._stage, []

    def overtaken(self, files, staged):
        stage(self, files, staged)
        if not done:
            done.append(True)
            with monkeypatch.context() as patched:
                patched.setattr(gc, "_put_back", lambda *_: None)  # it does not live to see it
                ExperimentRegistry(registry.root).collect(grace=0)

    writer = ExperimentRegistry(registry.root)
    monkeypatch.setattr(Batch, "_stage", overtaken)
    if act == "restore":
        writer.restore(deleted)
    else:
        writer.register(config(1, tags=["best"], description="better"))
    assert done or packed
    assert is_whole(registry.root, deleted)


def test_what_a_killed_collector_took_of_a_config_that_has_come_alive_is_put_back_by_the_next(
    registry, deleted, monkeypatch
):
    outcome = registry.metadata(deleted).runs[0].outcome
    artifact = registry.outcome(outcome).artifacts["log.txt"]
    killed_after(registry, monkeypatch, layout.object_path(artifact))
    other = registry.register(config(2))
    registry.record(other, {"loss": 0.5}, artifacts={"log.txt": b"own"})
    os.unlink(f"{registry.root}/{layout.object_path(artifact)}")  # as if the collector had been a moment later
    assert [problem.path for problem in registry.check().problems] == [layout.object_path(artifact)]
    assert registry.collect(grace=0).kept == []
    assert registry.check().problems == []
    (run,) = registry.runs(other)
    assert registry.data(registry.outcome(run.outcome).artifacts["log.txt"]) == b"own"


def test_repairing_takes_back_what_a_killed_collector_took(registry, deleted, monkeypatch):
    killed_after(registry, monkeypatch, layout.object_path(deleted))
    with registry._folder.batch() as batch:  # it came alive on another machine
        batch.create(layout.member_path(layout.DELETED, deleted, 2), b"")
    assert [problem.path for problem in registry.check().problems] == [layout.object_path(deleted)]
    (one,) = registry.repair(registry.check().problems)
    assert (one.solved, layout.TRASH in one.done) == (True, True)
    assert is_whole(registry.root, deleted)


def test_a_collector_leaves_the_trash_of_one_that_is_at_work(registry, deleted, monkeypatch):
    take, trash = gc._take_loose, []

    def overtaken(folder, own, plan):
        living = take(folder, own, plan)
        if not trash:
            trash.append(own)
            ExperimentRegistry(registry.root).collect(grace=0)
            assert os.path.isdir(f"{registry.root}/{own}")
        return living

    monkeypatch.setattr(gc, "_take_loose", overtaken)
    assert registry.collect(grace=0).configs == [deleted]
    assert os.listdir(f"{registry.root}/{layout.TRASH}") == [], "its own goes at once, as it was told"


def test_what_is_gone_for_good_is_not_said_to_be_restored(registry, deleted):
    registry.collect(grace=0)
    with pytest.raises(NotFound):
        registry.restore(deleted)
    assert registry.check().problems == []
