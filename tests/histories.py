"""Random histories of a store, and what is compared after them."""

import contextlib
import os
from functools import partial

from hypothesis import strategies as st
from surroundings import contents

from gemexp import ExperimentConfig, ExperimentRegistry
from gemexp.environment import Surroundings
from gemexp.errors import Conflict, NotFound
from gemexp.paths import parse_path
from gemexp.recording import finish
from gemexp.store import layout, pack_format, sets
from gemexp.store.files import Folder
from gemexp.store.layout import Pair
from gemexp.variants import Default

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
# What else changes a store, or only moves its files; packing and collecting leave alone what git tracks, or do not.
_ROLLBACK = st.tuples(st.just("rollback"), st.just(0), st.sampled_from(NAMES))
_EQUIVALENCE = st.one_of(
    st.tuples(st.just("alias"), _NUMBER, st.sampled_from(["beef", "beef01"])),
    st.tuples(st.just("reshape"), _NUMBER, st.sampled_from([1, 2])),
)


def _upkeep(tracked):
    where = st.sampled_from(tracked)
    return st.one_of(
        st.tuples(st.just("pack"), st.just(0), where),
        st.tuples(st.sampled_from(["discard", "gc"]), _NUMBER, where),
        st.tuples(st.just("index"), st.just(0), st.none()),
    )


def _commits(tracked):
    kinds = [_ACTIONS, _ACTIONS, _ROLLBACK, _EQUIVALENCE, _upkeep(tracked)]
    return st.lists(st.lists(st.sampled_from(kinds).flatmap(lambda kind: kind), max_size=6), max_size=3)


# Commits, each of them several actions.
COMMITS = _commits([False])
REMOVING_COMMITS = _commits([False, True])


def perform(registry, action, number, argument):
    """Do what an action says, if that is possible in the store as it is."""
    config = CONFIGS[number]
    if action in _DONE_ANYHOW:
        _DONE_ANYHOW[action](registry, config, argument)
        return
    known = registry.get(config.config_hash) is not None
    if action == "restore":
        if not known and registry.metadata(config.config_hash).puts:
            registry.restore(config.config_hash)
    elif known:
        _perform_on_listed(registry, action, config, argument)


def _add(registry, config, description):
    registry.register(ExperimentConfig(**config.to_dict() | {"description": description}))


def _drop(registry, _, name):
    if registry.pointer(name).config:
        registry.drop_name(name)


def _roll_back(registry, _, name):
    with contextlib.suppress(NotFound):
        registry.rollback_name(name)


def _discard(registry, config, tracked):
    registry.delete(config.config_hash)
    registry.collect(grace=0, tracked=tracked)


def _turn_pair(registry, config, number, *, present):
    folder = Folder(registry.root)
    pair = Pair(config.config_hash, CONFIGS[number].config_hash)
    if pair.old != pair.new and all(registry.metadata(one).puts for one in pair):
        with folder.batch() as batch:
            turn = sets.add if present else sets.remove
            turn(folder, batch, layout.MIGRATED, layout.pair_name(pair))


_DONE_ANYHOW = {
    "add": _add,
    "drop": _drop,
    "rollback": _roll_back,
    "migrate": partial(_turn_pair, present=True),
    "revert": partial(_turn_pair, present=False),
    "discard": _discard,
    "index": lambda registry, *_: registry.build_index(),
    "gc": lambda registry, _, tracked: registry.collect(grace=0, tracked=tracked),
    "pack": lambda registry, _, everything: registry.pack(everything=everything),
}


def _perform_on_listed(registry, action, config, argument):
    if action == "name":
        registry.move_name(argument, config.config_hash)
    elif action == "alias":
        with contextlib.suppress(Conflict):
            registry.alias(argument, config.config_hash, force=True)
    elif action == "reshape":
        step = Default(parse_path("hyperparameters.extra"), argument)
        registry.migrate(registry.plan_migration([step], revs=[config.config_hash]).changes)
    elif action == "record":
        run = finish(config, {"loss": argument}, artifacts={"log": b"%f" % argument}, started="2024-02-01T00:00:00Z")
        registry.record_all([run], surroundings=Surroundings({}, None, None))
    elif action == "delete":
        registry.delete(config.config_hash)
    elif action == "describe":
        registry.describe(config.config_hash, argument)
    else:
        getattr(registry, action)(config.config_hash, [argument])


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


def unpacked(root):
    """Return what is in a store, path by path, whether it lies there loose or in a pack."""
    found = {path: content for path, content in contents(root).items() if not path.startswith(f"{layout.PACKS}/")}
    for pack in Folder(root).packs.all():
        found |= {pack_format.to_path(key): data for key, data in pack.keyed()}
    return found


def answers(root):
    """Return what a store shows, and what is wrong with it."""
    registry = ExperimentRegistry(root, create=False)
    shown = [config.to_dict() for config in registry.list_all(None)], registry.tags(), registry.runs()
    return *shown, registry.pointers(), registry.check().problems
