"""The short way to a config gives the answer of the long one, whatever has happened to the store."""

import shutil
import warnings

import pytest
from collisions import colliding_configs
from histories import COMMITS, CONFIGS, perform
from hypothesis import given, settings
from hypothesis import strategies as st

from gemexp import AmbiguousPrefix, ExperimentRegistry, NotFound
from gemexp.query import lookup
from gemexp.store import packing
from gemexp.store.files import Folder

PREFIXES = [*(config.config_hash[:digits] for config in CONFIGS for digits in (4, 10, 17, 64)), "beef", "beef01"]


def by_the_definition(registry, prefix):
    try:
        return registry.load(registry.resolve(prefix))
    except NotFound:
        return None


def whole(config):
    return None if config is None else config.to_dict()


@settings(max_examples=60)
@given(commits=COMMITS, packed=st.lists(st.integers(0, 3), max_size=3))
def test_both_ways_give_the_same_answer(tmp_path_factory, commits, packed):
    base = tmp_path_factory.mktemp("lookup")
    registry = ExperimentRegistry(base / "store")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of rivals
        for number, commit in enumerate([*commits, []]):
            for action in commit:
                perform(registry, *action)
            if number in packed:
                packing.pack(Folder(registry.root), keep=lambda _: False)
            for one in (registry, ExperimentRegistry(base / "store")):
                for prefix in PREFIXES:
                    assert whole(one.get(prefix)) == whole(by_the_definition(one, prefix))
    shutil.rmtree(base)


def test_an_ordinary_config_takes_the_short_way(tmp_path):
    registry = ExperimentRegistry(tmp_path / "store")
    hashes = registry.add_many(CONFIGS)
    registry.tag(hashes[0], ["best"])
    for _ in range(2):
        for config, config_hash in zip(CONFIGS, hashes, strict=True):
            found = lookup.plain(registry._folder, config_hash[:10])
            assert found.to_dict() == registry.load(config_hash).to_dict()
            assert found.hyperparameters == config.hyperparameters
        registry.pack()
    registry.delete(hashes[0])
    assert lookup.plain(registry._folder, hashes[0]) is None


def test_several_are_not_decided_between(tmp_path):
    registry = ExperimentRegistry(tmp_path / "store")
    hashes = registry.add_many(colliding_configs(2))
    for _ in range(2):
        with pytest.raises(AmbiguousPrefix) as caught:
            registry.get(hashes[0][:4])
        assert sorted(caught.value.candidates) == sorted(hashes)
        registry.pack()
