"""``gemexp delete`` and ``gemexp restore``."""

from __future__ import annotations

import click

from gemexp.cli.asking import confirm
from gemexp.cli.completion import complete_deleted, complete_revision
from gemexp.cli.output import config_line, echo_json
from gemexp.cli.session import Session, json_option, pass_session
from gemexp.digest import short
from gemexp.errors import UsageError
from gemexp.notation import visible


@click.command()
@click.argument("revs", metavar="REV...", nargs=-1, required=True, shell_complete=complete_revision)
@click.option("-f", "--force", is_flag=True, help="Do not ask.")
@json_option
@pass_session
def delete_command(session: Session, *, revs: tuple[str, ...], force: bool, as_json: bool) -> None:
    """Delete configurations, after asking.

    `gemexp restore` brings them back.
    """
    if as_json and not force:
        raise UsageError("--json cannot ask", hint="add --force")
    registry = session.open(writing=True)
    hashes = list(dict.fromkeys(registry.resolve(rev) for rev in revs))
    if not force:
        for config_hash in hashes:
            click.echo(config_line(config_hash, registry.load(config_hash)), err=True)
            for name in registry.names_of(config_hash):
                click.echo(f"  the name '{visible(name)}' points to it", err=True)
        what = "this config" if len(hashes) == 1 else f"these {len(hashes)} configs"
        confirm(f"delete {what}?", otherwise="nothing was deleted")
    for config_hash in hashes:
        deleted = registry.delete(config_hash)
        if as_json:
            echo_json({"config_hash": config_hash, "deleted": deleted})
        else:
            click.echo(f"deleted {short(config_hash)}")


@click.command()
@click.argument("revs", metavar="REV...", nargs=-1, required=True, shell_complete=complete_deleted)
@json_option
@pass_session
def restore_command(session: Session, *, revs: tuple[str, ...], as_json: bool) -> None:
    """Bring deleted configurations back."""
    registry = session.open(writing=True)
    hashes = list(dict.fromkeys(map(registry.resolve_deleted, revs)))
    for config_hash in hashes:
        registry.restore(config_hash)
        if as_json:
            echo_json({"config_hash": config_hash, "restored": True})
        else:
            click.echo(f"restored {short(config_hash)}")
