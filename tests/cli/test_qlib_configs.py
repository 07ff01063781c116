"""The 28 configurations of qlib's benchmarks, as they are."""

import hashlib
import itertools
import os
import subprocess
from pathlib import Path

import pytest
from surroundings import contents, merge, snapshot

from gemexp import ExperimentRegistry
from gemexp.compare import differences

FOLDER = Path(__file__).parents[1] / "data" / "qlib"
FILES = sorted(FOLDER.glob("*.yaml"))


@pytest.fixture
def hashes(gemexp, store):  # noqa: ARG001
    return dict(zip(FILES, gemexp("add", "-q", "-t", "qlib", *FILES).out.split(), strict=True))


def test_there_are_28_and_all_are_different(hashes):
    assert len(FILES) == 28
    assert len(set(hashes.values())) == 28


def test_sha256sum_of_every_object_prints_its_name(hashes, store):
    objects = {path for path in contents(store().root) if path.startswith("objects/")}
    assert {path.split("/")[2] for path in objects} == set(hashes.values())
    for path in objects:
        printed = subprocess.run(
            ["sha256sum", path], cwd=store().root, capture_output=True, text=True, check=True
        ).stdout.split()[0]
        assert printed == path.split("/")[2]


def test_adding_them_again_rewrites_nothing(gemexp, hashes, store):
    before = snapshot(store().root)
    assert gemexp("add", "-q", *reversed(FILES)).out.split() == list(reversed(hashes.values()))
    assert snapshot(store().root) == before


def test_all_are_shown_in_every_form(gemexp, hashes, store):
    for path, config_hash in hashes.items():
        assert config_hash in gemexp("show", config_hash[:12]).out
        found = gemexp("show", config_hash[:12], "--json").json
        assert found["hyperparameters"] == store().get(config_hash).hyperparameters
        assert found["hyperparameters"]["task"]["model"]["class"] in path.read_text()
        assert hashlib.sha256(gemexp("show", config_hash, "--raw").raw).hexdigest() == config_hash
        assert gemexp("add", "-", "-q", stdin=gemexp("show", config_hash, "--yaml").out).out.strip() == config_hash


def test_dates_and_words_stay_the_text_they_are(gemexp, hashes):
    for config_hash in hashes.values():
        handler = gemexp("show", f"{config_hash}:hyperparameters.data_handler_config", "--json", code=None)
        if handler.code == 0:
            assert isinstance(handler.json["start_time"], str)


def test_all_pairs_are_diffed(gemexp, hashes, store):
    configs = {config_hash: store().get(config_hash) for config_hash in hashes.values()}
    pairs = list(itertools.combinations(hashes.values(), 2))
    assert len(pairs) == 378
    for first, second in pairs:
        found = gemexp("diff", first, second, "--json").json["differences"]
        expected = list(
            differences(configs[first].hyperparameters, configs[second].hyperparameters, ("hyperparameters",))
        )
        assert len(found) == len(expected) > 0
    first, second = pairs[0]
    assert gemexp("diff", first[:8], second[:8], "--exit-code", code=1).out
    assert gemexp("explain", first, second).out
    assert gemexp("compare", first, second, "--json").json["hyperparameter_differences"]


@pytest.mark.parametrize("way", ["one by one", "by tag", "all", "copied"])
def test_exported_and_imported_into_an_empty_store_they_have_the_same_hashes(gemexp, hashes, project, store, way):
    gemexp("init", "other")
    other = ["--store", "other"]
    if way == "one by one":
        for number, config_hash in enumerate(hashes.values()):
            suffix = ("json", "yaml", "jsonl")[number % 3]
            gemexp("export", config_hash, f"{number}.{suffix}")
            assert gemexp(*other, "import", f"{number}.{suffix}", "-q").out.strip() == config_hash
    elif way == "by tag":
        gemexp("export", "--tag", "qlib", "out")
        gemexp(*other, "import", "out")
    elif way == "all":
        gemexp("export", "--all", "all.jsonl")
        gemexp(*other, "import", "all.jsonl")
    else:
        merge(store().root, project / "other" / ".gemexp")
    arrived = ExperimentRegistry(project / "other")
    assert {config.config_hash for config in arrived} == set(hashes.values())
    assert [config.to_dict() for config in arrived] == [config.to_dict() for config in store()]
    assert contents(arrived.root).items() >= {
        (path, data) for path, data in contents(store().root).items() if path.startswith("objects/")
    }
    gemexp(*other, "fsck")


def test_the_copies_in_the_tests_carry_their_licence():
    assert (FOLDER / "LICENSE").read_text()
    assert sorted(os.listdir(FOLDER)) == sorted(["LICENSE", *(path.name for path in FILES)])
