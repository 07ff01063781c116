"""Reading packs as if what they hold were files of their own, with an index that is never trusted blindly."""

import os
import shutil
import time
import warnings

import pytest
from packed_stores import answers, config, copy_of, fill, flip, frames, overwrite, packs, the_pack
from surroundings import contents, snapshot

from gemexp import Corrupt, DamageWarning, ExperimentRegistry
from gemexp.store import layout, pack_format, pack_index, packing
from gemexp.store.files import Folder
from gemexp.store.pack import Pack, build_index
from gemexp.store.pack_index import MEMBERS, OBJECTS, RECORDS, Builder, PackIndex
from gemexp.store.packs import Packs

LIMIT = 1 << 20


@pytest.fixture(scope="module")
def templates(tmp_path_factory):
    """The same store twice: with every file a file of its own, and packed."""
    loose = ExperimentRegistry(tmp_path_factory.mktemp("loose") / "store")
    fill(loose, configs=8)
    packed = copy_of(loose, tmp_path_factory.mktemp("packed") / "store")
    packed.pack()
    return loose, packed


@pytest.fixture
def loose(templates):
    return Folder(templates[0].root)


@pytest.fixture
def root(templates, tmp_path):
    """A packed store's folder."""
    return copy_of(templates[1], tmp_path / "packed").root


def folders(tree):
    found = ["", "objects", "index", "refs", "refs/tags", "refs/names", "refs/deleted", "refs/migrated", "nowhere"]
    return [*found, *(f"{top}/{name}" for top in ("objects", "index", *found[4:6]) for name in tree.names(top))]


def ours(names):
    """Leave out what only packing makes, and what it leaves."""
    return sorted(set(names) - {"packs", "local"})


def read(tree, folder):
    """Return the files in a folder that could be read; folders in it cannot."""
    return {name: data for name, data in tree.contents(folder, LIMIT) if data is not None}


def test_a_packed_store_gives_the_same_listings_and_contents(root, loose):
    packed = Folder(root)
    for folder in folders(loose):
        assert ours(packed.names(folder)) == ours(loose.names(folder)), folder
        names = loose.names(folder)
        for prefix in {"", "0", *(name[:size] for name in names for size in (1, 2, 4, 17, 64, 66))}:
            found = packed.names_with_prefix(folder, prefix)
            assert ours(found) == ours(loose.names_with_prefix(folder, prefix)), (folder, prefix)
        assert packed.exists(folder) == loose.exists(folder)
        assert read(packed, folder) == read(loose, folder)
    for path in contents(loose.root):
        assert packed.exists(path)
        assert packed.read(path, LIMIT) == loose.read(path, LIMIT)
    for number in range(-1, 9):
        config_hash = config(number).config_hash
        assert sorted(packed.memberships(config_hash)) == sorted(loose.memberships(config_hash))
        assert not packed.exists(layout.object_path(config_hash[:63] + "x"))
        assert packed.read(layout.object_path(config_hash[::-1]), LIMIT) is None


def test_the_registry_gives_the_same_answers(root, templates):
    assert answers(ExperimentRegistry(root)) == answers(templates[0])


def test_what_is_larger_than_the_limit_is_refused_and_only_named_among_contents(root, loose):
    path = layout.object_path(config(0).config_hash)
    size = len(loose.read(path, LIMIT))
    packed = Folder(root)
    assert packed.read(path, size)
    with pytest.raises(Corrupt, match="larger"):
        packed.read(path, size - 1)
    assert list(packed.contents(path.rpartition("/")[0], size - 1)) == [(path.rpartition("/")[2], None)]


def test_several_packs_and_files_are_united_and_nothing_is_told_twice(root, loose):
    found, content = frames(root)
    for part in (found[::2], found[::3], found[1:2]):
        packing.write(Folder(root), [(frame.key, content[frame.data : frame.end]) for frame in part])
    for path in list(contents(loose.root))[::2]:
        overwrite(root, path, loose.read(path, LIMIT))
    packed = Folder(root)
    assert len(packed.packs.all()) == 4
    for folder in folders(loose):
        assert ours(packed.names(folder)) == ours(loose.names(folder))
        found = [name for name, data in packed.contents(folder, LIMIT) if data is not None]
        assert sorted(found) == sorted(read(loose, folder))
        assert read(packed, folder) == read(loose, folder)


def test_reading_writes_nothing_but_an_index_and_that_only_once(root):
    shutil.rmtree(f"{root}/{layout.PACK_INDEXES}")
    before = contents(root)
    ExperimentRegistry(root).list_all()
    assert contents(root) == before
    (name,) = os.listdir(f"{root}/{layout.PACK_INDEXES}")
    assert name == f"{the_pack(root)[6:70]}.gxi"
    after = snapshot(root)
    ExperimentRegistry(root).list_all()
    assert snapshot(root) == after


def test_a_store_that_is_only_looked_at_gets_no_index(root):
    shutil.rmtree(f"{root}/{layout.PACK_INDEXES}")
    before = snapshot(root)
    (pack,) = Packs(root, cached=False).all()
    assert pack.names("objects", "")
    assert snapshot(root) == before


def index_path(root):
    return layout.pack_index_path(the_pack(root)[6:70])


def read_index(root):
    with open(f"{root}/{index_path(root)}", "rb") as file:
        return file.read()


def known(index, root):
    """Return what an index says of where entries are."""
    index = PackIndex(index, the_pack(root)[6:70])
    return list(index.paths()), index.folders, index.damaged


def test_an_index_that_is_built_from_the_pack_is_the_one_that_was_written(root):
    pack = Pack.open(root, the_pack(root)[6:70])
    built = build_index(pack.name, pack.bytes)
    assert known(built, root) == known(read_index(root), root)
    assert (PackIndex(built, pack.name).proven, pack.index.proven) == (False, True)  # only who wrote it has decoded it
    assert len(frames(root)[0]) == sum(pack.index.count(table) for table in (OBJECTS, RECORDS, MEMBERS))


def test_no_bit_of_an_index_can_mislead(root, templates):
    data = read_index(root)
    expected = answers(templates[1])
    step = 61  # a prime: every part of the index is hit, at every place in a word
    for at in range(0, len(data), step):
        overwrite(root, index_path(root), data[:at] + bytes([data[at] ^ (1 << at % 8)]) + data[at + 1 :])
        folder = Folder(root)
        assert sorted(folder.names("refs/tags")) == sorted(expected["tags"] | {"gone": 1}), at
        for one in expected["configs"]:
            assert folder.exists(layout.object_path(one["config_hash"])), at
            assert len(folder.names_with_prefix(f"index/{one['config_hash'][:2]}", one["config_hash"])) >= 1, at
            assert len(list(folder.memberships(one["config_hash"]))) >= 1, at
    assert answers(ExperimentRegistry(root)) == expected


@pytest.mark.parametrize(
    "damage",
    {
        "empty": lambda _: b"",
        "one byte": lambda data: data[:1],
        "header cut": lambda data: data[:100],
        "tables cut": lambda data: data[:-200],
        "a byte less": lambda data: data[:-1],
        "a byte more": lambda data: data + b"x",
        "zeros": lambda data: bytes(len(data)),
        "zeros at the end": lambda data: data[: len(data) // 2] + bytes(len(data) - len(data) // 2),
        "another version": lambda data: b"GXPINDX1" + data[8:],
        "text": lambda _: b"not an index at all\n" * 5000,
    }.items(),
    ids=lambda item: item[0],
)
def test_an_index_that_is_none_is_made_anew(root, templates, damage):
    whole = read_index(root)
    overwrite(root, index_path(root), damage[1](whole))
    assert answers(ExperimentRegistry(root)) == answers(templates[1])
    assert known(read_index(root), root) == known(whole, root)


def test_a_folder_in_an_indexs_place_does_no_harm(root, templates):
    os.unlink(f"{root}/{index_path(root)}")
    os.mkdir(f"{root}/{index_path(root)}")
    assert answers(ExperimentRegistry(root)) == answers(templates[1])


def test_the_index_of_another_pack_of_the_same_size_is_not_believed(registry, tmp_path):
    other = ExperimentRegistry(tmp_path / "other")
    for number, one in enumerate((registry, other)):
        one.register(config(number, created_at="2024-01-01T00:00:00Z"))
        one.pack()
    assert os.path.getsize(f"{registry.root}/{the_pack(registry.root)}") == os.path.getsize(
        f"{other.root}/{the_pack(other.root)}"
    )
    overwrite(registry.root, index_path(registry.root), read_index(other.root))
    assert ExperimentRegistry(registry.root).list_all() == registry.list_all() != []
    with pytest.raises(ValueError, match="another pack"):
        PackIndex(read_index(other.root), the_pack(registry.root)[6:70])


def test_an_index_of_a_damaged_pack_is_not_kept(root, templates):
    pack = the_pack(root)
    data = contents(root)[pack]
    os.unlink(f"{root}/{index_path(root)}")
    flip(root, pack, frames(root)[0][3].start)
    with pytest.warns(DamageWarning, match=f"{pack}' is damaged"):
        ExperimentRegistry(root).list_all()
    assert not os.path.exists(f"{root}/{index_path(root)}")
    overwrite(root, pack, data)
    assert answers(ExperimentRegistry(root)) == answers(templates[1])


def test_damage_since_the_index_was_made_is_warned_of_once(root):
    found = next(
        frame for frame in frames(root)[0] if frame.key == pack_format.to_key(layout.object_path(config(0).config_hash))
    )
    flip(root, the_pack(root), found.start + 3)
    folder = Folder(root)
    assert folder.exists(layout.object_path(config(1).config_hash))
    with pytest.warns(DamageWarning, match="is damaged"):
        assert not folder.exists(layout.object_path(config(0).config_hash))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not folder.exists(layout.object_path(config(0).config_hash))
        assert list(folder.contents(f"objects/{config(0).config_hash[:2]}", LIMIT)) == []


def test_damage_between_entries_that_are_listed_is_warned_of(root):
    found = [frame for frame in frames(root)[0] if pack_format.to_path(frame.key).startswith("refs/tags/all/")]
    flip(root, the_pack(root), found[2].start + 3)
    with pytest.warns(DamageWarning, match="is damaged"):
        assert len(Folder(root).names("refs/tags/all")) == len(found) - 1


@pytest.mark.parametrize("content", [b"", b"x", b"not a pack", pack_format.MAGIC[:7], b"\x89GXP\n\x1a\n" + bytes(100)])
def test_what_is_no_pack_is_warned_of_and_passed_over(root, templates, content):
    overwrite(root, layout.pack_path("12" * 32), content)
    registry = ExperimentRegistry(root)
    with pytest.warns(DamageWarning, match="is not a pack"):
        registry.list_all()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert answers(ExperimentRegistry(root)) == answers(templates[1])


def test_an_empty_pack_is_read(root, templates):
    data = pack_format.MAGIC
    from gemexp.digest import hash_bytes

    overwrite(root, layout.pack_path(hash_bytes(data)), data)
    assert answers(ExperimentRegistry(root)) == answers(templates[1])


@pytest.mark.parametrize(
    "name", ["x.gxp", "AB" * 32 + ".gxp", "ab" * 32, "ab" * 32 + ".gxp~", "." + "ab" * 32 + ".gxp"]
)
def test_what_is_not_named_like_a_pack_is_not_looked_at(root, name):
    overwrite(root, f"packs/{name}", b"x")
    assert len(Packs(root).all()) == 1


def test_packs_that_come_and_go_are_noticed(root, tmp_path):
    registry, folder = ExperimentRegistry(root), Folder(root)
    path = layout.object_path(config(100).config_hash)
    assert not folder.exists(path)
    registry.register(config(100))
    registry.pack()
    assert folder.exists(path)
    assert [pack.path for pack in folder.packs.all()] == packs(root)
    shutil.move(f"{root}/packs", tmp_path / "away")
    assert folder.names("objects") == []
    shutil.move(tmp_path / "away", f"{root}/packs")
    old = time.time() - 100
    os.utime(f"{root}/packs", (old, old))
    assert folder.exists(path)
    assert folder.read(path, LIMIT) == registry.data(config(100).config_hash)


def test_a_pack_that_goes_while_it_is_read_is_read_to_its_end(root, loose):
    folder = Folder(root)
    (pack,) = folder.packs.all()
    found = pack.paths()
    first = next(found)
    os.unlink(f"{root}/{the_pack(root)}")
    assert len([first, *found]) == len(pack.bytes and list(pack.keyed())) > 10
    assert folder.names("objects") == []
    assert loose.names("objects")


def test_a_repack_between_listing_and_opening_is_followed(root, monkeypatch):
    writer = ExperimentRegistry(root)
    writer.register(config(100))
    open_pack, done = Pack.open.__func__, []

    def opening(cls, folder, name, **options):
        if not done and folder == root:
            done.append(name)
            Folder(root)
            monkeypatch.setattr(Pack, "open", classmethod(open_pack))
            ExperimentRegistry(root).pack()
        return open_pack(cls, folder, name, **options)

    reader = Folder(root)
    monkeypatch.setattr(Pack, "open", classmethod(opening))
    assert reader.exists(layout.object_path(config(0).config_hash))
    assert done
    assert reader.exists(layout.object_path(config(100).config_hash))


def test_a_link_in_the_folders_place_is_refused(root, tmp_path):
    shutil.move(f"{root}/packs", tmp_path / "elsewhere")
    os.symlink(tmp_path / "elsewhere", f"{root}/packs")
    with pytest.raises(Corrupt, match="symbolic link"):
        ExperimentRegistry(root).list_all()


def test_a_file_in_the_folders_place_holds_no_packs(root):
    shutil.rmtree(f"{root}/packs")
    overwrite(root, "packs", b"x")
    assert Packs(root).all() == []


def test_the_tables_find_hashes_that_begin_alike():
    same = [f"{'ab' * 8}{number:048x}" for number in range(5)]
    others = [f"{number:02x}" + "00" * 31 for number in range(256)]
    builder, at = Builder(), 8
    for name in sorted([*same, *others]):
        builder.add(pack_format.object_key(name), at, at + 100)
        at += 100
    index = PackIndex(builder.finish("00" * 32, at, damaged=False), "00" * 32, at)
    index.check()
    assert len(index.places(OBJECTS, "ab" * 8)) == 5
    assert len(index.places(OBJECTS, same[0])) == 5, "what agrees in 16 digits; the pack tells the rest"
    assert len(index.places(OBJECTS, "ab")) == 6
    assert len(index.places(OBJECTS, "aba")) == 5
    assert len(index.places(OBJECTS, "ff" + "0" * 62)) == 1
    assert len(index.places(OBJECTS, "ff1")) == 0
    assert index.fan_outs(OBJECTS) == [f"{number:02x}" for number in range(256)]
    assert index.fan_outs(RECORDS) == []
    assert index.span(OBJECTS) == (8, at - 100)
    assert index.folders == {}


@pytest.mark.parametrize("many", [0, 1000])
def test_of_many_objects_those_that_packs_have(root, loose, monkeypatch, many):
    monkeypatch.setattr(pack_index, "_BISECT_BELOW", many)
    objects = [name for fan_out in loose.names("objects") for name in loose.names(f"objects/{fan_out}")]
    others = [f"{one[:16]}{'0' * 48}" for one in objects[:3]] + ["ab" * 32]
    assert Folder(root).packs.among([*objects, *others]) == set(objects)
    assert Folder(root).packs.among(others) == set()
    assert loose.packs.among(objects) == set()
