"""Going through many configs at once gives what looking at them one by one does."""

import contextlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemexp import ExperimentConfig, ExperimentRegistry, NotFound
from gemexp.query import scan, walk
from gemexp.store import records
from gemexp.store.standing import Standing
from gemexp.variants import Default

TAGS = ["a", "B", "é", "k=1"]
_configs = st.integers(0, 5)
_some_tags = st.lists(st.sampled_from(TAGS), min_size=1, max_size=3)
_steps = st.one_of(
    st.tuples(st.just("tag"), _configs, _some_tags),
    st.tuples(st.just("untag"), _configs, _some_tags),
    st.tuples(st.sampled_from(["delete", "restore", "migrate"]), _configs),
    st.tuples(st.just("pack")),
)


def config(number):
    return ExperimentConfig([], {}, {"n": number}, created_at=f"2024-01-{number + 1:02}")


def do(registry, hashes, step):
    with contextlib.suppress(NotFound):  # it is deleted already, or not
        if step[0] == "pack":
            registry.pack()
        elif step[0] == "migrate":
            change = Default(("hyperparameters", "added"), step[1])
            registry.migrate(registry.plan_migration([change], revs=[hashes[step[1]]]).changes)
        else:
            getattr(registry, step[0])(hashes[step[1]], *step[2:])


@settings(max_examples=25)
@given(steps=st.lists(_steps, max_size=12))
def test_tags_are_those_that_each_config_has_alone(tmp_path_factory, steps):
    registry = ExperimentRegistry(tmp_path_factory.mktemp("store") / "store")
    hashes = registry.add_many(config(number) for number in range(6))
    for step in steps:
        do(registry, hashes, step)
    folder = registry._folder
    carried = walk.Carried(folder, Standing(folder))
    everything = {name.config for name in records.all_names(folder)}
    assert carried.all() == {name: tags for name in sorted(everything) if (tags := scan.tags_of(folder, name))}
    some = set(hashes[:3])
    assert walk.Carried(folder, Standing(folder), among=some).all() == {
        name: tags for name, tags in carried.all().items() if name in some
    }
    assert [one.config_hash for one in registry] == sorted(one.config_hash for one in registry.list_all(None))
    assert {one.config_hash: one for one in registry} == {one.config_hash: one for one in registry.list_all(None)}
    assert list(registry) == [registry.load(one.config_hash) for one in registry]


@pytest.fixture
def many(registry):
    hashes = registry.add_many(
        ExperimentConfig([], {}, {"n": number}, tags=[f"t{number % 70}", "all"]) for number in range(1200)
    )
    registry.tag(hashes[0], ["late"])  # a loose file beside the packs
    return registry, hashes


@pytest.mark.parametrize("count", [1, 31, 33, 57, 400, 1200])
def test_some_come_in_the_order_they_are_asked_for(many, count):
    registry, hashes = many
    chosen = [hashes[7 * number % 1200] for number in range(count)]
    for order in (chosen, sorted(chosen)):
        found = [(entry.config_hash, entry.config.tags) for entry in walk.entries(registry._folder, among=order)]
        assert [name for name, _ in found] == order
        assert all(tags == registry.tags_of(name) for name, tags in found[:20])


def test_what_is_not_there_or_not_listed_is_left_out(many):
    registry, hashes = many
    registry.delete(hashes[5])
    assert list(registry.each(["f" * 64, hashes[5]])) == []
    found = [one.config_hash for one in registry.each([*hashes[:100], "f" * 64])]
    assert found == [*hashes[:5], *hashes[6:100]]


@pytest.mark.filterwarnings("ignore::gemexp.DamageWarning")
@pytest.mark.parametrize("count", [1, 1200])
def test_what_no_readable_record_is_about_has_no_metadata(many, count):
    registry, hashes = many
    name = registry.register(ExperimentConfig([], {}, {"n": -1}))
    for path in Path(registry.root).glob(f"index/{name[:2]}/{name}-*"):
        path.unlink()
        path.write_bytes(b"not a record")
    asked = {name, *hashes[:count]}
    assert {found for found, _ in walk.metadata(registry._folder, asked)} == asked - {name}


def test_tags_are_left_out_on_request(many):
    registry, _ = many
    assert {tuple(entry.config.tags) for entry in walk.entries(registry._folder, labelled=False)} == {()}


@pytest.mark.parametrize("limit", [10, 100])
def test_the_newest_of_many_have_their_tags(many, limit):
    registry, _ = many
    found = registry.list_all(limit)
    assert len(found) == limit
    assert all(one.tags == registry.tags_of(one.config_hash) for one in found)
