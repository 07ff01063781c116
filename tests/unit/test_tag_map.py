"""Many tags: which a config carries is remembered, and never answered wrongly."""

import os
import shutil
import subprocess
import sys
import time

import pytest

from gemexp import ExperimentConfig, ExperimentRegistry
from gemexp.store import layout, tag_map

TAGS = [f"k={number}" for number in range(80)]


@pytest.fixture
def registry(tmp_path):
    registry = ExperimentRegistry(tmp_path / "store")
    registry.add_many(ExperimentConfig([], {}, {"n": number}, tags=[tag]) for number, tag in enumerate(TAGS))
    assert not os.path.exists(f"{registry.root}/packs")
    return registry


def tags(registry, config_hash):
    return registry.get(config_hash[:12]).tags


def ask_often(registry):
    """Ask until the answers are remembered."""
    for one in registry.hashes_with_prefix("")[:5]:
        tags(registry, one)


def test_every_config_has_its_tags_however_often_it_is_asked(registry):
    for _ in range(3):
        for one in registry:
            assert tags(registry, one.config_hash) == one.tags == [TAGS[one.hyperparameters["n"]]]


def test_what_this_process_changes_is_seen_at_once(registry):
    ask_often(registry)
    for one in list(registry)[:10]:
        expected = set(one.tags)
        for tag, remove in (("k=3", False), ("new", False), (one.tags[0], True), ("k=3", True), ("k=3", False)):
            if remove:
                registry.untag(one.config_hash, [tag])
                expected.discard(tag)
            else:
                registry.tag(one.config_hash, [tag])
                expected.add(tag)
            assert tags(registry, one.config_hash) == sorted(expected)
        for _ in range(4):
            assert tags(registry, one.config_hash) == sorted(expected)


def test_what_another_process_of_ours_changes_is_seen_at_once(registry):
    ask_often(registry)
    config = next(iter(registry))
    code = "import sys; from gemexp import ExperimentRegistry as R; R(sys.argv[1]).tag(sys.argv[2], ['k=5', 'k=6'])"
    subprocess.run([sys.executable, "-c", code, registry.root, config.config_hash], check=True)
    assert tags(registry, config.config_hash) == sorted({*config.tags, "k=5", "k=6"})


def test_what_is_copied_into_a_tags_folder_is_seen_soon(registry):
    ask_often(registry)
    config = next(one for one in registry if one.tags != ["k=7"])
    open(f"{registry.root}/{layout.TAGS}/k=7/{config.config_hash}", "w").close()
    deadline = time.monotonic() + 30
    while "k=7" not in tags(registry, config.config_hash):
        assert time.monotonic() < deadline


def test_what_is_packed_or_removed_is_not_remembered(registry):
    ask_often(registry)
    before = {one.config_hash: one.tags for one in registry}
    registry.pack(everything=True)
    assert {name: tags(registry, name) for name in before} == before
    other = ExperimentRegistry(registry.root)
    shutil.rmtree(f"{registry.root}/packs")
    assert all(other.get(name) is None for name in before)


def test_folders_that_change_while_they_are_read_are_read_again(registry, monkeypatch):
    """A folder's time of change may stay as it was when it is changed twice within a moment."""
    monkeypatch.setattr(tag_map, "_SHARE_OF_TIME", 0)
    ask_often(registry)
    config = next(one for one in registry if one.tags != ["k=9"])
    folder = f"{registry.root}/{layout.TAGS}/k=9"
    before = os.stat(folder).st_mtime_ns
    open(f"{folder}/{config.config_hash}", "w").close()
    os.utime(folder, ns=(before, before))
    assert "k=9" in tags(registry, config.config_hash)
