"""Configurations out of files."""

import io
import json

import pytest

from gemexp import ExperimentConfig, sources
from gemexp.errors import InvalidInput, InvalidText, InvalidValue


def read_configs(data, label, **options):
    return sources.read_configs(io.BytesIO(data), label, **options)


def read_exported(data, label):
    return sources.read_exported(io.BytesIO(data), label)


def test_each_format_gives_the_same_configuration():
    found = [
        read_configs(b'{"hyperparameters": {"lr": 0.1}}', "c.json"),
        read_configs(b"hyperparameters:\n  lr: 0.1\n", "c.yaml"),
        read_configs(b"[hyperparameters]\nlr = 0.1\n", "c.toml"),
        read_configs(b"lr: 0.1\n", "c.yml"),
        read_configs(b"lr = 0.1\n", "-"),
        read_configs(b'{"lr": 0.1}\n', "c.jsonl"),
    ]
    assert {len(read) for read in found} == {1}
    assert len({read[0].config.config_hash for read in found}) == 1


def test_labels_are_files_lines_and_items():
    assert [one.label for one in read_configs(b'{"a": 1}', "c.json")] == ["c.json"]
    assert [one.label for one in read_configs(b'{"a": 1}\n\n{"a": 2}', "s.jsonl")] == ["s.jsonl:1", "s.jsonl:3"]
    exported = json.dumps([ExperimentConfig(["a"], {}).to_dict(), ExperimentConfig(["b"], {}).to_dict()]).encode()
    assert [one.label for one in read_exported(exported, "all.json")] == ["all.json[0]", "all.json[1]"]


def test_the_format_given_wins_over_the_name():
    assert read_configs(b"a = 1", "c.json", format="toml")[0].config.hyperparameters == {"a": 1}


def test_params_take_sections_as_they_are():
    config = read_configs(b"feature_names: [1]\n", "c.yaml", params=True)[0].config
    assert config.hyperparameters == {"feature_names": [1]}


@pytest.mark.parametrize(
    ("data", "label", "words"),
    [
        (b"[1, 2]", "c.json", ["c.json", "list", "not a map"]),
        (b"null", "c.json", ["c.json", "nothing", "not a map"]),
        (b"just text", "c.yaml", ["c.yaml", "not a map"]),
        (b"", "c.yaml", ["c.yaml", "not a map"]),
        (b"", "c.jsonl", ["c.jsonl", "holds nothing"]),
        (b"\n\n", "c.jsonl", ["c.jsonl", "holds nothing"]),
        (b'{"a": 1}\n[1]', "c.jsonl", ["c.jsonl:2", "not a map"]),
        (b'{"a": 1}\n{"a"', "c.jsonl", ["c.jsonl:2"]),
        (b'{"a": 1}\n{"hyperparameters": {"x": {"$float": 1}}}', "c.jsonl", ["c.jsonl:2", "hyperparameters.x"]),
        (b'{"feature_names": ["a"], "lr": 1}', "c.json", ["c.json", "'lr'"]),
        (b'{"feature_names": ["a"], "config_hash": "abc"}', "c.json", ["c.json", "config_hash"]),
        (b'{"feature_names": ["a", "a"]}', "c.json", ["c.json", "feature_names[1]"]),
        (b"a:\n  1: x\n", "c.yaml", ["c.yaml", "hyperparameters.a"]),
    ],
)
def test_what_is_no_configuration_is_refused_by_file_and_key(data, label, words):
    with pytest.raises((InvalidInput, InvalidText, InvalidValue)) as caught:
        read_configs(data, label)
    for word in words:
        assert word in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize("data", [b'{"lr": 1}', b"[1]", b'[{"feature_names": []}, {}]', b"5"])
def test_only_exported_configurations_are_imported(data):
    with pytest.raises(InvalidValue, match="not an exported configuration"):
        read_exported(data, "x.json")


def test_an_exported_configuration_is_read_back_whole():
    config = ExperimentConfig(["a"], {"a": 1}, {"x": float("nan")}, {}, "d", ["t"], "2024-01-31T00:00:00Z")
    assert read_exported(config.to_json().encode(), "x.json")[0].config == config
