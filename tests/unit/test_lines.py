"""JSON Lines in chunks: the same lines under the same numbers, however they fall into chunks."""

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemexp import formats, lines


def read(data):
    return [
        (line.number, None if line.config is None else line.config.data)
        for line in lines.read(io.BytesIO(data), lines.Changes())
    ]


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setitem(formats.MAX_TEXT_BYTES, "json", 60)


@given(
    st.lists(
        st.sampled_from([b"", b" ", b"\r", b"\t\x0b", b"{", b'{"k": 1}', b'{"k": "\xc3\xa9"}', b"x" * 59, b"x" * 90])
    ),
    st.booleans(),
    st.integers(1, 70),
)
def test_lines_are_numbered_whatever_they_hold(texts, ended, size):
    data = b"\n".join(texts) + b"\n" * ended
    expected = [(number, bool(text.startswith(b'{"'))) for number, text in enumerate(texts, 1) if text.strip()]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "_CHUNK_BYTES", size)
        assert [(number, found is not None) for number, found in read(data)] == expected


@pytest.mark.parametrize("size", [1, 7, 61, 1000])
def test_a_line_that_is_too_long_is_one_bad_line(monkeypatch, size):
    monkeypatch.setattr(lines, "_CHUNK_BYTES", size)
    data = b'{"k": "%s"}\n{"k": 1}\n{"k": "%s"}' % (b"x" * 500, b"y" * 500)
    found = list(lines.read(io.BytesIO(data), lines.Changes()))
    assert [(line.number, line.config is None) for line in found] == [(1, True), (2, False), (3, True)]
    assert "too large" in found[0].error
    assert "too large" in found[2].error


def test_many_lines_are_encoded_by_several_processes_in_order(monkeypatch):
    monkeypatch.setattr(lines, "_CHUNK_BYTES", 100)
    monkeypatch.setattr(lines, "_SHARE_FROM_BYTES", 200)
    monkeypatch.setattr(lines.os, "cpu_count", lambda: 2)
    data = b"".join(b"%s\n" % json.dumps({"k": number}).encode() for number in range(100))
    shared = read(data)
    monkeypatch.setattr(lines, "_SHARE_FROM_BYTES", 100_000)
    assert shared == read(data)
    assert [number for number, _ in shared] == list(range(1, 101))
