"""The group of commands, and what becomes of one that fails."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from types import ModuleType

import click

from gemexp.cli import (
    COMPLETION_VARIABLE,
    EXIT_BAD_INPUT,
    EXIT_BUG,
    EXIT_CONFLICT,
    EXIT_CORRUPT,
    EXIT_ENGINE,
    EXIT_INTERRUPTED,
    EXIT_NOT_FOUND,
    EXIT_USAGE,
)
from gemexp.cli.loading import LazyGroup
from gemexp.cli.session import Session
from gemexp.errors import (
    AmbiguousPrefix,
    Conflict,
    Corrupt,
    DamageWarning,
    EngineFailed,
    GemexpError,
    NotFound,
    RivalWarning,
    UsageError,
)

_EXIT_CODES: tuple[tuple[type[GemexpError], int], ...] = (
    (UsageError, EXIT_USAGE),
    (NotFound, EXIT_NOT_FOUND),
    (AmbiguousPrefix, EXIT_NOT_FOUND),
    (Conflict, EXIT_CONFLICT),
    (Corrupt, EXIT_CORRUPT),
    (EngineFailed, EXIT_ENGINE),
    (GemexpError, EXIT_BAD_INPUT),
)

_COMMANDS = {
    "add": "add",
    "alias": "equivalence",
    "attest": "attest",
    "backtest": "backtest",
    "best": "runs",
    "check": "check",
    "compare": "show",
    "completion": "completion",
    "delete": "removal",
    "describe": "labels",
    "diff": "show",
    "explain": "show",
    "export": "transfer",
    "fsck": "upkeep",
    "git": "git",
    "gc": "upkeep",
    "import": "transfer",
    "index": "index",
    "init": "upkeep",
    "list": "listing",
    "log": "history",
    "merge": "merge",
    "migrate": "equivalence",
    "name": "names",
    "pack": "packing",
    "plot": "sweep",
    "record": "runs",
    "restore": "removal",
    "run": "running",
    "runs": "runs",
    "search": "listing",
    "show": "show",
    "sweep": "sweep",
    "tag": "labels",
    "undo": "history",
    "verify": "verify",
}


class _Commands(LazyGroup):
    modules = _COMMANDS


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.option("-C", "folder", metavar="DIR", type=click.Path(), help="Run as if started in DIR.")
@click.option("--store", metavar="DIR", type=click.Path(), help="The store's folder, instead of the nearest .gemexp.")
@click.option("--db", metavar="FILE", type=click.Path(), help="A SQLite file whose store lies beside it.")
@click.version_option(package_name="gemexp", message="gemexp %(version)s")
@click.pass_context
def group(ctx: click.Context, folder: str | None, store: str | None, db: str | None) -> None:
    """Track experiment configurations by their content.

    Every configuration has a hash; REV is such a hash, its beginning (4 digits or more), a name that points to one, or
    a tag that exactly one configuration carries.
    """
    if os.environ.get("NO_COLOR"):
        ctx.color = False
    ctx.ensure_object(Session).configure(folder, store, db)


def run(arguments: Sequence[str]) -> int:
    """Run one command; return its exit code."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", DamageWarning)
        warnings.simplefilter("always", RivalWarning)
        code = _run(arguments, told)
    if any(issubclass(one.category, DamageWarning) for one in told):  # what other libraries warn of is no damage
        code = code or EXIT_CORRUPT
    return code


def interrupted(error: KeyboardInterrupt) -> int:
    """Tell that somebody pressed Ctrl-C; return the exit code for it."""
    return _tell(error, Session(), as_json=False)


def output_failed(error: OSError) -> int:
    """Tell that standard output could not be written; return the exit code for it."""
    text = f"standard output: {(error.strerror or str(error)).lower()}"
    _report().error("system", text, _hint_for(error), as_json=False)
    return EXIT_BAD_INPUT


def _run(arguments: Sequence[str], told: list[warnings.WarningMessage]) -> int:
    """Run one command, and tell what was warned of meanwhile, then what went wrong."""
    as_json = "--json" in arguments
    session = Session(arguments)
    try:
        try:
            result = _invoke(arguments, session)
        finally:
            for one in told:
                _report().warning(str(one.message), as_json=as_json)
    except click.exceptions.Exit as error:
        return error.exit_code
    except BrokenPipeError:
        return 0
    except (click.ClickException, click.Abort, KeyboardInterrupt, EOFError, GemexpError, OSError) as error:
        return _tell(error, session, as_json=as_json)
    except Exception as error:  # the boundary: a bug is told as one, never as a traceback
        if os.environ.get("GEMEXP_DEBUG"):
            raise
        message = f"this is a bug in gemexp: {type(error).__name__}: {error}"
        hint = "please report it; with GEMEXP_DEBUG=1 the traceback is shown"
        _report().error("bug", message, hint, as_json=as_json)
        return EXIT_BUG
    return result if isinstance(result, int) else 0


def _invoke(arguments: Sequence[str], session: Session) -> object:
    # Not group.main: it would turn a closed pipe into an exit code that says "bad input".
    if COMPLETION_VARIABLE in os.environ:
        group.main(list(arguments), prog_name="gemexp", complete_var=COMPLETION_VARIABLE)
    with group.make_context("gemexp", list(arguments), obj=session) as ctx:
        return group.invoke(ctx)


def _tell(error: BaseException, session: Session, *, as_json: bool) -> int:
    """Tell what went wrong, and return the exit code for it."""
    if isinstance(error, GemexpError):
        _report().gemexp_error(error, session, as_json=as_json)
        return next(code for kind, code in _EXIT_CODES if isinstance(error, kind))
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        click.echo(error.format_message(), err=True)
        return EXIT_USAGE
    if isinstance(error, click.UsageError):
        _report().usage_error(error, as_json=as_json)
        return EXIT_USAGE
    if isinstance(error, click.ClickException):
        _report().error("usage", error.format_message(), None, as_json=as_json)
        return EXIT_USAGE
    if isinstance(error, OSError):
        name = f"'{error.filename}': " if error.filename else ""
        text = f"{name}{(error.strerror or str(error)).lower()}"
        _report().error("system", text, _hint_for(error), as_json=as_json)
        return EXIT_BAD_INPUT
    _report().error("interrupted", "interrupted", None, as_json=as_json)
    return EXIT_INTERRUPTED


def _hint_for(error: OSError) -> str | None:
    from gemexp.store import durable

    return durable.hint_for(error.errno)


def _report() -> ModuleType:
    from gemexp.cli import report

    return report
