"""Measure registering, looking up and the cold start side by side with the peers, in one run.

    python tests/bench/core.py [--configs 100000] [--registrations 300] [--folder DIR]

Prints medians and ratios; above 1 is in our favour. Both sides are equally durable where they write, and their turns
alternate, so that what else the machine does falls on both.
"""

import argparse
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from seed_registry import SeedRegistry
from workload import configs

from gemexp import ExperimentRegistry


def seconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def report(what: str, ours: float, peer: float, peer_name: str, unit: str) -> None:
    figures = f"{ours:>9.2f} {unit:<4} {peer_name:>22} {peer:>9.2f} {unit:<4} ratio {peer / ours:>8.2f}"
    print(f"{what:<44} {figures}", flush=True)


def measure_registering(folder: Path, count: int) -> None:
    """One by one, durable: object, record and tags here; one commit there."""
    registry = ExperimentRegistry(folder / "register")
    peers = {level: SeedRegistry(folder / f"{level}.sqlite", level) for level in ("EXTRA", "FULL")}
    ours: list[float] = []
    theirs: dict[str, list[float]] = {level: [] for level in peers}
    for config in configs(count, seed=1):
        fields = config.to_dict()
        ours.append(seconds(lambda config=config: registry.register(config)))
        for level, peer in peers.items():
            theirs[level].append(seconds(lambda fields=fields, peer=peer: peer.register(fields)))
    for level, taken in theirs.items():
        name = f"SQLite registry, {level}"
        report("register, durable", statistics.median(ours) * 1e3, statistics.median(taken) * 1e3, name, "ms")


def measure_lookups(folder: Path, count: int, lookups: int) -> str:
    """By 10-digit prefix, in process, all configurations in loose files."""
    registry, peer = ExperimentRegistry(folder / "lookup"), SeedRegistry(folder / "lookup.sqlite")
    hashes: list[str] = []
    for start in range(0, count, 10_000):
        some = list(configs(min(10_000, count - start), seed=1000 + start))
        hashes += registry.add_many(some)
        peer.fill(config.to_dict() for config in some)
    time.sleep(2.5)  # listings are not remembered while a folder has just changed
    chosen = random.Random(2).sample(hashes, min(lookups, count))
    for config_hash in chosen:
        registry.get(config_hash[:10])  # as git does for its loose objects, folders are listed once
    ours = [seconds(lambda name=name: registry.get(name[:10])) for name in chosen]
    theirs = [seconds(lambda name=name: peer.get(name[:10])) for name in chosen[:50]]
    what = f"get by 10-digit prefix, {count} loose"
    report(what, statistics.median(ours) * 1e6, statistics.median(theirs) * 1e6, "SQLite registry", "us")
    return hashes[0]


def cpu_milliseconds(command: list[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1e3


def measure_cold_start(folder: Path, config_hash: str, turns: int = 20) -> None:
    """``gemexp show`` as a process, beside scripts that do the least that could be done."""
    store = str(folder / "lookup")
    path = f"{store}/objects/{config_hash[:2]}/{config_hash}"
    show = [sys.executable, "-m", "gemexp", "--store", store, "show", config_hash[:10]]
    peers = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "click, msgpack, 1 file": [sys.executable, "-c", f"import click, msgpack; open({path!r}, 'rb').read()"],
    }
    # Byte code is compiled once, as pip does when it installs a package; without it, compiling would be measured.
    os.environ["PYTHONPYCACHEPREFIX"] = str(folder / "bytecode")
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    taken: dict[str, list[float]] = {"show": [], **{name: [] for name in peers}}
    for _ in range(turns + 1):
        taken["show"].append(cpu_milliseconds(show))
        for name, command in peers.items():
            taken[name].append(cpu_milliseconds(command))
    for name in peers:
        ours, theirs = statistics.median(taken["show"][1:]), statistics.median(taken[name][1:])
        report("gemexp show PREFIX, process, CPU", ours, theirs, name, "ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--configs", type=int, default=100_000)
    parser.add_argument("--registrations", type=int, default=300)
    parser.add_argument("--lookups", type=int, default=2_000)
    parser.add_argument("--folder", help="where to work; on the file system to be measured")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="gemexp-bench-", dir=arguments.folder))
    try:
        measure_registering(folder, arguments.registrations)
        config_hash = measure_lookups(folder, arguments.configs, arguments.lookups)
        measure_cold_start(folder, config_hash)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
