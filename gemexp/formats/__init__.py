"""JSON, YAML 1.2 and TOML: text to values and back.

Reading is strict: a key given twice, a number that float64 turns into infinity, and text that is not UTF-8 are
errors that name the place. Values are plain data that still may hold what a configuration refuses;
`gemexp.canonical.normalise` decides that.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from typing import Any

from gemexp.canonical import MAX_BYTES
from gemexp.errors import InvalidInput, InvalidText

SUFFIXES = {".json": "json", ".jsonl": "jsonl", ".ndjson": "jsonl", ".yaml": "yaml", ".yml": "yaml", ".toml": "toml"}
# Text may be longer than the value it stands for; pure Python reads YAML a hundred times slower than JSON.
MAX_TEXT_BYTES = {"json": 8 * MAX_BYTES, "toml": 2 * MAX_BYTES, "yaml": MAX_BYTES}


def format_of(path: str) -> str | None:
    """Return the format that a file's name tells, or None."""
    return SUFFIXES.get(os.path.splitext(path)[1].lower())


def read_file(path: str) -> bytes:
    """Return a file's bytes.

    Raises:
        InvalidInput: It is missing, a directory, not a regular file, unreadable, or larger than any format takes.
    """
    try:
        with open(path, "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode) and not stat.S_ISFIFO(status.st_mode):
                raise InvalidInput("is not a regular file", source=path)
            return file.read()
    except OSError as error:
        raise InvalidInput((error.strerror or str(error)).lower(), source=path) from None


def load(path: str, format: str | None = None) -> Any:
    """Read the value that a file holds; without ``format``, its name tells, or else its content.

    Raises:
        InvalidInput: The file cannot be read.
        InvalidText: Its text cannot be parsed.
    """
    return loads(read_file(path), format or format_of(path), source=path)


def loads(data: bytes | str, format: str | None, *, source: str | None = None) -> Any:
    """Read a value from text; without ``format``, the text itself tells.

    Args:
        data: The text, or its UTF-8 bytes.
        format: "json", "yaml" or "toml", or None.
        source: What to call the text in errors.

    Raises:
        InvalidText: It cannot be parsed.
    """
    text = decode_text(data, source)
    if format is None:
        return _loads_sniffing(text, source)
    if len(text) > MAX_TEXT_BYTES[format]:
        raise InvalidText(
            f"is too large: {len(text)} characters of {format.upper()}, at most {MAX_TEXT_BYTES[format]} are read",
            source=source,
            hint="keep data out of configurations: store it as a file, and its hash here",
        )
    try:
        return _loads(text, format)
    except InvalidText as error:
        error.source = source
        raise
    except RecursionError:
        raise InvalidText("is nested too deeply", source=source) from None


def load_lines(data: bytes | str, *, source: str | None = None) -> Iterator[tuple[int, Any]]:
    """Yield (line number from 1, value) for each line of JSON Lines that is not blank.

    Raises:
        InvalidText: A line is not JSON; ``line`` is its number.
    """
    for number, line in enumerate(decode_text(data, source).split("\n"), 1):
        if line.strip():
            try:
                yield number, loads(line, "json", source=source)
            except InvalidText as error:
                error.line = number
                raise


def dumps(value: Any, format: str, *, indent: int | None = None) -> str:
    """Write plain data as "json" (strict: nan and inf as ``{"$float": …}``) or "yaml" text."""
    if format == "json":
        from gemexp.formats import json

        return json.dumps(value, indent=indent)
    from gemexp.formats import yaml

    return yaml.dumps(value)


def decode_text(data: bytes | str, source: str | None) -> str:
    """Decode UTF-8, with or without a byte order mark.

    Raises:
        InvalidText: It is not UTF-8; the message says at which byte.
    """
    if isinstance(data, str):
        return data
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InvalidText(
            f"is not UTF-8 text (byte 0x{data[error.start]:02x} at offset {error.start})", source=source, line=line
        ) from None


def _loads(text: str, format: str) -> Any:
    if format == "json":
        from gemexp.formats import json

        return json.loads(text)
    if format == "toml":
        from gemexp.formats import toml

        return toml.loads(text)
    from gemexp.formats import yaml

    return yaml.loads(text)


def _loads_sniffing(text: str, source: str | None) -> Any:
    """JSON begins with a bracket; TOML is tried before YAML, because hardly any TOML is a YAML map."""
    if text.lstrip()[:1] in ("{", "["):
        try:
            return loads(text, "json", source=source)
        except InvalidText as json_error:
            for format in ("toml", "yaml"):
                try:
                    return loads(text, format, source=source)
                except InvalidText:
                    continue
            raise json_error from None
    try:
        return loads(text, "toml", source=source)
    except InvalidText:
        return loads(text, "yaml", source=source)
