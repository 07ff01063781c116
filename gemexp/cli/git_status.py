"""``gemexp git status``: what of the store is not committed yet."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from gemexp.cli.output import echo_json, page
from gemexp.cli.session import Session, json_option, pass_session

if TYPE_CHECKING:
    from gemexp.ranges import Uncommitted

_MOST_LISTED = 20


@click.command()
@json_option
@pass_session
def git_status_command(session: Session, *, as_json: bool) -> None:
    """Show what of the store is not committed yet.

    Experiments, tags, descriptions, names and runs that it has over the last commit, and how many files that is. A
    store changes and removes no file that git knows; one that was is named.
    """
    from gemexp import ranges

    found = ranges.uncommitted(session.open().root)
    if as_json:
        echo_json(found.to_dict(), indent=2)
    else:
        page(_lines(found))
    _warn(found)


def _lines(found: Uncommitted) -> Iterator[str]:
    from gemexp.cli import changes

    left = [(found.unstaged, "not staged"), (found.staged, "staged")]
    counted = ", ".join(f"{count} file{'s' * (count != 1)} {state}" for count, state in left if count)
    if counted or found.changes:
        yield f"not committed yet: {counted or 'nothing that git looks at'}"
        yield from changes.lines(found.changes)
    elif not found.modified and not found.deleted:
        yield "all of the store is committed"


def _warn(found: Uncommitted) -> None:
    from gemexp.cli import report

    if found.ignored:
        report.warning("git is told to ignore the store: nothing of it will be committed")
    for paths, what, remedy in (
        (found.modified, "was modified", "git checkout -- FILE brings it back; gemexp fsck tells what is damaged"),
        (found.deleted, "is gone", "git checkout -- FILE brings it back"),
    ):
        for path in paths[:_MOST_LISTED]:
            report.warning(f"'{path}', which git knows, {what}")
        if len(paths) > _MOST_LISTED:
            report.warning(f"… and {len(paths) - _MOST_LISTED} more")
        if paths:
            report.note(remedy)
