"""Grids: which configurations a sweep tries.

A grid is a map in YAML, TOML or JSON with up to three parts::

    base: baseline.yaml        # a configuration's file, a REV, or a configuration; without it the default one
    parameters:                # of every run: what `gemexp backtest` takes as options
      start: 2015-01-01
      end: 2022-12-31
    grid:                      # what varies
      k: [3, 5, 10]
      walk: [30d, 60d]
      feature_weights.mom_12_1: {from: 0, to: 1, step: 0.25}
      feature_transformations.mom_12_1: [rank, zscore]

``grid`` maps a parameter of the run, or a path into the configuration, to a list of values or to a range (see
`gemexp.backtest.ranges`); instead of ``a.b: [1]`` it may say ``a: {b: [1]}``, as TOML's tables do. The combinations
of all values are tried, the last path varying fastest. A file named by ``base`` lies beside the grid's. Parameters
that the base has among its hyperparameters, as a recorded experiment does, hold where ``parameters`` has no others.
Whatever is wrong is told before anything runs.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from functools import cached_property
from typing import Any, NamedTuple

from gemexp import canonical, formats
from gemexp.backtest import ranges
from gemexp.backtest.parameters import PARAMETERS, Parameters, check_parameter, experiment_of
from gemexp.config import SECTIONS, ExperimentConfig
from gemexp.errors import GemexpError, InvalidInput, InvalidPath, InvalidValue, UsageError
from gemexp.notation import format_path, inline
from gemexp.paths import Path, parse_path
from gemexp.variants import vary

MAX_COMBINATIONS = 1_000_000
PARTS = ("base", "grid", "parameters")

_BY_NAME = ("feature_transformations", "feature_weights")


class Axis(NamedTuple):
    """One thing that varies: a parameter or a path into the configuration, and its values."""

    path: Path
    values: tuple[Any, ...]

    @property
    def name(self) -> str:
        """The path as text: ``k``, ``feature_weights.mom_12_1``."""
        return format_path(self.path)


class Combination(NamedTuple):
    """One of the grid's combinations.

    Args:
        number: Its place among all, from 0.
        settings: The value of each axis, by the axis's name.
        experiment: The experiment that it is.
        parameters: The parameters of its run.
    """

    number: int
    settings: dict[str, Any]
    experiment: ExperimentConfig
    parameters: Parameters


@dataclass(frozen=True)
class Grid:
    """A grid that was read and checked.

    Attributes:
        base: The configuration to vary; text names a file or a revision, None stands for the default configuration.
        parameters: Parameters of every run.
        axes: What varies, in the order of the file.
        source: The file it was read from; None if none.
    """

    base: ExperimentConfig | str | None
    parameters: dict[str, Any]
    axes: tuple[Axis, ...]
    source: str | None = None

    def __len__(self) -> int:
        """Return the number of combinations."""
        return math.prod(len(axis.values) for axis in self.axes)

    def settings(self, number: int) -> dict[str, Any]:
        """Return the values of the combination at one place, from 0, by the names of their axes."""
        chosen = []
        for name, axis in reversed(self._named):
            number, place = divmod(number, len(axis.values))
            chosen.append((name, axis.values[place]))
        return dict(reversed(chosen))

    def combination(self, number: int, base: ExperimentConfig) -> Combination:
        """Return the combination at one place.

        Raises:
            GemexpError: Its values do not go together.
        """
        settings = self.settings(number)
        varied = [(axis.path, settings[name]) for name, axis in self._named if axis.path[0] in SECTIONS]
        config = vary(base, varied) if varied else base
        of_run = {name: settings[name] for name, axis in self._named if axis.path[0] not in SECTIONS}
        parameters = Parameters.from_dict({**self.parameters, **of_run})
        return Combination(number, settings, experiment_of(config, parameters), parameters)

    def on(self, base: ExperimentConfig) -> Grid:
        """Return the grid with the parameters that ``base`` brings along, complete as far as that can be told.

        Raises:
            InvalidInput: ``start`` or ``end`` is given nowhere, or a parameter of the base makes no sense.
        """
        brought = {
            name: _parameter(name, base.hyperparameters[name], f"base.hyperparameters.{name}", self.source)
            for name in PARAMETERS
            if name in base.hyperparameters
        }
        parameters = {**brought, **self.parameters}
        for name in ("start", "end"):
            if name not in parameters and all(axis.path != (name,) for axis in self.axes):
                raise InvalidInput(
                    f"has no '{name}'", hint=f"add 'parameters.{name}', as YYYY-MM-DD", source=self.source
                )
        return Grid(base, parameters, self.axes, self.source)

    def probes(self, base: ExperimentConfig) -> Iterator[ExperimentConfig]:
        """Yield configurations that hold each transformation or whole section of the grid at least once.

        Checking them finds what is wrong with single values. Where ``feature_names`` varies, what is wrong depends
        on the combination, and nothing is yielded.
        """
        axes = [axis for axis in self.axes if axis.path[0] in SECTIONS]
        if any(axis.path[0] == "feature_names" for axis in axes):
            return
        first = [(axis.path, axis.values[0]) for axis in axes]
        yield vary(base, first)
        for place, axis in enumerate(axes):
            if axis.path[0] == "feature_transformations" or len(axis.path) == 1:
                for value in axis.values[1:]:
                    yield vary(base, [*first[:place], (axis.path, value), *first[place + 1 :]])

    @cached_property
    def _named(self) -> list[tuple[str, Axis]]:
        return [(axis.name, axis) for axis in self.axes]


def read_grid(path: str | os.PathLike[str]) -> Grid:
    """Read a grid from a YAML, TOML or JSON file.

    Raises:
        InvalidInput: The file cannot be read, or holds no grid.
    """
    source = os.fspath(path)
    with formats.open_file(source) as file:
        value = formats.load(file, formats.format_of(source), source=source)
    return grid_from_value(value, source=source)


def grid_from_value(value: Any, *, source: str | None = None) -> Grid:
    """Make a grid from the map that a file holds.

    Args:
        value: The map.
        source: What to call the file in errors.

    Raises:
        InvalidInput: It is no grid.
    """
    try:
        return _grid(value, source)
    except InvalidInput as error:
        error.source = error.source or source
        raise


def _grid(value: Any, source: str | None) -> Grid:
    if not isinstance(value, Mapping):
        raise InvalidInput("is no map", hint=f"a grid is a map with the parts {', '.join(PARTS)}")
    for part in value:
        if part not in PARTS:
            close = get_close_matches(str(part), PARTS, n=1)
            hint = f"did you mean '{close[0]}'?" if close else f"a grid has the parts {', '.join(PARTS)}"
            raise InvalidInput(f"{inline(str(part))} is no part of a grid", hint=hint)
    given = value.get("parameters") or {}
    if not isinstance(given, Mapping):
        raise InvalidInput("'parameters' is no map", hint="map parameters to values, such as k: 5")
    for name in given:
        if name not in PARAMETERS:
            raise _unknown(("parameters", str(name)), str(name), [*PARAMETERS])
    parameters = {name: _parameter(name, item, f"parameters.{name}") for name, item in given.items()}
    if not isinstance(value.get("grid"), Mapping) or not value["grid"]:
        raise InvalidInput("has no 'grid', or an empty one", hint="map what varies to its values: grid: {k: [3, 5]}")
    axes = tuple(_axes(value["grid"], ()))
    _check_together(axes, parameters)
    size = math.prod(len(axis.values) for axis in axes)
    if size > MAX_COMBINATIONS:
        raise InvalidInput(
            f"is a grid of {size:,} combinations, more than {MAX_COMBINATIONS:,}", hint="give an axis fewer values"
        )
    return Grid(_base(value.get("base")), parameters, axes, source)


def _base(value: Any) -> ExperimentConfig | str | None:
    if value is None or (isinstance(value, str) and value):
        return value
    if not isinstance(value, Mapping):
        raise InvalidInput("'base' is no configuration", hint="write a map, the name of a file, or a REV")
    try:
        return ExperimentConfig.from_dict(value)
    except InvalidValue as error:
        raise error.inside("base") from None


def _axes(tree: Mapping[Any, Any], above: Path) -> Iterator[Axis]:
    for key, item in tree.items():
        where = format_path(("grid", *above)) + (f".{key}" if isinstance(key, str) else f" has the key {key!r},")
        if not isinstance(key, str):
            raise InvalidInput(f"{where} which is no text", hint="quote it")
        path = _path(above, key, where)
        if isinstance(item, Mapping) and not ranges.is_range(item) and not _is_end(path):
            if not item:
                raise InvalidInput(f"'{where}' is empty", hint="give it a list of values, or a range")
            yield from _axes(item, path)
        else:
            yield Axis(path, tuple(_values(path, item, where)))


def _path(above: Path, key: str, where: str) -> Path:
    try:
        path = (*above, *parse_path(key))
    except InvalidPath as error:
        raise InvalidPath(f"'{where}' is no path: {error.message}", hint=error.hint) from None
    if len(path) == 2 and path[0] == "hyperparameters" and path[1] in PARAMETERS:
        return path[1:]  # as it is called in a recorded experiment
    if path[0] not in SECTIONS and (path[0] not in PARAMETERS or len(path) > 1):
        raise _unknown(("grid", *path), str(path[0]), [*PARAMETERS, *SECTIONS])
    if (path[0] == "feature_names" and len(path) > 1) or (path[0] in _BY_NAME and len(path) > 2):
        raise InvalidPath(f"'{where}' leads into {path[0]}, where there is nothing", hint="shorten the path")
    return path


def _is_end(path: Path) -> bool:
    """Tell whether nothing lies below a path, so that a map there can only be a range."""
    return path[0] not in SECTIONS or path[0] == "feature_names" or (path[0] in _BY_NAME and len(path) == 2)


def _values(path: Path, item: Any, where: str) -> list[Any]:
    values: list[Any]
    if isinstance(item, list) and item:
        values = item
    elif isinstance(item, Mapping):
        values = [*ranges.expand(item, where)]
    else:
        shown = "an empty list" if item == [] else "one value"
        raise InvalidInput(
            f"'{where}' is {shown}, not a list of values or a range",
            hint="write [3, 5] or {from: 1, to: 5, step: 1}; what does not vary stands under 'parameters' or 'base'",
        )
    checked = [_value(path, one, f"{where}[{place}]") for place, one in enumerate(values)]
    seen: dict[bytes, int] = {}
    for place, one in enumerate(checked):
        # As the configuration's hash sees it: names are a set, and what is left are the values' types.
        key = canonical.encode({"": sorted(one) if path == ("feature_names",) else one})
        if key in seen:
            again = f"'{where}[{place}]' is the same as '{where}[{seen[key]}]'"
            raise InvalidInput(again, hint="each value once: a configuration is tried once")
        seen[key] = place
    return checked


def _value(path: Path, value: Any, where: str) -> Any:
    """Check one value of an axis by itself, and return it in the form that it is kept in."""
    if path[0] not in SECTIONS:
        return _parameter(str(path[0]), value, where)
    if path[0] == "feature_weights" and len(path) == 2:
        if type(value) not in (int, float) or not math.isfinite(value):
            raise InvalidInput(f"'{where}' is {_shown(value)}, not a finite number", hint="a weight is a number")
        return float(value) + 0.0
    try:
        plain = canonical.normalise(value)
        vary(ExperimentConfig((), {}), [(path, plain)])
    except InvalidValue as error:
        raise InvalidInput(f"'{where}': {error.message}", hint=error.hint) from None
    except InvalidPath:
        return plain  # a path into an array of the base, which is not known here
    return plain


def _parameter(name: str, value: Any, where: str, source: str | None = None) -> Any:
    try:
        checked = check_parameter(name, value, shown=where)
    except UsageError as error:
        # What stands in a file is input, not usage.
        raise InvalidInput(
            error.message, hint=error.hint or f"see '{name}' in gemexp backtest --help", source=source
        ) from None
    if isinstance(checked, date):
        return checked.isoformat()
    return [*checked] if isinstance(checked, tuple) else checked


def _check_together(axes: tuple[Axis, ...], parameters: dict[str, Any]) -> None:
    for place, axis in enumerate(axes):
        if axis.path[0] in parameters:
            raise InvalidInput(f"'{axis.name}' stands under 'parameters' and under 'grid'", hint="remove one of them")
        for other in axes[:place]:
            length = min(len(axis.path), len(other.path))
            if axis.path[:length] == other.path[:length]:
                raise InvalidInput(
                    f"'grid' varies the same value as '{other.name}' and as '{axis.name}'", hint="remove one of them"
                )


def _unknown(path: Path, name: str, known: list[str]) -> GemexpError:
    close = get_close_matches(name, known, n=1)
    listed = f"parameters are {', '.join(PARAMETERS)}; parts of a configuration are {', '.join(SECTIONS)}"
    hint = f"did you mean '{close[0]}'?" if close else listed if path[0] == "grid" else f"known are {', '.join(known)}"
    kind = "parameter of a run" + (" nor a part of a configuration" if path[0] == "grid" else "")
    return InvalidInput(f"'{format_path(path)}' is no {kind}", hint=hint)


def _shown(value: Any) -> str:
    return f"'{value}'" if isinstance(value, date) else inline(value)
