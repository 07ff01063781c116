"""The where-language as text: what is read, what is refused, and where."""

import math
import time
from datetime import UTC, datetime

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gemexp import InvalidQuery
from gemexp.query import where
from gemexp.query.fields import FIELDS, Holds
from gemexp.query.syntax import (
    And,
    Compare,
    Exists,
    Field,
    In,
    Like,
    Not,
    Or,
    Period,
    conjunction,
    disjunction,
)
from gemexp.query.where import parse

NOW = datetime(2026, 10, 8, 12, 30, tzinfo=UTC)


def read(text):
    """Return a query, or what it was refused for."""
    try:
        return parse(text, now=NOW), None
    except InvalidQuery as error:
        return None, error


def hyper(*path):
    return Field("hyperparameters", path)


K, LR = hyper("k"), hyper("lr")
TAG = Field("tag")


def moments(*parts):
    return datetime(*parts, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("k = 10", Compare(K, "=", 10)),
        ("k==10", Compare(K, "=", 10)),
        ("hyperparameters.k = 10", Compare(K, "=", 10)),
        ("lr>0.01", Compare(LR, ">", 0.01)),
        ("lr<=-1e-3", Compare(LR, "<=", -0.001)),
        ("model.layers[0].size >= 3", Compare(hyper("model", "layers", 0, "size"), ">=", 3)),
        ('"a.b"."c d" = 1', Compare(hyper("a.b", "c d"), "=", 1)),
        ('hyperparameters."tag" = 1', Compare(hyper("tag"), "=", 1)),
        ('"not" = 1', Compare(hyper("not"), "=", 1)),
        ("not.x = 1", Compare(hyper("not", "x"), "=", 1)),
        ("inner = 1", Compare(hyper("inner"), "=", 1)),
        ("feature_weights.mom_5 > .5", Compare(Field("feature_weights", ("mom_5",)), ">", 0.5)),
        ("a = 1 and b = 2 or c = 3", "(a = 1 and b = 2) or c = 3"),
        ("a = 1 AND NOT b = 2", And((Compare(hyper("a"), "=", 1), Not(Compare(hyper("b"), "=", 2))))),
        ("not a = 1 and b = 2", "(not a = 1) and b = 2"),
        ("((a = 1 and b = 2) and c = 3)", "a = 1 and b = 2 and c = 3"),
        ("a = 1 or (b = 2 or c = 3)", "a = 1 or b = 2 or c = 3"),
        ("k != 10", And((Exists(K), Not(Compare(K, "=", 10))))),
        ("k not in [1]", And((Exists(K), Not(In(K, (1,)))))),
        ("k not like a%", And((Exists(K), Not(Like(K, "a%"))))),
        ("tag != best", Not(Compare(TAG, "=", "best"))),
        ("tag not in [a, b]", Not(In(TAG, ("a", "b")))),
        ("k in [3, 5, x, 'y z', null, true]", In(K, (3, 5, "x", "y z", None, True))),
        ("k in []", In(K, ())),
        ("tag like 'k=%'", Like(TAG, "k=%")),
        ("exists lr", Exists(LR)),
        ("lr exists", Exists(LR)),
        ("metric.sharpe >= 1", Compare(Field("metric", ("sharpe",)), ">=", 1)),
        ('metric."val.loss" = null', Compare(Field("metric", ("val.loss",)), "=", None)),
        ("runs > 0", Compare(Field("runs"), ">", 0)),
        ("hash = 3F2A", Compare(Field("hash"), "=", "3f2a")),
        ("parent in ['3f2a', beef]", In(Field("parent"), ("3f2a", "beef"))),
        ("description = 'a b'", Compare(Field("description"), "=", "a b")),
        ("data = prices@1", Compare(Field("data"), "=", "prices@1")),
        ("data.panel[1] = 2", Compare(Field("data", ("panel", 1)), "=", 2)),
        ("name = production", Compare(Field("name"), "=", "production")),
        ("feature_names = mom_5", Compare(Field("feature_names"), "=", "mom_5")),
    ],
)
def test_an_expression_is_read(text, query):
    expected = parse(query) if isinstance(query, str) else query
    assert repr(parse(text)) == repr(expected)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("10", 10),
        ("+10", 10),
        ("-0", 0),
        ("10.", 10.0),
        ("1e3", 1000.0),
        ("18446744073709551616", 2**64),
        ("0.1", 0.1),
        ("true", True),
        ("false", False),
        ("null", None),
        ("inf", math.inf),
        ("-inf", -math.inf),
        ("True", "True"),
        ("'true'", "true"),
        ('"10"', "10"),
        ("adam", "adam"),
        ("a/b:c+d@e%f", "a/b:c+d@e%f"),
        ("1_000", "1_000"),
        ("10d", "10d"),
        ("2026-10-01", "2026-10-01"),
        ("größe🚀", "größe🚀"),
        (r"'it\'s \"q\" \\ \u00e9 é'", 'it\'s "q" \\ é é'),
        (r'"it\u0027s"', "it's"),
        ("'a\nb'", "a\nb"),
        ("''", ""),
    ],
)
def test_a_value_is_what_it_looks_like(written, value):
    found = parse(f"x = {written}").value
    assert (type(found), found) == (type(value), value)


def test_nan_is_a_value():
    assert math.isnan(parse("x = nan").value)


@pytest.mark.parametrize("written", ["2024", "0012", "1e5", "true", "null", "nan", "1.0"])
def test_beside_what_is_text_everything_is_text(written):
    assert parse(f"tag = {written}").value == written
    assert parse(f"tag in [{written}]").values == (written,)
    assert parse(f"description = {written}").value == written


@pytest.mark.parametrize(
    ("written", "first", "last"),
    [
        ("2026-10-01", (2026, 10, 1), (2026, 10, 1, 23, 59, 59, 999999)),
        ("2026-02", (2026, 2, 1), (2026, 2, 28, 23, 59, 59, 999999)),
        ("2024", (2024, 1, 1), (2024, 12, 31, 23, 59, 59, 999999)),
        ("9999", (9999, 1, 1), (9999, 12, 31, 23, 59, 59, 999999)),
        ("'2026-10-01T12:00Z'", (2026, 10, 1, 12), (2026, 10, 1, 12)),
        ("2026-10-01T12:00+02:00", (2026, 10, 1, 10), (2026, 10, 1, 10)),
        ("'2026-10-01 12:00'", (2026, 10, 1, 12), (2026, 10, 1, 12)),
        ("now", (2026, 10, 8, 12, 30), (2026, 10, 8, 12, 30)),
        ("now - 7d", (2026, 10, 1, 12, 30), (2026, 10, 1, 12, 30)),
        ("now-90min", (2026, 10, 8, 11), (2026, 10, 8, 11)),
        ("'now - 1 w'", (2026, 10, 1, 12, 30), (2026, 10, 1, 12, 30)),
    ],
)
def test_a_time_is_a_day_or_a_moment(written, first, last):
    query = parse(f"created_at < {written}", now=NOW)
    assert query.value == Period(moments(*first), moments(*last))
    assert parse(f"created_at in [{written}]", now=NOW).values == (query.value,)


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("", 1, "empty"),
        ("  \n", 1, "empty"),
        ("lr > ", 5, "a value is expected at the end"),
        ("lr", 3, "a comparison is expected at the end"),
        ("lr 0.1", 4, "a comparison is expected"),
        ("lr > 0.1 k = 1", 10, "'and' or 'or' is expected"),
        ("lr > 0.1 and", 13, "a path is expected at the end"),
        ("lr > 0.1 and and k = 1", 14, "'and' is a word of the language"),
        ("lr > and k = 1", 6, "'and' is a word of the language"),
        ("x = IN", 5, "'IN' is a word of the language"),
        ("(lr > 1", 8, "')' is expected at the end"),
        ("lr > 1)", 7, "cannot read on at"),
        ("()", 2, "a path is expected"),
        ("a = 1 & b = 2", 7, "'and' or 'or' is expected"),
        ("a = b = c", 7, "'and' or 'or' is expected"),
        ("a =! b", 4, "a value is expected"),
        ("a <> 1", 4, "a value is expected"),
        ("a ~ 1", 3, "a comparison is expected"),
        ("x in 3", 6, "a list is expected"),
        ("x in (3, 5)", 6, "a list is expected"),
        ("x in [3", 8, "',' or ']' is expected"),
        ("x in [3 5]", 9, "',' or ']' is expected"),
        ("x in [3,]", 9, "a value is expected"),
        ("x not = 1", 7, "'in' or 'like' is expected"),
        ("x = 'open", 5, "no counterpart"),
        ('x."open = 3', 2, "a key after the dot is expected"),
        ("a..b = 1", 2, "a key after the dot is expected"),
        ('"open = 3', 1, "no counterpart"),
        ("'a' = 3", 1, "a path is expected"),
        (r"x = '\q'", 5, "not a string as JSON has it"),
        (r'x = "\ud800"', 5, "not a string as JSON has it"),
        (r'"\ud800" = 1', 1, "lone surrogate"),
        ("x = \ud800", 5, "lone surrogate"),
        ("10 = k", 1, "'10' is a number, and a comparison begins with a path"),
        ("1 = 1 and tag = x", 1, "'1' is a number"),
        ("a = 1 and tags = best", 11, "there is no field 'tags'"),
        ("metrics.sharpe > 1", 1, "there is no field 'metrics'"),
        ("config_hash = beef", 1, "there is no field 'config_hash'"),
        ("hyperparams.lr > 1", 1, "there is no field 'hyperparams'"),
        ("metric > 1", 1, "'metric' is followed by one name"),
        ("metric.a.b > 1", 1, "'metric' is followed by one name"),
        ("metric[0] > 1", 1, "'metric' is followed by one name"),
        ("tag.x = 1", 1, "nothing inside the field 'tag'"),
        ("tag > best", 5, "'tag' has no order"),
        ("hash < beef", 6, "'hash' has no order"),
        ("hash like 'be%'", 6, "'hash' is no text"),
        ("created_at like '2026%'", 12, "'created_at' is no text"),
        ("hash = bee", 8, "'bee' is not a hash"),
        ("hash in [beef, xyzz]", 16, "'xyzz' is not a hash"),
        ("metric.loss < low", 15, "'metric.loss' is a number, and 'low' is none"),
        ("metric.loss < '1'", 15, "'metric.loss' is a number"),
        ("metric.loss < null", 15, "'null' has no order"),
        ("runs = null", 8, "'runs' is a number"),
        ("x < true", 5, "'true' has no order"),
        ("x >= nan", 6, "'nan' has no order"),
        ("x = 1e999", 5, "beyond what a 64-bit float holds"),
        (f"x = {'1' * 2000}", 5, "more than 1000 digits"),
        ("created_at > yesterday", 14, "'yesterday' is not a time"),
        ("created_at > 20261001", 14, "is not a time"),
        ("created_at > 2026-13", 14, "is not a time"),
        ("created_at > now - 3 fortnights", 14, "is not a time"),
        ("created_at > now - 999999999999999d", 14, "is not a time"),
        ("created_at > 2026-10-01 - 7d", 14, "is not a time"),
        ("lr < x - 7d", 8, "cannot read on at '- 7d'"),
        ("not " * 70 + "a = 1", None, "nested deeper than 64 levels"),
        ("a = 1 and (b = 1 or " * 40 + "c = 1" + ")" * 40, None, "nested deeper than 64 levels"),
    ],
)
def test_what_cannot_be_read_is_refused_at_its_place(text, column, message):
    with pytest.raises(InvalidQuery) as caught:
        parse(text)
    assert message in str(caught.value)
    assert caught.value.text == text
    if column is not None:
        assert caught.value.column == column
    assert caught.value.details() == {"text": text, "column": caught.value.column}


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("tags = best", "did you mean 'tag'? for the hyperparameter write hyperparameters.tags"),
        ("config_hash = beef", "did you mean 'hash'?"),
        ("metric = auc", "for the hyperparameter write hyperparameters.metric"),
        ("metric.val.loss < 1", 'such as metric."val.loss"'),
        ("lr > not", '"not"'),
        ("x in (1, 2)", "[3, 5]"),
        ("tag > 3", "=, !=, in, like"),
        ("hash > 3", "=, !=, in"),
    ],
)
def test_a_hint_says_what_to_write(text, hint):
    with pytest.raises(InvalidQuery) as caught:
        parse(text)
    assert hint in f"{caught.value.message} {caught.value.hint}"


def test_a_query_is_text():
    with pytest.raises(InvalidQuery, match="a query is text, not int"):
        parse(3)


@pytest.mark.parametrize(
    "text",
    [
        "(" * 20000 + "a = 1" + ")" * 20000,
        "(" * 20000,
        "not " * 20000 + "a = 1",
        "a in [" + ",".join(["1"] * 20000) + "]",
        " and ".join(["a = 1"] * 5000),
        "a" + ".b" * 20000 + " = 1",
        "a = '" + "\\" * 50001,
        "a" * (where.MAX_CHARACTERS + 1),
    ],
    ids=range(8),
)
def test_large_and_deep_text_takes_no_time_and_breaks_nothing(text):
    began = time.process_time()
    query, error = read(text)
    assert (len(str(query)) > 5) if error is None else (1 <= error.column <= len(text) + 1)
    assert time.process_time() - began < 10


PIECES = [
    *"()[],=<>!-%$.\\\"' \n",
    *("and", "or", "not", "in", "like", "exists", "==", "!=", "<=", "now", "- 7d", "true", "null", "nan", "inf"),
    *(f"{name} " for name in FIELDS),
    *("lr = 1", "tag = best", "metric.x", "a.b", "[0]", '"q"', "'s'", "3", "-1.5", "1e999", "2026-10-01", "3f2a", "é"),
]


@settings(max_examples=300)
@given(st.one_of(st.text(max_size=30), st.lists(st.sampled_from(PIECES), max_size=12).map(" ".join)))
@example('x = "\ud83d\udc00"')
@example("\x00 = 1")
def test_any_text_is_a_query_or_refused(text):
    query, error = read(text)
    if error is None:
        assert repr(parse(str(query))) == repr(query)
    else:
        assert 1 <= error.column <= len(text) + 1


words = st.one_of(st.sampled_from(["a", "not", "tag", "a.b", "%", "x y", "10", "é", "\u202e"]), st.text(max_size=5))
plain = words.filter(lambda text: not any("\ud800" <= sign <= "\udfff" for sign in text))
numbers = st.one_of(st.integers(-(2**70), 2**70), st.floats(allow_nan=False), st.just(math.nan))
paths = st.lists(st.one_of(plain, st.integers(0, 9**9)), max_size=3).map(tuple)


@st.composite
def periods(draw):
    written = draw(st.sampled_from(["2024", "2024-02", "2023-12-31", "0001", "9999-12"]))
    moment = draw(st.datetimes(timezones=st.just(UTC))).replace(fold=0)
    return draw(st.sampled_from([parse(f"created_at = {written}").value, Period(moment, moment)]))


@st.composite
def atoms(draw):
    root = draw(st.sampled_from(sorted(FIELDS)))
    kind = FIELDS[root]
    inside = {"path": paths, "name": plain.map(lambda name: (name,)), "": st.just(())}[kind.inside]
    field = Field(root, draw(inside))
    values = {
        Holds.VALUE: st.one_of(st.none(), st.booleans(), numbers, plain),
        Holds.NUMBER: st.one_of(st.none(), numbers),
        Holds.COUNT: numbers,
        Holds.TEXT: plain,
        Holds.LABELS: plain,
        Holds.TIME: periods(),
        Holds.HASH: st.text("0123456789abcdef", min_size=4, max_size=64),
    }
    value = values[Holds.HASH if kind.holds is Holds.HASHES else kind.holds]
    choices = [
        st.builds(Compare, st.just(field), st.just("="), value),
        st.builds(In, st.just(field), st.lists(value, max_size=3).map(tuple)),
        st.just(Exists(field)),
    ]
    if kind.holds in (Holds.VALUE, Holds.TEXT, Holds.LABELS):
        choices.append(st.builds(Like, st.just(field), plain))
    if kind.holds in (Holds.VALUE, Holds.NUMBER, Holds.COUNT, Holds.TEXT, Holds.TIME):
        ordered = value.filter(lambda one: one == one and one is not None and not isinstance(one, bool))
        choices.append(st.builds(Compare, st.just(field), st.sampled_from(["<", "<=", ">", ">="]), ordered))
    return draw(st.one_of(choices))


queries = st.recursive(
    atoms(),
    lambda inner: st.one_of(
        inner.map(Not),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: conjunction(*parts)),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: disjunction(*parts)),
    ),
    max_leaves=6,
)


@settings(max_examples=120)
@given(queries)
@example(Or((And((Exists(K), Exists(LR))), Not(Or((Exists(K), Exists(TAG)))))))
def test_a_query_as_text_reads_back_as_the_same_query(query):
    assert repr(parse(str(query))) == repr(query)
