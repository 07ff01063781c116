"""The newest configs, found by the times in their records, of which few are read as a whole.

Records of registrations begin alike, so that the time in most of them can be read without decoding them, or even
finding where each begins. A time taken so may be later than the one that counts, where a config was registered several
times or a record is damaged, but never earlier: configs are looked at as a whole in that order, until as many as are
wanted are newer than all that were not looked at.
"""

from __future__ import annotations

import heapq
import re
from bisect import insort
from collections.abc import Iterator
from datetime import UTC
from typing import TYPE_CHECKING, Final

from gemexp import canonical
from gemexp.config import ExperimentConfig, instant
from gemexp.digest import HASH_DIGITS
from gemexp.errors import Corrupt, InvalidInput
from gemexp.query import lookup, scan, walk
from gemexp.store import kinds, layout, objects, pack_format, records
from gemexp.store.files import Folder
from gemexp.store.pack_index import RECORDS

if TYPE_CHECKING:
    from gemexp.store.pack import Pack
    from gemexp.store.standing import Standing

# For more, going through all of them is not slower.
MAX_LIMIT: Final = 1000
# Some more than are wanted are remembered, since some may be deleted or older than they seem.
_SPARE: Final = 50
_MORE: Final = 8
_STEP_BYTES: Final = 1 << 22
_MAX_MATCH_BYTES: Final = 512  # of a pattern below

# A map whose first entry is its kind, and the common form of what follows: the config, and a time in UTC.
_PUT: Final = (
    rb"(?:[\x81-\x8f]|\xde..|\xdf....)\xa1\$\xac" + re.escape(kinds.PUT.encode()) + rb"(?:\xa6config\xd9@[0-9a-f]{64}"
    rb"\xaacreated_at\xbb(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z))?"
)
_RECORD: Final = re.compile(_PUT, re.DOTALL)
_FRAME: Final = re.compile(
    re.escape(pack_format.MARK) + rb".{4}\x41(?:[\x00-\x7f]|[\x80-\xff]{1,3}[\x00-\x7f])\x80(.{32}).{32}" + _PUT,
    re.DOTALL,
)

_Dated = tuple[bytes, bytes]  # a time in UTC to the microsecond, as text, and a config's hash
_Chosen = tuple[bytes, bytes, ExperimentConfig | None]  # the same of a config that is listed; None if it is damaged


def newest(folder: Folder, standing: Standing, limit: int) -> list[ExperimentConfig]:
    """Return the newest configs, newest first, as `gemexp.query.scan.newest` does.

    Args:
        folder: The store.
        standing: Which configs count.
        limit: At most so many.
    """
    room = limit + _SPARE
    while limit > 0:
        found = heapq.nlargest(room, _times(folder))
        oldest = found[-1] if len(found) == room else (b"", b"")
        certain = [one for one in _chosen(folder, standing, found, limit)[: -limit - 1 : -1] if one[:2] >= oldest]
        if len(certain) == limit or len(found) < room:
            return [config for _, _, config in certain if config is not None]
        room *= _MORE
    return []


def _chosen(folder: Folder, standing: Standing, found: list[_Dated], limit: int) -> list[_Chosen]:
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
                insort(chosen, one)
    return chosen


def _looked_at(folder: Folder, standing: Standing, raw: bytes) -> _Chosen | None:
    """Return a config as it was chosen; None if it is not listed."""
    config_hash = raw.hex()
    if not standing.is_listed(config_hash):
        return None
    config = lookup.plain(folder, config_hash)
    if config is not None:
        return (_in_utc(config.created_at), raw, config) if config.created_at else None
    metadata = records.metadata(folder, config_hash)
    if not metadata.puts or not objects.exists(folder, config_hash):
        return None
    tags = scan.tags_of(folder, config_hash, standing)
    return (_in_utc(metadata.created_at), raw, walk.load_whole(folder, config_hash, metadata, tags))


def _times(folder: Folder) -> Iterator[_Dated]:
    """Yield the times at which configs were registered; some are wrong, but none too early, and none is left out."""
    for pack in folder.packs.all():
        yield from _packed_times(pack)
    for fan_out in filter(layout.parse_fan_out, folder.loose.names(layout.INDEX)):
        for name, data in folder.loose.contents(f"{layout.INDEX}/{fan_out}", canonical.MAX_BYTES):
            found = None if data is None else _RECORD.match(data)
            if data is not None and found is not None:
                time = found[1] or _time_in(data)
                if time is not None and name[HASH_DIGITS : HASH_DIGITS + 1] == "-":
                    yield time, bytes.fromhex(name[:HASH_DIGITS])


def _packed_times(pack: Pack) -> Iterator[_Dated]:
    start, end = pack.span(RECORDS)
    while start < end:
        stop = min(start + _STEP_BYTES, end)
        for found in _FRAME.finditer(pack.bytes, start, min(stop + _MAX_MATCH_BYTES, end)):
            if found.start() >= stop:
                break
            raw, time = found.groups()
            if time is None:
                frame = pack.frame(found.start())
                time = None if frame is None else _time_in(pack.data(frame))
            if time is not None:
                yield time, raw
        pack_format.release(pack.bytes, start, stop)
        start = stop


def _time_in(data: bytes) -> bytes | None:
    """Return the time in a record that is not of the common form; None if it is damaged."""
    try:
        return _in_utc(canonical.decode(data)["created_at"])
    except (Corrupt, InvalidInput, KeyError, TypeError):
        return None


def _in_utc(created_at: str) -> bytes:
    moment = instant(created_at).astimezone(UTC)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z").encode()
