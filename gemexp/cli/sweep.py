"""``gemexp sweep`` and ``gemexp plot``: all combinations of a grid on a panel, and what came out by parameter."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from gemexp.cli import report
from gemexp.cli.backtest import needs_numpy
from gemexp.cli.completion import complete_tag
from gemexp.cli.output import echo_json, page
from gemexp.cli.session import Session, json_option, pass_session
from gemexp.digest import short
from gemexp.errors import InvalidInput
from gemexp.notation import inline, visible

if TYPE_CHECKING:
    from gemexp.backtest.panel import Panel
    from gemexp.backtest.response import Response, Value
    from gemexp.backtest.sweep import Best, Sweep
    from gemexp.backtest.sweep_plan import Plan
    from gemexp.backtest.sweep_worker import Failure
    from gemexp.registry import ExperimentRegistry

_MOST_FAILURES = 20


@click.command()
@click.argument("grid", metavar="GRID", type=click.Path())
@click.option("--data", metavar="PANEL", type=click.Path(), help="CSV, CSV.gz or Parquet; by default the sample.")
@click.option("--sort", is_flag=True, help="Accept a panel that is not in order of date and asset.")
@click.option("-j", "--jobs", type=click.IntRange(min=1), help="Run so many at a time; by default one on each core.")
@click.option("--dry-run", is_flag=True, help="Only tell how many combinations are new.")
@click.option("-t", "--tag", "tags", metavar="TAG", multiple=True, shell_complete=complete_tag, help="Tag them all.")
@click.option("-d", "--description", metavar="TEXT", help="Put before the settings that describe each.")
@click.option("-n", "--limit", type=click.IntRange(min=0), default=5, show_default=True, help="Show the best so many.")
@json_option
@pass_session
def sweep_command(
    session: Session,
    *,
    grid: str,
    data: str | None,
    sort: bool,
    jobs: int | None,
    dry_run: bool,
    tags: tuple[str, ...],
    description: str | None,
    limit: int,
    as_json: bool,
) -> int:
    """Run all combinations of a grid.

    GRID is a YAML, TOML or JSON file: what varies, to lists of values or ranges; parameters of all runs; and the
    configuration that is varied. Each combination is registered and recorded as gemexp backtest does, but writes no
    files. Those that have an outcome on the panel are skipped, so that the same sweep again, or one that was
    interrupted, runs only what is missing. Exits with 1 if a combination could not be run.

    \b
    parameters: {start: 2013-01-01, end: 2022-12-31}
    grid:
      k: [3, 5, 10]
      feature_weights.mom_12_1: {from: 0, to: 1, step: 0.25}
    """
    needs_numpy()
    from gemexp.backtest.grid import read_grid
    from gemexp.backtest.sweep_plan import plan_sweep

    read = read_grid(grid)
    report.note(f"{len(read):,} combinations of {', '.join(f'{axis.name} ({len(axis.values)})' for axis in read.axes)}")
    registry = session.open_if_there()
    panel = _panel(data, registry, sort=sort)
    plan = plan_sweep(read, panel, registry)
    if dry_run:
        return _tell_plan(plan, as_json=as_json)
    registry = session.open(writing=True, making=True)
    sweep = _run(plan, registry, tags=tags, description=description, jobs=jobs, as_json=as_json)
    if sweep is None:
        from gemexp.cli import EXIT_INTERRUPTED

        return EXIT_INTERRUPTED
    best, trials = sweep.best(registry)
    if as_json:
        echo_json(_sweep_value(sweep, best[:limit], trials), indent=2)
    else:
        _tell_failures(plan, sweep.failures)
        click.echo(f"{_count(plan)}: {sweep.run} run, {sweep.skipped} skipped, {len(sweep.failures)} failed")
        page(_best_lines(plan, best[:limit], trials))
    return int(bool(sweep.failures))


@click.command()
@click.option("--metric", metavar="NAME", default="sharpe", show_default=True, help="What to plot.")
@click.option("--x", "x", metavar="PATH", required=True, help="By which parameter: k, feature_weights.mom_12_1.")
@click.option("--y", "y", metavar="PATH", help="By a second one too: a map of medians.")
@click.option("--tag", metavar="TAG", shell_complete=complete_tag, help="Only configurations that carry TAG.")
@click.option("--data", metavar="DIGEST", help="Only outcomes on the panel whose digest begins so.")
@click.option("-o", "--output", metavar="FILE.svg", type=click.Path(), help="Draw it; without, a table is printed.")
@json_option
@pass_session
def plot_command(
    session: Session,
    *,
    metric: str,
    x: str,
    y: str | None,
    tag: str | None,
    data: str | None,
    output: str | None,
    as_json: bool,
) -> None:
    """Plot a metric of recorded outcomes by a parameter.

    Takes the latest outcome of each configuration that has the metric and the parameters: points and their medians by
    one parameter, a map of medians by two. Pictures need matplotlib (pip install 'gemexp[plot]'); without it the
    same figures are printed as a table.

    \b
    gemexp plot --x k -o sharpe.svg
    gemexp plot --x feature_weights.mom_12_1 --y k --metric ic_mean
    """
    needs_numpy()
    from gemexp.backtest.response import response

    if output is not None and not output.lower().endswith(".svg"):
        raise InvalidInput("is no name for the picture", hint="pictures are SVG: end it in .svg", source=output)
    found = response(session.open(), metric, x, y, tag=tag, data=data)
    picture = None if output is None else _picture(found)
    if as_json:
        echo_json(_response_value(found), indent=2)
    elif picture is None:
        page(_response_lines(found))
    if output is None:
        return
    if picture is None:
        hint = "pip install 'gemexp[plot]'"
        raise InvalidInput("was not written: drawing needs matplotlib", hint=hint, source=output)
    with open(output, "wb") as file:
        file.write(picture)
    if not as_json:
        click.echo(f"{visible(output)}: {len(found.points)} outcomes, {metric} by {x}" + (f" and {y}" if y else ""))


def _panel(data: str | None, registry: ExperimentRegistry | None, *, sort: bool) -> Panel:
    from gemexp.backtest import read_panel, sample_panel, tracking

    cache = None if registry is None else tracking.panel_cache(registry)
    if data is None:
        report.note("no --data: this is the sample, 20 large American companies that were still there at its end")
        return sample_panel(cache=cache)
    return read_panel(data, sort=sort, cache=cache)


def _run(
    plan: Plan,
    registry: ExperimentRegistry,
    *,
    tags: tuple[str, ...],
    description: str | None,
    jobs: int | None,
    as_json: bool,
) -> Sweep | None:
    """Run a sweep behind a progress bar; return None, having said so, if it was interrupted."""
    from gemexp.backtest.sweep import SweepInterrupted, run_sweep

    try:
        with _progress(len(plan.new)) as advance:
            return run_sweep(plan, registry, tags=tags, description=description, jobs=jobs, progress=advance)
    except SweepInterrupted as error:
        done = f"interrupted: {error.sweep.run} of {len(plan.new)} new combinations are recorded"
        report.error("interrupted", done, "the same command runs the rest", as_json=as_json)
        return None


@contextmanager
def _progress(length: int) -> Iterator[Callable[[int], object] | None]:
    if not length or sys.stderr is None or not sys.stderr.isatty():
        yield None
        return
    with click.progressbar(length=length, label="sweep", file=sys.stderr, show_pos=True) as bar:
        yield bar.update


def _tell_plan(plan: Plan, *, as_json: bool) -> int:
    from gemexp.backtest.sweep import settings_text

    if as_json:
        content = {
            "panel_digest": plan.panel.digest,
            "combinations": len(plan.grid),
            "new": len(plan.new),
            "skipped": len(plan.known),
            "failed": [_failure_value(plan, one) for one in plan.failures],
        }
        echo_json(content, indent=2)
    else:
        _tell_failures(plan, plan.failures)
        count = f"{len(plan.new)} new, {len(plan.known)} recorded already, {len(plan.failures)} impossible"
        click.echo(f"{_count(plan)}: {count}")
        for planned in plan.new[:_MOST_FAILURES]:
            click.echo(f"{short(planned.config_hash)}  {visible(settings_text(plan.grid.settings(planned.number)))}")
        if len(plan.new) > _MOST_FAILURES:
            click.echo(f"… and {len(plan.new) - _MOST_FAILURES} more")
    return int(bool(plan.failures))


def _count(plan: Plan) -> str:
    return f"{len(plan.grid)} combination{'s' * (len(plan.grid) != 1)}"


def _tell_failures(plan: Plan, failures: list[Failure]) -> None:
    """Tell what could not be run, one line for all that failed for the same reason."""
    from gemexp.backtest.sweep import settings_text

    reasons: dict[tuple[str, str, str | None], list[int]] = {}
    for one in failures:
        reasons.setdefault((one.kind, one.message, one.hint), []).append(one.number)
    for (kind, message, hint), numbers in list(reasons.items())[:_MOST_FAILURES]:
        settings = settings_text(plan.grid.settings(numbers[0]))
        which = settings if len(numbers) == 1 else f"{len(numbers)} combinations, such as {settings}"
        report.error(kind, f"{which}: {message}", hint, as_json=False)
    if len(reasons) > _MOST_FAILURES:
        report.note(f"… and {len(reasons) - _MOST_FAILURES} more kinds of failure; --json lists all")


def _best_lines(plan: Plan, best: list[Best], trials: int) -> Iterator[str]:
    from gemexp.backtest.sweep import settings_text

    if best:
        yield f"best by sharpe, of {trials} configuration{'s' * (trials != 1)} tried on this panel:"
    for one in best:
        parts = [click.style(short(one.result.config_hash), fg="yellow"), f"sharpe={inline(one.sharpe)}"]
        if one.deflated is not None:
            parts.append(f"deflated={inline(one.deflated)}")
        yield "  ".join([*parts, visible(settings_text(plan.grid.settings(one.result.number)))])


def _sweep_value(sweep: Sweep, best: list[Best], trials: int) -> dict[str, Any]:
    plan = sweep.plan
    results = [sweep.results[number] for number in sorted(sweep.results)]
    return {
        "panel_digest": plan.panel.digest,
        "combinations": len(plan.grid),
        "run": sweep.run,
        "skipped": sweep.skipped,
        "failed": [_failure_value(plan, one) for one in sweep.failures],
        "trials": trials,
        "best": [
            {
                "config_hash": one.result.config_hash,
                "outcome_hash": one.result.outcome_hash,
                "settings": plan.grid.settings(one.result.number),
                "sharpe": one.sharpe,
                "deflated_sharpe": {"value": one.deflated, "trials": trials},
            }
            for one in best
        ],
        "results": [
            {
                "config_hash": one.config_hash,
                "outcome_hash": one.outcome_hash,
                "settings": plan.grid.settings(one.number),
                "skipped": one.skipped,
            }
            for one in results
        ],
    }


def _failure_value(plan: Plan, one: Failure) -> dict[str, Any]:
    return {
        "settings": plan.grid.settings(one.number),
        "kind": one.kind,
        "message": one.message,
        "hint": one.hint,
    }


def _picture(found: Response) -> bytes | None:
    from gemexp.backtest.sweep_picture import response_picture

    try:
        return response_picture(found)
    except ImportError:
        return None


def _response_value(found: Response) -> dict[str, Any]:
    return {
        "metric": found.metric,
        "x": found.x,
        "y": found.y,
        "data": found.data,
        "points": [point._asdict() for point in found.points],
    }


def _response_lines(found: Response) -> Iterator[str]:
    from gemexp.backtest.pictures import sparkline

    by = f"{found.x} and {found.y}" if found.y is not None else found.x
    yield f"{visible(found.metric)} by {visible(by)}: {len(found.points)} outcomes on {visible(short(found.data))}"
    across, medians = found.values("x"), found.medians()
    if found.y is not None:
        yield from _aligned(
            [
                [f"{found.y} \\ {found.x}", *map(_cell, across)],
                *([_cell(y), *(_cell(medians.get((x, y))) for x in across)] for y in found.values("y")),
            ]
        )
        return
    cells = found.cells()
    rows = [[found.x, "outcomes", "lowest", "median", "highest"]]
    for x in across:
        values = cells[x, None]
        rows.append([_cell(x), str(len(values)), _cell(values[0]), _cell(medians[x, None]), _cell(values[-1])])
    yield from _aligned(rows)
    yield sparkline([medians[x, None] for x in across])


def _cell(value: Value | None) -> str:
    return "" if value is None else value if isinstance(value, str) else inline(value)


def _aligned(rows: list[list[str]]) -> Iterator[str]:
    shown = [[visible(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    for first, *rest in shown:
        cells = [first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True))]
        yield "  ".join(cells).rstrip()
