"""Tables of stores that change, that are damaged, and that are large."""

import os
import subprocess
import sys
import warnings

import pytest

from gemexp import DamageWarning, ExperimentConfig, ExperimentRegistry
from gemexp.frames.columns import Wanted
from gemexp.frames.rows import Snapshot
from gemexp.store import layout
from gemexp.variants import Rename


def config(number, **fields):
    return ExperimentConfig([], {}, {"n": number}, created_at=f"2024-01-{number + 1:02}", **fields)


def metric_of(registry):
    return dict(registry.to_frame("polars", columns=["config_hash", "metric.loss"]).iter_rows())


def test_the_latest_outcome_counts(registry):
    for loss, day in ((0.5, "2024-02-02"), (0.25, "2024-02-03"), (1.0, "2024-02-01")):
        config_hash = registry.register(config(1))
        registry.record(config_hash, {"loss": loss}, started=day)
    assert metric_of(registry) == {config_hash: 0.25}


def test_what_takes_anothers_place_has_its_metrics_and_tags(registry):
    old = registry.register(config(1, tags=["best"]))
    registry.record(old, {"loss": 0.5})
    plan = registry.plan_migration([Rename(("hyperparameters", "n"), ("hyperparameters", "count"))])
    registry.migrate(plan.changes)
    frame = registry.to_frame("polars")
    assert frame["hyperparameters.count"].to_list() == [1]
    assert frame["metric.loss"].to_list() == [0.5]
    assert frame["tags"].to_list() == [["best"]]


def test_a_damaged_outcome_is_warned_of_once_and_its_metrics_are_missing(registry):
    whole, damaged = registry.register(config(1)), registry.register(config(2))
    registry.record(whole, {"loss": 0.5})
    path = os.path.join(registry.root, layout.object_path(registry.record(damaged, {"loss": 0.25})))
    os.chmod(path, 0o644)
    with open(path, "ab") as file:
        file.write(b"x")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        assert metric_of(registry) == {whole: 0.5, damaged: None}
    assert [one.category for one in told] == [DamageWarning]


def test_a_damaged_config_is_warned_of_once_and_left_out(registry):
    whole, damaged = registry.register(config(1)), registry.register(config(2))
    path = os.path.join(registry.root, layout.object_path(damaged))
    os.chmod(path, 0o644)
    with open(path, "ab") as file:
        file.write(b"x")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        assert registry.to_frame("polars")["config_hash"].to_list() == [whole]
    assert [one.category for one in told] == [DamageWarning]


def test_types_told_in_the_first_reading_hold_in_the_second(registry):
    """Whatever is registered, recorded, deleted, tagged or described in between."""
    kept, gone = registry.register(config(1)), registry.register(config(2))
    registry.record(kept, {"loss": 1})
    snapshot = Snapshot(registry._folder, Wanted(), None)
    registry.register(ExperimentConfig([], {}, {"n": "text", "new": 1}))
    registry.record(kept, {"loss": 0.5, "gain": 2})
    registry.delete(gone)
    registry.describe(kept, "described since")
    (chunk,) = snapshot.chunks()
    row = {column.name: cells[0] for column, cells in zip(snapshot.columns, chunk.cells, strict=True)}
    assert chunk.rows == 1
    assert (row["config_hash"], row["description"]) == (kept, "described since")
    assert (row["hyperparameters.n"], row["metric.loss"]) == (1, 1)
    assert "metric.gain" not in row


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """A store of 100 MB, in packs."""
    registry = ExperimentRegistry(tmp_path_factory.mktemp("large") / "store")
    registry.add_many(ExperimentConfig([], {}, {"n": n, "text": f"{n:08}" * 5000}, tags=["t"]) for n in range(2500))
    assert sum(entry.stat().st_size for entry in os.scandir(os.path.join(registry.root, "packs"))) > 100e6
    return registry.root


@pytest.mark.parametrize(
    ("work", "limit"),
    [
        ("sum(1 for config in registry)", 40),
        ("sum(1 for config_hash in registry.hashes_with_prefix('') if registry.get(config_hash))", 60),
        ("registry.write_parquet(open(os.devnull, 'wb'))", 230),
    ],
)
def test_memory_does_not_grow_with_the_store(large, work, limit):
    program = f"""
import os, resource, pyarrow.parquet
from gemexp import ExperimentRegistry
registry = ExperimentRegistry({large!r})
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
assert {work} == 2500
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert float(done.stdout) < limit
