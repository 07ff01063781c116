"""Outcomes in comparable form: what counts as the same, what is told of a difference, and what is refused."""

import dataclasses
import datetime as dt
import enum
import json
import math
from collections import OrderedDict, namedtuple
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from uuid import UUID

import attrs
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from gemexp import ExperimentConfig
from gemexp.errors import InvalidInput, InvalidValue
from gemexp.testing.differences import Tolerance, differences
from gemexp.testing.results import comparable, digest, dumps, loads, raised


class Colour(enum.Enum):
    RED = 1


@dataclasses.dataclass
class Fit:
    loss: float
    weights: np.ndarray


@attrs.define
class Attrs:
    a: int


class Model(pydantic.BaseModel):
    a: int


Point = namedtuple("Point", "x y")  # noqa: PYI024 - what people return
UUID_ = UUID(int=7)

RETURNED = {
    "nothing": None,
    "scalars": [True, 1, 1.5, "text", math.nan, math.inf, -0.0, 2**70, b"\0\xff"],
    "map": {"b": {"c": [1, (2, 3)]}, "a": 1, 3: "int", None: 0, (1, 2): "tuple"},
    "set": {"a", "b", ("c", 1)},
    "named tuple": Point(1, 2.0),
    "dataclass": Fit(0.1, np.arange(3.0)),
    "attrs": Attrs(1),
    "pydantic": Model(a=1),
    "others": [
        Decimal("1.10"),
        Fraction(1, 3),
        1 + 2j,
        UUID_,
        dt.date(2020, 1, 2),
        Colour.RED,
        dt.timedelta(1),
        range(3),
    ],
    "numpy scalars": [np.float64(0.1), np.int64(3), np.bool_(True), np.float32(0.1), np.datetime64("2020-01-01", "ns")],
    "arrays": [np.eye(2), np.array(["a", "bcd"]), np.zeros((0, 3)), np.array([1, None, "x"]), np.array(5.0)],
    "structured": np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]),
    "masked": np.ma.masked_invalid([1.0, np.nan]),
    "pandas": pd.DataFrame(
        {"a": [1, 2], "b": ["x", None], "c": pd.Categorical(["u", "v"])}, index=pd.date_range("2020", periods=2)
    ),
    "pandas twice": pd.DataFrame([[1, 2.0]], columns=["a", "a"]),
    "series": pd.Series([1.0, np.nan], name="s"),
    "polars": pl.DataFrame({"a": [1, None], "b": [dt.date(2020, 1, 1), None]}),
    "arrow": pa.table({"a": [1, None], "b": [["x"], []]}),
    "config": ExperimentConfig(["a"], {"a": 1}, {"k": [1, None]}),
}


@pytest.mark.parametrize("name", RETURNED)
def test_what_pipelines_return_is_the_same_as_itself_through_the_wire(name):
    form = comparable(RETURNED[name])
    assert not list(differences(form, comparable(RETURNED[name])))
    assert not list(differences(form, loads(dumps(form))))
    assert digest(form) == digest(loads(dumps(form)))
    json.loads(dumps(form))


def trees(leaves):
    return st.recursive(
        leaves,
        lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=4), inner)),
        max_leaves=8,
    )


anything = trees(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(st.characters()),
        st.binary(max_size=5),
        arrays.arrays(
            st.sampled_from(["<f8", "<i4", "?", "<f4", "<M8[s]", "<c16"]), arrays.array_shapes(max_dims=2, max_side=3)
        ),
    )
)


@given(anything, anything)
def test_forms_are_the_same_if_and_only_if_their_digests_are(one, other):
    first, second = comparable(one), comparable(other)
    assert not list(differences(first, loads(dumps(first))))
    # NaN of whatever bits is NaN where it is compared, but has its bits in an array's digest.
    if digest(first) == digest(second):
        assert not list(differences(first, second))
    if list(differences(first, second)):
        assert digest(first) != digest(second)


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        ({"a": {"b": [1.0, 2.0]}}, {"a": {"b": [1.0, 2.5]}}, ["a.b[1]: 2.0 != 2.5"]),
        (0.0, -0.0, ["0.0 != -0.0"]),
        (1, 1.0, ["1 (int) != 1.0 (float)"]),
        (True, 1, ["true (bool) != 1 (int)"]),
        ({"a": 1}, {"b": 1}, ["a: 1 != nothing", "b: nothing != 1"]),
        ([1, 2], [1], ["[1]: 2 != nothing"]),
        ("x" * 90 + "a", "x" * 90 + "b", ['..."' + "x" * 20 + 'a" != ..."' + "x" * 20 + 'b"']),
        (b"ab", b"ac", ["2 bytes, b'ab' != 2 bytes, b'ac'"]),
        (
            {"x": np.arange(4.0)},
            {"x": np.array([0.0, 1.0, 2.5, 3.5])},
            ["x[2]: 2.0 != 2.5 (2 of 4 elements differ, this is the first; by 0.5 at most)"],
        ),
        (np.zeros(2), np.zeros(3), ["array of <f8, shape (2,) != array of <f8, shape (3,)"]),
        (np.zeros(2), np.zeros(2, "f4"), ["array of <f8, shape (2,) != array of <f4, shape (2,)"]),
        (
            np.array([0.0]),
            np.array([-0.0]),
            ["[0]: 0.0 != -0.0 (1 of 1 elements differ, this is the first; by 0.0 at most)"],
        ),
        ("a\x1b[1m", "b", ['"a\\u001b[1m" != "b"']),
        (1.0, ValueError("no \x1b"), ["1.0 (float) != raised ValueError: no \\x1b (Raised)"]),
        (Decimal("1.0"), Decimal("1.00"), ["Decimal 1.0 != Decimal 1.00"]),
    ],
)
def test_a_difference_says_where_and_shows_both_in_shortest_text(first, second, told):
    forms = [raised(each) if isinstance(each, Exception) else comparable(each) for each in (first, second)]
    assert list(map(str, differences(*forms))) == told


def test_columns_of_frames_are_named():
    one, other = (pd.DataFrame({"sharpe": [0.5, value]}) for value in (1.0, 2.0))
    [found] = differences(comparable(one), comparable(other))
    assert found.path == ("columns", "sharpe", 1)


def test_an_outcome_that_is_the_same_in_another_order_of_keys_is_the_same():
    assert digest(comparable(OrderedDict(a=1, b=2))) == digest(comparable({"b": 2, "a": 1}))
    assert digest(comparable([1, 2])) != digest(comparable([2, 1]))


@given(st.floats(), st.floats(), st.floats(0, 1), st.floats(0, 1))
def test_tolerance_is_symmetric_and_does_to_arrays_what_it_does_to_floats(one, other, rtol, atol):
    tolerance = Tolerance(rtol, atol)
    accepted = tolerance.accepts(one, other)
    assert accepted == tolerance.accepts(other, one)
    first, second = (comparable(np.array([value, 1.0])) for value in (one, other))
    assert accepted == (not list(differences(first, second, tolerance)))
    assert tolerance.accepts(one, one)


def test_a_tolerance_is_of_floats_alone():
    assert not list(differences(1.0, 1.0 + 1e-12, Tolerance(rtol=1e-9)))
    assert list(differences(10**15, 10**15 + 1, Tolerance(rtol=1e-9)))
    assert [str(each) for each in differences(1.0, 1.5, Tolerance(atol=0.1))] == ["1.0 != 1.5 (0.5 apart)"]
    for bad in (-1.0, math.nan, math.inf, "1"):
        with pytest.raises(InvalidInput):
            Tolerance(rtol=bad).check()


def test_a_path_stands_for_what_lies_there_and_not_for_where_it_lies(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name / "deep").mkdir(parents=True)
        (tmp_path / name / "deep/model.bin").write_bytes(b"weights")
    one, two = comparable(tmp_path / "one"), comparable(tmp_path / "two")
    assert one == two
    (tmp_path / "two/deep/model.bin").write_bytes(b"others")
    [found] = differences(one, comparable(tmp_path / "two"))
    assert found.path == ("deep", "model.bin")
    assert "a file of 7 bytes" in found.first


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({"a": [1, (each for each in "ab")]}, ("a", 1)),
        ({"model": object()}, ("model",)),
        ([Path("not/there")], (0,)),
        ({"f": print}, ("f",)),
    ],
)
def test_what_has_no_value_of_its_own_is_refused_with_its_place(value, path):
    with pytest.raises(InvalidValue) as caught:
        comparable(value)
    assert caught.value.path == path
    assert caught.value.hint


def test_a_cycle_is_refused():
    value = []
    value.append(value)
    with pytest.raises(InvalidValue, match="deeper than"):
        comparable(value)
