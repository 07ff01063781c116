"""``gemexp init``, ``fsck`` and ``gc``: making a store, checking that it is whole, collecting what was deleted."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from gemexp.cli import report
from gemexp.cli.output import echo_json
from gemexp.cli.session import Session, json_option, pass_session
from gemexp.digest import short
from gemexp.errors import UsageError
from gemexp.notation import visible
from gemexp.store import location
from gemexp.store.layout import STORE_FOLDER

if TYPE_CHECKING:
    from gemexp.store.check import Problem, Report
    from gemexp.store.repair import Repair


@click.command()
@click.argument("folder", metavar="[DIR]", required=False, type=click.Path())
@json_option
@pass_session
def init_command(session: Session, *, folder: str | None, as_json: bool) -> None:
    """Make a store.

    In DIR/.gemexp, or in the current folder; one that is there already is left as it is.
    """
    if folder is not None:
        root = os.path.join(os.path.abspath(folder), STORE_FOLDER)
    elif session.location().chosen:
        root = session.location().root
    else:
        root = os.path.abspath(STORE_FOLDER)
    created = location.init(root)
    if as_json:
        echo_json({"store": root, "created": created})
    else:
        click.echo(f"{'made a store in' if created else 'there is a store in'} {visible(root)}")


@click.command()
@click.option("--repair", is_flag=True, help="Move bad files to quarantine, and put good copies in their place.")
@click.option(
    "--from", "sources", metavar="STORE", multiple=True, type=click.Path(), help="Take good copies from this store."
)
@json_option
@pass_session
def fsck_command(session: Session, *, repair: bool, sources: tuple[str, ...], as_json: bool) -> int:
    """Check every file of the store.

    Names those that are bad, and exits with 5 if any is.
    """
    if sources and not repair:
        raise UsageError("--from goes with --repair", hint="add --repair")
    from gemexp.cli import EXIT_CORRUPT

    registry = session.open(damaged=True)
    found = registry.check()
    repairs = registry.repair(found.problems, sources) if repair else []
    if as_json:
        echo_json(_as_dict(found, repairs), indent=2)
    else:
        _print(found, repairs)
    bad = [one for one in repairs if not one.solved] if repair else found.problems
    return EXIT_CORRUPT if bad else 0


@click.command()
@click.option("-n", "--dry-run", is_flag=True, help="Tell what would be taken, and take nothing.")
@click.option(
    "--grace",
    metavar="TIME",
    default="14d",
    show_default=True,
    help="How old a deletion must be, and how long files stay in the trash: 14d, 12h, 30m or 0.",
)
@click.option("--tracked", is_flag=True, help="Take files that git tracks too.")
@json_option
@pass_session
def gc_command(session: Session, *, dry_run: bool, grace: str, tracked: bool, as_json: bool) -> None:
    """Collect what was deleted.

    Deleted configurations, their records and outcomes go to the trash in the store's local folder, where `gemexp
    restore` finds them, and after as long again for good. Files that git tracks stay unless --tracked is given.
    """
    seconds = _seconds(grace)
    collected = session.open(writing=not dry_run).collect(grace=seconds, tracked=tracked, dry_run=dry_run)
    if as_json:
        kept = [{"config_hash": one.config, "reason": one.reason} for one in collected.kept]
        echo_json({**collected._asdict(), "kept": kept, "dry_run": dry_run}, indent=2)
        return
    for config_hash in collected.configs:
        click.echo(f"{'would collect' if dry_run else 'collected'} {short(config_hash)}")
    for one in collected.kept:
        click.echo(f"kept {short(one.config)}: {visible(one.reason)}")
    if collected.configs:
        files, configs = _number(len(collected.paths), "file"), _number(len(collected.configs), "config")
        click.echo(f"{configs} with {files} ({collected.size} bytes){'' if dry_run else ' moved to the trash'}")
    else:
        click.echo("nothing to collect")
    if collected.tracked:
        report.removed(collected.tracked)
    if collected.emptied:
        click.echo(f"{_number(collected.emptied, 'file')} gone for good")


def _seconds(grace: str) -> float:
    units = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0}
    number, unit = (grace[:-1], units.get(grace[-1:])) if grace[-1:] in units else (grace, None)
    if not number.isascii() or not number.isdecimal() or (unit is None and int(number)):
        raise UsageError(f"'{grace}' is not a time", hint="write 14d, 12h, 30m, 10s or 0")
    return int(number) * (unit or 0.0)


def _print(found: Report, repairs: list[Repair]) -> None:
    for problem in found.problems if not repairs else []:
        click.echo(_line(problem))
    for one in repairs:
        click.echo(f"{_line(one.problem)}: {one.done}")
    for note in found.notes:
        click.echo(f"note: {_line(note)}")
    counted = [(found.packs, "pack")] if found.packs else []
    counted += [(found.objects, "object"), (found.records, "record"), (found.members, "set member")]
    solved = sum(one.solved for one in repairs)
    outcome = _number(len(found.problems), "problem") + (f", {solved} repaired" if repairs else "")
    click.echo(f"checked {', '.join(_number(*one) for one in counted)}: {outcome}")


def _number(count: int, word: str) -> str:
    return f"{count or 'no'} {word}{'' if count == 1 else 's'}"


def _line(problem: Problem) -> str:
    return f"'{visible(problem.place)}' {visible(problem.message)}"


def _as_dict(report: Report, repairs: list[Repair]) -> dict[str, object]:
    return {
        "objects": report.objects,
        "records": report.records,
        "members": report.members,
        "packs": report.packs,
        "problems": [{**_place(one), "message": one.message} for one in report.problems],
        "notes": [{**_place(one), "message": one.message} for one in report.notes],
        "repairs": [{**_place(one.problem), "done": one.done, "solved": one.solved} for one in repairs],
    }


def _place(problem: Problem) -> dict[str, str]:
    return {"path": problem.path, **({"entry": problem.entry} if problem.entry else {})}
