"""What a store takes on disk, and commands in memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import catalogue as rows
from prepared import NotThere, Prepared, expected, gemexp
from timing import peak_memory
from workload import WHERE

from gemexp.store.files import Folder

if TYPE_CHECKING:
    from results import Results

_MAX_RECORD = 1 << 22
_TAGS_EACH = 2
_MEGABYTE = 10**6


def disk(prepared: Prepared, results: Results, _others: object) -> None:
    """The packed store whole, its derived index too, beside the bytes of objects and records; loose files."""
    where = prepared.size, prepared.variant.name
    raw = _bytes(prepared.packed)
    used = sum(path.stat().st_size for path in prepared.packed.rglob("*") if path.is_file())
    hint = f"{used / 1e6:.3g} MB, objects and records {raw / 1e6:.3g} MB"
    results.share(rows.DISK_PACKED, *where, used, 1.3 * raw, hint)
    try:
        loose = prepared.loose
    except NotThere as error:
        results.missing(rows.DISK_LOOSE, *where, str(error))
        return
    files = sum(path.is_file() for top in ("objects", "index", "refs", "packs") for path in (loose / top).rglob("*"))
    results.share(rows.DISK_LOOSE, *where, files, (2 + _TAGS_EACH) * prepared.size, f"{files} files")


def _bytes(store: Path) -> int:
    folder = Folder(str(store))
    return sum(
        len(data)
        for top in ("objects", "index")
        for fan_out in folder.names(top)
        for _, data in folder.contents(f"{top}/{fan_out}", _MAX_RECORD)
    )


def memory(prepared: Prepared, results: Results, others: dict[int, Prepared]) -> None:
    """Peaks of resident memory, at the largest size only."""
    if prepared.size < max(others):
        return
    store = prepared.fresh("memory")
    exported = prepared.fresh("exported")
    exported.mkdir()
    searched = ("search", "--where", WHERE, "--all")

    def note(what: str, *arguments: str) -> None:
        _note(prepared, results, what, gemexp(store, *arguments))

    note("add --jsonl", "add", "--jsonl", "-q", str(prepared.lines))
    note("pack", "pack")
    note("search", *searched)
    note("list -n 100", "list", "-n", "100")
    note("export to .jsonl", "export", "--all", str(exported / "all.jsonl"))
    note("export to .parquet", "export", "--all", str(exported / "all.parquet"))
    note("index build", "index", "build")
    if not any((store / "local").glob("index.sqlite")):
        for what in ("search, with an index", "list -n 100, with an index"):
            results.missing(rows.MEMORY[what], prepared.size, prepared.variant.name, "no index")
        return
    note("search, with an index", *searched)
    note("list -n 100, with an index", "list", "-n", "100")


def _note(prepared: Prepared, results: Results, what: str, command: Sequence[str]) -> None:
    row, where = rows.MEMORY[what], (prepared.size, prepared.variant.name)
    try:
        with expected():
            found = peak_memory(command)
    except NotThere as error:
        results.missing(row, *where, str(error))
        return
    if found is None:
        results.missing(row, *where, "not told by this system")
    else:
        limit = int(row.beside.split()[0]) * _MEGABYTE
        results.share(row, *where, found.peak, limit, f"{found.peak / 1e6:.3g} MB, {found.sample.wall:.3g} s")
