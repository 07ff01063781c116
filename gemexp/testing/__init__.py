"""Checks of a pipeline's reproducibility: properties that hold or do not, with what differed.

Needs Hypothesis only where configs are drawn (``pip install 'gemexp[testing]'``). Each name is imported when first
used; importing this package imports neither Hypothesis nor numpy.
"""

from __future__ import annotations

TYPE_CHECKING = False  # true for a type checker; pytest imports the package at each start
if TYPE_CHECKING:
    from typing import Any

    from gemexp.testing.counterexamples import keep
    from gemexp.testing.look_ahead import no_look_ahead
    from gemexp.testing.orders import order_does_not_matter
    from gemexp.testing.pipelines import Pipeline, PipelineFailed, pipeline_of
    from gemexp.testing.processes import Processes
    from gemexp.testing.relations import metamorphic, same_ranking, scale_weights
    from gemexp.testing.sameness import same_outcome
    from gemexp.testing.seeds import seed_is_the_only_randomness
    from gemexp.testing.shrinking import shrunk
    from gemexp.testing.stability import hash_stability
    from gemexp.testing.state import no_hidden_state
    from gemexp.testing.verdicts import PropertyFailed, Verdict

_HOMES = {
    "Pipeline": "pipelines",
    "PipelineFailed": "pipelines",
    "Processes": "processes",
    "PropertyFailed": "verdicts",
    "Verdict": "verdicts",
    "hash_stability": "stability",
    "keep": "counterexamples",
    "metamorphic": "relations",
    "no_hidden_state": "state",
    "no_look_ahead": "look_ahead",
    "order_does_not_matter": "orders",
    "pipeline_of": "pipelines",
    "same_outcome": "sameness",
    "same_ranking": "relations",
    "scale_weights": "relations",
    "seed_is_the_only_randomness": "seeds",
    "shrunk": "shrinking",
}

__all__ = [
    "Pipeline",
    "PipelineFailed",
    "Processes",
    "PropertyFailed",
    "Verdict",
    "hash_stability",
    "keep",
    "metamorphic",
    "no_hidden_state",
    "no_look_ahead",
    "order_does_not_matter",
    "pipeline_of",
    "same_outcome",
    "same_ranking",
    "scale_weights",
    "seed_is_the_only_randomness",
    "shrunk",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'gemexp.testing' has no attribute '{name}'")
    from importlib import import_module

    value = getattr(import_module(f"gemexp.testing.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
