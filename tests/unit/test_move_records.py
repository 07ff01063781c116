"""What the records of moves say: what a name pointed to at a time, and which files are moves at all."""

import os
import shutil

import pytest
from surroundings import contents, merge
from written_moves import move_record, write_move

from gemexp import ExperimentConfig, ExperimentRegistry, InvalidInput, NotFound
from gemexp.canonical import decode, encode
from gemexp.digest import hash_bytes
from gemexp.store import layout


@pytest.fixture
def hashes(registry):
    return registry.add_many(ExperimentConfig([], {}, {"n": number}) for number in range(4))


def places(registry, name="production"):
    """Return where a name pointed, newest first."""
    return [move.config for move in registry.pointer(name).history]


class TestTime:
    """Moves with times of our choosing, as another program would write them."""

    @pytest.fixture
    def dated(self, registry, hashes):
        first = write_move(registry.root, "production", hashes[0], "2024-01-10T12:00:00Z", by="Ann")
        second = write_move(registry.root, "production", hashes[1], "2024-02-10T12:00:00+02:00", supersedes=[first])
        third = write_move(registry.root, "production", None, "2024-03-10", supersedes=[second])
        write_move(registry.root, "production", hashes[2], "2024-04-10", supersedes=[third])
        return registry

    @pytest.mark.parametrize(
        ("when", "number"),
        [
            ("2024-01-10T12:00:00Z", 0),
            ("2024-01-10T13:00:00+01:00", 0),
            ("2024-01-10", 0),
            ("2024-01-31", 0),
            ("2024-02-10T09:59:59Z", 0),
            ("2024-02-10T10:00:00", 1),
            ("2024-02-10", 1),
            ("2024-W08", 1),
            ("2024-04-10", 2),
            ("2999-12-31", 2),
            ("9999-12-31", 2),
        ],
    )
    def test_what_it_was_is_what_the_newest_move_then_said(self, dated, hashes, when, number):
        assert dated.name_at("production", when).config == hashes[number]

    @pytest.mark.parametrize("when", ["2024-01-10T11:59:59Z", "2024-01-09", "0001-01-01", "2024-03-10", "2024-04-09"])
    def test_before_its_first_move_and_while_it_was_taken_away_it_was_nothing(self, dated, when):
        with pytest.raises(NotFound) as caught:
            dated.name_at("production", when)
        assert caught.value.hint

    @pytest.mark.parametrize("when", ["", "yesterday", "2024-13-01", "2024-01", "12:00", "2024-01-10T25:00"])
    def test_what_is_no_time_is_refused(self, dated, when):
        with pytest.raises(InvalidInput):
            dated.name_at("production", when)

    def test_a_slow_clock_does_not_put_a_move_before_the_one_it_follows(self, registry, hashes):
        first = write_move(registry.root, "production", hashes[0], "2024-02-01")
        second = write_move(registry.root, "production", hashes[1], "2024-01-01", supersedes=[first])
        write_move(registry.root, "production", hashes[2], "2023-01-01", supersedes=[second])
        assert places(registry) == hashes[2::-1]
        assert registry.names() == {"production": hashes[2]}
        assert registry.pointer("production").rivals == ()
        assert registry.name_at("production", "2024-01-15").config == hashes[2]

    def test_of_two_moves_at_one_instant_the_same_counts_everywhere(self, registry, hashes, tmp_path):
        copy = ExperimentRegistry(shutil.copytree(registry.root, tmp_path / "copy"))
        one = write_move(registry.root, "production", hashes[0], "2024-01-01T00:00:00Z")
        other = write_move(copy.root, "production", hashes[1], "2024-01-01T01:00:00+01:00")
        merge(registry.root, copy.root)
        merge(copy.root, registry.root)
        assert contents(registry.root) == contents(copy.root)
        newest = hashes[0] if one < other else hashes[1]
        assert registry.names() == copy.names() == {"production": newest}


class TestReading:
    def test_fields_of_a_newer_version_are_ignored(self, registry, hashes):
        write_move(registry.root, "production", hashes[0], "2024-01-01", reason="because")
        assert registry.names() == {"production": hashes[0]}

    def test_what_is_no_whole_move_of_the_name_is_passed_over(self, registry, hashes):
        registry.move_name("production", hashes[0])
        folder = f"{registry.root}/{layout.name_folder('production')}"
        other = move_record("other", hashes[1], "2999-01-01")
        wrong = [
            ("0" * 64, move_record("production", hashes[1], "2999-01-01")),
            (hash_bytes(other), other),
            ("README", b"text"),
            (f"{hash_bytes(other)}.orig", other),
        ]
        good = decode(move_record("production", hashes[1], "2999-01-01"))
        for field, value in [("config", "x"), ("created_at", "soon"), ("supersedes", ["x"]), ("by", 5), ("$", "x@1")]:
            data = encode(good | {field: value})
            wrong.append((hash_bytes(data), data))
        for name, data in wrong:
            with open(f"{folder}/{name}", "wb") as file:
                file.write(data)
        with pytest.warns(UserWarning, match="another hash"):
            assert registry.names() == {"production": hashes[0]}
        with pytest.warns(UserWarning, match="another hash"):
            assert len(registry.pointer("production").history) == 1

    def test_a_folder_that_no_name_is_written_as_is_no_name(self, registry, hashes):
        data = move_record("a", hashes[0], "2024-01-01")
        os.makedirs(f"{registry.root}/refs/names/%61")
        with open(f"{registry.root}/refs/names/%61/{hash_bytes(data)}", "wb") as file:
            file.write(data)
        assert registry.names() == {}

    def test_a_refused_name_that_is_there_is_read_and_can_be_taken_away(self, registry, hashes):
        write_move(registry.root, "beef", hashes[0], "2024-01-01")
        assert registry.names() == {"beef": hashes[0]}
        assert registry.resolve("name:beef") == hashes[0]
        registry.drop_name("beef")
        assert registry.names() == {}

    def test_without_the_move_between_what_came_before_counts_again(self, registry, hashes):
        for config in hashes[:3]:
            registry.move_name("production", config)
        between = registry.pointer("production").history[1].record
        os.unlink(f"{registry.root}/{layout.move_path('production', between)}")
        pointer = registry.pointer("production")
        assert pointer.config == hashes[2]
        assert [rival.config for rival in pointer.rivals] == [hashes[0]]
