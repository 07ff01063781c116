"""JSON Lines to encoded configurations, by all cores where there are many lines."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from gemexp import formats
from gemexp.bulk import Encoded, encoded, encoded_json
from gemexp.config import ExperimentConfig, config_from_value
from gemexp.errors import GemexpError, InvalidInput
from gemexp.sources import exported_config
from gemexp.variants import vary

if TYPE_CHECKING:
    from gemexp.paths import Path

_CHUNK_BYTES = 256 * 1024
# Where there are fewer, starting processes costs more than they save.
_SHARE_FROM_BYTES = 4 * 1024 * 1024
# So much is encoded while a batch is written.
_AHEAD_BYTES = 40 * 1024 * 1024
Chunk = tuple[int, bytes]  # the number of its first line, and whole lines


class Changes(NamedTuple):
    """What is done to each configuration that is read.

    Args:
        assignments: Values to set anew, by path.
        description: In place of its own; None to leave it.
        tags: To add to its own.
        params: Take each map as hyperparameters, even if it has the sections of a configuration.
        exported: Take each map as one that was exported, with all its fields.
    """

    assignments: tuple[tuple[Path, Any], ...] = ()
    description: str | None = None
    tags: tuple[str, ...] = ()
    params: bool = False
    exported: bool = False

    def build(self, value: Any) -> ExperimentConfig:
        """Return the configuration that a value is, changed.

        Raises:
            InvalidInput: It is none, or cannot be changed so.
        """
        if self.exported:
            return self.apply(exported_config(value))
        return self.apply(config_from_value(value, params=self.params))

    def apply(self, config: ExperimentConfig) -> ExperimentConfig:
        """Return the changed configuration.

        Raises:
            InvalidInput: A path leads nowhere, or the result cannot be stored.
        """
        if self.assignments:
            config = vary(config, self.assignments)
        if self.description is None and not self.tags:
            return config
        description = config.description if self.description is None else self.description
        changes = {"description": description, "tags": [*config.tags, *self.tags]}
        return ExperimentConfig(**{**config.to_dict(), **changes})


_NONE = Changes()


class Line(NamedTuple):
    """A line that was read.

    Args:
        number: From 1.
        config: What it holds; None if it holds no configuration.
        error: Why not; None if it does.
        hint: What to do about that, if it is known.
    """

    number: int
    config: Encoded | None
    error: str | None = None
    hint: str | None = None


def read(file: BinaryIO, changes: Changes) -> Iterator[Line]:
    """Yield what each line holds, in order; blank lines are left out.

    Lines are read as they are needed, and encoded by several processes once there are many of them.

    Args:
        file: Open for reading.
        changes: What is done to each.
    """
    chunks = _chunks(file)
    first, size = [], 0
    while size < _SHARE_FROM_BYTES and (chunk := next(chunks, None)) is not None:
        first.append(chunk)
        size += len(chunk[1])
    if size < _SHARE_FROM_BYTES or (os.cpu_count() or 1) < 2:
        for chunk in chain(first, chunks):
            yield from _encode(chunk, changes)
        return
    yield from _shared(chain(first, chunks), changes)


def _shared(chunks: Iterable[Chunk], changes: Changes) -> Iterator[Line]:
    from concurrent.futures import Future, ProcessPoolExecutor

    waiting: deque[tuple[int, Future[list[Line]]]] = deque()
    ahead = 0
    with ProcessPoolExecutor(os.cpu_count() or 1) as pool:
        try:
            for chunk in chunks:
                waiting.append((len(chunk[1]), pool.submit(_encode, chunk, changes)))
                ahead += len(chunk[1])
                while ahead > _AHEAD_BYTES:
                    size, lines = waiting.popleft()
                    ahead -= size
                    yield from lines.result()
            while waiting:
                yield from waiting.popleft()[1].result()
        finally:
            pool.shutdown(cancel_futures=True)


def _chunks(file: BinaryIO) -> Iterator[Chunk]:
    """Yield some whole lines after the other; of a line that is too long only as much that it is known to be."""
    limit = formats.MAX_TEXT_BYTES["json"]
    number, begun = 1, b""
    while step := file.read(_CHUNK_BYTES):
        end = step.rfind(b"\n") + 1
        if end:
            rest, _, whole = step[:end].partition(b"\n")
            text = b"%b\n%b" % ((begun + rest)[: limit + 1], whole)
            yield number, text
            number += text.count(b"\n")
            begun = step[end:]
        elif len(begun) <= limit:
            begun += step
    if begun:
        yield number, begun[: limit + 1]


def _encode(chunk: Chunk, changes: Changes) -> list[Line]:
    lines = []
    first, texts = chunk
    for number, text in enumerate(texts.split(b"\n"), first):
        if not text or text.isspace():
            continue
        try:
            config = encoded_json(text) if changes == _NONE else None
            config = config or encoded(changes.build(formats.loads(text, "json")), fresh=True)
            lines.append(Line(number, config))
        except GemexpError as error:
            hint = error.hint if isinstance(error, InvalidInput) else None
            lines.append(Line(number, None, str(error), hint))
    return lines
