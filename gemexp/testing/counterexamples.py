"""Counterexamples: configs on which a property failed, kept in a store so that anyone can check them again."""

from __future__ import annotations

from gemexp.config import ExperimentConfig
from gemexp.notation import visible
from gemexp.registry import ExperimentRegistry
from gemexp.store import location
from gemexp.testing.verdicts import Verdict

TAG = "counterexample"


def keep(verdict: Verdict, registry: ExperimentRegistry) -> str:
    """Register the configuration that a property failed on, tagged ``counterexample``; return its hash.

    One that is registered already keeps its description.
    """
    known = registry.metadata(verdict.config.config_hash)
    config = ExperimentConfig.from_bytes(verdict.config.to_bytes())
    config.tags = [TAG]
    if not known.puts:
        subject = f" of {verdict.pipeline}" if verdict.pipeline else ""
        config.description = visible(f"{verdict.name}{subject} fails {verdict.when}".rstrip())
    else:
        config.description = known.description
    return registry.register(config)


def store_here(path: str | None = None) -> ExperimentRegistry | None:
    """Return the store that is named, or the nearest from here upwards; None if there is none."""
    where = location.locate(path)
    if path is None and not location.is_store(where.root):
        return None
    return ExperimentRegistry(where)
