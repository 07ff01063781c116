"""The plugin for pytest: what it costs, what it compares, and what it says and keeps when something differs."""

import re
import subprocess
import sys

import pytest

from gemexp import ExperimentConfig, ExperimentRegistry
from gemexp.testing import marked, strategies  # noqa: F401 - or each run in this process would have its own

pytest_plugins = ["pytester"]

PIPELINE = """
    def sound(config):
        return {"k": config.hyperparameters["k"]}

    def unsound(config):
        return list({name for name in config.feature_names})
"""


@pytest.fixture
def project(pytester, monkeypatch):
    """A folder with a store that holds two configs, in which tests are run."""
    monkeypatch.delenv("GEMEXP_DIR", raising=False)
    registry = ExperimentRegistry(pytester.path / ".gemexp")
    for k in (3, 4):
        tags = ["small"] if k == 3 else ["large", "ci"]
        names = [f"feature {number}" for number in range(8)]
        registry.register(ExperimentConfig(names, {}, {"k": k, "lr": 0.1}, tags=[*tags, "all"]))
    pytester.makepyfile(train=PIPELINE)
    return pytester


def run(project, test, *arguments, expect=None, **outcomes):
    project.makepyfile(test_it=f"import pytest\nimport train\n{test}")
    result = project.runpytest_inprocess("-p", "no:xdist", "-p", "no:cacheprovider", *arguments)
    result.assert_outcomes(**outcomes)
    if expect:
        result.stdout.re_match_lines(expect)
    return result


def counterexamples(project, folder=".gemexp"):
    return ExperimentRegistry(project.path / folder).search_by_tag("counterexample")


def test_importing_the_plugin_imports_nothing_but_pytest():
    program = (
        "import sys, pytest; before = set(sys.modules); import gemexp.testing.plugin;"
        "print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) <= {"gemexp", "gemexp.testing", "gemexp.testing.plugin"}


def test_a_run_that_does_not_use_it_imports_nothing_of_it(project):
    test = (
        "import sys\ndef test_it():\n"
        "    found = {name for name in sys.modules if name.split('.')[0] in ('gemexp', 'hypothesis', 'numpy')}\n"
        "    assert found <= {'gemexp', 'gemexp.testing', 'gemexp.testing.plugin'}, found\n"
    )
    project.makepyfile(test_it=test)
    # Without Hypothesis's own plugin, which imports it if it finds a reason to.
    result = project.runpytest_subprocess("-p", "no:hypothesispytest", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=1)


def test_a_marked_test_runs_with_each_config_of_a_tag_or_expression(project):
    test = (
        "seen = []\n@pytest.mark.reproducible(tag='all')\ndef test_it(config):\n"
        "    seen.append(config.hyperparameters['k'])\n    return train.sound(config)\n"
        "def test_seen():\n    assert sorted(seen) == [3, 3, 3, 4, 4, 4]\n"
    )
    run(project, test, passed=3)
    run(project, test.replace("tag='all'", "where='k = 4', runs=2").replace("[3, 3, 3, 4, 4, 4]", "[4, 4]"), passed=2)
    run(project, test.replace("tag='all'", "config='small'").replace(", 4, 4, 4", ""), passed=2)


def test_what_differs_within_one_process_is_reported_shrunk_and_kept(project):
    test = (
        "calls = []\n@pytest.mark.reproducible(config='large')\ndef test_it(config, tmp_path):\n"
        "    calls.append(1)\n    return {'loss': len(calls) * config.hyperparameters['lr'], 'k': 1}\n"
    )
    result = run(project, test, failed=1)
    [kept] = counterexamples(project)
    assert kept.feature_names == []
    assert list(kept.hyperparameters) == ["lr"]
    text = result.stdout.str()
    assert "loss: " in text
    assert re.search(rf"it is stored in '.*\.gemexp' as {kept.config_hash[:12]}, with the tag counterexample", text)
    assert f"to run it again: pytest test_it.py::test_it --gemexp-config {kept.config_hash[:12]}" in text
    again = project.runpytest_inprocess(
        "-p", "no:xdist", "test_it.py::test_it", "--gemexp-config", kept.config_hash[:12]
    )
    again.assert_outcomes(failed=1)


def test_a_marked_test_in_fresh_processes_catches_the_order_of_sets(project):
    mark = "@pytest.mark.reproducible(config='small', runs=3, isolate=True, vary=['hash-seed'])\n"
    result = run(project, f"{mark}def test_it(config):\n    return train.unsound(config)\n", failed=1)
    text = result.stdout.str()
    [kept] = counterexamples(project)
    assert len(kept.feature_names) == 2
    assert kept.hyperparameters == {}
    assert "with PYTHONHASHSEED=" in text
    command = f"gemexp check test_it:test_it {kept.config_hash[:12]} --property same-outcome --vary hash-seed"
    assert f"to run it again: {command}" in text
    run(project, f"{mark}def test_it(config):\n    return sorted(train.unsound(config))\n", passed=1)


def test_a_property_that_a_test_requires_is_shrunk_and_kept_in_the_store_that_is_named(project):
    test = (
        "from gemexp import ExperimentConfig\nfrom gemexp.testing import order_does_not_matter\n"
        "def test_it():\n"
        "    config = ExperimentConfig(['a', 'b', 'c', 'd'], {'a': 0.5}, {'x': {'y': 1}})\n"
        "    order_does_not_matter(lambda config: config.feature_names, config, isolate=False).require()\n"
    )
    result = run(project, test, "--gemexp-store", "other.gemexp", failed=1)
    assert not counterexamples(project)
    [kept] = counterexamples(project, "other.gemexp")
    assert len(kept.feature_names) == 2
    assert not kept.feature_weights
    assert not kept.hyperparameters
    result.stdout.re_match_lines([r"to run it again: gemexp --store other\.gemexp check .* --property order"])


def test_what_hypothesis_drew_and_shrunk_is_kept(project):
    test = (
        "from gemexp import ExperimentConfig\nfrom gemexp.testing import same_outcome\n"
        "from hypothesis import given, settings, strategies as st\n"
        "from gemexp.testing.strategies import configs\ncount = [0]\n"
        "def pipeline(config):\n"
        "    count[0] += 1\n    return count[0] if len(config.feature_names) > 1 else 0\n"
        "@settings(max_examples=50, database=None, derandomize=True, deadline=None)\n"
        "@given(config=configs(['a', 'b', 'c'], {'k': st.integers(0, 9)}))\n"
        "def test_it(config: ExperimentConfig):\n"
        "    same_outcome(pipeline, config, isolate=False).require()\n"
    )
    run(project, test, failed=1)
    [kept] = counterexamples(project)
    assert len(kept.feature_names) == 2
    assert kept.hyperparameters == {"k": 0}


def test_without_a_store_nothing_is_kept_and_this_is_said(pytester, monkeypatch):
    monkeypatch.delenv("GEMEXP_DIR", raising=False)
    pytester.makepyfile(train=PIPELINE)
    test = (
        "from gemexp import ExperimentConfig\nfrom gemexp.testing import same_outcome\ncount = []\n"
        "def pipeline(config):\n    count.append(1)\n    return len(count)\n"
        "def test_it():\n    same_outcome(pipeline, ExperimentConfig([], {}), isolate=False).require()\n"
    )
    result = run(pytester, test, failed=1)
    result.stdout.re_match_lines(["it is not stored: there is no store here.*"])
    assert not (pytester.path / ".gemexp").exists()


@pytest.mark.parametrize(
    ("test", "message"),
    [
        ("@pytest.mark.reproducible()\ndef test_it(config): return 1\n", "needs config=REV"),
        ("@pytest.mark.reproducible(confg='small')\ndef test_it(config): return 1\n", "does not take 'confg'"),
        ("@pytest.mark.reproducible('small')\ndef test_it(config): return 1\n", "an argument without a name"),
        ("@pytest.mark.reproducible(tag='none')\ndef test_it(config): return 1\n", "no config in"),
        ("@pytest.mark.reproducible(config='gone')\ndef test_it(config): return 1\n", "gone"),
        ("@pytest.mark.reproducible(config='small', runs=1)\ndef test_it(config): return 1\n", "nothing to compare"),
        ("@pytest.mark.reproducible(config='small')\ndef test_it(): return 1\n", "takes no argument 'config'"),
    ],
)
def test_a_marker_that_makes_no_sense_is_an_error_of_collection(project, test, message):
    result = run(project, test, errors=1)
    assert message in result.stdout.str()


@pytest.mark.parametrize(
    ("mark", "body", "message"),
    [
        ("config='small'", "(config): pass", "returned nothing"),
        ("config='small'", "(config): return {}['lost']", "KeyError"),
        ("config='small'", "(config): return (x for x in 'ab')", "cannot be compared"),
        ("config='small', isolate=True", "(config, tmp_path): return 1", "and no other"),
        ("config='small', rtol=-1", "(config): return 1", "rtol"),
    ],
)
def test_a_marked_test_that_cannot_be_compared_fails_and_says_why(project, mark, body, message):
    result = run(project, f"@pytest.mark.reproducible({mark})\ndef test_it{body}\n", failed=1)
    assert message in result.stdout.str()
    assert not counterexamples(project)


def test_the_fixture_is_an_empty_store_in_the_temporary_folder(project):
    test = (
        "def test_it(experiment_store, tmp_path):\n    assert len(experiment_store) == 0\n"
        "    assert experiment_store.root.startswith(str(tmp_path))\n"
    )
    run(project, test, passed=1)


def test_the_marker_and_the_options_are_described(project):
    assert "reproducible(config=REV" in project.runpytest_inprocess("--markers").stdout.str()
    told = project.runpytest_inprocess("--help").stdout.str()
    assert "--gemexp-store" in told
    assert "--gemexp-config" in told
