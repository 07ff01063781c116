"""Normalising what Python hands in, and the bytes that come of it."""

import dataclasses
import enum
import hashlib
import math
import struct
from collections import ChainMap, Counter, OrderedDict, defaultdict, namedtuple
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from pathlib import Path, PurePosixPath, PureWindowsPath
from types import MappingProxyType, SimpleNamespace

import attrs
import msgpack
import numpy as np
import omegaconf
import pydantic
import pytest
from omegaconf import OmegaConf

from gemexp.canonical import MAX_BYTES, MAX_DEPTH, decode, encode, normalise
from gemexp.errors import Corrupt, InvalidValue


class Rank(enum.IntEnum):
    LOW = 1


class Name(enum.StrEnum):
    ADAM = "adam"


class Colour(enum.Enum):
    RED = "red"
    PAIR = (1, 2)


class Bits(enum.Flag):
    A = 1
    B = 2


class Whole(int):
    def __str__(self):
        return "not this"


class Real(float):
    pass


class Text(str):
    __slots__ = ()

    def __str__(self):
        return "not this"


class Map(dict):
    pass


@dataclasses.dataclass
class Layer:
    units: int
    shape: tuple = (1, 2)


@dataclasses.dataclass
class Model:
    layer: Layer
    name: Name = Name.ADAM


@attrs.define
class Optimiser:
    lr: float
    betas: tuple = (0.9, 0.999)


class Settings(pydantic.BaseModel):
    lr: float = 0.1
    day: date = date(2024, 1, 31)
    inner: dict[str, int] = {}


class Open(pydantic.BaseModel, extra="allow"):
    x: int = 1


@pydantic.dataclasses.dataclass
class Checked:
    x: int = 1


Point = namedtuple("Point", "x y")  # noqa: PYI024 - untyped, as users write them


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        ((1, (2, [3])), [1, [2, [3]]]),
        (Point(1, 2.0), [1, 2.0]),
        (Rank.LOW, 1),
        (Name.ADAM, "adam"),
        (Colour.RED, "red"),
        (Colour.PAIR, [1, 2]),
        (Bits.A | Bits.B, 3),
        (Whole(7), 7),
        (Real(0.5), 0.5),
        (Text("x"), "x"),
        (Map(a=1), {"a": 1}),
        (OrderedDict(b=1, a=2), {"a": 2, "b": 1}),
        (defaultdict(int, a=1), {"a": 1}),
        (Counter("aab"), {"a": 2, "b": 1}),
        (MappingProxyType({"a": 1}), {"a": 1}),
        (ChainMap({"a": 1}, {"b": 2}), {"a": 1, "b": 2}),
        (date(2024, 1, 31), "2024-01-31"),
        (datetime(2024, 1, 31, 9, tzinfo=UTC), "2024-01-31T09:00:00+00:00"),
        (datetime(2024, 1, 31, 9, tzinfo=timezone(timedelta(hours=-5))), "2024-01-31T09:00:00-05:00"),
        (PurePosixPath("a/b"), "a/b"),
        (PureWindowsPath("a\\b"), "a/b"),
        (Path("data/prices.csv"), "data/prices.csv"),
        (Model(Layer(3)), {"layer": {"shape": [1, 2], "units": 3}, "name": "adam"}),
        (Optimiser(0.1), {"betas": [0.9, 0.999], "lr": 0.1}),
        (Settings(), {"day": "2024-01-31", "inner": {}, "lr": 0.1}),
        (Open(y="z"), {"x": 1, "y": "z"}),
        (Checked(), {"x": 1}),
        (np.int8(-3), -3),
        (np.uint64(2**64 - 1), 2**64 - 1),
        (np.float64(0.1), 0.1),
        (np.float32(0.1), 0.10000000149011612),
        (np.float16(0.5), 0.5),
        (np.bool_(True), True),
        (np.str_("a"), "a"),
        (np.array(3.5), 3.5),
        (np.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
        (np.array([True, False]), [True, False]),
        (np.array([0.5], dtype="float32"), [0.5]),
        (np.array([], dtype=float), []),
        (np.arange(4)[::2], [0, 2]),
    ],
    ids=repr,
)
def test_what_python_hands_in_becomes_plain_data_by_exact_type(value, plain):
    def check(found, expected):
        assert type(found) is type(expected)
        if isinstance(expected, dict):
            assert list(found) == list(expected)
            for key in expected:
                check(found[key], expected[key])
        elif isinstance(expected, list):
            assert len(found) == len(expected)
            for one, other in zip(found, expected, strict=True):
                check(one, other)
        else:
            assert found == expected

    check(normalise(value), plain)
    check(normalise({"k": [value]}), {"k": [plain]})


@pytest.mark.parametrize(
    "value",
    [
        b"bytes",
        bytearray(b"x"),
        memoryview(b"x"),
        {1, 2},
        frozenset({1}),
        datetime(2024, 1, 31, 9),  # noqa: DTZ001 - the naive one is what is refused
        time(9),
        timedelta(1),
        Decimal("1.1"),
        Fraction(1, 3),
        1j,
        range(3),
        (item for item in "ab"),
        {"a": 1}.keys(),
        iter([1]),
        object(),
        SimpleNamespace(a=1),
        ...,
        NotImplemented,
        len,
        lambda: None,
        Layer,
        Colour,
        int,
        dataclasses,
        msgpack.Timestamp(1),
        np.datetime64("2024-01-31"),
        np.timedelta64(1, "D"),
        np.longdouble(1),
        np.complex128(1),
        np.bytes_(b"x"),
        np.void(b"x"),
        np.array(["a"]),
        np.array([1, "a"], dtype=object),
        np.array([1, 2], dtype="longdouble"),
        np.array(["2024-01-31"], dtype="datetime64[D]"),
        np.array([(1, 2.0)], dtype=[("a", int), ("b", float)]),
        np.float64,
        np.dtype("float64"),
        np.ma.masked,
        np.ma.masked_array([1, 2], mask=[0, 1]),
    ],
    ids=lambda value: f"{type(value).__module__}.{type(value).__name__}",
)
def test_what_a_configuration_cannot_hold_is_refused_with_its_path_and_a_hint(value):
    with pytest.raises(InvalidValue) as caught:
        normalise({"hyperparameters": {"model": {"layers": [0, 1, 2, value]}}})
    assert caught.value.path == ("hyperparameters", "model", "layers", 3)
    assert str(caught.value).startswith("'hyperparameters.model.layers[3]' ")
    assert caught.value.hint


@pytest.mark.parametrize(
    ("value", "word"), [(b"", "bytes"), ({1}, "set"), (1j, "complex"), (Decimal(1), "Decimal"), (Layer, "Layer")]
)
def test_the_refusal_names_the_type(value, word):
    with pytest.raises(InvalidValue, match=word):
        normalise([value])


@pytest.mark.parametrize("key", [1, 1.5, True, None, b"a", (1, 2), Colour.RED, date(2024, 1, 31)], ids=repr)
def test_keys_that_are_not_text_are_refused_with_the_path_of_their_map(key):
    with pytest.raises(InvalidValue) as caught:
        normalise({"a": [{key: 1}]})
    assert caught.value.path == ("a", 0)
    assert type(key).__name__ in str(caught.value)


def test_keys_of_text_subclasses_become_plain_text():
    found = normalise({Name.ADAM: 1, Text("x"): 2})
    assert found == {"adam": 1, "x": 2}
    assert {type(key) for key in found} == {str}


def test_an_int_enum_is_not_told_from_its_value_by_the_hash():
    assert encode({"x": Rank.LOW}) == encode({"x": 1})
    assert encode({"x": True}) != encode({"x": 1}) != encode({"x": 1.0})


def test_one_and_one_point_nought_and_true_are_three_values():
    assert len({encode(1), encode(1.0), encode(True), encode("1")}) == 4


def test_minus_zero_is_zero_and_every_nan_is_the_same():
    assert encode(-0.0) == encode(0.0) == bytes.fromhex("cb0000000000000000")
    odd_nans = [struct.unpack(">d", bytes.fromhex(bits))[0] for bits in ("fff8000000000001", "7ff0000000000001")]
    for nan in (math.nan, -math.nan, float("-nan"), *odd_nans, np.float32("nan")):
        assert encode(nan) == bytes.fromhex("cb7ff8000000000000")
    assert encode(math.inf) == bytes.fromhex("cb7ff0000000000000")
    assert encode(-math.inf) == bytes.fromhex("cbfff0000000000000")


@pytest.mark.parametrize("number", [2**63, 2**64 - 1, -(2**63), 2**53 + 1, 0, -1, 127, 128, 65535, 65536, 2**32])
def test_integers_in_range_survive(number):
    assert decode(encode(number)) == number


@pytest.mark.parametrize(
    "number", [2**64, -(2**63) - 1, 10**400, Whole(2**70), -(10**5000)], ids=lambda n: f"{n.bit_length()} bits"
)
def test_integers_out_of_range_are_refused_and_the_hint_is_to_use_text(number):
    with pytest.raises(InvalidValue, match=r"'n\[0\]' is an integer outside") as caught:
        normalise({"n": [number]})
    assert "string" in caught.value.hint


@pytest.mark.parametrize("text", ["\ud800", "a\udfff", "\udc80", "ok\ud83dno"])  # noqa: PT014 - they do differ
def test_lone_surrogates_are_refused_in_values_and_keys(text):
    with pytest.raises(InvalidValue, match=r"'a' holds the lone surrogate U\+D"):
        normalise({"a": text})
    with pytest.raises(InvalidValue, match=r"U\+D"):
        normalise({"a": {text: 1}})


def test_text_is_not_unicode_normalised():
    assert encode("é") != encode("e\u0301")


def test_map_keys_are_sorted_by_their_utf_8_bytes_not_by_utf_16():
    keys = ["\U0001f680", "\uffff", "a", "B", "é", ""]
    assert (
        list(normalise(dict.fromkeys(keys)))
        == sorted(keys, key=str.encode)
        == ["", "B", "a", "é", "\uffff", "\U0001f680"]
    )


def test_a_map_whose_only_key_is_the_float_key_is_refused_and_one_beside_it_is_not():
    with pytest.raises(InvalidValue, match=r"\$float"):
        normalise({"x": {"$float": "nan"}})
    assert normalise({"$float": 1, "b": 2}) == {"$float": 1, "b": 2}


def test_depth_of_64_is_taken_and_65_is_refused():
    value = 1
    for _ in range(MAX_DEPTH):
        value = [value]
    assert decode(encode(value)) == value
    with pytest.raises(InvalidValue, match="nested deeper than 64 levels"):
        encode([value])


def test_containers_that_contain_themselves_are_refused():
    loop = []
    loop.append(loop)
    ring = {}
    ring["again"] = {"and": ring}
    node = Layer(1)
    node.units = node
    for value in (loop, ring, node):
        with pytest.raises(InvalidValue, match="nested deeper"):
            normalise({"x": value})


def test_a_small_value_that_aliases_make_enormous_is_refused_soon():
    lists, maps = ["lol"] * 10, {}
    for _ in range(30):
        lists, maps = [lists] * 10, {"a" * 40: maps, "b" * 40: maps}
    for bomb in (lists, maps, ["x" * 100_000] * 1_000_000):
        with pytest.raises(InvalidValue, match="takes more than 4194304 bytes") as caught:
            normalise({"x": bomb})
        assert caught.value.path[0] == "x"


def test_what_encodes_to_4_mib_is_taken_and_one_byte_more_is_refused():
    largest = "x" * (MAX_BYTES - 5)
    assert len(encode(largest)) == MAX_BYTES
    assert decode(encode(largest)) == largest
    with pytest.raises(InvalidValue, match="takes more than 4194304 bytes"):
        encode(largest + "x")
    with pytest.raises(InvalidValue, match="takes more than"):
        encode([1.5] * 500_000)


def test_the_result_shares_nothing_mutable_with_what_was_handed_in():
    inner = [1]
    given = {"a": inner, "b": inner}
    found = normalise(given)
    inner.append(2)
    assert found == {"a": [1], "b": [1]}
    assert found["a"] is not found["b"]


class TestOmegaConf:
    def test_interpolations_are_resolved_also_where_a_part_is_handed_in(self):
        conf = OmegaConf.create({"lr": 0.1, "model": {"lr": "${lr}", "sizes": [1, "${..lr}"]}})
        assert normalise(conf)["model"]["lr"] == 0.1
        assert normalise({"x": conf.model})["x"]["lr"] == 0.1
        assert normalise(OmegaConf.create([1, "${0}"])) == [1, 1]

    @pytest.mark.parametrize(
        "content",
        [{"a": "???"}, {"a": "${nope}"}, {"a": "${b}", "b": "${a}"}, {"a": "${nosuchresolver:1}"}],
        ids=["missing", "unknown", "ring", "resolver"],
    )
    def test_what_cannot_be_resolved_is_refused(self, content):
        with pytest.raises(InvalidValue) as caught:
            normalise({"x": OmegaConf.create(content)})
        assert str(caught.value).startswith("'x")
        assert "\n" not in str(caught.value)

    def test_structured_configs_become_maps(self):
        assert normalise(OmegaConf.structured(Layer(units=3, shape=(4, 5)))) == {"shape": [4, 5], "units": 3}

    def test_keys_that_are_not_text_are_refused(self):
        with pytest.raises(InvalidValue, match=r"key.* of type int"):
            normalise(OmegaConf.create({1: "a"}))

    def test_a_missing_whole_container_is_null(self):
        assert normalise(omegaconf.DictConfig(None)) is None


def test_a_pydantic_root_model_is_its_root():
    assert normalise(pydantic.RootModel[list[int]]([1, 2])) == [1, 2]


def test_faults_inside_attrs_dataclasses_and_pydantic_name_the_field():
    for value in (Optimiser({1}), Layer(units={1}), Open(x=1, units={1})):
        with pytest.raises(InvalidValue) as caught:
            normalise([value])
        assert caught.value.path[0] == 0
        assert caught.value.path[1] in ("lr", "units")


VALUE = {"a": [1, -1, 1.5, None, True, "é"], "b": {}}


def test_decoding_gives_back_what_was_encoded():
    data = encode(VALUE)
    assert decode(data) == VALUE
    assert hashlib.sha256(data).hexdigest() == hashlib.sha256(encode(decode(data))).hexdigest()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xc1",
        b"\xcc\x01",  # 1 in two bytes
        b"\xcd\x00\x01",
        b"\xd0\x01",  # 1 as a signed integer
        b"\xd1\xff\xff",
        b"\xca\x3f\x80\x00\x00",  # float32
        b"\xcb\x80\x00\x00\x00\x00\x00\x00\x00",  # -0.0
        b"\xcb\xff\xf8\x00\x00\x00\x00\x00\x00",  # another NaN
        b"\xd9\x01a",  # "a" with an 8-bit length
        b"\xda\x00\x01a",
        b"\xdc\x00\x00",  # [] with a 16-bit length
        b"\xde\x00\x00",
        b"\x82\xa1a\x01\xa1a\x02",  # a key twice
        b"\x82\xa1b\x01\xa1a\x02",  # keys out of order
        b"\x81\x01\x02",  # a key that is not text
        b"\x81\xc0\x02",
        b"\xc4\x01a",  # bin
        b"\xd4\x01a",  # ext
        b"\xd6\xff\x00\x00\x00\x00",  # a timestamp
        b"\x01\x02",  # two values
        b"\xa1\xff",  # not UTF-8
        b"\xa3\xed\xa0\x80",  # a surrogate in UTF-8
        b"\x92\x01",  # cut off
        b"\xdd\xff\xff\xff\xff",  # a length of 4 Gi
        b"\xdf\xff\xff\xff\xff",
        b"\xdb\xff\xff\xff\xff",
        b"\x91" * 65 + b"\x01",  # too deep
        b"\x91" * 100_000,
        b"\x81\xa6$float\xa3nan",
        b"\xa1" + b"a" * (MAX_BYTES + 1),
    ],
    ids=lambda data: data[:12].hex() or "empty",
)
def test_bytes_that_are_not_canonical_are_refused(data):
    with pytest.raises(Corrupt):
        decode(data)
