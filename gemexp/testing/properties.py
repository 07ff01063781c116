"""All properties, each usable alone, and by their names for a command that checks several."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gemexp.config import ExperimentConfig
from gemexp.errors import InvalidInput
from gemexp.paths import leads_somewhere, parse_path
from gemexp.testing.look_ahead import NO_LOOK_AHEAD, no_look_ahead
from gemexp.testing.orders import ORDER, order_does_not_matter
from gemexp.testing.pipelines import Pipeline, sections_of
from gemexp.testing.relations import METAMORPHIC, metamorphic
from gemexp.testing.sameness import SAME_OUTCOME, same_outcome
from gemexp.testing.seeds import DEFAULT_PATH, SEED, seed_is_the_only_randomness
from gemexp.testing.stability import HASH_STABILITY, hash_stability
from gemexp.testing.state import NO_HIDDEN_STATE, no_hidden_state
from gemexp.testing.verdicts import Verdict

__all__ = [
    "PROPERTIES",
    "applicable",
    "check",
    "hash_stability",
    "metamorphic",
    "no_hidden_state",
    "no_look_ahead",
    "order_does_not_matter",
    "same_outcome",
    "seed_is_the_only_randomness",
]


def _hash_stability(pipeline: str | Pipeline, config: ExperimentConfig, **options: Any) -> Verdict:  # noqa: ARG001 - as all
    return hash_stability(config, **options)


# What each takes beside pipeline and config.
_OPTIONS = {
    SAME_OUTCOME: {"runs", "isolate", "vary", "rtol", "atol", "processes"},
    ORDER: {"isolate", "rtol", "atol"},
    NO_HIDDEN_STATE: {"isolate", "rtol", "atol"},
    SEED: {"isolate", "rtol", "atol", "seed", "matters"},
    NO_LOOK_AHEAD: {"inputs", "rtol", "atol"},
    METAMORPHIC: {"transform", "relation", "rtol", "atol"},
    HASH_STABILITY: set[str](),
}

PROPERTIES: Mapping[str, Callable[..., Verdict]] = {
    SAME_OUTCOME: same_outcome,
    ORDER: order_does_not_matter,
    NO_HIDDEN_STATE: no_hidden_state,
    SEED: seed_is_the_only_randomness,
    NO_LOOK_AHEAD: no_look_ahead,
    METAMORPHIC: metamorphic,
    HASH_STABILITY: _hash_stability,
}


def check(name: str, pipeline: str | Pipeline, config: ExperimentConfig, **options: Any) -> Verdict:
    """Check the property of a name, with those of ``options`` that it takes.

    Raises:
        InvalidInput: There is no such property, or it lacks an option.
        PipelineFailed: The pipeline raised an error.
    """
    if name not in PROPERTIES:
        raise InvalidInput(f"there is no property '{name}'", hint=f"there are {', '.join(PROPERTIES)}")
    taken = {key: value for key, value in options.items() if key in _OPTIONS[name] and value is not None}
    needed = {NO_LOOK_AHEAD: "inputs", METAMORPHIC: "transform"}.get(name)
    if needed is not None and needed not in taken:
        raise InvalidInput(f"the property '{name}' needs {needed}", hint=f"name a function: --{needed} MODULE:FUNCTION")
    return PROPERTIES[name](pipeline, config, **taken)


def applicable(config: ExperimentConfig, **options: Any) -> list[str]:
    """Return the names of the properties that can be checked on a configuration with these options."""
    seed = parse_path(options.get("seed") or DEFAULT_PATH)
    return [
        name
        for name in PROPERTIES
        if (name != SEED or leads_somewhere(sections_of(config), seed))
        and (name != NO_LOOK_AHEAD or options.get("inputs") is not None)
        and (name != METAMORPHIC or options.get("transform") is not None)
        # A function of inputs cannot be called without.
        and (options.get("inputs") is None or name in (NO_LOOK_AHEAD, HASH_STABILITY))
    ]
