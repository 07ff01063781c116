"""What a query is true of: one table of meanings, and a naive evaluator beside it."""

import math
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from operator import ge, gt, le, lt
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from strategies import configs

from gemexp import ExperimentConfig
from gemexp.config import peek
from gemexp.notation import inline, quote
from gemexp.query.fields import Need
from gemexp.query.matching import needs, predicate, sections
from gemexp.query.syntax import Field
from gemexp.query.where import parse

HASH = "3f2a" + "0" * 60
PARENTS = ("beef" + "1" * 60, "cafe" + "2" * 60)


@dataclass
class Config:
    """A candidate with all of it at hand."""

    content: bytes
    config_hash: str = HASH
    created_at: datetime = datetime(2026, 10, 1, 12, tzinfo=UTC)
    description: str = ""
    parents: tuple[str, ...] = ()
    runs: int = 0
    metrics: dict[str, float | None] = field(default_factory=dict)
    outcome_data: Any = None
    tags: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    asked: set[str] = field(default_factory=set)

    @property
    def value(self):
        self.asked.add("value")
        return peek(self.content, ["feature_names", "feature_transformations", "feature_weights", "hyperparameters"])

    def may_hold(self, traces):
        self.asked.add("bytes")
        return any(trace in self.content for trace in traces)

    def bearers(self, need, labels):
        self.asked.add(need)
        borne = self.tags if need is Need.TAGS else self.names
        return {self.config_hash} if any(map(labels.test, borne)) else set()

    def matches(self, text):
        return predicate(parse(text), self)(self)


def make(hyperparameters, *, features=(), weights=None, transformations=None, **fields):
    config = ExperimentConfig(features, weights or {}, hyperparameters, transformations)
    return Config(config.to_bytes(), **fields)


SAMPLE = make(
    {
        "k": 10,
        "lr": 0.1,
        "whole": 3.0,
        "big": 2**63,
        "least": -(2**63),
        "flag": True,
        "off": False,
        "flags": [True, 1, 7],
        "none": None,
        "missing": math.nan,
        "limit": math.inf,
        "model": {"kind": "gbdt", "layers": [64, {"size": 32}], "a.b": {"c": 1}},
        "text": "Adam_W 100%",
        "digits": "10",
        "empty": "",
        "lines": "a\nb",
        "start": "2013-01-01",
        "tag": "own",
        "é": "größe",
    },
    features=["mom_5", "vol_20"],
    weights={"mom_5": 1, "vol_20": -0.5},
    transformations={"mom_5": "rank"},
    description="The first",
    parents=PARENTS,
    runs=2,
    metrics={"sharpe": 1.25, "trades": 7, "undefined": None, "val.loss": math.nan},
    outcome_data={"panel": "abc", "years": [2013, 2014]},
    tags=("best", "k=10", "2024"),
    names=("production",),
)

TRUE = [
    *("k = 10", "k = 10.0", "k == 10", "k in [9, 10]", "k in [x, 10.0]", "k != 11", "k not in [1, 2]", "k exists"),
    *("k > 9.999", "k >= 10", "k < 10.5", "k <= 10", "k != '10'", "k not in ['10']", "k != true"),
    *("digits = '10'", "digits != 10", "digits < '9'", "digits like '1_'"),
    *("whole = 3", "whole in [3]", "lr = 0.1", "lr = 1e-1", "lr > 0.01 and lr < 1"),
    *("big = 9223372036854775808", "big > 9223372036854775807", "big = 9223372036854775808.0", "big < 1e300"),
    *("big != 9223372036854775809", "big < 18446744073709551616000", "least = -9223372036854775808", "least > -1e19"),
    *("flag = true", "flag != 1", "flag != false", "off = false", "off != 0", "flag in [true]", "flag not in [1, 1.0]"),
    *("flags[0] = true", "flags[1] = 1.0", "flags[2] in [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]", "flags[0] != 1"),
    *("none = null", "none exists", "none != 0", "none in [null]", "lr != null"),
    *("missing = nan", "missing != 0", "missing in [1, nan]", "missing exists", "k != nan"),
    *("limit = inf", "limit > 1e308", "limit != 'inf'", "least > -inf"),
    *("model.kind = gbdt", 'model."kind" = gbdt', "hyperparameters.model.kind = 'gbdt'", "model.kind in [gbdt, xgb]"),
    *("model.layers[0] = 64", "model.layers[1].size < 33", 'model."a.b".c = 1', "exists model", "model.layers exists"),
    *("model != 1", "model.layers != 64", "model.layers != 'x'", "exists hyperparameters"),
    *("text like 'Adam%'", "text like '%100\\\\%'", "text like 'Adam\\\\_W%'", "text like '%d_m%W%'", "text like '%'"),
    *("text not like 'adam%'", "text not like 'Adam'", "text like 'Adam_W 100%'", "k not like '1%'"),
    *("empty = ''", "empty like ''", "empty like '%'", "empty not like '_'", "exists empty", "lines like 'a_b'"),
    *(
        "start >= 2013-01-01",
        "start < '2014'",
        "start like 2013%",
        "text > A",
        "text < a",
        "é = größe",
        "é like 'gr__e'",
    ),
    *("hyperparameters.tag = own", "tag != own"),
    *("tag = best", "tag = 2024", "tag = 'k=10'", "tag in [worst, best]", "tag like 'k=%'", "tag != worst"),
    *("tag not in [worst, x]", "tag not like 'q%'", "exists tag", "tag = best and tag = 2024"),
    *("name = production", "name like 'prod%'", "name != staging", "name exists"),
    *("feature_names = mom_5", "feature_names like 'vol%'", "feature_names in [x, vol_20]", "feature_names != x"),
    *("feature_names not like 'x%'", "exists feature_names"),
    *("feature_weights.mom_5 = 1", "feature_weights.vol_20 < 0", "feature_transformations.mom_5 = rank"),
    *("hash = 3f2a", "hash = 3F2A0", "hash in [beef, 3f2a]", "hash != beef", f"hash = {HASH}", "hash exists"),
    *("parent = beef", "parent = cafe2", "parent != 3f2a", "parent in [3f2a, beef]", "exists parent"),
    *("description = 'The first'", "description like '%first'", "description > S", "exists description"),
    *("runs = 2", "runs > 1.5", "exists runs", "runs in [1, 2]", "runs != 3"),
    *(
        "metric.sharpe >= 1",
        "metric.sharpe = 1.25",
        "metric.trades = 7",
        "metric.undefined = null",
        "metric.sharpe exists",
    ),
    *("metric.undefined exists", "metric.undefined != 1", 'metric."val.loss" = nan', "metric.trades in [7]"),
    *("data.panel = abc", "data.years[1] = 2014", "exists data", "data != 1"),
    *("created_at = 2026-10-01", "created_at = 2026", "created_at >= 2026-10-01", "created_at <= 2026-10-01"),
    *("created_at < 2026-10-02", "created_at > 2026-09", "created_at != 2025", "created_at in [2025, 2026-10]"),
    *("created_at = 2026-10-01T12:00Z", "created_at <= 2026-10-01T14:00+02:00", "created_at not in [2026-10-02]"),
    *("not k = 11", "not absent = 1", "not absent != 1", "not exists absent", "not (k = 10 and lr = 1)"),
    *("k = 1 or lr = 0.1", "k = 10 or absent = 1 and absent = 2", "not k = 1 and not lr = 1"),
]
FALSE = [
    *("k = 11", "k = '10'", "k = true", "k in []", "k in [11, '10']", "k != 10", "k != 10.0", "k not in [10]"),
    *("k like '10'", "k like '%'", "k < '9'", "k > '1'", "digits > 9", "digits = 10", "lr = 0.10000000000000002"),
    *("flags[0] = 1", "flags[0] in [1]", "flags[1] = true", "flags[1] in [true]", "flags[0] < 2", "flags[0] != true"),
    *("flags[2] in [1, 2, 3, 4, 5, 6, 8, 9, 10, 11]", "k in [1, 2, 3, 4, 5, 6, 7, 8, 9, 11]", "flags[3] exists"),
    *("flag = 1", "flag > 0", "off = 0", "flag in [1]", "flag = 'true'", "none = 0", "none = ''", "none < 1"),
    *(
        "big = 9223372036854775807",
        "big = 9223372036854775809",
        "big < 9223372036854775808",
        "least < -9223372036854775808",
    ),
    *("missing = 0", "missing < 1", "missing >= 0", "missing != nan", "missing in [0]", "limit = 1e308", "limit < inf"),
    *("absent = 1", "absent != 1", "absent < 1", "absent in [1]", "absent not in [1]", "absent like '%'"),
    *("absent not like 'x'", "exists absent", "absent = null", "absent != null", "absent in [null]"),
    *(
        "model = gbdt",
        "model.layers = 64",
        "model.layers[2] exists",
        "model.layers[0].size = 1",
        "model.layers.size = 1",
    ),
    *("model[0] = 1", "k.x = 1", "model.a.b.c = 1", 'model.layers."0" = 64', "model.layers < 100"),
    *(
        "text like 'adam%'",
        "text like 'Adam'",
        "text like ''",
        "text like '%\\\\_%\\\\_%'",
        "text like '_'",
        "text = 'adam_w 100%'",
    ),
    *("empty like '_'", "lines like 'a'", "text > a", "start < 2014", "start = 2013", "é like 'gro%'"),
    *(
        "tag = worst",
        "tag = BEST",
        "tag != best",
        "tag in []",
        "tag not in [best]",
        "tag not like 'b%'",
        "tag like 'be'",
    ),
    *("name = prod", "name != production", "not exists name", "feature_names = mom", "feature_names != mom_5"),
    *("hash = beef", "hash != 3f2a", "hash in []", "parent = 3f2a", "parent != beef", "parent in []"),
    *("description = 'the first'", "description != 'The first'", "not exists description", "runs = 0", "runs < 2"),
    *(
        "metric.absent > 0",
        "metric.absent != 0",
        "exists metric.absent",
        "metric.undefined > 0",
        "metric.sharpe = null",
    ),
    *('metric."val.loss" < 1', "data.absent = 1", "data = abc", "created_at < 2026-10-01", "created_at > 2026-10-01"),
    *("created_at = 2026-10-01T12:00:01Z", "created_at > 2026", "created_at != 2026-10", "created_at in []"),
    *("not k = 10", "k = 10 and k = 11", "k = 1 or k = 2", "not (k = 10 or absent = 1)"),
]


@pytest.mark.parametrize("text", TRUE)
def test_it_is_true(text):
    assert SAMPLE.matches(text) is True


@pytest.mark.parametrize("text", FALSE)
def test_it_is_false(text):
    assert SAMPLE.matches(text) is False


def test_of_a_config_without_anything_only_what_must_be_there_is_there():
    bare = make({})
    for text in ("exists tag", "exists name", "exists parent", "exists description", "exists runs", "exists data"):
        assert not bare.matches(text)
    for text in ("tag = x", "name like '%'", "feature_names in [x]", "metric.x exists", "data.x = 1", "runs > 0"):
        assert not bare.matches(text)
    for text in ("tag != x", "name not like '%'", "parent != beef", "description = ''", "runs = 0", "hash exists"):
        assert bare.matches(text)


def test_what_needs_less_is_looked_at_first():
    assert not SAMPLE.__class__(SAMPLE.content).matches("metric.sharpe > 1 and k = 3 and tag = none")
    asked = make({"k": 1})
    assert not asked.matches("lr > 0.1 and tag = best and k = 1")
    assert asked.asked == {Need.TAGS}
    asked = make({"k": 1, "lr": 1})
    assert not asked.matches("lr > 0.1 and k = 7")
    assert asked.asked == {"bytes"}
    asked = make({"k": 1}, tags=("best",))
    assert asked.matches("k = 2 or tag = best")
    assert asked.asked == {Need.TAGS}


def test_a_query_tells_what_it_needs():
    query = parse("lr > 1 and (tag = x or feature_names = a) and not metric.loss > 1")
    assert needs(query) == {Need.VALUE, Need.TAGS, Need.OUTCOMES}
    assert sections(query) == {"hyperparameters", "feature_names"}
    assert needs(parse("hash = beef")) == {Need.HASH}
    assert needs(parse("name = x or created_at > 2024 or parent = beef")) == {Need.NAMES, Need.RECORDS}


def test_no_pattern_takes_long():
    config = make({"x": "a" * 60000})
    for pattern in ("%a%a%a%a%a%a%a%a%b", "%" * 5000 + "b", "a" * 30000 + "%" + "a" * 29999 + "b", "%_a%_a%_b%"):
        began = time.process_time()
        assert not config.matches(f"x like '{pattern}'")
        assert time.process_time() - began < 5
    assert config.matches(f"x like '{'a' * 30000}%{'a' * 30000}'")
    assert not config.matches(f"x like '{'a' * 30000}%{'a' * 30001}'")


# A naive evaluator, written from docs/reference/where.md: an expression is (operator, path, value) or (word, parts).

KEYS = ["a", "b", "c d", "k.d", "é", "lr"]
leaves = st.one_of(
    st.sampled_from([0, 1, -1, 10, 1.0, 0.5, 10.0, 2**63, float(2**63), math.inf, math.nan, True, False, None]),
    st.sampled_from(["", "a", "ab", "abc", "1", "true", "%", "a_c", "null", "\n"]),
)
small = st.recursive(
    leaves,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(KEYS), inner, max_size=3)),
    max_leaves=8,
)
steps = st.lists(st.one_of(st.sampled_from(KEYS), st.integers(0, 2)), max_size=2)
routes = st.tuples(st.sampled_from(KEYS), steps).map(lambda parts: (parts[0], *parts[1]))
patterns = st.lists(st.sampled_from(["a", "b", "c", "%", "_", "\\%", "\\_", "\\\\"]), max_size=5).map("".join)
ordered = leaves.filter(lambda one: one is not None and not isinstance(one, bool) and one == one)
comparisons = st.one_of(
    st.tuples(st.sampled_from(["=", "!="]), routes, leaves),
    st.tuples(st.sampled_from(["<", "<=", ">", ">="]), routes, ordered),
    st.tuples(st.sampled_from(["in", "not in"]), routes, st.lists(leaves, max_size=3)),
    st.tuples(st.sampled_from(["like", "not like"]), routes, patterns),
    st.tuples(st.just("exists"), routes, st.none()),
)
expressions = st.recursive(
    comparisons,
    lambda inner: st.one_of(
        st.tuples(st.just("not"), inner.map(lambda one: [one])),
        st.tuples(st.sampled_from(["and", "or"]), st.lists(inner, min_size=1, max_size=3)),
    ),
    max_leaves=6,
)


def written(expression):
    if len(expression) == 2:
        word, parts = expression
        inner = [f"({written(part)})" for part in parts]
        return f"not {inner[0]}" if word == "not" else f" {word} ".join(inner)
    operator, path, value = expression
    place = Field("hyperparameters", path)
    if operator == "exists":
        return f"exists {place}"
    shown = f"[{', '.join(map(inline, value))}]" if isinstance(value, list) else inline(value)
    return f"{place} {operator} {quote(value) if 'like' in operator else shown}"


def naive(expression, value):
    if len(expression) == 2:
        word, parts = expression
        found = [naive(part, value) for part in parts]
        return not found[0] if word == "not" else all(found) if word == "and" else any(found)
    operator, path, wanted = expression
    for step in path:
        if not isinstance(value, dict if isinstance(step, str) else list):
            return False
        if step not in (value if isinstance(value, dict) else range(len(value))):
            return False
        value = value[step]
    return naive_comparison(operator, value, wanted)


def naive_comparison(operator, value, wanted):
    sort = sort_of(value)
    if operator == "exists":
        return True
    if operator == "!=" or operator.startswith("not "):
        return not naive_comparison({"!=": "="}.get(operator, operator[4:]), value, wanted)
    if operator == "in":
        return any(naive_comparison("=", value, one) for one in wanted)
    if operator == "like":
        return sort == "text" and naive_like(wanted, value)
    if sort != sort_of(wanted):
        return False
    if operator == "=":
        return sort == "nan" or (sort != "container" and value == wanted)
    return {"<": lt, "<=": le, ">": gt, ">=": ge}[operator](value, wanted)


def sort_of(value):
    if value is None or isinstance(value, bool):
        return str(value)
    if isinstance(value, (int, float)):
        return "number" if value == value else "nan"
    return "text" if isinstance(value, str) else "container"


def naive_like(pattern, text):
    if not pattern:
        return not text
    if pattern[0] == "%":
        return any(naive_like(pattern[1:], text[start:]) for start in range(len(text) + 1))
    if pattern[0] == "\\" and len(pattern) > 1:
        return text[:1] == pattern[1] and naive_like(pattern[2:], text[1:])
    return bool(text) and (pattern[0] in ("_", text[0])) and naive_like(pattern[1:], text[1:])


@settings(max_examples=400)
@given(st.dictionaries(st.sampled_from(KEYS), small, max_size=5), expressions)
@example({"a": "aba"}, ("like", ("a",), "a%ba"))
@example({"a": "ab"}, ("like", ("a",), "ab%b"))
@example({"a": [2**63]}, ("=", ("a", 0), float(2**63)))
def test_queries_agree_with_the_naive_evaluator(hyperparameters, expression):
    value = ExperimentConfig([], {}, hyperparameters).hyperparameters
    assert make(hyperparameters).matches(written(expression)) == naive(expression, value)


@settings(max_examples=40)
@given(configs())
def test_every_value_of_a_config_is_found_where_it_is(config):
    candidate = Config(config.to_bytes())
    for section in ("hyperparameters", "feature_weights", "feature_transformations"):
        for key, value in getattr(config, section).items():
            place = str(Field(section, (key,)))
            assert candidate.matches(f"exists {place}")
            if not isinstance(value, (dict, list)):
                assert candidate.matches(f"{place} = {inline(value)}")
                assert candidate.matches(f"{place} in [{inline(value)}]")
                assert not candidate.matches(f"{place} != {inline(value)}")
    for name in config.feature_names:
        assert candidate.matches(f"feature_names = {quote(name)}")


MICROSECONDS = st.integers(0, 5 * 10**15).map(lambda number: timedelta(microseconds=number))


@given(MICROSECONDS, MICROSECONDS)
@example(timedelta(0), timedelta(0))
@example(timedelta(days=1), timedelta(0))
@example(timedelta(days=1, microseconds=-1), timedelta(0))
def test_a_day_is_all_of_it(age, other):
    moment, day = (datetime(1990, 1, 1, tzinfo=UTC) + one for one in (age, other))
    begin, day = day.replace(hour=0, minute=0, second=0, microsecond=0), day.date()
    end = begin + timedelta(days=1)
    config = make({}, created_at=moment)
    assert config.matches(f"created_at = {day}") == (begin <= moment < end)
    assert config.matches(f"created_at < {day}") == (moment < begin)
    assert config.matches(f"created_at <= {day}") == (moment < end)
    assert config.matches(f"created_at > {day}") == (moment >= end)
    assert config.matches(f"created_at >= {day}") == (moment >= begin)
