"""``gemexp show``, ``diff``, ``compare`` and ``explain``."""

import hashlib
import json

import pytest

from gemexp import ExperimentConfig
from gemexp.formats import loads

BASE = {
    "feature_names": ["a", "b"],
    "feature_weights": {"a": 0.3, "b": 1},
    "feature_transformations": {"a": "log"},
    "hyperparameters": {
        "lr": 0.30000000000000004,
        "layers": [64, 32],
        "nested": {"x.y": {"z": None}},
        "missing": {"$float": "nan"},
        "text": "two\nlines",
        "big": 18446744073709551615,
        "tiny": 5e-324,
    },
    "description": "base",
    "tags": ["t"],
    "created_at": "2024-01-31T00:00:00Z",
}
FIELDS = sorted([*BASE, "config_hash"])


@pytest.fixture
def base(add):
    return add(BASE)


class TestShow:
    def test_json_is_the_whole_to_dict(self, gemexp, base, store):
        found = gemexp("show", base[:8], "--json").json
        assert sorted(found) == FIELDS
        assert found["config_hash"] == base
        assert {key: found[key] for key in BASE} == BASE
        assert ExperimentConfig.from_json(gemexp("show", base, "--json").out) == store().get(base)

    def test_yaml_reads_back_the_same(self, gemexp, base, store):
        value = loads(gemexp("show", base, "--yaml").out, "yaml")
        assert ExperimentConfig.from_dict(value) == store().get(base)

    def test_raw_is_the_object_itself(self, gemexp, base):
        result = gemexp("show", base[:8], "--raw")
        assert hashlib.sha256(result.raw).hexdigest() == base

    def test_text_names_hash_time_tags_description_and_values_in_full(self, gemexp, base):
        text = gemexp("show", base[:6]).out
        for part in (
            base,
            "2024-01-31T00:00:00Z",
            "t",
            "base",
            "hyperparameters.lr = 0.30000000000000004",
            "hyperparameters.layers = [64, 32]",
            'hyperparameters.nested."x.y".z = null',
            "hyperparameters.missing = nan",
            'hyperparameters.text = "two\\nlines"',
            "hyperparameters.big = 18446744073709551615",
            "hyperparameters.tiny = 5e-324",
            "feature_weights.b = 1.0",
        ):
            assert part in text

    @pytest.mark.parametrize(
        ("path", "shown"),
        [
            ("hyperparameters.lr", "0.30000000000000004\n"),
            ("hyperparameters.layers[1]", "32\n"),
            ("hyperparameters.layers", "[64, 32]\n"),
            ('hyperparameters.nested."x.y".z', "null\n"),
            ("feature_transformations.a", "log\n"),
            ("description", "base\n"),
            ("tags[0]", "t\n"),
        ],
    )
    def test_a_path_selects_inside(self, gemexp, base, path, shown):
        assert gemexp("show", f"{base[:8]}:{path}").out == shown
        assert gemexp("show", f"t:{path}").out == shown

    def test_a_path_selects_json_and_yaml_too(self, gemexp, base):
        assert gemexp("show", f"{base}:hyperparameters.missing", "--json").json == {"$float": "nan"}
        assert gemexp("show", f"{base}:hyperparameters.layers", "--yaml").out == "- 64\n- 32\n"
        assert gemexp("show", f"{base}:config_hash", "--json").json == base

    @pytest.mark.parametrize("path", ["lr", "hyperparameters.lrr", "hyperparameters.layers[2]", "", "a..b", "tags.x"])
    def test_a_path_that_leads_nowhere_is_bad_input(self, gemexp, base, path):
        result = gemexp("show", f"{base}:{path}", code=1)
        assert result.out == ""
        assert "hint: " in result.err

    def test_ways_to_print_exclude_each_other(self, gemexp, base):
        for pair in (["--json", "--yaml"], ["--raw", "--json"], ["--raw", "--yaml"]):
            gemexp("show", base, *pair, code=2)
        gemexp("show", f"{base}:tags", "--raw", code=2)

    def test_a_damaged_object_is_corrupt(self, gemexp, base, store):
        path = f"{store().root}/objects/{base[:2]}/{base}"
        import os

        os.chmod(path, 0o644)
        with open(path, "ab") as file:
            file.write(b"x")
        for arguments in (
            ["show", base],
            ["show", base[:6], "--raw"],
            ["export", base, "x.json"],
            ["diff", base, base],
        ):
            result = gemexp(*arguments, code=5)
            assert base in result.err
            assert "hint: " in result.err
            assert result.out == ""


class TestDiff:
    def test_only_what_differs_is_printed(self, gemexp, add):
        first = add({"a": 1, "b": 1, "c": [1, 2], "same": 0})
        second = add({"a": 1.0, "c": [1, 3], "d": {"x": 1}, "same": 0})
        assert gemexp("diff", first, second).out.splitlines() == [
            "~ hyperparameters.a: 1 (int) -> 1.0 (float)",
            "- hyperparameters.b = 1",
            "~ hyperparameters.c[1]: 2 -> 3 (+1)",
            '+ hyperparameters.d = {"x": 1}',
        ]

    def test_json_gives_both_hashes_and_each_difference(self, gemexp, add):
        first, second = add({"lr": 0.1, "old": 1}), add({"lr": 0.3, "new": None})
        found = gemexp("diff", first[:8], second[:8], "--json").json
        assert (found["config1_hash"], found["config2_hash"]) == (first, second)
        by_path = {one["path"]: one for one in found["differences"]}
        assert by_path["hyperparameters.lr"]["delta"] == 0.2
        assert by_path["hyperparameters.lr"]["change"] == "changed"
        assert by_path["hyperparameters.old"]["change"] == "removed"
        assert by_path["hyperparameters.new"] == {
            "path": "hyperparameters.new",
            "change": "added",
            "new": None,
            "new_type": "nil",
        }

    def test_the_exit_code_tells_whether_they_differ_only_if_asked(self, gemexp, add):
        first, second = add({"a": 1}), add({"a": 2})
        gemexp("diff", first, second)
        gemexp("diff", first, second, "--exit-code", code=1)
        assert gemexp("diff", first, second, "--exit-code", "--json", code=1).json["differences"]
        assert gemexp("diff", first, first, "--exit-code").out == ""

    def test_metadata_makes_no_difference(self, gemexp, add):
        first = add({"a": 1}, "-d", "x")
        assert gemexp("diff", first, first, "--json").json["differences"] == []

    def test_infinite_numbers_print_strict_json(self, gemexp, add):
        first, second = add({"a": {"$float": "inf"}}), add({"a": {"$float": "nan"}})
        found = gemexp("diff", first, second, "--json").json["differences"][0]
        assert (found["old"], found["new"]) == ({"$float": "inf"}, {"$float": "nan"})


class TestCompare:
    def test_json_has_the_seeds_keys(self, gemexp, add, base):
        other = add({**BASE, "feature_weights": {"a": 0.4}, "feature_names": ["b", "c"]})
        found = gemexp("compare", base, other, "--json").json
        assert {"config1_hash", "config2_hash", "features", "weight_differences", "hyperparameters"} <= set(found)
        assert found["features"] == {"only_in_config1": ["a"], "only_in_config2": ["c"], "common": ["b"]}
        assert set(found["weight_differences"]) == {"a", "b"}

    def test_text_tells_features_weights_and_hyperparameters(self, gemexp, add, base):
        other = add(
            {**BASE, "feature_weights": {"a": 0.4, "b": 1}, "feature_names": ["b", "c"], "hyperparameters": {"k": 1}}
        )
        text = gemexp("compare", base, other).out
        assert base[:12] in text
        assert "a: 0.3 -> 0.4 (+0.1)" in text
        assert "only in first: a" in text
        assert "only in second: c" in text
        assert "k: null -> 1" in text or "k" in text

    def test_infinite_weights_print_strict_json(self, gemexp, add):
        first = add({"feature_weights": {"a": {"$float": "inf"}}})
        second = add({"feature_weights": {"a": {"$float": "inf"}, "b": {"$float": "nan"}}})
        assert "b" in gemexp("compare", first, second, "--json").json["weight_differences"]
        gemexp("compare", first, second)


class TestExplain:
    @pytest.mark.parametrize(
        ("one", "other", "words"),
        [
            (1, 1.0, ["int", "float"]),
            (1, True, ["int", "bool"]),
            (1.0, True, ["float", "bool"]),
            ("1", 1, ["str", "int"]),
        ],
    )
    def test_a_difference_of_types_is_said(self, gemexp, add, one, other, words):
        first, second = add({"k": one}), add({"k": other})
        assert first != second
        text = gemexp("explain", first, second).out
        assert "hyperparameters.k" in text
        for word in words:
            assert word in text

    def test_equal_hashes_are_said_to_be_equal(self, gemexp, base):
        found = gemexp("explain", base[:8], "t", "--json").json
        assert found["same"] is True
        assert found["config1_hash"] == found["config2_hash"] == base
        assert "equal" in gemexp("explain", base, base).out

    def test_json_gives_the_reasons(self, gemexp, add, base):
        found = gemexp("explain", base, add({"k": 1}), "--json").json
        assert found["same"] is False
        assert len(found["reasons"]) > 1


@pytest.mark.parametrize("command", ["diff", "compare", "explain"])
def test_a_revision_that_is_not_there_is_not_found(gemexp, base, command):
    for pair in ([base, "abcdef"], ["abcdef", base], ["nope", "nope"]):
        assert gemexp(command, *pair, code=3).out == ""
        assert gemexp(command, *pair, "--json", code=3).error["kind"] == "not-found"


def test_printed_json_is_strict_for_every_value(gemexp, add):
    config_hash = add({"nan": {"$float": "nan"}, "\u2028": "\u2029\x7f", "deep": [[[[]]]], "e": 1e308})
    for command in (
        ["show", config_hash],
        ["list"],
        ["diff", config_hash, config_hash],
        ["compare", config_hash, config_hash],
    ):
        result = gemexp(*command, "--json")
        assert json.loads(result.out) is not None
        assert result.json is not None
        assert result.out.isascii()
