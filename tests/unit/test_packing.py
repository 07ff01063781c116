"""Packing: what goes into a pack, what stays, and what happens when it cannot be done."""

import errno
import hashlib
import os
from itertools import groupby

import pytest
from packed_stores import answers, config, copy_of, fill, frames, overwrite, packs, the_pack
from surroundings import contents

from gemexp import Corrupt, ExperimentRegistry
from gemexp.errors import StoreUnwritable
from gemexp.store import durable, layout, pack_format, packing
from gemexp.store.files import Folder


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    registry = ExperimentRegistry(tmp_path_factory.mktemp("template") / "store")
    fill(registry)
    return registry


@pytest.fixture
def filled(template, tmp_path):
    return copy_of(template, tmp_path / "filled")


def packable(root):
    return {path for path in contents(root) if pack_format.is_path(path) and not path.startswith(layout.DELETED)}


def nothing(_):
    return False


def test_a_pack_holds_the_files_byte_by_byte_in_order_under_its_hash(filled):
    before = contents(filled.root)
    wanted = packable(filled.root)
    packed = filled.pack()
    path = the_pack(filled.root)
    found, content = frames(filled.root)
    assert layout.pack_path(packed.pack) == path == f"packs/{hashlib.sha256(content).hexdigest()}.gxp"
    assert (packed.files, packed.size, packed.loose) == (len(wanted), len(content), len(wanted))
    held = {pack_format.to_path(frame.key): content[frame.data : frame.end] for frame in found}
    assert held == {path: before[path] for path in wanted}
    assert [frame.key for frame in found] == sorted(frame.key for frame in found)
    assert set(contents(filled.root)) == set(before) - wanted | {path}
    assert os.stat(f"{filled.root}/{path}").st_mode & 0o777 == 0o444


def test_marks_of_deletion_keep_files_of_their_own_because_their_age_counts(filled):
    filled.pack()
    assert [path for path in contents(filled.root) if path.startswith(layout.DELETED)]


def test_the_same_files_make_the_same_pack_however_they_lay_before(filled, tmp_path):
    others = [copy_of(filled, tmp_path / name) for name in "abc"]
    filled.pack()
    others[0].pack()
    for root, step in ((others[1].root, 2), (others[2].root, 3)):
        for start in range(step):
            chosen = set(sorted(packable(root))[start::step])
            packing.pack(Folder(root), keep=lambda path, chosen=chosen: path not in chosen)
        assert len(packs(root)) == step
        ExperimentRegistry(root).pack()
        assert packs(root) == packs(filled.root)
    assert contents(others[0].root) == contents(filled.root)


def test_empty_folders_go_with_their_files(filled):
    filled.pack()
    left = {os.path.relpath(folder, filled.root) for folder, _, _ in os.walk(filled.root)}
    assert {name for name in left if not name.startswith("local")} == {
        *(".", "packs", "objects", "index", "refs", "refs/tags", "refs/deleted", "refs/names")
    }


def test_what_is_to_be_kept_stays_and_is_not_packed(filled):
    kept = {path for path in packable(filled.root) if path.startswith("refs/")}
    packed = packing.pack(filled._folder, keep=kept.__contains__)
    assert kept < set(contents(filled.root))
    assert packed.files == len({pack_format.to_path(frame.key) for frame in frames(filled.root)[0]} - kept)
    first = the_pack(filled.root)
    packing.pack(filled._folder, keep=first.__eq__)
    assert len(packs(filled.root)) == 2
    assert filled.pack().packs == 2
    assert len(packs(filled.root)) == 1


def test_what_is_foreign_stays(filled):
    for path in ("objects/ab/x", "refs/tags/A/" + "0" * 64, "index/README", "refs/tags/all/.x.swp"):
        overwrite(filled.root, path, b"mine")
    filled.pack()
    assert b"mine" in contents(filled.root).values()
    assert list(contents(filled.root).values()).count(b"mine") == 4


def test_damaged_files_stay_and_good_ones_of_packs_are_kept_in_their_stead(filled):
    good = layout.object_path(config(0).config_hash)
    filled.pack()
    for path, data in ((good, b"bad"), (f"refs/tags/all/{config(0).config_hash}", b"x")):
        overwrite(filled.root, path, data)
    before = {frame.key for frame in frames(filled.root)[0]}
    packed = filled.pack()
    assert (packed.damaged, packed.loose) == (2, 0)
    assert {frame.key for frame in frames(filled.root)[0]} == before
    assert contents(filled.root)[good] == b"bad"


def test_damaged_packs_stay(filled):
    filled.pack()
    path = the_pack(filled.root)
    overwrite(filled.root, path, contents(filled.root)[path] + b"x")
    again = ExperimentRegistry(filled.root)
    again._folder.packs.warns = False
    again.register(config(50))
    packed = again.pack()
    assert (packed.damaged, packed.packs, packed.files) == (1, 0, 2)
    assert path in packs(filled.root)


def test_a_foreign_pack_with_entries_that_are_not_what_they_say_is_not_believed(filled):
    path = layout.object_path("12" * 32)
    data = pack_format.MAGIC + pack_format.frame(pack_format.to_key(path), b"not what it says")
    overwrite(filled.root, layout.pack_path(hashlib.sha256(data).hexdigest()), data)
    expected = answers(filled)
    filled.pack()
    assert path not in {pack_format.to_path(frame.key) for frame in frames(filled.root)[0]}
    assert answers(filled) == expected


def test_an_artifact_that_is_a_pack_itself_is_packed_as_it_is(filled, tmp_path):
    other = ExperimentRegistry(tmp_path / "other")
    other.register(config(77, tags=["foreign"]))
    other.pack()
    inner = contents(other.root)[the_pack(other.root)]
    outcome = filled.record(config(0), {"loss": 1.0}, artifacts={"store.gxp": inner})
    filled.pack()
    assert filled.get(config(77).config_hash) is None
    assert "foreign" not in filled.tags()
    assert filled.data(filled.outcome(outcome).artifacts["store.gxp"]) == inner
    assert filled.check().problems == []


def test_a_large_artifact_goes_in_and_comes_out(filled):
    data = os.urandom(1 << 20) * 5
    outcome = filled.record(config(0), {"loss": 1.0}, artifacts={"weights.bin": data})
    filled.pack()
    assert filled.data(filled.outcome(outcome).artifacts["weights.bin"]) == data
    assert not contents(filled.root).keys() & {layout.object_path(hashlib.sha256(data).hexdigest())}


def test_progress_is_told_in_large_steps(registry, monkeypatch):
    registry.add_many(config(number) for number in range(20))
    told = []
    monkeypatch.setattr(packing, "_PROGRESS_FILES", 10)
    registry.pack(progress=told.append)
    assert told == [10, 20, 30, 40]


@pytest.mark.parametrize("step", ["write_all", "link", "sync_path"])
@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO])
def test_a_write_that_fails_leaves_every_file_where_it_is(filled, monkeypatch, step, error):
    before, expected = contents(filled.root), answers(filled)

    def failing(*_):
        raise OSError(error, os.strerror(error))

    with monkeypatch.context() as patch:
        patch.setattr(durable, step, failing)
        with pytest.raises(StoreUnwritable):
            filled.pack()
    assert set(before) <= set(contents(filled.root))
    assert os.listdir(f"{filled.root}/{layout.TMP}") == []
    assert answers(filled) == expected
    filled.pack()
    assert answers(filled) == expected
    assert filled.check().problems == []


def test_a_pack_that_does_not_read_back_replaces_nothing(filled, monkeypatch):
    before = contents(filled.root)
    place = packing._place

    def placing(folder, temporary, name):
        place(folder, temporary, name)
        overwrite(folder.root, layout.pack_path(name), b"\0" * 1000)

    monkeypatch.setattr(packing, "_place", placing)
    with pytest.raises(Corrupt, match="does not hold what was written") as caught:
        filled.pack()
    assert "nothing was removed" in caught.value.hint
    assert before.items() <= contents(filled.root).items()


def test_a_pack_that_was_damaged_is_written_over_by_the_same_pack(filled, tmp_path):
    copy = copy_of(filled, tmp_path / "copy")
    copy.pack()
    path = the_pack(copy.root)
    overwrite(filled.root, path, b"bad")
    expected = answers(copy)
    filled._folder.packs.warns = False
    filled.pack()
    assert contents(filled.root)[path] == contents(copy.root)[path]
    assert answers(ExperimentRegistry(filled.root)) == expected


def test_stale_indexes_go_when_packs_are_replaced(filled):
    for number in range(3):
        filled.register(config(100 + number))
        filled.pack()
    assert os.listdir(f"{filled.root}/{layout.PACK_INDEXES}") == [f"{the_pack(filled.root)[6:70]}.gxi"]


def test_what_cannot_be_removed_of_indexes_stays(filled):
    os.makedirs(f"{filled.root}/{layout.pack_index_path('ab' * 32)}/x")
    expected = answers(filled)
    assert filled.pack().pack
    assert answers(filled) == expected


def test_adding_what_a_pack_holds_writes_no_file(filled):
    filled.register(config(5, created_at="2024-01-01T00:00:00Z", tags=["t"]))
    filled.pack()
    before = contents(filled.root)
    for again in (filled, ExperimentRegistry(filled.root)):
        again.register(config(5, created_at="2024-01-01T00:00:00Z", tags=["t"]))
    assert contents(filled.root) == before


def test_adding_what_a_pack_holds_damaged_writes_it_anew(filled):
    filled.pack()
    path = layout.object_path(config(0).config_hash)
    found, content = frames(filled.root)
    frame = next(frame for frame in found if frame.key == pack_format.to_key(path))
    overwrite(filled.root, the_pack(filled.root), content[: frame.data] + b"X" + content[frame.data + 1 :])
    again = ExperimentRegistry(filled.root)
    again.register(config(0))
    assert again.get(config(0).config_hash).hyperparameters == {"k": 0}
    assert path in contents(filled.root)


def test_many_entries_at_once_make_the_same_pack_and_index(filled, tmp_path):
    filled.pack()
    found, content = frames(filled.root)
    entries = [(frame.key, content[frame.data : frame.end]) for frame in found]
    one_by_one = packing.write(Folder(str(tmp_path / "a")), entries)
    runs = [
        packing.Run(prefix, [key[len(prefix) :] for key, _ in part], [data for _, data in part])
        for (prefix, _), group in groupby(entries, key=lambda entry: alike(entry[0]))
        for part in batched(list(group), 3)
    ]
    assert any(len(run.rests) == 3 for run in runs)
    assert packing.write(Folder(str(tmp_path / "b")), runs) == one_by_one
    index = layout.pack_index_path(one_by_one.pack)
    assert (tmp_path / "a" / index).read_bytes() == (tmp_path / "b" / index).read_bytes()


def alike(key):
    """Return what a run's keys begin with, and how long they are."""
    return key[: pack_format.name_start(key)], len(key)


def batched(items, size):
    return [items[start : start + size] for start in range(0, len(items), size)]


def test_nothing_is_made_of_nothing(registry):
    assert packing.write(registry._folder, []).pack is None

    assert packing.pack(registry._folder, keep=nothing).pack is None
    assert packs(registry.root) == []
    assert os.listdir(f"{registry.root}/{layout.TMP}") == []
