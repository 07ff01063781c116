"""Index records: time, description and parents of a configuration."""

import os

import pytest
from surroundings import merge

from gemexp.canonical import encode
from gemexp.digest import hash_bytes
from gemexp.errors import Corrupt, DamageWarning
from gemexp.store import aliases, kinds, layout, records
from gemexp.store.files import Folder

CONFIG, OTHER = "ab" * 32, "cd" * 32
EARLY, LATE = "2024-01-01T00:00:00Z", "2025-01-01T00:00:00Z"


@pytest.fixture
def folder(tmp_path):
    return make(tmp_path / "store")


def make(root):
    root.mkdir()
    return Folder(str(root))


def put(folder, created_at=EARLY, description="", parents=()):
    with folder.batch() as batch:
        return records.put(batch, CONFIG, created_at=created_at, description=description, parents=list(parents))


def describe(folder, text):
    with folder.batch() as batch:
        return records.describe(batch, CONFIG, text, records.metadata(folder, CONFIG).heads)


def test_a_record_lies_under_the_config_and_its_own_hash(folder):
    name = put(folder)
    path = f"{folder.root}/index/ab/{CONFIG}-{name}"
    with open(path, "rb") as file:
        assert hash_bytes(file.read()) == name


def test_nothing_recorded_is_nothing_known(folder):
    assert records.metadata(folder, CONFIG) == records.Metadata()


def test_the_earliest_registration_gives_the_time_whatever_the_zone(folder):
    put(folder, LATE)
    put(folder, "2024-06-01T00:00:00+05:00")
    put(folder, "2024-05-31T20:00:00Z")
    assert records.metadata(folder, CONFIG).created_at == "2024-06-01T00:00:00+05:00"


def test_parents_are_gathered_from_all_registrations(folder):
    put(folder, EARLY, parents=[OTHER])
    put(folder, LATE, parents=[OTHER, "ef" * 32])
    assert records.metadata(folder, CONFIG).parents == (OTHER, "ef" * 32)


def test_a_description_supersedes_the_one_before(folder):
    put(folder, description="first")
    assert records.metadata(folder, CONFIG).description == "first"
    describe(folder, "second")
    describe(folder, "third")
    known = records.metadata(folder, CONFIG)
    assert (known.description, known.other_descriptions) == ("third", ())


def test_a_description_can_be_emptied_and_put_back(folder):
    put(folder, description="first")
    describe(folder, "")
    assert records.metadata(folder, CONFIG).description == ""
    describe(folder, "first")
    assert records.metadata(folder, CONFIG).description == "first"


def test_two_descriptions_after_a_merge_are_both_kept_and_the_next_settles_it(tmp_path):
    first, second = make(tmp_path / "a"), make(tmp_path / "b")
    put(first, description="base")
    merge(first.root, second.root)
    describe(first, "mine")
    describe(second, "yours")
    merge(second.root, first.root)
    merge(first.root, second.root)
    known = records.metadata(first, CONFIG)
    assert known == records.metadata(second, CONFIG)
    assert {known.description, *known.other_descriptions} == {"mine", "yours"}
    assert known.description == "yours"  # the newest
    describe(first, "ours")
    known = records.metadata(first, CONFIG)
    assert (known.description, known.other_descriptions) == ("ours", ())
    assert len(os.listdir(f"{first.root}/index/ab")) == 4


def test_the_same_description_twice_is_one(tmp_path):
    first, second = make(tmp_path / "a"), make(tmp_path / "b")
    put(first, EARLY, "same")
    put(second, LATE, "same")
    merge(second.root, first.root)
    known = records.metadata(first, CONFIG)
    assert (known.description, known.other_descriptions) == ("same", ())
    assert len(known.heads) == 2


def test_aliases_are_found_by_the_beginning_of_the_old_hash(folder):
    old = "12" * 32
    with folder.batch() as batch:
        records.alias(batch, old, CONFIG, created_at=EARLY)
    assert [(one.old, one.config) for one in aliases.with_prefix(folder, "1212")] == [(old, CONFIG)]
    assert list(aliases.with_prefix(folder, "1213")) == []
    assert records.metadata(folder, old) == records.Metadata()


VALID = {"$": kinds.PUT, "config": CONFIG, "created_at": EARLY, "description": "", "parents": []}


def store(folder, value, about=CONFIG):
    data = value if isinstance(value, bytes) else encode(value)
    name = layout.RecordName(about, hash_bytes(data))
    with folder.batch() as batch:
        batch.create(layout.record_path(*name), data)
    return name


def test_a_valid_record_is_read(folder):
    assert records.read(folder, store(folder, VALID)) == VALID


@pytest.mark.parametrize(
    "change",
    [
        {"$": "gemexp/put@9"},
        {"$": 5},
        {"config": OTHER},
        {"config": 5},
        {"created_at": "yesterday"},
        {"created_at": 5},
        {"created_at": ""},
        {"description": 5},
        {"description": None},
        {"parents": ["short"]},
        {"parents": [5]},
        {"parents": "x"},
    ],
    ids=str,
)
def test_a_record_that_says_something_else_is_corrupt_and_passed_over(folder, change):
    name = store(folder, {**VALID, **change})
    with pytest.raises(Corrupt) as caught:
        records.read(folder, name)
    assert caught.value.path == layout.record_path(*name)
    assert records.metadata(folder, CONFIG) == records.Metadata()


@pytest.mark.parametrize("data", [b"", b"\x80", b"\x01", b"\xff", b"not msgpack at all"])
def test_a_record_that_is_no_map_is_corrupt(folder, data):
    with pytest.raises(Corrupt):
        records.read(folder, store(folder, data))


def test_a_damaged_record_hides_no_other(folder):
    put(folder, LATE, "kept")
    path = f"{folder.root}/index/ab/{CONFIG}-{put(folder, EARLY)}"
    os.chmod(path, 0o644)
    with open(path, "ab") as file:
        file.write(b"x")
    with pytest.warns(DamageWarning, match="another hash"):
        known = records.metadata(folder, CONFIG)
    assert (known.created_at, known.description) == (LATE, "kept")
