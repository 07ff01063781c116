"""Aliases: older hashes that mean configs.

An alias is a record, filed under the older hash. A deletion mark of its record's hash takes it back, and it counts
again once that is taken away.
"""

from collections.abc import Collection, Iterator
from typing import NamedTuple

from gemexp.errors import Corrupt
from gemexp.store import kinds, layout, objects, records, sets
from gemexp.store.batch import Batch
from gemexp.store.tree import Tree


class Alias(NamedTuple):
    """An older hash, and a config that it means.

    Args:
        old: The older hash, 4 to 64 digits.
        config: The config's hash.
        created_at: When it was recorded, ISO 8601.
        record: The record's hash.
    """

    old: str
    config: str
    created_at: str
    record: str


def add(tree: Tree, batch: Batch, old: str, config_hash: str, *, created_at: str) -> None:
    """Have the batch record that an older hash means a config."""
    record_hash = records.alias(batch, old, config_hash, created_at=created_at)
    sets.remove(tree, batch, layout.DELETED, record_hash)


def drop(tree: Tree, batch: Batch, alias: Alias) -> None:
    """Have the batch take an alias back."""
    sets.add(tree, batch, layout.DELETED, alias.record)


def with_prefix(tree: Tree, prefix: str, *, known: Collection[str] = (), dropped: bool = False) -> Iterator[Alias]:
    """Yield the aliases whose older hash begins with ``prefix``; damaged ones are passed over.

    Args:
        tree: The store.
        prefix: At least two digits.
        known: Hashes that are known to be objects; records about them need not be read.
        dropped: Those that were taken back too.
    """
    for name in records.names_with_prefix(tree, prefix):
        if name.config not in known:
            alias = _read(tree, name)
            if alias is not None and (dropped or not sets.contains(tree, layout.DELETED, alias.record)):
                yield alias


def every(tree: Tree, *, dropped: bool = False) -> Iterator[Alias]:
    """Yield all aliases, in order of the older hash's first two digits."""
    for fan_out in sorted(tree.names(layout.INDEX)):
        if layout.parse_fan_out(fan_out):
            yield from with_prefix(tree, fan_out, known=frozenset(objects.with_prefix(tree, fan_out)), dropped=dropped)


def _read(tree: Tree, name: layout.RecordName) -> Alias | None:
    try:
        record = records.read(tree, name)
    except Corrupt as error:
        kinds.pass_over(error, layout.record_path(*name))
        return None
    if record["$"] != kinds.ALIAS:
        return None
    return Alias(name.config, record["config"], record["created_at"], name.record)
