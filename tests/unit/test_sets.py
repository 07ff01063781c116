"""Causal-length sets: tags and deletions."""

import itertools
import os
import random

import pytest
from surroundings import contents, merge

from gemexp.store import packing, sets
from gemexp.store.files import Folder

SET = "refs/tags/best"
HASHES = [f"{number:02x}" * 32 for number in range(4)]
ONE, OTHER = HASHES[:2]


@pytest.fixture
def folder(tmp_path):
    return make(tmp_path / "store")


def make(root):
    root.mkdir()
    return Folder(str(root))


def turn(folder, operation, config_hash):
    with folder.batch() as batch:
        return operation(folder, batch, SET, config_hash)


def names(folder):
    path = f"{folder.root}/{SET}"
    return sorted(os.listdir(path)) if os.path.isdir(path) else []


def test_adding_and_removing_write_the_next_length(folder):
    assert turn(folder, sets.add, ONE)
    assert names(folder) == [ONE]
    assert not turn(folder, sets.add, ONE)
    assert names(folder) == [ONE]
    assert turn(folder, sets.remove, ONE)
    assert names(folder) == [ONE, f"{ONE}.2"]
    assert not turn(folder, sets.remove, ONE)
    assert turn(folder, sets.add, ONE)
    assert names(folder) == [ONE, f"{ONE}.2", f"{ONE}.3"]
    assert sets.members(folder, SET) == {ONE}
    assert sets.length(folder, SET, ONE) == 3
    assert sets.contains(folder, SET, ONE)
    assert not sets.contains(folder, SET, OTHER)


def test_removing_what_never_was_writes_nothing(folder):
    assert not turn(folder, sets.remove, ONE)
    assert names(folder) == []


def test_lengths_of_two_digits_count_as_numbers(folder):
    for _ in range(6):
        turn(folder, sets.add, ONE)
        turn(folder, sets.remove, ONE)
    assert sets.length(folder, SET, ONE) == 12
    assert sets.members(folder, SET) == set()
    assert turn(folder, sets.add, ONE)
    assert sets.members(folder, SET) == {ONE}


def test_files_with_other_names_are_passed_over(folder):
    turn(folder, sets.add, ONE)
    for name in (
        f"{ONE}.2~",
        f".{ONE}.Xy",
        f"{ONE}.1",
        f"{ONE}.02",
        "README",
        f"{OTHER}.0",
        OTHER.upper().replace("0", "A"),
    ):
        with open(f"{folder.root}/{SET}/{name}", "wb"):
            pass
    assert sets.members(folder, SET) == {ONE}
    assert sets.length(folder, SET, ONE) == 1


@pytest.mark.parametrize(
    "present", [subset for size in range(5) for subset in itertools.combinations(range(1, 5), size)]
)
def test_both_ways_of_asking_agree_whatever_an_incomplete_copy_left(folder, present):
    os.makedirs(f"{folder.root}/{SET}")
    for number in present:
        with open(f"{folder.root}/{SET}/{ONE}" + (f".{number}" if number > 1 else ""), "wb"):
            pass
    assert sets.contains(folder, SET, ONE) == (ONE in sets.members(folder, SET))


@pytest.mark.parametrize(("present", "is_member"), [((1, 3), True), ((1, 2, 4), False), ((2,), False), ((3,), True)])
def test_the_highest_length_decides_and_the_next_turn_fills_gaps(folder, present, is_member):
    os.makedirs(f"{folder.root}/{SET}")
    for number in present:
        with open(f"{folder.root}/{SET}/{ONE}" + (f".{number}" if number > 1 else ""), "wb"):
            pass
    assert sets.contains(folder, SET, ONE) is is_member
    assert (ONE in sets.members(folder, SET)) is is_member
    turn(folder, sets.remove if is_member else sets.add, ONE)
    assert sets.contains(folder, SET, ONE) is not is_member
    assert len(names(folder)) == max(present) + 1


def test_two_who_do_the_same_write_the_same_files(tmp_path):
    folders = [make(tmp_path / name) for name in "ab"]
    for folder in folders:
        turn(folder, sets.add, ONE)
        turn(folder, sets.remove, ONE)
    assert names(folders[0]) == names(folders[1])


def test_the_union_of_diverged_sets_is_a_set_whatever_the_order(tmp_path):
    chance = random.Random(7)  # noqa: S311 - a course of events, not a secret
    folders = [make(tmp_path / name) for name in "abc"]
    for _ in range(60):
        turn(chance.choice(folders), chance.choice([sets.add, sets.remove]), chance.choice(HASHES))
    unions = []
    for order in itertools.permutations(folders):
        union = make(tmp_path / f"union{len(unions)}")
        for folder in (*order, order[0]):
            merge(folder.root, union.root)
        unions.append(union)
    assert len({tuple(contents(union.root)) for union in unions}) == 1
    expected = {
        config_hash
        for config_hash in HASHES
        if max(sets.length(folder, SET, config_hash) for folder in folders) % 2 == 1
    }
    assert all(sets.members(union, SET) == expected for union in unions)


def test_someone_who_added_again_wins_over_one_who_only_removed(tmp_path):
    first, second = make(tmp_path / "a"), make(tmp_path / "b")
    turn(first, sets.add, ONE)
    merge(first.root, second.root)
    turn(first, sets.remove, ONE)
    turn(second, sets.remove, ONE)
    turn(second, sets.add, ONE)
    merge(second.root, first.root)
    assert sets.members(first, SET) == {ONE}


@pytest.mark.parametrize("turns", range(1, 9))
@pytest.mark.parametrize("packed", range(9))
def test_all_ways_to_look_a_length_up_agree_wherever_the_files_lie(folder, turns, packed):
    for number in range(turns):
        if number == packed:
            packing.pack(folder, keep=lambda _: False)
        turn(folder, sets.remove if number % 2 else sets.add, ONE)
    assert sets.length(folder, SET, ONE) == turns
    assert sets.lengths(folder, SET) == {ONE: turns}
    assert sets.tag_lengths(folder, ONE) == {SET: turns}
