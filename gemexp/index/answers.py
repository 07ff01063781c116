"""What `gemexp.query.finder.Scanner` answers, by the index.

The index names configs; what is returned of them is read from the store, and checked against its hash. What the index
does not answer for, because it is damaged or was when the index looked, is looked up in the store every time.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from itertools import islice
from mmap import mmap
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from gemexp import canonical
from gemexp.config import ExperimentConfig, instant
from gemexp.errors import GemexpError
from gemexp.index.cells import id_of
from gemexp.index.conditions import TRUE, Compiler, TooLarge, render
from gemexp.index.file import Unfit, Unusable
from gemexp.index.opened import Index, Snapshot
from gemexp.index.reading import microseconds
from gemexp.index.schema import HIDDEN, OBJECT, SHOWN
from gemexp.query import scan, selecting, walk
from gemexp.query.finder import Finder, Scanner
from gemexp.revision import tagged
from gemexp.store import layout, objects, records
from gemexp.store.files import Folder
from gemexp.store.pack import Pack
from gemexp.store.standing import Standing

if TYPE_CHECKING:
    from gemexp.query.ranking import Ranked
    from gemexp.query.syntax import Query

# What a statement is asked for at once.
_CHUNK: Final = 500
# Looking so many configs up in the store, and such a part of them, costs more than going through all.
_FEW: Final = 200
_PART: Final = 1 / 5

_Result = TypeVar("_Result")


# A config's row, as far as it is needed to load it: thousands are, and a tuple of another class takes its time.
_Row = tuple[int, bytes, str, str, str, int | None, int | None, int | None]
_COLUMNS: Final = ", ".join(
    f"configs.{name}" for name in ("created", "hash", "created_at", "description", "tags", "pack", "start", "size")
)


class _Suspect(NamedTuple):
    """A config that the index does not answer for."""

    created: int
    raw: bytes
    metadata: records.Metadata


class _Newest(NamedTuple):
    """What is needed to load configs.

    Args:
        rows: Their rows, newest first.
        packs: Packs by their numbers.
        tags: Tags, sorted, by what rows have in their place.
        suspects: Hashes of those that the index does not answer for.
    """

    rows: list[_Row]
    packs: Mapping[int, Pack]
    tags: Mapping[str, list[str]]
    suspects: set[str]


class Indexed(Finder):
    """Finds by an index, and without it where it cannot be used.

    Args:
        folder: The store.
        index: Its index.
    """

    def __init__(self, folder: Folder, index: Index) -> None:
        self._folder = folder
        self._index = index
        self._scanner = Scanner(folder)

    def newest(
        self, *, tag: str | None = None, among: Iterable[str] | None = None, limit: int | None = None
    ) -> list[ExperimentConfig]:
        """Return configs, those with a tag, or among some hashes, newest first; at most ``limit``."""
        hashes = None if among is None or tag is not None else list(among)

        answer = self._ask(lambda known: _newest(known, tag, hashes, limit))
        if answer is None:
            return self._scanner.newest(tag=tag, among=hashes, limit=limit)
        suspects = list(self._suspects(answer.suspects, tag, hashes))
        if not suspects:
            return self._loaded(answer, answer.rows)
        found: list[_Row | _Suspect] = [*answer.rows, *suspects]
        found.sort(key=_age, reverse=True)
        return self._loaded(answer, found if limit is None else found[: max(limit, 0)])

    def count(self) -> int:
        """Return how many there are; damaged ones count."""
        answer = self._ask(lambda known: (_count(known), known.suspects))
        if answer is None:
            return self._scanner.count()
        count, suspects = answer
        return count + sum(1 for _ in self._suspects(suspects, None, None))

    def matching(self, query: Query) -> list[str]:
        """Return the hashes of those that match, sorted."""
        answer = self._ask(lambda known: _match(known, query))
        if answer is None:
            return self._scanner.matching(query)
        sure, possible = answer
        if possible:
            sure = sorted([*sure, *selecting.matching(self._folder, query, among=possible)])
        return sure

    def tag_counts(self) -> dict[str, int]:
        """Return how many configs carry each tag, by tag; tags that none carries are left out."""
        answer = self._ask(lambda known: (_tag_counts(known), known.suspects))
        if answer is None:
            return self._scanner.tag_counts()
        counts, suspects = answer
        if suspects:
            standing = Standing(self._folder)
            for name in suspects:
                if standing.is_listed(name) and objects.exists(self._folder, name):
                    counts.update(scan.tags_of(self._folder, name, standing))
        return {tag: counts[tag] for tag in sorted(counts) if counts[tag]}

    def disputed(self, hashes: Iterable[str]) -> set[str]:
        """Return which had different outcomes on the same data: none that was run only once."""
        hashes = list(hashes)
        once = self._ask(lambda known: _run_once(known, hashes))
        return self._scanner.disputed(hashes if once is None else (name for name in hashes if name not in once))

    def rank(
        self, metric: str, *, tag: str | None = None, among: set[str] | None = None, smallest: bool = False
    ) -> list[Ranked]:
        """Return configs by a metric, best first; only those that were run are looked at."""
        from gemexp.query import ranking

        recorded = self._ask(_run)
        return ranking.rank(self._folder, metric, tag=tag, among=among, smallest=smallest, recorded=recorded)

    def _ask(self, ask: Callable[[Snapshot], _Result]) -> _Result | None:
        """Return what an index answers; None if it cannot be used."""
        try:
            with self._index.reading() as known:
                return ask(known)
        except (TooLarge, Unfit, Unusable, GemexpError):
            return None

    def _suspects(self, wanted: set[str], tag: str | None, hashes: list[str] | None) -> Iterator[_Suspect]:
        """Yield those that the index does not answer for, as far as they are asked for and listed."""
        if not wanted:
            return
        if tag is not None:
            wanted = wanted & tagged(self._folder, tag)
        elif hashes is not None:
            wanted = wanted.intersection(hashes)
        standing = Standing(self._folder)
        for name in wanted:
            metadata = records.metadata(self._folder, name)
            if metadata.puts and standing.is_listed(name) and objects.exists(self._folder, name):
                yield _Suspect(microseconds(instant(metadata.created_at)), bytes.fromhex(name), metadata)

    def _loaded(self, answer: _Newest, found: Iterable[_Row | _Suspect]) -> list[ExperimentConfig]:
        """Return configs as the store has them; one that is damaged is warned of and passed over."""
        configs: list[ExperimentConfig] = []
        standing: Standing | None = None
        packs = {number: pack.bytes for number, pack in answer.packs.items()}
        proven, tags = ExperimentConfig.from_proven_bytes, answer.tags
        for one in found:
            if not isinstance(one, _Suspect):
                data = self._data(one, packs)
                if data is not None and sha256(data).digest() == one[1]:
                    configs.append(proven(data, one[3], tags[one[4]], one[2]))
                    continue
            standing = standing or Standing(self._folder)
            name = one[1].hex()
            metadata, carried = records.metadata(self._folder, name), scan.tags_of(self._folder, name, standing)
            config = walk.load_whole(self._folder, name, metadata, carried)
            configs += [] if config is None else [config]
        return configs

    def _data(self, row: _Row, packs: Mapping[int, bytes | mmap]) -> bytes | None:
        """Return what is where an object was when the index looked."""
        pack, start, size = row[5:]
        if pack is not None and pack in packs and start is not None and size is not None:
            self._folder.packs.use(1)
            return packs[pack][start : start + size]
        try:
            return self._folder.read(layout.object_path(row[1].hex()), canonical.MAX_BYTES)
        except GemexpError:
            return None


def _newest(known: Snapshot, tag: str | None, hashes: list[str] | None, limit: int | None) -> _Newest:
    """Find listed configs, those with a tag, or among some hashes."""
    most = -1 if limit is None else max(limit, 0)
    if hashes is not None:
        found = _by_hash(known, hashes, _COLUMNS, f" AND state = {SHOWN}")
        rows = sorted(found, key=_age, reverse=True) if limit is None else heapq.nlargest(most, found, key=_age)
    else:
        source, values = "configs", [most]
        if tag is not None:
            source = "tagged CROSS JOIN configs ON configs.id = tagged.config AND tagged.tag = ? AND tagged.present"
            values.insert(0, known.tags.get(tag, -1))
        # All of it comes from this module.
        rows = known.connection.execute(
            f"SELECT {_COLUMNS} FROM {source} WHERE configs.state = {SHOWN}"  # noqa: S608
            " ORDER BY configs.created DESC, configs.id DESC LIMIT ?",
            values,
        ).fetchall()
    tags = {text: known.tag_list(text) for text in {row[4] for row in rows}}
    return _Newest(rows, known.packs, tags, known.suspects)


def _age(row: _Row | _Suspect) -> tuple[int, bytes]:
    return row[0], row[1]


def _by_hash(known: Snapshot, hashes: Sequence[str], columns: str, condition: str = "") -> Iterator[tuple[Any, ...]]:
    """Yield columns of the rows of some configs; the second is the hash."""
    left = iter(hashes)
    while chunk := set(islice(left, _CHUNK)):
        places = ", ".join("?" * len(chunk))
        # All of it comes from this module.
        statement = f"SELECT {columns} FROM configs WHERE id IN ({places}){condition}"  # noqa: S608
        rows = known.connection.execute(statement, list(map(id_of, chunk)))
        yield from (row for row in rows if row[1].hex() in chunk)


def _match(known: Snapshot, query: Query) -> tuple[list[str], list[str]] | None:
    """Return hashes that surely match, sorted, and those that may; None if too many may."""
    compiler = Compiler(known.knowledge)
    bounds = compiler.compile(query)
    if bounds.possible == TRUE and not bounds.exact:
        return None
    for name, function in compiler.functions.items():
        known.connection.create_function(name, 1, function, deterministic=True)
    sure = "1" if bounds.exact else f"({render(bounds.sure)}) IS TRUE"
    # Values are parameters.
    statement = f"""
        SELECT configs.hash, {sure} FROM configs
        WHERE configs.state = {SHOWN} AND ({render(bounds.possible)}) ORDER BY configs.id
    """  # noqa: S608
    surely: list[str] = []
    possibly: list[str] = []
    for raw, is_sure in known.connection.execute(statement, compiler.values):
        (surely if is_sure else possibly).append(raw.hex())
    if len(possibly) > _FEW and len(possibly) > _PART * _count(known):
        return None
    return surely, [*possibly, *known.suspects]


def _count(known: Snapshot) -> int:
    # The condition is that of an index.
    (count,) = known.connection.execute(f"SELECT count(*) FROM configs WHERE state = {SHOWN}").fetchone()  # noqa: S608
    return int(count)


def _tag_counts(known: Snapshot) -> Counter[str]:
    """Count the listed configs of each tag whose objects are there."""
    counted = f"configs.state & {OBJECT | HIDDEN} = {OBJECT}"
    names = known.tag_names
    # All of it comes from this module.
    if known.suspects:  # two configs may share a row: one by one
        rows = known.connection.execute(f"""
            SELECT tag, count(*) FROM tagged JOIN configs ON configs.id = tagged.config
            WHERE tag != 0 AND present AND {counted} GROUP BY tag
        """)  # noqa: S608
        return Counter({names[str(tag)]: count for tag, count in rows})
    rows = known.connection.execute("SELECT tag, count(*) FROM tagged WHERE tag != 0 AND present GROUP BY tag")
    counts = Counter({names[str(tag)]: count for tag, count in rows})
    for (text,) in known.connection.execute(f"SELECT tags FROM configs WHERE NOT ({counted}) AND tags != ''"):  # noqa: S608
        counts.subtract(known.tag_list(text))
    return counts


def _run_once(known: Snapshot, hashes: list[str]) -> set[str]:
    """Return which of some configs were run once at most, themselves and those that they replace together."""
    rows = _by_hash(known, hashes, "id, hash", " AND runs < 2")
    return {raw.hex() for _, raw in rows} - known.suspects


def _run(known: Snapshot) -> set[str] | None:
    """Return the configs whose records say of runs, or of those of others."""
    statement = "SELECT hash FROM configs WHERE id IN (SELECT config FROM config_runs)"
    found = {raw.hex() for (raw,) in known.connection.execute(statement)} | known.suspects
    if known.migrated:
        pairs = known.connection.execute("SELECT old, new FROM pairs")
        found.update(name for pair in pairs for name in pair)
    return found
