"""Variants: a configuration with some values set anew, or brought into another shape. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any, NamedTuple

from gemexp.config import SECTIONS, ExperimentConfig
from gemexp.errors import InvalidPath
from gemexp.notation import format_path
from gemexp.paths import Path, assign, leads_somewhere, take_out

_NAMES = "feature_names"


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


class Default(NamedTuple):
    """Set what is missing at a path."""

    path: Path
    value: Any

    def check(self) -> None:
        """Raise InvalidPath if no configuration can be changed so."""
        _check_inside(self.path)
        if self.path[0] == _NAMES:
            raise InvalidPath(
                f"'{format_path(self.path)}' has no value: a feature's name is there or not",
                hint="set its weight, or rename a feature",
            )

    def apply(self, value: dict[str, Any]) -> None:
        """Change a configuration's sections in place."""
        if not leads_somewhere(value, self.path):
            assign(value, self.path, self.value)


class Rename(NamedTuple):
    """Move what is at a path to another, where nothing may be yet; the map that it was in stays, be it empty."""

    path: Path
    target: Path

    def check(self) -> None:
        """Raise InvalidPath if no configuration can be changed so."""
        _check_inside(self.path)
        _check_inside(self.target)
        if (self.path[0] == _NAMES) != (self.target[0] == _NAMES):
            hint = f"rename '{_NAMES}.OLD' to '{_NAMES}.NEW', and weights and transformations beside it"
            raise InvalidPath(f"a feature's name stays in '{_NAMES}'", hint=hint)

    def apply(self, value: dict[str, Any]) -> None:
        """Change a configuration's sections in place.

        Raises:
            InvalidPath: There is something at the target already.
        """
        if self.path != self.target and leads_somewhere(value, self.path):
            moved = take_out(value, self.path)
            if leads_somewhere(value, self.target):
                raise InvalidPath(
                    f"'{format_path(self.target)}' is there already", hint="drop it first, or name another"
                )
            assign(value, self.target, moved)


class Drop(NamedTuple):
    """Remove what is at a path."""

    path: Path

    def check(self) -> None:
        """Raise InvalidPath if no configuration can be changed so."""
        _check_inside(self.path)

    def apply(self, value: dict[str, Any]) -> None:
        """Change a configuration's sections in place."""
        if leads_somewhere(value, self.path):
            take_out(value, self.path)


Step = Default | Rename | Drop


def reshape(config: ExperimentConfig, steps: Iterable[Step]) -> ExperimentConfig:
    """Return a copy of ``config`` after some steps, in their order; description and time stay, tags do not.

    Feature names count as a map without values: ``feature_names.momentum``.

    Raises:
        InvalidPath: A step cannot be done.
        InvalidValue: The result cannot be stored.
    """
    fields = config.to_dict()
    del fields["config_hash"], fields["tags"]
    fields[_NAMES] = dict.fromkeys(fields[_NAMES])
    for step in steps:
        step.apply(fields)
    return ExperimentConfig(**{**fields, _NAMES: list(fields[_NAMES])})


def _check_inside(path: Path) -> None:
    if path[0] not in SECTIONS:
        raise _outside(path)
    if len(path) < 2:
        raise InvalidPath(
            f"'{format_path(path)}' is a whole section, which every configuration has",
            hint=f"name something inside it, such as '{format_path((*path, 'NAME'))}'",
        )
    if path[0] == _NAMES and not (len(path) == 2 and isinstance(path[1], str)):
        raise InvalidPath(f"'{format_path(path)}' is no feature's name", hint=f"such as '{_NAMES}.momentum'")


def _outside(path: Path) -> InvalidPath:
    close = get_close_matches(str(path[0]), SECTIONS, n=1)
    meant = (close[0], *path[1:]) if close else ("hyperparameters", *path)
    return InvalidPath(
        f"'{format_path(path)}' is in no section of a configuration", hint=f"did you mean '{format_path(meant)}'?"
    )
