"""Where sweeps run: an executor with workers that find the panel, and Ctrl-C that waits until a sweep can bear it."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Any

from gemexp.backtest import panel_cache
from gemexp.backtest.panel import Panel
from gemexp.backtest.sweep_worker import PanelSource, offer, start
from gemexp.errors import InvalidInput


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def workers(given: Executor | None, panel: Panel, cache: str, count: int) -> Iterator[tuple[Executor, PanelSource]]:
    """Give an executor, and where its workers find the panel.

    Args:
        given: The executor; it is not shut down. None for processes, or for this thread if ``count`` is 1.
        panel: The panel.
        cache: The folder that worker processes read it from.
        count: How many processes.

    Raises:
        InvalidInput: The panel cannot be written to the cache.
    """
    source = PanelSource(panel.digest, os.path.join(cache, f"{panel.digest}.npz"))
    offer(panel)
    if given is None and count == 1:
        yield _Here(), source
        return
    if panel_cache.load(source.path) is None:
        panel_cache.save(panel, source.path)
        if not os.path.exists(source.path):
            hint = "with --jobs 1 there are none"
            raise InvalidInput("cannot be written for the workers to read", hint=hint, source=source.path)
    if given is not None:
        yield given, source
        return
    # Spawned, not forked: a forked child inherits whatever locks other threads of this process hold.
    with ProcessPoolExecutor(count, get_context("spawn"), initializer=start, initargs=(source,)) as pool:
        yield pool, source


@contextmanager
def deferred_interrupt() -> Iterator[threading.Event]:
    """Turn the first Ctrl-C into an event; the second one, and those outside the main thread, are as ever."""
    interrupted = threading.Event()
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or before is not signal.default_int_handler:
        yield interrupted
        return

    def handle(number: int, frame: Any) -> None:  # noqa: ARG001 - as signal calls it
        signal.signal(signal.SIGINT, before)
        interrupted.set()

    signal.signal(signal.SIGINT, handle)
    try:
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def blocked_interrupt() -> Iterator[None]:
    """Keep Ctrl-C from the processes that are started meanwhile: they inherit what is blocked."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Here(Executor):
    """Runs what is submitted at once, in this thread."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - as every executor does
            future.set_exception(error)
        return future
