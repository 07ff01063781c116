import xml.etree.ElementTree as ET

import matplotlib as mpl
import pytest
from small_backtests import FAST, panel_text

from gemexp import ExperimentConfig
from gemexp.backtest import Parameters, pictures, run_backtest
from gemexp.backtest.panel_text import parse_csv


@pytest.fixture(scope="module")
def outcome():
    panel = parse_csv(panel_text().encode(), "panel.csv")
    parameters = Parameters(start="2020-01-01", end="2020-03-01", walk="2w", k=2, n_bootstrap=0)
    return run_backtest(ExperimentConfig(["Mood"], {"Mood": 1.0}), panel, parameters=parameters)


def test_picture_is_svg_without_date_and_the_same_each_time(outcome):
    drawn = pictures.equity_picture(outcome)
    assert ET.fromstring(drawn).tag == "{http://www.w3.org/2000/svg}svg"  # noqa: S314 - it is our own
    assert b"dc:date" not in drawn
    assert b"Matplotlib" not in drawn
    assert pictures.equity_picture(outcome) == drawn


def test_picture_does_not_depend_on_settings_nor_change_them(outcome):
    drawn = pictures.equity_picture(outcome)
    with mpl.rc_context({"lines.linewidth": 9, "svg.hashsalt": "other", "font.size": 20, "axes.grid": True}):
        assert pictures.equity_picture(outcome) == drawn
        assert mpl.rcParams["lines.linewidth"] == 9


def test_drawing_loads_no_pyplot_whose_state_is_the_users(process):
    code = "import sys; from gemexp.cli import main; main(sys.argv[1:]); print('matplotlib.pyplot' in sys.modules)"
    arguments = ("backtest", "--data", "panel.csv", "--config", "mood.json", *FAST)
    assert process("-c", code, *arguments).out.endswith("\nFalse\n")


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ([0, 1, 2, 3, 4, 5, 6, 7], "▁▂▃▄▅▆▇█"),
        ([1.0, 0.0], "█▁"),
        ([2, 2, 2], "▄▄▄"),
        ([], ""),
        ([None, float("nan")], "  "),
        ([0.0, None, 7.0], "▁ █"),
        ([5.0], "▄"),
    ],
)
def test_sparkline(values, line):
    assert pictures.sparkline(values) == line


def test_sparkline_of_many_values_has_the_first_and_the_last():
    values = [100.0, *range(1, 999), 200.0]
    line = pictures.sparkline(values, width=20)
    assert len(line) == 20
    assert pictures.sparkline(values, width=1) == "▄"
    assert pictures.sparkline([0.0, *[5.0] * 1000, 9.0], width=10) == "▁▅▅▅▅▅▅▅▅█"
