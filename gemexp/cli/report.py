"""Errors, warnings and notes, on standard error: for people, or for scripts a JSON object a line."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Any

import click

from gemexp.cli.session import Session
from gemexp.digest import short
from gemexp.errors import AmbiguousPrefix, GemexpError, InvalidQuery
from gemexp.notation import visible

MAX_CANDIDATES = 20
# Of a long expression, so much is shown around the offending place.
_SHOWN_BEFORE = 70
_SHOWN_AFTER = 30


def gemexp_error(error: GemexpError, session: Session, *, as_json: bool) -> None:
    """Tell an error of ours; an ambiguous revision with its candidates, as git does."""
    if as_json or not isinstance(error, AmbiguousPrefix):
        shown = pointed(error.text, error.column) if isinstance(error, InvalidQuery) and not as_json else ()
        _tell(error.kind, str(error), error.hint, error.details(), as_json=as_json, shown=shown)
        return
    _tell(error.kind, str(error), "the candidates are:", {}, as_json=False)
    for config_hash in error.candidates[:MAX_CANDIDATES]:
        _say(f"hint:   {_candidate(config_hash, session)}")
    left = len(error.candidates) - MAX_CANDIDATES
    if left > 0:
        _say(f"hint:   … and {left} more")


def usage_error(error: click.UsageError, *, as_json: bool) -> None:
    """Tell that the command was called wrongly, and how it is called."""
    message = error.format_message().rstrip(".")
    command = error.ctx.command_path if error.ctx else "gemexp"
    name, _, rest = message.partition(" ")
    _tell("usage", f"{name[:1].lower()}{name[1:]} {rest}".strip(), f"see '{command} --help'", {}, as_json=as_json)


def error(kind: str, message: str, hint: str | None, *, as_json: bool) -> None:
    """Tell any other error."""
    _tell(kind, message, hint, {}, as_json=as_json)


def warning(message: str, *, as_json: bool | None = None) -> None:
    """Tell of something that makes an answer incomplete; as JSON if the command was asked for that."""
    _remark("warning", message, as_json=as_json)


def note(message: str) -> None:
    """Tell of a choice that was made for the user; as JSON if the command was asked for that."""
    _remark("note", message, as_json=None)


def _remark(kind: str, message: str, *, as_json: bool | None) -> None:
    if as_json is None:
        context = click.get_current_context(silent=True)
        as_json = context is not None and bool(context.params.get("as_json"))
    if as_json:
        from gemexp import formats

        _say(formats.dumps({kind: {"message": message}}, "json"))
    else:
        _say(f"{kind}: {visible(message)}")


def removed(number: int) -> None:
    """Tell that files went which git tracks, and what to do about it."""
    files = "1 file" if number == 1 else f"{number} files"
    note(f"git sees {files} as removed: commit that, and merge it into open branches before anything is added there")


def pointed(text: str, column: int) -> list[str]:
    """Return the part of a text that a column, counted from 1, is in, and a line with a caret under that column."""
    from unicodedata import category, east_asian_width

    before, after = visible(text[: column - 1]), visible(text[column - 1 :])
    if len(before) > _SHOWN_BEFORE:
        before = f"…{before[-_SHOWN_BEFORE:]}"
    if len(after) > _SHOWN_AFTER:
        after = f"{after[:_SHOWN_AFTER]}…"
    columns = sum(0 if category(sign) in ("Mn", "Me") else 1 + (east_asian_width(sign) in "WF") for sign in before)
    return [f"  {before}{after}", f"  {' ' * columns}^"]


def _tell(
    kind: str,
    message: str,
    hint: str | None,
    details: dict[str, Any],
    *,
    as_json: bool,
    shown: Iterable[str] = (),
) -> None:
    if as_json:
        from gemexp import formats

        content = {"kind": kind, "message": message, "hint": hint, **details}
        _say(formats.dumps({"error": content}, "json"))
        return
    _say(f"error: {visible(message)}")
    for line in shown:
        _say(line)
    if hint:
        _say(f"hint: {visible(hint)}")


def _say(line: str) -> None:
    """Print a line; where standard error cannot take it, nobody can be told, and the exit code has to do."""
    with contextlib.suppress(OSError):
        click.echo(line, err=True)


def _candidate(config_hash: str, session: Session) -> str:
    if session.registry is None:
        return short(config_hash)
    metadata = session.registry.metadata(config_hash)
    return f"{short(config_hash)} {metadata.created_at[:10]} {visible(metadata.description)}".rstrip()
