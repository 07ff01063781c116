"""The small reader of the diff driver reads what everything else reads, and refuses what it refuses."""

import json
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from strategies import values
from typed import read_bytes

from gemexp import Corrupt, canonical
from gemexp.compare import same
from gemexp.unpacking import unpack

VECTORS = Path(__file__).parents[2] / "docs/spec/vectors"
REFUSED = json.loads((VECTORS / "refused-bytes.json").read_text("utf-8"))


def agrees(data):
    """Tell whether bytes are canonical, having checked that both readers say the same of them."""
    try:
        expected = canonical.decode(data)
    except Corrupt:
        with pytest.raises(ValueError):  # noqa: PT011 - it has no class of its own
            unpack(data)
        return False
    assert same(unpack(data), expected)
    return True


LONG = [
    ["x" * length for length in (31, 32, 255, 256, 65535, 65536)],
    list(range(65536)),
    {f"{number:05}": number for number in range(65536)},
    [sign * 2**power + off for sign in (1, -1) for power in (5, 7, 8, 15, 16, 31, 32) for off in (-1, 0, 1)],
]


@given(values)
@example(LONG[0])
@example(LONG[1])
@example(LONG[2])
@example(LONG[3])
def test_it_reads_what_is_encoded(value):
    assert agrees(canonical.encode(value))


@given(values, st.data())
def test_it_refuses_what_is_refused_elsewhere(value, data):
    encoded = bytearray(canonical.encode(value))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(encoded)))
        encoded[at : at + data.draw(st.integers(0, 1))] = data.draw(st.binary(max_size=2))
    agrees(bytes(encoded))


@given(st.binary(max_size=40))
def test_it_agrees_on_any_bytes(data):
    agrees(data)


@pytest.mark.parametrize("vector", REFUSED, ids=lambda vector: vector["name"])
def test_it_refuses_the_vectors_of_the_specification(vector):
    assert not agrees(read_bytes(vector))


@pytest.mark.parametrize("depth", [64, 65, 5000])
def test_it_descends_as_deep_as_a_value_may_be(depth):
    assert agrees(b"\x91" * depth + b"\xc0") == (depth <= 64)
