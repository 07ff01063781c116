"""Adding JSON Lines: in bounded memory, a durable batch at a time, with what was wrong told by line."""

from __future__ import annotations

import sys
import tempfile
from collections import deque
from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

import click

from gemexp.cli import report
from gemexp.cli.session import Session
from gemexp.digest import short
from gemexp.errors import InvalidInput, InvalidText
from gemexp.formats import dumps
from gemexp.lines import Changes, Line, read
from gemexp.notation import visible

if TYPE_CHECKING:
    from gemexp.bulk import Encoded
    from gemexp.registering import Registered


class Printing(NamedTuple):
    """How what was registered is told: the whole hash alone, JSON, or a line with its description."""

    quiet: bool
    as_json: bool


def add_lines(
    session: Session,
    file: BinaryIO,
    label: str,
    changes: Changes,
    parents: list[str],
    how: Printing,
    *,
    strict: bool = False,
) -> None:
    """Register what each line holds; a bad one is told and passed over.

    Args:
        session: The call.
        file: Open for reading.
        label: What to call it.
        changes: What is done to each configuration.
        parents: What each was made from.
        how: How to tell what was registered.
        strict: Stop at the first bad line; what stands before it is registered.

    Raises:
        InvalidInput: Lines were bad, or there was none at all.
    """
    good = _Good(read(file, changes), label, strict=strict, as_json=how.as_json)
    configs = iter(good)
    first = next(configs, None)
    count = 0
    if first is not None:  # only then is a store made that was named and is not there
        registry = session.open(writing=True)
        for batch in registry.register_encoded(chain([first], configs), parents=parents):
            click.echo("\n".join(_told(one, *good.places.popleft(), how) for one in batch))
            count += len(batch)
            _progress(count)
    _progress(count, end=True)
    if strict and good.bad:
        raise _as_error(good.bad[0], label)
    if good.bad:
        added = f"{count} of {count + len(good.bad)} lines were added"
        raise InvalidInput(added, source=label, hint="correct the lines named above, and add the file again")
    if first is None:
        raise _nothing(label)


class _Good:
    """Goes through the configurations of the good lines, tells of the bad ones, and remembers where each stood."""

    def __init__(self, lines: Iterator[Line], label: str, *, strict: bool, as_json: bool) -> None:
        self.bad: list[Line] = []
        self.places: deque[tuple[str, str]] = deque()
        self._lines = lines
        self._label = label
        self._strict = strict
        self._as_json = as_json

    def __iter__(self) -> Iterator[Encoded]:
        for line in self._lines:
            place = f"{self._label}:{line.number}"
            if line.config is not None:
                self.places.append((place, line.config.description))
                yield line.config
                continue
            self.bad.append(line)
            if self._strict:
                return
            report.error("invalid-text", f"'{place}': {line.error}", line.hint, as_json=self._as_json)


def check(file: BinaryIO, label: str, changes: Changes) -> None:
    """Accept a file whose lines are all good.

    Raises:
        InvalidInput: One is bad, or there is none.
    """
    count = 0
    for line in read(file, changes):
        if line.config is None:
            raise _as_error(line, label)
        count += 1
    if not count:
        raise _nothing(label)


def spooled(file: BinaryIO) -> BinaryIO:
    """Return a file that can be read twice: itself, or a temporary copy."""
    if file.seekable():
        return file
    copy = tempfile.TemporaryFile()  # noqa: SIM115 - it goes with its last reference
    while step := file.read(1 << 20):
        copy.write(step)
    copy.seek(0)
    return copy


def _told(one: Registered, label: str, description: str, how: Printing) -> str:
    if how.as_json:
        return dumps({"config_hash": one.config_hash, "created": one.created, "source": label}, "json")
    return one.config_hash if how.quiet else f"{short(one.config_hash)}  {visible(description or label)}"


def _progress(count: int, *, end: bool = False) -> None:
    """Tell on a terminal how far it is, unless the lines printed there tell it."""
    if count >= 1000 and sys.stderr is not None and sys.stderr.isatty() and not sys.stdout.isatty():
        click.echo("" if end else f"\r{count} added", nl=end, err=True)


def _as_error(line: Line, label: str) -> InvalidText:
    return InvalidText(line.error or "", source=label, line=line.number, hint=line.hint)


def _nothing(label: str) -> InvalidInput:
    return InvalidInput("holds nothing", source=label, hint="each line is a configuration in JSON")
