"""Checking packs, naming what is bad in them, and salvaging what is not."""

import os
import shutil
import warnings

import pytest
from packed_stores import answers, config, copy_of, fill, flip, frames, overwrite, packs, the_pack
from surroundings import contents, snapshot

from gemexp import ExperimentRegistry
from gemexp.digest import hash_bytes
from gemexp.store import layout, pack_format, packing


@pytest.fixture(scope="module")
def templates(tmp_path_factory):
    """The same store twice: with every file a file of its own, and packed."""
    loose = ExperimentRegistry(tmp_path_factory.mktemp("loose") / "store")
    fill(loose)
    packed = copy_of(loose, tmp_path_factory.mktemp("packed") / "store")
    packed.pack()
    return loose, packed


@pytest.fixture
def copy(templates, tmp_path):
    return copy_of(templates[0], tmp_path / "copy")


@pytest.fixture
def packed(templates, tmp_path):
    return copy_of(templates[1], tmp_path / "packed")


def problems(registry):
    found = {}
    for problem in registry.check().problems:
        found[problem.place] = f"{found.get(problem.place, '')}{problem.message}; "
    return found


def repair(registry, *sources):
    return registry.repair(registry.check().problems, [source.root for source in sources])


def frame_of(root, start):
    """Return the first frame whose path begins so."""
    return next(frame for frame in frames(root)[0] if pack_format.to_path(frame.key).startswith(start))


def opened(registry):
    """Return the store opened anew, quietly."""
    again = ExperimentRegistry(registry.root)
    again._folder.packs.warns = False
    return again


def test_a_packed_store_is_counted_like_a_loose_one_and_not_changed(packed, copy):
    before = snapshot(packed.root)
    report, same = packed.check(), copy.check()
    assert (report.problems, report.packs, same.packs) == ([], 1, 0)
    assert report[:3] == same[:3]
    assert report.notes == same.notes
    assert snapshot(packed.root) == before


def test_what_lies_in_several_places_is_counted_once(packed, copy):
    packing.write(
        packed._folder,
        [(frame.key, frames(packed.root)[1][frame.data : frame.end]) for frame in frames(packed.root)[0][3:9]],
    )
    for path, data in list(contents(copy.root).items())[::2]:
        if not os.path.exists(f"{packed.root}/{path}"):
            overwrite(packed.root, path, data)
    report = packed.check()
    assert (report.problems, report.packs) == ([], 2)
    assert report[:3] == copy.check()[:3]


def test_a_missing_object_is_missed_from_packs_too(packed, copy):
    path = layout.object_path(config(0).config_hash)
    content = frames(packed.root)[1]
    packing.write(
        packed._folder,
        [
            (one.key, content[one.data : one.end])
            for one in frames(packed.root)[0]
            if pack_format.to_path(one.key) != path
        ],
    )
    os.unlink(f"{packed.root}/packs/{hash_bytes(content)}.gxp")
    assert list(problems(packed)) == [path]
    assert [one.solved for one in repair(packed, copy)] == [True]
    assert problems(packed) == {}


WHERE = {"crc": 2, "lengths": 6, "key": 20}


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("start", ["objects/", "index/", "refs/tags/", "refs/names/", "refs/migrated/"])
def test_a_damaged_head_is_named_and_what_was_there_is_taken_from_another_store(packed, copy, start, where):
    expected = answers(copy)
    frame = frame_of(packed.root, start)
    flip(packed.root, the_pack(packed.root), frame.start + WHERE[where])
    found = problems(packed)
    assert f"from byte {frame.start} to {frame.end}" in " ".join(found.values())
    repairs = repair(packed, copy)
    assert all(one.solved for one in repairs), repairs
    assert problems(packed) == {}
    assert answers(packed) == expected
    assert len(os.listdir(f"{packed.root}/{layout.QUARANTINE}")) == 1


@pytest.mark.parametrize("start", ["objects/", "index/", "refs/names/"])
def test_damaged_content_is_named_by_its_pack_and_path(packed, copy, start):
    expected = answers(copy)
    frame = frame_of(packed.root, start)
    pack = the_pack(packed.root)
    flip(packed.root, pack, frame.data + 5)
    path = pack_format.to_path(frame.key)
    assert "another hash" in problems(packed)[f"{pack}: {path}"]
    assert "another hash" in problems(packed)[pack]
    repairs = repair(packed, copy)
    assert all(one.solved for one in repairs), repairs
    assert f"taken from '{copy.root}'" in {one.done for one in repairs}
    assert problems(packed) == {}
    assert answers(packed) == expected
    assert os.path.exists(f"{packed.root}/{path}"), "as a file of its own"


def test_what_was_lost_is_named_and_the_rest_is_kept(packed):
    path = layout.object_path(config(0).config_hash)
    everything = {pack_format.to_path(frame.key) for frame in frames(packed.root)[0]}
    frame = frame_of(packed.root, path)
    flip(packed.root, the_pack(packed.root), frame.start)
    told = {one.problem.path: one for one in repair(packed) if "another hash" not in one.problem.message}
    assert not told[path].solved
    (broken,) = (one for one in told if one != path)
    assert f"lost: {path[:27]}…" in told[broken].done
    assert {pack_format.to_path(frame.key) for frame in frames(packed.root)[0]} == everything - {path}
    assert list(problems(packed)) == [path], "its record still asks for it"


def test_lost_content_without_a_copy_is_named(packed):
    path = layout.object_path(config(0).config_hash)
    flip(packed.root, the_pack(packed.root), frame_of(packed.root, path).data)
    told = {one.problem.entry: (one.done, one.solved) for one in repair(packed)}
    assert told[path] == ("lost: no good copy found", False)
    assert not told[""][1]


def test_without_an_index_it_is_said_that_nothing_is_known_of_what_was_lost(packed):
    shutil.rmtree(f"{packed.root}/{layout.PACK_INDEXES}")
    flip(packed.root, the_pack(packed.root), frame_of(packed.root, "refs/tags/").start)
    repairs = repair(packed)
    assert all("gemexp merge" in one.done for one in repairs)
    assert not any(one.solved for one in repairs)
    assert problems(packed) == {}


def test_the_same_pack_of_another_store_makes_it_whole_again(packed, tmp_path):
    expected, pack = answers(packed), the_pack(packed.root)
    good = copy_of(packed, tmp_path / "good")
    data = contents(packed.root)[pack]
    for damage in (
        data[: len(data) // 2],
        data + b"\n",
        data.replace(b"\n", b"\r\n"),
        b"",
        bytes(len(data)),
        data[100:],
    ):
        overwrite(packed.root, pack, damage)
        assert pack in problems(opened(packed))
        again = opened(packed)
        repairs = repair(again, good)
        assert all(one.solved for one in repairs if one.problem.path == pack), repairs
        assert contents(packed.root)[pack] == data
        assert problems(again) == {}
        assert answers(again) == expected


@pytest.mark.parametrize("extra", [b"\n", b"<<<<<<< HEAD\n", bytes(1000), pack_format.MARK * 500])
def test_what_was_added_at_the_end_is_taken_off(packed, extra):
    pack, expected = the_pack(packed.root), contents(packed.root)
    overwrite(packed.root, pack, expected[pack] + extra)
    assert all(one.solved for one in repair(packed))
    assert contents(packed.root) == expected


@pytest.mark.parametrize("inside", [0, 1])
def test_a_truncated_pack_keeps_what_comes_before_and_names_what_is_gone(packed, inside):
    found, content = frames(packed.root)
    overwrite(packed.root, the_pack(packed.root), content[: found[-3].start + inside])
    gone = [pack_format.to_path(frame.key) for frame in found[-3:]]
    repairs = repair(packed)
    assert not any(one.solved for one in repairs)
    assert all(f"{path.rpartition('/')[0]}/{path.rpartition('/')[2][:16]}…" in repairs[0].done for path in gone)
    assert [frame.key for frame in frames(packed.root)[0]] == [frame.key for frame in found[:-3]]
    assert problems(packed) == {}


def test_a_pack_under_another_name_is_kept_under_its_own(packed):
    expected, pack, wrong = answers(packed), the_pack(packed.root), layout.pack_path("ab" * 32)
    os.rename(f"{packed.root}/{pack}", f"{packed.root}/{wrong}")
    again = opened(packed)
    assert list(problems(again)) == [wrong]
    (one,) = repair(again)
    assert not one.solved, "it may be what is left of another"
    assert packs(packed.root) == [pack]
    assert answers(again) == expected


def rebuilt(registry, found):
    """Put a pack in the store that holds these (key, data), under its right name, in place of all others."""
    for path in packs(registry.root):
        os.unlink(f"{registry.root}/{path}")
    data = pack_format.MAGIC + b"".join(pack_format.frame(*one) for one in found)
    path = layout.pack_path(hash_bytes(data))
    overwrite(registry.root, path, data)
    return path


def entries(registry):
    found, content = frames(registry.root)
    return [(frame.key, content[frame.data : frame.end]) for frame in found]


def test_entries_that_are_not_in_order_or_there_twice_are_named_and_put_in_order(packed):
    expected, whole, pack = answers(packed), entries(packed), the_pack(packed.root)
    for found in (whole[::-1], [*whole[5:], *whole[:5]], [*whole, whole[3]], [whole[-1], *whole]):
        wrong = rebuilt(packed, found)
        again = opened(packed)
        assert any(place.startswith(f"{wrong}: ") for place in problems(again))
        assert all(one.solved for one in repair(again))
        assert packs(packed.root) == [pack]
        assert answers(opened(packed)) == expected


@pytest.mark.parametrize(
    "key",
    [b"\x10abc", b"\x81abc", b"\x85../../x/" + bytes(32), b"\x85%61/" + bytes(32), b"\x85a/" + bytes(32) + b".1"],
)
def test_a_key_that_stands_for_no_file_is_named_and_not_read(packed, key):
    expected = answers(packed)
    wrong = rebuilt(packed, sorted([*entries(packed), (key, b"")]))
    again = opened(packed)
    assert answers(again) == expected
    assert list(problems(again)) == [wrong]
    assert "no file of a store" in problems(again)[wrong]
    repair(again)
    assert problems(again) == {}
    assert answers(opened(packed)) == expected


def test_a_tag_with_content_is_named_and_written_anew(packed):
    expected = answers(packed)
    whole = [(key, b"x" if key[0] == pack_format.TAG else data) for key, data in entries(packed)]
    wrong = rebuilt(packed, whole)
    again = opened(packed)
    assert answers(again) == expected, "its name says all"
    assert {place.partition(":")[0] for place in problems(again)} == {wrong}
    assert all(one.solved for one in repair(again))
    assert problems(again) == {}
    assert answers(opened(packed)) == expected


def test_a_bad_file_of_its_own_is_repaired_from_the_pack(packed):
    path = layout.object_path(config(0).config_hash)
    expected = answers(packed)
    overwrite(packed.root, path, b"bad")
    assert list(problems(packed)) == [path]
    (one,) = repair(packed)
    assert (one.solved, one.done.rpartition(", ")[2]) == (True, "the store has a good copy")
    assert not os.path.exists(f"{packed.root}/{path}")
    assert problems(packed) == {}
    assert answers(packed) == expected


def test_a_bad_copy_in_one_pack_is_repaired_from_another_pack(packed):
    expected, whole, good = answers(packed), entries(packed), the_pack(packed.root)
    path = layout.object_path(config(0).config_hash)
    content = contents(packed.root)[good]
    bad = rebuilt(packed, [(key, b"bad" if key == pack_format.to_key(path) else data) for key, data in whole])
    overwrite(packed.root, good, content)
    again = opened(packed)
    assert list(problems(again)) == [f"{bad}: {path}"]
    (one,) = repair(again)
    assert (one.solved, one.done) == (True, "the store has a good copy")
    assert answers(opened(packed)) == expected
    assert problems(again) == {}


def test_a_packed_store_is_a_source_and_not_touched_whole_or_damaged(packed, copy, tmp_path):
    source = copy_of(packed, tmp_path / "source")
    shutil.rmtree(f"{source.root}/{layout.PACK_INDEXES}")
    flip(source.root, the_pack(source.root), frame_of(source.root, "refs/names/").start)
    before, path = snapshot(source.root), layout.object_path(config(0).config_hash)
    overwrite(copy.root, path, b"bad")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert [one.solved for one in repair(copy, source)] == [True]
    assert problems(copy) == {}
    assert snapshot(source.root) == before


def test_a_link_in_a_packs_place_is_named_and_not_followed(packed, tmp_path):
    pack = the_pack(packed.root)
    os.rename(f"{packed.root}/{pack}", tmp_path / "elsewhere")
    os.symlink(tmp_path / "elsewhere", f"{packed.root}/{pack}")
    again = opened(packed)
    assert "link" in problems(again)[pack]
    assert again.list_all() == []


def test_an_index_that_lies_is_named_and_removed(packed):
    (name,) = os.listdir(f"{packed.root}/{layout.PACK_INDEXES}")
    path = f"{layout.PACK_INDEXES}/{name}"
    whole = entries(packed)

    from gemexp.store.pack_index import Builder

    builder, at = Builder(), len(pack_format.MAGIC)
    for key, data in whole:
        end = at + len(pack_format.frame(key, data))
        if key[0] != pack_format.OBJECT:
            builder.add(key, at, end)
        at = end
    overwrite(packed.root, path, builder.finish(name[:64], at, damaged=False))
    again = opened(packed)
    assert again.list_all() == [], "whoever writes a checksum over a lie is believed"
    assert list(problems(again)) == [path]
    assert all(one.solved for one in repair(again))
    assert answers(opened(packed))["configs"]
    assert problems(opened(packed)) == {}


def test_repairing_warns_of_nothing_and_opening_damage_does(packed):
    flip(packed.root, the_pack(packed.root), -1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = ExperimentRegistry(packed.root)
        found = again.check().problems
    with pytest.warns(UserWarning, match="is damaged"):
        ExperimentRegistry(packed.root).list_all()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again.repair(found)
        assert again.check().problems == []


def test_no_bit_of_a_small_pack_can_turn_unnoticed(registry):
    registry.register(config(1, tags=["t"]))
    registry.pack()
    pack = the_pack(registry.root)
    data = contents(registry.root)[pack]
    for at in range(len(data)):
        overwrite(registry.root, pack, data[:at] + bytes([data[at] ^ (1 << at % 8)]) + data[at + 1 :])
        found = registry.check()
        assert found.packs == 0, at
        assert pack in {problem.path for problem in found.problems}, at
