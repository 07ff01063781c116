"""Measuring sides in turns: wall time and processor time, and the memory of a process and its children."""

from __future__ import annotations

import contextlib
import os
import resource
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

_SAMPLE_SECONDS = 0.02


class Sample(NamedTuple):
    """What one turn took, in seconds."""

    wall: float
    cpu: float

    def per(self, count: int) -> Sample:
        return Sample(self.wall / count, self.cpu / count)


class Watch:
    """Wall and processor time of this process, of children that have ended, and of some that go on.

    Args:
        pids: Those that go on.
    """

    def __init__(self, pids: Iterable[int] = ()) -> None:
        self._pids = list(pids)
        self._began = self._now()

    def _now(self) -> Sample:
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = time.process_time() + children.ru_utime + children.ru_stime + sum(map(_cpu_of, self._pids))
        return Sample(time.perf_counter(), cpu)

    def stop(self) -> Sample:
        now = self._now()
        return Sample(now.wall - self._began.wall, now.cpu - self._began.cpu)


def _cpu_of(pid: int) -> float:
    """Return the processor time of another process; 0 where the system does not tell."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text("ascii").split()[0]) / 1e9
    except (OSError, ValueError):
        return 0.0


def watched(call: Callable[[], object], pids: Iterable[int] = ()) -> Sample:
    """Return what a call took."""
    watch = Watch(pids)
    call()
    return watch.stop()


def each(call: Callable[[str], object], names: Sequence[str], pids: Iterable[int] = ()) -> Sample:
    """Return what a call took for one of several names: the median of wall times, the mean of processor times."""
    walls = []
    watch = Watch(pids)
    for name in names:
        began = time.perf_counter()
        call(name)
        walls.append(time.perf_counter() - began)
    return Sample(statistics.median(walls), watch.stop().cpu / len(names))


def alternate(
    sides: Mapping[str, Callable[[], Sample | None]],
    turns: int,
    *,
    warm: bool = False,
    settle: Callable[[], object] = lambda: None,
) -> dict[str, list[Sample]]:
    """Run all sides in turns, so that what else the machine does falls on all of them; return what each took.

    Args:
        sides: What each does; one that knows better than the clock around it what it took returns that.
        turns: How often each is run.
        warm: Run each once before, which does not count.
        settle: Called before each.
    """
    taken: dict[str, list[Sample]] = {name: [] for name in sides}
    for turn in range(-1 if warm else 0, turns):
        for name in list(sides) if turn % 2 else reversed(sides):
            settle()
            watch = Watch()
            told = sides[name]()
            around = watch.stop()
            if turn >= 0:
                taken[name].append(told or around)
    return taken


def run(command: Sequence[str | os.PathLike[str]], **options: object) -> None:
    """Run a command to its end, its output thrown away.

    Raises:
        CommandFailed: Its exit code is not 0.
    """
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **options)  # noqa: PLW1510
    if done.returncode:
        raise CommandFailed(command, done.returncode, done.stderr)


class CommandFailed(Exception):
    """A command ended with another exit code than 0."""

    def __init__(self, command: Sequence[str | os.PathLike[str]], code: int, told: bytes) -> None:
        lines = told.decode("utf-8", "replace").strip().splitlines()
        super().__init__(f"{' '.join(map(str, command))}: exit code {code}: {' / '.join(lines[-2:])}")
        self.code = code


class Memory(NamedTuple):
    """What a process and its children had in memory at most, in bytes, and what it took."""

    peak: int
    sample: Sample


def peak_memory(command: Sequence[str | os.PathLike[str]]) -> Memory | None:
    """Return the peak of resident memory while a command runs; None where the system does not tell.

    It is the larger of two: the most that any one process had, which Linux keeps (``VmHWM``), and the most that all
    had together, pages that they share counted once (``Pss``), looked at every 20 ms.

    Raises:
        CommandFailed: Its exit code is not 0.
    """
    if not os.path.exists("/proc/self/smaps_rollup"):
        return None
    watch, peak = Watch(), 0
    with tempfile.TemporaryFile() as told:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=told)
        while process.poll() is None:
            pids = [process.pid, *_descendants(process.pid)]
            together = sum(_kilobytes(pid, "smaps_rollup", "Pss:") for pid in pids)
            peak = max(peak, together, *(_kilobytes(pid, "status", "VmHWM:") for pid in pids))
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_SAMPLE_SECONDS)
        if process.returncode:
            told.seek(0)
            raise CommandFailed(command, process.returncode, told.read())
    return Memory(peak * 1024, watch.stop())


def _descendants(pid: int) -> list[int]:
    found: list[int] = []
    with contextlib.suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(OSError):
                for child in Path(f"/proc/{pid}/task/{task}/children").read_text("ascii").split():
                    found += [int(child), *_descendants(int(child))]
    return found


def _kilobytes(pid: int, file: str, field: str) -> int:
    with contextlib.suppress(OSError):  # it has just ended
        for line in Path(f"/proc/{pid}/{file}").read_text("ascii").splitlines():
            if line.startswith(field):
                return int(line.split()[1])
    return 0
