"""Which folders of tags hold a config: remembered by a process that asks often, where looking into each would dominate.

The map is derived, lives in memory, and is checked against the folders' times of change. Looking at the time of each
costs a third of looking into each, so that is done whenever the folder of all tags has changed, which our own writers
see to, and else as often as takes a tenth of the time: a tag that another program copied into the folder of a tag that
was there before is seen that much later, a few hundredths of a second. A process that asks once looks into each.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Collection
from typing import Final

from gemexp.digest import HASH_DIGITS
from gemexp.store import layout

# Up to so many folders, or while the tags change between questions, each is looked into.
_FEW_TAGS: Final = 8
_FEW_QUESTIONS: Final = 3
# A change this soon after another may leave the time of change as it was, on coarse file systems.
_MTIME_DOUBT_NS: Final = 2_000_000_000
_SHARE_OF_TIME: Final = 10
_KEY_DIGITS: Final = 15  # of a hash: a number that Python holds in two words


class TagMap:
    """The loose files below ``refs/tags``, by the configs in their names.

    Args:
        root: The store's folder.
        names: Lists the names of the folders below ``refs/tags``.
    """

    def __init__(self, root: str, names: Callable[[], Collection[str]]) -> None:
        self._folder = f"{root}/{layout.TAGS}"
        self._list = names
        self._listed: Collection[str] = ()
        self._stamp = -1
        self._questions = 0
        self._number: dict[str, int] = {}
        self._read_at: dict[str, tuple[int, bool]] = {}
        self._found: dict[int, tuple[int, ...]] = {}
        self._tags: list[str] = []
        self._swept: float | None = None
        self._cost = 0.0

    def may_hold(self, config_hash: str) -> Collection[str]:
        """Return the names of the tags' folders that may have a file about a config.

        Raises:
            StoreUnreadable: The file system refused.
        """
        try:
            stamp = os.stat(self._folder).st_mtime_ns
        except OSError:
            return self._list()
        if stamp != self._stamp:
            self._stamp, self._questions, self._swept = stamp, 0, None
        self._questions += 1
        if self._questions <= _FEW_QUESTIONS or len(self._listed) <= _FEW_TAGS:
            self._listed = self._list()
            return self._listed
        now = time.perf_counter()
        if self._swept is None or now - self._swept > _SHARE_OF_TIME * self._cost:
            self._listed = self._list()
            self._sweep()
            self._swept = time.perf_counter()
            self._cost = self._swept - now
        return [self._tags[number] for number in self._found.get(int(config_hash[:_KEY_DIGITS], 16), ())]

    def _sweep(self) -> None:
        """Read the folders that have changed since they were read, or whose times cannot tell."""
        for tag in self._listed:
            with contextlib.suppress(OSError):
                began = time.time_ns()
                changed = os.stat(f"{self._folder}/{tag}").st_mtime_ns
                settled = began - changed > _MTIME_DOUBT_NS
                if self._read_at.get(tag) != (changed, True):
                    self._read(tag)
                    self._read_at[tag] = (changed, settled)

    def _read(self, tag: str) -> None:
        """Note what a folder holds; what has gone from it stays noted, since each answer is looked at again."""
        number = self._number.setdefault(tag, len(self._tags))
        if number == len(self._tags):
            self._tags.append(tag)
        found, mine = self._found, (number,)
        for name in os.listdir(f"{self._folder}/{tag}"):
            if len(name) >= HASH_DIGITS:
                with contextlib.suppress(ValueError):
                    key = int(name[:_KEY_DIGITS], 16)
                    known = found.setdefault(key, mine)
                    if number not in known:
                        found[key] = (*known, number)
