"""A run's results as a folder of files: written aside first, and put in place when all else has succeeded.

Source: the specification's list of what is written.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from gemexp import formats
from gemexp.backtest import tracking
from gemexp.backtest.outcome import Outcome
from gemexp.errors import InvalidInput

SUMMARY_FILE = "summary.json"
CONFIG_FILE = "experiment_config.json"
PICTURE_FILE = "equity.svg"
FILES = (SUMMARY_FILE, CONFIG_FILE, tracking.WINDOWS_FILE, tracking.DAILY_FILE, PICTURE_FILE)


def files(outcome: Outcome, summary: Mapping[str, Any], picture: bytes | None) -> dict[str, bytes]:
    """Return the files of a run, by name.

    Nothing in them depends on when, where or by whom it was run: the experiment's configuration, too, is written
    without its time.

    Args:
        outcome: What came out.
        summary: What `gemexp.backtest.report.summary` makes of it.
        picture: The equity curves as SVG, if they could be drawn.
    """
    experiment = outcome.experiment.to_dict()
    del experiment["created_at"]
    texts = {SUMMARY_FILE: summary, CONFIG_FILE: experiment}
    contents = {name: f"{formats.dumps(value, 'json', indent=2)}\n".encode() for name, value in texts.items()}
    contents |= tracking.artifacts(outcome)
    return contents if picture is None else {**contents, PICTURE_FILE: picture}


def outcome_in(folder: str) -> str | None:
    """Return the hash of the outcome whose results are in a folder; None if there are none that can be read."""
    try:
        with formats.open_file(os.path.join(folder, SUMMARY_FILE)) as file:
            found = formats.load(file, "json")["outcome_hash"]
    except (InvalidInput, OSError, KeyError, TypeError):
        return None
    return found if isinstance(found, str) else None


class Staged:
    """Files of a run beside the folder they are for: `publish` puts them there, leaving the block without it nothing.

    Args:
        folder: Where they are to be; made, with the folders above it, if it is not there. Of a folder that is there,
            only files of these names are replaced, and older ones of a run's other files removed.
        contents: The files by name.

    Raises:
        InvalidInput: The folder cannot be written to; on entering, before anything is published.
    """

    def __init__(self, folder: str, contents: Mapping[str, bytes]) -> None:
        self._folder = os.path.abspath(folder)
        self._shown = folder
        self._contents = contents
        self._aside = ""
        self._made: list[str] = []

    def __enter__(self) -> Self:
        if os.path.lexists(self._folder) and not os.path.isdir(self._folder):
            hint = "name another with --output"
            raise InvalidInput("is no folder, and so no place for results", hint=hint, source=self._shown)
        parent = self._folder if os.path.isdir(self._folder) else os.path.dirname(self._folder)
        try:
            self._make(parent)
            self._aside = os.path.join(parent, f".{secrets.token_hex(8)}.tmp")
            os.mkdir(self._aside)
            for name, content in self._contents.items():
                with open(os.path.join(self._aside, name), "wb") as file:
                    file.write(content)
        except BaseException as error:
            self._clear()
            if isinstance(error, OSError):
                raise self._refused(error) from None
            raise
        return self

    def publish(self) -> None:
        """Put the files in place: all at once where there was no folder yet, else each at once.

        Raises:
            InvalidInput: The file system refused.
        """
        try:
            if not os.path.lexists(self._folder) and self._renamed():
                return
            for name in self._contents:
                os.replace(os.path.join(self._aside, name), os.path.join(self._folder, name))
            for name in FILES:
                if name not in self._contents:
                    with contextlib.suppress(FileNotFoundError):
                        os.unlink(os.path.join(self._folder, name))
        except OSError as error:
            raise self._refused(error) from None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._clear()

    def _renamed(self) -> bool:
        try:
            os.rename(self._aside, self._folder)
        except OSError:
            if not os.path.isdir(self._folder):
                raise
            return False  # someone else made it just now
        return True

    def _refused(self, error: OSError) -> InvalidInput:
        reason = (error.strerror or str(error)).lower()
        hint = "name another folder with --output"
        return InvalidInput(f"cannot be written: {reason}", hint=hint, source=self._shown)

    def _make(self, folder: str) -> None:
        missing = []
        while not os.path.isdir(folder):
            missing.append(folder)
            folder = os.path.dirname(folder)
        for one in reversed(missing):
            with contextlib.suppress(FileExistsError):
                os.mkdir(one)
                self._made.append(one)

    def _clear(self) -> None:
        if self._aside:
            shutil.rmtree(self._aside, ignore_errors=True)
        for folder in reversed(self._made):
            with contextlib.suppress(OSError):  # by now it may hold somebody else's files
                os.rmdir(folder)
