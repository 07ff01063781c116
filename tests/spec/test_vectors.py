"""The golden vectors, this implementation, and a second one in JavaScript: all three agree."""

from __future__ import annotations

import hashlib
import json
import struct
from types import SimpleNamespace
from typing import Any

import make_vectors
import msgpack
import msgpack.fallback
import pytest
import typed
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from peer import Peer

from gemexp import canonical
from gemexp.config import ExperimentConfig
from gemexp.errors import Corrupt, InvalidInput, InvalidValue
from gemexp.store import layout

REFUSED = {"refused": True}
PURE_MSGPACK = SimpleNamespace(
    Unpacker=msgpack.fallback.Unpacker,
    UnpackException=msgpack.UnpackException,
    packb=lambda value, **options: msgpack.fallback.Packer(**options).pack(value),
    unpackb=msgpack.fallback.unpackb,
)


def load(file_name: str) -> list[dict[str, Any]]:
    return json.loads((make_vectors.VECTORS / file_name).read_text(encoding="ascii"))


def each(*file_names: str):
    vectors = [vector for file_name in file_names for vector in load(file_name)]
    return pytest.mark.parametrize("vector", vectors, ids=lambda vector: ascii(next(iter(vector.values())))[:70])


@pytest.fixture(scope="module")
def peer():
    with Peer() as running:
        yield running


@pytest.fixture(params=["compiled", "pure"])
def msgpack_build(request, monkeypatch):
    """Have gemexp use msgpack's C extension, then what msgpack falls back to where there is none."""
    if request.param == "pure":
        monkeypatch.setattr(canonical, "msgpack", PURE_MSGPACK)
    else:
        assert msgpack.Unpacker is not msgpack.fallback.Unpacker


def python_encodes(notation: Any) -> dict[str, Any]:
    try:
        data = canonical.encode(typed.read(notation))
    except InvalidValue:
        return REFUSED
    return {"hex": data.hex(), "sha256": hashlib.sha256(data).hexdigest()}


def python_decodes(data: bytes) -> dict[str, Any]:
    try:
        return {"value": typed.write(canonical.decode(data))}
    except Corrupt:
        return REFUSED


def without_reason(answer: dict[str, Any]) -> dict[str, Any]:
    return REFUSED if "refused" in answer else answer


def check_encoding(vector: dict[str, Any], encoded: dict[str, Any]) -> None:
    assert encoded["sha256"] == vector["sha256"]
    if "hex" in vector:
        assert encoded["hex"] == vector["hex"]
    else:
        assert len(encoded["hex"]) == 2 * vector["length"]
        assert encoded["hex"].startswith(vector["begins"])


# The files


def test_files_are_exactly_what_the_script_makes():
    committed = {path.name: path.read_bytes() for path in make_vectors.VECTORS.glob("*.json")}
    assert committed == {name: text.encode() for name, text in make_vectors.files().items()}


@pytest.mark.parametrize("file_name", sorted(make_vectors.files()))
def test_names_of_vectors_are_unique(file_name):
    names = [json.dumps(vector.get("name", vector)) for vector in load(file_name)]
    assert len(names) > 3 or file_name == "configs.json"
    assert len(set(names)) == len(names)


def test_hashes_are_those_of_the_bytes():
    checked = [vector for vector in load("valid.json") + load("configs.json") if "hex" in vector]
    assert len(checked) > 100
    for vector in checked:
        assert hashlib.sha256(bytes.fromhex(vector["hex"])).hexdigest() == vector["sha256"]


# This implementation


@pytest.mark.usefixtures("msgpack_build")
@each("valid.json", "configs.json")
def test_python_encodes_valid_values(vector):
    check_encoding(vector, python_encodes(vector["value"]))


@pytest.mark.usefixtures("msgpack_build")
@each("valid.json", "configs.json")
def test_python_decodes_what_it_encodes(vector):
    data = canonical.encode(typed.read(vector["value"]))
    assert canonical.encode(canonical.decode(data)) == data


@each("refused-values.json")
def test_python_refuses_values(vector):
    assert python_encodes(vector["value"]) == REFUSED


@pytest.mark.usefixtures("msgpack_build")
@each("refused-bytes.json")
def test_python_refuses_bytes(vector):
    assert python_decodes(typed.read_bytes(vector)) == REFUSED


@each("configs.json")
def test_python_reads_configs(vector):
    data = bytes.fromhex(vector["hex"])
    config = ExperimentConfig.from_bytes(data)
    assert config.to_bytes() == data
    assert config.config_hash == vector["sha256"]


@each("configs.json")
def test_python_makes_configs_from_sections_in_any_order(vector):
    value = typed.read(vector["value"])
    del value["$"]
    value["feature_names"].reverse()
    assert ExperimentConfig(**value).config_hash == vector["sha256"]


@each("refused-configs.json")
def test_python_refuses_configs(vector):
    data = bytes.fromhex(vector["hex"])
    assert canonical.encode(canonical.decode(data)) == data
    with pytest.raises(Corrupt):
        ExperimentConfig.from_bytes(data)


@each("names.json")
def test_python_escapes_names(vector):
    assert layout.escape_name(vector["name"], "tag") == vector["escaped"]
    assert layout.unescape_name(vector["escaped"]) == vector["name"]


@each("refused-names.json")
def test_python_refuses_names(vector):
    with pytest.raises(InvalidInput):
        layout.escape_name(typed.read(vector["name"]), "tag")


@each("refused-escapes.json")
def test_python_refuses_escapes(vector):
    assert layout.unescape_name(vector["escaped"]) is None


# The second implementation


@each("valid.json", "configs.json")
def test_javascript_encodes_valid_values(vector, peer):
    (encoded,) = peer.ask({"encode": vector["value"]})
    check_encoding(vector, encoded)


@each("valid.json", "configs.json")
def test_javascript_decodes_what_python_encodes(vector, peer):
    data = canonical.encode(typed.read(vector["value"]))
    assert peer.ask({"decode": data.hex()}) == [python_decodes(data)]


@each("refused-values.json")
def test_javascript_refuses_values(vector, peer):
    (answer,) = peer.ask({"encode": vector["value"]})
    assert list(answer) == ["refused"]


@each("refused-bytes.json")
def test_javascript_refuses_bytes(vector, peer):
    (answer,) = peer.ask({"decode": vector.get("hex", vector.get("runs"))})
    assert list(answer) == ["refused"]


@each("configs.json")
def test_javascript_reads_configs(vector, peer):
    assert peer.ask({"config": vector["hex"]}) == [{"config": True}]


@each("refused-configs.json")
def test_javascript_refuses_configs(vector, peer):
    decoded, config = peer.ask({"decode": vector["hex"]}, {"config": vector["hex"]})
    assert list(decoded) == ["value"]
    assert list(config) == ["refused"]


@each("names.json")
def test_javascript_escapes_names(vector, peer):
    answers = peer.ask({"escape": vector["name"]}, {"unescape": vector["escaped"]})
    assert answers == [{"escaped": vector["escaped"]}, {"name": vector["name"]}]


@each("refused-names.json")
def test_javascript_refuses_names(vector, peer):
    (answer,) = peer.ask({"escape": vector["name"]})
    assert list(answer) == ["refused"]


@each("refused-escapes.json")
def test_javascript_refuses_escapes(vector, peer):
    (answer,) = peer.ask({"unescape": vector["escaped"]})
    assert list(answer) == ["refused"]


# Both, on values and bytes that nobody thought of

EDGES = sorted({sign * 2**power + step for power in range(67) for sign in (1, -1) for step in (-1, 0, 1)})
TRICKY_TEXTS = ["", "$", "$float", "a", "aa", "B", "__proto__", "1", "10", "\uff61", "\U0001f600", "\u00e9", "e\u0301"]

ints = st.sampled_from(EDGES) | st.integers()
floats = st.floats() | st.binary(min_size=8, max_size=8).map(lambda bits: struct.unpack(">d", bits)[0])
texts = st.text() | st.sampled_from(TRICKY_TEXTS) | st.text("a", min_size=30, max_size=34)


def containers(inner):
    return st.lists(inner) | st.dictionaries(texts, inner, max_size=20)


valid_values = st.recursive(
    st.none() | st.booleans() | ints.filter(lambda number: -(2**63) <= number < 2**64) | floats | texts, containers
)
any_values = st.recursive(st.none() | ints | floats | texts | st.text(st.characters()), containers)


@settings(deadline=None)
@given(any_values)
def test_both_encode_any_value_alike(peer, value):
    notation = typed.write(value)
    (answer,) = peer.ask({"encode": notation})
    assert without_reason(answer) == python_encodes(notation)


@settings(deadline=None)
@given(valid_values)
def test_both_decode_alike_what_python_encodes(peer, value):
    try:
        data = canonical.encode(value)
    except InvalidValue:  # a map with the sole key $float
        assume(False)
    decoded = python_decodes(data)
    assert decoded != REFUSED
    assert peer.ask({"decode": data.hex()}) == [decoded]


@st.composite
def damaged_encodings(draw):
    """Canonical bytes with a few edits: some of them are the canonical bytes of another value."""
    try:
        data = bytearray(canonical.encode(draw(valid_values)))
    except InvalidValue:
        assume(False)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(data)))
        edit = draw(st.sampled_from(["replace", "insert", "remove", "repeat", "cut"]))
        if edit == "replace":
            data[at : at + 1] = draw(st.binary(min_size=1, max_size=1))
        elif edit == "insert":
            data[at:at] = draw(st.binary(min_size=1, max_size=9))
        elif edit == "remove":
            del data[at : at + draw(st.integers(1, 9))]
        elif edit == "repeat":
            data[at:at] = data[at : at + draw(st.integers(1, 20))]
        else:
            del data[at:]
    return bytes(data)


@settings(deadline=None)
@given(damaged_encodings())
def test_both_judge_damaged_bytes_alike(peer, data):
    (answer,) = peer.ask({"decode": data.hex()})
    assert without_reason(answer) == python_decodes(data)


def headed(fixed: int, limit: int, *longer: str):
    """Return a strategy for the head of a str, array or map of a given length, in any form that holds it."""

    def heads(length: int):
        forms = [bytes([fixed + length])] if length < limit else []
        for head, (code, size) in zip(longer, (("B", 8), ("H", 16), ("I", 32))[-len(longer) :], strict=True):
            if length < 2**size:
                forms.append(bytes.fromhex(head) + struct.pack(f">{code}", length))
        return st.sampled_from(forms)

    return heads


text_heads = headed(0xA0, 32, "d9", "da", "db")
array_heads = headed(0x90, 16, "dc", "dd")
map_heads = headed(0x80, 16, "de", "df")


def packed_ints():
    forms = {"cc": "B", "cd": "H", "ce": "I", "cf": "Q", "d0": "b", "d1": "h", "d2": "i", "d3": "q"}

    def pack(head: str, code: str):
        bits = 8 * struct.calcsize(code)
        low, high = (0, 2**bits - 1) if code.isupper() else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
        number = st.integers(low, high) | st.sampled_from([edge for edge in EDGES if low <= edge <= high])
        return number.map(lambda number: bytes.fromhex(head) + struct.pack(f">{code}", number))

    return st.one_of([pack(head, code) for head, code in forms.items()])


packed_texts = texts.map(str.encode).flatmap(lambda data: text_heads(len(data)).map(lambda head: head + data))
packed_scalars = (
    st.sampled_from([b"\xc0", b"\xc2", b"\xc3", b"\x00", b"\x7f", b"\xe0", b"\xff"])
    | packed_ints()
    | packed_texts
    | floats.map(lambda number: b"\xcb" + struct.pack(">d", number))
    | st.floats(width=32).map(lambda number: b"\xca" + struct.pack(">f", number))
    | st.binary(max_size=4).map(lambda data: b"\xc4" + bytes([len(data)]) + data)
    | st.tuples(st.sampled_from([0, 1, 127, 255]), st.binary(min_size=4, max_size=4)).map(
        lambda it: b"\xd6" + bytes([it[0]]) + it[1]
    )
)


def packed_containers(inner):
    arrays = st.lists(inner, max_size=18).flatmap(
        lambda items: array_heads(len(items)).map(lambda head: head + b"".join(items))
    )
    entries = st.lists(st.tuples(packed_texts | inner, inner), max_size=6)
    maps = (entries | entries.map(sorted)).flatmap(
        lambda pairs: map_heads(len(pairs)).map(lambda head: head + b"".join(map(b"".join, pairs)))
    )
    return arrays | maps


@settings(deadline=None)
@given(st.recursive(packed_scalars, packed_containers))
def test_both_judge_any_messagepack_alike(peer, data):
    (answer,) = peer.ask({"decode": data.hex()})
    assert without_reason(answer) == python_decodes(data)


def test_both_judge_every_flipped_bit_and_cut_of_short_vectors_alike(peer):
    short = {
        bytes.fromhex(vector["hex"]) for vector in load("valid.json") if len(vector.get("hex", "")) in range(2, 66)
    }
    damaged = set()
    for data in short:
        number = int.from_bytes(data)
        damaged |= {(number ^ 1 << bit).to_bytes(len(data)) for bit in range(8 * len(data))}
        damaged |= {data[:at] + data[at + 1 :] for at in range(len(data))}
        damaged |= {data[:at] for at in range(len(data))}
    damaged = sorted(damaged - short)
    answers = [without_reason(answer) for answer in peer.ask(*({"decode": data.hex()} for data in damaged))]
    # Both outcomes are common: a flipped bit in a text or a number mostly gives another text or number.
    assert 1000 < answers.count(REFUSED) < len(damaged) - 1000
    disagreements = [
        data.hex() for data, answer in zip(damaged, answers, strict=True) if python_decodes(data) != answer
    ]
    assert disagreements == []


@settings(deadline=None)
@given(texts | st.text(st.characters()) | st.text("aA.%con1", max_size=70))
def test_both_escape_any_name_alike(peer, name):
    try:
        escaped = {"escaped": layout.escape_name(name, "tag")}
    except InvalidInput:
        escaped = REFUSED
    (answer,) = peer.ask({"escape": typed.write(name)})
    assert without_reason(answer) == escaped


@settings(deadline=None)
@given(st.text("aA.%con123456789CEF~", max_size=12) | texts)
def test_both_unescape_any_name_alike(peer, escaped):
    name = layout.unescape_name(escaped)
    (answer,) = peer.ask({"unescape": escaped})
    assert without_reason(answer) == (REFUSED if name is None else {"name": name})
