"""Plans of sweeps: which combinations of a grid are new on a panel, and which of them share what is expensive."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from gemexp import formats
from gemexp.backtest import tracking
from gemexp.backtest.grid import Grid
from gemexp.backtest.panel import Panel
from gemexp.backtest.selection import check_config, default_config
from gemexp.backtest.sweep_worker import Failure, failure
from gemexp.config import ExperimentConfig
from gemexp.errors import GemexpError, InvalidInput
from gemexp.registry import ExperimentRegistry
from gemexp.sources import read_configs

_CHUNK = 32


class Base(NamedTuple):
    """The configuration that a sweep varies, and the hashes of what it was made from."""

    config: ExperimentConfig
    parents: tuple[str, ...] = ()


class Planned(NamedTuple):
    """A combination to run: its place in the grid, its hash, and what it shares with others of the same group."""

    number: int
    config_hash: str
    group: tuple[object, ...]


@dataclass
class Plan:
    """What a sweep has to do.

    Attributes:
        grid: The grid, complete with what its base brings along.
        base: The configuration that it varies.
        panel: The panel.
        new: What is to be run.
        known: By place in the grid, configuration and latest outcome of what is recorded already.
        failures: Combinations whose values do not go together, whatever the panel.
    """

    grid: Grid
    base: Base
    panel: Panel
    new: list[Planned] = field(default_factory=list)
    known: dict[int, tuple[str, str]] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)


def plan_sweep(grid: Grid, panel: Panel, registry: ExperimentRegistry | None) -> Plan:
    """Find out what a sweep has to do; nothing is run and nothing is written.

    Args:
        grid: The grid.
        panel: The panel.
        registry: Where outcomes are looked for, and the revision that the grid's base may be; None if there is none.

    Raises:
        GemexpError: The base is not there, or a part of the grid cannot be used on the panel.
    """
    base = _base(grid, panel, registry)
    grid = grid.on(base.config)
    try:
        for config in grid.probes(base.config):
            check_config(config, panel)
    except InvalidInput as error:
        error.source = error.source or grid.source
        raise
    plan = Plan(grid, base, panel)
    outcomes = {} if registry is None else tracking.latest(registry, panel.digest)
    for number in range(len(grid)):
        try:
            _, _, experiment, parameters = grid.combination(number, base.config)
        except GemexpError as error:
            plan.failures.append(failure(number, error))
            continue
        config_hash = experiment.config_hash
        if config_hash in outcomes:
            plan.known[number] = (config_hash, outcomes[config_hash])
        else:
            windows = (parameters.start, parameters.end, parameters.walk_days, parameters.lag)
            features = tuple(sorted(name for name, weight in experiment.feature_weights.items() if weight))
            group = (*windows, parameters.delisting_return, features)
            plan.new.append(Planned(number, config_hash, group))
    return plan


def chunks(planned: list[Planned], workers: int) -> Iterator[list[Planned]]:
    """Cut what is to be run into chunks of one group each, small enough that all workers have some."""
    size = max(1, min(_CHUNK, len(planned) // (2 * workers)))
    groups: dict[tuple[object, ...], list[Planned]] = {}
    for one in planned:
        groups.setdefault(one.group, []).append(one)
    for group in groups.values():
        for begin in range(0, len(group), size):
            yield group[begin : begin + size]


def _base(grid: Grid, panel: Panel, registry: ExperimentRegistry | None) -> Base:
    if grid.base is None:
        return Base(default_config(panel))
    if isinstance(grid.base, ExperimentConfig):
        return Base(grid.base)
    path = os.path.join(os.path.dirname(grid.source or ""), grid.base)
    if os.path.isfile(path):
        with formats.open_file(path) as file:
            found = read_configs(file, path)
        if len(found) != 1:
            hint = "name a file that holds one"
            raise InvalidInput(f"holds {len(found)} configurations, and a grid varies one", hint=hint, source=path)
        return Base(found[0].config)
    if registry is None:
        hint = "files are looked for beside the grid, and there is no store to look for a REV in"
        raise InvalidInput(f"'base' is '{grid.base}', and there is no such file", hint=hint, source=grid.source)
    config_hash = registry.resolve(grid.base)
    config = registry.load(config_hash)
    config.tags = []
    return Base(config, (config_hash,))
