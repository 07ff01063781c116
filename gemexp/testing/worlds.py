"""What may differ between two processes that run the same code on the same config, and must not change what comes out.

A world is a map of factors to values; a factor that it lacks stays as it is. Some factors are settings of a process's
environment, others are brought about inside the process before the pipeline is imported.
"""

from __future__ import annotations

import os
import random
import sys
import time
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from typing import Any, Self

from gemexp.errors import InvalidInput

World = Mapping[str, Any]

FACTORS = {
    "hash-seed": "PYTHONHASHSEED, which orders sets of text",
    "time-zone": "TZ",
    "locale": "LC_ALL, with Python's own choice of UTF-8 turned off",
    "threads": "how many threads OpenMP, BLAS and others may use, and how many CPUs Python counts",
    "scheduling": "which thread runs when",
    "folder": "the working folder",
    "clock": "the time and the date",
    "environment": "environment variables that nothing needs: unknown ones are there, others are gone",
    "listing": "the order in which folders are listed",
}

_DAY = 86_400
# Hours that zone and clock are moved by in the first worlds. Together they turn morning into afternoon, in the second
# the clock alone does; and no two of all dates agree in weekday, day, month or year, whatever carries over.
_ZONE_HOURS = (12, 1, 6)
_SHIFTS = (41 * _DAY + 13 * 60 + 17, -402 * _DAY + 11 * 3600 + 1781, 1234 * _DAY + 5 * 3600 + 1021)
_THREAD_VARIABLES = (
    "BLIS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "POLARS_MAX_THREADS",
    "PYTHON_CPU_COUNT",
    "RAYON_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
# What programs need to start and to find their files; everything else may go.
_NEEDED = frozenset(
    [
        *("HOME", "PATH", "SHELL", "TERM", "TEMP", "TMP", "TMPDIR", "TZ", "LANG", "GEMEXP_DIR", "VIRTUAL_ENV"),
        *("LD_LIBRARY_PATH", "LD_PRELOAD", "DYLD_LIBRARY_PATH", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"),
    ]
)
_NEEDED_PREFIXES = ("PYTHON", "LC_", "CONDA", "CUDA", "NVIDIA", "SSL_", "REQUESTS_", "COVERAGE", "COV_", "PYTEST_")
_UNKNOWN = {"GEMEXP_UNKNOWN": "here", "DEBUG": "1", "SEED": "987654321", "USER": "somebody", "HOSTNAME": "elsewhere"}


def check_factors(names: Collection[str] | None) -> tuple[str, ...]:
    """Return the factors of some names, in order; all for None.

    Raises:
        InvalidInput: One is unknown.
    """
    if names is None:
        return tuple(FACTORS)
    for name in names:
        if name not in FACTORS:
            raise InvalidInput(f"'{name}' is nothing that can differ", hint=f"there are {', '.join(FACTORS)}")
    return tuple(name for name in FACTORS if name in names)


def worlds(factors: Collection[str]) -> Iterator[World]:
    """Yield worlds that differ from here, and from each other, in each of ``factors``; without end."""
    number = 0
    while True:
        number += 1
        everything = {
            "hash-seed": number,
            "time-zone": _zone(_pick(_ZONE_HOURS, number)),
            "locale": _pick(_locales(), number),
            "threads": (1, 3, 2, 7)[(number - 1) % 4],
            "scheduling": number,
            "folder": number,
            "clock": _pick(_SHIFTS, number),
            "environment": number,
            "listing": "sorted" if number % 2 else "reversed",
        }
        yield {factor: everything[factor] for factor in factors}


def told(world: World) -> str:
    """Describe a world in a few words."""
    words = {
        "hash-seed": "PYTHONHASHSEED={}",
        "time-zone": "TZ={}",
        "locale": "LC_ALL={}",
        "threads": "{} threads",
        "scheduling": "threads in another order",
        "folder": "another working folder",
        "clock": "the clock set by {:+} seconds",
        "environment": "other environment variables",
        "listing": "folders listed {}",
    }
    parts = [words[factor].format(world[factor]) for factor in FACTORS if factor in world]
    return ", ".join(parts) or "nothing changed"


def variables(world: World, base: Mapping[str, str]) -> dict[str, str]:
    """Return the environment variables of a process in ``world``, from those of this one."""
    found = dict(base)
    if "environment" in world:
        found = {name: text for name, text in found.items() if _is_needed(name)} | _UNKNOWN
    # Fixed, so that a verdict does not depend on what it happened to be.
    found["PYTHONHASHSEED"] = str(world.get("hash-seed", 0))
    if "time-zone" in world:
        found["TZ"] = world["time-zone"]
    if "locale" in world:
        found = {name: text for name, text in found.items() if not name.startswith("LC_") and name != "LANG"}
        found |= {"LC_ALL": world["locale"], "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    if "threads" in world:
        found |= dict.fromkeys(_THREAD_VARIABLES, str(world["threads"]))
    return found


def _is_needed(name: str) -> bool:
    return name in _NEEDED or name in _THREAD_VARIABLES or name.startswith(_NEEDED_PREFIXES)


def _pick(choices: tuple[Any, ...], number: int) -> Any:
    return choices[(number - 1) % len(choices)]


@cache
def _zone(hours: int) -> str:
    """Return a zone some hours ahead of this process's, which has no daylight saving time."""
    here = time.localtime().tm_gmtoff // 3600
    ahead = (here + hours + 11) % 24 - 11
    if os.path.exists("/usr/share/zoneinfo/Etc/GMT-1"):
        # The sign is what POSIX made of it: how far Greenwich is ahead.
        return f"Etc/GMT{-ahead:+}" if ahead else "Etc/GMT"
    return f"<{ahead:+03}>{-ahead}"


@cache
def _locales() -> tuple[str, ...]:
    """Return locales of this machine that are unlike each other: without encoding, with decimal commas, Turkish."""
    import subprocess

    try:
        done = subprocess.run(["locale", "-a"], capture_output=True, text=True, check=False)  # noqa: S607 - the system's own
        listed = done.stdout.split()
    except OSError:
        listed = []
    wanted = ("de_DE", "tr_TR", "fr_FR")
    found = [
        next((name for name in listed if name.startswith(prefix) and "utf" in name.lower()), None) for prefix in wanted
    ]
    return ("C", *(name for name in found if name))


def enter(world: World) -> None:
    """Bring about inside this process what of ``world`` the environment cannot say; for a process of its own."""
    if "threads" in world:
        os.cpu_count = lambda: world["threads"]
    if "listing" in world:
        _list_folders(reverse=world["listing"] == "reversed")
    if "scheduling" in world:
        _disturb_threads(world["scheduling"])
    if "clock" in world:
        _set_clock(world["clock"])


def _list_folders(*, reverse: bool) -> None:
    """List folders by name, or the other way round: in what order a disk has them is its own affair."""
    listed, scanned = os.listdir, os.scandir

    def listdir(*arguments: Any, **named: Any) -> list[Any]:
        return sorted(listed(*arguments, **named), reverse=reverse)

    def scandir(*arguments: Any, **named: Any) -> _Entries:
        with scanned(*arguments, **named) as entries:
            return _Entries(sorted(entries, key=lambda entry: entry.name, reverse=reverse))

    os.listdir, os.scandir = listdir, scandir  # type: ignore[assignment]
    import glob

    for kind in vars(glob).values():
        # From Python 3.13 on they are kept where globbing looks for them.
        for name, value in (("scandir", scandir), ("listdir", listdir)):
            if isinstance(kind, type) and name in vars(kind):
                setattr(kind, name, staticmethod(value))


class _Entries:
    """What `os.scandir` returns: an iterator that can be closed."""

    def __init__(self, entries: list[os.DirEntry[Any]]) -> None:
        self._entries = iter(entries)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> os.DirEntry[Any]:
        return next(self._entries)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._entries = iter(())


def _disturb_threads(seed: int) -> None:
    """Make threads other than this one pause now and then, up to a tenth of a second each, and switch often."""
    import threading

    sys.setswitchinterval(1e-5)
    sleep, started = time.sleep, [0]
    left: dict[int, tuple[random.Random, list[float]]] = {}

    def pause(_frame: Any, event: str, _argument: Any) -> None:
        if event != "call":
            return
        thread = threading.get_ident()
        if thread not in left:
            started[0] += 1
            left[thread] = (random.Random(seed * 1000 + started[0]), [0.1])  # noqa: S311 - nothing secret
        source, rest = left[thread]
        if rest[0] > 0 and source.random() < 0.3:
            length = source.uniform(0, 0.004)
            rest[0] -= length
            sleep(length)

    threading.setprofile(pause)


def _set_clock(seconds: float) -> None:
    absent = "pytest" not in sys.modules
    if absent:
        # It would import all of pytest for a fixture that nobody needs here, which takes longer than all the rest.
        sys.modules["pytest"] = None  # type: ignore[assignment]
    try:
        import time_machine
    except ImportError:
        hint = "pip install 'gemexp[testing]', or leave the factor 'clock' out"
        raise InvalidInput("setting the clock needs time-machine", hint=hint) from None
    finally:
        if absent:
            del sys.modules["pytest"]
    time_machine.travel(time.time() + seconds, tick=True).start()
