"""Shrinking: what is left of a config is what it takes to fail, and nothing is believed that does not fail again."""

import time

import pytest

from gemexp import ExperimentConfig
from gemexp.errors import InvalidInput
from gemexp.testing import keep, metamorphic, order_does_not_matter, same_outcome, shrunk

BIG = ExperimentConfig(
    [f"f{number}" for number in range(12)],
    {f"f{number}": 0.1 * number for number in range(12)},
    {"a": {"b": [1, {"c": 0.123456789}], "d": "long text"}, "seed": 123456, "on": True, "x": [[1, 2], [3]]},
    {"f1": "log", "f2": "rank"},
)


def failing_if(condition):
    """Return the verdict on a pipeline that gives something else each time for configs that meet a condition."""
    calls = []

    def pipeline(config):
        calls.append(1)
        return len(calls) if condition(config) else 0

    return same_outcome(pipeline, BIG, isolate=False)


@pytest.mark.parametrize(
    ("condition", "left"),
    [
        (lambda _: True, ExperimentConfig([], {})),
        (lambda config: "f7" in config.feature_names, ExperimentConfig(["f7"], {})),
        (lambda config: {"f3", "f11"} <= set(config.feature_names), ExperimentConfig(["f3", "f11"], {})),
        (lambda config: len(config.feature_weights) > 2, None),
        (lambda config: config.hyperparameters["seed"] > 1000, None),
        (lambda config: config.hyperparameters["a"]["b"][1]["c"] > 0.1, None),
        (lambda config: "text" in config.hyperparameters["a"]["d"], None),
        (lambda config: config.feature_transformations["f2"] == "rank", ExperimentConfig([], {}, {}, {"f2": "rank"})),
    ],
)
def test_what_is_left_is_small_and_still_fails(condition, left):
    smallest = shrunk(failing_if(condition))
    assert not smallest.holds
    assert condition(smallest.config)
    if left is not None:
        assert smallest.config.config_hash == left.config_hash
    leaves = str(smallest.config.to_dict() | {"created_at": "", "config_hash": ""})
    assert len(leaves) < 260, leaves


def test_it_ends_in_time_and_after_so_many_tries():
    tried = []

    def pipeline(config):
        tried.append(config)
        return len(tried)

    verdict = same_outcome(pipeline, BIG, isolate=False)
    tried.clear()
    shrunk(verdict, tries=3)
    assert len(tried) <= 4 * 5
    started = time.monotonic()
    assert shrunk(verdict, seconds=0).config.config_hash == BIG.config_hash
    assert time.monotonic() - started < 5


def test_what_holds_cannot_be_shrunk():
    with pytest.raises(InvalidInput, match="nothing to shrink"):
        shrunk(same_outcome(lambda _: 1, BIG, isolate=False))


def test_a_config_that_the_pipeline_refuses_is_not_taken():
    verdict = order_does_not_matter(
        lambda config: [config.hyperparameters["seed"], config.feature_names], BIG, isolate=False
    )
    assert shrunk(verdict).config.hyperparameters.keys() == {"seed"}


def test_a_relation_that_fails_says_so_and_is_shrunk():
    def halve(config):
        return ExperimentConfig(config.feature_names[:-1], config.feature_weights)

    def as_many(first, second):
        assert len(first) == len(second), "one is missing"
        return True

    verdict = metamorphic(lambda config: config.feature_names, BIG, halve, as_many)
    assert not verdict.holds
    assert "one is missing" in verdict.differences[0].note
    assert str(verdict).startswith("metamorphic does not hold")
    assert len(shrunk(verdict).config.feature_names) == 1


def test_keeping_a_config_that_is_known_changes_only_its_tags(experiment_store):
    verdict = failing_if(lambda _: True)
    known = ExperimentConfig.from_bytes(BIG.to_bytes())
    known.description, known.tags = "the paper's", ["paper"]
    experiment_store.register(known)
    config_hash = keep(verdict, experiment_store)
    kept = experiment_store.get(config_hash)
    assert kept.description == "the paper's"
    assert kept.tags == ["counterexample", "paper"]
    small = experiment_store.get(keep(shrunk(verdict), experiment_store))
    assert small.tags == ["counterexample"]
    assert "same-outcome" in small.description
