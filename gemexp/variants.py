"""Variants: a configuration with some values set anew. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

from gemexp.config import SECTIONS, ExperimentConfig
from gemexp.errors import InvalidPath
from gemexp.notation import format_path
from gemexp.paths import Path, assign


def vary(config: ExperimentConfig, assignments: Iterable[tuple[Path, Any]]) -> ExperimentConfig:
    """Return a copy of ``config`` with the value at each path set anew; description, tags and time stay.

    Raises:
        InvalidPath: A path does not begin with a section, or cannot be followed.
        InvalidValue: The result cannot be stored.
    """
    fields = config.to_dict()
    del fields["config_hash"]
    for path, value in assignments:
        if path[0] not in SECTIONS:
            raise _outside(path)
        assign(fields, path, value)
    return ExperimentConfig(**fields)


def _outside(path: Path) -> InvalidPath:
    close = get_close_matches(str(path[0]), SECTIONS, n=1)
    meant = (close[0], *path[1:]) if close else ("hyperparameters", *path)
    return InvalidPath(
        f"'{format_path(path)}' is in no section of a configuration", hint=f"did you mean '{format_path(meant)}'?"
    )
