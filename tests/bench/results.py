"""What was measured: ratios, told as they come, kept, and put into a page as tables."""

from __future__ import annotations

import json
import re
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from catalogue import ROWS, Row
from workload import VARIANTS

if TYPE_CHECKING:
    from timing import Sample

BEGIN, END = "<!-- tables: written by tests/bench/run.py -->", "<!-- end of tables -->"


class Result(NamedTuple):
    """What one row came to with so many configurations.

    Args:
        figure: How many times as fast as the peer, by the clock; or what share of the limit. None if it is missing.
        cpu: How many times as fast by processor time; None if that is not told.
        missing: Why there is no figure.
        hint: The absolute figures, for people to look at.
    """

    what: str
    beside: str
    size: int
    variant: str
    figure: float | None = None
    cpu: float | None = None
    missing: str | None = None
    hint: str = ""


class Results:
    """All results, those of earlier runs too.

    Args:
        path: Where they are kept; None to keep them nowhere.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._found: dict[tuple[str, str, int, str], Result] = {}
        self.about: list[str] = []
        if path is not None and path.exists():
            kept = json.loads(path.read_text("utf-8"))
            self.about = kept["about"]
            for fields in kept["results"]:
                self._put(Result(**fields))

    def times(self, row: Row, size: int, variant: str, ours: Sequence[Sample], theirs: Sequence[Sample]) -> None:
        """Note turns of both sides; a turn is compared with that of the other side right beside it."""
        pairs = list(zip(ours, theirs, strict=True))
        wall = statistics.median(peer.wall / own.wall for own, peer in pairs)
        cpu = statistics.median(peer.cpu / own.cpu for own, peer in pairs) if all(own.cpu for own in ours) else None
        hint = f"{seconds(ours)} beside {seconds(theirs)}"
        self.add(Result(row.what, row.beside, size, variant, wall, cpu, hint=hint))

    def share(self, row: Row, size: int, variant: str, used: float, limit: float, hint: str) -> None:
        """Note how much of a limit was used."""
        self.add(Result(row.what, row.beside, size, variant, used / limit, hint=hint))

    def missing(self, row: Row, size: int, variant: str, why: str) -> None:
        """Note why there is no figure."""
        self.add(Result(row.what, row.beside, size, variant, missing=why))

    def add(self, result: Result) -> None:
        self._put(result)
        print(_line(result), flush=True)
        if self._path is not None:
            kept = {"about": self.about, "results": [one._asdict() for one in self._found.values()]}
            self._path.write_text(json.dumps(kept, indent=1) + "\n", "utf-8")

    def _put(self, result: Result) -> None:
        self._found[result.what, result.beside, result.size, result.variant] = result

    def verdict(self, row: Row, variant: str) -> str:
        """Say whether a row holds, wherever that is required."""
        if row.least is None:
            return ""
        found = [one for one in self._of(row, variant) if not row.sizes or one.size in row.sizes]
        found = [one for one in found if one.figure is not None]
        missed = [one.size for one in found if not row.holds(one.figure)]
        if missed:
            return "no" if len(missed) == len(found) else f"not with {', '.join(map(_count, missed))}"
        unseen = sorted(set(row.sizes) - {one.size for one in found})
        if not found or unseen:
            return f"not measured with {', '.join(map(_count, unseen))}" if unseen else "not measured"
        return "yes"

    def _of(self, row: Row, variant: str) -> list[Result]:
        return [
            one
            for one in self._found.values()
            if (one.what, one.beside, one.variant) == (row.what, row.beside, variant)
        ]

    def tables(self) -> str:
        """Return all results as Markdown."""
        sizes = sorted({one.size for one in self._found.values()})
        parts = ["\n".join(f"- {line}" for line in self.about)]
        for name, variant in VARIANTS.items():
            if any(one.variant == name for one in self._found.values()):
                head = f"### {variant.title}, two on each config"
                peers = self._table(name, sizes, [row for row in ROWS if not row.limited], "beside", "at least")
                limits = self._table(name, sizes, [row for row in ROWS if row.limited], "limit", "at most")
                parts += [head, "Times as fast as the peer:", peers, "Share of the limit:", limits]
        return "\n\n".join(parts)

    def _table(self, variant: str, sizes: list[int], rows: Iterable[Row], beside: str, bound: str) -> str:
        heads = ["what", beside, *map(_count, sizes), bound, "holds"]
        lines = [_cells(heads), _cells(["---"] * 2 + ["---:"] * (len(sizes) + 1) + ["---"])]
        for row in rows:
            found = {one.size: one for one in self._of(row, variant)}
            if found:
                cells = [_cell(found.get(size)) for size in sizes]
                wanted = "" if row.least is None else number(row.least)
                lines.append(_cells([row.what, row.beside, *cells, wanted, self.verdict(row, variant)]))
        return "\n".join(lines)

    def write(self, page: Path) -> None:
        """Put the tables between the marks in a page.

        Raises:
            SystemExit: It has no marks.
        """
        text = page.read_text("utf-8")
        pattern = re.compile(f"{re.escape(BEGIN)}.*{re.escape(END)}", re.DOTALL)
        if not pattern.search(text):
            raise SystemExit(f"'{page}' has no lines {BEGIN!r} and {END!r}")
        page.write_text(pattern.sub(lambda _: f"{BEGIN}\n\n{self.tables()}\n\n{END}", text), "utf-8")


def number(value: float) -> str:
    """Write a ratio with two or three digits."""
    return f"{value:,.0f}" if value >= 9.95 else f"{value:.1f}" if value >= 0.995 else f"{value:.2g}"


def _cell(result: Result | None) -> str:
    if result is None:
        return ""
    if result.figure is None:
        return result.missing or ""
    return number(result.figure) + ("" if result.cpu is None else f" ({number(result.cpu)})")


def _cells(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _count(value: int) -> str:
    return f"{value:,}"


def seconds(samples: Sequence[Sample]) -> str:
    """Write the median times of some turns."""
    wall, cpu = (statistics.median(kind) for kind in zip(*samples, strict=True))
    for unit, factor in (("s", 1), ("ms", 1e3)):
        if wall * factor >= 0.5:
            return f"{wall * factor:.3g} {unit} (CPU {cpu * factor:.3g})"
    return f"{wall * 1e6:.3g} us (CPU {cpu * 1e6:.3g})"


def _line(result: Result) -> str:
    row = next(row for row in ROWS if (row.what, row.beside) == (result.what, result.beside))
    name = f"{_count(result.size):>9} {result.variant:<5} {result.what:<41} {result.beside:<42}"
    if result.figure is None:
        return f"{name} {result.missing}"
    required = row.least is not None and (not row.sizes or result.size in row.sizes)
    verdict = "" if not required else "  holds" if row.holds(result.figure) else "  DOES NOT HOLD"
    return f"{name} {_cell(result):>16}   {result.hint}{verdict}"
