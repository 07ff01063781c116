"""What differs between two values or configurations, and how that is said."""

import json
import math

import pytest

from gemexp import Diff, ExperimentConfig
from gemexp.compare import Difference, compare, differences, explain, same


def make(hyperparameters=None, weights=None, names=("a",), transformations=None, **fields):
    return ExperimentConfig(list(names), weights or {}, hyperparameters or {}, transformations or {}, **fields)


def lines(old, new):
    return [str(found) for found in differences(old, new)]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1}, {"a": 2}, ["~ a: 1 -> 2 (+1)"]),
        ({"a": 0.1}, {"a": 0.3}, ["~ a: 0.1 -> 0.3 (+0.2)"]),
        ({"a": 0.3}, {"a": 0.1}, ["~ a: 0.3 -> 0.1 (-0.2)"]),
        ({}, {"a": None}, ["+ a = null"]),
        ({"a": {}}, {}, ["- a = {}"]),
        ({"a": 1}, {"a": 1.0}, ["~ a: 1 (int) -> 1.0 (float)"]),
        ({"a": 1}, {"a": True}, ["~ a: 1 (int) -> true (bool)"]),
        ({"a": "1"}, {"a": 1}, ['~ a: "1" (str) -> 1 (int)']),
        ({"a": None}, {"a": "null"}, ['~ a: null (nil) -> "null" (str)']),
        ({"a": [1, 2]}, {"a": [1, 3]}, ["~ a[1]: 2 -> 3 (+1)"]),
        ({"a": [1, 2]}, {"a": [1]}, ["~ a: [1, 2] -> [1]"]),
        ({"a": [{"x": 1}]}, {"a": [{"x": 1}, {"y": 2}]}, ['+ a[1] = {"y": 2}']),
        ({"a": {"b": {"c": 1}}}, {"a": {"b": {"c": 2}}}, ["~ a.b.c: 1 -> 2 (+1)"]),
        ({"a b": {"c.d": 1}}, {"a b": {"c.d": 2}}, ['~ "a b"."c.d": 1 -> 2 (+1)']),
        ({"a": math.nan}, {"a": math.nan}, []),
        ({"a": math.nan}, {"a": 1.0}, ["~ a: nan -> 1.0"]),
        ({"a": math.inf}, {"a": -math.inf}, ["~ a: inf -> -inf"]),
        ({"a": [True]}, {"a": [1]}, ["~ a[0]: true (bool) -> 1 (int)"]),
    ],
)
def test_only_what_differs_is_told_with_types_where_values_print_alike(old, new, expected):
    assert lines(old, new) == expected


@pytest.mark.parametrize(
    ("old", "new", "delta"),
    [
        (1, 3, "+2"),
        (0.1, 0.3, "+0.2"),
        (1e-9, 2e-9, None),
        (2**63, 2**64 - 1, f"+{2**63 - 1}"),
        (-(2**63), 2**64 - 1, f"+{2**64 - 1 + 2**63}"),
        (True, False, ""),
        ("a", "b", ""),
        (math.nan, 1.0, ""),
        (1.0, math.inf, ""),
    ],
)
def test_the_change_of_numbers_is_exact(old, new, delta):
    found = Difference(("a",), "changed", old, new)
    if delta is None:
        assert float(found.delta) == new - old
    else:
        assert (found.delta or "") == delta


def test_a_difference_becomes_json_with_old_and_new_only_where_they_are():
    added, removed, changed = differences({"b": 1, "c": 1}, {"a": 1, "c": 1.5})
    assert added.to_dict() == {"path": "a", "change": "added", "new": 1, "new_type": "int"}
    assert removed.to_dict() == {"path": "b", "change": "removed", "old": 1, "old_type": "int"}
    assert changed.to_dict() == {
        "path": "c",
        "change": "changed",
        "old": 1,
        "old_type": "int",
        "new": 1.5,
        "new_type": "float",
        "delta": 0.5,
    }


@pytest.mark.parametrize(
    ("old", "new", "equal"),
    [(1, 1, True), (1, 1.0, False), (1, True, False), (math.nan, math.nan, True), ([1], [1.0], False), ({}, [], False)],
)
def test_values_are_the_same_where_their_bytes_are(old, new, equal):
    assert same(old, new) is equal


class TestDiff:
    def test_it_is_empty_for_equal_configurations_whatever_their_metadata(self):
        diff = Diff(make({"a": 1}, description="x"), make({"a": 1}, tags=["t"]))
        assert not diff
        assert str(diff) == ""
        assert diff.to_dict()["differences"] == []

    def test_names_are_compared_as_sets(self):
        diff = Diff(make(names=["a", "b"]), make(names=["c", "b"]))
        assert [(found.change, found.old, found.new) for found in diff] == [
            ("removed", "a", None),
            ("added", None, "c"),
        ]
        assert not Diff(make(names=["a", "b"]), make(names=["b", "a"]))

    def test_all_sections_are_covered(self):
        diff = Diff(
            make({"k": 1}, {"a": 1}, ["a"], {"a": "log"}),
            make({"k": 2}, {"a": 2}, ["b"], {"a": "rank"}),
        )
        assert {found.path[0] for found in diff} == {
            "feature_names",
            "feature_weights",
            "hyperparameters",
            "feature_transformations",
        }

    def test_it_is_a_sequence(self):
        diff = Diff(make({"k": 1, "l": 1}), make({"k": 2, "l": 2}))
        assert len(diff) == 2
        assert diff[0].path == ("hyperparameters", "k")
        assert [found.path[-1] for found in diff[:2]] == ["k", "l"]

    def test_html_is_escaped(self):
        evil = "<img src=x onerror=alert(1)>\x1b[2J"
        html = Diff(make({evil: evil}), make({evil: "b"}))._repr_html_()
        assert "<img" not in html
        assert "\x1b" not in html
        assert "&lt;img" in html


class TestCompare:
    def test_it_has_the_keys_of_the_contract(self):
        first = make({"k": 1, "same": 0}, {"a": 0.5, "b": 1}, ["a", "b"], {"a": "log"})
        second = make({"k": 2, "same": 0}, {"a": 0.75, "b": 1}, ["b", "c"], {"a": "rank"})
        assert compare(first, second) == {
            "config1_hash": first.config_hash,
            "config2_hash": second.config_hash,
            "features": {"only_in_config1": ["a"], "only_in_config2": ["c"], "common": ["b"]},
            "weight_differences": {"a": {"config1": 0.5, "config2": 0.75, "diff": 0.25}},
            "feature_transformations": {"a": {"config1": "log", "config2": "rank"}},
            "hyperparameters": {"config1": {"k": 1, "same": 0}, "config2": {"k": 2, "same": 0}},
            "hyperparameter_differences": {"k": {"config1": 1, "config2": 2}},
        }

    def test_a_weight_that_one_lacks_counts_as_nought(self):
        found = compare(make(weights={"a": 0.5}), make(weights={"b": 0.25}))["weight_differences"]
        assert found == {
            "a": {"config1": 0.5, "config2": 0.0, "diff": -0.5},
            "b": {"config1": 0.0, "config2": 0.25, "diff": 0.25},
        }

    def test_infinite_weights_do_not_break_it(self):
        found = compare(make(weights={"a": math.inf}), make(weights={"a": -math.inf}))
        json.dumps(found)
        assert found["weight_differences"]["a"]["diff"] == -math.inf


class TestExplain:
    def test_equal_hashes_are_explained(self):
        first, second = make({"k": 1}, description="x"), make({"k": 1}, description="y", tags=["t"])
        reasons = explain(first, second)
        assert "equal" in reasons[0]
        assert first.config_hash[:12] in reasons[0]
        assert "description" in " ".join(reasons[1:])

    @pytest.mark.parametrize(
        ("old", "new", "words"),
        [
            (1, 1.0, ["1 (int)", "1.0 (float)", "type"]),
            (1, True, ["1 (int)", "true (bool)", "type"]),
            (1.0, True, ["1.0 (float)", "true (bool)", "type"]),
            ("1", 1, ['"1" (str)', "types differ"]),
            ([1, 2], [2, 1], ["order"]),
            ("é", "e\u0301", ["look alike", "U+00E9", "U+0301"]),
            ("a b", "a  b", ["white space"]),
            ("Adam", "adam", ["case"]),
            (0.1, 0.2, ["0.1", "0.2", "+0.1"]),
        ],
    )
    def test_unequal_hashes_are_explained_by_the_place_and_the_reason(self, old, new, words):
        reasons = explain(make({"k": old}), make({"k": new}))
        assert "differ" in reasons[0]
        text = "\n".join(reasons[1:])
        assert "hyperparameters.k" in text
        for word in words:
            assert word in text

    def test_what_only_one_has_is_named(self):
        text = "\n".join(explain(make({"a": 1}), make({"b": 2})))
        assert "only the first has 1" in text
        assert "only the second has 2" in text
