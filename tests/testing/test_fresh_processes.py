"""Fresh processes: what is different in them, what they need of a pipeline, and what is said when it ends badly."""

import functools
import itertools
import json
import os
import sys
import textwrap

import pytest

from gemexp import ExperimentConfig
from gemexp.errors import InvalidInput, NotFound
from gemexp.testing import (
    PipelineFailed,
    Processes,
    no_hidden_state,
    order_does_not_matter,
    pipeline_of,
    same_outcome,
    seed_is_the_only_randomness,
)
from gemexp.testing.processes import Call, Process
from gemexp.testing.worlds import FACTORS, told, variables, worlds

CONFIG = ExperimentConfig(["a", "b"], {"a": 0.5}, {"seed": 1})
PROBE = """
    import datetime, glob, locale, os, pathlib, sys, time

    def look(config):
        here = pathlib.Path(__file__).parent / "listed"
        return {
            "hash": hash("a"), "zone": time.timezone, "encoding": locale.getpreferredencoding(False),
            "cpus": os.cpu_count(), "omp": os.environ.get("OMP_NUM_THREADS"), "cwd": os.getcwd(),
            "time": time.time(), "now": datetime.datetime.now(datetime.timezone.utc).timestamp(),
            "variables": sorted(os.environ), "listed": os.listdir(here),
            "scanned": [entry.name for entry in os.scandir(here)], "globbed": glob.glob("*", root_dir=here),
            "walked": [files for _, _, files in os.walk(here)], "iterated": [path.name for path in here.iterdir()],
            "path_globbed": [path.name for path in here.glob("*")], "stdin": sys.stdin.read(),
        }

    def name_order(config):
        return [config.feature_names, list(config.hyperparameters)]

    def prints(config):
        print("to stdout"); os.write(1, b"raw"); print("to stderr", file=sys.stderr)
        return 1

    def fails(config):
        raise KeyError("lost")

    def picky(config):
        return object() if config.hyperparameters["seed"] % 2 else config.hyperparameters

    def dies(config):
        print("last words", file=sys.stderr); sys.stderr.flush(); os._exit(7)

    def model(config):
        return object()

    def large(config):
        return "x" * 3_000_000

    class Trainer:
        @staticmethod
        def run(config):
            return 1

    threshold = 3
"""


@pytest.fixture
def probe(tmp_path, monkeypatch):
    """The names of the pipelines in a module of the current folder."""
    (tmp_path / "probe.py").write_text(textwrap.dedent(PROBE))
    (tmp_path / "listed").mkdir()
    for name in "cadb":
        (tmp_path / "listed" / name).touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield "probe:{}".format
    sys.modules.pop("probe", None)


def look(probe, world):
    with Process(pipeline_of(probe("look")), world) as process:
        process.ask(
            Call({"feature_names": [], "feature_transformations": {}, "feature_weights": {}, "hyperparameters": {}})
        )
        return process.answer()[0]


def test_each_factor_changes_what_it_says_and_nothing_else(probe, monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    monkeypatch.setenv("MY_SETTING", "1")
    moving = {"time", "now"}
    plain = look(probe, {})
    for world in itertools.islice(worlds(FACTORS), 2):
        for factor, value in world.items():
            found = look(probe, {factor: value})
            differing = {key for key in plain if plain[key] != found[key]} - moving
            seconds = found["time"] - plain["time"]
            assert abs(seconds - (value if factor == "clock" else 0)) < 600
            assert abs(found["time"] - found["now"]) < 60
            listings = {"listed", "scanned", "globbed", "walked", "iterated", "path_globbed"}
            expected = {
                "hash-seed": {"hash"},
                "time-zone": {"zone"},
                "locale": {"encoding", "variables"},
                "threads": {"cpus", "omp", "variables"},
                "folder": {"cwd"},
                "environment": {"variables"},
                "listing": listings,
            }.get(factor, set())
            assert differing <= expected, factor
            assert differing or factor in ("clock", "scheduling", "threads", "listing")
            if factor == "environment":
                assert "MY_SETTING" not in found["variables"]
                assert set(found["variables"]) - set(plain["variables"])
            if factor == "listing":
                order = sorted("abcd", reverse=value == "reversed")
                assert all(list(itertools.chain(*found[key])) == order for key in listings)


def test_two_worlds_differ_from_each_other_in_every_factor_but_coarse_ones():
    first, second = itertools.islice(worlds(FACTORS), 2)
    assert {factor for factor in FACTORS if first[factor] == second[factor]} <= {"locale"}
    assert told({}) == "nothing changed"
    for factor in FACTORS:
        assert told({factor: first[factor]}) != told({})
    json.dumps(first)


def test_what_a_process_needs_stays_in_its_environment():
    kept = variables({"environment": 1}, {"PATH": "p", "HOME": "h", "PYTHONPATH": "x", "SECRET": "s", "LC_ALL": "C"})
    assert {"PATH", "HOME", "PYTHONPATH", "LC_ALL"} <= set(kept)
    assert "SECRET" not in kept
    assert variables({}, {})["PYTHONHASHSEED"] == "0"


def test_only_the_factors_that_are_named_differ(probe):
    verdict = same_outcome(probe("look"), CONFIG, runs=1, vary=["folder"], rtol=1e-3)
    assert verdict.factors == ("folder",)
    assert [each.path for each in verdict.differences] == [("cwd",)]
    assert "--vary folder" in verdict.command
    with pytest.raises(InvalidInput, match="'moon' is nothing that can differ"):
        same_outcome(probe("look"), CONFIG, vary=["moon"])


def test_processes_that_are_kept_answer_what_they_were_asked_after_one_has_failed(probe):
    with Processes(pipeline_of(probe("picky"))) as processes:
        options = {"runs": 2, "vary": ["folder"], "processes": processes}
        for seed in (1, 2, 3, 4):
            config = ExperimentConfig([], {}, {"seed": seed})
            if seed % 2:
                with pytest.raises(PipelineFailed):
                    same_outcome(probe("picky"), config, **options)
            else:
                first = same_outcome(probe("picky"), config, **options)
                assert first.outcome == same_outcome(probe("picky"), config, isolate=False).outcome


def test_nothing_may_differ_and_still_another_process_is_asked(probe):
    assert same_outcome(probe("name_order"), CONFIG, vary=[], runs=2).compared == 3


def test_a_pipeline_gets_names_and_maps_in_the_order_that_it_is_asked_in(probe):
    verdict = order_does_not_matter(probe("name_order"), CONFIG)
    assert not verdict.holds
    assert verdict.when == "with the feature names in another order"


def test_what_a_pipeline_prints_does_not_disturb(probe):
    assert same_outcome(probe("prints"), CONFIG, runs=1).holds
    assert same_outcome(probe("large"), CONFIG, runs=1, vary=["folder"]).holds


@pytest.mark.parametrize("isolate", [True, False])
@pytest.mark.parametrize(
    "check",
    [same_outcome, order_does_not_matter, no_hidden_state, seed_is_the_only_randomness],
    ids=lambda f: f.__name__,
)
def test_a_pipeline_that_raises_has_no_outcome(probe, check, isolate):
    with pytest.raises(PipelineFailed, match=r"raised KeyError: 'lost'") as caught:
        check(probe("fails"), CONFIG, isolate=isolate)
    assert caught.value.details() == {"type": "KeyError", "error": "'lost'"}


def test_what_cannot_be_compared_is_told_with_a_remedy(probe):
    for isolate in (True, False):
        with pytest.raises(PipelineFailed, match="cannot be compared") as caught:
            same_outcome(probe("model"), CONFIG, isolate=isolate)
        assert "return numbers" in caught.value.hint


def test_a_process_that_dies_is_told_with_its_last_words(probe):
    with pytest.raises(PipelineFailed, match=r"(?s)ended with exit code 7: .*last words"):
        same_outcome(probe("dies"), CONFIG)


def test_processes_are_gone_and_leave_nothing_behind(probe, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    before = set(os.listdir(tmp_path))
    with Processes(pipeline_of(probe("prints"))) as processes:
        started = processes.start({})
        assert processes.start({}) is started
        assert same_outcome(probe("prints"), CONFIG, runs=1, vary=["folder"], processes=processes).holds
        assert len(set(os.listdir(tmp_path)) - before - {"__pycache__"}) == 2
    assert started._process.returncode is not None
    assert set(os.listdir(tmp_path)) - before <= {"__pycache__"}


def test_pipelines_are_found_by_module_by_file_and_by_object(probe, tmp_path):
    by_name = pipeline_of(probe("prints"))
    assert by_name.function is pipeline_of(f"{tmp_path / 'probe.py'}:prints").function
    by_object = pipeline_of(by_name.function)
    assert by_object.name == by_name.name == "probe:prints"
    assert pipeline_of(by_object) is by_object
    assert pipeline_of(probe("Trainer.run")).function(CONFIG) == 1
    assert same_outcome(probe("Trainer.run"), CONFIG, runs=1, vary=["folder"]).holds


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("probe", InvalidInput, "does not name a function"),
        ("probe:", InvalidInput, "does not name a function"),
        (":prints", InvalidInput, "does not name a function"),
        ("probe:prints()", InvalidInput, "does not name a function"),
        ("pro-be:prints", InvalidInput, "not the name of a module"),
        ("nowhere:prints", NotFound, "no module 'nowhere'"),
        ("gone.py:prints", NotFound, "no file"),
        ("probe:print", NotFound, "no 'print' in 'probe'"),
        ("probe:threshold", InvalidInput, "is a int, not a function"),
        (3, InvalidInput, "is not a pipeline"),
    ],
)
@pytest.mark.usefixtures("probe")
def test_a_name_that_leads_nowhere_is_told_with_a_hint(name, kind, message):
    with pytest.raises(kind, match=message) as caught:
        pipeline_of(name)
    assert caught.value.hint


def test_what_another_process_cannot_import_is_refused_but_runs_here():
    def inner(config):
        return config.feature_names

    def main(config):
        return config.feature_names

    main.__module__, main.__qualname__ = "__main__", "main"
    partial = functools.partial(inner)
    for pipeline, why in (
        (inner, "inside another function"),
        (lambda config: config.feature_names, "a lambda"),
        (main, "the program that is running"),
        (partial, "is something else"),
    ):
        with pytest.raises(InvalidInput, match=why) as caught:
            same_outcome(pipeline, CONFIG)
        assert "isolate=False" in caught.value.hint
        assert same_outcome(pipeline, CONFIG, isolate=False).holds


@pytest.mark.usefixtures("probe")
def test_a_module_that_cannot_be_imported_is_told(tmp_path):
    (tmp_path / "bad.py").write_text("import gone_for_good\ndef run(config): return 1\n")
    with pytest.raises(
        PipelineFailed, match="importing 'bad' raised ModuleNotFoundError: No module named 'gone_for_good'"
    ):
        pipeline_of("bad:run")
