"""Strategies: what they draw can be stored, is what was asked for, and is like what a store holds."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import HealthCheck, find, given, settings
from hypothesis import strategies as st

from gemexp import ExperimentConfig
from gemexp.backtest import Panel
from gemexp.canonical import normalise
from gemexp.compare import same
from gemexp.errors import InvalidInput
from gemexp.testing.drawing import drawn
from gemexp.testing.strategies import configs, configs_like, panels, values


@given(values())
def test_values_can_be_stored_as_they_are(value):
    assert same(normalise(value), value)


@given(config=...)
def test_hypothesis_draws_configs_by_their_type(config: ExperimentConfig):
    assert ExperimentConfig.from_bytes(config.to_bytes()).config_hash == config.config_hash
    assert set(config.feature_weights) == set(config.feature_names)
    assert config.created_at == "2000-01-01T00:00:00Z"


def test_configs_shrink_to_the_empty_one():
    smallest = find(st.from_type(ExperimentConfig), lambda _: True)
    assert smallest.config_hash == ExperimentConfig([], {}).config_hash


ASKED = configs(
    ["momentum", "size", "value"],
    {"k": st.integers(1, 9), "model": st.fixed_dictionaries({"depth": st.sampled_from([2, 4])})},
    weights=st.floats(0, 1),
    transformations=st.just("rank"),
)


@given(ASKED)
def test_configs_are_of_the_features_and_hyperparameters_asked_for(config):
    assert set(config.feature_names) <= {"momentum", "size", "value"}
    assert all(0 <= weight <= 1 for weight in config.feature_weights.values())
    assert set(config.feature_transformations.values()) <= {"rank"}
    assert list(config.hyperparameters) == ["k", "model"]
    assert config.hyperparameters["model"]["depth"] in (2, 4)


@given(configs(features=st.just(["b", "a"]), hyperparameters=st.just({"x": 1})))
def test_strategies_can_be_handed_in(config):
    assert config.feature_names == ["b", "a"]
    assert config.hyperparameters == {"x": 1}


STORED = [
    ExperimentConfig(
        ["a", "b"],
        {"a": 0.25, "b": 1.0, "bias": 2.0},
        {"lr": 0.01, "k": 5, "layers": [64], "optimiser": {"name": "adam", "eps": 1e-8}, "early": True, "cap": None},
        {"a": "log"},
        tags=["good"],
    ),
    ExperimentConfig(
        ["a", "c"],
        {"a": 0.75, "c": 3.0, "bias": 2.0},
        {"lr": 0.1, "k": 9, "layers": [32, 16], "optimiser": {"name": "sgd"}, "early": False, "cap": 1.5},
        {},
        tags=["good"],
    ),
    ExperimentConfig(["z"], {"z": -1.0}, {"other": 1}, tags=["bad"]),
]


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    from gemexp import ExperimentRegistry

    registry = ExperimentRegistry(tmp_path_factory.mktemp("stored") / "store")
    registry.add_many(STORED)
    return registry


def test_configs_like_stored_ones_have_their_names_types_and_ranges(stored):
    found = drawn(configs_like(stored, tag="good"), 60)
    assert len(found) == 60
    for config in found:
        names, parameters = set(config.feature_names), config.hyperparameters
        assert {"a"} <= names <= {"a", "b", "c"}
        assert set(config.feature_weights) <= names | {"bias"}
        assert 0.125 <= config.feature_weights["a"] <= 0.875
        assert {"early", "k", "layers", "lr", "optimiser", "cap"} == set(parameters)
        assert type(parameters["k"]) is int
        assert 4 <= parameters["k"] <= 10
        assert 0.005 <= parameters["lr"] <= 0.13
        assert 1 <= len(parameters["layers"]) <= 3
        assert all(type(width) is int and 4 <= width <= 76 for width in parameters["layers"])
        assert parameters["optimiser"]["name"] in ("adam", "sgd")
        assert set(parameters["optimiser"]) <= {"name", "eps"}
        assert type(parameters["early"]) is bool
        assert parameters["cap"] is None or 0.75 <= parameters["cap"] <= 1.875
    # Around what is stored, not only in it.
    assert any(config.hyperparameters["lr"] > 0.1 for config in found)


def test_configs_like_stored_ones_shrink_to_a_stored_one(stored):
    smallest = find(configs_like(stored, where="k >= 0"), lambda _: True)
    assert smallest.config_hash in {config.config_hash for config in STORED[:2]}


def test_nothing_to_learn_from_is_told(stored):
    with pytest.raises(InvalidInput, match="no configs to draw others like them from"):
        configs_like(stored, tag="none")


def test_what_is_drawn_is_the_same_each_time_and_different_within(stored):
    first = [config.config_hash for config in drawn(configs_like(stored), 20)]
    assert first == [config.config_hash for config in drawn(configs_like(stored), 20)]
    assert first != [config.config_hash for config in drawn(configs_like(stored), 20, seed_=1)]
    assert len(set(first)) == 20
    assert len(drawn(st.just(ExperimentConfig([], {})), 5)) == 1


@settings(suppress_health_check=list(HealthCheck), max_examples=30)
@given(panels(columns=["Mood"]))
def test_panels_are_panels(panel):
    assert isinstance(panel, Panel)
    assert panel.close.shape == (len(panel.days), len(panel.assets))
    assert np.nanmin(panel.close) > 0
    assert set(panel.columns) == {"Mood"}
    assert np.isfinite(panel.close[0]).all()


@settings(suppress_health_check=list(HealthCheck), max_examples=10)
@given(panels(days=st.just(10), assets=st.just(2), gaps=False))
def test_panels_have_the_shape_asked_for(panel):
    assert panel.close.shape == (10, 2)
    assert np.isfinite(panel.close).all()


def test_no_public_name_is_hidden_by_a_module_of_the_same_name():
    program = (
        "import importlib, pkgutil, gemexp.testing as t\n"
        "for found in pkgutil.iter_modules(t.__path__): importlib.import_module(f'gemexp.testing.{found.name}')\n"
        "print(*[name for name in t.__all__ if not callable(getattr(t, name))])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not done.stdout.split()


@pytest.mark.parametrize("module", ["gemexp.testing", "gemexp.testing.properties", "gemexp.testing.marked"])
def test_checking_stored_configs_imports_neither_hypothesis_nor_numpy(module):
    program = f"import sys, {module}; import gemexp.testing as t; [getattr(t, name) for name in t.__all__]; "
    program += "print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & {"hypothesis", "numpy", "time_machine"}
