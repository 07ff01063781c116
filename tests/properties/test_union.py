"""Stores merge by the union of their files: in any order, any number of times, to the same answers."""

import os
import shutil

from hypothesis import given, settings
from hypothesis import strategies as st

from gemexp import ExperimentConfig, ExperimentRegistry

CONFIGS = [
    ExperimentConfig(["a", "b"], {"a": 0.5, "b": 0.5}, {"k": number}, created_at=f"2024-01-{number + 1:02}T00:00:00Z")
    for number in range(4)
]
TAGS = ["best", "con", "k=5"]
ACTIONS = st.one_of(
    st.tuples(st.just("add"), st.integers(0, 3), st.sampled_from(["", "first", "second"])),
    st.tuples(st.sampled_from(["tag", "untag"]), st.integers(0, 3), st.sampled_from(TAGS)),
    st.tuples(st.just("describe"), st.integers(0, 3), st.sampled_from(["", "mine", "yours"])),
    st.tuples(st.sampled_from(["delete", "restore"]), st.integers(0, 3), st.none()),
)
HISTORY = st.lists(ACTIONS, max_size=8)


def perform(registry, action, number, argument):
    config = CONFIGS[number]
    known = registry.get(config.config_hash) is not None
    if action == "add":
        registry.register(ExperimentConfig(**config.to_dict() | {"description": argument}))
    elif action == "restore":
        if not known and registry.metadata(config.config_hash).puts:
            registry.restore(config.config_hash)
    elif known and action == "delete":
        registry.delete(config.config_hash)
    elif known and action == "describe":
        registry.describe(config.config_hash, argument)
    elif known:
        getattr(registry, action)(config.config_hash, [argument])


def files(root):
    """Return the shared files of a store: path -> content."""
    found = {}
    for folder, _, names in os.walk(root):
        for name in names:
            path = os.path.relpath(os.path.join(folder, name), root)
            if not path.startswith("local"):
                with open(os.path.join(folder, name), "rb") as file:
                    found[path] = file.read()
    return found


def union(target, *sources):
    """Copy what is not there yet, as ``cp -rn`` does."""
    for source in sources:
        for path, content in files(source).items():
            place = os.path.join(target, path)
            if not os.path.exists(place):
                os.makedirs(os.path.dirname(place), exist_ok=True)
                with open(place, "wb") as file:
                    file.write(content)
            with open(place, "rb") as file:
                assert file.read() == content, "two stores hold different bytes under one name"
    return target


def answers(root):
    registry = ExperimentRegistry(root, create=False)
    return [config.to_dict() for config in registry.list_all(None)], registry.tags(), registry.check().problems


@settings(max_examples=30)
@given(common=HISTORY, histories=st.tuples(HISTORY, HISTORY, HISTORY))
def test_union_is_commutative_associative_and_idempotent(tmp_path_factory, common, histories):
    base = tmp_path_factory.mktemp("union")
    origin = ExperimentRegistry(base / "origin")
    for action in common:
        perform(origin, *action)
    stores = []
    for name, history in zip("abc", histories, strict=True):
        root = base / name
        shutil.copytree(origin.root, root)
        branch = ExperimentRegistry(root)
        for action in history:
            perform(branch, *action)
        stores.append(root)
    a, b, c = stores

    def fresh(name, *sources):
        return union(shutil.copytree(sources[0], base / name), *sources[1:])

    one = fresh("one", fresh("ab", a, b), c)
    assert answers(one)[2] == []
    for name, sources in {"two": (c, b, a), "three": (a, fresh("bc", b, c)), "four": (b, a, c, b, a)}.items():
        other = fresh(name, *sources)
        assert files(other) == files(one)
        assert answers(other) == answers(one)
    shutil.rmtree(base)


def test_two_descriptions_of_one_config_are_both_kept_until_the_next(tmp_path):
    origin = ExperimentRegistry(tmp_path / "a")
    config_hash = origin.register(CONFIGS[0])
    shutil.copytree(origin.root, tmp_path / "b")
    other = ExperimentRegistry(tmp_path / "b")
    origin.describe(config_hash, "mine")
    other.describe(config_hash, "yours")
    union(tmp_path / "a", tmp_path / "b")

    merged = ExperimentRegistry(tmp_path / "a")
    metadata = merged.metadata(config_hash)
    assert {metadata.description, *metadata.other_descriptions} == {"mine", "yours"}
    assert metadata.description == "yours", "the newest is shown"
    merged.describe(config_hash, "ours")
    assert merged.metadata(config_hash).description == "ours"
    assert merged.metadata(config_hash).other_descriptions == ()


def test_a_tag_removed_on_one_side_and_kept_on_the_other_is_removed(tmp_path):
    origin = ExperimentRegistry(tmp_path / "a")
    config_hash = origin.register(ExperimentConfig(**CONFIGS[0].to_dict() | {"tags": ["best"]}))
    shutil.copytree(origin.root, tmp_path / "b")
    ExperimentRegistry(tmp_path / "b").untag(config_hash, ["best"])
    union(tmp_path / "a", tmp_path / "b")
    assert ExperimentRegistry(tmp_path / "a").tags_of(config_hash) == []
