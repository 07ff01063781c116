"""Many outcomes recorded in one go: the same files as one by one, and durable before they are acknowledged."""

import os

import pytest
from surroundings import contents

from gemexp import ExperimentConfig, ExperimentRegistry, InvalidInput, StoreUnwritable
from gemexp.environment import surroundings
from gemexp.recording import finish

WHEN = "2024-01-31T09:00:00Z"


def runs(count):
    for number in range(count):
        config = ExperimentConfig((), {}, {"lr": number}, created_at=WHEN)
        parts = {"artifacts": {"log.txt": b"%d" % (number % 3)}, "data": "d", "started": WHEN, "duration": 0.5}
        yield finish(config, {"loss": number / 10}, **parts)


def test_it_leaves_the_files_that_recording_one_by_one_does(tmp_path):
    together, single = ExperimentRegistry(tmp_path / "a"), ExperimentRegistry(tmp_path / "b")
    around = surroundings()
    hashes = together.record_all(runs(300), surroundings=around)
    assert hashes == [single.record_all([run], surroundings=around)[0] for run in runs(300)]
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert together.check().problems == []
    assert [together.metrics(found)["loss"] for found in hashes[:3]] == [0.0, 0.1, 0.2]


def test_again_it_changes_nothing(registry):
    around = surroundings()
    first = registry.record_all(runs(5), surroundings=around)
    before = contents(registry.root)
    assert registry.record_all(runs(5), surroundings=around) == first
    assert contents(registry.root) == before


def test_a_part_that_cannot_be_stored_is_refused_before_there_is_a_store():
    with pytest.raises(InvalidInput, match="metrics"):
        finish(ExperimentConfig((), {}), {"loss": "low"})
    with pytest.raises(InvalidInput, match="artifact"):
        finish(ExperimentConfig((), {}), {}, artifacts={"../x": b""})


def test_a_refused_batch_records_no_run(registry, monkeypatch):
    registry.register_all(run.config for run in runs(3))
    write = os.write

    def full(descriptor, data):
        if b"gemexp/run@1" in bytes(data):
            raise OSError(28, os.strerror(28))
        return write(descriptor, data)

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(StoreUnwritable):
        registry.record_all(runs(3))
    monkeypatch.undo()
    assert registry.runs() == []
    assert registry.check().problems == []
    assert len(registry.record_all(runs(3))) == 3
