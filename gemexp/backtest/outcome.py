"""The outcome of a run: the part of its results that must come out the same again, in one canonical form.

Source: section 10 of the specification.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from gemexp.backtest.arrays import Floats, Ints
from gemexp.backtest.parameters import Parameters
from gemexp.config import ExperimentConfig
from gemexp.digest import hash_bytes


@dataclass(frozen=True)
class Daily:
    """The daily series of a run.

    Attributes:
        days: Dates as ordinals, shape (D,).
        window: The window of each day, counted from 0, shape (D,).
        returns: Net return by day and portfolio, each of shape (D,): ``strategy``, ``equal_weight``, ``momentum``,
            ``cap_weighted``; None for one that could not be formed.
    """

    days: Ints
    window: Ints
    returns: dict[str, Floats | None]


@dataclass(frozen=True)
class Outcome:
    """What came out of a run. Equal configuration, panel and parameters give an equal outcome, on any machine.

    All figures are rounded to 10 significant digits; undefined ones are None.

    Attributes:
        experiment: The configuration with the run's parameters as hyperparameters: what is registered.
        parameters: The parameters.
        panel_digest: `Panel.digest`.
        data: Number of assets, first and last date of the panel.
        windows: One map for each window, in order.
        summary: The figures over all windows.
        daily: The daily series; not part of the digest, which its figures' summary is.
        warnings: What a user should know; not part of the digest.
    """

    experiment: ExperimentConfig
    parameters: Parameters
    panel_digest: str
    data: dict[str, Any]
    windows: list[dict[str, Any]]
    summary: dict[str, Any]
    daily: Daily
    warnings: tuple[str, ...] = ()

    @cached_property
    def config_hash(self) -> str:
        """The hash of `experiment`."""
        return self.experiment.compute_hash()

    def to_value(self) -> dict[str, Any]:
        """Return the canonical result as plain data: what the digest covers, and no more."""
        return {
            "config_hash": self.config_hash,
            "panel_digest": self.panel_digest,
            "parameters": canonical(self.parameters.to_dict()),
            "windows": self.windows,
            "summary": self.summary,
        }

    def to_json(self) -> str:
        """Return the canonical result as the text that the digest is of."""
        return canonical_json(self.to_value())

    @cached_property
    def digest(self) -> str:
        """The SHA-256 of `to_json`: the ``result_digest`` in the details of the stored outcome."""
        return hash_bytes(self.to_json().encode())


def canonical(value: Any) -> Any:
    """Round every float of plain data to 10 significant digits; NaN and infinities become None."""
    kind = type(value)
    if kind is float:
        return float(f"{value:.10g}") + 0.0 if math.isfinite(value) else None
    if kind is str or kind is int or value is None:
        return value
    if kind is dict:
        return {key: canonical(item) for key, item in value.items()}
    if kind is list or kind is tuple:
        return [canonical(item) for item in value]
    # What is left are booleans, and numpy's floats, which must not slip through unrounded.
    return canonical(float(value)) if isinstance(value, float) else value


def canonical_json(value: Any) -> str:
    """Return plain, canonical data as JSON with sorted keys and without white space."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
