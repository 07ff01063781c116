"""``gemexp merge``: taking over what other stores have."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from gemexp.cli.output import echo_json
from gemexp.cli.session import Session, json_option, pass_session
from gemexp.notation import visible

if TYPE_CHECKING:
    from gemexp.merging import Merge
    from gemexp.store.merge import Passed

_MOST_LISTED = 20


@click.command()
@click.argument("sources", metavar="STORE...", nargs=-1, required=True)
@click.option("--dry-run", is_flag=True, help="Tell what would come in, and take nothing.")
@json_option
@pass_session
def merge_command(session: Session, *, sources: tuple[str, ...], dry_run: bool, as_json: bool) -> int:
    """Take over what other stores have and this one lacks.

    STORE is a folder (a store, one that holds .gemexp, a bare git repository), or a revision of git, whose store is
    read without touching work tree and index. Nothing that is here is changed. Every file is checked before it is
    taken; damaged ones are named, and the exit code is 5.

    \b
    gemexp merge ../colleague/project
    gemexp merge origin/main
    gemexp merge origin/main:experiments/.gemexp
    """
    from gemexp.cli import EXIT_CORRUPT

    damaged = False
    for merge in session.open(writing=True).merge_all(sources, dry_run=dry_run):
        damaged |= bool(merge.files.bad)
        if as_json:
            echo_json({**merge.to_dict(), "dry_run": dry_run})
        else:
            for line in _lines(merge, dry_run=dry_run):
                click.echo(line)
        _tell_passed(merge)
    return EXIT_CORRUPT if damaged else 0


def _lines(merge: Merge, *, dry_run: bool) -> Iterator[str]:
    from gemexp.cli import changes

    if not merge.files.files:
        yield f"{visible(merge.source)}: already up to date"
        return
    if merge.changes is None:
        what = "too many changes to list"
    else:
        what = changes.summary(merge.changes) if merge.changes else "nothing that shows"
    files = f"{merge.files.files} file{'s' * (merge.files.files != 1)}"
    yield f"{visible(merge.source)}: {'would take' if dry_run else 'took'} {files}: {what}"
    if merge.changes is not None:
        yield from changes.lines(merge.changes)


def _tell_passed(merge: Merge) -> None:
    from gemexp.cli import report

    for line in _passed(merge.files.bad, "was not taken"):
        report.warning(f"{merge.source}: {line}")
    for line in _passed(merge.files.unknown, "was left behind"):
        report.note(f"{merge.source}: {line}")


def _passed(found: tuple[Passed, ...], what: str) -> Iterator[str]:
    for one in found[:_MOST_LISTED]:
        yield f"'{one.path}' {what}: it {one.message}"
    if len(found) > _MOST_LISTED:
        yield f"… and {len(found) - _MOST_LISTED} more"
