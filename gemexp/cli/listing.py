"""``gemexp list`` and ``gemexp search``: many configurations, a line each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from gemexp.cli.completion import complete_tag
from gemexp.cli.output import config_line, echo_json, page
from gemexp.cli.session import Session, json_option, pass_session, where_option
from gemexp.config import ExperimentConfig
from gemexp.errors import UsageError

if TYPE_CHECKING:
    from gemexp.registry import ExperimentRegistry

_LIMIT = click.option(
    "-n", "--limit", type=click.IntRange(min=1), default=100, show_default=True, help="List at most so many."
)
_ALL = click.option("--all", "everything", is_flag=True, help="List all.")


@click.command()
@_LIMIT
@_ALL
@click.option("--tag", metavar="TAG", shell_complete=complete_tag, help="Only those that carry TAG.")
@where_option
@click.option(
    "--sort", "key", metavar="KEY", help="Sort by created_at, description, config_hash, or the value at a path."
)
@json_option
@pass_session
def list_command(
    session: Session,
    *,
    limit: int,
    everything: bool,
    tag: str | None,
    where: str | None,
    key: str | None,
    as_json: bool,
) -> None:
    """List configurations, newest first.

    One that has had different outcomes on the same data is marked: ! not reproducible.
    """
    registry = session.open()
    found = registry.find(tag=tag, where=where, sort=key, limit=None if everything else limit)
    _print(registry, found, as_json=as_json)


@click.command()
@click.argument("tag", required=False, shell_complete=complete_tag)
@where_option
@_LIMIT
@_ALL
@json_option
@pass_session
def search_command(
    session: Session, *, tag: str | None, where: str | None, limit: int, everything: bool, as_json: bool
) -> None:
    """List the configurations that carry a tag, match an expression, or both.

    \b
    gemexp search best
    gemexp search --where 'lr > 0.01 and (tag = best or model.depth in [3, 5]) and metric.sharpe >= 1'
    """
    if tag is None and where is None:
        raise UsageError("nothing to search for", hint="name a tag, or an expression with --where")
    registry = session.open()
    _print(registry, registry.find(tag=tag, where=where, limit=None if everything else limit), as_json=as_json)


def _print(registry: ExperimentRegistry, configs: list[ExperimentConfig], *, as_json: bool) -> None:
    if as_json:
        echo_json([config.to_dict() for config in configs], indent=2)
    else:
        hashes = [config.config_hash for config in configs]
        disputed = registry.disputed(hashes)
        page(config_line(name, config, disputed=name in disputed) for name, config in zip(hashes, configs, strict=True))
