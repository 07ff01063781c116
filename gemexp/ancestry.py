"""The order of things that come from each other: newest first, and nothing before what comes from it. Pure."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime


def newest_first(times: Mapping[str, datetime], origins: Mapping[str, Collection[str]]) -> list[str]:
    """Return names in the order of ``git log --date-order``: the newest first, but each before those it comes from.

    Clocks differ between machines, so that time alone would show a consequence before its cause.

    Args:
        times: When each began, by name.
        origins: What each comes from; names that have no time are passed over. Where some come from each other in a
            circle, the origin that is newer than what comes from it does not count.
    """
    sources = {name: [one for one in dict.fromkeys(origins.get(name, ())) if one in times] for name in times}
    order = _ordered(times, sources)
    if len(order) < len(times):
        older = {name: [one for one in found if times[one] < times[name]] for name, found in sources.items()}
        order = _ordered(times, older)
    return order


def lineage(start: Iterable[str], origins: Mapping[str, Collection[str]]) -> set[str]:
    """Return ``start`` and everything that it comes from, directly or not."""
    found: set[str] = set()
    left = list(start)
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left.extend(origins.get(name, ()))
    return found


class _Newest:
    """Compares so that a heap yields the newest first, and of one instant the smallest name."""

    __slots__ = ("name", "time")

    def __init__(self, time: datetime, name: str) -> None:
        self.time = time
        self.name = name

    def __lt__(self, other: _Newest) -> bool:
        return (self.time, other.name) > (other.time, self.name)


def _ordered(times: Mapping[str, datetime], sources: Mapping[str, Sequence[str]]) -> list[str]:
    """Order names, leaving out those in a circle and what they come from."""
    waiting = dict.fromkeys(times, 0)
    for found in sources.values():
        for origin in found:
            waiting[origin] += 1
    ready = [_Newest(times[name], name) for name, count in waiting.items() if not count]
    heapq.heapify(ready)
    order = []
    while ready:
        name = heapq.heappop(ready).name
        order.append(name)
        for origin in sources[name]:
            waiting[origin] -= 1
            if not waiting[origin]:
                heapq.heappush(ready, _Newest(times[origin], origin))
    return order
