"""How a metric responds to one parameter or two: recorded outcomes on one panel, by values of their configurations.

Needs no numpy: outcomes of any kind will do, as long as their configurations have the parameters.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from difflib import get_close_matches
from statistics import median
from typing import Any, NamedTuple

from gemexp.config import SECTIONS, ExperimentConfig
from gemexp.errors import InvalidInput, InvalidPath, NotFound, UsageError
from gemexp.notation import flatten, format_path, inline
from gemexp.paths import Path, parse_path, select
from gemexp.query.ranking import Ranked
from gemexp.registry import ExperimentRegistry

Value = float | str

_DIGITS = re.compile(r"([0-9]+)")
_MANY = 20


class Point(NamedTuple):
    """An outcome: its configuration, the values of the parameters there (``y`` None without a second), its metric."""

    config_hash: str
    x: Value
    y: Value | None
    value: float


@dataclass(frozen=True)
class Response:
    """Outcomes by parameter.

    Attributes:
        metric: What was measured.
        x: The parameter, as text.
        y: The second parameter; None without one.
        data: What the outcomes were computed on, as text: for a backtest, the panel's digest.
        points: The outcomes, in order of x, y and metric.
    """

    metric: str
    x: str
    y: str | None
    data: str
    points: list[Point]

    def values(self, axis: str) -> list[Value]:
        """Return the different values on the axis ``x`` or ``y``: numbers ascending, then text, 7d before 30d."""
        return sorted({getattr(point, axis) for point in self.points}, key=_order)

    def cells(self) -> dict[tuple[Value, Value | None], list[float]]:
        """Return the metrics of the outcomes at each (x, y), ascending."""
        found: dict[tuple[Value, Value | None], list[float]] = {}
        for point in self.points:
            found.setdefault((point.x, point.y), []).append(point.value)
        return found

    def medians(self) -> dict[tuple[Value, Value | None], float]:
        """Return the median of the metric at each (x, y), without digits that none of the figures has."""
        return {place: float(median(Decimal(repr(value)) for value in found)) for place, found in self.cells().items()}


def response(
    registry: ExperimentRegistry,
    metric: str,
    x: str,
    y: str | None = None,
    *,
    tag: str | None = None,
    data: str | None = None,
) -> Response:
    """Collect the latest outcomes that have a metric, by parameters of their configurations.

    Args:
        registry: Where they are recorded.
        metric: Its name.
        x: A parameter of a run such as ``k``, or a path such as ``feature_weights.mom_12_1``.
        y: A second one.
        tag: Only configurations that carry it.
        data: The beginning of the digest of the panel; needed where outcomes are on several.

    Raises:
        NotFound: No outcome has the metric, or none is on that panel or has the parameters.
        UsageError: The outcomes are on several panels, or both parameters are the same.
        InvalidPath: A parameter is not a path.
    """
    paths = [_path(text) for text in (x, y) if text is not None]
    if len(paths) > 1 and paths[0] == paths[1]:
        raise UsageError(f"both axes are '{x}'", hint="name two parameters, or only --x")
    ranked = _on_one_panel(registry.rank(metric, tag=tag), data)
    configs = {one.config_hash: ExperimentConfig.from_bytes(registry.data(one.config_hash)) for one in ranked}
    points = []
    for one in ranked:
        values = [_value(configs[one.config_hash], path) for path in paths]
        if None not in values:
            points.append(Point(one.config_hash, values[0], values[1] if y is not None else None, one.value))
    if not points:
        raise _nowhere(paths, list(configs.values()))
    points.sort(key=lambda point: (_order(point.x), _order(point.y), point.value, point.config_hash))
    return Response(metric, x, y, _text(ranked[0].outcome.data), points)


def _path(text: str) -> Path:
    path = parse_path(text)
    return path if path[0] in SECTIONS else ("hyperparameters", *path)


def _on_one_panel(ranked: list[Ranked], data: str | None) -> list[Ranked]:
    by_data: dict[str, list[Ranked]] = {}
    for one in ranked:
        by_data.setdefault(_text(one.outcome.data), []).append(one)
    names = sorted(by_data)
    hint = f"outcomes are on {', '.join(name[:12] for name in names[:_MANY])}"
    if data is not None:
        names = [name for name in names if name.startswith(data)]
    if not names:
        raise NotFound(f"no outcome is on data that begins with '{data}'", subject=str(data), hint=hint)
    if len(names) > 1:
        raise UsageError(f"the outcomes are on {len(names)} panels, which cannot be compared", hint=f"--data; {hint}")
    return by_data[names[0]]


def _text(data: Any) -> str:
    return data if isinstance(data, str) else inline(data)


def _value(config: ExperimentConfig, path: Path) -> Any:
    """Return a number or text; None where the path leads nowhere."""
    try:
        value = select({section: getattr(config, section) for section in SECTIONS}, path)
    except InvalidPath:
        return None
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value if value == value else "nan"
    return value if isinstance(value, str) else inline(value)


def _order(value: Any) -> tuple[Any, ...]:
    if value is None:
        return (0,)
    if isinstance(value, str):
        parts = _DIGITS.split(value)
        return (2, [int(part) if place % 2 else part for place, part in enumerate(parts)], value)
    return (1, value)


def _nowhere(paths: list[Path], configs: list[ExperimentConfig]) -> InvalidInput | NotFound:
    """Return an error that names the parameter which no configuration has, or that none has both."""
    for path in paths:
        if all(_value(config, path) is None for config in configs):
            there = {
                format_path(found[1:] if found[0] == "hyperparameters" else found)
                for config in configs
                for section in SECTIONS[1:]
                for found, _ in flatten(getattr(config, section), (section,))
            }
            name = format_path(path[1:] if path[0] == "hyperparameters" else path)
            close = get_close_matches(name, there, n=1)
            hint = f"did you mean '{close[0]}'?" if close else f"there is {', '.join(sorted(there)[:_MANY])}"
            return NotFound(f"no configuration with such an outcome has '{name}'", subject=name, hint=hint)
    return InvalidInput("no configuration has both parameters", hint="plot one of them")
