"""JSON, YAML 1.2 and TOML: text to values and back.

Reading is strict: a key given twice, a number that float64 turns into infinity, and text that is not UTF-8 are
errors that name the place. Values are plain data that still may hold what a configuration refuses;
`gemexp.canonical.normalise` decides that.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterator
from typing import Any, BinaryIO

from gemexp.canonical import MAX_BYTES, MAX_DEPTH
from gemexp.errors import InvalidInput, InvalidText
from gemexp.notation import inline

SUFFIXES = {".json": "json", ".jsonl": "jsonl", ".ndjson": "jsonl", ".yaml": "yaml", ".yml": "yaml", ".toml": "toml"}
# Text may be longer than the value it stands for; pure Python reads YAML a hundred times slower than JSON.
_HINTS = {
    errno.ENOENT: "check the path",
    errno.EISDIR: "name the files in it",
    errno.ENOTDIR: "check the path: a part of it is no folder",
    errno.EACCES: "it is not readable for you",
}
_JSON_START = re.compile(r'\s*(?:\{\s*["}]|\[\s*\{)')
MAX_TEXT_BYTES = {"json": 8 * MAX_BYTES, "toml": 2 * MAX_BYTES, "yaml": MAX_BYTES}


def format_of(path: str) -> str | None:
    """Return the format that a file's name tells, or None."""
    return SUFFIXES.get(os.path.splitext(path)[1].lower())


def open_file(path: str) -> BinaryIO:
    """Open a file for reading.

    Raises:
        InvalidInput: It is missing, a directory, a device, or unreadable.
    """
    try:
        file = open(path, "rb")  # noqa: SIM115 - the caller closes it
    except OSError as error:
        raise InvalidInput(
            (error.strerror or str(error)).lower(), source=path, hint=_HINTS.get(error.errno or 0)
        ) from None
    mode = os.fstat(file.fileno()).st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISFIFO(mode):
        file.close()
        raise InvalidInput("is not a regular file", source=path, hint="name a file that holds a configuration")
    return file


def load(file: BinaryIO, format: str | None = None, *, source: str | None = None) -> Any:
    """Read the value that a file holds; no more is read than any format takes.

    Args:
        file: Open for reading.
        format: "json", "yaml" or "toml", or None for what its content tells.
        source: What to call it in errors.

    Raises:
        InvalidText: Its text cannot be parsed.
    """
    return loads(file.read(max(MAX_TEXT_BYTES.values()) + 1), format, source=source)


def loads(data: bytes | str, format: str | None, *, source: str | None = None) -> Any:
    """Read a value from text; without ``format``, the text itself tells.

    Args:
        data: The text, or its UTF-8 bytes.
        format: "json", "yaml" or "toml", or None.
        source: What to call the text in errors.

    Raises:
        InvalidText: It cannot be parsed.
    """
    limit = MAX_TEXT_BYTES[format] if format else max(MAX_TEXT_BYTES.values())
    if len(data) > limit:
        raise InvalidText(
            f"is too large: at most {limit} bytes of {format.upper() if format else 'text'} are read",
            source=source,
            hint="keep data out of configurations: store it as a file, and its hash here",
        )
    text = _decode(data, source)
    if format is None:
        return _loads_sniffing(text, source)
    try:
        return _loads(text, format)
    except InvalidText as error:
        error.source = source
        if error.hint is None and error.line is not None:
            line = text.split("\n")[error.line - 1].strip()
            error.hint = f"the line reads {inline(line[:60])}" if line else "the line is blank"
        raise
    except RecursionError:
        raise InvalidText(
            f"is nested too deeply to be {format.upper()} of a configuration",
            source=source,
            hint=f"at most {MAX_DEPTH} levels can be stored",
        ) from None


def load_lines(file: BinaryIO, *, source: str | None = None) -> Iterator[tuple[int, Any]]:
    """Yield (line number from 1, value) for each line of JSON Lines that is not blank; lines are read one by one.

    Raises:
        InvalidText: A line is not JSON; ``line`` is its number.
    """
    limit = MAX_TEXT_BYTES["json"]
    for number, line in enumerate(iter(lambda: file.readline(limit + 1), b""), 1):
        if len(line) > limit or line.strip():
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


def _decode(data: bytes | str, source: str | None) -> str:
    """Decode UTF-8, with or without a byte order mark."""
    if isinstance(data, str):
        return data
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidText(
            f"is not UTF-8 text (byte 0x{data[error.start]:02x} at offset {error.start})",
            source=source,
            line=data.count(b"\n", 0, error.start) + 1,
            hint="configurations are text: JSON, YAML or TOML",
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
    """Tell the format by the text: what begins as only JSON does is JSON, and hardly any TOML is a YAML map."""
    if all(line.strip()[:1] in ("", "#") for line in text.split("\n")):
        raise InvalidText("holds nothing", source=source, hint="a configuration is a map of names to values")
    if _JSON_START.match(text):
        return loads(text, "json", source=source)
    try:
        return loads(text, "toml", source=source)
    except InvalidText:
        return loads(text, "yaml", source=source)
