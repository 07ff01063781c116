"""Configurations: what makes their hash, what is refused, and how they are written and read."""

import copy
import dataclasses
import itertools
import json
import math
import pickle
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest

from gemexp import ExperimentConfig, InvalidText, InvalidValue, create_experiment_from_scoring_config
from gemexp.config import config_from_value, instant
from gemexp.errors import Corrupt, InvalidInput
from gemexp.scoring import WEIGHTS

FIELDS = [
    "feature_names",
    "feature_weights",
    "hyperparameters",
    "feature_transformations",
    "description",
    "tags",
    "created_at",
    "config_hash",
]


def make(**fields):
    return ExperimentConfig(
        **{
            "feature_names": ["Sentiment", "Liquidity"],
            "feature_weights": {"Sentiment": 0.6, "Liquidity": 0.4},
            "hyperparameters": {"k": 10, "model": {"layers": [64, 32]}},
            "feature_transformations": {"Liquidity": "log"},
            **fields,
        }
    )


def test_fields_are_taken_in_the_order_of_the_contract():
    config = ExperimentConfig(["a"], {"a": 1}, {"k": 2}, {"a": "log"}, "text", ["t"], "2024-01-31T00:00:00Z", None)
    assert config.to_dict() == {
        "feature_names": ["a"],
        "feature_weights": {"a": 1.0},
        "hyperparameters": {"k": 2},
        "feature_transformations": {"a": "log"},
        "description": "text",
        "tags": ["t"],
        "created_at": "2024-01-31T00:00:00Z",
        "config_hash": config.compute_hash(),
    }


def test_only_the_four_sections_make_the_hash():
    config = make()
    assert make(description="x", tags=["t"], created_at="2020-01-01").config_hash == config.config_hash
    changed = [
        make(feature_names=["Sentiment"]),
        make(feature_weights={"Sentiment": 0.6}),
        make(hyperparameters={}),
        make(feature_transformations={}),
    ]
    assert len({one.config_hash for one in [config, *changed]}) == 5


def test_the_hash_is_that_of_the_canonical_bytes_and_is_the_same_everywhere():
    assert ExperimentConfig([], {}).config_hash == "22fa240d9a81a90e72eda33f7f2625899799e9f14b92ee915093c4c3cf85fcdf"


def test_no_order_of_features_or_keys_changes_the_hash():
    names = ["b", "a", "é", "B"]
    hashes = {
        ExperimentConfig(
            order, dict.fromkeys(order, 0.5), {"m": dict.fromkeys(order, 1)}, dict.fromkeys(order, "log")
        ).config_hash
        for order in itertools.permutations(names)
    }
    assert len(hashes) == 1


def test_the_order_of_arrays_changes_the_hash():
    assert make(hyperparameters={"x": [1, 2]}).config_hash != make(hyperparameters={"x": [2, 1]}).config_hash


@pytest.mark.parametrize("weight", [1, 1.0, np.int64(1), np.float32(1)])
def test_weights_are_floats_whatever_number_was_given(weight):
    config = make(feature_weights={"a": weight})
    assert type(config.feature_weights["a"]) is float
    assert config.config_hash == make(feature_weights={"a": 1.0}).config_hash


def test_hyperparameters_keep_their_types():
    hashes = {make(hyperparameters={"k": value}).config_hash for value in (1, 1.0, True, "1")}
    assert len(hashes) == 4


@pytest.mark.parametrize("weight", [True, "0.5", None, [1], {"a": 1}, 1j])
def test_weights_that_are_not_numbers_are_refused(weight):
    with pytest.raises(InvalidValue, match=r"'feature_weights\.a' "):
        make(feature_weights={"a": weight})


def test_weights_without_a_feature_and_features_without_a_weight_are_allowed():
    config = ExperimentConfig(["a"], {"b": math.nan})
    assert config.feature_names == ["a"]
    assert math.isnan(config.feature_weights["b"])


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"feature_names": ["a", "b", "a"]}, "feature_names[2]"),
        ({"feature_names": "abc"}, "feature_names"),
        ({"feature_names": b"abc"}, "feature_names"),
        ({"feature_names": {"a": 1}}, "feature_names"),
        ({"feature_names": 5}, "feature_names"),
        ({"feature_names": [1]}, "feature_names[0]"),
        ({"feature_names": ["\ud800"]}, "feature_names[0]"),
        ({"feature_weights": [1]}, "feature_weights"),
        ({"hyperparameters": [1]}, "hyperparameters"),
        ({"hyperparameters": {"a": {"b": [{1}]}}}, "hyperparameters.a.b[0]"),
        ({"hyperparameters": {"a b": {"c.d": b""}}}, 'hyperparameters."a b"."c.d"'),
        ({"feature_transformations": "log"}, "feature_transformations"),
        ({"description": 5}, "description"),
        ({"description": "\udc80"}, "description"),
        ({"tags": "best"}, "tags"),
        ({"tags": [1]}, "tags[0]"),
        ({"tags": ["a", "\udc80"]}, "tags[1]"),
        ({"created_at": 5}, "created_at"),
        ({"created_at": ""}, "created_at"),
        ({"created_at": "yesterday"}, "created_at"),
        ({"created_at": "2024-02-30"}, "created_at"),
        ({"config_hash": "0" * 64}, "config_hash"),
        ({"config_hash": ""}, "config_hash"),
    ],
    ids=repr,
)
def test_fields_that_cannot_be_stored_are_refused_by_path(fields, path):
    with pytest.raises(InvalidValue) as caught:
        make(**fields)
    assert str(caught.value).startswith(f"'{path}' ")
    assert caught.value.details()["path"] == path


def test_a_config_hash_that_fits_is_taken_and_one_of_an_edited_config_is_not():
    data = make().to_dict()
    assert ExperimentConfig.from_dict(data).config_hash == data["config_hash"]
    data["hyperparameters"]["k"] = 11
    with pytest.raises(InvalidValue, match="config_hash") as caught:
        ExperimentConfig.from_dict(data)
    assert "edited" in caught.value.hint


def test_what_was_handed_in_may_change_afterwards():
    names, weights, inner = ["a"], {"a": 1.0}, {"x": [1]}
    config = ExperimentConfig(names, weights, inner)
    before = config.config_hash
    names.append("b")
    weights["b"] = 2.0
    inner["x"].append(2)
    assert config.config_hash == before


def test_what_is_handed_out_may_change_afterwards():
    config = make()
    before = config.config_hash
    data = config.to_dict()
    data["hyperparameters"]["model"]["layers"].append(1)
    data["feature_names"].clear()
    data["tags"].append("x")
    assert config.config_hash == before
    assert config.tags == []


def test_the_hash_follows_fields_that_are_changed():
    config = make()
    config.hyperparameters["k"] = 11
    config.feature_weights["Sentiment"] = 1
    assert (
        config.config_hash
        == make(
            hyperparameters={"k": 11, "model": {"layers": [64, 32]}},
            feature_weights={"Sentiment": 1.0, "Liquidity": 0.4},
        ).config_hash
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("hyperparameters", None),
        ("hyperparameters", [1]),
        ("hyperparameters", {"a": {1}}),
        ("feature_transformations", [1]),
        ("feature_weights", {"a": "b"}),
        ("feature_weights", [1]),
        ("feature_names", "abc"),
        ("feature_names", ["a", "a"]),
        ("feature_names", [1]),
    ],
)
def test_a_section_changed_to_what_it_cannot_be_makes_no_bytes(field, value):
    config = make()
    setattr(config, field, value)
    with pytest.raises(InvalidValue, match=f"'{field}"):
        config.to_bytes()


def test_tags_count_once_and_in_order():
    assert make(tags=["b", "a", "b"]).tags == ["a", "b"]


class TestTimes:
    def test_the_time_is_now_in_utc_unless_given(self):
        before = datetime.now(UTC)
        config = make()
        assert before <= instant(config.created_at) <= datetime.now(UTC)
        assert config.created_at.endswith("Z")

    @pytest.mark.parametrize(
        ("given", "moment"),
        [
            ("2024-01-31", datetime(2024, 1, 31, tzinfo=UTC)),
            ("2024-01-31 09:30:00", datetime(2024, 1, 31, 9, 30, tzinfo=UTC)),
            ("2024-01-31T09:30:00Z", datetime(2024, 1, 31, 9, 30, tzinfo=UTC)),
            ("2024-01-31T09:30:00+02:00", datetime(2024, 1, 31, 7, 30, tzinfo=UTC)),
            ("2024-01-31T09:30:00.123456", datetime(2024, 1, 31, 9, 30, 0, 123456, tzinfo=UTC)),
            (datetime(2024, 1, 31), datetime(2024, 1, 31, tzinfo=UTC)),  # noqa: DTZ001 - without a zone it is UTC
            (datetime(2024, 1, 31, tzinfo=timezone(timedelta(hours=1))), datetime(2024, 1, 30, 23, tzinfo=UTC)),
        ],
        ids=str,
    )
    def test_iso_8601_texts_and_datetimes_are_taken(self, given, moment):
        config = make(created_at=given)
        assert isinstance(config.created_at, str)
        assert instant(config.created_at) == moment
        if isinstance(given, str):
            assert config.created_at == given

    @pytest.mark.parametrize(
        "text", ["", "now", "2024-13-01", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"]
    )
    def test_what_is_no_moment_is_refused(self, text):
        with pytest.raises(InvalidInput, match="is not a time"):
            instant(text)

    @pytest.mark.parametrize("field", ["created_at", "config_hash"])
    @pytest.mark.parametrize("value", [2024, 1.5, True, ["a"], {1: "a"}, object(), pytest.param(10**5000, id="huge")])
    def test_what_is_no_text_is_refused(self, field, value):
        with pytest.raises(InvalidValue, match=f"{field}.* is {type(value).__name__}, not text"):
            make(**{field: value})


class TestDictAndJson:
    def test_dict_round_trip_keeps_all_eight_fields(self):
        config = make(description="d", tags=["x", "y"], created_at="2024-01-31T00:00:00Z")
        data = config.to_dict()
        assert sorted(data) == sorted(FIELDS)
        assert ExperimentConfig.from_dict(data) == config
        assert ExperimentConfig.from_dict(data).to_dict() == data

    def test_json_round_trip_keeps_what_json_cannot_hold(self):
        config = make(hyperparameters={"nan": math.nan, "inf": [math.inf, -math.inf], "big": 2**64 - 1, "é": "\u2028"})
        text = config.to_json()

        def refuse(name):
            raise AssertionError(name)

        strict = json.loads(text, parse_constant=refuse)
        assert strict["hyperparameters"]["nan"] == {"$float": "nan"}
        assert strict["hyperparameters"]["inf"] == [{"$float": "inf"}, {"$float": "-inf"}]
        assert ExperimentConfig.from_json(text) == config

    def test_missing_parts_and_nulls_are_empty(self):
        config = ExperimentConfig.from_dict(
            {"feature_names": None, "hyperparameters": None, "tags": None, "description": None, "config_hash": None}
        )
        assert config.config_hash == ExperimentConfig([], {}).config_hash
        assert config.tags == []
        assert config.created_at

    @pytest.mark.parametrize(
        ("key", "close"), [("feature_weigths", "feature_weights"), ("hyperparams", "hyperparameters")]
    )
    def test_an_unknown_key_is_an_error_that_guesses_what_was_meant(self, key, close):
        with pytest.raises(InvalidValue, match=f"'{key}'") as caught:
            ExperimentConfig.from_dict({key: {}})
        assert close in caught.value.hint

    @pytest.mark.parametrize("data", [[], "text", None, 5])
    def test_what_is_no_map_is_refused(self, data):
        with pytest.raises(InvalidValue, match="not a map"):
            ExperimentConfig.from_dict(data)

    def test_text_that_is_not_json_is_refused_with_its_line(self):
        with pytest.raises(InvalidText) as caught:
            ExperimentConfig.from_json('{"feature_names": [],\n "feature_weights": }')
        assert caught.value.line == 2


class TestBytes:
    def test_bytes_round_trip(self):
        config = make()
        again = ExperimentConfig.from_bytes(config.to_bytes(), created_at=config.created_at)
        assert again == config

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"\x80",
            b"\x81\xa1$\xa9gemexp/x@1",
            make().to_bytes() + b"\x00",
            make().to_bytes().replace(b"gemexp/config@1", b"gemexp/config@2"),
            make().to_bytes().replace(b"feature_names", b"feature_nbmes"),
            make().to_bytes().replace(b"\xa9Liquidity\xa9Sentiment", b"\xa9Sentiment\xa9Liquidity", 1),
        ],
    )
    def test_bytes_that_are_no_configuration_are_corrupt(self, data):
        with pytest.raises(Corrupt):
            ExperimentConfig.from_bytes(data)


class TestSummary:
    def test_lines_are_those_the_contract_gives(self):
        config = ExperimentConfig(["Sentiment", "Depth"], {"Sentiment": 0.6}, {"k": 10, "name": "x"}, {"Depth": "log"})
        summary = config.summary()
        assert f"Experiment Configuration: {config.config_hash[:12]}" in summary
        assert "Sentiment: weight=0.6000, transform=none" in summary
        assert "Depth: weight=0.0000, transform=log" in summary
        assert "k: 10" in summary
        assert "name: x" in summary

    def test_description_and_tags_are_in_it(self):
        summary = make(description="a baseline", tags=["t1", "t2"]).summary()
        assert "a baseline" in summary
        assert "t1, t2" in summary


class TestHtml:
    def test_everything_is_escaped(self):
        evil = "<script>alert('x')</script>\x1b[31m"
        config = ExperimentConfig(
            [evil], {evil: 1}, {evil: {evil: evil}}, {evil: evil}, description=evil, tags=[evil, '"quoted" & more']
        )
        html = config._repr_html_()
        assert "<script" not in html
        assert "\x1b" not in html
        assert "&lt;script&gt;" in html
        assert "&amp; more" in html
        assert config.config_hash in html

    def test_values_are_shown_in_full(self):
        html = make(hyperparameters={"lr": 0.1 + 0.2, "n": math.nan})._repr_html_()
        assert "0.30000000000000004" in html
        assert "nan" in html


def test_configurations_are_equal_by_all_that_they_say_and_are_no_keys():
    assert make(created_at="2024-01-31") == make(created_at="2024-01-31")
    assert make(created_at="2024-01-31") != make(created_at="2024-01-31", tags=["x"])
    assert make() != {"a": 1}
    with pytest.raises(TypeError):
        hash(make())


def test_configurations_can_be_copied_and_pickled():
    config = make(tags=["t"], description="d")
    assert copy.deepcopy(config) == config
    assert pickle.loads(pickle.dumps(config)) == config  # noqa: S301 - our own bytes


class TestFromFileValue:
    def test_a_map_with_a_section_is_a_configuration_and_one_without_is_hyperparameters(self):
        assert config_from_value({"hyperparameters": {"a": 1}}).hyperparameters == {"a": 1}
        assert config_from_value({"a": 1}).hyperparameters == {"a": 1}
        assert config_from_value({}).hyperparameters == {}
        assert config_from_value({"description": "x", "a": 1}).hyperparameters == {"a": 1, "description": "x"}

    def test_params_takes_the_map_whole_even_if_it_has_sections(self):
        assert config_from_value({"hyperparameters": {"a": 1}}, params=True).hyperparameters == {
            "hyperparameters": {"a": 1}
        }

    def test_an_unknown_key_beside_a_section_is_an_error(self):
        with pytest.raises(InvalidValue, match="'lr'"):
            config_from_value({"hyperparameters": {}, "lr": 1})

    @pytest.mark.parametrize("value", [None, [], "x", 5, 1.5, True])
    def test_what_is_no_map_is_refused(self, value):
        with pytest.raises(InvalidValue, match="not a map"):
            config_from_value(value)


def test_scoring_configs_are_made_with_the_seeds_call():
    config = create_experiment_from_scoring_config(
        WEIGHTS, list(WEIGHTS), {"k": 10}, description="baseline", tags=["baseline"]
    )
    assert config.feature_weights == WEIGHTS
    assert set(config.feature_names) == set(WEIGHTS)
    assert (config.hyperparameters, config.description, config.tags) == ({"k": 10}, "baseline", ["baseline"])
    keywords = create_experiment_from_scoring_config(weights=WEIGHTS, features=list(WEIGHTS), hyperparameters={"k": 10})
    assert keywords.config_hash == config.config_hash


def test_dataclass_values_may_be_hyperparameters():
    point = dataclasses.make_dataclass("P", [("lr", float)])(0.1)
    assert ExperimentConfig([], {}, point).hyperparameters == {"lr": 0.1}
