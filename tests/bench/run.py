"""Measure gemexp side by side with its peers, on the same machine and data, and write a table of ratios.

    python tests/bench/run.py [--sizes 1000,10000,100000,1000000] [--rows register,get,…] [--peers]
        [--results FILE] [--write docs/explanation/performance.md]

Sides take turns, so that what else the machine does falls on all of them; a ratio is the median over turns, and above
1 is in our favour. Shown are wall time and, in brackets, processor time. What is required stands in `catalogue.py`.
All sides are equally durable where they write, or it is said that they are not.

git is expected to be installed. signac, MLflow and DVC are looked for in an environment of their own, which ``--peers``
makes; without it their rows say "not installed". ``--rows quick`` measures everything once, which takes seconds with a
few hundred configurations and shows that all works, not how fast it is.

Configurations are drawn once, and kept in the temporary folder. With ``--results`` figures are kept too, and those of
several calls go into one table. A million configurations need some 40 GB of disk, and hours.

Nothing is removed before the end, and nothing many should have been in the minutes before: ext4 looks at the inodes
that were freed last whenever it creates a file, which would fall on whoever creates most.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path

from catalogue import FAMILIES, ROWS
from peers import Installed
from prepared import Prepared, Turns
from results import Results
from rows_lookup import get, show
from rows_queries import index, newest, tag, where
from rows_space import disk, memory
from rows_writing import bulk, register
from workload import VARIANTS, Variant

Measure = Callable[[Prepared, Results, dict[int, Prepared]], None]
_MEASURES: dict[str, Measure] = {
    one.__name__: one for one in (register, bulk, get, show, newest, tag, where, index, disk, memory)
}
_QUICK = Turns(1, 20, 5, settled=0)


def main() -> int:
    """Measure what was asked for; return 1 if something could not be measured because it failed."""
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that what was made goes away
    installed = Installed(options.environment)
    if options.peers and installed.program("signac") is None:
        installed.install()
    quick = options.rows == ["quick"]
    results = Results(options.results)
    results.about = _about(installed)
    failed = False
    folder = Path(tempfile.mkdtemp(prefix="gemexp-bench-", dir=options.folder))
    try:
        for name in options.variants:
            turns = _QUICK if quick else Turns(options.turns)
            failed |= _measure(folder / name, options.sizes, VARIANTS[name], installed, turns, results, options.rows)
    finally:
        shutil.rmtree(folder)
    if options.write:
        results.write(options.write)
    return int(failed)


def _measure(
    folder: Path,
    sizes: list[int],
    variant: Variant,
    installed: Installed,
    turns: Turns,
    results: Results,
    families: list[str],
) -> bool:
    """Measure with all sizes; return whether something failed."""
    failed = False
    prepared = {size: Prepared(folder / str(size), size, variant, installed, turns) for size in sizes}
    try:
        for one in prepared.values():
            for family, measure in _MEASURES.items():
                if family in families or families == ["quick"]:
                    try:
                        measure(one, results, prepared)
                    except Exception:  # noqa: BLE001 - one that fails is told, and does not take hours of the others with it
                        traceback.print_exc()
                        failed = True
                        for row in ROWS:
                            if row.family == family:
                                results.missing(row, one.size, variant.name, "failed")
    finally:
        for one in prepared.values():
            one.close()
    return failed


def _about(installed: Installed) -> list[str]:
    git = subprocess.run(["git", "--version"], stdout=subprocess.PIPE, text=True, check=True).stdout.split()[2]
    peers = installed.versions()
    return [
        f"{os.cpu_count()} cores of {platform.machine()}, {platform.system()}, Python {platform.python_version()}",
        ", ".join([f"git {git}", f"SQLite {sqlite3.sqlite_version}", *peers]),
    ]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=_sizes, default="1000,10000,100000,1000000", help="numbers of configurations")
    parser.add_argument("--rows", type=_rows, default=",".join(FAMILIES), help=f"of {','.join(FAMILIES)}, or quick")
    parser.add_argument("--variants", type=_variants, default=",".join(VARIANTS), help="few tags, or many")
    parser.add_argument("--turns", type=int, default=Turns().turns, help="how often each side takes its turn")
    parser.add_argument("--folder", help="where to work; on the file system to be measured")
    parser.add_argument("--peers", action="store_true", help="install signac, MLflow and DVC, if they are not yet")
    parser.add_argument("--environment", type=Path, metavar="DIR", help="where they are, or are installed")
    parser.add_argument("--results", type=Path, metavar="FILE", help="keep figures there, with those of earlier calls")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the tables into this page")
    return parser.parse_args()


def _sizes(text: str) -> list[int]:
    return sorted({int(size) for size in text.split(",")})


def _rows(text: str) -> list[str]:
    return _known(text, [*FAMILIES, "quick"])


def _variants(text: str) -> list[str]:
    return _known(text, list(VARIANTS))


def _known(text: str, names: list[str]) -> list[str]:
    words = text.split(",")
    for word in words:
        if word not in names:
            raise argparse.ArgumentTypeError(f"'{word}' is none of {', '.join(names)}")
    return words


if __name__ == "__main__":
    sys.exit(main())
