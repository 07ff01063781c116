"""The newest configs, found by the times in their records, of which few are read as a whole.

A time that is read off a record may be later than the one that counts, but is never earlier: configs are looked at as a
whole in that order, until as many as are wanted are newer than all that were not looked at.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Final

from gemexp.config import ExperimentConfig
from gemexp.query import lookup, scan, walk
from gemexp.query.times import Dated, in_utc, times
from gemexp.store import objects, records
from gemexp.store.files import Folder

if TYPE_CHECKING:
    from gemexp.store.standing import Standing

# For more, going through all of them is not slower.
MAX_LIMIT: Final = 1000
# Some more than are wanted are remembered, since some may be deleted or older than they seem.
_SPARE: Final = 50
_MORE: Final = 8

_Chosen = tuple[bytes, bytes, ExperimentConfig | None]  # a `Dated`, and the config; None if it is damaged


def newest(folder: Folder, standing: Standing, limit: int) -> list[ExperimentConfig]:
    """Return the newest configs, newest first, as `gemexp.query.scan.newest` does.

    Args:
        folder: The store.
        standing: Which configs count.
        limit: At most so many.
    """
    room = limit + _SPARE
    while limit > 0:
        found = heapq.nlargest(room, times(folder))
        oldest = found[-1] if len(found) == room else (b"", b"")
        certain = [one for one in _chosen(folder, standing, found, limit)[: -limit - 1 : -1] if one[:2] >= oldest]
        if len(certain) == limit or len(found) < room:
            return [config for _, _, config in certain if config is not None]
        room *= _MORE
    return []


def _chosen(folder: Folder, standing: Standing, found: list[Dated], limit: int) -> list[_Chosen]:
    """Return configs with the times that count, oldest first: all that were found, or the newest ones of them."""
    chosen: list[_Chosen] = []
    seen = set()
    for time, raw in found:
        if len(chosen) >= limit and chosen[-limit][:2] >= (time, raw):
            break
        if raw not in seen:
            seen.add(raw)
            one = _looked_at(folder, standing, raw)
            if one is not None:
                chosen.append(one)
                chosen.sort()  # hashes differ, so that configs are not compared
    return chosen


def _looked_at(folder: Folder, standing: Standing, raw: bytes) -> _Chosen | None:
    """Return a config as it was chosen; None if it is not listed."""
    config_hash = raw.hex()
    if not standing.is_listed(config_hash):
        return None
    config = lookup.plain(folder, config_hash)
    if config is not None:
        return (in_utc(config.created_at), raw, config) if config.created_at else None
    metadata = records.metadata(folder, config_hash)
    if not metadata.puts or not objects.exists(folder, config_hash):
        return None
    tags = scan.tags_of(folder, config_hash, standing)
    return (in_utc(metadata.created_at), raw, walk.load_whole(folder, config_hash, metadata, tags))
