"""Fresh processes that run a pipeline: each in a world of its own, each for as many configs as it is asked."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from types import TracebackType
from typing import Any, NamedTuple, Self

from gemexp.config import ExperimentConfig
from gemexp.errors import InvalidValue
from gemexp.testing import results
from gemexp.testing.pipelines import Pipeline, PipelineFailed, config_of
from gemexp.testing.results import Form
from gemexp.testing.worlds import World, told, variables

_START = "import sys, json; sys.path[:] = json.loads(sys.argv.pop(1)); from gemexp.testing.child import main; main()"
_LAST_WORDS = 2000


class Call(NamedTuple):
    """A config's sections, in the order of their maps, and how often the pipeline is to be called with it."""

    sections: dict[str, Any]
    times: int = 1


class Process:
    """A process that runs one pipeline in one world; close it, or use it as a context manager.

    Starting returns at once: several can start side by side before the first is asked.

    Args:
        pipeline: What it runs.
        world: What differs from here.

    Raises:
        InvalidInput: No other process can import the pipeline.
    """

    def __init__(self, pipeline: Pipeline, world: World) -> None:
        pipeline.check_open()
        self.world = world
        self._pipeline = pipeline
        self._ready = False
        self._folder = tempfile.mkdtemp(prefix="gemexp-check-")
        self._errors = open(os.path.join(self._folder, "errors"), "w+b")  # noqa: SIM115 - closed with the process
        path = [os.path.abspath(folder) for folder in sys.path]
        reading, writing = os.pipe()
        work = os.path.join(self._folder, "work")
        os.mkdir(work)
        try:
            self._process = subprocess.Popen(  # noqa: S603 - this Python
                [sys.executable, "-c", _START, json.dumps(path), str(writing)],
                stdin=subprocess.PIPE,
                stdout=self._errors,
                stderr=self._errors,
                pass_fds=[writing],
                cwd=work if "folder" in world else None,
                env=variables(world, os.environ),
            )
        finally:
            os.close(writing)
        self._answers = os.fdopen(reading, encoding="utf-8")
        order = {"path": path, "world": dict(world)}
        self._send(order | {"module": pipeline.module, "file": pipeline.file, "attribute": pipeline.attribute})

    def ask(self, call: Call) -> None:
        """Send a call; `answer` waits for what comes of it."""
        self._send(call._asdict())

    def answer(self) -> list[Form]:
        """Return the outcome of each time that the pipeline was called, of the oldest call that was not answered yet.

        Raises:
            PipelineFailed: The process ended, or what the pipeline returns cannot be compared.
        """
        if not self._ready:
            self._receive()
            self._ready = True
        return [results.loads(text) for text in self._receive()["outcomes"]]

    def run(self, calls: Sequence[Call]) -> list[list[Form]]:
        """Return the outcomes of some calls, made one after the other.

        Raises:
            PipelineFailed: As `answer`.
        """
        outcomes = []
        for call in calls:
            self.ask(call)
            outcomes.append(self.answer())
        return outcomes

    def close(self) -> None:
        """End the process; again does no harm."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._answers, self._errors):
            try:
                stream.close()  # type: ignore[union-attr]
            except OSError:
                continue  # what was to be sent to a process that is gone
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _send(self, value: dict[str, Any]) -> None:
        stdin = self._process.stdin
        assert stdin is not None  # noqa: S101 - for the type checker: it is a pipe
        try:
            stdin.write(json.dumps(value).encode() + b"\n")
            stdin.flush()
        except OSError:
            raise self._ended() from None

    def _receive(self) -> dict[str, Any]:
        line = self._answers.readline()
        if not line.endswith("\n"):
            raise self._ended()
        answer: dict[str, Any] = json.loads(line)
        if "refused" in answer:
            raise PipelineFailed(f"{answer['refused']} (in a fresh process: {told(self.world)})", hint=answer["hint"])
        return answer

    def _ended(self) -> PipelineFailed:
        code = self._process.wait()
        self._errors.seek(0)
        words = self._errors.read().decode("utf-8", "replace").strip()
        last = f": {words[-_LAST_WORDS:]}" if words else ""
        how = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
        return PipelineFailed(f"the process that ran '{self._pipeline.name}' {how}{last}")


class Processes:
    """Fresh processes of one pipeline, kept for many configs: one for each world.

    Args:
        pipeline: What they run.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        self._kept: dict[str, Process] = {}

    def start(self, world: World) -> Process:
        """Return the process for a world; it is started if there is none."""
        key = _key(world)
        if key not in self._kept:
            self._kept[key] = Process(self.pipeline, world)
        return self._kept[key]

    def run(self, world: World, calls: Sequence[Call]) -> list[list[Form]]:
        """Return the outcomes of some calls in the process for a world; one that failed is not used again.

        Raises:
            PipelineFailed: As `Process.answer`.
        """
        try:
            return self.start(world).run(calls)
        except PipelineFailed:
            self._kept.pop(_key(world)).close()
            raise

    def each(self, calls: Sequence[tuple[World, Call]]) -> list[list[Form]]:
        """Return the outcomes of some calls in the processes for different worlds, side by side.

        Raises:
            PipelineFailed: As `Process.answer`; all processes have ended then.
        """
        try:
            started = [self.start(world) for world, _ in calls]
            for process, (_, call) in zip(started, calls, strict=True):
                process.ask(call)
            return [process.answer() for process in started]
        except PipelineFailed:
            self.close()
            raise

    def close(self) -> None:
        """End all of them."""
        while self._kept:
            self._kept.popitem()[1].close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def _key(world: World) -> str:
    return json.dumps(world, sort_keys=True)


def run_here(pipeline: Pipeline, calls: Sequence[Call]) -> list[list[Form]]:
    """Return the outcomes of some calls, made one after the other in this process.

    Raises:
        PipelineFailed: What the pipeline returns cannot be compared.
    """
    outcomes = []
    for call in calls:
        config = config_of(call.sections)
        outcomes.append([_outcome(pipeline, config) for _ in range(call.times)])
    return outcomes


def _outcome(pipeline: Pipeline, config: ExperimentConfig) -> Form:
    try:
        returned = pipeline.function(config)
    except Exception as error:  # noqa: BLE001 - whatever a user's pipeline raises is what came out
        return results.raised(error)
    try:
        return results.comparable(returned)
    except InvalidValue as error:
        raise PipelineFailed(f"what the pipeline returns cannot be compared: {error}", hint=error.hint) from None


def run_fresh(pipeline: Pipeline, world: World, calls: Sequence[Call]) -> list[list[Form]]:
    """Return the outcomes of some calls, made one after the other in one fresh process that ends afterwards."""
    with Process(pipeline, world) as process:
        return process.run(calls)
