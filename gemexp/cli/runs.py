"""``gemexp record``, ``runs`` and ``best``: what came out of configurations."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from gemexp.cli.completion import complete_revision, complete_tag
from gemexp.cli.details import check_text, metric_text
from gemexp.cli.output import echo_json, page
from gemexp.cli.session import Session, json_option, pass_session, where_option
from gemexp.config import instant
from gemexp.digest import short
from gemexp.errors import InvalidInput, UsageError
from gemexp.notation import inline, visible

if TYPE_CHECKING:
    from gemexp.query.ranking import Ranked
    from gemexp.registry import ExperimentRegistry
    from gemexp.store.records import Check, Run

_KEYS = {"config": "config_hash", "record": "run"}  # what JSON calls a run's fields


@click.command()
@click.argument("rev", shell_complete=complete_revision)
@click.option("-m", "--metric", "metrics", metavar="NAME=NUMBER", multiple=True, help="A figure that came out.")
@click.option("-a", "--artifact", "artifacts", metavar="FILE", multiple=True, type=click.Path(), help="A file of it.")
@click.option("--data", metavar="TEXT", help="What it ran on, such as a data set's digest.")
@click.option(
    "--data-file",
    "inputs",
    metavar="FILE",
    multiple=True,
    type=click.Path(),
    help="A file it ran on; its digest is kept.",
)
@click.option("--patch", is_flag=True, help="Keep how files differ from the commit of the code.")
@json_option
@pass_session
def record_command(
    session: Session,
    *,
    rev: str,
    metrics: tuple[str, ...],
    artifacts: tuple[str, ...],
    data: str | None,
    inputs: tuple[str, ...],
    patch: bool,
    as_json: bool,
) -> None:
    """Record what came out of a configuration.

    Stores the outcome of REV, and that it was run now, with Python, packages and the commit of the code. What is run by
    gemexp run is recorded with its command besides.

    \b
    gemexp record 3f2a9c --metric sharpe=1.2 --metric max_drawdown=0.1 --artifact model.txt
    """
    from gemexp import environment, executing

    if not metrics and not artifacts:
        raise UsageError("nothing to record", hint="name a --metric or an --artifact")
    if data is not None and inputs:
        raise UsageError("--data and --data-file exclude each other", hint="name one of them")
    files = {os.path.basename(name): name for name in artifacts}
    if len(files) != len(artifacts):
        raise UsageError("two artifacts have the same file name", hint="rename one of them")
    figures = dict(_metric(text) for text in metrics)
    registry = session.open(writing=True)
    config_hash = registry.resolve(rev)
    outcome_hash = registry.record(
        config_hash,
        figures,
        surroundings=environment.surroundings(with_patch=patch),
        artifacts=files,
        data=executing.digests(executing.by_name(inputs, "data files")) or data,
    )
    if as_json:
        echo_json({"config_hash": config_hash, "outcome_hash": outcome_hash})
    else:
        click.echo(f"{short(config_hash)}  outcome {short(outcome_hash)}")


@click.command()
@click.argument("rev", required=False, shell_complete=complete_revision)
@where_option
@click.option("--checks", is_flag=True, help="List what gemexp check found instead.")
@click.option("-n", "--limit", type=click.IntRange(min=1), default=100, show_default=True, help="At most so many.")
@json_option
@pass_session
def runs_command(
    session: Session, *, rev: str | None, where: str | None, checks: bool, limit: int, as_json: bool
) -> None:
    """List runs, and what was checked, newest first.

    Of REV, or of all configurations: configuration, outcome, the run's own name, when, what came out. A run marked with
    ! is one of a configuration that has had different outcomes on the same data. JSON holds the runs alone, or with
    --checks the checks.
    """
    registry = session.open()
    checked = [] if as_json and not checks else registry.checks(rev, where=where)[:limit]
    if checks:
        if as_json:
            echo_json([_check_value(check) for check in checked], indent=2)
        else:
            page(map(_check_line, checked))
        return
    found = registry.runs(rev, where=where)[:limit]
    disputed = {run.config: registry.metadata(run.config).disputed for run in found}
    metrics = {run.outcome: registry.metrics(run.outcome) for run in found}
    if as_json:
        content = [
            {
                **{_KEYS.get(name, name): value for name, value in run._asdict().items()},
                "metrics": metrics[run.outcome],
                "reproducible": run.data not in disputed[run.config],
            }
            for run in found
        ]
        echo_json(content, indent=2)
    else:
        lines = [
            (instant(run.created_at), _run_line(run, metrics[run.outcome], disputed=run.data in disputed[run.config]))
            for run in found
        ]
        lines += [(instant(check.created_at), _check_line(check)) for check in checked]
        lines.sort(key=lambda one: one[0], reverse=True)  # which keeps the order of runs that began at one time
        page(line for _, line in lines[:limit])


@click.command()
@click.option("--metric", required=True, metavar="NAME", help="What to rank by, such as sharpe.")
@click.option("--tag", metavar="TAG", shell_complete=complete_tag, help="Only configurations that carry TAG.")
@where_option
@click.option("--min", "smallest", is_flag=True, help="The smallest is the best.")
@click.option("--max", "largest", is_flag=True, help="The largest is the best (the default).")
@click.option("-n", "--limit", type=click.IntRange(min=1), default=10, show_default=True, help="At most so many.")
@json_option
@pass_session
def best_command(
    session: Session,
    *,
    metric: str,
    tag: str | None,
    where: str | None,
    smallest: bool,
    largest: bool,
    limit: int,
    as_json: bool,
) -> None:
    """Rank configurations by a metric of their outcomes.

    With the deflated Sharpe ratio where an outcome is a backtest's: how likely the true ratio is above zero, given
    how many different configurations were tried on the same panel.
    """
    if smallest and largest:
        raise UsageError("--min and --max exclude each other", hint="name one of them")
    registry = session.open()
    ranked = registry.rank(metric, tag=tag, where=where, smallest=smallest)
    deflated = _deflated(registry, ranked)
    shown = list(zip(ranked, deflated, strict=True))[:limit]
    if as_json:
        echo_json([_ranked_value(one, metric, probability) for one, probability in shown], indent=2)
    else:
        page(_ranked_line(one, metric, probability) for one, probability in shown)


def _metric(text: str) -> tuple[str, float]:
    name, equals, number = text.partition("=")
    try:
        if not name or not equals:
            raise ValueError
        return name, int(number) if number.lstrip("+-").isdecimal() and len(number) < 20 else float(number)
    except ValueError:
        raise InvalidInput(f"'{text}' is not of the form NAME=NUMBER", hint="such as sharpe=1.2") from None


def _run_line(run: Run, metrics: dict[str, float | None], *, disputed: bool) -> str:
    mark = "!" if disputed else " "
    took = "" if run.duration is None else f"  {run.duration:.1f}s"
    code = "" if run.code is None else f"  {str(run.code.get('commit'))[:7]}{'+' if run.code.get('dirty') else ''}"
    verifies = "" if run.verifies is None else f"  {'same' if run.verifies == run.outcome else 'DIFFERENT'}"
    when = visible(run.created_at[:19].replace("T", " "))
    hashes = f"{click.style(short(run.config), fg='yellow')} {short(run.outcome)}  {short(run.record)}"
    return f"{mark} {hashes}  {when}{took}{visible(code)}{verifies}  {metric_text(metrics)}".rstrip()


def _check_line(check: Check) -> str:
    code = (
        "" if check.code is None else f"  {str(check.code.get('commit'))[:7]}{'+' if check.code.get('dirty') else ''}"
    )
    when = visible(check.created_at[:19].replace("T", " "))
    told = f"{when}{visible(code)}  {check_text(check, click.style)}"
    return f"  {click.style(short(check.config), fg='yellow')} checked  {told}"


def _check_value(check: Check) -> dict[str, Any]:
    fields = {_KEYS.get(name, name): value for name, value in check._asdict().items() if name != "record"}
    return {**fields, "check": check.record}


def _deflated(registry: ExperimentRegistry, ranked: list[Ranked]) -> list[float | None]:
    """Return the deflated Sharpe ratio of each backtest's outcome; None for other outcomes."""
    backtests = [one for one in ranked if isinstance(one.outcome.data, str) and "result_digest" in one.outcome.details]
    if not backtests:
        return [None] * len(ranked)
    from gemexp.backtest.deflated import deflated_from_moments
    from gemexp.backtest.tracking import tried

    trials = {panel: tried(registry, panel) for panel in {one.outcome.data for one in backtests}}
    values = {}
    for one in backtests:
        known, summary = trials[one.outcome.data], one.outcome.details.get("summary")
        moments = summary.get("moments") if isinstance(summary, dict) else None
        value = deflated_from_moments(moments, trials=known.number, variance=known.variance)
        values[one.outcome_hash] = None if value is None else float(f"{value:.10g}")  # as in summary.json
    return [values.get(one.outcome_hash) for one in ranked]


def _ranked_value(one: Ranked, metric: str, deflated: float | None) -> dict[str, Any]:
    return {
        "config_hash": one.config_hash,
        "outcome_hash": one.outcome_hash,
        "metric": metric,
        "value": one.value,
        "data": one.outcome.data,
        "description": one.metadata.description,
        "reproducible": one.reproducible,
        "deflated_sharpe": {"value": deflated, "trials": one.trials},
    }


def _ranked_line(one: Ranked, metric: str, deflated: float | None) -> str:
    parts = [click.style(short(one.config_hash), fg="yellow"), f"{visible(metric)}={inline(one.value)}"]
    if deflated is not None:
        parts.append(f"deflated={inline(deflated)} of {one.trials} trials")
    if not one.reproducible:
        parts.append("! not reproducible")
    return "  ".join([*parts, visible(one.metadata.description)]).rstrip()
