"""Packs: the golden vectors, this implementation, and a second one in JavaScript all agree."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

import make_vectors
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from peer import Peer

from gemexp.errors import Corrupt, InvalidInput
from gemexp.store import layout, pack_format
from gemexp.store.pack import Pack

MAGIC = pack_format.MAGIC


def load(file_name: str) -> list[dict[str, Any]]:
    return json.loads((make_vectors.VECTORS / file_name).read_text(encoding="ascii"))


def each(file_name: str):
    return pytest.mark.parametrize("vector", load(file_name), ids=lambda vector: next(iter(vector.values()))[:40])


@pytest.fixture(scope="module")
def peer():
    with Peer("packs.mjs") as running:
        yield running


def python_writes(files: dict[str, str]) -> bytes:
    entries = sorted((pack_format.to_key(path), bytes.fromhex(data)) for path, data in files.items())
    return MAGIC + b"".join(pack_format.frame(*entry) for entry in entries)


def python_reads(data: bytes) -> dict[str, str]:
    return {path: found.hex() for path, found in Pack(sha256(data).hexdigest(), data).paths()}


@each("keys.json")
def test_both_turn_paths_into_keys_and_back(vector, peer):
    assert pack_format.to_key(vector["path"]).hex() == vector["key"]
    assert pack_format.to_path(bytes.fromhex(vector["key"])) == vector["path"]
    assert peer.ask({"key": vector["path"]}, {"path": vector["key"]}) == [
        {"key": vector["key"]},
        {"path": vector["path"]},
    ]


@each("refused-keys.json")
def test_both_refuse_keys(vector, peer):
    with pytest.raises(Corrupt):
        pack_format.to_path(bytes.fromhex(vector["key"]))
    assert not pack_format.is_key(bytes.fromhex(vector["key"]))
    assert list(peer.ask({"path": vector["key"]})[0]) == ["refused"]


@each("refused-paths.json")
def test_both_refuse_paths(vector, peer):
    with pytest.raises(InvalidInput):
        pack_format.to_key(vector["path"])
    assert list(peer.ask({"key": vector["path"]})[0]) == ["refused"]


@each("packs.json")
def test_both_write_and_read_packs(vector, peer):
    assert python_writes(vector["files"]).hex() == vector["hex"]
    assert python_reads(bytes.fromhex(vector["hex"])) == vector["files"]
    assert sha256(bytes.fromhex(vector["hex"])).hexdigest() == vector["sha256"]
    assert peer.ask({"write": vector["files"]}, {"read": vector["hex"]}) == [
        {"hex": vector["hex"], "sha256": vector["sha256"]},
        {"files": vector["files"], "sha256": vector["sha256"]},
    ]


@each("damaged-packs.json")
def test_both_read_what_is_whole_in_damaged_packs(vector, peer):
    assert python_reads(bytes.fromhex(vector["hex"])) == vector["files"]
    assert peer.ask({"read": vector["hex"]})[0]["files"] == vector["files"]


HASHES = st.binary(min_size=32, max_size=32).map(bytes.hex)
LENGTHS = st.integers(1, 999_999_999)
NAMES = st.text(min_size=1, max_size=10).map(lambda name: layout.escape_name(name, "name"))
PATHS = st.one_of(
    HASHES.map(layout.object_path),
    st.builds(layout.record_path, HASHES, HASHES),
    st.builds(lambda alias, size, record: layout.record_path(alias[:size], record), HASHES, st.integers(4, 63), HASHES),
    st.builds(layout.member_path, st.just(layout.DELETED), HASHES, LENGTHS),
    st.builds(
        lambda old, new, length: layout.member_path(layout.MIGRATED, f"{old}-{new}", length), HASHES, HASHES, LENGTHS
    ),
    st.builds(lambda name, record: f"{layout.NAMES}/{name}/{record}", NAMES, HASHES),
    st.builds(
        lambda tag, config, length: layout.member_path(f"{layout.TAGS}/{tag}", config, length), NAMES, HASHES, LENGTHS
    ),
)
FILES = st.dictionaries(PATHS, st.binary(max_size=300).map(bytes.hex), max_size=8)


@settings(max_examples=100)
@given(files=FILES)
def test_both_write_the_same_pack_of_any_files_and_read_it(peer, files):
    data = python_writes(files)
    written, read = peer.ask({"write": files}, {"read": data.hex()})
    assert written == {"hex": data.hex(), "sha256": sha256(data).hexdigest()}
    assert read["files"] == python_reads(data) == files


@settings(max_examples=100)
@given(
    files=FILES,
    cut=st.floats(0, 1),
    place=st.floats(0, 1),
    inserted=st.one_of(st.binary(max_size=9), st.just(pack_format.MARK)),
    flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), max_size=3),
)
def test_both_read_the_same_of_any_damaged_pack(peer, files, cut, place, inserted, flips):
    data = bytearray(python_writes(files)[len(MAGIC) :])
    data[int(place * len(data)) : int(place * len(data))] = inserted
    for at, mask in flips if data else ():
        data[int(at * len(data))] ^= mask
    damaged = MAGIC + bytes(data[: int(cut * len(data)) or None])
    assert peer.ask({"read": damaged.hex()})[0]["files"] == python_reads(damaged)


@given(key=st.binary(max_size=80))
def test_both_judge_any_key_alike(peer, key):
    try:
        found = {"path": pack_format.to_path(key)}
    except Corrupt:
        found = {"refused": True}
    (answer,) = peer.ask({"path": key.hex()})
    assert (answer if "path" in answer else {"refused": True}) == found
