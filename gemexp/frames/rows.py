"""Configs and their metrics out of a store, as rows: twice the same ones, though the store changes meanwhile."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, Final

from gemexp import formats
from gemexp.config import instant
from gemexp.digest import HASH_DIGITS
from gemexp.frames.columns import CONFIG, MAPS, METRIC, Chunk, Row, Table, Wanted
from gemexp.query import scan, walk
from gemexp.query.walk import Entry
from gemexp.store import records
from gemexp.store.standing import Standing
from gemexp.store.tree import Tree

_HASH_BYTES: Final = HASH_DIGITS // 2
_NONE: Final = bytes(_HASH_BYTES)


class Snapshot:
    """The configs of a store at one moment, and the outcomes whose metrics they have.

    Objects never change, so that 64 bytes a config are enough to come back to all that has a type to be told. What was
    deleted by then is left out.

    Attributes:
        columns: The columns that their values need.

    Args:
        tree: The store.
        wanted: Which columns are asked for.
        among: Hashes; only these configs.

    Raises:
        InvalidInput: There are too many columns.
        NotFound: No config has a value in a column that was asked for.
    """

    def __init__(self, tree: Tree, wanted: Wanted, among: Collection[str] | None) -> None:
        self._tree = tree
        self._wanted = wanted
        self._standing = Standing(tree)
        self._table = Table(wanted)
        self._marks = bytearray()
        for entry in walk.entries(tree, among=among, labelled=False):
            outcome, metrics = self._latest(entry) if METRIC in wanted else (None, {})
            self._table.look(_maps(entry, metrics))
            self._marks += bytes.fromhex(entry.config_hash) + (bytes.fromhex(outcome) if outcome else _NONE)
        self.columns = self._table.columns()

    def chunks(self) -> Iterator[Chunk]:
        """Yield the rows, as chunks of the columns; at least one, which may be empty."""
        return self._table.chunks(self.columns, self._rows())

    def _rows(self) -> Iterator[Row]:
        marks = (self._marks[at : at + 2 * _HASH_BYTES] for at in range(0, len(self._marks), 2 * _HASH_BYTES))
        for entry in walk.entries(self._tree, among=_Hashes(self._marks), labelled=self._labelled()):
            for mark in marks:  # those between are gone
                if mark[:_HASH_BYTES].hex() == entry.config_hash:
                    break
            outcome = mark[_HASH_BYTES:]
            stored = scan.outcome(self._tree, outcome.hex()) if outcome != _NONE else None
            yield Row(self._fixed(entry), _maps(entry, stored.metrics if stored else {}))

    def _labelled(self) -> bool:
        return "tags" in self._wanted or CONFIG in self._wanted

    def _fixed(self, entry: Entry) -> dict[str, Any]:
        config = entry.config
        fixed = {
            "config_hash": entry.config_hash,
            "created_at": instant(config.created_at),
            "description": config.description,
            "tags": config.tags,
            "feature_names": config.feature_names,
        }
        return {**fixed, CONFIG: _document(entry)} if CONFIG in self._wanted else fixed

    def _latest(self, entry: Entry) -> tuple[str | None, dict[str, float | None]]:
        """Return the outcome of the latest run, and its metrics; none if there is none, or if that is damaged."""
        replaced = self._standing.predecessors(entry.config_hash)
        others = (records.metadata(self._tree, config_hash) for config_hash in replaced)
        runs = scan.by_time(run for metadata in (entry.metadata, *others) for run in metadata.runs)
        outcome = scan.outcome(self._tree, runs[0].outcome) if runs else None
        return (runs[0].outcome, outcome.metrics) if outcome else (None, {})


class _Hashes(Collection[str]):
    """The hashes in the marks of a snapshot, without an object for each."""

    def __init__(self, marks: bytearray) -> None:
        self._marks = marks

    def __len__(self) -> int:
        return len(self._marks) // (2 * _HASH_BYTES)

    def __iter__(self) -> Iterator[str]:
        for at in range(0, len(self._marks), 2 * _HASH_BYTES):
            yield self._marks[at : at + _HASH_BYTES].hex()

    def __contains__(self, item: object) -> bool:
        return any(item == config_hash for config_hash in self)


def _maps(entry: Entry, metrics: dict[str, float | None]) -> dict[str, dict[str, Any]]:
    return {**{section: getattr(entry.config, section) for section in MAPS if section != METRIC}, METRIC: metrics}


def _document(entry: Entry) -> str:
    """Return the line that stands for a config in JSON Lines, without computing the hash anew."""
    config = entry.config
    fields = {name: getattr(config, name) for name in config.__slots__}
    return formats.dumps({**fields, "config_hash": entry.config_hash}, "json")
