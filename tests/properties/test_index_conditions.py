"""Conditions in SQL against the where-language itself: what is surely true is true, and what is true is possible."""

import sqlite3
from contextlib import closing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from queries import KEYS, queries, values
from strategies import maps

from gemexp.index import columns, schema
from gemexp.index.cells import leaves
from gemexp.index.columns import CONFIGS, OUTCOMES, Columns, Values, arrange
from gemexp.index.conditions import Compiler, Knowledge, render
from gemexp.index.reading import outcome_leaves
from gemexp.query.matching import predicate


class Config:
    """A config that may match, all of whose values are at hand."""

    def __init__(self, hyperparameters, description, runs, metrics, data):
        self.value = {"hyperparameters": hyperparameters}
        self.description = description
        self.runs = runs
        self.metrics = metrics
        self.outcome_data = data

    def may_hold(self, _traces):
        return True


CONFIGS_TO_SEARCH = st.lists(
    st.builds(
        Config,
        st.dictionaries(KEYS, values, max_size=4),
        st.sampled_from(["", "best", "x" * 300, "10"]),
        st.integers(0, 2),
        st.dictionaries(st.sampled_from(["loss", "auc", "é"]), st.one_of(st.none(), st.floats(), st.integers(-3, 3))),
        st.one_of(st.none(), st.just({}), st.integers(-3, 3), maps(values, max_size=2)),
    ),
    max_size=6,
)
QUERIES = queries(("hyperparameters",) * 4 + ("metric", "data", "description", "runs"))


def fill(connection, configs):
    """Put configs and their latest outcomes into an index, numbered from 1; return what is known of it."""
    schema.create(connection)
    known = Columns(connection)
    for number, config in enumerate(configs, 1):
        found = leaves(config.value["hyperparameters"], "hyperparameters")
        partial = known.insert(CONFIGS, arrange([(number, found)], known.layout(CONFIGS)))
        others = Values({}, [(number, outcome_leaves(config.metrics, config.outcome_data))])
        partial_outcome = known.insert(OUTCOMES, others)
        connection.execute(
            "INSERT INTO configs (id, hash, state, description, runs, outcome, partial) VALUES (?, x'', 3, ?, ?, ?, ?)",
            (number, config.description, config.runs, number, 1 if partial else None),
        )
        connection.execute("INSERT INTO outcomes VALUES (?, x'', 1, ?)", (number, 1 if partial_outcome else None))
    found = [
        connection.execute(f"SELECT 1 FROM {table} WHERE partial IS NOT NULL").fetchone()  # noqa: S608
        for table in ("configs", "outcomes")
    ]
    return Knowledge(known, {}, bool(found[0]), bool(found[1]), damaged_outcomes=False, bearers=lambda _: ())


def enclosed(connection, knowledge, query):
    """Return the numbers of the configs that surely match, and of those that may."""
    compiler = Compiler(knowledge)
    bounds = compiler.compile(query)
    for name, function in compiler.functions.items():
        connection.create_function(name, 1, function, deterministic=True)
    return bounds.exact, *(
        {number for (number,) in connection.execute(f"SELECT id FROM configs WHERE {render(term)}", compiler.values)}  # noqa: S608
        for term in bounds
    )


@given(configs=CONFIGS_TO_SEARCH, wanted=st.lists(QUERIES, min_size=1, max_size=5))
@settings(max_examples=80)
def test_conditions_enclose_what_matches(configs, wanted):
    check(configs, wanted)


def check(configs, wanted):
    with closing(sqlite3.connect(":memory:")) as connection:
        knowledge = fill(connection, configs)
        for query in wanted:
            exact, sure, possible = enclosed(connection, knowledge, query)
            test = predicate(query, None)
            matching = {number for number, config in enumerate(configs, 1) if test(config)}
            assert sure <= matching <= possible
            assert not exact or sure == possible


@given(configs=CONFIGS_TO_SEARCH, wanted=st.lists(QUERIES, min_size=1, max_size=5))
@settings(max_examples=30)
def test_values_without_a_column_are_not_taken_for_missing(configs, wanted):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(columns, "MAX_PATHS", 2)
        check(configs, wanted)
