"""Same meaning, same bytes; other meaning, other bytes."""

import math
import struct

from hypothesis import given
from hypothesis import strategies as st
from strategies import configs, keys, maps, values

from gemexp import ExperimentConfig, canonical, formats
from gemexp.compare import Diff, differences, same


def strictly_equal(one, other):
    """Tell whether two plain values mean the same: types count, -0.0 is 0.0, and any NaN is any other."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(strictly_equal(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(strictly_equal, one, other))
    return one == other or (one != one and other != other)


def shuffled(draw, value):
    if isinstance(value, dict):
        return {key: shuffled(draw, value[key]) for key in draw(st.permutations(list(value)))}
    return [shuffled(draw, item) for item in value] if isinstance(value, list) else value


@given(values)
def test_decoding_what_was_encoded_gives_the_value_back(value):
    assert strictly_equal(canonical.decode(canonical.encode(value)), value)


@given(values)
def test_encoding_what_was_decoded_gives_the_bytes_back(value):
    data = canonical.encode(value)
    assert canonical.encode(canonical.decode(data)) == data


@given(values, values)
def test_bytes_are_equal_exactly_when_values_are(one, other):
    assert (canonical.encode(one) == canonical.encode(other)) == strictly_equal(one, other)
    assert same(canonical.normalise(one), canonical.normalise(other)) == strictly_equal(one, other)


@given(st.data(), values)
def test_order_of_keys_does_not_matter(data, value):
    assert canonical.encode(shuffled(data.draw, value)) == canonical.encode(value)


@given(st.lists(values, max_size=4))
def test_tuples_and_lists_are_the_same_array(items):
    assert canonical.encode(tuple(items)) == canonical.encode(items)


@given(st.integers(0, 2**64 - 1).map(lambda bits: struct.unpack(">d", bits.to_bytes(8, "big"))[0]))
def test_every_float_has_one_encoding_of_nine_bytes(number):
    data = canonical.encode(number)
    expected = "7ff8000000000000" if math.isnan(number) else struct.pack(">d", number + 0.0).hex()
    assert data.hex() == f"cb{expected}"


@given(maps(values, max_size=4))
def test_json_keeps_the_hash(value):
    assert canonical.encode(formats.loads(formats.dumps(value, "json"), "json")) == canonical.encode(value)


@given(maps(values, max_size=4))
def test_yaml_keeps_the_hash(value):
    assert canonical.encode(formats.loads(formats.dumps(value, "yaml"), "yaml")) == canonical.encode(value)


@given(configs())
def test_a_config_survives_json_yaml_and_its_own_bytes(config):
    assert ExperimentConfig.from_json(config.to_json()) == config
    assert ExperimentConfig.from_dict(formats.loads(formats.dumps(config.to_dict(), "yaml"), "yaml")) == config
    read = ExperimentConfig.from_bytes(
        config.to_bytes(), description=config.description, tags=config.tags, created_at=config.created_at
    )
    assert read == config


@given(configs(), st.randoms(use_true_random=False), keys, st.lists(keys, max_size=3))
def test_metadata_and_order_of_features_are_no_part_of_the_hash(config, random, description, tags):
    names = list(config.feature_names)
    random.shuffle(names)
    fields = config.to_dict() | {
        "feature_names": names,
        "description": description,
        "tags": [tag for tag in tags if tag],
    }
    del fields["created_at"]
    assert ExperimentConfig(**fields).config_hash == config.config_hash


@given(configs(), configs())
def test_a_diff_is_empty_exactly_when_the_hashes_are_equal(one, other):
    assert (not Diff(one, other)) == (one.config_hash == other.config_hash)
    assert not Diff(one, one)


@given(values, values)
def test_differences_are_those_of_the_other_direction_turned_round(one, other):
    one, other = canonical.normalise(one), canonical.normalise(other)
    turned = {"added": "removed", "removed": "added", "changed": "changed"}
    there = [(found.path, turned[found.change]) for found in differences(one, other)]
    back = [(found.path, found.change) for found in differences(other, one)]
    assert there == back
    assert bool(there) == (not strictly_equal(one, other))
