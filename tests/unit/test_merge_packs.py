"""Merging many files: as one pack, with the same outcome as file by file."""

import os
import shutil
import signal
import subprocess
import sys

import pytest
from histories import CONFIGS, HISTORY, NAMES, answers, perform, unpacked
from hypothesis import given, settings
from hypothesis import strategies as st
from packed_stores import packs
from surroundings import contents, snapshot

from gemexp import ExperimentConfig, ExperimentRegistry, StoreUnwritable
from gemexp.store import layout, merge, packing
from gemexp.store.files import Folder
from gemexp.store.merge import Source

START = [("add", 0, "first"), ("tag", 0, "best"), ("name", 0, NAMES[0]), ("alias", 0, "beef"), ("alias", 0, "beef01")]


@pytest.fixture(autouse=True)
def few_are_many(monkeypatch):
    monkeypatch.setattr(merge, "PACK_FROM", 3)


def merged(target, source, **options):
    return merge.merge(Folder(str(target)), Source(str(source)), **options)


def one_by_one(target, source, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(merge, "PACK_FROM", 10**9)
        return merged(target, source)


@pytest.fixture
def source(tmp_path):
    registry = ExperimentRegistry(tmp_path / "source")
    for action in [*START, ("add", 1, "two"), ("tag", 1, "k=5"), ("delete", 1, None), ("record", 0, 0.25)]:
        perform(registry, *action)
    return registry


@settings(max_examples=20)
@given(common=HISTORY, ours=HISTORY, theirs=HISTORY, packed=st.booleans())
def test_it_is_the_same_union(tmp_path_factory, common, ours, theirs, packed):
    base = tmp_path_factory.mktemp("merge")
    mine = ExperimentRegistry(base / "mine")
    for action in [*START, *common]:
        perform(mine, *action)
    other = ExperimentRegistry(shutil.copytree(mine.root, base / "other"))
    for registry, history in ((mine, ours), (other, [*theirs, ("alias", 0, "beef02")])):
        for action in history:
            perform(registry, *action)
    if packed:
        other.pack()
    loose = shutil.copytree(mine.root, base / "loose")
    empty = ExperimentRegistry(base / "empty")
    with pytest.MonkeyPatch.context() as monkeypatch:
        expected = one_by_one(loose, other.root, monkeypatch)
    report = merged(mine.root, other.root)
    assert report._replace(paths=None) == expected._replace(paths=None)
    assert set(report.paths) == set(expected.paths)
    assert unpacked(mine.root) == contents(loose) | unpacked(loose)
    assert answers(mine.root) == answers(loose)
    assert merged(mine.root, other.root).files == 0
    merged(empty.root, mine.root)
    assert answers(empty.root) == answers(loose)
    assert len(packs(empty.root)) == 1
    shutil.rmtree(base)


def test_many_files_come_as_one_pack_and_deletions_beside_it(source, registry):
    before = snapshot(source.root)
    report = merged(registry.root, source.root)
    assert report[:4] == (4, 5, 3, 1)
    loose = {path for path in contents(registry.root) if "/" in path}
    (pack,) = packs(registry.root)
    assert loose == {pack, f"{layout.DELETED}/{CONFIGS[1].config_hash}"}
    assert registry.check().problems == []
    assert snapshot(source.root) == before
    assert answers(registry.root) == answers(source.root)


def test_few_files_come_loose(source, registry, monkeypatch):
    monkeypatch.setattr(merge, "PACK_FROM", 14)
    merged(registry.root, source.root)
    assert len(packs(registry.root)) == 0
    assert len([path for path in contents(registry.root) if "/" in path]) == 13
    fresh = ExperimentRegistry(f"{registry.root}-again")
    monkeypatch.setattr(merge, "PACK_FROM", 12)  # the thirteenth is a mark of deletion
    merged(fresh.root, source.root)
    assert len(packs(fresh.root)) == 1


def test_a_dry_run_tells_the_same_and_writes_nothing(source, registry):
    before = snapshot(registry.root)
    report = merged(registry.root, source.root, dry_run=True)
    assert snapshot(registry.root) == before
    done = merged(registry.root, source.root)
    assert (done._replace(paths=None), set(done.paths)) == (report._replace(paths=None), set(report.paths))


@settings(max_examples=20)
@given(damages=st.lists(st.tuples(st.integers(0, 99), st.integers(0, 999)), min_size=1, max_size=6))
def test_what_is_damaged_does_not_come_into_the_pack(tmp_path_factory, damages):
    base = tmp_path_factory.mktemp("damaged")
    source = ExperimentRegistry(base / "source")
    for action in [*START, ("add", 2, ""), ("tag", 2, "k=5"), ("record", 2, 0.5)]:
        perform(source, *action)
    whole = {path: data for path, data in contents(source.root).items() if "/" in path}
    with_content = sorted(path for path, data in whole.items() if data)
    bad = set()
    for number, at in damages:
        path = with_content[number % len(with_content)]
        if path not in bad:
            data = bytearray(whole[path])
            data[at % len(data)] ^= 1
            os.unlink(f"{source.root}/{path}")
            with open(f"{source.root}/{path}", "wb") as file:
                file.write(data)
            bad.add(path)
    target = ExperimentRegistry(base / "target")
    report = merged(target.root, source.root)
    assert {one.path for one in report.bad} == bad
    taken = {path: data for path, data in unpacked(target.root).items() if "/" in path}
    assert taken == {path: data for path, data in whole.items() if path not in bad}
    assert [one for one in target.check().problems if not one.missing] == []
    shutil.rmtree(base)


def test_if_the_pack_cannot_be_written_nothing_came(source, registry, monkeypatch):
    def refuse(*_):
        raise OSError(28, "No space left on device")

    before = contents(registry.root)
    monkeypatch.setattr(packing.os, "fsync", refuse)
    with pytest.raises(StoreUnwritable):
        merged(registry.root, source.root)
    monkeypatch.undo()
    assert contents(registry.root) == before
    assert os.listdir(f"{registry.root}/{layout.TMP}") == []
    merged(registry.root, source.root)
    assert answers(registry.root) == answers(source.root)


def test_whoever_is_killed_has_taken_nothing_or_a_whole_pack(source, registry):
    program = """
import os, signal, sys
from gemexp.store import merge, packing
merge.PACK_FROM = 3
placed = packing._place
def die(*arguments):
    if sys.argv[3] == "after":
        placed(*arguments)
    os.kill(os.getpid(), signal.SIGKILL)
packing._place = die
merge.merge(merge.Folder(sys.argv[1]), merge.Source(sys.argv[2]))
"""
    before = contents(registry.root)
    for moment in ("before", "after"):
        arguments = [sys.executable, "-c", program, registry.root, source.root, moment]
        assert subprocess.run(arguments, check=False).returncode == -signal.SIGKILL
        assert (contents(registry.root) == before) == (moment == "before")
        assert registry.check().problems == []
    assert merged(registry.root, source.root).files == 1, "the mark of deletion alone is missing"
    assert answers(registry.root) == answers(source.root)


def test_the_journal_hears_of_what_the_pack_brought(source, registry):
    noted = set()
    folder = Folder(registry.root)
    folder.on_commit = noted.update
    report = merge.merge(folder, Source(source.root))
    assert noted == set(report.paths)


def test_the_registry_says_what_came_in_with_a_pack(source, registry):
    registry.register(ExperimentConfig(**CONFIGS[1].to_dict() | {"tags": ["mine"]}))
    dry = registry.merge(source.root, dry_run=True).changes
    changes = registry.merge(source.root).changes
    assert changes == dry
    assert [(one.config, one.description, one.tags) for one in changes.added] == [
        (CONFIGS[0].config_hash, "first", ("best",))
    ]
    assert [one.config for one in changes.deleted] == [CONFIGS[1].config_hash]
