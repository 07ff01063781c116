"""What configurations were made from, and what each changed: as a list, or as a tree."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

from gemexp.ancestry import lineage, newest_first
from gemexp.compare import Diff, Difference
from gemexp.config import ExperimentConfig, instant
from gemexp.errors import Corrupt, DamageWarning, NotFound
from gemexp.query import scan
from gemexp.store import objects, records
from gemexp.store.standing import Standing
from gemexp.store.tree import Tree

LISTED = "listed"
DELETED = "deleted"
MIGRATED = "migrated"
MISSING = "missing"
_UNKNOWN_TIME = datetime.min.replace(tzinfo=UTC)
# A parent often has many children, next to each other.
_CONFIGS_IN_MEMORY = 256
# From here on, reading all tags is cheaper than asking each about each configuration.
_MANY = 32


class Origin(NamedTuple):
    """A configuration that another was made from.

    Args:
        config_hash: Its hash.
        state: "listed", "deleted", "migrated" to another, or "missing": its object or its records are not there.
        through: Deleted ones between the two, the nearest first.
        differences: What the other changed; None if the object is missing or damaged.
    """

    config_hash: str
    state: str
    through: tuple[str, ...] = ()
    differences: tuple[Difference, ...] | None = None


class Entry(NamedTuple):
    """A configuration and where it comes from.

    Args:
        config_hash: Its hash.
        config: The configuration.
        origins: What it was made from, in the order recorded; for one that was deleted, what that was made from.
        migrated_from: Those that were migrated to it.
        migrated_to: Those that stand in its place now, by their hashes.
    """

    config_hash: str
    config: ExperimentConfig
    origins: tuple[Origin, ...]
    migrated_from: tuple[Origin, ...]
    migrated_to: tuple[str, ...]


class Placed(NamedTuple):
    """An entry's place in a tree.

    Args:
        entry: The entry.
        depth: How far it is from its root.
        is_last: Whether no sibling follows.
        has_children: Whether what was made from it follows.
        under: What it is drawn under; None for a root.
    """

    entry: Entry
    depth: int
    is_last: bool
    has_children: bool
    under: str | None


def log(tree: Tree, start: str | None = None, *, descendants: bool = False, limit: int | None = None) -> list[Entry]:
    """Return configurations with what they were made from, newest first, each before those it was made from.

    Args:
        tree: The store.
        start: A whole hash: only this one and what it was made from, directly or not; all that are listed if not given.
        descendants: With ``start``, what was made from it too.
        limit: At most so many.
    """
    history = _History(tree)
    if start is None:
        names = history.listed()
    else:
        names = history.ancestors(start)
        if descendants:
            names |= history.descendants(start)
    order = newest_first({name: history.time(name) for name in names}, {name: history.parents(name) for name in names})
    return list(history.entries(order[:limit]))


def forest(entries: Sequence[Entry]) -> list[Placed]:
    """Place entries in trees, each below the first one that it was made from, siblings in the order of ``entries``.

    Args:
        entries: As `log` returns them. What comes before its origin is placed below it, so that a circle is cut open.
    """
    position = {entry.config_hash: number for number, entry in enumerate(entries)}
    below: dict[str | None, list[Entry]] = {}
    for number, entry in enumerate(entries):
        origins = (origin.config_hash for origin in entry.origins)
        parent = next((origin for origin in origins if position.get(origin, -1) > number), None)
        below.setdefault(parent, []).append(entry)
    placed = []
    left: list[tuple[Entry, int, bool, str | None]] = _siblings(below.get(None, []), 0, None)
    while left:
        entry, depth, is_last, under = left.pop()
        children = below.get(entry.config_hash, [])
        placed.append(Placed(entry, depth, is_last, bool(children), under))
        left += _siblings(children, depth + 1, entry.config_hash)
    return placed


def _siblings(entries: list[Entry], depth: int, under: str | None) -> list[tuple[Entry, int, bool, str | None]]:
    """Return entries as a stack to take from: the last one first."""
    return [(entry, depth, entry is entries[-1], under) for entry in reversed(entries)]


class _Known(NamedTuple):
    """What the order of a log needs of a configuration's records; little, since it is kept for all of them."""

    time: datetime
    parents: tuple[str, ...]
    registered: bool


class _History:
    """The origins of a store's configurations."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._standing = Standing(tree)
        self._known: dict[str, _Known] = {}
        self._config = lru_cache(maxsize=_CONFIGS_IN_MEMORY)(self._read)

    def listed(self) -> set[str]:
        """Return all configurations that are listed."""
        for config_hash, metadata in records.all_metadata(self._tree):
            self._known[config_hash] = _known(metadata)
        return {name for name, known in self._known.items() if known.registered and self._state(name) == LISTED}

    def ancestors(self, start: str) -> set[str]:
        """Return a configuration and all that it was made from."""
        found: set[str] = set()
        left = [start]
        while left:
            name = left.pop()
            if name not in found:
                found.add(name)
                left += self.parents(name)
        return found

    def descendants(self, start: str) -> set[str]:
        """Return a configuration and all that were made from it."""
        children: dict[str, list[str]] = {}
        for name in self.listed():
            for parent in self.parents(name):
                children.setdefault(parent, []).append(name)
        return lineage([start], children)

    def time(self, config_hash: str) -> datetime:
        """Return when a configuration was registered; long ago if that is not known."""
        return self._of(config_hash).time

    def parents(self, config_hash: str) -> list[str]:
        """Return what a configuration was made from, and can be shown."""
        return [origin.config_hash for origin in self._origins(config_hash) if origin.state in (LISTED, MIGRATED)]

    def entries(self, hashes: Sequence[str]) -> Iterator[Entry]:
        """Yield what is to be shown; damaged configurations are passed over, with a warning."""
        tags = scan.tags_by_config(self._tree, self._standing) if len(hashes) >= _MANY else None
        for name in hashes:
            metadata = records.metadata(self._tree, name)
            try:
                config = ExperimentConfig.from_bytes(
                    objects.get(self._tree, name),
                    description=metadata.description,
                    tags=scan.tags_of(self._tree, name, self._standing) if tags is None else tags.get(name, ()),
                    created_at=metadata.created_at,
                )
            except NotFound:
                continue
            except Corrupt as error:
                warnings.warn(f"{error}; it was passed over, and gemexp fsck tells more", DamageWarning, stacklevel=3)
                continue
            replaced = (Origin(old, MIGRATED) for old in self._standing.replaced_by(name))
            yield Entry(
                name,
                config,
                tuple(self._compared(config, self._origins(name))),
                tuple(self._compared(config, replaced)),
                tuple(self._standing.successors(name)),
            )

    def _compared(self, config: ExperimentConfig, origins: Iterable[Origin]) -> Iterator[Origin]:
        for origin in origins:
            old = self._config(origin.config_hash)
            yield origin._replace(differences=None if old is None else tuple(Diff(old, config)))

    def _origins(self, config_hash: str) -> list[Origin]:
        """Return what a configuration was made from: what stands in the place of what its records name.

        One that was itself migrated is history: what it was made from is shown as it was.
        """
        current = not self._standing.successors(config_hash)
        family = self._family(config_hash) if current else [config_hash]
        found: dict[str, Origin] = {}
        seen = set(family)
        left: list[tuple[str, tuple[str, ...]]] = [(parent, ()) for parent in reversed(self._recorded(family))]
        while left:
            name, through = left.pop()
            if name in seen:
                continue
            seen.add(name)
            state = self._state(name)
            older = self._recorded(self._family(name)) if state == DELETED or name in self._standing.deleted else []
            if older:
                left += [(parent, (*through, name)) for parent in reversed(older)]
            elif state == MIGRATED and current:
                left += [(new, through) for new in reversed(self._standing.successors(name))]
            else:
                found[name] = Origin(name, state, through)
        return list(found.values())

    def _family(self, config_hash: str) -> list[str]:
        return [config_hash, *self._standing.predecessors(config_hash)]

    def _recorded(self, family: Iterable[str]) -> list[str]:
        return [parent for name in family for parent in self._of(name).parents]

    def _state(self, config_hash: str) -> str:
        if not objects.exists(self._tree, config_hash) or not self._of(config_hash).registered:
            return MISSING
        if config_hash in self._standing.deleted:
            return DELETED
        return MIGRATED if self._standing.successors(config_hash) else LISTED

    def _of(self, config_hash: str) -> _Known:
        known = self._known.get(config_hash)
        if known is None:
            known = self._known[config_hash] = _known(records.metadata(self._tree, config_hash))
        return known

    def _read(self, config_hash: str) -> ExperimentConfig | None:
        try:
            return ExperimentConfig.from_bytes(objects.get(self._tree, config_hash))
        except (NotFound, Corrupt):
            return None


def _known(metadata: records.Metadata) -> _Known:
    time = instant(metadata.created_at) if metadata.created_at else _UNKNOWN_TIME
    return _Known(time, metadata.parents, bool(metadata.puts))
