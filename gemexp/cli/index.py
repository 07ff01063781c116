"""``gemexp index``: the optional SQLite index, which makes finding quicker."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from gemexp.cli.output import echo_json
from gemexp.cli.session import Session, json_option, pass_session
from gemexp.notation import visible

if TYPE_CHECKING:
    from gemexp.index.status import IndexStatus

_SHOWN_STALE = 10


@click.group()
def index_command() -> None:
    """Make finding quicker by an index.

    With one, `list`, `search`, `best`, `tag` and whatever takes --where are quicker in a large store, and answer the
    same. They keep it up to date. It is a SQLite file in the store's local folder, never shared, or the one that --db
    names; other tools can read its views `experiments` and `runs`.
    """


@index_command.command("build")
@json_option
@pass_session
def build_command(session: Session, *, as_json: bool) -> None:
    """Build the index, or build it anew."""
    status = session.open().build_index(progress=_progress)
    if sys.stderr is not None and sys.stderr.isatty():
        click.echo("\r", nl=False, err=True)
    _print(status, as_json=as_json)


@index_command.command("status")
@json_option
@pass_session
def status_command(session: Session, *, as_json: bool) -> None:
    """Tell whether there is an index, and what in it is out of date.

    What is out of date is read again when something is looked for next.
    """
    _print(session.open().index_status(), as_json=as_json)


@index_command.command("drop")
@json_option
@pass_session
def drop_command(session: Session, *, as_json: bool) -> None:
    """Remove the index; no answer depends on it."""
    dropped = session.open().drop_index()
    if as_json:
        echo_json({"dropped": dropped})
    else:
        click.echo("dropped the index" if dropped else "there is no index")


def _progress(count: int) -> None:
    """Tell on a terminal how far it is."""
    if count >= 1000 and sys.stderr is not None and sys.stderr.isatty():
        click.echo(f"\r{count} indexed", nl=False, err=True)


def _print(status: IndexStatus, *, as_json: bool) -> None:
    if as_json:
        echo_json(status._asdict(), indent=2)
    elif not status.exists:
        click.echo("there is no index")
    elif not status.usable:
        click.echo(f"{visible(status.path)}: damaged, or of another version or store; it is built anew when needed")
    else:
        configs = f"{status.configs} config{'' if status.configs == 1 else 's'}"
        click.echo(f"{visible(status.path)}: {configs}, {status.size / 1e6:.1f} MB")
        for path in status.stale[:_SHOWN_STALE]:
            click.echo(f"out of date: {visible(path)}")
        left = len(status.stale) - _SHOWN_STALE
        if left > 0:
            click.echo(f"… and {left} more")
