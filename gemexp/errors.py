"""Every error that gemexp raises on purpose.

GemexpError
├── InvalidInput          something handed in cannot be used
│   ├── InvalidValue      a value that a configuration cannot hold (path)
│   ├── InvalidPath       a path into a value that cannot be read (text)
│   ├── InvalidQuery      a query that cannot be read (text, column)
│   └── InvalidText       JSON, YAML or TOML that cannot be parsed (line)
├── UsageError            a call that makes no sense, such as options that exclude each other
├── NotFound              nothing has that hash, tag or name (subject)
├── AmbiguousPrefix       several things do (subject, candidates)
├── Conflict              two things claim one place (path)
├── Corrupt               bytes that are not what their name or format says (path)
├── EngineFailed          another program that is needed, such as git, is missing or refused
└── StoreError            a store that cannot be used
    ├── NoStore           there is none here
    ├── UnsupportedFormat it is of a newer format than this version reads
    ├── StoreUnreadable   the file system refused a read (path)
    └── StoreUnwritable   the file system refused a write (path, errno)

Beside them, DamageWarning tells of a damaged file that was passed over, and RivalWarning of a name that a merge left
pointing to two configs.

``kind`` is a stable word for scripts; ``details()`` is the rest of what a script may want.
Only the command line knows exit codes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from gemexp.notation import format_path

if TYPE_CHECKING:
    from collections.abc import Sequence


class GemexpError(Exception):
    """The root of all errors raised on purpose.

    Args:
        message: What is wrong, in one line, with the subject in quotes.
        hint: What to do about it, if that is known.
    """

    kind: ClassVar[str] = "error"

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message

    def details(self) -> dict[str, Any]:
        """Return what a script may want to know beside kind, message and hint."""
        return {}


class InvalidInput(GemexpError):
    """Something handed in cannot be used; ``source`` is the file or row it came from."""

    kind = "invalid-input"

    def __init__(self, message: str, *, hint: str | None = None, source: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.source = source

    def __str__(self) -> str:
        return self.message if self.source is None else f"'{self.source}': {self.message}"

    def details(self) -> dict[str, Any]:  # noqa: D102 - as the root's
        return {} if self.source is None else {"source": self.source}


class InvalidValue(InvalidInput):
    """A value that a configuration cannot hold, and the path that leads to it."""

    kind = "invalid-value"

    def __init__(self, message: str, *, hint: str | None = None, path: tuple[str | int, ...] = ()) -> None:
        super().__init__(message, hint=hint)
        self.path = path

    def inside(self, step: str | int) -> InvalidValue:
        """Put ``step`` in front of the path: called by each container on the way out."""
        self.path = (step, *self.path)
        return self

    def __str__(self) -> str:
        where = f"'{format_path(self.path)}' " if self.path else "the value "
        message = where + self.message
        return message if self.source is None else f"'{self.source}': {message}"

    def details(self) -> dict[str, Any]:  # noqa: D102 - as the root's
        return {**super().details(), "path": format_path(self.path)}


class InvalidPath(InvalidInput):
    """A path into a value that cannot be read, or that leads nowhere."""

    kind = "invalid-path"


class InvalidQuery(InvalidInput):
    """A query that cannot be read; ``column`` counts the characters of ``text`` from 1, up to the offending place."""

    kind = "invalid-query"

    def __init__(self, message: str, *, text: str, column: int, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.text = text
        self.column = column

    def details(self) -> dict[str, Any]:  # noqa: D102 - as the root's
        return {**super().details(), "text": self.text, "column": self.column}


class InvalidText(InvalidInput):
    """JSON, YAML or TOML that cannot be parsed; ``line`` counts from 1 where it is known."""

    kind = "invalid-text"

    def __init__(
        self, message: str, *, hint: str | None = None, source: str | None = None, line: int | None = None
    ) -> None:
        super().__init__(message, hint=hint, source=source)
        self.line = line

    def __str__(self) -> str:
        if self.source is None:
            return self.message if self.line is None else f"line {self.line}: {self.message}"
        place = self.source if self.line is None else f"{self.source}:{self.line}"
        return f"'{place}': {self.message}"

    def details(self) -> dict[str, Any]:  # noqa: D102 - as the root's
        return {**super().details(), **({} if self.line is None else {"line": self.line})}


class UsageError(GemexpError):
    """A call that makes no sense as a whole."""

    kind = "usage"


class NotFound(GemexpError):
    """Nothing in the store has that hash, prefix, tag or name."""

    kind = "not-found"

    def __init__(self, message: str, *, subject: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.subject = subject

    def details(self) -> dict[str, Any]:  # noqa: D102 - as the root's
        return {"subject": self.subject}


class AmbiguousPrefix(GemexpError):
    """Several configs answer to one prefix, tag or alias; ``candidates`` are all their hashes, sorted."""

    kind = "ambiguous"

    def __init__(self, message: str, *, subject: str, candidates: Sequence[str], hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.subject = subject
        self.candidates = sorted(candidates)

    def details(self) -> dict[str, Any]:  # noqa: D102 - as the root's
        return {"subject": self.subject, "candidates": self.candidates}


class Conflict(GemexpError):
    """Two things claim one place, and choosing is not ours."""

    kind = "conflict"


class Corrupt(GemexpError):
    """Bytes that are not what their name or their format says."""

    kind = "corrupt"

    def __init__(
        self,
        message: str,
        *,
        path: str | None = None,
        expected: str | None = None,
        actual: str | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.path = path
        self.expected = expected
        self.actual = actual

    def __str__(self) -> str:
        return self.message if self.path is None else f"'{self.path}' {self.message}"

    def details(self) -> dict[str, Any]:  # noqa: D102 - as the root's
        found = {"path": self.path, "expected": self.expected, "actual": self.actual}
        return {key: value for key, value in found.items() if value is not None}


class EngineFailed(GemexpError):
    """Another program that is needed, such as git, is missing or refused."""

    kind = "engine"


class StoreError(GemexpError):
    """A store that cannot be used."""

    kind = "store"


class NoStore(StoreError):
    """There is no store here."""

    kind = "no-store"


class UnsupportedFormat(StoreError):
    """The store is of another format than this version reads."""

    kind = "unsupported-format"


class StoreUnreadable(StoreError):
    """The file system refused a read."""

    kind = "unreadable"

    def __init__(self, message: str, *, path: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.path = path

    def details(self) -> dict[str, Any]:  # noqa: D102 - as the root's
        return {"path": self.path}


class StoreUnwritable(StoreError):
    """The file system refused a write; nothing was acknowledged."""

    kind = "unwritable"

    def __init__(self, message: str, *, path: str, errno: int | None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.path = path
        self.errno = errno

    def details(self) -> dict[str, Any]:  # noqa: D102 - as the root's
        return {"path": self.path, "errno": self.errno}


class DamageWarning(UserWarning):
    """A damaged file was passed over, so that an answer is as complete as the store is whole."""


class RivalWarning(UserWarning):
    """A merge left two answers side by side, and the newest was given."""
