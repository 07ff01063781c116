"""``gemexp check``: whether a pipeline is reproducible."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Any

import click

from gemexp.cli import report
from gemexp.cli.completion import complete_revision, complete_tag
from gemexp.cli.details import config_lines
from gemexp.cli.output import echo_json, page
from gemexp.cli.session import Session, json_option, pass_session, where_option
from gemexp.digest import short
from gemexp.errors import InvalidInput
from gemexp.notation import visible

if TYPE_CHECKING:
    from gemexp.config import ExperimentConfig
    from gemexp.testing.pipelines import Pipeline
    from gemexp.testing.suite import Result, Settings

_COLOURS = {"holds": "green", "failed": "red", "error": "red"}


@click.command()
@click.argument("pipeline", metavar="MODULE:FUNCTION")
@click.argument("revs", metavar="[REV]...", nargs=-1, shell_complete=complete_revision)
@click.option("--tag", metavar="TAG", shell_complete=complete_tag, help="Check configurations that carry TAG.")
@where_option
@click.option("--generate", metavar="N", type=click.IntRange(min=1), help="Draw N configurations like those there are.")
@click.option("--draw-seed", type=int, default=0, show_default=True, help="Another one has --generate draw others.")
@click.option("--property", "properties", metavar="NAME", multiple=True, help="Check this property, and no other.")
@click.option("--runs", type=click.IntRange(min=1), default=3, show_default=True, help="Compare so many runs.")
@click.option(
    "--isolate/--no-isolate", default=True, help="Run in fresh processes (the default), or in this one alone."
)
@click.option("--vary", metavar="WHAT,WHAT", help="Have only this differ between fresh processes, such as hash-seed.")
@click.option("--rtol", type=click.FloatRange(min=0), default=0.0, help="How far floats may be apart, relatively.")
@click.option("--atol", type=click.FloatRange(min=0), default=0.0, help="How far floats may be apart.")
@click.option("--seed", metavar="PATH", help="Where a configuration has its seed; by default hyperparameters.seed.")
@click.option("--seed-matters", "matters", is_flag=True, help="Another seed must give another outcome.")
@click.option("--inputs", metavar="MODULE:FUNCTION", help="What returns the inputs, for no-look-ahead.")
@click.option("--transform", metavar="MODULE:FUNCTION", help="What changes a configuration, for metamorphic.")
@click.option("--relation", metavar="MODULE:FUNCTION", help="What tells whether both outcomes go together.")
@click.option("--junit", metavar="FILE", type=click.Path(), help="Write the verdicts as JUnit XML too.")
@click.option("--no-record", "unrecorded", is_flag=True, help="Write nothing into the store.")
@json_option
@pass_session
def check_command(
    session: Session,
    /,
    *,
    pipeline: str,
    revs: tuple[str, ...],
    tag: str | None,
    where: str | None,
    generate: int | None,
    draw_seed: int,
    junit: str | None,
    unrecorded: bool,
    as_json: bool,
    **given: Any,
) -> int:
    """Check whether a pipeline is reproducible.

    MODULE:FUNCTION is a function of a configuration that returns what came out, as seen from the current folder. It is
    run on each configuration several times, in fresh processes in which everything that must not matter is different,
    and what comes out is compared. A configuration that it fails on is made as small as possible and kept with the tag
    counterexample, and the command is printed that checks it again. The verdicts are recorded, and shown by gemexp show
    and runs. Exits with 1 if something fails.

    \b
    gemexp check train:run best
    gemexp check train:run --tag sweep --junit verdicts.xml
    gemexp check train:run --generate 20 --property same-outcome --rtol 1e-9
    """
    from gemexp import environment
    from gemexp.testing import suite

    settings = _settings(given)
    if junit is not None and not os.path.isdir(os.path.dirname(junit) or os.curdir):
        raise InvalidInput("its folder is not there", source=junit)
    registry = session.open_if_there()
    configs = suite.chosen(registry, revs, tag=tag, where=where, generate=generate, seed=draw_seed)
    found = _imported(pipeline)
    if registry is not None and not unrecorded:
        registry = session.open(writing=True)
    kept = None if unrecorded else registry
    if registry is None and not unrecorded:
        report.note("there is no store here, so that nothing is recorded; gemexp init makes one")
    around = None if kept is None else environment.surroundings()
    with redirect_stdout(sys.stderr):  # what the pipeline prints is no verdict
        ran = suite.run(found, configs, settings, registry=kept, surroundings=around)
        results = list(_told(ran, configs))
    if junit is not None:
        _write(junit, pipeline, results)
    bad = sum(result.verdict != suite.HOLDS for result in results)
    if as_json:
        told = [result.to_dict() for result in results]
        echo_json({"pipeline": pipeline, "holds": not bad, "settings": settings.to_dict(), "results": told}, indent=2)
    else:
        page(_lines(results))
    return int(bool(bad))


def _settings(given: dict[str, Any]) -> Settings:
    from gemexp.testing.suite import Settings

    vary = given.pop("vary")
    names = None if vary is None else tuple(name.strip() for name in vary.split(",") if name.strip())
    return Settings(**given, vary=names)


def _imported(pipeline: str) -> Pipeline | None:
    """Import the pipeline; what its module raises is shown whole only on request."""
    from gemexp.testing import suite

    try:
        with redirect_stdout(sys.stderr):
            return suite.imported(pipeline)
    except InvalidInput as error:
        if os.environ.get("GEMEXP_DEBUG") and error.__cause__ is not None:
            import traceback

            traceback.print_exception(error.__cause__)
        raise


def _told(results: Iterable[Result], configs: list[ExperimentConfig]) -> Iterator[Result]:
    """Yield results; on a terminal, say how far it is."""
    shows = sys.stderr is not None and sys.stderr.isatty()
    numbers = {config.config_hash: number for number, config in enumerate(configs, 1)}
    bad = 0
    for result in results:
        bad += result.verdict != "holds"
        if shows:
            number = numbers[result.config.config_hash]
            line = f"{number} of {len(configs)}  {short(result.config.config_hash)}  {result.name}  {bad} failed"
            sys.stderr.write(f"\r\x1b[K{line}")
            sys.stderr.flush()
        yield result
    if shows:
        sys.stderr.write("\r\x1b[K")


def _write(path: str, pipeline: str, results: list[Result]) -> None:
    from gemexp.testing.junit import junit

    try:
        with open(path, "wb") as file:
            file.write(junit(pipeline, results))
    except OSError as error:
        raise InvalidInput((error.strerror or str(error)).lower(), source=path) from None


def _lines(results: list[Result]) -> Iterator[str]:
    names = list(dict.fromkeys(result.name for result in results))
    rows: dict[str, dict[str, Result]] = {}
    for result in results:
        rows.setdefault(result.config.config_hash, {})[result.name] = result
    widths = [max(len(name), len("failed")) for name in names]
    yield "  ".join([" " * 12, *(name.ljust(width) for name, width in zip(names, widths, strict=True))]).rstrip()
    for config_hash, row in rows.items():
        cells = [_cell(row.get(name), width) for name, width in zip(names, widths, strict=True)]
        yield "  ".join([click.style(short(config_hash), fg="yellow"), *cells]).rstrip()
    for result in results:
        if result.verdict != "holds":
            yield ""
            yield from _problem_lines(result)
    counts = {word: sum(result.verdict == word for result in results) for word in _COLOURS}
    told = [f"{counts['holds']} of {len(results)} hold"]
    told += [
        f"{counts[word]} {text}" for word, text in (("failed", "failed"), ("error", "raised an error")) if counts[word]
    ]
    yield ""
    yield ", ".join(told)


def _cell(result: Result | None, width: int) -> str:
    if result is None:
        return "-".ljust(width)
    text = result.verdict if result.verdict == "holds" else result.verdict.upper()
    return click.style(text, fg=_COLOURS[result.verdict]) + " " * (width - len(text))


def _problem_lines(result: Result) -> Iterator[str]:
    where = click.style(short(result.config.config_hash), fg="yellow")
    failed = result.counterexample
    if failed is None:
        yield f"{where}  {result.name}: {visible(result.message)}"
        return
    yield f"{where}  {visible(str(failed).partition(chr(10))[0])}"
    yield from (visible(line) for line in str(failed).split("\n")[1:])
    if result.smallest is not None and failed.config.config_hash != result.config.config_hash:
        yield f"  it fails on the smaller {short(failed.config.config_hash)} too"
    if result.kept is not None:
        yield "  kept with the tag counterexample"
    else:
        yield "  not kept; the configuration is"
        yield from (f"    {line}" for line in config_lines(failed.config))
    yield f"  to run it again: {visible(failed.command)}"
