"""A configuration is encoded the short way as the long way would, or not at all, whatever was done to it in place."""

import enum
from collections import OrderedDict
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import PurePosixPath
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import configs, keys, tags, texts, values

from gemexp import ExperimentConfig, GemexpError, bulk, canonical
from gemexp.config import untouched


class Text(str):
    """Text, of a class of its own."""

    __slots__ = ()


class Colour(enum.Enum):
    """A member is what it stands for."""

    RED = "red"


class Level(enum.IntEnum):
    """A member is a number, too."""

    HIGH = 3


class Pair(NamedTuple):
    """A tuple with names."""

    first: int
    second: str


ODD = st.sampled_from(
    [
        *(b"bytes", bytearray(b"b"), memoryview(b"m"), {1, 2}, frozenset(), (1, 2), Pair(1, "b"), object(), int, 1j),
        *(Text("text"), Colour.RED, Level.HIGH, Decimal("1.5"), date(2024, 1, 31), datetime(2024, 1, 31, tzinfo=UTC)),
        *(np.float64(0.5), np.int32(7), np.array([1.0, 2.0]), PurePosixPath("a/b"), OrderedDict(b=1, a=2)),
        *(-0.0, float("nan"), float("-inf"), 2**63, 2**64, -(2**63) - 1, "\ud800", {"$float": "nan"}, {"$float": 1}),
        *({1: "a"}, {b"a": 1}, {None: 1}, {Text("a"): 1}, {"a": 1, Text("a"): 2}, {"b": 1, "a": 2}, None, True, [], {}),
    ]
)
ANYTHING = st.recursive(
    st.one_of(values, ODD),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(keys, inner, max_size=3)),
    max_leaves=5,
)
FIELDS = st.sampled_from(ExperimentConfig.__slots__)


def outcome(encode, config):
    try:
        return encode(config)
    except GemexpError as error:
        return (type(error), str(error))


def assert_as_the_long_way(config):
    config.created_at = config.created_at or "2024-01-31T09:00:00Z"  # else it is now, which both are asked for in turn
    assert outcome(bulk.encoded, config) == outcome(bulk.encoded_in_full, config)


@given(configs(), tags, texts)
def test_as_it_was_made(config, labels, description):
    config.tags, config.description = labels, description
    assert_as_the_long_way(config)


@given(configs(), st.sampled_from(["hyperparameters", "feature_transformations", "feature_weights"]), keys, ANYTHING)
def test_whatever_was_put_into_a_section(config, section, key, value):
    getattr(config, section)[key] = value
    assert_as_the_long_way(config)


@given(configs(), st.sampled_from(["feature_names", "tags"]), st.one_of(texts, keys, ODD))
def test_whatever_was_put_into_a_list(config, field, value):
    getattr(config, field).append(value)
    assert_as_the_long_way(config)


@given(configs(), FIELDS, ANYTHING)
def test_whatever_was_put_in_a_fields_place(config, field, value):
    setattr(config, field, value)
    if field != "created_at" or value:
        assert_as_the_long_way(config)


def nested(depth):
    value = []
    for _ in range(depth - 1):
        value = [value]
    return value


@pytest.mark.parametrize("depth", [60, 61, 62, 63, 64, 65, 5000])
def test_however_deep_it_is(depth):
    config = ExperimentConfig(["a"], {"a": 1.0})
    config.hyperparameters["deep"] = nested(depth)
    assert_as_the_long_way(config)


def test_what_holds_itself_is_refused():
    config = ExperimentConfig(["a"], {"a": 1.0})
    config.hyperparameters["self"] = config.hyperparameters
    with pytest.raises(GemexpError, match="nested deeper"):
        bulk.encoded(config)


@pytest.mark.parametrize("section", ["hyperparameters", "feature_transformations", "feature_weights"])
def test_what_json_needs_for_floats_is_refused(section):
    config = ExperimentConfig(["a"], {"a": 1.0})
    setattr(config, section, {"$float": 0.5})
    with pytest.raises(GemexpError, match="as its only key"):
        bulk.encoded(config)


def test_what_is_there_a_billion_times_is_refused():
    value = ["laugh"] * 10
    for _ in range(9):
        value = [value] * 10
    assert not canonical.is_plain(value)


ORDINARY = configs(
    feature_weights=st.just({"b": 0.5, "a": -1.0}), hyperparameters=st.just({"z": [1, {"y": None}], "k": True})
)


@given(ORDINARY)
def test_an_ordinary_one_takes_the_short_way(config):
    found = bulk._encoded_plain(config)
    assert found is not None
    assert found == bulk.encoded_in_full(config)


@given(configs())
def test_one_that_was_read_from_a_store_keeps_its_bytes(config):
    data = config.to_bytes()
    read = ExperimentConfig.from_proven_bytes(data, config.description, config.tags, config.created_at)
    assert bulk.encoded(read) == bulk.encoded_in_full(config)
    assert untouched(read) is not None
