import gzip
import hashlib
import os

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from panels import BAD, DELISTED, VOLUME, panel_of, random_rows

from gemexp.backtest import Panel, read_panel, sample_panel
from gemexp.backtest.panel_text import parse_csv
from gemexp.errors import InvalidInput, InvalidText

OK = b"date,asset,close\n2020-01-01,A,1\n2020-01-01,B,2.5\n2020-01-02,A,1.25\n"


def parse(data, **options):
    return parse_csv(data, "p.csv", **options)


@pytest.mark.parametrize(
    ("name", "line", "words"),
    [
        ("bad_date", 7, "'date' is \"2010-13-01\", not a date"),
        ("blank_asset", 7, "'asset' is blank"),
        ("blank_price", 7, "'close' is blank"),
        ("duplicate", 7, 'repeats 2010-01-05 of "AMD", which stands on line 6'),
        ("empty", None, "is empty"),
        ("header_only", None, "has a header and no rows"),
        ("inf_price", 7, "'close' is \"inf\""),
        ("latin1", 2, "is not UTF-8"),
        ("missing_column", 1, "has no column 'close'"),
        ("nan_price", 7, "'close' is \"nan\""),
        ("negative_price", 7, "'close' is \"-1.5\""),
        ("negative_volume", 7, "'volume' is \"-3\""),
        ("short_row", 7, "has 2 fields, not 3"),
        ("text_price", 7, "'close' is \"12,5\""),
        ("unsorted", 6, "is not in order of date and asset"),
        ("zero_price", 7, "'close' is \"0\""),
    ],
)
def test_malformed_panel_names_file_and_line(name, line, words):
    path = os.path.join(BAD, f"{name}.csv")
    with pytest.raises(InvalidText) as caught:
        read_panel(path)
    assert caught.value.line == line
    assert caught.value.source == path
    assert words in caught.value.message
    assert str(caught.value).startswith(f"'{path}:{line}': " if line else f"'{path}': ")
    assert "\n" not in str(caught.value)


def test_every_malformed_panel_is_tested():
    names = {name.removesuffix(".csv") for name in os.listdir(BAD)} - {"ok"}
    tested = next(mark for mark in test_malformed_panel_names_file_and_line.pytestmark if mark.name == "parametrize")
    assert names == {case[0] for case in tested.args[1]}


@pytest.mark.parametrize(
    ("data", "line", "words"),
    [
        (b"date,asset,close,close\n", 1, 'has the column "close" twice'),
        (b"date,asset,close,\n", 1, "column 4 has no name"),
        (OK + b"2020-01-02,B,1,7\n", 5, "has 4 fields, not 3"),
        (OK + b"\n2020-01-03,B,1\n", 5, "has 0 fields, not 3"),
        (OK + b"2020-01-02 ,B,1\n", 5, "not a date"),
        (OK + b"20200102,B,1\n", 5, "not a date"),
        (OK + b"2020-01-02T00:00,B,1\n", 5, "not a date"),
        (OK + b"2020-01-02,B,1_000\n", 5, "'close' is \"1_000\""),
        (OK + b"2020-01-02,B, 1\n", 5, "'close' is \" 1\""),
        (OK + "2020-01-02,B,\u0661\n".encode(), 5, "'close' is"),
        (OK + b"2020-01-02,B,1e999\n", 5, "'close' is \"1e999\""),
        (OK + b'2020-01-02,"B\n", x\n', 6, "'close' is \" x\""),
        (OK + b'2020-01-02,"B" x,1\n', 5, "is not CSV"),
        (b"date,asset,close,volume\n2020-01-01,A,1,\n", 2, "'volume' is blank"),
        (b"date,asset,close,dollar_volume\n2020-01-01,A,1,-1\n", 2, "'dollar_volume' is \"-1\""),
        (b"date,asset,close,market_cap\n2020-01-01,A,1,0\n", 2, "'market_cap' is \"0\""),
        (b"date,asset,close,market_cap\n2020-01-01,A,1,-nan\n", 2, "'market_cap' is \"-nan\""),
        (b"date,asset,close,Mood\n2020-01-01,A,1,0.5\n2020-01-01,B,1,high\n", 3, "'Mood' is \"high\""),
        (b"date,asset,close,Mood\n2020-01-01,A,1,nan\n2020-01-01,B,1,2\n", 2, "'Mood' is \"nan\""),
        (b" \n", None, "is empty"),
    ],
)
def test_other_malformed_rows_name_their_line(data, line, words):
    with pytest.raises(InvalidText) as caught:
        parse(data)
    assert (caught.value.line, words in caught.value.message) == (line, True), caught.value


def test_first_bad_line_is_named_beyond_the_first_chunk():
    rows = [
        f"{2000 + n // 12 // 28 // 40}-{n // 28 // 40 % 12 + 1:02}-{n // 40 % 28 + 1:02},A{n % 40:02},1"
        for n in range(70_000)
    ]
    rows[69_000] = rows[69_000][:-1] + "x"
    rows[69_500] = rows[69_500][:-1] + "y"
    with pytest.raises(InvalidText) as caught:
        parse("\n".join(["date,asset,close", *rows]).encode())
    assert caught.value.line == 69_002


def test_duplicate_far_apart_in_an_unsorted_file_names_both_lines():
    data = OK + b"2019-01-01,A,3\n2020-01-01,B,9\n"
    for sort in (False, True):
        with pytest.raises(InvalidText, match="which stands on line 3") as caught:
            parse(data, sort=sort)
        assert caught.value.line == 6


def test_sort_accepts_an_unsorted_file_and_gives_the_same_panel():
    ok, unsorted = (os.path.join(BAD, f"{name}.csv") for name in ("ok", "unsorted"))
    assert read_panel(unsorted, sort=True).digest == read_panel(ok).digest


def test_windows_line_ends_a_byte_order_mark_and_quotes_change_nothing():
    quoted = b'"date","asset","close"\r\n2020-01-01,"A",1\r\n2020-01-01,B,2.5\r\n2020-01-02,A,1.25\r\n'
    assert parse(b"\xef\xbb\xbf" + quoted).digest == parse(OK).digest


def test_digest_is_the_sha256_of_the_canonical_csv_written_by_hand():
    text = "asset,close,date\nA,1.0,2020-01-01\nB,2.5,2020-01-01\nA,1.25,2020-01-02\n"
    assert parse(OK).to_csv() == text
    assert parse(OK).digest == hashlib.sha256(text.encode()).hexdigest()


def test_digest_does_not_know_the_order_of_rows_and_columns():
    data = b"Mood,close,asset,date\n,1.25,A,2020-01-02\n.5,2.5,B,2020-01-01\n1e-1,1.,A,2020-01-01\n"
    same = b"date,asset,close,Mood\n2020-01-01,A,1,0.1\n2020-01-01,B,2.50,0.5\n2020-01-02,A,1.25,\n"
    assert parse(data, sort=True).digest == parse(same).digest


def test_any_changed_value_changes_the_digest():
    digests = {
        parse(OK.replace(old, new)).digest for old, new in [(b"", b""), (b"2.5", b"2.500000000000001"), (b"B", b"b")]
    }
    assert len(digests) == 3


@pytest.mark.parametrize("seed", range(5))
def test_canonical_csv_reads_back_as_the_same_panel(seed):
    panel = panel_of(random_rows(seed, days=40))
    again = parse(panel.to_csv().encode(), sort=True)
    assert again.digest == panel.digest
    assert again.assets == panel.assets
    np.testing.assert_array_equal(again.close, panel.close)
    np.testing.assert_array_equal(again.columns["Mood"], panel.columns["Mood"])


def test_names_that_need_quotes_survive():
    names = ["with,comma", 'with "quotes"', "with\nbreak", "with\rreturn"]
    panel = Panel.from_arrays(["2020-01-01"], names, [[1, 2, 3, 4]])
    again = parse(panel.to_csv().encode(), sort=True)
    assert again.assets == tuple(sorted(names))
    assert again.digest == panel.digest


def test_assets_stand_in_order_of_code_points():
    panel = Panel.from_arrays(["2020-01-01"], ["b", "Ä", "a", "B"], [[1, 2, 3, 4]])
    assert panel.assets == ("B", "a", "b", "Ä")
    assert panel.close.tolist() == [[4, 3, 1, 2]]


def test_dates_and_assets_without_a_close_are_no_part_of_the_panel():
    nan = float("nan")
    panel = Panel.from_arrays(["2020-01-02", "2020-01-01", "2020-01-03"], ["A", "B"], [[1, nan], [nan, nan], [2, nan]])
    assert panel.assets == ("A",)
    assert panel.close.tolist() == [[1.0], [2.0]]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((["2020-01-01"], ["A"], [[0.0]]), "'close' of \"A\" on 2020-01-01 is 0.0"),
        ((["2020-01-01"], ["A"], [[float("inf")]]), "is inf"),
        ((["2020-01-01"], ["A"], [[float("nan")]]), "at least one close"),
        ((["2020-01-01"], ["A"], [1.0]), "has the shape"),
        ((["2020-01-01"], ["A"], [["x"]]), "not a table of numbers"),
        ((["2020-01-01"] * 2, ["A"], [[1.0], [1.0]]), "must differ"),
        ((["yesterday"], ["A"], [[1.0]]), "must be dates"),
        ((["2020-01-01"], ["A", "A"], [[1.0, 1.0]]), "different names"),
        ((["2020-01-01"], [" "], [[1.0]]), "no text or blank"),
        ((["2020-01-01"], ["\ud800"], [[1.0]]), "lone surrogate"),
    ],
)
def test_arrays_that_are_no_panel_are_refused(arguments, words):
    with pytest.raises(InvalidInput, match=words):
        Panel.from_arrays(*arguments)


def test_a_panel_cannot_be_changed():
    panel = parse(OK)
    with pytest.raises(ValueError, match="read-only"):
        panel.close[0, 0] = 2.0


def test_a_column_of_text_is_left_out_and_named():
    panel = parse(b"date,asset,close,sector\n2020-01-01,A,1,tech\n2020-01-01,B,1,\n")
    assert panel.ignored == ("sector",)
    assert panel.columns == {}


def test_dollar_volume_is_close_times_volume_unless_given():
    assert read_panel(VOLUME).dollar_volume is not None
    panel = parse(b"date,asset,close,volume\n2020-01-01,A,2.5,10\n")
    assert panel.dollar_volume is None
    assert panel.value_traded.tolist() == [[25.0]]


@pytest.mark.parametrize("dates", ["text", "date", "timestamp"])
def test_parquet_gives_the_same_panel_as_csv(tmp_path, dates):
    panel = panel_of(random_rows(3, days=30))
    header, *lines = panel.to_csv().splitlines()
    rows = sorted(
        (dict(zip(header.split(","), line.replace('"C,1"', "C1").split(","), strict=True)) for line in lines),
        key=lambda r: (r["date"], r["asset"]),
    )
    numbers = [name for name in rows[0] if name not in ("date", "asset")]
    columns = {name: pa.array([float(r[name]) if r[name] else None for r in rows]) for name in numbers}
    columns["asset"] = pa.array([r["asset"] for r in rows])
    columns["date"] = pa.array(np.array([r["date"] for r in rows], dtype="datetime64[D]"))
    if dates != "date":
        columns["date"] = columns["date"].cast(pa.string() if dates == "text" else pa.timestamp("ns"))
    path = str(tmp_path / "panel.parquet")
    pq.write_table(pa.table(columns), path)
    csv = "\n".join([header, *(",".join(r[name] for name in header.split(",")) for r in rows)]).encode()
    assert read_panel(path).digest == parse(csv).digest


@pytest.mark.parametrize(
    ("dates", "close", "words"),
    [
        (pa.array([0, 1], pa.timestamp("s", tz="UTC")), [1.0, 2.0], "row 1: 'date' is"),
        (pa.array([0, 90_000], pa.timestamp("s")), [1.0, 2.0], "row 2: 'date' is"),
        (pa.array([0, 1], pa.date32()), [1.0, float("nan")], "row 2: 'close' is blank"),
        (pa.array([0, 0], pa.date32()), [1.0, 1.0], 'row 2: repeats 1970-01-01 of "A", which stands on row 1'),
        (pa.array([1, 0], pa.date32()), [1.0, 1.0], "row 2: is not in order"),
    ],
)
def test_bad_parquet_names_the_row(tmp_path, dates, close, words):
    path = str(tmp_path / "panel.parquet")
    pq.write_table(pa.table({"date": dates, "asset": ["A", "A"], "close": close}), path)
    with pytest.raises(InvalidText) as caught:
        read_panel(path)
    assert words in caught.value.message
    assert caught.value.line is None


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("panel.xlsx", b"", "is no panel by its name"),
        ("panel.csv.gz", b"not gzip", "is not a gzip file"),
        ("panel.csv.gz", gzip.compress(OK * 99, mtime=0)[:40], "is not a gzip file"),
        ("panel.parquet", b"PAR1 nonsense PAR1", "is not a Parquet file"),
        ("panel.csv", None, "cannot be read"),
    ],
)
def test_a_file_of_another_kind_is_refused(tmp_path, name, data, words):
    path = tmp_path / name
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(InvalidInput, match=words) as caught:
        read_panel(path)
    assert caught.value.source == str(path)


def test_parsed_panel_comes_from_the_cache_unless_it_is_damaged(tmp_path):
    cache = str(tmp_path / "cache")
    first = read_panel(DELISTED, cache=cache)
    (entry,) = os.listdir(cache)
    again = read_panel(DELISTED, cache=cache)
    assert (again.digest, again.assets) == (first.digest, first.assets)
    np.testing.assert_array_equal(again.close, first.close)
    path = os.path.join(cache, entry)
    with open(path, "r+b") as file:
        file.truncate(1000)
    assert read_panel(DELISTED, cache=cache).digest == first.digest
    assert os.path.getsize(path) > 1000


def test_what_sort_accepted_is_still_refused_without_it(tmp_path):
    cache, path = str(tmp_path), os.path.join(BAD, "unsorted.csv")
    read_panel(path, sort=True, cache=cache)
    with pytest.raises(InvalidText, match="is not in order"):
        read_panel(path, cache=cache)


def test_the_sample_ships_with_its_licence():
    panel = sample_panel()
    assert panel.close.shape == (3270, 20)
    folder = os.path.join(os.path.dirname(parse_csv.__code__.co_filename), "data")
    with open(os.path.join(folder, "LICENSE.skfolio"), encoding="utf-8") as file:
        assert "BSD 3-Clause" in file.read()
