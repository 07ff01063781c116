"""A Git-style, content-addressed store for experiment configurations.

The names below are the public ones; each is imported when first used, so that ``import gemexp`` costs nothing.
"""

from __future__ import annotations

TYPE_CHECKING = False  # true for a type checker; importing typing would double the time the diff driver takes
if TYPE_CHECKING:
    from typing import Any

    from gemexp.compare import Diff, Difference
    from gemexp.config import ExperimentConfig, create_experiment_from_scoring_config
    from gemexp.errors import (
        AmbiguousPrefix,
        Conflict,
        Corrupt,
        DamageWarning,
        EngineFailed,
        GemexpError,
        InvalidInput,
        InvalidPath,
        InvalidQuery,
        InvalidText,
        InvalidValue,
        NoStore,
        NotFound,
        RivalWarning,
        StoreError,
        StoreUnreadable,
        StoreUnwritable,
        UnsupportedFormat,
        UsageError,
    )
    from gemexp.registry import ExperimentRegistry

__version__ = "0.1.0"

__all__ = [
    "AmbiguousPrefix",
    "Conflict",
    "Corrupt",
    "DamageWarning",
    "Diff",
    "Difference",
    "EngineFailed",
    "ExperimentConfig",
    "ExperimentRegistry",
    "GemexpError",
    "InvalidInput",
    "InvalidPath",
    "InvalidQuery",
    "InvalidText",
    "InvalidValue",
    "NoStore",
    "NotFound",
    "RivalWarning",
    "StoreError",
    "StoreUnreadable",
    "StoreUnwritable",
    "UnsupportedFormat",
    "UsageError",
    "create_experiment_from_scoring_config",
]

_HOMES = {
    "Diff": "compare",
    "Difference": "compare",
    "ExperimentConfig": "config",
    "ExperimentRegistry": "registry",
    "create_experiment_from_scoring_config": "config",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'gemexp' has no attribute '{name}'")
    from importlib import import_module

    value = getattr(import_module(f"gemexp.{_HOMES.get(name, 'errors')}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
