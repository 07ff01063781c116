"""``gemexp backtest``, and running one again: a configuration on a panel of prices."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

from gemexp.backtest.parameters import Parameters, check_parameter, experiment_of, parameters_in
from gemexp.cli import report
from gemexp.cli.completion import complete_revision
from gemexp.cli.output import echo_json, page
from gemexp.cli.session import Session, json_option, pass_session
from gemexp.config import ExperimentConfig, now
from gemexp.digest import short
from gemexp.errors import InvalidInput, NoStore, NotFound, UsageError
from gemexp.registering import validate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gemexp.backtest.outcome import Outcome
    from gemexp.backtest.panel import Panel
    from gemexp.backtest.verification import Verdict
    from gemexp.registry import ExperimentRegistry

_Command = TypeVar("_Command", bound="Callable[..., Any]")

REPORTS = os.path.join("reports", "backtests")

_DATA_HELP = "The panel: CSV, CSV.gz or Parquet."
_PARAMETER_OPTIONS = (
    click.option("--start", metavar="DATE", help="First day of the first training window, as YYYY-MM-DD."),
    click.option("--end", metavar="DATE", help="Last day of the last test window."),
    click.option("--walk", metavar="LENGTH", help="Length of a window in days or weeks: 30d (the default), 2w."),
    click.option("--k", type=int, help="How many assets are held; 10 by default."),
    click.option("--seed", type=int, help="Seed of all random draws; 13 by default."),
    click.option("--bps", metavar="X", type=float, help="Cost in hundredths of a percent of what is traded; 10."),
    click.option("--lag", type=int, help="Rows between the decision and the first return earned; 1 by default."),
    click.option("--horizons", metavar="DAYS", help="Further horizons in calendar days: 7,14,30 by default."),
    click.option("--risk-free-rate", metavar="X", type=float, help="Yearly, 0.02 for 2 %; 0 by default."),
    click.option("--delisting-return", metavar="X", type=float, help="Of a held asset that leaves the panel; 0."),
    click.option("--allow-fewer", is_flag=True, help="Take all where fewer than k assets are eligible."),
    click.option("--n-bootstrap", type=int, help="Replicates of each bootstrap; 2000 by default."),
    click.option("--no-bootstrap-ci", is_flag=True, help="Compute no confidence intervals."),
    click.option("--periods-per-year", type=int, help="Trading days in a year; told from the panel by default."),
)


class _Base(NamedTuple):
    """Where a configuration came from: the file, or the hash that a revision meant."""

    config: ExperimentConfig
    source: str | None = None
    parent: str | None = None


class _Wanted(NamedTuple):
    """The options of one call."""

    data: str | None
    sort: bool
    base: str | None
    output: str | None
    description: str | None
    tags: str
    untracked: bool
    given: dict[str, Any]


class _Plan(NamedTuple):
    """What a run needs, all of it checked, and when it began."""

    experiment: ExperimentConfig
    parameters: Parameters
    panel: Panel
    parent: str | None
    registry: ExperimentRegistry | None
    notes: list[str]
    started: str
    began: float


class _Done(NamedTuple):
    """What a run came to."""

    outcome: Outcome
    summary: dict[str, Any]
    folder: str
    drawn: bool
    notes: list[str]


def _with_parameters(command: _Command) -> _Command:
    for option in reversed(_PARAMETER_OPTIONS):
        command = option(command)
    return command


@click.command()
@click.option("--data", metavar="PANEL", type=click.Path(), help=f"{_DATA_HELP} By default the sample in the package.")
@click.option("--sort", is_flag=True, help="Accept a panel that is not in order of date and asset.")
@click.option(
    "--config",
    "base",
    metavar="FILE|REV",
    shell_complete=complete_revision,
    help="What to score by: a file, or else a registered configuration.",
)
@_with_parameters
@click.option("--output", metavar="DIR", type=click.Path(), help=f"Where results go; by default below {REPORTS}.")
@click.option("--experiment-description", "description", metavar="TEXT", help="Describe the experiment.")
@click.option("--experiment-tags", "tags", metavar="TAG,TAG", default="", help="Tag it, with commas between tags.")
@click.option("--no-track-experiments", "untracked", is_flag=True, help="Write the results and touch no store.")
@json_option
@pass_session
def backtest_command(
    session: Session,
    /,
    *,
    data: str | None,
    sort: bool,
    base: str | None,
    output: str | None,
    description: str | None,
    tags: str,
    untracked: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """Evaluate a scoring configuration on a panel of prices, walk-forward.

    Registers the configuration with the parameters of the run as its hyperparameters, records what came out, and
    writes summary.json, experiment_config.json, windows.csv, daily.csv and equity.svg. --json prints the summary.

    Hyperparameters of --config that are named as parameters (start, walk, k and so on) are the run's parameters,
    unless the command line has others: a registered backtest runs again by its hash alone. A file goes before a
    revision of the same name. Where there is no store, one is made in the current folder.

    \b
    gemexp backtest --start 2013-01-01 --end 2022-12-31 --k 5
    gemexp backtest --data prices.csv.gz --config scoring.yaml --start 2020-01-01 --end 2023-12-31 --walk 2w
    """
    needs_numpy()
    wanted = _Wanted(data, sort, base, output, description, tags, untracked, given)
    plan = _prepare(session, wanted)
    done = _carry_out(session, wanted, plan)
    for note in (*plan.notes, *done.notes):
        report.note(note)
    for warning in done.outcome.warnings:
        report.warning(warning)
    if as_json:
        echo_json(done.summary, indent=2)
    else:
        from gemexp.cli import findings

        curve = None if done.drawn else done.outcome.daily.returns["strategy"]
        page(findings.lines(done.summary, sample=data is None, folder=done.folder, returns=curve))


def verify(session: Session, rev: str, data: str | None, *, sort: bool, as_json: bool) -> int:
    """Run a recorded backtest again, on the sample or on a panel in a file; return the exit code."""
    needs_numpy()
    from gemexp.backtest import verification

    registry = session.open(writing=True)
    registry.resolve(rev)
    panel = None if data is None else _read_panel(data, registry, sort=sort)
    verdict = verification.verify(registry, rev, panel)
    if as_json:
        echo_json(verdict.to_dict(), indent=2)
    else:
        page(_verdict_lines(verdict))
    return int(not verdict.same)


def needs_numpy() -> None:
    """Raise an error that says what to install if numpy is not there."""
    try:
        import gemexp.backtest.engine  # noqa: F401 - numpy is what it imports first
    except ModuleNotFoundError as error:
        if error.name != "numpy":
            raise
        raise InvalidInput("a backtest needs numpy", hint="pip install 'gemexp[backtest]'") from None


def _prepare(session: Session, wanted: _Wanted) -> _Plan:
    """Read and check everything; nothing is written but the cache of a store that is there."""
    began = time.perf_counter()
    started = now()
    base = None if wanted.base is None else _read_base(session, wanted.base)
    parameters = _parameters(base, wanted.given)
    registry = None if wanted.untracked else session.open_if_there()
    panel = _read_panel(wanted.data, registry, sort=wanted.sort)
    notes = []
    if wanted.data is None:
        notes.append("no --data: this is the sample, 20 large American companies that were still there at its end")
    if panel.ignored:
        notes.append(f"columns of text were left out: {', '.join(panel.ignored)}")
    if base is None:
        from gemexp.backtest import default_config

        base = _Base(default_config(panel))
        notes.append(f"no --config: this is the {base.config.description}, {', '.join(base.config.feature_names)}")
    experiment = _experiment(base, parameters, wanted)
    try:
        from gemexp.backtest.selection import terms_of

        terms_of(experiment, panel)
    except InvalidInput as error:
        error.source = base.source
        raise
    return _Plan(experiment, parameters, panel, base.parent, registry, notes, started, began)


def _carry_out(session: Session, wanted: _Wanted, plan: _Plan) -> _Done:
    """Run, then write the results aside, then record the run, then put the results in place."""
    from gemexp.backtest import report as contents
    from gemexp.backtest import results, run_backtest, tracking

    outcome = run_backtest(plan.experiment, plan.panel, parameters=plan.parameters)
    stored = tracking.stored(outcome)
    tried = tracking.tried(plan.registry, plan.panel.digest, also=stored)
    summary = contents.summary(outcome, stored.outcome_hash, trials=tried.number, variance=tried.variance)
    days = f"{plan.parameters.start}_{plan.parameters.end}"
    folder = wanted.output or os.path.join(REPORTS, f"{days}_{short(outcome.config_hash)}")
    picture = _picture(outcome)
    notes = [] if picture else ["equity.svg needs matplotlib: pip install 'gemexp[plot]'"]
    replaced = results.outcome_in(folder)
    if replaced not in (None, stored.outcome_hash):
        notes.append(f"the results of outcome {short(str(replaced))} in {folder} were replaced")
    with results.Staged(folder, results.files(outcome, summary, picture)) as staged:
        if not wanted.untracked:
            registry = session.open(writing=True, making=True)
            if plan.registry is None:
                notes.append(f"made a store in {registry.root}")
            tracking.record(
                registry,
                outcome,
                started=plan.started,
                duration=time.perf_counter() - plan.began,
                parents=[plan.parent] if plan.parent else [],
            )
        staged.publish()
    return _Done(outcome, summary, folder, picture is not None, notes)


def _read_base(session: Session, text: str) -> _Base:
    """Read a configuration from a file, or else take the registered one that ``text`` means."""
    if os.path.exists(text) and not os.path.isdir(text):
        from gemexp.cli.add import open_input
        from gemexp.sources import read_configs

        with open_input(text) as file:
            found = read_configs(file, text)
        if len(found) != 1:
            hint = "gemexp sweep runs many"
            raise InvalidInput(f"holds {len(found)} configurations, and a backtest runs one", hint=hint, source=text)
        return _Base(found[0].config, source=text)
    try:
        registry = session.open()
        config_hash = registry.resolve(text)
    except (NoStore, NotFound) as error:
        hint = "there is no store to look in" if isinstance(error, NoStore) else error.hint or "gemexp list shows all"
        raise NotFound(f"there is no file and no config '{text}'", subject=text, hint=hint) from None
    return _Base(registry.load(config_hash), parent=config_hash)


def _parameters(base: _Base | None, options: dict[str, Any]) -> Parameters:
    """Return the run's parameters: those of the command line, else those in the configuration, else the defaults."""
    given = {name: value for name, value in options.items() if value is not None and value is not False}
    if given.pop("no_bootstrap_ci", False):
        if "n_bootstrap" in given:
            raise UsageError("--n-bootstrap and --no-bootstrap-ci exclude each other", hint="name one of them")
        given["n_bootstrap"] = 0
    if "horizons" in given:
        given["horizons"] = _horizons(given["horizons"])
    kept = {} if base is None else parameters_in(base.config)
    for name, value in kept.items():
        if name not in given:
            try:
                check_parameter(name, value, shown=f"hyperparameters.{name}")
            except UsageError as error:  # the call is right, and what the configuration holds is not
                raise InvalidInput(error.message, hint=error.hint, source=base and base.source) from None
    return Parameters.from_dict({**kept, **given})


def _horizons(text: str) -> list[int]:
    try:
        return [int(days) for days in text.split(",") if days.strip()]
    except ValueError:
        raise UsageError(f"'horizons' is '{text}', not a list of days", hint="write it as 7,14,30") from None


def _read_panel(data: str | None, registry: ExperimentRegistry | None, *, sort: bool) -> Panel:
    from gemexp.backtest import read_panel, sample_panel, tracking

    cache = None if registry is None else tracking.panel_cache(registry)
    return sample_panel(cache=cache) if data is None else read_panel(data, sort=sort, cache=cache)


def _experiment(base: _Base, parameters: Parameters, wanted: _Wanted) -> ExperimentConfig:
    """Return what is registered.

    A run of a registered experiment with its own parameters is that experiment. With others it is a variant, which
    keeps the description; the tags stay with the one they were given to, so that it still answers to them.
    """
    experiment = experiment_of(base.config, parameters)
    unchanged = experiment.config_hash == base.config.config_hash
    kept = base.config.tags if base.parent is None or unchanged else []
    experiment.tags = sorted({*kept, *filter(None, map(str.strip, wanted.tags.split(",")))})
    if wanted.description is not None:
        experiment.description = wanted.description
    if not unchanged:
        experiment.created_at = now()
    validate(experiment)
    return experiment


def _picture(outcome: Outcome) -> bytes | None:
    from gemexp.backtest import pictures

    try:
        return pictures.equity_picture(outcome)
    except ImportError:
        return None


def _verdict_lines(verdict: Verdict) -> Iterator[str]:
    what = f"{click.style(short(verdict.config_hash), fg='yellow')}  outcome {short(verdict.recorded)}"
    if verdict.same:
        yield f"{what}: {click.style('the same again', fg='green')}"
        return
    yield f"{what}: {click.style('DIFFERENT', fg='red')}, now {short(verdict.found)}"
    yield from map(str, verdict.differences)
    if verdict.environment:
        yield "what else is different since then:"
        yield from map(str, verdict.environment)
