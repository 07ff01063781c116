"""``gemexp log`` and ``gemexp undo``: where configurations come from, and taking back what was done last."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from gemexp.cli.completion import complete_revision
from gemexp.cli.output import config_line, difference_lines, echo_json, page
from gemexp.cli.session import Session, json_option, pass_session
from gemexp.digest import short
from gemexp.notation import quote, visible

if TYPE_CHECKING:
    from gemexp.query.lineage import Entry, Origin, Placed
    from gemexp.undoing import Reversal, Undone

# Of what one configuration changed against another; `gemexp diff` shows all.
_MAX_CHANGES = 20
# Deeper trees are drawn without their outer columns.
_MAX_COLUMNS = 24
_BRANCHES = ("├─ ", "└─ ", "│  ", "   ", "…  ")
_ASCII_BRANCHES = ("|- ", "`- ", "|  ", "   ", "...")


@click.command()
@click.argument("rev", required=False, shell_complete=complete_revision)
@click.option("--graph", is_flag=True, help="Draw a tree, each below what it was made from; with REV both ways.")
@click.option("-n", "--limit", type=click.IntRange(min=1), default=100, show_default=True, help="At most so many.")
@click.option("--all", "everything", is_flag=True, help="Show all.")
@json_option
@pass_session
def log_command(session: Session, *, rev: str | None, graph: bool, limit: int, everything: bool, as_json: bool) -> None:
    """Show what configurations were made from, and what each changed.

    All of them, newest first, or REV and what it was made from, directly or not. What was made of REV is shown with
    --graph.

    \b
    gemexp log
    gemexp log best
    gemexp log --graph
    """
    registry = session.open()
    found = registry.log(rev, descendants=graph, limit=None if everything else limit + 1)
    entries = found if everything else found[:limit]
    if not graph:
        _print([_entry_value(entry) for entry in entries] if as_json else _listed(entries), as_json=as_json)
        return
    from gemexp.query.lineage import forest

    placed = forest(entries)
    if as_json:
        values = [{**_entry_value(one.entry), "depth": one.depth, "under": one.under} for one in placed]
        echo_json(values, indent=2)
    else:
        page(_drawn(placed))
    if len(found) > len(entries):
        from gemexp.cli import report

        report.note(f"only the newest {limit} are drawn; --all draws the rest too")


@click.command()
@click.option("--dry-run", is_flag=True, help="Tell what would be taken back, and take nothing back.")
@json_option
@pass_session
def undo_command(session: Session, *, dry_run: bool, as_json: bool) -> int:
    """Take back your last command.

    That of add, tag, describe, delete, restore, name, alias and import which last changed something. Nothing is
    removed: what reverses it is added. What was changed by others since is left as it is. Doing it again takes back
    the command before.
    """
    from gemexp.cli import EXIT_BAD_INPUT

    undone = session.open(writing=not dry_run).undo(dry_run=dry_run)
    if as_json:
        echo_json(_undone_value(undone, dry_run=dry_run), indent=2)
    else:
        page(_undone_lines(undone, dry_run=dry_run))
    return 0 if undone.done else EXIT_BAD_INPUT


def _listed(entries: list[Entry]) -> Iterator[str]:
    for entry in entries:
        yield config_line(entry.config_hash, entry.config)
        yield from (f"  {line}" for line in _details(entry, under=None))


def _drawn(placed: list[Placed]) -> Iterator[str]:
    fork, last, through, empty, cut = _branches()
    columns: list[str] = []
    for one in placed:
        del columns[max(one.depth - 1, 0) :]
        before = columns[-_MAX_COLUMNS:]
        if len(columns) > _MAX_COLUMNS:
            before[0] = cut
        outer = "".join(before)
        if one.depth:
            yield f"{outer}{last if one.is_last else fork}{config_line(one.entry.config_hash, one.entry.config)}"
            columns.append(empty if one.is_last else through)
        else:
            yield config_line(one.entry.config_hash, one.entry.config)
        inner = outer + (columns[-1] if one.depth else "") + (through if one.has_children else empty)
        yield from (f"{inner}{line}" for line in _details(one.entry, under=one.under))


def _branches() -> tuple[str, ...]:
    try:
        "".join(_BRANCHES).encode((sys.stdout and sys.stdout.encoding) or "utf-8")
    except UnicodeEncodeError:
        return _ASCII_BRANCHES
    return _BRANCHES


def _details(entry: Entry, *, under: str | None) -> Iterator[str]:
    """Yield what an entry changed against each of its origins; which one it was goes without saying in a tree."""
    for origin in entry.origins:
        through = f" through {', '.join(map(short, origin.through))} (deleted)" if origin.through else ""
        state = f" ({origin.state})" if origin.state != "listed" else ""
        if origin.config_hash != under:
            yield f"{'also ' if under else ''}from {short(origin.config_hash)}{state}{through}"
        elif through:
            yield through.strip()
        yield from _changes(origin, entry)
    for old in entry.migrated_from:
        yield f"migrated from {short(old.config_hash)}"
        yield from _changes(old, entry)
    for new in entry.migrated_to:
        yield f"migrated to {short(new)}"


def _changes(origin: Origin, entry: Entry) -> Iterator[str]:
    differences = origin.differences or ()
    yield from difference_lines(differences[:_MAX_CHANGES])
    more = len(differences) - _MAX_CHANGES
    if more > 0:
        yield f"and {more} more: gemexp diff {short(origin.config_hash)} {short(entry.config_hash)}"


def _print(content: Any, *, as_json: bool) -> None:
    if as_json:
        echo_json(content, indent=2)
    else:
        page(content)


def _entry_value(entry: Entry) -> dict[str, Any]:
    return {
        "config_hash": entry.config_hash,
        "created_at": entry.config.created_at or None,
        "description": entry.config.description,
        "tags": entry.config.tags,
        "parents": [_origin_value(origin) for origin in entry.origins],
        "migrated_from": [_origin_value(origin) for origin in entry.migrated_from],
        "migrated_to": list(entry.migrated_to),
    }


def _origin_value(origin: Origin) -> dict[str, Any]:
    return {
        "config_hash": origin.config_hash,
        "state": origin.state,
        "through": list(origin.through),
        "differences": None if origin.differences is None else [one.to_dict() for one in origin.differences],
    }


def _undone_lines(undone: Undone, *, dry_run: bool) -> Iterator[str]:
    command = visible(shlex.join(("gemexp", *undone.command)))
    if undone.done:
        yield f"{'would take' if dry_run else 'took'} back: {command}"
        yield from (f"  {_reversal_line(one)}" for one in undone.done)
    else:
        yield f"nothing {'would be' if dry_run else 'was'} taken back of: {command}"
    for one in undone.left:
        yield f"  left: {_reversal_line(one)}: {one.left}"


def _reversal_line(one: Reversal) -> str:
    value = visible(one.value or "")
    subject = visible(one.subject)
    config = short(one.subject)
    return {
        "alias": f"alias {subject}" + (f" = {value[:12]}" if value else " taken away"),
        "delete": f"delete {config}",
        "describe": f"describe {config}" + ("" if one.value is None else f" {quote(one.value)}"),
        "name": f"name {subject}" + (f" = {value[:12]}" if value else " taken away"),
        "register": f"registration of {config}",
        "restore": f"restore {config}",
        "tag": f"tag {config} {value}",
        "untag": f"untag {config} {value}",
    }[one.action]


def _undone_value(undone: Undone, *, dry_run: bool) -> dict[str, Any]:
    done = [{"action": one.action, "subject": one.subject, "value": one.value} for one in undone.done]
    left = [
        {"action": one.action, "subject": one.subject, "value": one.value, "reason": one.left} for one in undone.left
    ]
    return {"command": list(undone.command), "time": undone.time, "dry_run": dry_run, "done": done, "left": left}
