"""Names: pointers to one configuration each, with their history."""

import os
import shutil
import subprocess

import pytest
from surroundings import contents, merge, snapshot

from gemexp import AmbiguousPrefix, ExperimentConfig, ExperimentRegistry, InvalidInput, NotFound
from gemexp.config import instant
from gemexp.store import layout


@pytest.fixture
def hashes(registry):
    return registry.add_many(ExperimentConfig([], {}, {"n": number}) for number in range(4))


@pytest.fixture
def copy(registry, hashes, tmp_path):  # noqa: ARG001 - the configurations are to be in both
    shutil.copytree(registry.root, tmp_path / "copy")
    return ExperimentRegistry(tmp_path / "copy")


def unite(first, second):
    merge(first.root, second.root)
    merge(second.root, first.root)
    assert contents(first.root) == contents(second.root)


def places(registry, name="production"):
    """Return where a name pointed, newest first."""
    return [move.config for move in registry.pointer(name).history]


class TestMoving:
    def test_a_name_points_to_the_last_config_it_was_moved_to_and_remembers_the_others(self, registry, hashes):
        for config in hashes[:3]:
            assert registry.move_name("production", config[:8]).config == config
            assert registry.names() == {"production": config}
            assert registry.resolve("production") == config
        assert places(registry) == hashes[2::-1]
        assert registry.pointer("production").rivals == ()

    def test_each_move_names_the_one_before_when_it_was_and_who_did_it(self, registry, hashes, tmp_path, monkeypatch):
        settings = tmp_path / "gitconfig"
        subprocess.run(["git", "config", "-f", settings, "user.name", "Ann"], check=True)
        monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
        first = registry.move_name("production", hashes[0])
        second = registry.move_name("production", hashes[1])
        assert (first.by, first.supersedes, first.restores) == ("Ann", (), None)
        assert second.supersedes == (first.record,)
        assert instant(first.created_at) < instant(second.created_at)

    def test_moving_a_name_to_where_it_points_writes_nothing(self, registry, hashes):
        registry.move_name("production", hashes[0])
        before = snapshot(registry.root)
        assert registry.move_name("production", hashes[0]) is None
        assert registry.settle_name("production") is None
        assert snapshot(registry.root) == before

    def test_what_is_acknowledged_is_there_for_whoever_opens_the_store(self, registry, hashes):
        registry.move_name("production", hashes[0])
        registry.move_name("a/b", hashes[1])
        other = ExperimentRegistry(registry.root, create=False)
        assert other.names() == {"a/b": hashes[1], "production": hashes[0]}
        assert other.names_of(hashes[0]) == ["production"]
        assert other.names_of(hashes[2]) == []

    def test_names_that_differ_in_case_alone_are_two(self, registry, hashes):
        registry.move_name("Production", hashes[0])
        registry.move_name("production", hashes[1])
        assert registry.names() == {"Production": hashes[0], "production": hashes[1]}

    @pytest.mark.parametrize(
        "name",
        [
            "",
            "abcd",
            "2024",
            "DEADBEEF",
            "f" * 64,
            "a:b",
            "tag:x",
            "hash:",
            "name:x",
            "main..x",
            "..",
            "-x",
            " x",
            "x\n",
        ],
    )
    def test_a_name_that_would_be_read_as_something_else_is_refused(self, registry, hashes, name):
        before = snapshot(registry.root)
        with pytest.raises(InvalidInput):
            registry.move_name(name, hashes[0])
        assert snapshot(registry.root) == before

    @pytest.mark.parametrize("name", ["x" * 201, "\udc80", "É" * 34])
    def test_a_name_that_cannot_be_a_file_name_is_refused(self, registry, hashes, name):
        before = snapshot(registry.root)
        with pytest.raises(InvalidInput):
            registry.move_name(name, hashes[0])
        assert snapshot(registry.root) == before

    @pytest.mark.parametrize(
        "name", ["abc", "release/1.2", "con", "É", "a b", "v1.", ".x", "x@y", "g" * 64, "a\nb", "%41"]
    )
    def test_any_other_name_will_do(self, registry, hashes, name):
        registry.move_name(name, hashes[0])
        assert registry.names() == {name: hashes[0]}
        assert registry.resolve(name) == registry.resolve(f"name:{name}") == hashes[0]

    def test_a_name_is_moved_to_what_a_revision_means_or_not_at_all(self, registry, hashes):
        registry.tag(hashes[0], ["one", "both"])
        registry.tag(hashes[1], ["both"])
        registry.move_name("production", "one")
        registry.move_name("candidate", "production")
        assert registry.names() == {"candidate": hashes[0], "production": hashes[0]}
        registry.delete(hashes[2])
        before = snapshot(registry.root)
        for rev, error in (("both", AmbiguousPrefix), ("none", NotFound), (hashes[2], NotFound)):
            with pytest.raises(error):
                registry.move_name("production", rev)
        assert snapshot(registry.root) == before

    def test_a_config_whose_object_is_missing_is_refused(self, registry, hashes):
        registry.tag(hashes[0], ["lost"])
        os.unlink(f"{registry.root}/{layout.object_path(hashes[0])}")
        with pytest.raises(NotFound) as caught:
            registry.move_name("production", "lost")
        assert "missing" in caught.value.message
        assert registry.names() == {}


class TestTakingAway:
    def test_a_name_that_is_taken_away_points_nowhere_and_keeps_its_history(self, registry, hashes):
        registry.move_name("production", hashes[0])
        assert registry.drop_name("production").config is None
        assert registry.names() == {}
        assert registry.pointer("production").config is None
        assert places(registry) == [None, hashes[0]]
        with pytest.raises(NotFound) as caught:
            registry.resolve("name:production")
        assert "--rollback" in caught.value.hint

    def test_what_is_not_there_cannot_be_taken_away(self, registry, hashes):
        with pytest.raises(NotFound):
            registry.drop_name("production")
        registry.move_name("production", hashes[0])
        registry.drop_name("production")
        before = snapshot(registry.root)
        with pytest.raises(NotFound):
            registry.drop_name("production")
        assert snapshot(registry.root) == before

    def test_it_can_be_brought_back_or_moved_again(self, registry, hashes):
        registry.move_name("production", hashes[0])
        registry.drop_name("production")
        assert registry.rollback_name("production").config == hashes[0]
        registry.drop_name("production")
        registry.move_name("production", hashes[1])
        assert registry.names() == {"production": hashes[1]}
        assert places(registry) == [hashes[1], None, hashes[0], None, hashes[0]]


class TestGoingBack:
    def test_each_time_goes_back_further_until_there_is_nothing_before(self, registry, hashes):
        for config in hashes:
            registry.move_name("production", config)
        for config in hashes[2::-1]:
            assert registry.rollback_name("production").config == config
            assert registry.resolve("production") == config
        before = snapshot(registry.root)
        with pytest.raises(NotFound) as caught:
            registry.rollback_name("production")
        assert "--history" in caught.value.hint
        assert snapshot(registry.root) == before
        assert places(registry) == [*hashes[:3], *hashes[::-1]]

    def test_a_move_after_going_back_begins_from_there(self, registry, hashes):
        one, two, three, _ = hashes
        for config in (one, two):
            registry.move_name("production", config)
        registry.rollback_name("production")
        registry.move_name("production", three)
        assert registry.rollback_name("production").config == one
        with pytest.raises(NotFound):
            registry.rollback_name("production")

    def test_the_record_says_which_move_it_brings_back(self, registry, hashes):
        first = registry.move_name("production", hashes[0])
        second = registry.move_name("production", hashes[1])
        back = registry.rollback_name("production")
        assert (back.restores, back.supersedes) == (first.record, (second.record,))

    def test_a_name_that_never_was_cannot_go_back(self, registry):
        with pytest.raises(NotFound):
            registry.rollback_name("production")

    def test_it_does_not_go_back_to_a_deleted_config(self, registry, hashes):
        registry.move_name("production", hashes[0])
        registry.move_name("production", hashes[1])
        registry.delete(hashes[0])
        before = snapshot(registry.root)
        with pytest.raises(NotFound) as caught:
            registry.rollback_name("production")
        assert f"gemexp restore {hashes[0][:12]}" in caught.value.hint
        assert snapshot(registry.root) == before
        registry.restore(hashes[0])
        assert registry.rollback_name("production").config == hashes[0]

    def test_it_does_not_go_back_to_a_config_that_is_missing(self, registry, hashes):
        registry.move_name("production", hashes[0])
        registry.move_name("production", hashes[1])
        os.unlink(f"{registry.root}/{layout.object_path(hashes[0])}")
        with pytest.raises(NotFound) as caught:
            registry.rollback_name("production")
        assert caught.value.hint
        assert registry.names() == {"production": hashes[1]}


class TestMerging:
    def test_moves_on_two_sides_are_both_kept_and_the_newest_counts(self, registry, copy, hashes):
        registry.move_name("production", hashes[0])
        merge(registry.root, copy.root)
        registry.move_name("production", hashes[1])
        copy.move_name("production", hashes[2])
        unite(registry, copy)
        pointer = registry.pointer("production")
        assert pointer.config == hashes[2]
        assert [rival.config for rival in pointer.rivals] == [hashes[1]]
        assert places(registry) == hashes[2::-1]
        assert registry.names() == copy.names() == {"production": hashes[2]}

    @pytest.mark.parametrize(("rev", "settled"), [(None, 2), (1, 1), (2, 2), (3, 3)])
    def test_settling_supersedes_all_and_keeps_all(self, registry, copy, hashes, rev, settled):
        registry.move_name("production", hashes[1])
        copy.move_name("production", hashes[2])
        unite(registry, copy)
        move = registry.settle_name("production", None if rev is None else hashes[rev])
        pointer = registry.pointer("production")
        assert pointer.config == move.config == hashes[settled]
        assert pointer.rivals == ()
        assert len(move.supersedes) == 2
        assert places(registry) == [hashes[settled], hashes[2], hashes[1]]

    def test_an_ordinary_move_settles_too_even_to_where_the_newest_leads(self, registry, copy, hashes):
        registry.move_name("production", hashes[1])
        copy.move_name("production", hashes[2])
        unite(registry, copy)
        assert registry.move_name("production", hashes[2]).config == hashes[2]
        assert registry.pointer("production").rivals == ()

    def test_going_back_after_settling_leads_to_the_other_side(self, registry, copy, hashes):
        registry.move_name("production", hashes[1])
        copy.move_name("production", hashes[2])
        unite(registry, copy)
        registry.settle_name("production")
        assert registry.rollback_name("production").config == hashes[1]

    def test_going_back_from_rivals_leads_to_where_both_came_from(self, registry, copy, hashes):
        registry.move_name("production", hashes[0])
        merge(registry.root, copy.root)
        registry.move_name("production", hashes[1])
        copy.move_name("production", hashes[2])
        unite(registry, copy)
        assert registry.rollback_name("production").config == hashes[0]
        assert registry.pointer("production").rivals == ()

    def test_the_same_move_on_both_sides_makes_no_rivals(self, registry, copy, hashes):
        registry.move_name("production", hashes[1])
        copy.move_name("production", hashes[1])
        unite(registry, copy)
        assert len(registry.pointer("production").heads) == 2
        assert registry.pointer("production").rivals == ()
        assert registry.move_name("production", hashes[1]) is None
        assert len(registry.move_name("production", hashes[2]).supersedes) == 2
        assert len(registry.pointer("production").heads) == 1

    def test_a_name_taken_away_on_one_side_and_moved_on_the_other_has_to_be_settled(self, registry, copy, hashes):
        registry.move_name("production", hashes[0])
        merge(registry.root, copy.root)
        registry.move_name("production", hashes[1])
        copy.drop_name("production")
        unite(registry, copy)
        pointer = registry.pointer("production")
        assert (pointer.config, [rival.config for rival in pointer.rivals]) == (None, [hashes[1]])
        assert registry.names() == {}
        with pytest.raises(NotFound) as caught:
            registry.resolve("production")
        assert "gemexp name production" in caught.value.hint
        shutil.copytree(registry.root, f"{registry.root}-2")
        assert registry.settle_name("production").config is None
        assert registry.pointer("production").rivals == ()
        assert ExperimentRegistry(f"{registry.root}-2").settle_name("production", hashes[1]).config == hashes[1]
        assert copy.drop_name("production").config is None  # it is gone already, but not for sure
        assert copy.pointer("production").rivals == ()

    def test_nothing_is_settled_on_a_deleted_config(self, registry, copy, hashes):
        registry.move_name("production", hashes[1])
        copy.move_name("production", hashes[2])
        unite(registry, copy)
        registry.delete(hashes[2])
        with pytest.raises(NotFound):
            registry.settle_name("production")
        assert registry.settle_name("production", hashes[1]).config == hashes[1]

    def test_a_name_that_never_was_cannot_be_settled(self, registry, hashes):
        with pytest.raises(NotFound):
            registry.settle_name("production", hashes[0])
