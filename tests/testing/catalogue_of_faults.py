"""Which property catches which of the broken pipelines, and what it needs to know for that."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import pipelines_broken
import pipelines_sound

from gemexp import ExperimentConfig


class Fault(NamedTuple):
    """A broken pipeline: the property that catches it, its options, and by what it is caught."""

    name: str
    caught_by: str
    options: Mapping[str, object] = MappingProxyType({})
    factors: tuple = ()
    environment: Mapping[str, str] = MappingProxyType({})

    @property
    def broken(self):
        return getattr(pipelines_broken, self.name)

    @property
    def sound(self):
        return getattr(pipelines_sound, self.name)


FAULTS = [
    Fault("unseeded_numpy", "same-outcome"),
    Fault("hash_order", "same-outcome", factors=("hash-seed",)),
    Fault("time_of_day", "same-outcome", factors=("time-zone", "clock")),
    # Threads may come in the same order by chance, also when they are disturbed.
    Fault("thread_dependent_sum", "same-outcome", {"runs": 8}, factors=("scheduling",)),
    Fault("look_ahead", "no-look-ahead", {"inputs": "catalogue_of_faults:prices"}),
    Fault("file_order", "same-outcome", factors=("listing",)),
    Fault("global_state", "same-outcome"),
    Fault("locale_encoding", "same-outcome", factors=("locale",)),
    Fault("accumulation_order", "order"),
    Fault("cached_between_calls", "no-hidden-state"),
    Fault("environment_variable", "same-outcome", factors=("environment",), environment={"BATCH_SIZE": "32"}),
    Fault("seed_ignored", "seed", {"matters": True}),
    Fault("thread_count", "same-outcome", factors=("threads",)),
    Fault("working_folder", "same-outcome", factors=("folder",)),
    Fault("changes_its_config", "same-outcome"),
    Fault(
        "biased_ranking",
        "metamorphic",
        {"transform": "gemexp.testing.relations:scale_weights", "relation": "gemexp.testing.relations:same_ranking"},
    ),
]


def prices():
    return 100.0 * np.cumprod(1.0 + np.random.default_rng(5).normal(0, 0.01, 120))


def rich_config(**hyperparameters):
    """A config as people have them: most of it has nothing to do with any fault."""
    names = ["momentum", "size", "value", "quality", "carry", "reversal"]
    return ExperimentConfig(
        names,
        {name: 0.1 * (number + 1) for number, name in enumerate(names)},
        {
            "lr": 0.01,
            "k": 3,
            "seed": 7,
            "window": 5,
            "batch": 16,
            "warm": False,
            "model": {"layers": [64, 32], "activation": "relu"},
            "notes": ["first", "second"],
            **hyperparameters,
        },
        {"momentum": "rank", "size": "log"},
    )
