"""What a run is told beside the configuration and the panel. Imports no numpy: a usage error costs nothing."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import date
from difflib import get_close_matches
from functools import partial
from typing import Any

from gemexp.config import ExperimentConfig
from gemexp.errors import UsageError
from gemexp.notation import inline

_WALK = re.compile(r"([0-9]{1,6})([dw])")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DAYS = {"d": 1, "w": 7}
_MAX_HORIZON = 36_500


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """The parameters of one run, checked and in one form each.

    Whatever form a value was given in, equal parameters are equal values: ``walk="2w"`` is kept as ``"14d"``, and
    ``bps=10`` as ``10.0``, because they become part of the experiment's hash.

    Args:
        start: First day of the first training window, a date or ``YYYY-MM-DD``.
        end: Last day of the last test window.
        walk: Length of a window in calendar days or weeks: ``30d``, ``2w``.
        k: Number of assets held.
        seed: Seed of the bootstraps, the random draws and the sign flips.
        bps: Cost of trading, in hundredths of a percent of the value traded.
        lag: Rows between the decision and the first return earned.
        horizons: Lengths, in calendar days, of the further horizons that are measured.
        risk_free_rate: Yearly, 0.02 for 2 %.
        delisting_return: What is lost or gained when a held asset leaves the panel, -1 to lose all.
        allow_fewer: Take all eligible assets where there are fewer than ``k``.
        n_bootstrap: Replicates of each bootstrap; 0 for no confidence intervals.
        periods_per_year: Trading days in a year; None to tell from the panel's dates.

    Raises:
        UsageError: A value makes no sense, whatever the panel.
    """

    start: date
    end: date
    walk: str = "30d"
    k: int = 10
    seed: int = 13
    bps: float = 10.0
    lag: int = 1
    horizons: tuple[int, ...] = (7, 14, 30)
    risk_free_rate: float = 0.0
    delisting_return: float = 0.0
    allow_fewer: bool = False
    n_bootstrap: int = 2000
    periods_per_year: int | None = None

    def __post_init__(self) -> None:
        for field in fields(self):
            checked = check_parameter(field.name, getattr(self, field.name), shown=field.name.replace("_", "-"))
            object.__setattr__(self, field.name, checked)
        if self.end <= self.start:
            raise UsageError(f"'end' is {self.end}, not after 'start', {self.start}")
        if self.start.toordinal() + self.walk_days >= self.end.toordinal():
            raise UsageError(
                f"there is no window: a walk of {self.walk} from {self.start} reaches {self.end}",
                hint="the first walk is never traded; end later, or walk in shorter steps",
            )

    @property
    def walk_days(self) -> int:
        """The length of a window in calendar days."""
        return int(self.walk[:-1])

    @property
    def cost(self) -> float:
        """The cost of trading as a share of the value traded."""
        return self.bps / 1e4

    def to_dict(self) -> dict[str, Any]:
        """Return the parameters as plain data: the experiment's hyperparameters."""
        plain = {field.name: getattr(self, field.name) for field in fields(self)}
        plain.update(start=self.start.isoformat(), end=self.end.isoformat(), horizons=list(self.horizons))
        return plain

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Parameters:
        """Read what `to_dict` returns; what is missing takes its default.

        Raises:
            UsageError: A key is unknown, ``start`` or ``end`` is missing, or a value makes no sense.
        """
        known = [field.name for field in fields(cls)]
        for key in plain:
            if key not in known:
                close = get_close_matches(str(key), known, n=1)
                hint = f"did you mean '{close[0]}'?" if close else f"known are {', '.join(known)}"
                raise UsageError(f"a backtest has no parameter '{key}'", hint=hint)
        for key in ("start", "end"):
            if key not in plain:
                raise UsageError(f"'{key}' is missing", hint="write it as YYYY-MM-DD")
        return cls(**plain)


def parameters_in(config: ExperimentConfig) -> dict[str, Any]:
    """Return the hyperparameters of ``config`` that are parameters of a run, such as those of a registered one."""
    known = {field.name for field in fields(Parameters)}
    return {name: value for name, value in config.hyperparameters.items() if name in known}


def experiment_of(config: ExperimentConfig, parameters: Parameters) -> ExperimentConfig:
    """Return the experiment that a run of ``config`` is: its scoring, with the parameters as hyperparameters.

    Hyperparameters of other names are kept; those of a parameter's name give way to the parameter.
    """
    return ExperimentConfig(
        feature_names=config.feature_names,
        feature_weights=config.feature_weights,
        hyperparameters={**config.hyperparameters, **parameters.to_dict()},
        feature_transformations=config.feature_transformations,
        description=config.description,
        tags=config.tags,
        created_at=config.created_at,
    )


def check_parameter(name: str, value: Any, *, shown: str) -> Any:
    """Return the value of one parameter in the form that it is kept in.

    Args:
        name: The parameter.
        value: Its value.
        shown: What to call it in errors.

    Raises:
        UsageError: The value makes no sense, whatever the others are.
    """
    return _CHECKS[name](shown, value)


def _date(name: str, value: Any) -> date:
    if type(value) is date:
        return value
    if isinstance(value, str) and _DATE.fullmatch(value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    shown = inline(value) if isinstance(value, str) else f"'{value}'"
    raise UsageError(f"'{name}' is {shown}, not a date", hint="write it as YYYY-MM-DD")


def _walk(name: str, value: Any) -> str:
    match = _WALK.fullmatch(value) if isinstance(value, str) else None
    days = int(match[1]) * _DAYS[match[2]] if match else 0
    if days < 1:
        shown = inline(value) if isinstance(value, str) else f"'{value}'"
        raise UsageError(f"'{name}' is {shown}, not a number of days or weeks", hint="write it as 30d or 2w")
    return f"{days}d"


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise UsageError(f"'{name}' is {inline(value)}, not true or false", hint="write true or false")
    return value


def _integer(name: str, value: Any, *, least: int | None = None) -> int:
    try:
        if isinstance(value, bool):
            raise TypeError
        number = operator.index(value)
    except TypeError:
        raise UsageError(f"'{name}' is '{value}', not a whole number") from None
    if least is not None and number < least:
        raise UsageError(f"'{name}' is {number}, less than {least}")
    if not -(2**63) <= number < 2**63:
        raise UsageError(f"'{name}' is {number}, which takes more than 64 bits")
    return number


def _number(name: str, value: Any, *, least: float | None = None, above: float | None = None) -> float:
    try:
        if isinstance(value, (bool, str)):
            raise TypeError
        number = float(value) + 0.0  # -0.0 and 0.0 are one parameter
    except (TypeError, ValueError, OverflowError):
        raise UsageError(f"'{name}' is '{value}', not a number") from None
    if not math.isfinite(number):
        raise UsageError(f"'{name}' is {number}, not a finite number")
    if least is not None and number < least:
        raise UsageError(f"'{name}' is {number}, less than {least:g}")
    if above is not None and number <= above:
        raise UsageError(f"'{name}' is {number}, not more than {above:g}")
    return number


def _horizons(name: str, value: Any) -> tuple[int, ...]:
    if isinstance(value, (str, bytes)) or not isinstance(value, Iterable):
        raise UsageError(f"'{name}' is {value!r}, not a list of days", hint="write it as a list, such as [7, 30]")
    days = sorted({_integer(name, item, least=1) for item in value})
    if days and days[-1] > _MAX_HORIZON:
        raise UsageError(f"'{name}' has {days[-1]} days, more than {_MAX_HORIZON}", hint="name fewer days")
    return tuple(days)


_CHECKS: dict[str, Callable[[str, Any], Any]] = {
    "start": _date,
    "end": _date,
    "walk": _walk,
    "k": partial(_integer, least=1),
    "seed": _integer,
    "bps": partial(_number, least=0.0),
    "lag": partial(_integer, least=1),
    "horizons": _horizons,
    "risk_free_rate": partial(_number, above=-1.0),
    "delisting_return": partial(_number, least=-1.0),
    "allow_fewer": _flag,
    "n_bootstrap": partial(_integer, least=0),
    "periods_per_year": lambda name, value: None if value is None else _integer(name, value, least=1),
}
PARAMETERS = tuple(_CHECKS)
"""The names of all parameters, in the order of `Parameters`."""
