"""When configs were registered, read off their records without decoding most of them.

Records of registrations begin alike, so that the time in most of them can be read without decoding them, or even
finding where each begins. A time taken so may be later than the one that counts, where a config was registered several
times or a record is damaged, but never earlier.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC
from typing import Final

from gemexp import canonical
from gemexp.config import instant
from gemexp.digest import HASH_DIGITS, is_hash
from gemexp.errors import Corrupt, InvalidInput
from gemexp.store import kinds, layout
from gemexp.store.files import Folder

Dated = tuple[bytes, bytes]  # a time in UTC to the microsecond, as text, and a config's hash

# A map whose first entry is its kind, and the common form of what follows: the config, and a time in UTC.
PUT: Final = (
    rb"(?:[\x81-\x8f]|\xde..|\xdf....)\xa1\$\xac" + re.escape(kinds.PUT.encode()) + rb"(?:\xa6config\xd9@[0-9a-f]{64}"
    rb"\xaacreated_at\xbb(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z))?"
)


def times(folder: Folder) -> Iterator[Dated]:
    """Yield the times at which configs were registered; some are wrong, but none too early, and none is left out."""
    packs = folder.packs.all()
    if packs:
        from gemexp.query import packed_times  # only where there are packs: reading them takes modules of their own

        for pack in packs:
            yield from packed_times.times(pack)
    pattern = re.compile(PUT, re.DOTALL)
    for fan_out in filter(layout.parse_fan_out, folder.loose.names(layout.INDEX)):
        for name, data in folder.loose.contents(f"{layout.INDEX}/{fan_out}", canonical.MAX_BYTES):
            found = None if data is None else pattern.match(data)
            if data is not None and found is not None and is_hash(name[:HASH_DIGITS]):
                time = found[1] or time_in(data)
                if time is not None:
                    yield time, bytes.fromhex(name[:HASH_DIGITS])


def time_in(data: bytes) -> bytes | None:
    """Return the time in a record that is not of the common form; None if it is damaged."""
    try:
        return in_utc(canonical.decode(data)["created_at"])
    except (Corrupt, InvalidInput, KeyError, TypeError):
        return None


def in_utc(created_at: str) -> bytes:
    """Return a time as `Dated` holds it.

    Raises:
        InvalidInput: It is not ISO 8601.
    """
    moment = instant(created_at).astimezone(UTC)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z").encode()
