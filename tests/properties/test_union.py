"""Stores merge by the union of their files: in any order, any number of times, to the same answers."""

import shutil

from histories import CONFIGS, HISTORY, answers, perform, union
from hypothesis import given, settings
from hypothesis import strategies as st
from surroundings import contents

from gemexp import ExperimentConfig, ExperimentRegistry


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
    assert answers(one)[-1] == []
    for name, sources in {"two": (c, b, a), "three": (a, fresh("bc", b, c)), "four": (b, a, c, b, a)}.items():
        other = fresh(name, *sources)
        assert contents(other) == contents(one)
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
