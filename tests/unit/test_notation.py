"""How paths, values and foreign text are written for people."""

import json
import math
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemexp.notation import flatten, format_path, inline, quote, type_name, visible

UNSEEN = ["\x00", "\x07", "\x1b", "\x7f", "\x85", "\x9b", "\u00ad", "\u200b", "\u200e", "\u2028", "\u202e", "\u2066"]


@pytest.mark.parametrize("char", [*UNSEEN, "\ufeff", "\ud800", "\U000e0041", "\r", "\n", "\t"], ids=ascii)
def test_what_a_terminal_would_obey_or_hide_is_escaped(char):
    for shown in (visible(f"a{char}b"), quote(f"a{char}b"), inline([f"a{char}b"]), format_path((f"a{char}b",))):
        assert char not in shown
        assert "\\" in shown


@given(st.text())
def test_shown_text_holds_no_control_character(text):
    for shown in (visible(text), quote(text), inline({text: [text]}), format_path((text, 0, text))):
        assert not [char for char in shown if unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp")]


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_quoted_text_is_json_for_the_same_text(text):
    assert json.loads(quote(text)) == text


def test_ordinary_text_is_shown_as_it_is():
    assert visible("größe 日本語 🚀 a\\b") == "größe 日本語 🚀 a\\b"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "null"),
        (True, "true"),
        (1, "1"),
        (1.0, "1.0"),
        (0.1 + 0.2, "0.30000000000000004"),
        (1e-7, "1e-07"),
        (2**64 - 1, "18446744073709551615"),
        (math.nan, "nan"),
        (-math.inf, "-inf"),
        ('a"b', '"a\\"b"'),
        ({"a": [1, {}]}, '{"a": [1, {}]}'),
    ],
)
def test_values_are_shown_in_full_on_one_line(value, shown):
    assert inline(value) == shown


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        (("hyperparameters", "model", "layers", 3), "hyperparameters.model.layers[3]"),
        (("a", "key with.dots"), 'a."key with.dots"'),
        (("a", ""), 'a.""'),
        ((0, "a"), "[0].a"),
        (("a:b",), '"a:b"'),
        (("a\x1b",), '"a\\u001b"'),
    ],
)
def test_paths_are_written(path, shown):
    assert format_path(path) == shown


def test_flattening_keeps_arrays_of_scalars_whole_and_empty_containers():
    value = {"b": {"y": [1, 2], "x": {}}, "a": [{"z": 1}, []], "c": None}
    assert list(flatten(value)) == [
        (("a", 0, "z"), 1),
        (("a", 1), []),
        (("b", "x"), {}),
        (("b", "y"), [1, 2]),
        (("c",), None),
    ]


@pytest.mark.parametrize(
    ("value", "name"),
    [(None, "nil"), (True, "bool"), (1, "int"), (1.0, "float"), ("", "str"), ([], "array"), ({}, "map")],
)
def test_types_have_the_names_of_the_specification(value, name):
    assert type_name(value) == name
