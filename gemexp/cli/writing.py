"""Writing files that someone asked for: whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import IO, Any

import click

from gemexp.errors import InvalidInput
from gemexp.store import durable


def write_texts(target: str, texts: Iterable[str]) -> int:
    """Write texts to a file, or to standard output for ``-``; return how many there were.

    Raises:
        InvalidInput: The file cannot be written.
    """
    count = 0
    if target == "-":
        for text in texts:
            click.echo(text, nl=False)
            count += 1
        return count
    with _opened(target, "w", encoding="utf-8", newline="\n") as file:
        for text in texts:
            file.write(text)
            count += 1
    return count


def write_bytes(target: str, fill: Callable[[IO[bytes]], int]) -> int:
    """Have a file filled; return what ``fill`` does.

    Raises:
        InvalidInput: The file cannot be written.
    """
    with _opened(target, "wb") as file:
        return fill(file)


@contextmanager
def _opened(target: str, mode: str, **how: Any) -> Iterator[IO[Any]]:
    """Open a file that takes its place when all is written, or what is there and no file, such as a named pipe."""
    try:
        if os.path.exists(target) and not os.path.isfile(target):
            with open(target, mode, **how) as file:
                yield file
            return
        folder, name = os.path.split(target)
        temporary = os.path.join(folder, f".{name}.{os.getpid()}.tmp")
        try:
            with open(temporary, mode.replace("w", "x"), **how) as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, target)
            durable.sync_path(folder or os.curdir)
        finally:
            if os.path.lexists(temporary):
                os.unlink(temporary)
    except OSError as error:
        hint = durable.hint_for(error.errno)
        raise InvalidInput((error.strerror or str(error)).lower(), source=target, hint=hint) from None
