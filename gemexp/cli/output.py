"""Printing: JSON for scripts, lines for people, a pager where the text is longer than the screen."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from gemexp.config import ExperimentConfig, instant
from gemexp.digest import short
from gemexp.notation import visible

if TYPE_CHECKING:
    from gemexp.compare import Difference

_COLOURS = {"added": "green", "removed": "red", "changed": "yellow"}


def echo_json(value: Any, *, indent: int | None = None) -> None:
    """Print plain data as strict JSON."""
    from gemexp import formats

    click.echo(formats.dumps(value, "json", indent=indent))


def page(lines: Iterable[str]) -> None:
    """Print lines, through a pager on a terminal where they do not fit the screen."""
    collected = list(lines)
    if not collected:
        return
    text = "\n".join(collected)
    if sys.stdout is not None and sys.stdout.isatty():
        from shutil import get_terminal_size

        if len(collected) >= get_terminal_size().lines:
            click.echo_via_pager(text)
            return
    click.echo(text)


def config_line(config_hash: str, config: ExperimentConfig, *, disputed: bool = False) -> str:
    """Return one line on a configuration: hash, day, description, tags, and whether its outcomes differ."""
    day = f"{instant(config.created_at):%Y-%m-%d}" if config.created_at else "(no record)"
    parts = [click.style(short(config_hash), fg="yellow"), day]
    if config.description:
        parts.append(visible(config.description))
    if config.tags:
        parts.append(click.style(f"[{', '.join(map(visible, config.tags))}]", fg="cyan"))
    if disputed:
        parts.append(click.style("! not reproducible", fg="red"))
    return "  ".join(parts)


def difference_lines(differences: Iterable[Difference]) -> Iterable[str]:
    """Yield a line for each difference, coloured by what kind it is."""
    for difference in differences:
        yield click.style(str(difference), fg=_COLOURS[difference.change])
