"""The part of a sweep that runs in a worker: a chunk of combinations on one panel, each to what is to be recorded.

A worker is a process, a thread, or a machine of a cluster that sees the store's folder. It keeps its workspace from
one chunk to the next, so that combinations with the same windows and features share them.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Sequence
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

from gemexp.backtest import panel_cache, tracking
from gemexp.backtest.engine import Workspace, run_backtest
from gemexp.backtest.panel import Panel
from gemexp.backtest.parameters import Parameters
from gemexp.config import ExperimentConfig, now
from gemexp.errors import GemexpError, InvalidInput
from gemexp.recording import Finished, finish

SLICE_SECONDS = 0.5
"""A worker hands back what it has after so long: an interrupted sweep waits for no more than this and one run."""


class PanelSource(NamedTuple):
    """Where a worker finds the panel: in its own memory by digest, or in a file of the cache."""

    digest: str
    path: str


class Job(NamedTuple):
    """One combination to run."""

    number: int
    experiment: ExperimentConfig
    parameters: Parameters


class Done(NamedTuple):
    """A combination that was run: what to record, and the figures that the sweep's summary needs."""

    number: int
    finished: Finished
    sharpe: float | None
    moments: dict[str, Any]


class Failure(NamedTuple):
    """A combination that cannot be run, and why: an error's kind, message and hint."""

    number: int
    kind: str
    message: str
    hint: str | None


# The panels of this process by digest, for workers that are its threads.
_panels: WeakValueDictionary[str, Panel] = WeakValueDictionary()
_own = threading.local()


def offer(panel: Panel) -> None:
    """Let the threads of this process find a panel by its digest."""
    _panels[panel.digest] = panel


def start(source: PanelSource) -> None:
    """Begin a worker process: load the panel, leave Ctrl-C to the parent, and end when the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    _workspace(source)


def work(source: PanelSource, jobs: Sequence[Job]) -> tuple[list[Done | Failure], int]:
    """Run jobs one after the other until they are done, or `SLICE_SECONDS` are over.

    Returns:
        What came out of the first of them, in order; and how many are left.

    Raises:
        InvalidInput: The panel cannot be found.
    """
    workspace = _workspace(source)
    until = time.perf_counter() + SLICE_SECONDS
    results: list[Done | Failure] = []
    for job in jobs:
        results.append(_run(job, workspace))
        if time.perf_counter() > until:
            break
    return results, len(jobs) - len(results)


def failure(number: int, error: GemexpError) -> Failure:
    """Return an error as plain data, which any kind of worker can send."""
    return Failure(number, error.kind, str(error), error.hint)


def _run(job: Job, workspace: Workspace) -> Done | Failure:
    started, began = now(), time.perf_counter()
    try:
        outcome = run_backtest(job.experiment, workspace.panel, parameters=job.parameters, workspace=workspace)
        finished = finish(
            outcome.experiment,
            tracking.metrics(outcome),
            artifacts=tracking.artifacts(outcome),
            data=outcome.panel_digest,
            details=tracking.details(outcome),
            started=started,
            duration=time.perf_counter() - began,
        )
    except GemexpError as error:
        return failure(job.number, error)
    return Done(job.number, finished, outcome.summary["strategy"]["sharpe"], outcome.summary["moments"])


def _workspace(source: PanelSource) -> Workspace:
    """Return this thread's workspace on the panel, made anew if the last one was on another."""
    workspace: Workspace | None = getattr(_own, "workspace", None)
    if workspace is None or workspace.panel.digest != source.digest:
        panel = _panels.get(source.digest) or panel_cache.load(source.path)
        if panel is None or panel.digest != source.digest:
            raise InvalidInput("cannot be read by a worker", source=source.path, hint="workers need the store's folder")
        workspace = _own.workspace = Workspace(panel)
    return workspace


def _end_with(parent: Any) -> None:
    parent.join()
    os._exit(1)  # the main thread may be waiting for work that nobody will send
