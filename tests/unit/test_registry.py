"""The registry: what the seed's users relied on, and what came to it."""

import hashlib
import math
import os
from datetime import date

import pytest
from collisions import colliding_configs
from surroundings import contents, snapshot

from gemexp import AmbiguousPrefix, Corrupt, ExperimentConfig, ExperimentRegistry, InvalidInput, NotFound, bulk
from gemexp.canonical import MAX_BYTES


def make(number=0, **fields):
    return ExperimentConfig(["a"], {"a": 0.5}, {"n": number}, **fields)


class TestRegistering:
    def test_the_hash_names_a_file_with_that_sha256(self, registry):
        config = make()
        config_hash = registry.register(config)
        assert config_hash == config.config_hash
        with open(f"{registry.root}/objects/{config_hash[:2]}/{config_hash}", "rb") as file:
            assert hashlib.sha256(file.read()).hexdigest() == config_hash

    def test_what_comes_back_is_what_went_in(self, registry):
        config = ExperimentConfig(
            ["b", "a"], {"a": 1}, {"x": [math.nan, None, {"é": 2**64 - 1}]}, {"a": "log"}, "d", ["t"], "2024-01-31"
        )
        found = registry.get(registry.register(config))
        assert found == config
        assert found.to_dict() == {**config.to_dict(), "feature_names": ["a", "b"]} or math.isnan(
            found.hyperparameters["x"][0]
        )

    def test_registering_again_changes_no_byte(self, registry):
        config = make(description="d", tags=["t"])
        registry.register(config)
        before = snapshot(registry.root)
        registry.register(config)
        registry.register(make(description="d", tags=["t"]))
        registry.register(make())
        ExperimentRegistry(registry.root).register(make(tags=["t"]))
        assert snapshot(registry.root) == before

    def test_another_description_replaces_and_more_tags_are_added(self, registry):
        config_hash = registry.register(make(description="first", tags=["a"], created_at="2024-01-31T00:00:00Z"))
        registry.register(make(description="second", tags=["b"]))
        found = registry.get(config_hash)
        assert (found.description, found.tags, found.created_at) == ("second", ["a", "b"], "2024-01-31T00:00:00Z")
        assert len(registry) == 1

    def test_an_earlier_time_counts_and_a_later_one_does_not(self, registry):
        config_hash = registry.register(make(created_at="2024-06-01"))
        registry.register(make(created_at="2025-06-01"))
        assert registry.get(config_hash).created_at == "2024-06-01"
        registry.register(make(created_at="2023-06-01"))
        assert registry.get(config_hash).created_at == "2023-06-01"

    def test_registering_what_was_deleted_brings_it_back(self, registry):
        config_hash = registry.register(make(description="d"))
        registry.delete(config_hash)
        assert registry.register_all([make()])[0].created
        assert registry.get(config_hash).description == "d"

    def test_created_tells_what_the_store_did_not_show_before(self, registry):
        assert [one.created for one in registry.register_all([make(1), make(2), make(1)])] == [True, True, False]
        assert [one.created for one in registry.register_all([make(2), make(3)])] == [False, True]

    def test_many_are_registered_in_order(self, registry):
        configs = [make(number, tags=["sweep"]) for number in range(600)]
        assert registry.add_many(iter(configs)) == [config.config_hash for config in configs]
        assert len(registry) == 600
        assert registry.tags() == {"sweep": 600}

    @pytest.mark.parametrize("plain", [True, False])
    def test_a_tag_that_was_put_there_twice_is_stored_once(self, registry, monkeypatch, plain):
        monkeypatch.setattr(bulk, "PACK_FROM", 3)
        configs = [make(number) for number in range(5)]
        for config in configs:
            config.tags += ["b", "a", "b"]
            if not plain:
                config.hyperparameters["date"] = date(2024, 1, 31)
        registry.add_many(configs)
        assert registry.tags() == {"a": 5, "b": 5}
        assert registry.check().problems == []

    def test_one_config_twice_in_one_call_keeps_both_descriptions_in_turn(self, registry):
        registry.add_many([make(description="a", tags=["x"]), make(description="b", tags=["y"])])
        found = registry.get(make().config_hash)
        assert (found.description, found.tags) == ("b", ["x", "y"])

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("description", 5),
            ("description", None),
            ("description", "\udc80"),
            ("description", "x" * MAX_BYTES),
            ("description", "x" * (MAX_BYTES - 100)),
            ("created_at", "garbage"),
            ("created_at", 5),
            ("tags", [1]),
            ("tags", "abc"),
            ("tags", [""]),
            ("tags", ["x" * 201]),
            ("tags", None),
            ("tags", ["\udc80"]),
            ("hyperparameters", None),
            ("hyperparameters", [1]),
            ("hyperparameters", {"a": {1}}),
            ("hyperparameters", {"a": "x" * MAX_BYTES}),
            ("feature_transformations", [1]),
            ("feature_weights", {"a": "b"}),
            ("feature_names", "abc"),
            ("feature_names", None),
            ("feature_names", ["a", "a"]),
        ],
        ids=lambda value: repr(value)[:20],
    )
    def test_a_field_changed_to_what_cannot_be_stored_is_refused_and_nothing_is_written(self, registry, field, value):
        config = make()
        setattr(config, field, value)
        before = snapshot(registry.root)
        with pytest.raises(InvalidInput):
            registry.register(config)
        assert snapshot(registry.root) == before

    def test_fields_changed_to_what_can_be_stored_are_stored(self, registry):
        config = make()
        config.description = "later"
        config.tags = ["z", "y"]
        config.created_at = "2024-01-31T00:00:00Z"
        config.hyperparameters["new"] = [1]
        config.feature_weights = {"a": 2}
        found = registry.get(registry.register(config))
        assert (found.description, found.tags, found.created_at) == ("later", ["y", "z"], "2024-01-31T00:00:00Z")
        assert found.hyperparameters["new"] == [1]
        assert found.feature_weights == {"a": 2.0}
        assert registry.check().problems == []

    @pytest.mark.parametrize("parents", [["short"], ["x" * 64], [5], ["A" * 64]])
    def test_parents_that_are_no_hashes_are_refused(self, registry, parents):
        before = snapshot(registry.root)
        with pytest.raises((InvalidInput, TypeError)):
            registry.register(make(), parents=parents)
        assert snapshot(registry.root) == before

    def test_parents_are_recorded_once_and_never_itself(self, registry):
        base = registry.register(make(0))
        for _ in range(2):
            variant = registry.register(make(1), parents=[base])
        registry.register(make(0), parents=[base])
        assert registry.metadata(variant).parents == (base,)
        assert registry.metadata(base).parents == ()

    @pytest.mark.parametrize("thing", [{"feature_names": []}, None, "x", 5])
    def test_only_configurations_are_registered(self, registry, thing):
        with pytest.raises((InvalidInput, TypeError)):
            registry.register(thing)


class TestLookingUp:
    def test_get_returns_none_where_there_is_nothing(self, registry):
        assert registry.get("abcd") is None
        assert registry.get("") is None
        assert registry.get("no-such-tag") is None

    def test_get_never_returns_the_first_of_several(self, registry):
        hashes = registry.add_many(colliding_configs(2))
        with pytest.raises(AmbiguousPrefix) as caught:
            registry.get(hashes[0][:4])
        assert caught.value.candidates == sorted(hashes)

    def test_the_newest_are_listed_first(self, registry):
        days = [3, 1, 2]
        registry.add_many([make(day, created_at=f"2024-01-0{day}") for day in days])
        assert [config.hyperparameters["n"] for config in registry.list_all()] == [3, 2, 1]
        assert [config.hyperparameters["n"] for config in registry.list_all(limit=2)] == [3, 2]
        assert registry.list_all(0) == []

    def test_times_are_compared_as_moments(self, registry):
        registry.register(make(1, created_at="2024-01-01T12:00:00+12:00"))
        registry.register(make(2, created_at="2024-01-01T01:00:00Z"))
        registry.register(make(3, created_at="2023-12-31T20:00:00-06:00"))
        assert [config.hyperparameters["n"] for config in registry.list_all()] == [3, 2, 1]

    def test_a_hundred_are_listed_unless_asked(self, registry):
        registry.add_many(make(number) for number in range(120))
        assert len(registry.list_all()) == 100
        assert len(registry.list_all(limit=None)) == 120
        assert len(registry.list_all(1000)) == 120

    def test_listed_configs_have_all_their_fields(self, registry):
        for count in (1, 40):  # few and many take different ways to the tags
            registry.add_many(
                make(number, description=f"d{number}", tags=["t", f"t{number}"]) for number in range(count)
            )
            for config in registry.list_all():
                number = config.hyperparameters["n"]
                assert config.description == f"d{number}"
                assert config.tags == ["t", f"t{number}"]

    def test_tags_are_searched_newest_first(self, registry):
        registry.add_many(
            [make(day, created_at=f"2024-01-0{day}", tags=["t"] if day != 2 else []) for day in (1, 2, 3)]
        )
        assert [config.hyperparameters["n"] for config in registry.search_by_tag("t")] == [3, 1]
        for tag in ("none", "", "T", "x" * 500, "../t", "\udc80"):
            assert registry.search_by_tag(tag) == []

    def test_iterating_yields_all_but_the_deleted(self, registry):
        hashes = registry.add_many(make(number) for number in range(5))
        registry.delete(hashes[0])
        assert [config.config_hash for config in registry] == sorted(hashes[1:])
        assert len(registry) == 4
        assert hashes[1] in registry
        assert hashes[0] not in registry
        assert registry

    def test_sorting_by_a_field_or_path_puts_what_lacks_it_last(self, registry):
        registry.add_many(
            ExperimentConfig([], {}, values, description=text, created_at=f"2024-01-0{day}")
            for day, (values, text) in enumerate(
                [({"lr": 0.3}, "b"), ({"lr": 2}, "a"), ({}, "c"), ({"lr": "x"}, "d"), ({"lr": math.nan}, "e")], 1
            )
        )
        assert [config.description for config in registry.find(sort="hyperparameters.lr")][:3] == ["b", "a", "d"]
        assert [config.description for config in registry.find(sort="hyperparameters.lr")][-1] == "c"
        assert [config.description for config in registry.find(sort="description")] == list("abcde")
        assert [config.description for config in registry.find(sort="created_at", limit=2)] == ["b", "a"]

    def test_a_damaged_object_is_never_returned(self, registry):
        config_hash = registry.register(make())
        path = f"{registry.root}/objects/{config_hash[:2]}/{config_hash}"
        os.chmod(path, 0o644)
        with open(path, "r+b") as file:
            file.write(b"\x00")
        with pytest.raises(Corrupt) as caught:
            registry.get(config_hash)
        assert config_hash in caught.value.path
        assert caught.value.expected == config_hash


class TestComparing:
    def test_compare_has_the_seeds_keys(self, registry):
        first, second = registry.add_many([make(1), make(2)])
        found = registry.compare(first[:8], second[:8])
        assert found["config1_hash"] == first
        assert found["hyperparameters"] == {"config1": {"n": 1}, "config2": {"n": 2}}
        assert found["hyperparameter_differences"] == {"n": {"config1": 1, "config2": 2}}

    def test_compare_tells_what_is_missing(self, registry):
        first = registry.register(make())
        assert "abcd1234" in registry.compare(first, "abcd1234")["error"]
        assert list(registry.compare("0000", "1111")) == ["error"]

    def test_diff_and_explain_raise_where_one_is_missing(self, registry):
        first = registry.register(make())
        for method in (registry.diff, registry.explain):
            with pytest.raises(NotFound):
                method(first, "abcd1234")
        assert not registry.diff(first, first)


class TestTagsAndDescriptions:
    def test_tags_are_added_removed_and_counted(self, registry):
        first, second = registry.add_many([make(1), make(2)])
        assert registry.tag(first, ["b", "a", "a"]) == ["b", "a"]
        assert registry.tag(first, ["a", "c"]) == ["c"]
        registry.tag(second, ["a"])
        assert registry.tags() == {"a": 2, "b": 1, "c": 1}
        assert registry.untag(first, ["a", "zzz"]) == ["a"]
        assert registry.tags_of(first) == ["b", "c"]
        assert registry.get(first).tags == ["b", "c"]
        registry.delete(second)
        assert registry.tags() == {"b": 1, "c": 1}

    def test_tags_that_differ_only_in_case_are_two(self, registry):
        first, second = registry.add_many([make(1, tags=["Best"]), make(2, tags=["best"])])
        assert registry.tags() == {"Best": 1, "best": 1}
        assert [config.config_hash for config in registry.search_by_tag("Best")] == [first]
        assert [config.config_hash for config in registry.search_by_tag("best")] == [second]
        assert len({name.lower() for name in os.listdir(f"{registry.root}/refs/tags")}) == 2

    def test_a_bad_tag_among_good_ones_adds_none(self, registry):
        config_hash = registry.register(make())
        before = snapshot(registry.root)
        for bad in ("", "x" * 201):
            with pytest.raises(InvalidInput):
                registry.tag(config_hash, ["good", bad])
        assert snapshot(registry.root) == before

    def test_a_tag_is_renamed_everywhere(self, registry):
        first, second = registry.add_many([make(1, tags=["old"]), make(2, tags=["old", "new"])])
        assert registry.rename_tag("old", "new") == sorted([first, second])
        assert registry.tags() == {"new": 2}
        assert registry.rename_tag("new", "new") == sorted([first, second])
        assert registry.tags() == {"new": 2}
        with pytest.raises(NotFound):
            registry.rename_tag("old", "x")
        with pytest.raises(InvalidInput):
            registry.rename_tag("new", "")

    def test_descriptions_are_replaced_and_the_old_ones_stay_in_records(self, registry):
        config_hash = registry.register(make(description="first"))
        assert registry.describe(config_hash, "second")
        assert not registry.describe(config_hash, "second")
        assert registry.get(config_hash).description == "second"
        assert registry.describe(config_hash, "")
        assert registry.get(config_hash).description == ""
        held = b"".join(contents(registry.root).values())
        assert b"first" in held
        assert b"second" in held

    def test_what_is_no_text_is_refused_and_nothing_is_written(self, registry):
        config_hash = registry.register(make())
        before = snapshot(registry.root)
        for bad in ("\udc80", "x" * MAX_BYTES):
            with pytest.raises(InvalidInput):
                registry.describe(config_hash, bad)
        assert snapshot(registry.root) == before


class TestDeleting:
    def test_delete_is_true_then_false_and_restore_brings_back(self, registry):
        config_hash = registry.register(make(description="d", tags=["t"], created_at="2024-01-31"))
        before = registry.get(config_hash)
        assert registry.delete(config_hash) is True
        assert registry.delete(config_hash) is False
        assert registry.get(config_hash) is None
        assert registry.list_all() == []
        assert registry.search_by_tag("t") == []
        assert registry.restore(config_hash[:8]) == config_hash
        assert registry.get(config_hash) == before
        with pytest.raises(NotFound):
            registry.restore(config_hash)

    def test_deleting_nothing_is_false(self, registry):
        registry.register(make())
        for rev in ("", "abc", "0" * 64, "none", "../.."):
            assert registry.delete(rev) is False
        assert len(registry) == 1

    def test_deleting_removes_no_file(self, registry):
        config_hash = registry.register(make(tags=["t"]))
        before = contents(registry.root)
        registry.delete(config_hash)
        registry.restore(config_hash)
        after = contents(registry.root)
        assert before.items() <= after.items()
        assert len(after) == len(before) + 2


class TestReaders:
    def test_files_with_other_names_are_passed_over(self, registry):
        config_hash = registry.register(make(tags=["t"]))
        start = config_hash[:2]
        for path in (
            f"objects/{start}/.{config_hash}.Ab12",
            f"objects/{start}/{config_hash}~",
            f"objects/{start}/{config_hash[:-1]}",
            f"index/{start}/{config_hash}-x",
            "refs/tags/t/README",
            "refs/tags/.DS_Store",
            "refs/tags/UPPER",
            "refs/deleted/notes.txt",
            "notes.txt",
        ):
            with open(f"{registry.root}/{path}", "wb") as file:
                file.write(b"foreign")
        os.mkdir(f"{registry.root}/refs/tags/%zz")
        opened = ExperimentRegistry(registry.root)
        assert [config.config_hash for config in opened] == [config_hash]
        assert opened.resolve(config_hash[:4]) == config_hash
        assert opened.tags() == {"t": 1}
        assert opened.list_all()[0].tags == ["t"]

    def test_two_registries_of_one_store_see_each_others_writes(self, registry):
        other = ExperimentRegistry(registry.root)
        config_hash = registry.register(make(tags=["t"]))
        assert other.get(config_hash[:6]).tags == ["t"]
        other.tag(config_hash, ["u"])
        other.describe(config_hash, "d")
        assert registry.get(config_hash).tags == ["t", "u"]
        assert registry.get(config_hash).description == "d"

    def test_an_object_whose_record_got_lost_can_still_be_read_written_out_and_added(self, registry, tmp_path):
        config_hash = registry.register(make())
        (record,) = os.listdir(f"{registry.root}/index/{config_hash[:2]}")
        os.unlink(f"{registry.root}/index/{config_hash[:2]}/{record}")
        found = registry.get(config_hash)
        elsewhere = ExperimentRegistry(tmp_path / "elsewhere")
        assert elsewhere.register(ExperimentConfig.from_json(found.to_json())) == config_hash
        assert registry.register(make()) == config_hash
        assert [config.config_hash for config in registry.list_all()] == [config_hash]

    def test_a_record_whose_object_did_not_come_along_shows_nothing(self, registry):
        config_hash = registry.register(make(tags=["t"]))
        os.unlink(f"{registry.root}/objects/{config_hash[:2]}/{config_hash}")
        assert registry.get(config_hash) is None
        assert registry.list_all() == []
        assert list(registry) == []
        assert len(registry) == 0


def test_a_registry_by_an_existing_empty_sqlite_file_lies_beside_it(tmp_path):
    database = tmp_path / "x.sqlite"
    database.touch()
    registry = ExperimentRegistry(str(database))
    config_hash = registry.register(make())
    assert registry.root == str(tmp_path / "x.gemexp")
    assert database.read_bytes() == b""
    assert ExperimentRegistry(database).get(config_hash) is not None


def test_a_registry_by_a_sqlite_file_that_is_not_there_works(tmp_path):
    registry = ExperimentRegistry(tmp_path / "new.sqlite")
    registry.register(make())
    assert len(ExperimentRegistry(tmp_path / "new.sqlite")) == 1


@pytest.mark.parametrize("content", [b"hello", b"SQLite format 3\x00" + b"\xff" * 200, b"\x00" * 512])
def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path, content):
    path = tmp_path / "x.sqlite"
    path.write_bytes(content)
    before = snapshot(tmp_path)
    with pytest.raises(InvalidInput, match="SQLite"):
        ExperimentRegistry(path)
    assert snapshot(tmp_path) == before
