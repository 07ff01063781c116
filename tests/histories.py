"""Random histories of a store, and what is compared after them."""

import os

from hypothesis import strategies as st
from surroundings import contents

from gemexp import ExperimentConfig, ExperimentRegistry
from gemexp.environment import Surroundings
from gemexp.recording import finish
from gemexp.store import layout, sets
from gemexp.store.files import Folder
from gemexp.store.layout import Pair

CONFIGS = [
    ExperimentConfig(["a", "b"], {"a": 0.5, "b": 0.5}, {"k": number}, created_at=f"2024-01-{number + 1:02}T00:00:00Z")
    for number in range(4)
]
TAGS = ["best", "con", "k=5"]
NAMES = ["production", "%61 Rival"]
_NUMBER = st.integers(0, 3)
_ACTIONS = st.one_of(
    st.tuples(st.just("add"), _NUMBER, st.sampled_from(["", "first", "second"])),
    st.tuples(st.sampled_from(["tag", "untag"]), _NUMBER, st.sampled_from(TAGS)),
    st.tuples(st.just("describe"), _NUMBER, st.sampled_from(["", "mine", "yours"])),
    st.tuples(st.sampled_from(["delete", "restore"]), _NUMBER, st.none()),
    st.tuples(st.sampled_from(["name", "drop"]), _NUMBER, st.sampled_from(NAMES)),
    st.tuples(st.sampled_from(["migrate", "revert"]), _NUMBER, _NUMBER),
    st.tuples(st.just("record"), _NUMBER, st.sampled_from([0.25, 0.5])),
)
HISTORY = st.lists(_ACTIONS, max_size=8)


def perform(registry, action, number, argument):
    """Do what an action says, if that is possible in the store as it is."""
    config = CONFIGS[number]
    known = registry.get(config.config_hash) is not None
    if action == "add":
        registry.register(ExperimentConfig(**config.to_dict() | {"description": argument}))
    elif action == "restore":
        if not known and registry.metadata(config.config_hash).puts:
            registry.restore(config.config_hash)
    elif action == "drop":
        if registry.pointer(argument).config:
            registry.drop_name(argument)
    elif action in ("migrate", "revert"):
        _turn_pair(registry, Pair(config.config_hash, CONFIGS[argument].config_hash), present=action == "migrate")
    elif known:
        _perform_on_listed(registry, action, config, argument)


def _perform_on_listed(registry, action, config, argument):
    if action == "name":
        registry.move_name(argument, config.config_hash)
    elif action == "record":
        run = finish(config, {"loss": argument}, artifacts={"log": b"%f" % argument}, started="2024-02-01T00:00:00Z")
        registry.record_all([run], surroundings=Surroundings({}, None, None))
    elif action == "delete":
        registry.delete(config.config_hash)
    elif action == "describe":
        registry.describe(config.config_hash, argument)
    else:
        getattr(registry, action)(config.config_hash, [argument])


def _turn_pair(registry, pair, *, present):
    folder = Folder(registry.root)
    if pair.old != pair.new and all(registry.metadata(one).puts for one in pair):
        with folder.batch() as batch:
            turn = sets.add if present else sets.remove
            turn(folder, batch, layout.MIGRATED, layout.pair_name(pair))


def union(target, *sources):
    """Copy what is not there yet, as ``cp -rn`` does."""
    for source in sources:
        for path, content in contents(source).items():
            place = os.path.join(target, path)
            if not os.path.exists(place):
                os.makedirs(os.path.dirname(place), exist_ok=True)
                with open(place, "wb") as file:
                    file.write(content)
            with open(place, "rb") as file:
                assert file.read() == content, "two stores hold different bytes under one name"
    return target


def answers(root):
    """Return what a store shows, and what is wrong with it."""
    registry = ExperimentRegistry(root, create=False)
    shown = [config.to_dict() for config in registry.list_all(None)], registry.tags(), registry.runs()
    return *shown, registry.pointers(), registry.check().problems
