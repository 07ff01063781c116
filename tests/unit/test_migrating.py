"""Steps of a migration, and what stands in whose place after one."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemexp import ExperimentConfig, ExperimentRegistry, InvalidInput, InvalidPath
from gemexp.paths import parse_path
from gemexp.variants import Default, Drop, Rename, reshape


def default(path, value):
    return Default(parse_path(path), value)


def rename(old, new):
    return Rename(parse_path(old), parse_path(new))


def drop(path):
    return Drop(parse_path(path))


def make(hyperparameters, **fields):
    return ExperimentConfig([], {}, hyperparameters, **fields)


def reshaped(hyperparameters, *steps):
    return reshape(make(hyperparameters), steps).hyperparameters


class TestSteps:
    def test_a_default_is_set_where_nothing_is(self):
        assert reshaped({"a": 1}, default("hyperparameters.b.c", [1])) == {"a": 1, "b": {"c": [1]}}
        assert reshaped({"b": None}, default("hyperparameters.b", 1)) == {"b": None}
        assert reshaped({"b": [1]}, default("hyperparameters.b[0]", 5), default("hyperparameters.b[1]", 2)) == {
            "b": [1, 2]
        }

    def test_a_default_that_leads_through_something_else_is_refused(self):
        with pytest.raises(InvalidPath, match="not a map"):
            reshaped({"b": "text"}, default("hyperparameters.b.c", 1))

    def test_a_value_is_moved_wherever_it_is(self):
        assert reshaped({"a": {"x": [1]}}, rename("hyperparameters.a.x", "hyperparameters.b.y")) == {
            "a": {},
            "b": {"y": [1]},
        }
        assert reshaped({"a": 1}, rename("hyperparameters.a", "hyperparameters.a.inner")) == {"a": {"inner": 1}}
        assert reshaped({"b": 1}, rename("hyperparameters.a", "hyperparameters.b")) == {"b": 1}
        assert reshaped({"a": 1}, rename("hyperparameters.a", "hyperparameters.a")) == {"a": 1}

    def test_what_is_there_is_not_overwritten(self):
        with pytest.raises(InvalidPath, match=r"'hyperparameters\.b' is there already"):
            reshaped({"a": 1, "b": None}, rename("hyperparameters.a", "hyperparameters.b"))
        with pytest.raises(InvalidPath, match="is there already"):
            reshaped({"a": {"b": 1}}, rename("hyperparameters.a.b", "hyperparameters.a"))

    def test_a_value_is_dropped(self):
        assert reshaped({"a": 1, "b": [1, 2, 3]}, drop("hyperparameters.a"), drop("hyperparameters.b[1]")) == {
            "b": [1, 3]
        }
        assert reshaped({"a": 1}, drop("hyperparameters.x.y"), drop("hyperparameters.a.z")) == {"a": 1}

    def test_steps_are_done_in_order(self):
        first, second = rename("hyperparameters.a", "hyperparameters.b"), default("hyperparameters.a", 0)
        assert reshaped({"a": 1}, first, second) == {"a": 0, "b": 1}
        assert reshaped({"a": 1}, second, first) == {"b": 1}

    def test_a_feature_is_renamed_everywhere(self):
        config = ExperimentConfig(["a.b", "c"], {"a.b": 0.5}, feature_transformations={"a.b": "log"}, description="d")
        sections = ("feature_names", "feature_weights", "feature_transformations")
        found = reshape(config, [rename(f'{section}."a.b"', f"{section}.z") for section in sections])
        assert (found.feature_names, found.feature_weights, found.feature_transformations) == (
            ["c", "z"],
            {"z": 0.5},
            {"z": "log"},
        )
        assert (found.description, found.created_at) == (config.description, config.created_at)
        with pytest.raises(InvalidPath, match="is there already"):
            reshape(config, [rename('feature_names."a.b"', "feature_names.c")])
        assert reshape(config, [drop("feature_names.c")]).feature_names == ["a.b"]

    def test_a_value_that_a_section_cannot_hold_is_refused(self):
        with pytest.raises(InvalidInput, match="not a number"):
            reshape(make({"a": "text"}), [rename("hyperparameters.a", "feature_weights.a")])

    @pytest.mark.parametrize(
        "step",
        [
            drop("hyperparameters"),
            drop("hyperparameter.a"),
            drop("lr"),
            default("feature_names.x", 1),
            default("feature_names", 1),
            drop("feature_names[0]"),
            drop("feature_names.a.b"),
            rename("hyperparameters.a", "feature_names.a"),
            rename("feature_names.a", "hyperparameters.a"),
            rename("hyperparameters.a", "other.a"),
            rename("hyperparameters.a", "hyperparameters"),
        ],
        ids=str,
    )
    def test_a_step_outside_the_sections_is_refused_before_anything_is_done(self, registry, step):
        registry.register(make({"a": 1}))
        with pytest.raises(InvalidPath) as caught:
            registry.plan_migration([step])
        assert caught.value.hint


def listed(registry):
    return {config.config_hash: config.hyperparameters for config in registry}


def migrate(registry, *steps, **which):
    plan = registry.plan_migration(steps, **which)
    registry.migrate(plan.changes)
    return plan


class TestPlaces:
    def test_the_new_one_has_description_time_and_parent_of_the_old(self, registry):
        old = registry.register(make({"a": 1}, description="d", created_at="2024-01-31T09:00:00Z"))
        (change,) = migrate(registry, default("hyperparameters.b", 2)).changes
        new = registry.get(change.new)
        assert (change.old, listed(registry)) == (old, {change.new: {"a": 1, "b": 2}})
        assert (new.description, new.created_at) == ("d", "2024-01-31T09:00:00Z")
        assert registry.metadata(change.new).parents == (old,)
        assert registry.load(registry.resolve(old)).hyperparameters == {"a": 1}
        assert (registry.migrated_to(old), registry.migrated_from(change.new)) == ([change.new], [old])

    def test_nothing_to_do_writes_nothing(self, registry):
        registry.register(make({"a": 1}))
        plan = migrate(registry, default("hyperparameters.a", 2), drop("hyperparameters.x"))
        assert (plan.changes, plan.unchanged, plan.refusals) == ([], 1, [])
        assert not registry._folder.exists("refs/migrated")

    def test_one_that_cannot_be_changed_stays_and_the_others_change(self, registry):
        bad = registry.register(make({"a": 1, "b": 2}))
        registry.register(make({"a": 1}))
        plan = migrate(registry, rename("hyperparameters.a", "hyperparameters.b"))
        assert [refusal.config_hash for refusal in plan.refusals] == [bad]
        assert "is there already" in plan.refusals[0].reason
        assert sorted(map(str, listed(registry).values())) == ["{'a': 1, 'b': 2}", "{'b': 1}"]

    def test_several_may_become_one_with_what_all_of_them_carry(self, registry):
        first = registry.register(make({"seed": 1}, description="old", tags=["x"], created_at="2024-01-01"))
        second = registry.register(make({"seed": 2}, description="new", tags=["y"], created_at="2024-02-01"))
        migrate(registry, drop("hyperparameters.seed"))
        (config,) = registry
        assert (config.description, config.tags, config.created_at) == ("new", ["x", "y"], "2024-01-01")
        assert registry.migrated_from(config.config_hash) == sorted([first, second])

    def test_one_that_is_there_already_keeps_what_was_said_of_it(self, registry):
        registry.register(make({"a": 1}, description="mine", tags=["x"], created_at="2024-01-01"))
        registry.register(make({"a": 1, "b": 1}, description="other", tags=["y"], created_at="2024-02-01"))
        migrate(registry, drop("hyperparameters.b"))
        (config,) = registry
        assert (config.description, config.tags) == ("mine", ["x", "y"])

    def test_a_tag_that_was_once_removed_from_it_is_carried_over_all_the_same(self, registry):
        target = registry.register(make({"a": 1}, tags=["x"]))
        registry.untag(target, ["x"])
        registry.register(make({"a": 1, "b": 1}, tags=["x"]))
        migrate(registry, drop("hyperparameters.b"))
        assert registry.tags() == {"x": 1}

    def test_back_and_forth_lists_the_first_again_with_what_happened_meanwhile(self, registry):
        old = registry.register(make({"a": 1}, description="d", tags=["kept", "removed"]))
        there, back = rename("hyperparameters.a", "hyperparameters.b"), rename("hyperparameters.b", "hyperparameters.a")
        (change,) = migrate(registry, there).changes
        registry.untag(change.new, ["removed"])
        registry.tag(change.new, ["added"])
        registry.describe(change.new, "better")
        migrate(registry, back)
        (config,) = registry
        assert (config.config_hash, config.description, config.tags) == (old, "better", ["added", "kept"])
        assert (registry.migrated_to(change.new), registry.migrated_to(old)) == ([old], [])
        migrate(registry, there)
        assert listed(registry) == {change.new: {"b": 1}}
        assert registry.tags() == {"added": 1, "kept": 1}

    def test_a_longer_way_round_is_no_circle(self, registry):
        first = registry.register(make({"a": 1}))
        for old, new in ("ab", "bc", "ca"):
            migrate(registry, rename(f"hyperparameters.{old}", f"hyperparameters.{new}"))
        assert listed(registry) == {first: {"a": 1}}
        assert len(registry.migrated_from(first)) == 2

    def test_one_that_was_migrated_is_not_migrated_again(self, registry):
        old = registry.register(make({"a": 1}))
        (change,) = migrate(registry, default("hyperparameters.b", 1)).changes
        plan = migrate(registry, default("hyperparameters.c", 1), revs=[old])
        assert plan.changes == []
        assert change.new[:12] in plan.refusals[0].reason
        assert set(listed(registry)) == {change.new}

    def test_one_that_would_become_a_migrated_one_is_refused(self, registry):
        registry.register(make({"a": 1}))
        migrate(registry, default("hyperparameters.b", 1))
        late = registry.register(make({"a": 1, "x": 1}))
        plan = migrate(registry, drop("hyperparameters.x"), revs=[late])
        assert plan.changes == []
        assert "was migrated to" in plan.refusals[0].reason
        assert len(registry) == 2

    def test_ones_that_would_take_each_others_place_are_refused(self, registry):
        registry.add_many([make({"a": 1}), make({"b": 1}), make({"c": 1})])
        steps = [rename("hyperparameters.b", "hyperparameters.c"), rename("hyperparameters.a", "hyperparameters.b")]
        plan = migrate(registry, *steps)
        assert [one.reason.partition(",")[2] for one in plan.refusals] == [" which becomes another itself"]
        assert sorted(map(str, listed(registry).values())) == ["{'a': 1}", "{'c': 1}"]

    def test_a_plan_that_is_outdated_is_not_carried_out(self, registry):
        registry.register(make({"a": 1}))
        plan = registry.plan_migration([default("hyperparameters.b", 1)])
        migrate(registry, default("hyperparameters.c", 1))
        before = listed(registry)
        with pytest.raises(InvalidInput, match="cannot be migrated"):
            registry.migrate(plan.changes)
        assert listed(registry) == before

    def test_an_interrupted_migration_is_finished_by_running_it_again(self, registry):
        registry.add_many([make({"a": number}, tags=["x"]) for number in range(3)])
        step = default("hyperparameters.b", 1)
        done, *_ = registry.plan_migration([step]).changes
        registry.register(done.config, parents=[done.old])  # as if it ended before the link
        migrate(registry, step)
        assert sorted(map(str, listed(registry).values())) == [f"{{'a': {number}, 'b': 1}}" for number in range(3)]
        assert registry.tags() == {"x": 3}


_KEYS = st.sampled_from(["a", "b", "c"])
_STEPS = st.one_of(
    st.builds(lambda key, value: default(f"hyperparameters.{key}", value), _KEYS, st.integers(0, 1)),
    st.builds(lambda old, new: rename(f"hyperparameters.{old}", f"hyperparameters.{new}"), _KEYS, _KEYS),
    st.builds(lambda key: drop(f"hyperparameters.{key}"), _KEYS),
)


@settings(max_examples=40)
@given(
    st.lists(st.dictionaries(_KEYS, st.integers(0, 1), max_size=2), min_size=1, max_size=4),
    st.lists(st.lists(_STEPS, min_size=1, max_size=3), min_size=1, max_size=4),
)
def test_old_hashes_stay_valid_and_no_more_are_listed_than_before(tmp_path_factory, values, migrations):
    registry = ExperimentRegistry(tmp_path_factory.mktemp("migrating") / "store")
    registry.add_many([make(value, tags=["t"]) for value in values])
    known = set(listed(registry))
    for steps in migrations:
        before = listed(registry)
        plan = migrate(registry, *steps)
        after = listed(registry)
        assert set(after) <= set(before) | {change.new for change in plan.changes}
        assert len(after) <= len(before)
        assert {change.new for change in plan.changes} <= set(after)
        assert not {change.old for change in plan.changes} & set(after)
        assert len(plan.changes) + plan.unchanged + len(plan.refusals) == len(before)
        known |= set(after)
        assert registry.tags() == {"t": len(after)}
        for name in known:
            assert registry.resolve(name) == name
            assert registry.load(name).config_hash == name
            assert set(registry.migrated_to(name) or [name]) <= set(after)


@settings(max_examples=15)
@given(st.lists(st.dictionaries(_KEYS, st.integers(0, 2), max_size=3), min_size=1, max_size=4))
def test_there_and_back_lists_the_originals(tmp_path_factory, values):
    registry = ExperimentRegistry(tmp_path_factory.mktemp("migrating") / "store")
    registry.add_many([make(value, tags=["t"], description=str(value)) for value in values])
    before = [config.to_dict() for config in registry]
    migrate(registry, rename("hyperparameters.a", "hyperparameters.z"), default("hyperparameters.y", 0))
    migrate(registry, drop("hyperparameters.y"), rename("hyperparameters.z", "hyperparameters.a"))
    assert [config.to_dict() for config in registry] == before
