"""Hypothesis strategies: values, configs, configs like those in a store, and panels of prices.

Needs the extra ``testing``. `gemexp.ExperimentConfig` is registered with Hypothesis, so that
``st.from_type(ExperimentConfig)`` and ``@given(config=...)`` draw from `configs`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from gemexp.canonical import FLOAT_KEY, MAX_INT, MIN_INT
from gemexp.config import ExperimentConfig
from gemexp.errors import InvalidInput

if TYPE_CHECKING:
    from gemexp.backtest import Panel
    from gemexp.query.syntax import Query
    from gemexp.registry import ExperimentRegistry

TRANSFORMATIONS = ("log", "none", "rank", "winsorize", "zscore")
# Not now: what is drawn must not depend on when.
_CREATED_AT = "2000-01-01T00:00:00Z"
_MAX_LEAVES = 20
_MAX_DAYS = 40

Names = SearchStrategy[list[str]]


def texts(max_size: int = 12) -> SearchStrategy[str]:
    """Text that a configuration can hold: anything without lone surrogates."""
    return st.text(max_size=max_size)


def scalars() -> SearchStrategy[Any]:
    """None, booleans, integers, floats (NaN and the infinities among them) and text."""
    return st.one_of(st.none(), st.booleans(), st.integers(MIN_INT, MAX_INT), st.floats(), texts())


def maps(keys: SearchStrategy[str], items: SearchStrategy[Any], *, max_size: int = 5) -> SearchStrategy[dict[str, Any]]:
    """Maps that a configuration can hold; one key is reserved."""
    return st.dictionaries(keys, items, max_size=max_size).filter(lambda drawn: list(drawn) != [FLOAT_KEY])


def values(max_leaves: int = _MAX_LEAVES) -> SearchStrategy[Any]:
    """Anything that a hyperparameter can be: scalars, and lists and maps of values."""
    return st.recursive(
        scalars(),
        lambda inner: st.one_of(st.lists(inner, max_size=5), maps(texts(), inner)),
        max_leaves=max_leaves,
    )


def configs(
    features: Iterable[str] | SearchStrategy[list[str]] | None = None,
    hyperparameters: Mapping[str, SearchStrategy[Any]] | SearchStrategy[dict[str, Any]] | None = None,
    *,
    weights: SearchStrategy[float] | None = None,
    transformations: SearchStrategy[Any] | None = None,
) -> SearchStrategy[ExperimentConfig]:
    """Configurations.

    Args:
        features: The names to choose from, or a strategy for lists of names; any names if not given.
        hyperparameters: A strategy for each hyperparameter by name, or one for the whole map; anything if not given.
        weights: A strategy for a feature's weight; finite floats from -10 to 10 if not given.
        transformations: A strategy for a feature's transformation; those of the backtest if not given.
    """
    if isinstance(features, SearchStrategy):
        names = features
    elif features is None:
        names = st.lists(texts().filter(bool), unique=True, max_size=5)
    else:
        known = sorted(set(features))
        names = st.lists(st.sampled_from(known), unique=True, max_size=len(known)) if known else st.just([])
    if isinstance(hyperparameters, SearchStrategy):
        parameters = hyperparameters
    elif hyperparameters is None:
        parameters = maps(texts(), values(), max_size=4)
    else:
        parameters = st.fixed_dictionaries(dict(hyperparameters))
    weight = st.floats(-10, 10) if weights is None else weights
    transformation = st.sampled_from(TRANSFORMATIONS) if transformations is None else transformations

    def with_parts(chosen: list[str]) -> SearchStrategy[ExperimentConfig]:
        return st.builds(
            ExperimentConfig,
            feature_names=st.just(chosen),
            feature_weights=st.fixed_dictionaries(dict.fromkeys(chosen, weight)),
            feature_transformations=st.fixed_dictionaries({}, optional=dict.fromkeys(chosen, transformation)),
            hyperparameters=parameters,
            created_at=st.just(_CREATED_AT),
        )

    return names.filter(lambda chosen: chosen != [FLOAT_KEY]).flatmap(with_parts)


def configs_like(
    registry: ExperimentRegistry, *, tag: str | None = None, where: str | Query | None = None
) -> SearchStrategy[ExperimentConfig]:
    """Configurations like those in a store: with their names, types and ranges, and a little beyond the ranges.

    Those in the store are drawn too, and are what a failure shrinks to, if they fail.

    Args:
        registry: The opened store.
        tag: Learn only from those that carry it.
        where: Learn only from those that match this expression.

    Raises:
        InvalidInput: There are none to learn from.
    """
    from gemexp.testing.learning import learned

    stored = registry.find(tag=tag, where=where)
    if not stored:
        told = "there are no configs to draw others like them from"
        raise InvalidInput(told, hint="add some, or ask for another tag or expression")
    stored.sort(key=lambda config: (len(config.to_bytes()), config.config_hash))
    known = st.sampled_from([ExperimentConfig.from_bytes(config.to_bytes()) for config in stored])
    return st.one_of(known, learned(stored))


@st.composite
def panels(
    draw: st.DrawFn,
    *,
    days: SearchStrategy[int] | None = None,
    assets: SearchStrategy[int] | None = None,
    columns: Iterable[str] = (),
    gaps: bool = True,
) -> Panel:
    """Panels of prices for `gemexp.backtest`. Needs numpy.

    Args:
        draw: Hypothesis hands it in.
        days: How many dates; 3 to 40 if not given.
        assets: How many assets; 1 to 5 if not given.
        columns: Names of column features, with values from 0 to 1.
        gaps: Whether closes may be missing.
    """
    import numpy as np
    from hypothesis.extra import numpy as arrays

    from gemexp.backtest import Panel

    shape = (
        draw(st.integers(3, _MAX_DAYS) if days is None else days),
        draw(st.integers(1, 5) if assets is None else assets),
    )
    first = draw(st.integers(730_000, 738_000))
    steps = draw(arrays.arrays(np.int64, shape[0], elements=st.sampled_from([1, 1, 1, 3])))
    moves = draw(arrays.arrays(np.float64, shape, elements=st.floats(-0.0625, 0.0625, width=32), fill=st.just(0.0)))
    close = 100.0 * np.cumprod(1.0 + moves, axis=0)
    if gaps:
        missing = draw(arrays.arrays(np.bool_, shape, fill=st.just(value=False)))
        missing[0] = False
        close[missing] = np.nan
    unit = st.floats(0, 1, width=32)
    tables = {name: draw(arrays.arrays(np.float64, shape, elements=unit, fill=st.just(0.5))) for name in columns}
    dates = np.array(first + np.cumsum(steps) - 719_163, dtype="datetime64[D]")
    names = [f"A{number}" for number in range(shape[1])]
    return Panel.from_arrays(dates, names, close, columns=tables)
