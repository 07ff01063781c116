"""What lies in ``local/`` to save work, and was brought along: it changes no answer."""

import gzip
import io
import os
import shutil

import numpy as np
import pytest
from planting import LONG_AGO

from gemexp import ExperimentConfig, ExperimentRegistry
from gemexp.backtest import Panel, panel_cache, panel_file, read_panel
from gemexp.digest import hash_bytes
from gemexp.errors import InvalidInput


def _panel(start):
    days = np.arange("2020-01-01", "2020-01-05", dtype="datetime64[D]")
    return Panel.from_arrays(days, ["a"], start + np.arange(4.0)[:, None])


@pytest.fixture
def panel(tmp_path):
    """A file of prices, and an entry for it in a cache that says something else."""
    path = tmp_path / "panel.csv"
    path.write_text(_panel(100).to_csv())
    entry = tmp_path / "panels" / f"{hash_bytes(path.read_bytes())}.npz"
    panel_cache.save(_panel(7), str(entry))
    return path, entry


def test_a_panel_that_was_parsed_here_is_believed(panel):
    path, entry = panel
    assert read_panel(path, cache=str(entry.parent)).digest == _panel(7).digest


def test_a_panel_that_a_store_came_with_is_parsed_anew(panel, tmp_path):
    path, entry = panel
    times = [entry.stat().st_mtime, LONG_AGO, 1e9]
    data = entry.read_bytes()
    for number, moment in enumerate(times):
        cache = tmp_path / f"theirs{number}"
        cache.mkdir()
        copy = cache / entry.name
        copy.write_bytes(data)
        os.utime(copy, (moment, moment))
        assert read_panel(path, cache=str(cache)).digest == _panel(100).digest
        assert read_panel(path, cache=str(cache)).digest == _panel(100).digest, "the new entry is good"


@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_what_is_no_file_is_no_cache(panel, kind, tmp_path):
    path, entry = panel
    moved = tmp_path / "moved.npz"
    shutil.move(entry, moved)
    if kind == "link":
        entry.symlink_to(moved)
    else:
        (os.mkfifo if kind == "pipe" else os.mkdir)(entry)
    try:
        assert read_panel(path, cache=str(entry.parent)).digest == _panel(100).digest
    finally:
        assert moved.exists()


def test_an_archive_of_a_cache_runs_nothing_and_allocates_nothing(panel, tmp_path):
    path, entry = panel
    canary = tmp_path / "canary"

    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(canary),)

    held = io.BytesIO()
    np.savez(held, about=np.array([Evil()], dtype=object), days=np.array([Evil()], dtype=object))
    entry.write_bytes(held.getvalue())
    moment = panel_cache._sealed_time(entry.stat(), str(entry))
    os.utime(entry, ns=(moment, moment))  # even if it passed for ours
    assert read_panel(path, cache=str(entry.parent)).digest == _panel(100).digest
    assert not canary.exists()


def test_a_compressed_panel_is_not_inflated_without_end(tmp_path, monkeypatch):
    monkeypatch.setattr(panel_file, "_MAX_CSV_BYTES", 1 << 20)
    path = tmp_path / "bomb.csv.gz"
    path.write_bytes(gzip.compress(b"date,asset,close\n" + b"0" * (64 << 20)))
    with pytest.raises(InvalidInput, match="more than"):
        read_panel(path)


def test_a_copied_index_of_another_store_is_not_believed(tmp_path, gemexp):
    ours, theirs = (ExperimentRegistry(tmp_path / name) for name in ("ours", "theirs"))
    ours.register(ExperimentConfig([], {}, {"a": 1}))
    theirs.register(ExperimentConfig([], {}, {"a": 2}))
    gemexp("--store", theirs.root, "index", "build", code=0)
    shutil.copy2(f"{theirs.root}/local/index.sqlite", f"{ours.root}/local/index.sqlite")
    found = gemexp("--store", ours.root, "search", "--where", "a >= 1", "--json", code=0).out
    assert '"a": 1' in found
    assert '"a": 2' not in found
