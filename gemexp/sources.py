"""Configurations out of files, whole files before any is used."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, BinaryIO, NamedTuple

from gemexp import formats
from gemexp.config import SECTIONS, ExperimentConfig, config_from_value
from gemexp.errors import InvalidInput, InvalidValue


class Source(NamedTuple):
    """A configuration and where it came from: a file, or a line or item of one."""

    label: str
    config: ExperimentConfig


def read_configs(file: BinaryIO, label: str, *, format: str | None = None, params: bool = False) -> list[Source]:
    """Read the configuration that a file holds, or of JSON Lines ("jsonl") all of them.

    Args:
        file: Open for reading.
        label: What to call the file in errors; without ``format``, its suffix tells, or else its content.
        format: "json", "jsonl", "yaml" or "toml", or None.
        params: Take each map as hyperparameters, even if it has the sections of a configuration.

    Raises:
        InvalidText: The text cannot be parsed.
        InvalidValue: What it holds is no configuration, or cannot be stored.
    """

    def build(value: Any) -> ExperimentConfig:
        return config_from_value(value, params=params)

    return _read(file, label, format or formats.format_of(label), build)


def read_exported(file: BinaryIO, label: str, *, format: str | None = None) -> list[Source]:
    """Read configurations that were exported with all their fields: one, an array of them, or JSON Lines.

    Raises:
        InvalidText, InvalidValue: As `read_configs`.
    """
    return _read(file, label, format or formats.format_of(label), exported_config, arrays=True)


def _read(
    file: BinaryIO, label: str, format: str | None, build: Callable[[Any], ExperimentConfig], *, arrays: bool = False
) -> list[Source]:
    if format == "jsonl":
        lines = [(f"{label}:{number}", value) for number, value in formats.load_lines(file, source=label)]
        if not lines:
            raise InvalidInput("holds nothing", source=label, hint="each line is a configuration in JSON")
    else:
        value = formats.load(file, format, source=label)
        if arrays and isinstance(value, list):
            lines = [(f"{label}[{position}]", item) for position, item in enumerate(value)]
        else:
            lines = [(label, value)]
    return [Source(place, _build(build, value, place)) for place, value in lines]


def _build(build: Callable[[Any], ExperimentConfig], value: Any, place: str) -> ExperimentConfig:
    try:
        return build(value)
    except InvalidValue as error:
        error.source = place
        raise


def exported_config(value: Any) -> ExperimentConfig:
    """Return the configuration that was exported as a map of all its fields.

    Raises:
        InvalidValue: It is no such map, or cannot be stored.
    """
    if not isinstance(value, Mapping) or not any(section in value for section in SECTIONS):
        raise InvalidValue("is not an exported configuration", hint="gemexp add tracks a file of any framework")
    return ExperimentConfig.from_dict(value)
