"""``gemexp check``: verdicts on a user's own pipelines, kept and recorded."""

import json
import os
import re
import sys
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from surroundings import contents, merge

from gemexp import ExperimentConfig, ExperimentRegistry, describing
from gemexp.store import kinds, layout, records
from gemexp.testing.junit import junit
from gemexp.testing.suite import FAILED, Result

PIPELINES = """
import random

print("imported")

def sound(config):
    print("training")
    return {"loss": sum(config.feature_weights.values())}

def broken(config):
    return {"loss": random.random() if config.hyperparameters.get("noise") else 1.0}

def nearly(config):
    return {"loss": 1.0 + random.random() * 1e-12}

def raises(config):
    raise ValueError("no data\\x1b[31m\\nsecond line")

def rows(config, inputs):
    return inputs - inputs.mean()

def inputs():
    import numpy
    return numpy.arange(8.0)

def doubled(config):
    return type(config)(config.feature_names, {k: 2 * v for k, v in config.feature_weights.items()})

def larger(first, second):
    return second["loss"] >= first["loss"]

def seeded(config):
    return {"loss": random.Random(config.hyperparameters["seed"]).random()}

def unseeded(config):
    return {"loss": 1.0}
"""
QUICK = ("--runs", "1", "--property", "same-outcome")
CONTROL = re.compile("[\x00-\x08\n-\x1f\x7f-\x9f\u202e\u2028]")
HERE = (*QUICK, "--no-isolate")


@pytest.fixture
def pipelines(project, store, add, monkeypatch):  # noqa: ARG001 - there is a store
    """A module of pipelines in the current folder, and a config; where the current process looks for it ends after."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    (project / "pipes_of_test.py").write_text(PIPELINES)
    config = {"feature_names": ["a", "b"], "feature_weights": {"a": 0.5, "b": 0.25}}
    found = add({**config, "hyperparameters": {"noise": 1, "seed": 3, "k": [1, 2]}}, "-t", "best")
    yield found
    sys.modules.pop("pipes_of_test", None)


def test_a_sound_pipeline_holds_in_all_that_can_be_checked_and_that_is_recorded(gemexp, pipelines, store):
    found = gemexp("check", "pipes_of_test:sound", "best")
    header, row, empty, total = found.out.splitlines()
    assert header.split() == ["same-outcome", "order", "no-hidden-state", "seed", "hash-stability"]
    assert row.split() == [pipelines[:12], *["holds"] * 5]
    assert (empty, total) == ("", "5 of 5 hold")
    (check,) = store().checks("best")
    assert check.pipeline == "pipes_of_test:sound"
    assert check.settings == {"atol": 0.0, "isolate": True, "rtol": 0.0, "runs": 3}
    assert check.answers == dict.fromkeys(sorted(header.split()), "holds")
    assert {len(one["outcome"] or "") for one in check.verdicts.values()} <= {0, 64}
    assert len(check.verdicts["same-outcome"]["outcome"]) == 64
    assert check.environment["python"]
    assert check.installed
    report = store().check()
    assert (report.problems, report.notes) == ([], [])
    line = "checked pipes_of_test:sound  hash-stability holds, no-hidden-state holds, order holds, same-outcome holds"
    assert line in gemexp("show", "best").out
    (line,) = gemexp("runs", "best").out.splitlines()
    assert "checked" in line
    assert "same-outcome holds" in line
    assert gemexp("runs", "best", "--json").json == []
    (told,) = gemexp("runs", "best", "--checks", "--json").json
    assert (told["check"], told["config_hash"]) == (check.record, pipelines)


def test_what_the_pipeline_prints_is_not_mixed_with_the_verdicts(gemexp, pipelines):  # noqa: ARG001
    found = gemexp("check", "pipes_of_test:sound", "best", *HERE, "--json")
    assert found.json["holds"] is True
    assert "training" in found.err


def test_a_broken_pipeline_is_shrunk_kept_and_can_be_checked_again(gemexp, pipelines, store):
    found = gemexp("check", "pipes_of_test:broken", "best", *QUICK, "--json", code=1).json
    (result,) = found["results"]
    assert (found["holds"], result["verdict"], result["config_hash"]) == (False, "failed", pipelines)
    smallest = ExperimentConfig((), {}, {"noise": 1})
    assert result["counterexample"]["config_hash"] == smallest.config_hash
    assert result["counterexample"]["kept"] is True
    assert store().tags_of(smallest.config_hash) == ["counterexample"]
    assert result["command"] == f"gemexp check pipes_of_test:broken {smallest.config_hash[:12]} --property same-outcome"
    again = gemexp(*result["command"].split()[1:], code=1)
    assert "FAILED" in again.out
    assert f"to run it again: {result['command']}" in again.out
    for config in (pipelines, smallest.config_hash):
        assert {check.answers["same-outcome"] for check in store().checks(config)} == {"failed"}
    assert "same-outcome FAILED" in gemexp("show", smallest.config_hash).out


def test_nothing_is_written_where_nothing_shall_be_recorded(gemexp, pipelines, store):
    before = contents(store().root)
    out = gemexp("check", "pipes_of_test:broken", pipelines, *HERE, "--no-record", code=1).out
    assert contents(store().root) == before
    assert "not kept; the configuration is" in out
    assert "    hyperparameters.noise = 1\n" in out


def test_a_pipeline_that_raises_is_an_error_in_one_line(gemexp, pipelines, store):  # noqa: ARG001
    found = gemexp("check", "pipes_of_test:raises", "best", *QUICK, code=1)
    assert "same-outcome: the pipeline 'pipes_of_test:raises' raised ValueError: no data" in found.out
    assert "\x1b" not in found.out
    assert found.out.endswith("0 of 1 hold, 1 raised an error\n")
    (check,) = store().checks()
    assert check.answers == {"same-outcome": "error"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("import nothing_such_module", "ModuleNotFoundError: No module named 'nothing_such_module'"),
        ("x = 1\n1 / 0", "ZeroDivisionError: division by zero"),
        ("def f(:", "SyntaxError"),
        ("raise SystemExit(3)", "SystemExit: 3"),
    ],
)
def test_a_module_that_cannot_be_imported_is_told_in_one_line(gemexp, pipelines, project, text, told):  # noqa: ARG001
    (project / "pipes_bad.py").write_text(text)
    found = gemexp("check", "pipes_bad:f", "best", code=1)
    assert found.err.count("\n") == 2
    assert f"error: 'pipes_bad' cannot be imported: {told}" in found.err
    assert "pipes_bad.py" in found.err or "SystemExit" in told
    sys.modules.pop("pipes_bad", None)


def test_the_traceback_of_such_a_module_is_shown_on_request(process, pipelines, project):  # noqa: ARG001
    (project / "pipes_bad.py").write_text("1 / 0")
    found = process("check", "pipes_bad:f", "best", env={"GEMEXP_DEBUG": "1"})
    assert found.code == 1
    assert "Traceback" in found.err
    assert "error: 'pipes_bad' cannot be imported" in found.err
    assert "Traceback" not in process("check", "pipes_bad:f", "best").err


def test_bad_calls_are_told(gemexp, pipelines, project):
    for arguments, code, told in (
        (("pipes_of_test:sound",), 2, "which configs"),
        (("pipes_of_test:sound", "best", "--tag", "best"), 2, "REV goes with"),
        (("pipes_of_test:sound", "best", "--generate", "2"), 2, "REV goes with"),
        (("pipes_of_test:sound", "--tag", "nothing"), 1, "no config"),
        (("pipes_of_test:sound", "nothing"), 3, "nothing"),
        (("pipes_of_test:nothing", "best"), 3, "there is no 'nothing'"),
        (("no_such_pipes:f", "best"), 3, "there is no module"),
        (("pipes_of_test", "best"), 1, "does not name a function"),
        (("pipes_of_test:sound", "best", "--property", "nothing"), 1, "there is no property"),
        (("pipes_of_test:sound", "best", "--property", "no-look-ahead"), 1, "--inputs"),
        (("-", "best", "--property", "order"), 1, "needs a pipeline"),
        (("pipes_of_test:sound", "best", "--vary", "moon"), 1, "moon"),
        (("pipes_of_test:sound", "best", "--junit", "nowhere/x.xml"), 1, "folder"),
        (("pipes_of_test:sound", "best", "--where", "k >"), 2, "REV goes with"),
        (("pipes_of_test:sound", "--where", "k >"), 1, ""),
        (("pipes_of_test:sound", "best", "--rtol", "-1"), 2, ""),
    ):
        assert told in gemexp("check", *arguments, code=code).err
    assert pipelines
    assert not os.path.exists(project / "nowhere")


def test_a_tolerance_is_explicit_and_recorded(gemexp, pipelines, store):  # noqa: ARG001
    gemexp("check", "pipes_of_test:nearly", "best", *HERE, code=1)
    gemexp("check", "pipes_of_test:nearly", "best", *HERE, "--rtol", "1e-9")
    check = store().checks("best")[0]
    assert check.settings["rtol"] == 1e-9
    assert check.verdicts["same-outcome"]["rtol"] == 1e-9


def test_options_reach_the_properties_that_take_them(gemexp, pipelines):  # noqa: ARG001
    module = "pipes_of_test"
    out = gemexp("check", f"{module}:rows", "best", "--inputs", f"{module}:inputs", "--json", code=1).json
    assert {one["property"]: one["verdict"] for one in out["results"]}["no-look-ahead"] == "failed"
    related = ("--property", "metamorphic", "--transform", f"{module}:doubled")
    gemexp("check", f"{module}:sound", "best", *related, code=1)
    gemexp("check", f"{module}:sound", "best", *related, "--relation", f"{module}:larger")
    seed = ("--no-isolate", "--property", "seed", "--seed", "hyperparameters.seed", "--seed-matters")
    gemexp("check", f"{module}:seeded", "best", *seed)
    gemexp("check", f"{module}:unseeded", "best", *seed, code=1)
    found = gemexp("check", f"{module}:sound", "best", *QUICK, "--vary", "hash-seed,clock", "--json").json
    assert found["settings"]["vary"] == ["hash-seed", "clock"]


def test_configs_are_checked_by_tag_and_expression_and_are_drawn(gemexp, pipelines, add, store):
    other = add({"k": 9}, "-t", "other")

    def checked(*arguments, code=0):
        found = gemexp("check", "pipes_of_test:sound", *arguments, *HERE, "--json", code=code).json
        return [one["config_hash"] for one in found["results"]]

    assert checked("--tag", "best") == [pipelines]
    assert checked("--where", "k = 9") == [other]
    assert checked(other, "best", other[:8]) == [other, pipelines]
    drawn = checked("--generate", "4")
    assert len(set(drawn)) == 4
    assert checked("--generate", "4") == drawn
    assert set(checked("--generate", "4", "--draw-seed", "1")) != set(drawn)
    known = {config.config_hash for config in store()}
    assert known == {pipelines, other}, "what was drawn is not kept while it holds"
    assert {check.config for check in store().checks()} <= known


def test_without_a_store_configs_are_drawn_and_nothing_is_written(gemexp, project, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])
    (project / "pipes_alone.py").write_text("def f(config):\n    return 1\n")
    found = gemexp("check", "pipes_alone:f", "--generate", "2", *HERE)
    assert "nothing is recorded" in found.err
    assert not (project / ".gemexp").exists()
    assert "no store" in gemexp("check", "pipes_alone:f", "best", code=1).err
    sys.modules.pop("pipes_alone", None)


def test_configs_alone_are_checked_without_a_pipeline(gemexp, pipelines):  # noqa: ARG001
    found = gemexp("check", "-", "best")
    assert found.out.endswith("1 of 1 hold\n")


def test_junit_xml_says_the_same_as_the_table(gemexp, pipelines, project):
    junit_file = project / "verdicts.xml"
    for name, word in (("sound", None), ("broken", "failure"), ("raises", "error")):
        gemexp("check", f"pipes_of_test:{name}", "best", *HERE, "--junit", junit_file, code=int(word is not None))
        suite = ET.parse(junit_file).getroot().find("testsuite")  # noqa: S314 - our own
        (case,) = suite
        assert case.get("name") == f"same-outcome[{pipelines[:12]}]"
        assert case.get("classname") == f"pipes_of_test:{name}"
        assert [suite.get(count) for count in ("tests", "failures", "errors")] == [
            "1",
            str(int(word == "failure")),
            str(int(word == "error")),
        ]
        assert [child.tag for child in case] == ([] if word is None else [word])
        if word == "failure":
            assert "to run it again: gemexp check pipes_of_test:broken" in case[0].text


def test_junit_escapes_and_drops_what_xml_cannot_say():
    message = "</failure>\x00\x1b]]>\ud800&\"'￾ é\n"
    result = Result("order<&>", ExperimentConfig((), {}), FAILED, None, message, 0.25)
    written = junit('a"<b>:f\x0b', [result])
    case = ET.fromstring(written)[0][0]  # noqa: S314 - our own
    assert case.get("classname") == 'a"<b>:f\ufffd'
    assert case.get("name").startswith("order<&>[")
    assert case[0].get("message") == "</failure>\ufffd\ufffd]]>\ufffd&\"'\ufffd é\n"


def test_checks_of_two_people_survive_a_merge(gemexp, pipelines, store, tmp_path):
    other = ExperimentRegistry(tmp_path / "other")
    other.merge(store().root)
    for registry, name in ((store(), "mine:f"), (other, "theirs:f")):
        registry.record_check(pipelines, name, {"order": {"verdict": "holds"}}, settings={})
    before = contents(store().root)
    merged = gemexp("merge", other.root)
    assert "1 new check:" in merged.out
    assert "theirs:f: order holds" in merged.out
    assert {check.pipeline for check in store().checks("best")} == {"mine:f", "theirs:f"}
    assert before.items() <= contents(store().root).items()
    merge(other.root, store().root)
    assert len(store().checks()) == 2
    store().pack()
    assert len(store().checks()) == 2


def test_a_record_of_a_check_says_a_verdict_on_each_property(registry):
    config_hash = registry.register(ExperimentConfig((), {}))
    for wrong in ({"order": {}}, {"order": {"verdict": "maybe"}}, {"order": "holds"}):
        with pytest.raises(Exception, match="order"):
            registry.record_check(config_hash, "a:f", wrong, settings={})
    with pytest.raises(Exception, match="no config"):
        registry.record_check("0" * 64, "a:f", {}, settings={})
    assert registry.checks() == []


def test_git_is_given_a_check_as_text(registry):
    config_hash = registry.register(ExperimentConfig((), {}))
    verdicts = {"order": {"verdict": "failed", "message": "differs\x1b"}, "seed": {"verdict": "holds"}}
    registry.record_check(config_hash, "a:f", verdicts, settings={"runs": 2})
    (check,) = registry.checks()
    record = records.read(registry._folder, layout.RecordName(config_hash, check.record))
    lines = list(describing.describe(record))
    assert lines[0] == f"checked a:f on {config_hash[:12]}"
    assert lines.index("order: failed") < lines.index("seed: holds")
    assert "settings.runs = 2" in lines
    assert not any("\x1b" in line for line in lines)


FIELDS = st.sampled_from(sorted({*records.Check._fields, *records.Signature._fields, *records.Run._fields, "other"}))
LEAVES = st.none() | st.integers() | st.sampled_from(["a", "\x1b[2J\n", "\u202e"])
ANYTHING = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(FIELDS, inner, max_size=2), max_leaves=6
)


@settings(max_examples=60)
@given(st.sampled_from([kinds.CHECK, kinds.SIGNATURE, kinds.RUN]), st.dictionaries(FIELDS, ANYTHING, max_size=6))
def test_text_of_a_record_that_says_anything_is_lines_without_what_a_terminal_would_obey(kind, fields):
    for line in describing.describe({"$": kind, **fields}):
        assert not CONTROL.search(line), line


def test_gc_takes_a_check_with_its_config_and_leaves_what_others_use(registry):
    first, second = (registry.register(ExperimentConfig((), {}, {"k": k})) for k in range(2))
    for config in (first, second):
        registry.record_check(config, "a:f", {"order": {"verdict": "holds"}}, settings={})
    (installed,) = {check.installed for check in registry.checks()}
    registry.delete(first)
    assert [check.config for check in registry.checks()] == [second]
    collected = registry.collect(grace=0)
    assert collected.configs == [first]
    assert layout.object_path(installed) not in collected.paths
    registry.delete(second)
    assert layout.object_path(installed) in registry.collect(grace=0).paths
    assert registry.check().problems == []


def test_json_of_a_result_is_strict(gemexp, pipelines):  # noqa: ARG001
    out = gemexp("check", "pipes_of_test:raises", "best", *QUICK, "--json", code=1).out
    (result,) = json.loads(out)["results"]
    assert result["verdict"] == "error"
    assert (result["counterexample"], result["command"]) == (None, None)
