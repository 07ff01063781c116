"""``gemexp plot``: pictures that are the same each time, and tables where nothing can be drawn."""

import os
import subprocess
import sys
from xml.etree import ElementTree as ET

import pytest

from gemexp import ExperimentConfig, ExperimentRegistry

WITHOUT = "import sys; sys.modules['matplotlib'] = None; from gemexp.cli import main; sys.exit(main(sys.argv[1:]))"


@pytest.fixture
def recorded(project):
    """Record sharpe for k by walk, twice for two of four places, and something else on another panel."""
    registry = ExperimentRegistry(project / ".gemexp")
    for k, walk, lag, sharpe in ((3, "7d", 1, 1.0), (3, "30d", 1, 0.25), (10, "7d", 1, 0.5), (3, "7d", 2, 2.0)):
        config = ExperimentConfig(["a"], {"a": k / 10}, {"k": k, "walk": walk, "lag": lag}, tags=[f"lag{lag}"])
        registry.record(config, {"sharpe": sharpe, "ic_mean": None}, data="d1")
    registry.record(ExperimentConfig((), {}, {"depth": 2}), {"loss": 0.5}, data="e2")
    return registry


def test_table_by_one_parameter_has_medians_and_a_line(gemexp, recorded):  # noqa: ARG001
    assert gemexp("plot", "--x", "k").out.splitlines() == [
        "sharpe by k: 4 outcomes on d1",
        "k   outcomes  lowest  median  highest",
        "3          3    0.25     1.0      2.0",
        "10         1     0.5     0.5      0.5",
        "█▁",
    ]


def test_table_by_two_is_a_map_of_medians_in_natural_order(gemexp, recorded):  # noqa: ARG001
    assert gemexp("plot", "--x", "walk", "--y", "feature_weights.a").out.splitlines()[1:] == [
        "feature_weights.a \\ walk   7d   30d",
        "0.3                       1.5  0.25",
        "1.0                       0.5",
    ]


def test_json_has_every_point(gemexp, recorded):
    found = gemexp("plot", "--x", "hyperparameters.k", "--y", "lag", "--tag", "lag2", "--json").json
    (config,) = recorded.search_by_tag("lag2")
    assert found == {
        "metric": "sharpe",
        "x": "hyperparameters.k",
        "y": "lag",
        "data": "d1",
        "points": [{"config_hash": config.config_hash, "x": 3, "y": 2, "value": 2.0}],
    }


@pytest.mark.parametrize("axes", [["--x", "k"], ["--x", "walk"], ["--x", "k", "--y", "walk"]])
def test_pictures_are_svg_and_the_same_bytes_each_time(recorded, project, axes):  # noqa: ARG001
    pictures = []
    for seed in ("1", "2"):
        command = [sys.executable, "-m", "gemexp", "plot", *axes, "-o", f"{seed}.svg"]
        settings = {"PYTHONHASHSEED": seed, "TZ": f"UTC{seed}", "MATPLOTLIBRC": str(project / "matplotlibrc")}
        (project / "matplotlibrc").write_text(f"font.size: {10 + int(seed)}\n", "utf-8")
        done = subprocess.run(command, env=os.environ | settings, capture_output=True, text=True, check=True)
        assert done.stdout.startswith(f"{seed}.svg: 4 outcomes, sharpe by ")
        pictures.append((project / f"{seed}.svg").read_bytes())
    assert pictures[0] == pictures[1]
    assert ET.fromstring(pictures[0]).tag.endswith("svg")  # noqa: S314 - we drew it


def test_names_and_values_are_text_whatever_signs_they_hold(gemexp, project, recorded):
    for k, text in enumerate(["$a_{b}$", "$\\frac$", "\x1b[31m\n", "<&>"]):
        recorded.record(ExperimentConfig((), {}, {"$x$": text, "k": k}), {"$m$": 1.0 + k}, data="d1")
    for axes in (["--x", "$x$"], ["--x", "$x$", "--y", "k"]):
        gemexp("plot", *axes, "--metric", "$m$", "-o", "k.svg")
        assert ET.parse(project / "k.svg").getroot().tag.endswith("svg")  # noqa: S314 - we drew it
    assert "\x1b" not in gemexp("plot", "--x", "$x$", "--metric", "$m$").out


def test_without_matplotlib_the_table_is_printed_and_the_missing_file_is_an_error(recorded, project):  # noqa: ARG001
    def run(*arguments):
        command = [sys.executable, "-c", WITHOUT, "plot", "--x", "k", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    table = run()
    assert (table.returncode, table.stderr) == (0, "")
    drawn = run("-o", "k.svg")
    assert (drawn.returncode, drawn.stdout) == (1, table.stdout)
    assert "'k.svg': was not written: drawing needs matplotlib" in drawn.stderr
    assert "gemexp[plot]" in drawn.stderr
    assert not (project / "k.svg").exists()


class TestErrors:
    @pytest.mark.parametrize(
        ("arguments", "code", "message"),
        [
            (["--x", "k", "--metric", "sharp"], 3, "sharpe"),
            (["--x", "wlak"], 3, "did you mean 'walk'?"),
            (["--x", "feature_weights.b"], 3, "feature_weights.a"),
            (["--x", "k", "--metric", "ic_mean"], 3, "ic_mean"),
            (["--x", "k", "--data", "e"], 3, "no outcome is on data that begins with 'e'"),
            (["--x", "k", "--tag", "nobody"], 3, "nobody"),
            (["--x", "k", "--y", "hyperparameters.k"], 2, "both axes"),
            (["--x", "k["], 1, "not a path"),
            (["--x", "k", "-o", "k.png"], 1, ".svg"),
            (["--x", "k", "-o", "none/k.svg"], 1, "none/k.svg"),
            ([], 2, "--x"),
        ],
    )
    def test_one_line_and_a_way_out(self, gemexp, recorded, arguments, code, message):  # noqa: ARG002
        result = gemexp("plot", *arguments, code=code)
        assert message in result.err
        assert result.out == ""

    def test_outcomes_on_several_panels_are_never_mixed(self, gemexp, recorded):
        recorded.record(ExperimentConfig((), {}, {"k": 4}), {"sharpe": 9.0}, data="d2")
        assert "on d1, d2" in gemexp("plot", "--x", "k", code=2).err
        assert gemexp("plot", "--x", "k", "--data", "d2", "--json").json["points"][0]["value"] == 9.0
        gemexp("plot", "--x", "k", "--data", "d", code=2)

    def test_two_parameters_that_never_meet(self, gemexp, recorded):
        recorded.record(ExperimentConfig((), {}, {"depth": 4}), {"sharpe": 9.0}, data="d1")
        assert "no configuration has both" in gemexp("plot", "--x", "k", "--y", "depth", code=1).err
