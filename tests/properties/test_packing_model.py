"""Packing changes where files lie, and nothing else; damage to packs and their indexes gives no wrong answer."""

import contextlib
import os
import shutil
import warnings

import pytest
from histories import HISTORY, perform, union, unpacked
from hypothesis import given, settings
from hypothesis import strategies as st
from packed_stores import fill, overwrite, the_pack
from surroundings import contents

from gemexp import Corrupt, DamageWarning, ExperimentRegistry, NotFound
from gemexp.digest import hash_bytes
from gemexp.store import layout, objects, pack_format, packing
from gemexp.store.files import Folder

WHERE = st.one_of(st.none(), st.tuples(st.integers(0, 2), st.integers(1, 3)))  # not at all; or which files of how many
STEPS = st.lists(st.tuples(HISTORY, WHERE, st.booleans()), min_size=1, max_size=3)


def answers(root):
    """Return what a store says, but for times that two runs of a history do not share."""
    registry = ExperimentRegistry(root, create=False)
    report = registry.check()
    return {
        "configs": [one.to_dict() for one in registry.list_all(None)],
        "deleted": registry.hashes_with_prefix("", deleted=True),
        "tags": registry.tags(),
        "by tag": {tag: [one.config_hash for one in registry.search_by_tag(tag)] for tag in registry.tags()},
        "runs": registry.runs(),
        "names": registry.names(),
        "problems": report.problems,
        "counts": (report.objects, report.members),
    }


def pack(registry, chosen):
    """Pack every file, or one in so many."""
    if chosen is not None:
        start, step = chosen
        keep = {path for at, path in enumerate(sorted(contents(registry.root))) if at % step != start % step}
        packing.pack(Folder(registry.root), keep=lambda path: path in keep)


@settings(max_examples=25)
@given(steps=STEPS)
def test_a_history_with_packing_between_gives_the_same_answers(tmp_path_factory, steps):
    base = tmp_path_factory.mktemp("packing")
    plain, packed = ExperimentRegistry(base / "plain"), ExperimentRegistry(base / "packed")
    for history, chosen, again in steps:
        for action in history:
            perform(plain, *action)
            perform(packed, *action)
        before = unpacked(packed.root)
        pack(packed, chosen)
        assert unpacked(packed.root) == before
        if again:
            packed = ExperimentRegistry(base / "packed")
        assert answers(packed.root) == answers(plain.root)
        assert [one.to_dict() for one in packed.list_all(None)] == [one.to_dict() for one in plain.list_all(None)]
    for one in (plain, packed):
        one.collect(grace=0)
    assert answers(packed.root) == answers(plain.root)
    shutil.rmtree(base)


@settings(max_examples=20)
@given(common=HISTORY, histories=st.tuples(HISTORY, HISTORY), wheres=st.tuples(WHERE, WHERE, WHERE, WHERE))
def test_union_of_stores_that_are_packed_differently_is_the_union(tmp_path_factory, common, histories, wheres):
    base = tmp_path_factory.mktemp("union")
    origin = ExperimentRegistry(base / "origin")
    for action in common:
        perform(origin, *action)
    pack(origin, wheres[0])
    stores = []
    for name, history, chosen in zip("ab", histories, wheres[1:], strict=False):
        branch = ExperimentRegistry(shutil.copytree(origin.root, base / name))
        for action in history:
            perform(branch, *action)
        pack(branch, chosen)
        stores.append(branch.root)
    a, b = stores
    copied = [union(shutil.copytree(one, base / f"c{at}"), other) for at, (one, other) in enumerate(((a, b), (b, a)))]
    merged = []
    for at, (one, other) in enumerate(((a, b), (b, a))):
        into = ExperimentRegistry(shutil.copytree(one, base / f"m{at}"))
        into.merge(other)
        assert into.merge(other).files.files == 0
        merged.append(into.root)
    expected = unpacked(copied[0])
    for root in (*copied, *merged):
        assert unpacked(root) == expected
        assert answers(root) == answers(copied[0])
    pack(ExperimentRegistry(merged[0]), wheres[3])
    assert unpacked(merged[0]) == expected
    assert answers(merged[0]) == answers(copied[0])
    shutil.rmtree(base)


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    registry = ExperimentRegistry(tmp_path_factory.mktemp("packed") / "store")
    fill(registry, configs=6)
    registry.pack()
    return registry.root, contents(registry.root)[the_pack(registry.root)], unpacked(registry.root)


FLIPS = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), min_size=1, max_size=4)
CUTS = st.floats(0, 1, exclude_max=True)
GARBAGE = st.one_of(
    st.binary(max_size=20),
    st.just(pack_format.MARK),
    st.just(pack_format.frame(pack_format.object_key("00" * 32), b"not what its name says")),
    st.just(pack_format.frame(b"\x85../../../x/" + bytes(32), b"")),
)
INSERTIONS = st.tuples(st.floats(0, 1), GARBAGE)


def at(place, data):
    return int(place * len(data))


def damaged(data, flips=(), cut=None, insertion=None):
    data = bytearray(data)
    for place, mask in flips:
        data[at(place, data)] ^= mask
    if insertion is not None:
        place = at(insertion[0], data)
        data[place:place] = insertion[1]
    return bytes(data[: at(cut, data)]) if cut is not None else bytes(data)


DAMAGE = st.one_of(
    st.builds(dict, flips=FLIPS),
    st.builds(dict, cut=CUTS),
    st.builds(dict, insertion=INSERTIONS),
    st.builds(dict, flips=FLIPS, cut=CUTS, insertion=INSERTIONS),
)


@settings(max_examples=60)
@given(damage=DAMAGE, indexed=st.booleans())
def test_damage_to_a_pack_is_found_and_no_read_gives_wrong_bytes(tmp_path_factory, packed, damage, indexed):
    root, data, files = packed
    content = damaged(data, **damage)
    if content == data:
        return
    root = shutil.copytree(root, tmp_path_factory.mktemp("damaged") / "store")
    pack = the_pack(root)
    overwrite(root, pack, content)
    if not indexed:
        shutil.rmtree(f"{root}/{layout.PACK_INDEXES}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DamageWarning)
        folder = Folder(root)
        for path, whole in files.items():
            read_one(folder, path, whole)
        for parent in {path.rpartition("/")[0] for path in files} - {""}:
            for name, found in folder.contents(parent, 1 << 20):
                check_one(f"{parent}/{name}", found, files)
    registry = ExperimentRegistry(root)
    report = registry.check()
    assert report.packs == 0
    assert pack in {problem.path for problem in report.problems}
    registry.repair(report.problems)
    for path, found in unpacked(root).items():
        assert files[path] == found
    assert not [one for one in registry.check().problems if not one.missing]
    shutil.rmtree(os.path.dirname(root))


def read_one(folder, path, whole):
    found = folder.read(path, 1 << 20)
    check_one(path, found, {path: whole})
    if path.startswith("objects/"):
        with contextlib.suppress(Corrupt, NotFound):
            assert objects.get(folder, path.rpartition("/")[2]) == whole


def check_one(path, found, files):
    """Accept what a reader gets: bytes that are right, or that their name shows to be wrong, or none at all."""
    if found is not None and found != files.get(path):
        assert pack_format.is_path(path)
        assert path.rpartition("/")[2][-64:] != hash_bytes(found)


@settings(max_examples=40)
@given(flips=FLIPS, cut=st.one_of(st.none(), CUTS))
def test_damage_to_an_index_changes_no_answer(tmp_path_factory, packed, flips, cut):
    root = shutil.copytree(packed[0], tmp_path_factory.mktemp("index") / "store")
    path = layout.pack_index_path(the_pack(root)[6:70])
    with open(f"{root}/{path}", "rb") as file:
        data = file.read()
    overwrite(root, path, damaged(data, flips, cut))
    folder = Folder(root)
    for one in packed[2]:
        assert folder.read(one, 1 << 20) == packed[2][one]
    assert answers(root) == answers(packed[0])
    shutil.rmtree(os.path.dirname(root))
