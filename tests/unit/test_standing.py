"""Which configurations count when some are deleted and some replaced, and what they take over."""

import os
import shutil

import pytest
from surroundings import contents, merge

from gemexp import ExperimentConfig, ExperimentRegistry
from gemexp.store import layout, sets
from gemexp.store.files import Folder
from gemexp.store.layout import Pair
from gemexp.store.standing import Standing, is_deleted


@pytest.fixture
def abcd(registry):
    return registry.add_many(ExperimentConfig([], {}, {"n": number}) for number in range(4))


def replace(registry, old, new, turn=sets.add):
    folder = Folder(registry.root)
    with folder.batch() as batch:
        assert turn(folder, batch, layout.MIGRATED, layout.pair_name(Pair(old, new)))


def withdraw(registry, old, new):
    replace(registry, old, new, turn=sets.remove)


def listed(registry):
    """Return the hashes that are listed, which all ways of listing have to agree on."""
    found = [config.config_hash for config in registry]
    assert sorted(config.config_hash for config in registry.list_all(None)) == found
    assert len(registry) == len(found)
    standing = Standing(Folder(registry.root))
    assert {name for name in found if standing.is_listed(name)} == set(found)
    return set(found)


def standing(registry):
    return Standing(Folder(registry.root))


class TestListing:
    def test_without_migrations_all_but_the_deleted_stand_for_themselves(self, registry, abcd):
        registry.delete(abcd[0])
        assert listed(registry) == set(abcd[1:])
        assert not standing(registry).migrated
        assert standing(registry).deleted == {abcd[0]}
        for config in abcd:
            assert standing(registry).successors(config) == []
            assert standing(registry).predecessors(config) == []
            assert is_deleted(Folder(registry.root), config) == (config == abcd[0])

    def test_a_replaced_config_is_not_listed_but_still_found(self, registry, abcd):
        a, b, c, d = abcd
        replace(registry, a, b)
        assert listed(registry) == {b, c, d}
        assert registry.resolve(a[:10]) == a
        assert registry.load(a).hyperparameters == {"n": 0}
        assert (standing(registry).successors(a), standing(registry).predecessors(b)) == ([b], [a])
        assert standing(registry).migrated

    def test_of_a_chain_the_last_stands_for_all(self, registry, abcd):
        a, b, c, d = abcd
        replace(registry, b, c)
        replace(registry, a, b)
        assert listed(registry) == {c, d}
        assert standing(registry).successors(a) == standing(registry).successors(b) == [c]
        assert standing(registry).predecessors(c) == sorted([a, b])

    def test_two_may_stand_for_one_and_one_for_two(self, registry, abcd):
        a, b, c, d = abcd
        for old, new in [(a, b), (a, c), (d, c)]:
            replace(registry, old, new)
        assert listed(registry) == {b, c}
        assert standing(registry).successors(a) == sorted([b, c])
        assert standing(registry).predecessors(c) == sorted([a, d])

    def test_in_a_circle_all_stand_for_themselves(self, registry, abcd):
        a, b, c, d = abcd
        for old, new in [(a, b), (b, c), (c, a)]:
            replace(registry, old, new)
        assert listed(registry) == set(abcd)
        assert standing(registry).successors(a) == []
        replace(registry, b, d)  # a way out of it
        assert listed(registry) == {d}
        assert standing(registry).successors(c) == [d]

    def test_a_config_that_replaces_itself_changes_nothing(self, registry, abcd):
        replace(registry, abcd[0], abcd[0])
        assert listed(registry) == set(abcd)
        assert standing(registry).predecessors(abcd[0]) == []

    def test_a_withdrawn_migration_does_not_count_until_it_is_made_again(self, registry, abcd):
        a, b, c, d = abcd
        replace(registry, a, b)
        withdraw(registry, a, b)
        assert listed(registry) == set(abcd)
        replace(registry, a, b)
        assert listed(registry) == {b, c, d}

    def test_a_deleted_successor_does_not_count_until_it_is_restored(self, registry, abcd):
        a, b, c, d = abcd
        replace(registry, a, b)
        registry.delete(b)
        assert listed(registry) == {a, c, d}
        registry.restore(b)
        assert listed(registry) == {b, c, d}

    def test_a_successor_that_is_missing_does_not_count(self, registry, abcd):
        a, b, c, d = abcd
        replace(registry, a, b)
        os.unlink(f"{registry.root}/{layout.object_path(b)}")
        assert listed(registry) == {a, c, d}

    def test_files_that_are_no_pairs_are_passed_over(self, registry, abcd):
        a, b, *_ = abcd
        os.makedirs(f"{registry.root}/refs/migrated")
        for name in (a, f"{a}-", f"{a}-{b}.1", f"{a}-{b}.02", f"{a}-{b}~", f"{a}-{b[:10]}", f"{a.upper()}-{b}"):
            open(f"{registry.root}/refs/migrated/{name}", "wb").close()
        assert listed(registry) == set(abcd)


class TestTakingOver:
    def test_tags_are_taken_over_also_those_of_later(self, registry, abcd):
        a, b, c, _ = abcd
        registry.tag(a, ["early"])
        replace(registry, a, b)
        replace(registry, b, c)
        registry.tag(a, ["late"])
        registry.tag(b, ["between"])
        assert registry.tags_of(c) == ["between", "early", "late"]
        assert registry.tags() == {"between": 1, "early": 1, "late": 1}
        assert [config.config_hash for config in registry.search_by_tag("early")] == [c]
        assert registry.resolve("late") == c
        assert {config.config_hash: config.tags for config in registry}[c] == ["between", "early", "late"]

    def test_a_tag_that_is_removed_from_the_old_one_is_gone_from_the_new(self, registry, abcd):
        a, b, *_ = abcd
        registry.tag(a, ["x"])
        replace(registry, a, b)
        assert registry.untag(a, ["x"]) == ["x"]
        assert registry.tags_of(b) == []
        assert registry.tags() == {}

    def test_what_is_said_of_the_new_one_itself_prevails(self, registry, abcd):
        a, b, *_ = abcd
        registry.tag(a, ["x"])
        replace(registry, a, b)
        assert registry.tag(b, ["x"]) == []
        assert registry.untag(b, ["x"]) == ["x"]
        assert (registry.tags_of(a), registry.tags_of(b)) == (["x"], [])
        assert registry.search_by_tag("x") == []
        assert registry.tag(b, ["x"]) == ["x"]
        registry.untag(a, ["x"])
        assert registry.tags_of(b) == ["x"]

    def test_in_a_circle_all_carry_what_one_carries(self, registry, abcd):
        a, b, *_ = abcd
        registry.tag(a, ["x"])
        replace(registry, a, b)
        replace(registry, b, a)
        assert registry.tags_of(a) == registry.tags_of(b) == ["x"]
        assert {config.config_hash for config in registry.search_by_tag("x")} == {a, b}

    def test_a_deleted_old_one_still_hands_over(self, registry, abcd):
        a, b, *_ = abcd
        registry.tag(a, ["x"])
        replace(registry, a, b)
        registry.delete(a)
        assert registry.tags_of(b) == ["x"]
        assert registry.resolve("x") == b

    def test_without_the_pair_nothing_is_taken_over(self, registry, abcd):
        a, b, *_ = abcd
        registry.tag(a, ["x"])
        replace(registry, a, b)
        withdraw(registry, a, b)
        assert (registry.tags_of(a), registry.tags_of(b)) == (["x"], [])
        assert registry.resolve("x") == a

    def test_runs_are_taken_over(self, registry, abcd):
        a, b, *_ = abcd
        outcome = registry.record(a, {"loss": 0.5})
        replace(registry, a, b)
        registry.record(b, {"loss": 0.25})
        assert [run.config for run in registry.runs(b)] == [b, a]
        assert [run.outcome for run in registry.runs(a)] == [outcome]

    def test_a_name_stays_where_it_points(self, registry, abcd):
        a, b, *_ = abcd
        registry.move_name("production", a)
        replace(registry, a, b)
        assert registry.resolve("production") == a
        assert registry.names() == {"production": a}


def test_migrations_of_two_sides_unite_in_either_order(registry, abcd, tmp_path):
    a, b, c, d = abcd
    registry.tag(a, ["x"])
    other = ExperimentRegistry(shutil.copytree(registry.root, tmp_path / "other"))
    replace(registry, a, b)
    replace(registry, b, c)
    replace(other, a, b)
    withdraw(other, a, b)
    replace(other, a, d)
    merge(registry.root, other.root)
    merge(other.root, registry.root)
    assert contents(registry.root) == contents(other.root)
    for one in (registry, other):
        assert listed(one) == {c, d}
        assert standing(one).successors(a) == [d]
        assert (one.tags_of(c), one.tags_of(d)) == ([], ["x"])
    assert registry.check().problems == []
