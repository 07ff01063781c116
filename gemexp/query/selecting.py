"""Which configs match a query, by reading as little of the store as the query allows.

No index is needed; where there is one, it gives the same answer.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any, Final, TypeVar

from gemexp.config import ExperimentConfig, instant, is_config, peek
from gemexp.digest import HASH_DIGITS, hash_bytes
from gemexp.errors import Corrupt, DamageWarning, InvalidInput, NotFound
from gemexp.outcome import StoredOutcome
from gemexp.query import scan
from gemexp.query.fields import Need, kind_of
from gemexp.query.matching import Labels, Predicate, clues, labels_of, needs, predicate, sections
from gemexp.query.syntax import And, Compare, Not, Or, Query
from gemexp.store import layout, names, objects, records, sets
from gemexp.store.records import Metadata, Run
from gemexp.store.standing import Standing
from gemexp.store.tree import Tree

# Configs are smaller, but for a few that are read one by one; an artifact that is not needed may be large.
_READ_AHEAD_BYTES: Final = 64 * 1024

_T = TypeVar("_T")


def matching(tree: Tree, query: Query, *, among: Iterable[str] | None = None) -> Iterator[str]:
    """Yield the hashes of the listed configs that match, in order; a damaged one is warned of and passed over.

    Args:
        tree: The store.
        query: What `gemexp.query.where.parse` returns.
        among: Only look at these, which are few.
    """
    store = _Store(tree, query)
    test = predicate(query, store)
    few = None if among is None else [(_Config(store, config_hash) for config_hash in among)]
    for group in _candidates(store, query) if few is None else few:
        yield from sorted(config.config_hash for config in group if _matches(config, test))


def _matches(config: _Config, test: Predicate) -> bool:
    try:
        return test(config) and config.is_listed and config.is_whole
    except NotFound:
        return False  # a record whose object did not come along: fsck names it
    except Corrupt as error:
        if config.is_listed:
            warnings.warn(f"{error}; it was passed over, and gemexp fsck tells more", DamageWarning, stacklevel=4)
        return False


def _candidates(store: _Store, query: Query) -> Iterator[Iterable[_Config]]:
    """Yield what may match, group by group in order of hash."""
    few = _bound(store, query)
    if few is not None:
        yield (_Config(store, config_hash) for config_hash in few)
        return
    for fan_out in sorted(filter(layout.parse_fan_out, store.tree.names(layout.INDEX))):
        if Need.VALUE in store.needs:
            yield _read_ahead(store, fan_out)
        elif store.needs & {Need.RECORDS, Need.OUTCOMES}:
            found = records.metadata_within(store.tree, fan_out)
            yield (_Config(store, config_hash, metadata=metadata) for config_hash, metadata in found)
        else:
            yield (_Config(store, config_hash) for config_hash in _recorded(store.tree, fan_out))


def _bound(store: _Store, query: Query) -> Iterable[str] | None:
    """Return a few hashes that all matches are among, if a part that must be true of them all tells; else None."""
    for part in query.operands if isinstance(query, And) else (query,):
        if not isinstance(part, (Not, And, Or)):
            need = kind_of(part.field).need
            if need in (Need.TAGS, Need.NAMES):
                return store.bearers(need, labels_of(part))
            if need is Need.HASH and isinstance(part, Compare):
                return _recorded(store.tree, str(part.value))
    return None


def _read_ahead(store: _Store, fan_out: str) -> Iterator[_Config]:
    """Yield the configs of a fan-out folder with their objects, which are read in whatever order is fastest."""
    some = store.clues
    for name, content in store.tree.contents(f"{layout.OBJECTS}/{fan_out}", _READ_AHEAD_BYTES):
        # Most are whole and do not match, which is told here for a fraction of the price.
        if some and content is not None and not _holds(content, some) and hash_bytes(content) == name:
            continue
        # What is there besides, such as outcomes, has no records.
        if (content is not None and is_config(content)) or any(records.names_with_prefix(store.tree, f"{name}-")):
            yield _Config(store, name, content=content)


def _holds(content: bytes, clues: tuple[bytes, ...]) -> bool:
    for clue in clues:  # noqa: SIM110 - any() takes three times as long, and this is asked of every config
        if clue in content:
            return True
    return False


def _recorded(tree: Tree, prefix: str) -> set[str]:
    """Return the hashes that there are records about; a prefix has two digits or more."""
    # What else there may be in the folder is no config's hash either: names are not worth parsing here.
    return {name[:HASH_DIGITS] for name in tree.names_with_prefix(f"{layout.INDEX}/{prefix[:2]}", prefix)}


class _Store:
    """What all configs of one search share; their `gemexp.query.matching.Bearers`."""

    def __init__(self, tree: Tree, query: Query) -> None:
        self.tree = tree
        self.needs = needs(query)
        self.standing = Standing(tree)
        self.clues = clues(query)
        self._sections = sections(query)
        self._carriers: dict[str, set[str]] = {}

    def peek(self, data: bytes) -> dict[str, Any]:
        """Return the sections in a config's object that the query asks for."""
        return peek(data, self._sections)

    def bearers(self, need: Need, labels: Labels) -> set[str]:
        """Return the configs with one of these labels, those that are not listed too."""
        if need is Need.TAGS:
            return set[str]().union(*map(self._carrying, self._wanted(labels, scan.all_tags)))
        pointers = (names.pointer(self.tree, name) for name in self._wanted(labels, names.all_names))
        return {pointer.config for pointer in pointers if pointer.config is not None}

    def _wanted(self, labels: Labels, find: Callable[[Tree], Iterable[str]]) -> Iterable[str]:
        return filter(labels.test, find(self.tree)) if labels.exact is None else labels.exact

    def _carrying(self, tag: str) -> set[str]:
        if tag not in self._carriers:
            try:
                lengths = sets.lengths(self.tree, layout.tag_folder(tag))
            except InvalidInput:  # no tag can be called that
                lengths = {}
            self._carriers[tag] = self.standing.carried(lengths)
        return self._carriers[tag]


class _Config:
    """A config of which no more is read than is asked for; a `gemexp.query.matching.Candidate`."""

    _whole: bytes | None = None  # its object, checked against the hash
    _value: dict[str, Any] | None = None
    _runs: list[Run] | None = None
    _outcome: StoredOutcome | None = None
    _looked_for_outcome = False

    def __init__(
        self, store: _Store, config_hash: str, *, content: bytes | None = None, metadata: Metadata | None = None
    ) -> None:
        self.config_hash = config_hash
        self._store = store
        self._content = content  # as it was read
        self._metadata = metadata

    @property
    def value(self) -> dict[str, Any]:
        """Its sections.

        Raises:
            NotFound: Its object is not there.
            Corrupt: Its object is damaged.
        """
        if self._value is None:
            self._value = self._decoded(self._store.peek)
        return self._value

    def may_hold(self, traces: tuple[bytes, ...]) -> bool:
        """Tell whether its object holds one of these.

        Raises:
            NotFound, Corrupt: As `value`.
        """
        return _holds(self._whole or self._bytes(), traces)

    @property
    def metadata(self) -> Metadata:
        """What its records say."""
        if self._metadata is None:
            self._metadata = records.metadata(self._store.tree, self.config_hash)
        return self._metadata

    @property
    def is_listed(self) -> bool:
        """Whether somebody registered it, and it is neither deleted nor replaced."""
        return self._store.standing.is_listed(self.config_hash) and bool(self.metadata.puts)

    @property
    def is_whole(self) -> bool:
        """Whether its object is there; if that was read, it is proven to be a configuration's.

        Raises:
            Corrupt: It is not.
        """
        if self._whole is None:
            return objects.exists(self._store.tree, self.config_hash)
        return bool(self._decoded(ExperimentConfig.from_bytes))

    @property
    def created_at(self) -> datetime:
        """When it was registered first; if it was not, it matters to nobody."""
        return instant(self.metadata.created_at or "0001-01-01")

    @property
    def description(self) -> str:
        """Its description."""
        return self.metadata.description

    @property
    def parents(self) -> tuple[str, ...]:
        """What it was made from."""
        return self.metadata.parents

    @property
    def runs(self) -> int:
        """How often it was run, or what it replaces was."""
        return len(self._all_runs())

    @property
    def metrics(self) -> dict[str, float | None]:
        """The metrics of its latest run's outcome; none if there is none, or if that is damaged."""
        outcome = self._latest_outcome()
        return outcome.metrics if outcome else {}

    @property
    def outcome_data(self) -> Any:
        """What that outcome was computed on; None if not said."""
        outcome = self._latest_outcome()
        return outcome.data if outcome else None

    def _bytes(self) -> bytes:
        if self._whole is None:
            if self._content is None:
                self._whole = objects.get(self._store.tree, self.config_hash)
            else:
                self._whole = objects.check(self.config_hash, self._content)
        return self._whole

    def _decoded(self, read: Callable[[bytes], _T]) -> _T:
        data = self._bytes()
        try:
            return read(data)
        except Corrupt as error:
            error.path = error.path or layout.object_path(self.config_hash)
            raise

    def _all_runs(self) -> list[Run]:
        if self._runs is None:
            replaced = self._store.standing.predecessors(self.config_hash)
            others = (records.metadata(self._store.tree, config_hash) for config_hash in replaced)
            self._runs = scan.by_time(run for metadata in (self.metadata, *others) for run in metadata.runs)
        return self._runs

    def _latest_outcome(self) -> StoredOutcome | None:
        if not self._looked_for_outcome:
            self._looked_for_outcome = True
            for run in self._all_runs()[:1]:
                self._outcome = scan.outcome(self._store.tree, run.outcome)
        return self._outcome
