"""What configurations were made from: lists and trees, circles and gaps."""

import os
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemexp import ExperimentConfig, ExperimentRegistry, registering
from gemexp.compare import Diff
from gemexp.query.lineage import forest
from gemexp.store import layout
from gemexp.variants import Default


def make(number, **fields):
    return ExperimentConfig([], {}, {"number": number}, description=str(number), **fields)


@pytest.fixture
def add(registry):
    """Register configurations by their numbers, each a minute after the one before."""

    def run(number, *parents, minute=None):
        created_at = f"2024-01-31T09:{number if minute is None else minute:02}:00Z"
        return registry.register(make(number, created_at=created_at), parents=parents)

    return run


def shown(entries):
    return [entry.config.description for entry in entries]


def origins(entry):
    return [(origin.config_hash, origin.state, origin.through) for origin in entry.origins]


def test_all_are_listed_newest_first_each_before_what_it_was_made_from(registry, add):
    first = add(1)
    second = add(2, first)
    add(3, second, minute=0)  # a clock that is wrong
    add(4)
    assert shown(registry.log()) == ["4", "3", "2", "1"]
    assert shown(registry.log(limit=2)) == ["4", "3"]


def test_each_says_what_changed_against_each_parent(registry, add):
    first, second = add(1), add(2)
    third = add(3, second, first)
    entry = registry.log()[0]
    assert origins(entry) == [(second, "listed", ()), (first, "listed", ())]
    for origin, parent in zip(entry.origins, (second, first), strict=True):
        assert list(origin.differences) == list(Diff(registry.load(parent), registry.load(third)))


def test_one_is_shown_with_its_ancestors_and_on_request_with_what_was_made_from_it(registry, add):
    first = add(1)
    second = add(2, first)
    add(3, second)
    add(4, first)
    add(5)
    assert shown(registry.log(second)) == ["2", "1"]
    assert shown(registry.log(second, descendants=True)) == ["3", "2", "1"]
    assert shown(registry.log(first, descendants=True)) == ["4", "3", "2", "1"]


def test_a_deleted_one_is_left_out_and_its_children_still_connect(registry, add):
    first = add(1)
    second = add(2, first)
    third = add(3, second)
    fourth = add(4, third)
    registry.delete(second)
    registry.delete(third)
    entries = registry.log()
    assert shown(entries) == ["4", "1"]
    assert origins(entries[0]) == [(first, "listed", (third, second))]
    assert list(entries[0].origins[0].differences) == list(Diff(registry.load(first), registry.load(fourth)))
    assert shown(registry.log(fourth)) == ["4", "1"]
    registry.delete(first)
    (entry,) = registry.log()
    assert origins(entry) == [(first, "deleted", (third, second))]
    assert len(entry.origins[0].differences) == 1


def test_a_missing_parent_is_shown_as_such(registry, add):
    gone = add(1)
    child = add(2, gone, "e" * 64)
    registry.delete(gone)
    registry.collect(grace=0)
    (entry,) = registry.log()
    assert [(one.config_hash, one.state, one.differences) for one in entry.origins] == [
        (gone, "missing", None),
        ("e" * 64, "missing", None),
    ]
    assert shown(registry.log(child, descendants=True)) == ["2"]


def test_a_damaged_parent_is_shown_without_what_changed_and_a_damaged_one_is_passed_over(registry, add):
    first = add(1)
    add(2, first)
    path = os.path.join(registry.root, layout.object_path(first))
    os.chmod(path, 0o644)
    with open(path, "wb") as file:
        file.write(b"damage")
    with pytest.warns(match="fsck"):
        (entry,) = registry.log()
    assert [(one.config_hash, one.differences) for one in entry.origins] == [(first, None)]


def test_circles_of_parents_end(registry, add):
    first = add(1)
    second = add(2, first)
    third = add(3, second)
    add(1, third)
    add(2, second)
    entries = registry.log()
    assert sorted(shown(entries)) == ["1", "2", "3"]
    assert sorted(shown(registry.log(second, descendants=True))) == ["1", "2", "3"]
    assert len(forest(entries)) == 3


def test_a_circle_of_deleted_ones_ends(registry, add):
    first = add(1)
    second = add(2, first)
    add(1, second)
    add(3, second)
    registry.delete(first)
    registry.delete(second)
    (entry,) = registry.log()
    assert entry.config.description == "3"


def test_migrated_ones_are_shown_by_what_took_their_place(registry, add):
    first = add(1)
    second = add(2, first)
    registry.migrate(registry.plan_migration([Default(("hyperparameters", "seed"), 0)]).changes)
    new, newer = registry.migrated_to(first)[0], registry.migrated_to(second)[0]
    entries = registry.log()
    assert [entry.config_hash for entry in entries] == [newer, new]
    assert origins(entries[0]) == [(new, "listed", ())]
    (old,) = entries[0].migrated_from
    assert (old.config_hash, [str(one) for one in old.differences]) == (second, ["+ hyperparameters.seed = 0"])
    history = registry.log(second)
    assert [entry.config_hash for entry in history] == [second, first]
    assert history[0].migrated_to == (newer,)
    assert origins(history[0]) == [(first, "migrated", ())]


class TestForest:
    def placed(self, registry):
        return [(one.entry.config.description, one.depth, one.is_last) for one in forest(registry.log())]

    def test_siblings_are_newest_first_below_what_they_were_made_from(self, registry, add):
        first = add(1)
        second = add(2, first)
        add(3, second)
        add(4, first)
        add(5)
        assert self.placed(registry) == [
            ("5", 0, False),
            ("1", 0, True),
            ("4", 1, False),
            ("2", 1, True),
            ("3", 2, True),
        ]
        assert [one.has_children for one in forest(registry.log())] == [False, True, False, True, False]

    def test_one_of_several_parents_is_drawn_under_the_first_that_is_shown(self, registry, add):
        first, second = add(1), add(2)
        add(3, "e" * 64, second, first)
        found = {one.entry.config.description: one.under for one in forest(registry.log())}
        assert found == {"1": None, "2": None, "3": second}

    def test_a_long_chain_is_no_deep_recursion(self, registry):
        configs = [make(number) for number in range(sys.getrecursionlimit() + 200)]
        parents = [[], *([config.config_hash] for config in configs)]
        registering.register_each(registry._folder, zip(configs, parents, strict=False))
        assert [one.depth for one in forest(registry.log())] == list(range(len(configs)))


@settings(max_examples=25)
@given(
    parents=st.lists(st.lists(st.integers(0, 7), max_size=3), min_size=8, max_size=8),
    deleted=st.sets(st.integers(0, 7), max_size=4),
    start=st.integers(0, 7),
)
def test_every_listed_one_is_drawn_once_below_an_origin_or_as_a_root(tmp_path_factory, parents, deleted, start):
    registry = ExperimentRegistry(tmp_path_factory.mktemp("lineage") / "store")
    hashes = [make(number).config_hash for number in range(8)]
    for number, chosen in enumerate(parents):
        registry.register(make(number), parents=[hashes[one] for one in chosen])
    for number in deleted:
        registry.delete(hashes[number])
    entries = registry.log()
    listed = {config.config_hash for config in registry}
    assert {entry.config_hash for entry in entries} == listed
    placed = forest(entries)
    assert sorted(one.entry.config_hash for one in placed) == sorted(listed)
    trail = []
    for one in placed:
        del trail[one.depth :]
        assert one.under == (trail[-1] if trail else None)
        assert one.under is None or one.under in [origin.config_hash for origin in one.entry.origins]
        trail.append(one.entry.config_hash)
    for entry in entries:
        assert {origin.config_hash for origin in entry.origins if origin.state == "listed"} <= listed - {
            entry.config_hash
        }
    if start not in deleted:
        assert {entry.config_hash for entry in registry.log(hashes[start])} <= {
            entry.config_hash for entry in registry.log(hashes[start], descendants=True)
        }
