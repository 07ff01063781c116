"""``gemexp run``, ``verify --rerun`` and ``diff --runs``: commands that are recorded with what came out."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from gemexp.cli.completion import complete_revision
from gemexp.cli.output import difference_lines, echo_json, page
from gemexp.cli.session import Session, json_option, pass_session
from gemexp.digest import short
from gemexp.errors import UsageError
from gemexp.notation import visible

if TYPE_CHECKING:
    from gemexp.executing import Command
    from gemexp.query.run_changes import RunChanges
    from gemexp.rerunning import Plan, Rerun
    from gemexp.store.records import Run

# Part of what changed -> its title.
_TITLES = {
    "config": "configuration",
    "environment": "environment",
    "packages": "packages",
    "code": "code",
    "command": "command",
    "data": "data",
    "metrics": "metrics",
    "artifacts": "artifacts",
    "details": "details of the outcome",
}
_STANDARD_ERROR = 2


@click.command()
@click.argument("rev", shell_complete=complete_revision)
@click.argument("arguments", metavar="-- COMMAND...", nargs=-1, required=True, type=click.UNPROCESSED)
@click.option("--metrics", metavar="FILE", type=click.Path(), help="Where COMMAND writes its metrics, as a JSON map.")
@click.option("-a", "--artifact", "artifacts", metavar="FILE", multiple=True, type=click.Path(), help="A file to keep.")
@click.option("--data", metavar="TEXT", help="What it runs on, such as a data set's digest.")
@click.option(
    "--data-file",
    "files",
    metavar="FILE",
    multiple=True,
    type=click.Path(),
    help="A file it runs on; its digest is kept.",
)
@click.option("--patch", is_flag=True, help="Keep how files differ from the commit, so that it can be run again.")
@json_option
@pass_session
def run_command(
    session: Session,
    *,
    rev: str,
    arguments: tuple[str, ...],
    metrics: str | None,
    artifacts: tuple[str, ...],
    data: str | None,
    files: tuple[str, ...],
    patch: bool,
    as_json: bool,
) -> None:
    """Run COMMAND on a configuration, and record what came out.

    COMMAND finds the configuration as JSON in the file that GEMEXP_CONFIG_FILE names, its hash in GEMEXP_CONFIG, and
    writes its metrics as a JSON map into the file that GEMEXP_METRICS names, or into that of --metrics. The command is
    recorded, so that gemexp verify --rerun can run it again. If it fails, nothing is recorded.

    \b
    gemexp run 3f2a9c -- python train.py
    gemexp run 3f2a9c --metrics out.json -a model.txt --data-file prices.csv -- ./train.sh --fast
    """
    from gemexp.environment import surroundings
    from gemexp.executing import here

    if data is not None and files:
        raise UsageError("--data and --data-file exclude each other", hint="name one of them")
    registry = session.open(writing=True)
    config_hash = registry.resolve(rev)
    run = registry.execute(
        config_hash,
        here(arguments, metrics=metrics, artifacts=artifacts, data=files),
        surroundings=surroundings(with_patch=patch),
        data=data,
        output=_STANDARD_ERROR if as_json else None,
    )
    if as_json:
        echo_json({"config_hash": config_hash, "outcome_hash": run.outcome, "run": run.record})
    else:
        from gemexp.cli.details import metric_text

        figures = metric_text(registry.metrics(run.outcome))
        click.echo(f"{short(config_hash)}  outcome {short(run.outcome)}  run {short(run.record)}  {figures}".rstrip())


def print_run_changes(session: Session, first: str, second: str | None, *, exit_code: bool, as_json: bool) -> int:
    """Print what changed from one run to another; return the exit code."""
    found = session.open().diff_runs(first, second)
    if as_json:
        echo_json(found.to_dict(), indent=2)
    else:
        page(_change_lines(found))
    return int(exit_code and bool(found.differences))


def rerun(
    session: Session, rev: str, arguments: tuple[str, ...], *, rtol: float, atol: float, yes: bool, as_json: bool
) -> int:
    """Run a recorded command again, after asking where it comes from the store; return the exit code."""
    from gemexp.rerunning import Tolerance

    registry = session.open(writing=True)
    plan = registry.plan_rerun(rev, arguments)
    if plan.foreign and not yes:
        _ask(plan)
    found = registry.rerun(plan, Tolerance(rtol, atol), output=_STANDARD_ERROR if as_json else None)
    if as_json:
        echo_json(found.to_dict(), indent=2)
    else:
        page(_rerun_lines(found))
    return int(not found.same)


def _ask(plan: Plan) -> None:
    """Show what the store says should be run, which may be anyone's, and ask."""
    from gemexp.cli.asking import confirm

    folder = f", in '{visible(plan.command.folder)}'" if plan.command.folder else ""
    who, day = visible(plan.run.by or "someone"), visible(plan.run.created_at[:10])
    click.echo(f"  {command_text(plan.command)}", err=True)
    click.echo(f"would be run as recorded by {who} on {day}: {'; '.join(plan.foreign)}", err=True)
    where = f"a clean work tree of the commit {visible(short(plan.commit))}{folder}"
    confirm(f"run it in {where}?", otherwise="nothing was run", option="--yes")


def command_text(command: Command) -> str:
    """Return a command as one would type it, with nothing in it that a terminal would obey."""
    return visible(shlex.join(command.arguments))


def _change_lines(found: RunChanges) -> Iterator[str]:
    yield f"run {_run(found.old)}"
    yield f"to  {_run(found.new)}"
    for part, title in _TITLES.items():
        differences = found.part(part)
        if differences:
            yield ""
            yield title
            shown = (one._replace(path=one.path[1:] or one.path) for one in differences)
            yield from (f"  {line}" for line in difference_lines(shown))
    if not found.differences:
        yield "nothing changed but the time"


def _run(run: Run) -> str:
    took = "" if run.duration is None else f"  {run.duration:.1f}s"
    by = f"  {visible(run.by)}" if run.by else ""
    when = visible(run.created_at[:19].replace("T", " "))
    what = f"{click.style(short(run.record), fg='yellow')} of {short(run.config)}, outcome {short(run.outcome)}"
    return f"{what}  {when}{took}{by}"


def _rerun_lines(found: Rerun) -> Iterator[str]:
    what = f"{click.style(short(found.run.config), fg='yellow')}  outcome {short(found.run.outcome)}"
    if found.same and not found.differences:
        yield f"{what}: {click.style('the same again', fg='green')}"
    elif found.same:
        told: dict[str, Any] = {name: value for name, value in found.tolerance._asdict().items() if value}
        within = ", ".join(f"{name} {value!r}" for name, value in told.items())
        yield f"{what}: {click.style('the same again', fg='green')} within {within}"
    else:
        yield f"{what}: {click.style('DIFFERENT', fg='red')}, now {short(found.again.outcome)}"
    yield from difference_lines(found.differences)
    if found.environment:
        yield "what else is different since then:"
        yield from difference_lines(found.environment)
