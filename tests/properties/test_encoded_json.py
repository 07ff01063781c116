"""A line of JSON is encoded the short way as the long way would, or not at all."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import configs, keys, names, tags, texts, values

from gemexp import GemexpError, bulk, formats
from gemexp.config import config_from_value

LOOSE = st.recursive(
    st.one_of(
        values, st.sampled_from([-0.0, 0.0, 2**63, 2**64, -(2**63) - 1, 1e300, {"$float": "nan"}, {"$float": 1}])
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(keys, inner, max_size=3)),
    max_leaves=5,
)
MAPS = st.fixed_dictionaries(
    {},
    optional={
        "feature_names": st.one_of(names, LOOSE),
        "feature_weights": st.dictionaries(keys, st.one_of(st.floats(), st.integers(), LOOSE), max_size=4),
        "feature_transformations": LOOSE,
        "hyperparameters": st.one_of(st.dictionaries(keys, LOOSE, max_size=4), LOOSE),
        "description": st.one_of(texts, LOOSE),
        "tags": st.one_of(tags, LOOSE),
        "created_at": st.one_of(st.none(), st.sampled_from(["2024-01-01", "never", "2024-01-01T00:00:00Z"]), LOOSE),
        "config_hash": LOOSE,
        "other": LOOSE,
    },
)


def the_long_way(value):
    try:
        return bulk.encoded(config_from_value(value), fresh=True)
    except GemexpError:
        return None


@given(MAPS)
def test_whatever_the_map_holds(written):
    try:
        value = formats.loads(json.dumps(written, allow_nan=True), "json")
    except GemexpError:
        return
    found = bulk.encoded_json(value)
    if found is not None:
        expected = the_long_way(value)
        if value.get("created_at") is None:
            found = found._replace(created_at=expected.created_at)
        assert found == expected


@given(configs())
def test_what_was_exported_has_its_hash_again(config):
    value = formats.loads(config.to_json(), "json")
    del value["config_hash"]
    found = bulk.encoded_json(value)
    if found is not None:
        assert (found.config_hash, found.data) == (config.config_hash, config.to_bytes())


@pytest.mark.parametrize("value", [None, 1, "a", [], {}, {"lr": 1}, {"feature_names": []}])
def test_what_is_no_map_of_sections_is_left_to_the_long_way(value):
    found = bulk.encoded_json(value)
    assert (found is not None) == (value == {"feature_names": []})


def test_an_ordinary_line_takes_the_short_way():
    value = {
        "feature_names": ["b", "a"],
        "feature_weights": {"b": 0.5, "a": -1.0},
        "feature_transformations": {"b": "log"},
        "hyperparameters": {"z": [1, {"y": None, "x": True}], "k": 10},
        "description": "one",
        "tags": ["b", "a", "b"],
        "created_at": "2024-01-01T00:00:00Z",
    }
    assert bulk.encoded_json(value) == the_long_way(value)
    assert bulk.encoded_json(value) is not None
