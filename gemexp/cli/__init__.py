"""The command line: from arguments to an exit code. What it imports before it knows the command, every command pays."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

EXIT_BAD_INPUT = 1
EXIT_USAGE = 2
EXIT_NOT_FOUND = 3
EXIT_CONFLICT = 4
EXIT_CORRUPT = 5
EXIT_ENGINE = 6
EXIT_INTERRUPTED = 130
EXIT_BUG = 255

# By it a shell asks for completions, see `gemexp.cli.completion`.
COMPLETION_VARIABLE = "_GEMEXP_COMPLETE"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code. Whatever goes wrong is told on standard error, in one line and a hint."""
    from gemexp.cli import quick

    arguments = sys.argv[1:] if arguments is None else list(arguments)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal of another encoding shows escapes instead of failing
            stream.reconfigure(errors="backslashreplace")
    try:
        text = quick.show(arguments)
    except KeyboardInterrupt as error:
        from gemexp.cli import commands

        return commands.interrupted(error)
    if text is not None:
        return _finish(0, text)
    from gemexp.cli import commands

    return _finish(commands.run(arguments))


def _finish(code: int, text: str = "") -> int:
    """Print the last of what a command has to say; return its exit code, or one that tells why that failed."""
    if sys.stdout is None:  # it was closed before we began
        return code
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        if not isinstance(error, BrokenPipeError):
            from gemexp.cli import commands

            code = code or commands.output_failed(error)  # else it was told already
        # Nothing is left to say to whoever closed the pipe; this keeps the interpreter from trying once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code
