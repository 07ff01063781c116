"""Syncing several files or folders at once, so that they share the file system's commits.

What waits for the disk meanwhile are threads, which stay for a moment: whoever stores one configuration often stores
another, and starting a thread costs as much as syncing a folder.
"""

from __future__ import annotations

import errno
import os
from _thread import allocate_lock
from collections.abc import Callable, Sequence
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Final

from gemexp.store import durable

if TYPE_CHECKING:
    from queue import SimpleQueue
    from threading import Thread

AT_ONCE = 8
MOST_OPEN: Final = 128
_IDLE_SECONDS: Final = 1.0


def sync_and_close(descriptors: list[int]) -> None:
    """Sync and close files, all at once, emptying the list."""
    try:
        if len(descriptors) > 1:
            for descriptor in descriptors:  # all of them share the commit of the first
                durable.start_writing_back(descriptor)
        _sync(descriptors)
    finally:
        while descriptors:
            os.close(descriptors.pop())


def sync_paths(paths: Sequence[str]) -> list[str]:
    """Sync files and folders, many at once; return those that are not there.

    Raises:
        OSError: One could not be synced.
    """
    missing = []
    for start in range(0, len(paths), MOST_OPEN):
        descriptors: list[int] = []
        try:
            for path in paths[start : start + MOST_OPEN]:
                try:
                    descriptors.append(durable.open_to_sync(path))
                except FileNotFoundError:
                    missing.append(path)
            _sync(descriptors)
        finally:
            while descriptors:
                os.close(descriptors.pop())
    return missing


def _sync(descriptors: Sequence[int]) -> None:
    """Sync open files and folders, some at once; raise the first error once all were tried.

    Helpers get nothing but what waits for the disk: each further call would have them wait for the interpreter too.
    """
    if not descriptors:
        return
    job = _Job([partial(os.fsync, descriptor) for descriptor in descriptors])
    helpers = min(len(descriptors), AT_ONCE) - 1
    if helpers > 0:
        _helpers.call(job, helpers)
    job.work()
    job.wait()
    for error in job.errors:
        if error is not None:
            raise error


class _Job:
    """Calls, each of which is made by whoever comes to it first."""

    def __init__(self, calls: Sequence[Callable[[], None]]) -> None:
        self.errors: list[Exception | None] = [OSError(errno.EIO, "was not synced")] * len(calls)
        self._calls = calls
        self._left = iter(range(len(calls)))
        self._made = count(1)
        self._unfinished = allocate_lock()
        self._unfinished.acquire()

    def work(self) -> None:
        """Make those calls that nobody has made, or is making."""
        for number in self._left:
            try:
                self._calls[number]()
                self.errors[number] = None
            except Exception as error:  # noqa: BLE001 - whoever called us raises it
                self.errors[number] = error
            if next(self._made) == len(self._calls):
                self._unfinished.release()

    def wait(self) -> None:
        """Return when all calls have been made."""
        with self._unfinished:
            pass


class _Helpers:
    """Threads that take part in jobs; one that has had none for a moment ends."""

    def __init__(self) -> None:
        self._jobs: SimpleQueue[_Job | None] | None = None
        self._threads: set[Thread] = set()

    def call(self, job: _Job, wanted: int) -> None:
        """Have threads take part in a job; fewer than wanted, or none, where there are too many already."""
        from queue import SimpleQueue

        if self._jobs is None:
            self._jobs = SimpleQueue()
        jobs = self._jobs
        while len(self._threads) < wanted and self._start(jobs):
            pass
        for _ in range(min(wanted, len(self._threads))):
            jobs.put(job)

    def _start(self, jobs: SimpleQueue[_Job | None]) -> bool:
        from threading import Thread

        thread = Thread(target=self._run, args=(jobs,), name="gemexp-sync", daemon=True)
        self._threads.add(thread)
        try:
            thread.start()
        except RuntimeError:
            self._threads.discard(thread)
            return False
        return True

    def _run(self, jobs: SimpleQueue[_Job | None]) -> None:
        from queue import Empty
        from threading import current_thread

        try:
            while (job := jobs.get(timeout=_IDLE_SECONDS)) is not None:
                job.work()
        except Empty:
            pass
        finally:
            self._threads.discard(current_thread())

    def end(self) -> None:
        """Return when the threads have ended: a process that forks has none that its child would miss."""
        jobs, threads = self._jobs, list(self._threads)
        if jobs is not None:
            for _ in threads:
                jobs.put(None)
            for thread in threads:
                thread.join()
        self.forget()

    def forget(self) -> None:
        """Start anew; what was asked for is left to those who asked."""
        self._jobs, self._threads = None, set()


_helpers = _Helpers()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_helpers.end, after_in_child=_helpers.forget)
