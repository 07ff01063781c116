"""The same for the records in a pack: most are found by how they begin, without following each entry to the next."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from gemexp.query.times import PUT, Dated, time_in
from gemexp.store import pack_format
from gemexp.store.pack import Pack
from gemexp.store.pack_index import RECORDS

_STEP_BYTES: Final = 1 << 22
_MAX_MATCH_BYTES: Final = 512  # of the pattern
_FRAME: Final = re.compile(
    re.escape(pack_format.MARK) + rb".{4}\x41(?:[\x00-\x7f]|[\x80-\xff]{1,3}[\x00-\x7f])\x80(.{32}).{32}" + PUT,
    re.DOTALL,
)


def times(pack: Pack) -> Iterator[Dated]:
    """Yield the times at which configs were registered; see `gemexp.query.times.times`."""
    start, end = pack.span(RECORDS)
    while start < end:
        stop = min(start + _STEP_BYTES, end)
        for found in _FRAME.finditer(pack.bytes, start, min(stop + _MAX_MATCH_BYTES, end)):
            if found.start() >= stop:
                break
            raw, time = found.groups()
            if time is None:
                frame = pack.frame(found.start())
                time = None if frame is None else time_in(pack.data(frame))
            if time is not None:
                yield time, raw
        pack_format.release(pack.bytes, start, stop)
        start = stop
