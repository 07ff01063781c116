"""Checks of a pipeline's reproducibility: properties that hold or do not, with what differed.

Needs Hypothesis only where configs are drawn (``pip install 'gemexp[testing]'``). Each name is imported when first
used; importing this package imports neither Hypothesis nor numpy.
"""

from __future__ import annotations

TYPE_CHECKING = False  # true for a type checker; pytest imports the package at each start
if TYPE_CHECKING:
    from typing import Any

    from gemexp.testing.pipelines import Pipeline, PipelineFailed, pipeline_of
    from gemexp.testing.processes import Processes
    from gemexp.testing.sameness import same_outcome
    from gemexp.testing.verdicts import PropertyFailed, Verdict

_HOMES = {
    "Pipeline": "pipelines",
    "PipelineFailed": "pipelines",
    "Processes": "processes",
    "PropertyFailed": "verdicts",
    "Verdict": "verdicts",
    "pipeline_of": "pipelines",
    "same_outcome": "sameness",
}

__all__ = [
    "Pipeline",
    "PipelineFailed",
    "Processes",
    "PropertyFailed",
    "Verdict",
    "pipeline_of",
    "same_outcome",
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
