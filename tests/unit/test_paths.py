"""Paths into values: reading, following and setting."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemexp.errors import InvalidPath
from gemexp.notation import format_path
from gemexp.paths import assign, parse_assignment, parse_path, select


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("a", ("a",)),
        ("hyperparameters.model.layers[3]", ("hyperparameters", "model", "layers", 3)),
        ("a[0][1].b", ("a", 0, 1, "b")),
        ("[0].a", (0, "a")),
        ('a."key with.dots"', ("a", "key with.dots")),
        ('"a[0]"', ("a[0]",)),
        ('a."é\\u00e9\\n"', ("a", "éé\n")),
        ("a.0", ("a", "0")),
        ("a.-1", ("a", "-1")),
        ("größe.🚀", ("größe", "🚀")),
        ('a.""', ("a", "")),
        ("$x.@y", ("$x", "@y")),
    ],
)
def test_paths_are_read(text, path):
    assert parse_path(text) == path


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        ".a",
        "a.",
        "a..b",
        "a[",
        "a[]",
        "a[-1]",
        "a[x]",
        "a[1",
        "a]b",
        'a."open',
        'a."\\x"',
        "a b",
        "a.[0]",
        "a:b",
        "a=b",
    ],
)
def test_what_is_no_path_is_refused_with_the_place(text):
    with pytest.raises(InvalidPath, match="is not a path: cannot read on at character") as caught:
        parse_path(text)
    assert caught.value.hint


steps = st.one_of(st.text(st.characters(exclude_categories=["Cs"])), st.integers(0, 10**6))


@given(st.lists(steps, min_size=1, max_size=5).map(tuple))
def test_every_path_that_is_written_is_read_back(path):
    assert parse_path(format_path(path)) == path


@pytest.mark.parametrize(
    ("text", "path", "value"),
    [
        ("a.b=1", ("a", "b"), "1"),
        ("a=", ("a",), ""),
        ("a==", ("a",), "="),
        ('a."x=y"=z=w', ("a", "x=y"), "z=w"),
        ("a[0]=[1, 2]", ("a", 0), "[1, 2]"),
    ],
)
def test_assignments_are_split_at_the_first_equals_sign_after_the_path(text, path, value):
    assert parse_assignment(text) == (path, value)


@pytest.mark.parametrize("text", ["", "a", "=1", "a..b=1", "a b=1"])
def test_what_is_no_assignment_is_refused(text):
    with pytest.raises(InvalidPath):
        parse_assignment(text)


VALUE = {"a": {"b": [10, {"c": None}]}, "": 1}


@pytest.mark.parametrize(("text", "found"), [("a.b[0]", 10), ("a.b[1].c", None), ("a.b", [10, {"c": None}]), ('""', 1)])
def test_paths_are_followed(text, found):
    assert select(VALUE, parse_path(text)) == found


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x", "there is no 'x'"),
        ("a.c", "there is no 'a.c'"),
        ("a.b[2]", "there is no 'a.b[2]'"),
        ("a.b.c", "array"),
        ("a[0]", "map"),
        ("a.b[0].x", "int"),
        ("a.b[0][0]", "int"),
        ("a.b[99999999999999999999]", "there is no"),
    ],
)
def test_paths_that_lead_nowhere_are_refused_where_they_end(text, words):
    with pytest.raises(InvalidPath) as caught:
        select(VALUE, parse_path(text))
    assert words in f"{caught.value}: {caught.value.hint}"


def test_the_hint_guesses_what_was_meant():
    with pytest.raises(InvalidPath) as caught:
        select({"learning_rate": 1, "x": 2}, ("learning_rat",))
    assert "learning_rate" in caught.value.hint


def test_text_is_not_indexed():
    with pytest.raises(InvalidPath):
        select({"a": "text"}, ("a", 0))


def test_values_are_set_and_maps_made_on_the_way():
    value = {"a": [1, 2]}
    assign(value, ("a", 0), 9)
    assign(value, ("a", 2), 3)
    assign(value, ("b", "c", "d"), 4)
    assert value == {"a": [9, 2, 3], "b": {"c": {"d": 4}}}


@pytest.mark.parametrize("path", [("a", 4), ("a", "x"), ("b", 0), ("s", "x"), ("n", "x"), ("a", 5, "x")])
def test_what_cannot_be_set_is_refused(path):
    with pytest.raises(InvalidPath):
        assign({"a": [1, 2], "b": {}, "s": "text", "n": None}, path, 1)
