"""What configs have in common: names, types and ranges, as a strategy that draws more of their kind."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from gemexp.canonical import MAX_INT, MIN_INT
from gemexp.config import SECTIONS, ExperimentConfig

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

_CREATED_AT = "2000-01-01T00:00:00Z"
# How far beyond the range that was seen, in parts of its width; of its size where it has no width.
_BEYOND = 0.25


def learned(configs: Sequence[ExperimentConfig]) -> SearchStrategy[ExperimentConfig]:
    """Return a strategy for configurations like some.

    Every map has the keys that all of them have, and may have those that some have. A number lies in the range that was
    seen or a quarter of it beyond, and has no sign that none had; text is one that was seen.
    """
    sections = {section: [getattr(config, section) for config in configs] for section in SECTIONS}
    names = sorted({name for chosen in sections["feature_names"] for name in chosen})
    always = [name for name in names if all(name in chosen for chosen in sections["feature_names"])]
    sometimes = [name for name in names if name not in always]
    chosen = st.lists(st.sampled_from(sometimes), unique=True) if sometimes else st.just([])
    parts = {section: like(sections[section]) for section in SECTIONS[1:]}

    def with_parts(extra: list[str]) -> SearchStrategy[ExperimentConfig]:
        features = {*always, *extra}

        def fitted(drawn: dict[str, dict[str, Any]]) -> ExperimentConfig:
            # What is said of a feature that was not chosen goes; what is said of no feature stays.
            kept = {
                section: {key: item for key, item in drawn[section].items() if key in features or key not in names}
                for section in ("feature_transformations", "feature_weights")
            }
            return ExperimentConfig(
                sorted(features),
                kept["feature_weights"],
                drawn["hyperparameters"],
                kept["feature_transformations"],
                created_at=_CREATED_AT,
            )

        return st.fixed_dictionaries(parts).map(fitted)

    return chosen.flatmap(with_parts)


def like(seen: Sequence[Any]) -> SearchStrategy[Any]:
    """Return a strategy for values like some: one for each type among them."""
    kinds: dict[type, list[Any]] = {}
    for value in seen:
        kinds.setdefault(type(value), []).append(value)
    return st.one_of([_like(kind, kinds[kind]) for kind in sorted(kinds, key=lambda kind: kind.__name__)])


def _like(kind: type, seen: list[Any]) -> SearchStrategy[Any]:
    if kind is bool:
        return st.booleans()
    if kind is int:
        return _integers(seen)
    if kind is float:
        return _floats(seen)
    if kind is list:
        return _lists(seen)
    if kind is dict:
        return _maps(seen)
    return st.sampled_from(sorted(set(seen))) if kind is str else st.just(seen[0])


def _integers(seen: list[int]) -> SearchStrategy[int]:
    low, high = min(seen), max(seen)
    margin = math.ceil((high - low or abs(low)) * _BEYOND)
    least = max(low - margin, _floor(low), MIN_INT)
    return st.integers(least, min(high + margin, MAX_INT if high > 0 else 0))


def _floor(low: int) -> int:
    """Return how low integers may go of which the lowest is ``low``: a count stays one."""
    return 1 if low > 0 else 0 if low == 0 else MIN_INT


def _floats(seen: list[float]) -> SearchStrategy[float]:
    finite = [value for value in seen if math.isfinite(value)]
    odd = [value for value in seen if not math.isfinite(value)]
    if not finite:
        return st.sampled_from(odd[:1])
    low, high = min(finite), max(finite)
    margin = (high - low or abs(low)) * _BEYOND
    margin = margin if math.isfinite(margin) else 0.0
    least, most = low - margin, high + margin
    if low >= 0.0:
        # Half of the least that was seen: a learning rate does not become zero.
        least = max(least, low / 2)
    if high <= 0.0:
        most = min(most, high / 2)
    inside = st.floats(least, most)
    return st.one_of(inside, st.sampled_from(odd)) if odd else inside


def _lists(seen: list[list[Any]]) -> SearchStrategy[list[Any]]:
    items = [item for value in seen for item in value]
    lengths = [len(value) for value in seen]
    if not items:
        return st.just([])
    return st.lists(like(items), min_size=min(lengths), max_size=max(lengths) + 1)


def _maps(seen: list[dict[str, Any]]) -> SearchStrategy[dict[str, Any]]:
    keys = sorted({key for value in seen for key in value})
    strategies = {key: like([value[key] for value in seen if key in value]) for key in keys}
    always = {key: strategies[key] for key in keys if all(key in value for value in seen)}
    optional = {key: strategies[key] for key in keys if key not in always}
    return st.fixed_dictionaries(always, optional=optional)
