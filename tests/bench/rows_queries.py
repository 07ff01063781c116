"""Finding many configurations, with the optional index and without it; building it."""

from __future__ import annotations

from collections.abc import Callable, Sized
from pathlib import Path
from typing import TYPE_CHECKING

import catalogue as rows
from prepared import Prepared, build_index
from sides import Sides, Turn
from timing import Sample, each, watched
from workload import WHERE

from gemexp import ExperimentRegistry

if TYPE_CHECKING:
    from results import Results

_TIMES = 3  # in each turn, where it takes little
_SECONDS_A_CONFIG = 15e-6
_INDEX_SECONDS_A_CONFIG = 60e-6
_INDEX_BYTES_A_CONFIG = 400


class _Found:
    """Checks that all sides find as many."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def times(self, side: str, find: Callable[[], Sized | int], times: int = _TIMES) -> Turn:
        """Return a turn that finds something a few times."""

        def once(_: int) -> None:
            found = find()
            self._note(side, found if isinstance(found, int) else len(found))

        return lambda: each(once, range(times))

    def _note(self, side: str, count: int) -> None:
        self._counts[side] = count
        if len(set(self._counts.values())) > 1:
            raise AssertionError(f"sides that find different numbers of configurations: {self._counts}")

    def told(self, side: str, ask: Callable[[], dict]) -> Turn:
        """Return a turn of a side that measures itself."""

        def turn() -> Sample:
            answer = ask()
            self._note(side, answer["answer"])
            return Sample(answer["wall"], answer["cpu"])

        return turn


def _own(
    sides: Sides, found: _Found, find: Callable[[ExperimentRegistry], Sized], times: tuple[int, int] = (1, _TIMES)
) -> None:
    """Add our two sides, without an index and with one."""
    prepared = sides.prepared

    def prepare(store: Path, name: str, count: int) -> Turn:
        prepared.settle()
        registry = ExperimentRegistry(store)
        return found.times(name, lambda: find(registry), count)

    sides.add("plain", lambda: prepare(prepared.packed, "plain", times[0]))
    sides.add("indexed", lambda: prepare(prepared.indexed, "indexed", times[1]))


def newest(prepared: Prepared, results: Results, _others: object) -> None:
    """The newest 100, whole."""
    sides, found = Sides(prepared, results), _Found()
    _own(sides, found, ExperimentRegistry.list_all)
    sides.add("seed", lambda: found.times("seed", prepared.seed.list_all))
    sides.measure(warm=True)
    sides.note("plain", {"seed": rows.NEWEST_SEED})
    sides.note("indexed", {"seed": rows.NEWEST_INDEXED_SEED})
    sides.note_limit("plain", rows.NEWEST_LIMIT, _SECONDS_A_CONFIG * prepared.size)


def tag(prepared: Prepared, results: Results, _others: object) -> None:
    """All that carry a tag, whole: 4 of 100. git yields bytes, the others configurations."""
    sides, found = Sides(prepared, results), _Found()
    common = prepared.variant.common
    _own(sides, found, lambda registry: registry.search_by_tag(common))
    sides.add("seed", lambda: found.times("seed", lambda: prepared.seed.search_by_tag(common)))

    def git() -> Turn:
        repository = prepared.git_packed
        return lambda: watched(lambda: repository.contents(f"refs/tags/{common}/"))

    sides.add("git", git)
    sides.measure(warm=True)
    sides.note("plain", {"git": rows.TAG_GIT, "seed": rows.TAG_SEED})
    sides.note("indexed", {"git": rows.TAG_INDEXED_GIT, "seed": rows.TAG_INDEXED_SEED})


def where(prepared: Prepared, results: Results, _others: object) -> None:
    """The hashes of those with ``k = 10 and lr > 0.1``: 1 or 2 of 100."""
    sides, found = Sides(prepared, results), _Found()
    _own(sides, found, lambda registry: registry.select(WHERE))
    sides.add("seed", lambda: found.times("seed", lambda: prepared.seed.search(10, 0.1), 1))

    def signac() -> Turn:
        assert prepared.signac_ids
        return found.told("signac", lambda: prepared.driver("signac").ask(do="search", turns=1))

    sides.add("signac", signac)
    sides.measure(warm=True)
    sides.note("plain", {"seed": rows.WHERE_SEED, "signac": rows.WHERE_SIGNAC})
    sides.note("indexed", {"seed": rows.WHERE_INDEXED_SEED, "signac": rows.WHERE_INDEXED_SIGNAC})
    sides.note_limit("plain", rows.WHERE_LIMIT, _SECONDS_A_CONFIG * prepared.size)


def index(prepared: Prepared, results: Results, _others: object) -> None:
    """Building the index, and what it takes on disk."""
    sides = Sides(prepared, results)
    sizes: list[int] = []

    def prepare() -> Turn:
        assert prepared.indexed  # there is such a command

        def build() -> Sample:
            store = prepared.copy(prepared.packed, "index")
            sample = watched(lambda: build_index(store))
            sizes.append(sum(path.stat().st_size for path in (store / "local").glob("index.sqlite*")))
            return sample

        return build

    sides.add("build", prepare)
    sides.measure(min(3, prepared.turns.turns))
    sides.note_limit("build", rows.INDEX_TIME, _INDEX_SECONDS_A_CONFIG * prepared.size)
    where_ = prepared.size, prepared.variant.name
    if sizes:
        limit = _INDEX_BYTES_A_CONFIG * prepared.size
        results.share(rows.INDEX_SIZE, *where_, sizes[-1], limit, f"{sizes[-1] / 1e6:.3g} MB")
    else:
        results.missing(rows.INDEX_SIZE, *where_, "not in this version")
