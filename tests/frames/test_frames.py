"""Tables hold the values that the configs have, in columns of one type each."""

import io
import math
import sys
from datetime import UTC, datetime

import naive_tables as naive
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet
from strategies import configs, keys, numbers, scalars, texts

from gemexp import ExperimentConfig, ExperimentRegistry, InvalidInput, NotFound, UsageError
from gemexp.config import instant
from gemexp.frames import columns, in_arrow

KINDS = ("pandas", "polars", "arrow")

_times = st.sampled_from(["2024-01-31T09:00:00Z", "0001-01-02T00:00:00", "9999-12-31T23:59:59.999999Z"])
_mixed = st.one_of(
    st.lists(st.one_of(st.none(), st.integers(-3, 3), st.floats(), st.booleans(), texts), max_size=3),
    st.lists(numbers, max_size=3),
    st.sampled_from([{}, {"deep": {"er": 1}}, {"deep": {}}, [[1], [2]], [{"a": 1}]]),
    scalars,
)
_few_keys = st.dictionaries(st.sampled_from(["a", "k.d", "é", "m"]), _mixed, max_size=4)
_some = st.one_of(
    configs(hyperparameters=_few_keys, created_at=_times),
    configs(hyperparameters=st.dictionaries(keys, numbers, max_size=3).filter(lambda one: list(one) != ["$float"])),
)
_metrics = st.one_of(
    st.none(), st.dictionaries(st.sampled_from(["sharpe", "a.b"]), st.one_of(st.none(), st.integers(0, 9), st.floats()))
)


def typed_columns(table, kind):
    """Return the type and the values of each column, in our words and Python's values."""
    if kind == "polars":
        names = {
            pl.String: "text",
            pl.Boolean: "bool",
            pl.Int64: "int",
            pl.UInt64: "uint",
            pl.Float64: "float",
        }
        return {
            name: (
                f"list of {names[type_.inner]}" if isinstance(type_, pl.List) else names.get(type_, "time"),
                values,
            )
            for name, type_, values in zip(table.columns, table.dtypes, (one.to_list() for one in table), strict=True)
        }
    names = {
        pa.string(): "text",
        pa.bool_(): "bool",
        pa.int64(): "int",
        pa.uint64(): "uint",
        pa.float64(): "float",
        pa.timestamp("us", "UTC"): "time",
    }
    found = {}
    for field in table.schema:
        if pa.types.is_list(field.type):
            type_ = f"list of {names[field.type.value_type]}"
        else:
            type_ = "json" if (field.metadata or {}).get(b"gemexp") == b"json" else names[field.type]
        found[field.name] = (type_, table.column(field.name).to_pylist())
    return found


def filled(folder, drawn):
    """Make a store of (config, metrics) pairs; return it with the rows that tables of it have, newest first."""
    registry = ExperimentRegistry(folder)
    measured = {}
    for config, metrics in drawn:
        registry.register(config)
        if metrics is not None:
            registry.record(config, metrics)
            measured[config.config_hash] = metrics
    listed = registry.list_all(None)
    return registry, listed, [naive.row(config, measured.get(config.config_hash)) for config in listed]


@settings(max_examples=25)
@given(drawn=st.lists(st.tuples(_some, _metrics), max_size=5))
def test_every_table_has_the_values_and_types_of_the_configs(tmp_path_factory, drawn):
    registry, listed, rows = filled(tmp_path_factory.mktemp("store") / "store", drawn)
    values = {name: [row.get(name) for row in rows] for row in rows for name in row}
    types = {
        name: naive.type_of(column, "float" if name.startswith("metric.") else "text")
        for name, column in values.items()
    }
    for kind in ("polars", "arrow"):
        found = typed_columns(registry.to_frame(kind), kind)
        assert list(found)[:5] == list(naive.FIXED)
        assert found.keys() - set(naive.FIXED) == values.keys()
        check_fixed(found, listed)
        for name, type_ in types.items():
            shown = "text" if type_ == "json" and kind == "polars" else type_
            assert found[name][0] == shown
            assert naive.same(
                [naive.read(value, type_) for value in found[name][1]],
                [naive.cell(value, type_) for value in values[name]],
            )
    check_pandas(registry.to_frame(), listed, values, types)
    check_parquet(registry, listed)


def check_fixed(found, listed):
    assert {name: found[name][0] for name in naive.FIXED} == {
        "config_hash": "text",
        "created_at": "time",
        "description": "text",
        "tags": "list of text",
        "feature_names": "list of text",
    }
    assert found["config_hash"][1] == [config.config_hash for config in listed]
    assert found["created_at"][1] == [instant(config.created_at) for config in listed]
    for name in ("description", "tags", "feature_names"):
        assert found[name][1] == [getattr(config, name) for config in listed]


def check_pandas(frame, listed, values, types):
    dtypes = {
        "text": "string",
        "json": "string",
        "bool": "boolean",
        "int": "Int64",
        "uint": "UInt64",
        "float": "float64",
    }
    assert frame["config_hash"].tolist() == [config.config_hash for config in listed]
    assert frame["created_at"].to_list() == [instant(config.created_at) for config in listed]
    assert frame["tags"].tolist() == [config.tags for config in listed]
    assert str(frame["created_at"].dtype) == "datetime64[us, UTC]"
    for name, type_ in types.items():
        assert frame[name].dtype == dtypes.get(type_, "object")
        missing = math.nan if type_ == "float" else None  # pandas does not tell one from the other
        found = [None if value is pd.NA else value for value in frame[name].tolist()]
        expected = [missing if value is None else naive.cell(value, type_) for value in values[name]]
        assert naive.same([naive.read(value, type_) for value in found], expected)


def check_parquet(registry, listed):
    file = io.BytesIO()
    assert registry.write_parquet(file) == len(listed)
    table = parquet.read_table(io.BytesIO(file.getvalue()))
    whole = [ExperimentConfig.from_json(text) for text in table.column("config").to_pylist()]
    assert sorted(whole, key=lambda one: one.config_hash) == whole
    assert {one.config_hash: one for one in whole} == {one.config_hash: one for one in listed}
    columns = table.drop_columns(["config"]).sort_by([("created_at", "descending"), ("config_hash", "descending")])
    assert columns.schema == registry.to_frame("arrow").schema
    ours, theirs = (typed_columns(one, "arrow") for one in (columns, registry.to_frame("arrow")))
    assert ours.keys() == theirs.keys()
    assert all(naive.same(list(ours[name]), list(theirs[name])) or name == "created_at" for name in ours)


def values_of(frame, name, kind):
    """Return a column's values as Python's, with None for what is missing."""
    column = frame[name].to_pylist() if kind == "arrow" else frame[name].to_list()
    return [None if value is pd.NA else value for value in column]


@pytest.mark.parametrize("kind", KINDS)
def test_one_fraction_after_two_hundred_integers_is_kept(registry, kind):
    """Libraries that infer a type from the first hundred rows make it 0."""
    registry.add_many(
        ExperimentConfig([], {}, {"x": 1 if n < 200 else 0.5, "n": n}, created_at=f"2024-01-01T00:00:00.{999 - n:06}Z")
        for n in range(201)
    )
    frame = registry.to_frame(kind, columns=["hyperparameters.x"])
    assert values_of(frame, "hyperparameters.x", kind) == [1.0] * 200 + [0.5]


@pytest.mark.parametrize("kind", KINDS)
def test_integers_beyond_what_a_float_holds_stay_exact_beside_nothing(registry, kind):
    for value in (2**53 + 1, -(2**63), 2**63 - 1):
        registry.register(ExperimentConfig([], {}, {"n": value, "u": 2**64 - 1 if value > 0 else 1}))
    registry.register(ExperimentConfig([], {}, {"other": True}))
    frame = registry.to_frame(kind)
    assert set(values_of(frame, "hyperparameters.n", kind)) == {2**53 + 1, -(2**63), 2**63 - 1, None}
    assert set(values_of(frame, "hyperparameters.u", kind)) == {2**64 - 1, 1, None}


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_store_has_the_columns_that_every_config_has(registry, kind):
    frame = registry.to_frame(kind)
    assert frame.shape == (0, 5)
    assert registry.to_frame(kind, columns=["metric.sharpe", "config_hash"]).shape == (0, 2)


@pytest.mark.parametrize("kind", KINDS)
def test_five_thousand_columns(registry, kind):
    for number in range(3):
        wide = {f"p{column}": column + number for column in range(number, 5000)}
        registry.register(ExperimentConfig([], {}, wide, created_at=f"2024-01-0{number + 1}"))
    frame = registry.to_frame(kind, columns=["hyperparameters"])
    assert frame.shape == (3, 5000)
    assert values_of(frame, "hyperparameters.p0", kind) == [None, None, 0]
    assert values_of(frame, "hyperparameters.p4999", kind) == [5001, 5000, 4999]


@pytest.mark.parametrize("kind", KINDS)
def test_many_rows_come_in_several_chunks(registry, kind, monkeypatch):
    monkeypatch.setattr(columns, "_CHUNK_CELLS", 100)
    registry.add_many(
        ExperimentConfig([], {}, {"n": n, "only" if n == 30 else "rest": n}, created_at=f"2024-01-01T00:00:{n:02}Z")
        for n in range(60)
    )
    frame = registry.to_frame(kind)
    assert values_of(frame, "hyperparameters.n", kind) == list(range(59, -1, -1))
    assert values_of(frame, "hyperparameters.only", kind) == [None] * 29 + [30] + [None] * 30
    file = io.BytesIO()
    monkeypatch.setattr(in_arrow, "_GROUP_BYTES", 100)
    assert registry.write_parquet(file) == 60
    written = parquet.ParquetFile(file)
    assert written.num_row_groups > 5
    assert set(written.read().column("hyperparameters.n").to_pylist()) == set(range(60))


def test_more_columns_than_a_table_can_have_are_refused_unless_some_are_named(registry):
    for number in range(11):
        registry.register(ExperimentConfig([], {}, {f"p{number}-{column}": column for column in range(1000)}))
    with pytest.raises(InvalidInput, match="more than 10000 different paths") as caught:
        registry.to_frame("polars")
    assert "name the columns" in caught.value.hint
    assert registry.to_frame("polars", columns=["hyperparameters.p3-7"])[
        "hyperparameters.p3-7"
    ].drop_nulls().to_list() == [7]


class TestColumns:
    @pytest.fixture
    def registry(self, registry):
        first = ExperimentConfig(
            ["f"],
            {"f": 1},
            {"lr": 0.1, "model": {"depth": 3, "kind": "gbdt"}, "k.d": [1]},
            tags=["a"],
            created_at="2024-01-01",
        )
        second = ExperimentConfig([], {}, {"lr": 1, "model": 5}, tags=["a", "b"], created_at="2024-01-02")
        registry.add_many([first, second])
        registry.record(first, {"sharpe": 1.5})
        return registry

    @pytest.mark.parametrize(
        ("named", "expected"),
        [
            (["hyperparameters.lr", "config_hash"], ["hyperparameters.lr", "config_hash"]),
            (["metric", "metric.sharpe"], ["metric.sharpe"]),
            (
                ["hyperparameters.model"],
                ["hyperparameters.model", "hyperparameters.model.depth", "hyperparameters.model.kind"],
            ),
            (["hyperparameters.model.kind"], ["hyperparameters.model.kind"]),
            (["hyperparameters.model.kind", "hyperparameters.model"], 3),
            (['hyperparameters."k.d"'], ['hyperparameters."k.d"']),
            (["config"], ["config"]),
            ([], []),
        ],
    )
    def test_those_that_are_named_come_in_that_order_with_all_below(self, registry, named, expected):
        for kind in KINDS:
            frame = registry.to_frame(kind, columns=named)
            found = frame.column_names if kind == "arrow" else list(frame.columns)
            assert found == expected if isinstance(expected, list) else len(found) == expected

    def test_the_whole_config_is_one_of_them_on_request(self, registry):
        (newest, _) = registry.to_frame("polars", columns=["config"])["config"]
        assert ExperimentConfig.from_json(newest) == registry.list_all()[0]

    @pytest.mark.parametrize(
        ("column", "hint"),
        [
            ("hash", "did you mean 'config_hash'?"),
            ("lr", "did you mean 'hyperparameters.lr'?"),
            ("tags.a", "did you mean"),
            ('hyperparameters."k.d"[0]', "a list is one column as a whole"),
        ],
    )
    def test_what_can_be_none_is_refused_with_a_guess(self, registry, column, hint):
        with pytest.raises(InvalidInput, match="there is no column") as caught:
            registry.to_frame(columns=[column])
        assert hint in caught.value.hint

    def test_a_column_that_no_config_has_is_not_found(self, registry):
        with pytest.raises(NotFound, match=r"no config has the column 'hyperparameters\.model\.dpeth'"):
            registry.to_frame(columns=["hyperparameters.model.dpeth"])
        with pytest.raises(NotFound):
            registry.to_frame(columns=["hyperparameters.lr.deeper"])

    def test_a_map_that_is_empty_in_all_configs_has_no_columns(self, registry):
        named = ["feature_transformations", "config_hash", "metric"]
        assert registry.to_frame("polars", tag="b", columns=named).columns == ["config_hash"]

    def test_text_is_no_list_of_columns(self, registry):
        with pytest.raises(InvalidInput, match="not a list"):
            registry.to_frame(columns="tags")

    def test_metrics_are_left_out_on_request(self, registry):
        assert "metric.sharpe" in registry.to_frame().columns
        assert not [name for name in registry.to_frame(metrics=False).columns if name.startswith("metric")]

    @pytest.mark.parametrize(
        ("chosen", "days"),
        [
            ({"where": "lr < 0.5"}, [1]),
            ({"tag": "a"}, [2, 1]),
            ({"tag": "b"}, [2]),
            ({"where": "metric.sharpe > 1", "tag": "b"}, []),
            ({"where": "metric.sharpe > 1", "tag": "a"}, [1]),
        ],
    )
    def test_rows_are_chosen_by_expression_and_tag(self, registry, chosen, days):
        for kind in KINDS:
            frame = registry.to_frame(kind, columns=["created_at"], **chosen)
            assert values_of(frame, "created_at", kind) == [datetime(2024, 1, day, tzinfo=UTC) for day in days]


def test_a_kind_that_there_is_not_is_a_usage_error(registry):
    with pytest.raises(UsageError, match="'excel'") as caught:
        registry.to_frame("excel")
    assert "pandas, polars, arrow" in caught.value.hint


def test_a_library_that_is_missing_is_named_with_its_extra(registry, monkeypatch):
    for kind, extra in (("pandas", "pandas"), ("polars", "polars"), ("arrow", "parquet")):
        monkeypatch.setitem(sys.modules, "pyarrow" if kind == "arrow" else kind, None)
        with pytest.raises(InvalidInput) as caught:
            registry.to_frame(kind)
        assert caught.value.hint == f"pip install 'gemexp[{extra}]'"
