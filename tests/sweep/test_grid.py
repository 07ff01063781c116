"""Grids: what they may say, what they mean, and what is told of those that make no sense."""

import itertools
import json
import math
from decimal import Decimal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from small import BASE, PARAMETERS

from gemexp import ExperimentConfig, InvalidInput
from gemexp.backtest import ranges
from gemexp.backtest.grid import MAX_COMBINATIONS, grid_from_value, read_grid

DECIMALS = st.decimals(-1000, 1000, places=4)
STEPS = st.decimals(Decimal("0.0001"), 10, places=4)


def grid(axes, **parts):
    return grid_from_value(
        {"base": BASE, "parameters": {"start": "2021-01-01", "end": "2022-01-01"}, **parts, "grid": axes}
    )


class TestRanges:
    @given(DECIMALS, STEPS, st.integers(0, 200), st.booleans())
    def test_steps_give_the_decimals_that_a_person_would_write(self, start, step, count, down):
        step = -step if down else step
        spec = {"from": float(start), "to": float(start + count * step), "step": float(step)}
        expected = [float(str(start + place * step)) + 0.0 for place in range(count + 1)]
        assert ranges.expand(spec, "grid.x") == expected

    @given(DECIMALS, DECIMALS, STEPS)
    def test_no_value_lies_beyond_the_end_and_none_is_missing(self, start, stop, step):
        spec = {"from": float(start), "to": float(stop), "step": float(step if stop >= start else -step)}
        assume(abs(stop - start) / step < 1000)
        values = ranges.expand(spec, "grid.x")
        assert values[0] == float(start)
        assert all(min(start, stop) <= Decimal(repr(value)) <= max(start, stop) for value in values)
        assert abs(stop - Decimal(repr(values[-1]))) < step

    @given(DECIMALS, DECIMALS, st.integers(2, 50))
    def test_counts_are_even_and_include_both_ends(self, start, stop, count):
        values = ranges.expand({"from": float(start), "to": float(stop), "count": count}, "grid.x")
        assert (len(values), values[0], values[-1]) == (count, float(start), float(stop))
        gap = (float(stop) - float(start)) / (count - 1)
        assert all(math.isclose(b - a, gap, abs_tol=1e-9) for a, b in itertools.pairwise(values))

    @given(st.floats(1e-12, 1e12), st.floats(1e-12, 1e12), st.integers(2, 50))
    def test_logarithmic_values_are_a_factor_apart_and_include_both_ends(self, start, stop, count):
        values = ranges.expand({"from": start, "to": stop, "count": count, "log": True}, "grid.x")
        assert (len(values), values[0], values[-1]) == (count, start, stop)
        factor = (stop / start) ** (1 / (count - 1))
        assert all(math.isclose(b / a, factor, rel_tol=1e-9) for a, b in itertools.pairwise(values))

    @pytest.mark.parametrize(
        ("spec", "values"),
        [
            ({"from": 0, "to": 0.3, "step": 0.1}, [0.0, 0.1, 0.2, 0.3]),
            ({"from": 0.1, "to": 0.35, "step": 0.1}, [0.1, 0.2, 0.3]),
            ({"from": 1, "to": 5, "step": 2}, [1, 3, 5]),
            ({"from": 5, "to": 1, "step": -2}, [5, 3, 1]),
            ({"from": 1, "to": 2, "count": 3}, [1.0, 1.5, 2.0]),
            ({"from": 1, "to": 9, "count": 3}, [1, 5, 9]),
            ({"from": 0.001, "to": 1, "count": 4, "log": True}, [0.001, 0.01, 0.1, 1.0]),
            ({"from": 1, "to": 1000, "count": 4, "log": True}, [1, 10, 100, 1000]),
            ({"from": 3, "to": 3, "step": 1}, [3]),
        ],
    )
    def test_values_and_their_types(self, spec, values):
        found = ranges.expand(spec, "grid.x")
        assert found == values
        assert list(map(type, found)) == list(map(type, values))

    @pytest.mark.parametrize(
        ("spec", "message"),
        [
            ({"from": 0, "to": 1}, "neither 'step' nor 'count'"),
            ({"from": 0, "to": 1, "step": 1, "count": 2}, "both 'step' and 'count'"),
            ({"from": 0, "step": 1}, "without 'to'"),
            ({"from": 0, "to": 1, "stepp": 1}, '"stepp"'),
            ({"from": 0, "to": 1, "step": 0}, "is 0"),
            ({"from": 0, "to": 1, "step": -1}, "leads away"),
            ({"from": 0, "to": math.inf, "step": 1}, "grid.x.to"),
            ({"from": "30d", "to": 1, "step": 1}, "grid.x.from"),
            ({"from": True, "to": 1, "step": 1}, "grid.x.from"),
            ({"from": 0, "to": 1, "count": 1}, "at least 2"),
            ({"from": 0, "to": 1, "count": 2.0}, "grid.x.count"),
            ({"from": 0, "to": 1, "count": 3, "log": True}, "reaches 0"),
            ({"from": 1, "to": 2, "step": 1, "log": True}, "goes with 'count'"),
            ({"from": 1, "to": 2, "count": 2, "log": 1}, "grid.x.log"),
            ({"from": 0, "to": 1e9, "step": 1e-9}, "1,000,000,000,000,000,001 values"),
            ({"from": 0, "to": 1, "count": 10**12}, "values"),
        ],
    )
    def test_what_is_wrong_is_said_with_a_hint(self, spec, message):
        with pytest.raises(InvalidInput, match=r"'grid\.x") as caught:
            ranges.expand(spec, "grid.x")
        assert message in caught.value.message
        assert caught.value.hint


class TestMeaning:
    def test_combinations_are_all_of_them_in_the_order_of_the_file(self):
        axes = {"k": [3, 1], "walk": ["60d", "2w"], "hyperparameters.note": ["b", None, [1]]}
        found = grid(axes)
        expected = itertools.product([3, 1], ["60d", "14d"], ["b", None, [1]])
        assert len(found) == 12
        assert [tuple(found.settings(place).values()) for place in range(12)] == list(expected)
        assert list(found.settings(0)) == list(axes)

    def test_a_combination_is_the_experiment_that_one_backtest_registers(self):
        found = grid({"k": [3], "feature_weights.mom_63": [1], "feature_transformations.mom_63": ["zscore"]})
        number, settings, experiment, parameters = found.combination(0, ExperimentConfig.from_dict(BASE))
        assert (number, settings["k"], parameters.k) == (0, 3, 3)
        assert experiment.feature_weights == {"mom_63": 1.0, "low_vol_63": 0.5}
        assert experiment.feature_transformations == {"mom_63": "zscore"}
        assert experiment.hyperparameters == parameters.to_dict()

    def test_formats_and_spellings_mean_the_same(self, tmp_path):
        texts = {
            "a.yaml": "parameters: {start: 2021-01-01, end: 2022-01-01}\ngrid: {k: [1, 2], "
            "feature_weights.mom_63: {from: 0, to: 1, step: 0.5}}\n",
            "b.toml": "[parameters]\nstart = 2021-01-01\nend = '2022-01-01'\n[grid]\nhyperparameters.k = [1, 2]\n"
            "[grid.feature_weights]\nmom_63 = {from = 0, to = 1, step = 0.5}\n",
            "c.json": json.dumps(
                {
                    "parameters": {"start": "2021-01-01", "end": "2022-01-01"},
                    "grid": {"k": [1, 2], "feature_weights": {"mom_63": [0, 0.5, 1]}},
                }
            ),
        }
        read = []
        for name, text in texts.items():
            (tmp_path / name).write_text(text, "utf-8")
            found = read_grid(tmp_path / name)
            read.append((found.base, found.parameters, found.axes))
        assert read[0] == read[1] == read[2]

    def test_parameters_of_the_base_hold_where_the_grid_has_none(self):
        base = ExperimentConfig.from_dict({**BASE, "hyperparameters": {**PARAMETERS, "k": 4, "bps": 0, "note": "n"}})
        found = grid_from_value({"parameters": {"bps": 5}, "grid": {"lag": [1, 2]}}).on(base)
        _, _, experiment, parameters = found.combination(1, base)
        assert (parameters.k, parameters.bps, parameters.lag) == (4, 5.0, 2)
        assert experiment.hyperparameters["note"] == "n"


class TestErrors:
    @pytest.mark.parametrize(
        ("value", "message", "hint"),
        [
            ([], "is no map", "parts"),
            ({"gird": {}}, '"gird"', "'grid'"),
            ({"grid": {}}, "has no 'grid'", "map what varies"),
            ({"parameters": {"k": 3}}, "has no 'grid'", "map what varies"),
            ({"parameters": [1], "grid": {"k": [1]}}, "'parameters' is no map", "k: 5"),
            ({"parameters": {"wlak": "30d"}, "grid": {"k": [1]}}, "'parameters.wlak'", "'walk'"),
            ({"parameters": {"k": 0}, "grid": {"lag": [1]}}, "'parameters.k' is 0", "--help"),
            ({"parameters": {"start": "soon"}, "grid": {"k": [1]}}, "'parameters.start'", "YYYY-MM-DD"),
            ({"base": 3, "grid": {"k": [1]}}, "'base' is no configuration", "REV"),
            ({"base": {"feature_name": []}, "grid": {"k": [1]}}, "'base.feature_name'", "feature_names"),
            ({"grid": {"kk": [1]}}, "'grid.kk'", "'k'"),
            ({"grid": {"mom_12_1": [1]}}, "'grid.mom_12_1'", "feature_weights"),
            ({"grid": {"k": 5}}, "'grid.k' is one value", "[3, 5]"),
            ({"grid": {"k": []}}, "'grid.k' is an empty list", "[3, 5]"),
            ({"grid": {"k": {"form": 1, "to": 5}}}, "'grid.k'", "'from'"),
            ({"grid": {"k": [1, "x"]}}, "'grid.k[1]' is 'x'", "--help"),
            ({"grid": {"k": {"from": 1, "to": 2, "step": 0.5}}}, "'grid.k[0]' is '1.0'", "--help"),
            ({"grid": {"walk": ["2w", "14d"]}}, "'grid.walk[1]' is the same as 'grid.walk[0]'", "once"),
            ({"grid": {"bps": [1, 1.0]}}, "'grid.bps[1]' is the same", "once"),
            ({"grid": {"feature_names": [["a", "b"], ["b", "a"]]}}, "is the same as", "once"),
            ({"grid": {"feature_weights.a": ["x"]}}, "'grid.feature_weights.a[0]' is \"x\"", "number"),
            ({"grid": {"feature_weights.a": [math.inf]}}, "not a finite number", "number"),
            ({"grid": {"feature_weights.a.b": [1]}}, "'grid.feature_weights.a.b'", "shorten"),
            ({"grid": {"feature_weights": {}}}, "'grid.feature_weights' is empty", "list of values"),
            ({"grid": {"a b": [1]}}, "is no path", "quoted"),
            ({"grid": {"hyperparameters.x": [1], "hyperparameters": {"x": [2]}}}, "the same value", "remove"),
            ({"grid": {"hyperparameters.x": [1], "hyperparameters.x.y": [2]}}, "the same value", "remove"),
            ({"grid": {"k": [1], "hyperparameters.k": [2]}}, "the same value", "remove"),
            ({"parameters": {"k": 3}, "grid": {"k": [1]}}, "'parameters' and under 'grid'", "remove"),
            ({"grid": {1: [1]}}, "has the key 1", "quote"),
            ({"grid": {"hyperparameters.x": [2**70]}}, "'grid.hyperparameters.x[0]'", ""),
        ],
    )
    def test_one_line_names_file_place_and_a_way_out(self, value, message, hint):
        with pytest.raises(InvalidInput) as caught:
            grid_from_value(value, source="g.yaml")
        assert str(caught.value).startswith("'g.yaml': ")
        assert message in str(caught.value)
        assert "\n" not in str(caught.value)
        assert hint in (caught.value.hint or "")

    def test_a_grid_that_is_too_large_is_told_and_never_built(self):
        axes = {f"hyperparameters.x{place}": {"from": 1, "to": 1000, "step": 1} for place in range(3)}
        with pytest.raises(InvalidInput, match=f"1,000,000,000 combinations, more than {MAX_COMBINATIONS:,}"):
            grid(axes)
        assert len(grid(dict(list(axes.items())[:2]))) == MAX_COMBINATIONS

    def test_a_start_that_nobody_gives_is_told_before_anything_runs(self):
        found = grid_from_value({"parameters": {"end": "2022-01-01"}, "grid": {"k": [1]}}, source="g.yaml")
        with pytest.raises(InvalidInput, match="has no 'start'"):
            found.on(ExperimentConfig.from_dict(BASE))
        with pytest.raises(InvalidInput, match=r"'base\.hyperparameters\.k'"):
            found.on(ExperimentConfig.from_dict({**BASE, "hyperparameters": {"k": "ten"}}))
