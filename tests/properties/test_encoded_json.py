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


def the_long_way(text, created_at):
    """Return what the long way comes to, at a time if the text gives none."""
    try:
        value = formats.loads(text, "json")
        if isinstance(value, dict) and value.get("created_at") is None:
            value["created_at"] = created_at
        return bulk.encoded_in_full(config_from_value(value), fresh=True)
    except GemexpError:
        return None


def assert_as_the_long_way(text):
    found = bulk.encoded_json(text)
    assert found is None or found == the_long_way(text, found.created_at)


@given(MAPS, st.booleans())
def test_whatever_the_map_holds(written, escaped):
    assert_as_the_long_way(json.dumps(written, allow_nan=True, ensure_ascii=escaped).encode(errors="surrogatepass"))


@given(MAPS, st.data())
def test_whatever_became_of_the_text(written, data):
    text = json.dumps(written, ensure_ascii=False).encode(errors="surrogatepass")
    places = st.integers(0, len(text))
    for _ in range(data.draw(st.integers(1, 3))):
        start, end, target = data.draw(places), data.draw(places), data.draw(places)
        piece = data.draw(
            st.one_of(
                st.just(text[start:end] or text[end:start]),  # such as a key once more
                st.sampled_from(
                    [b"", b"\\u003a", b'"a": 1, ', b'"a": 1, "a": ":", ', b"[", b"1e999", b"-0", b" ", b"\0"]
                ),
                st.binary(max_size=3),
            )
        )
        text = text[:target] + piece + text[target + data.draw(st.integers(0, 4)) :]
    assert_as_the_long_way(text)


@given(
    st.one_of(
        st.floats().map(repr), st.from_regex(r"-?[0-9]{1,25}(\.[0-9]{1,25})?([eE][+-]?[0-9]{1,3})?", fullmatch=True)
    )
)
def test_however_a_number_is_written(number):
    assert_as_the_long_way(b'{"feature_names": [], "hyperparameters": {"k": %s}}' % number.encode())


@given(configs())
def test_what_was_exported_has_its_hash_again(config):
    value = formats.loads(config.to_json(), "json")
    del value["config_hash"]
    found = bulk.encoded_json(json.dumps(value).encode())
    if found is not None:
        assert (found.config_hash, found.data) == (config.config_hash, config.to_bytes())


@pytest.mark.parametrize("value", [None, 1, "a", [], {}, {"lr": 1}, {"feature_names": []}])
def test_what_is_no_map_of_sections_is_left_to_the_long_way(value):
    found = bulk.encoded_json(json.dumps(value).encode())
    assert (found is not None) == (value == {"feature_names": []})


@pytest.mark.parametrize(
    "parameters",
    [
        '"k": 1, "k": 2',
        '"k": 1, "k": 1',
        '"k": {"a": ":", "a": 1}',
        '"k": 1, "k": "\\u003a"',
        '"k": {"$float": "nan"}',
        '"k": NaN',
        '"k": 1e400',
        '"k": -0.0',
        '"k": 18446744073709551616',
        f'"k": {"[" * 63}{"]" * 63}',
    ],
)
def test_what_takes_a_closer_look_gets_one(parameters):
    assert bulk.encoded_json(b'{"feature_names": [], "hyperparameters": {%s}}' % parameters.encode()) is None


@pytest.mark.parametrize("inner", [b"[" * 62 + b"]" * 62, b"[%s]" % b", ".join([b"[]"] * 100), b'"a: b"'])
def test_an_ordinary_line_takes_the_short_way(inner):
    text = b"""{
        "feature_names": ["b", "a"],
        "feature_weights": {"b": 0.5, "a": -1.0},
        "feature_transformations": {"b": "log"},
        "hyperparameters": {"z": [1, {"y": null, "x": true}], "k": 10, "\xc3\xa9": %s},
        "description": "one",
        "tags": ["b", "a", "b"],
        "created_at": "2024-01-01T00:00:00Z"
    }"""
    found = bulk.encoded_json(text % inner)
    assert found is not None
    assert found == the_long_way(text % inner, None)
