"""Tags, and deletions, which are a set of the same kind: who is a member, and keeping that up to date.

A member's row remembers its loose files, so that what came or went is found by listing the loose files alone, however
many members lie in packs.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from heapq import merge
from itertools import groupby
from operator import itemgetter
from sqlite3 import Connection
from typing import Final, NamedTuple

from gemexp.errors import Corrupt
from gemexp.index.cells import id_of
from gemexp.index.schema import DELETED_TAG
from gemexp.store import layout, pack_format, sets
from gemexp.store.files import Folder
from gemexp.store.pack import Pack
from gemexp.store.standing import Standing

_MAX_MARKED: Final = 40
# Looking one member up costs as much as listing so many.
_LOOK_UP_PRICE: Final = 10


class Member(NamedTuple):
    """A config that is or was in a set.

    Args:
        config: Its hash.
        present: It is.
        loose: Stands for the lengths that there are loose files for; 0 for none, -1 if that cannot be told.
    """

    config: str
    present: bool
    loose: int


class Labels:
    """The sets of a store and their rows.

    Args:
        connection: The index, in a transaction.
        folder: The store.
        standing: What configs take over from others.
    """

    def __init__(self, connection: Connection, folder: Folder, standing: Standing) -> None:
        self._connection = connection
        self._folder = folder
        self._standing = standing

    def number(self, set_folder: str) -> int:
        """Return the number of a set, a new one if it is not known yet."""
        if set_folder == layout.DELETED:
            return DELETED_TAG
        name = layout.unescape_name(set_folder.rpartition("/")[2])
        row = self._connection.execute("SELECT id FROM tags WHERE name = ?", (name,)).fetchone()
        if row is not None:
            return int(row[0])
        # JSON in the views, made here: SQLite's own functions for it may be forbidden there.
        values = (name, json.dumps(name, ensure_ascii=False))
        return int(self._connection.execute("INSERT INTO tags (name, quoted) VALUES (?, ?)", values).lastrowid or 0)

    def members(self, set_folder: str) -> Iterator[Member]:
        """Yield all that are or were in a set, and those that take their place, sorted.

        Raises:
            Corrupt: A pack is damaged.
        """
        packs = [pack for pack in self._folder.packs.all() if pack.has_folder(set_folder)]
        loose = sorted((config, length, True) for config, length in self._loose_files(set_folder))
        found = merge(loose, *(_packed(pack, set_folder) for pack in packs), key=itemgetter(0))
        grouped = (_member(config, list(files)) for config, files in groupby(found, key=itemgetter(0)))
        if set_folder == layout.DELETED or not self._standing.migrated:
            yield from (Member(config, length % 2 == 1, marks) for config, length, marks in grouped)
            return
        known = {config: (length, marks) for config, length, marks in grouped}
        carried = self._standing.carried({config: length for config, (length, _) in known.items()})
        for config in sorted(known.keys() | carried):
            yield Member(config, config in carried, known[config][1] if config in known else 0)

    def plain_members(self, set_folder: str) -> bytes | None:
        """Return the hashes of all in a set, of 32 bytes one after the other, sorted.

        Returns:
            None where there is more to say of one: it has loose files, was removed once, or another takes its place.
        """
        if set_folder == layout.DELETED or self._standing.migrated or self._folder.loose.names(set_folder):
            return None
        found = [pack.hashes(set_folder) for pack in self._folder.packs.all() if pack.has_folder(set_folder)]
        plain = [hashes for hashes in found if hashes is not None]
        if len(plain) != len(found):
            return None
        if len(plain) == 1:
            return plain[0]
        return b"".join(sorted(set().union(*map(pack_format.each_hash, plain))))

    def refresh(self, set_folder: str, packed: Iterable[str], *, whole: bool = False) -> dict[str, bool]:
        """Bring the rows of a set up to date.

        Args:
            set_folder: The set.
            packed: Configs of which new packs have files in it.
            whole: Look at all members, since others may take their place than did.

        Returns:
            Who is in the set now that was not, and the other way round.
        """
        number = self.number(set_folder)
        touched = set(packed)
        known = dict(
            self._connection.execute("SELECT config, loose FROM tagged WHERE tag = ? AND loose != 0", (number,))
        )
        whole = whole or (set_folder != layout.DELETED and self._standing.migrated)
        if not whole:
            loose: dict[str, int] = {}
            for config, length in self._loose_files(set_folder):
                loose[config] = _marked(loose.get(config, 0), length)
            touched |= {config for config, marks in loose.items() if marks < 0 or marks != known.get(id_of(config))}
            gone = known.keys() - set(map(id_of, loose))
            touched |= self._hashes(gone)
            (count,) = self._connection.execute("SELECT count(*) FROM tagged WHERE tag = ?", (number,)).fetchone()
            whole = len(touched) * _LOOK_UP_PRICE > count + len(touched)
        if whole:
            return self._replace(number, list(self.members(set_folder)))
        return self._update(
            number,
            [
                Member(config, sets.length(self._folder, set_folder, config) % 2 == 1, loose.get(config, 0))
                for config in sorted(touched)
            ],
        )

    def _update(self, number: int, members: list[Member]) -> dict[str, bool]:
        changed = {}
        for member in members:
            key = (number, id_of(member.config))
            row = self._connection.execute("SELECT present, loose FROM tagged WHERE tag = ? AND config = ?", key)
            before = row.fetchone() or (0, None)
            if before != (member.present, member.loose):
                self._connection.execute(
                    "INSERT OR REPLACE INTO tagged VALUES (?, ?, ?, ?)", (*key, member.present, member.loose)
                )
            if before[0] != member.present:
                changed[member.config] = member.present
        return changed

    def _replace(self, number: int, members: list[Member]) -> dict[str, bool]:
        known = {
            config: (present, loose)
            for config, present, loose in self._connection.execute(
                "SELECT config, present, loose FROM tagged WHERE tag = ?", (number,)
            )
        }
        changed = self._update(
            number,
            [one for one in members if known.get(id_of(one.config)) != (one.present, one.loose) or one.loose < 0],
        )
        gone = known.keys() - {id_of(member.config) for member in members}
        self._connection.executemany(
            "DELETE FROM tagged WHERE tag = ? AND config = ?", ((number, config) for config in gone)
        )
        return changed | dict.fromkeys(self._hashes(config for config in gone if known[config][0]), False)

    def _hashes(self, numbers: Iterable[int]) -> set[str]:
        found = (
            self._connection.execute("SELECT hash FROM configs WHERE id = ?", (number,)).fetchone()
            for number in numbers
        )
        return {row[0].hex() for row in found if row is not None}

    def _loose_files(self, set_folder: str) -> Iterator[tuple[str, int]]:
        for name in self._folder.loose.names(set_folder):
            member = layout.parse_member_name(name)
            if member:
                yield member


def packed_configs(pack: Pack, set_folder: str) -> set[str]:
    """Return the configs of which a pack has files in a set."""
    return {config for config, _, _ in _packed(pack, set_folder)}


def _packed(pack: Pack, set_folder: str) -> Iterator[tuple[str, int, bool]]:
    """Yield (config, length, not loose) of a set's files in a pack, sorted."""
    end = None
    for frame in pack.frames(set_folder):
        if end is not None and frame.start != end:
            raise Corrupt("is damaged", path=pack.path, hint="gemexp fsck tells more")
        end = frame.end
        at = pack_format.name_start(frame.key)
        suffix = frame.key[at + 33 :]
        yield frame.key[at : at + 32].hex(), int(suffix) if suffix else 1, False


def _member(config: str, files: list[tuple[str, int, bool]]) -> tuple[str, int, int]:
    """Return (config, length, marks) of all files of a config in a set."""
    if len(files) == 1:
        (_, length, is_loose), marks = files[0], 0
        reached = 1 if length == 1 else sets.reached_length({length}.__contains__)
        return config, reached, _marked(0, length) if is_loose else 0
    marks = 0
    for _, length, is_loose in files:
        if is_loose:
            marks = _marked(marks, length)
    return config, sets.reached_length({length for _, length, _ in files}.__contains__), marks


def _marked(marks: int, length: int) -> int:
    return -1 if marks < 0 or length > _MAX_MARKED else marks | 1 << length
