"""The packs of a store: which there are, and what they hold together."""

from __future__ import annotations

import os
import stat
import time
import warnings
from collections.abc import Collection, Iterator
from functools import partial
from typing import TYPE_CHECKING, Final

from gemexp.digest import HASH_DIGITS
from gemexp.errors import Corrupt, DamageWarning
from gemexp.store import durable, layout

if TYPE_CHECKING:
    from gemexp.store.pack import Pack
    from gemexp.store.pack_format import Frame

_MTIME_DOUBT_NS: Final = 2_000_000_000
# Each place that is read may map up to 2 MiB around it, as large as the system keeps pieces of files in memory.
_RELEASE_AFTER: Final = 16
_ENTRIES_A_PLACE: Final = 16
_TAGS: Final = f"{layout.TAGS}/"
_DAMAGED: Final = "is damaged, and what is not whole in it was passed over"


class Packs:
    """All packs of a store; which they are is looked up again whenever the folder has changed.

    Args:
        root: The store's folder.
        cached: Use the indexes in ``local/``, and leave new ones there.

    Attributes:
        refused: The names of those that could not be opened when `all` last looked.
        warns: Whether damage is warned of; what reports it itself needs no warning.
    """

    def __init__(self, root: str, *, cached: bool = True) -> None:
        self._root = root
        self._cached = cached
        self._open: dict[str, Pack] = {}
        self._bad: set[str] = set()
        self.refused: set[str] = set()
        self._damaged: dict[str, tuple[int, int, int] | None] = {}
        self._listed_at = -1
        self._places = 0
        self.warns = True

    def all(self) -> list[Pack]:
        """Return the packs that there are now.

        Raises:
            StoreUnreadable: The file system refused.
            Corrupt: Their folder is a symbolic link.
        """
        try:
            status = os.lstat(f"{self._root}/{layout.PACKS}")
        except (FileNotFoundError, NotADirectoryError):
            self._open.clear()
            self.refused.clear()
            return []
        except OSError as error:
            raise durable.unreadable(error, self._root, layout.PACKS) from None
        if status.st_mtime_ns != self._listed_at:
            if stat.S_ISLNK(status.st_mode):
                raise Corrupt("is a symbolic link, which a store never holds", path=layout.PACKS)
            began = time.time_ns()
            while not self._list():
                pass
            self._listed_at = status.st_mtime_ns if began - status.st_mtime_ns > _MTIME_DOUBT_NS else -1
        return list(self._open.values())

    def stamp(self) -> object:
        """Return something that is another when packs have come or gone, and at times when none have."""
        folder = f"{self._root}/{layout.PACKS}"
        try:
            changed = os.stat(folder).st_mtime_ns
            settled = time.time_ns() - changed > _MTIME_DOUBT_NS
            return changed, None if settled else frozenset(os.listdir(folder))
        except OSError:
            return None

    def forget(self, name: str) -> None:
        """Look again at a pack: what was there under its name has been replaced."""
        self._open.pop(name, None)
        self._damaged.pop(name, None)
        self._listed_at = -1

    def _list(self) -> bool:
        """Open what is new; tell whether all that was listed could be opened.

        What has gone in the meantime lies in another pack now, which the listing may have missed.
        """
        try:
            names = set(filter(None, map(layout.parse_pack_name, os.listdir(f"{self._root}/{layout.PACKS}"))))
        except (FileNotFoundError, NotADirectoryError):
            names = set()
        except OSError as error:
            raise durable.unreadable(error, self._root, layout.PACKS) from None
        mended = {name for name, seen in self._damaged.items() if self._seen(name) != seen}
        for name in {*(self._open.keys() - names), *mended}:
            self._open.pop(name, None)
            self._damaged.pop(name, None)
        self.refused &= names
        try:
            for name in sorted(names - self._open.keys()):
                self._add(name)
        except FileNotFoundError:
            return False
        return True

    def _add(self, name: str) -> None:
        from gemexp.store.pack import Pack  # only where there are packs: reading them takes modules of their own

        try:
            pack = Pack.open(self._root, name, cached=self._cached)
        except Corrupt as error:
            self.refused.add(name)
            self._tell(name, error.message)
            return
        self.refused.discard(name)
        self._open[name] = pack
        pack.on_damage = partial(self._tell, name, _DAMAGED)
        if pack.index.damaged:
            self._damaged[name] = self._seen(name)
            self._tell(name, _DAMAGED)

    def _seen(self, name: str) -> tuple[int, int, int] | None:
        """Return what is another when a file is put in a pack's place."""
        try:
            status = os.lstat(f"{self._root}/{layout.pack_path(name)}")
        except OSError:
            return None
        return (status.st_ino, status.st_size, status.st_mtime_ns)

    def _tell(self, name: str, message: str) -> None:
        if self.warns and name not in self._bad:
            self._bad.add(name)
            text = f"'{layout.pack_path(name)}' {message}; gemexp fsck tells more"
            warnings.warn(text, DamageWarning, stacklevel=4)

    def find(self, path: str) -> tuple[Pack, Frame] | None:
        """Return where a path is, or None if no pack has it."""
        known = list(self._open.values())
        found = self._find(known, path) if known else None
        if found is None:  # only then look whether there are new packs
            left = [pack for pack in self.all() if pack not in known]
            found = self._find(left, path) if left else None
        return found

    def _find(self, packs: list[Pack], path: str) -> tuple[Pack, Frame] | None:
        from gemexp.store.pack import sought

        self.use(1)
        wanted = sought(path)
        if wanted is None:
            return None
        for pack in packs:
            found = pack.find_key(wanted)
            if found is not None:
                return pack, found
        return None

    def among(self, hashes: Collection[str]) -> set[str]:
        """Return those of many objects' hashes that packs have, for a fraction of the price of asking for each."""
        packs = self.all()
        if not packs:
            return set()
        from gemexp.store.pack_index import OBJECTS, first_word

        words = set(map(first_word, hashes))
        found = set().union(*(pack.index.among(OBJECTS, words) for pack in packs))
        return {one for one in hashes if first_word(one) in found and self.exists(layout.object_path(one))}

    def numbers(self, set_folder: str, member: str, among: list[Pack]) -> Iterator[int]:
        """Yield the causal lengths of a set's member that some packs have entries of."""
        if among:
            from gemexp.store.pack import sought

            self.use(1)
            wanted = sought(layout.member_path(set_folder, member, 1))
            if wanted is not None:
                for pack in among:
                    yield from pack.numbers(wanted)

    def read(self, path: str, limit: int) -> bytes | None:
        """Return the data of a path, or None if no pack has it; see `gemexp.store.tree.Tree`."""
        found = self.find(path)
        if found is None:
            return None
        pack, frame = found
        if frame.end - frame.data > limit:
            raise Corrupt(f"is larger than {limit} bytes", path=path)
        return pack.data(frame)

    def holders(self, path: str) -> list[Pack]:
        """Return the packs that have a path."""
        return [pack for pack in self.all() if pack.find(path) is not None]

    def holding(self, path: str, data: bytes, among: list[Pack]) -> Pack | None:
        """Return the one of some packs that has a path with just that data, or None."""
        found = self._find(among, path)
        return found[0] if found is not None and found[0].data(found[1]) == data else None

    def exists(self, path: str) -> bool:
        """Tell whether a pack has a file or a folder of that path."""
        if len(path) - path.rfind("/") <= HASH_DIGITS:  # too short for a file's name
            return any(pack.has_folder(path) for pack in self.all())
        return self.find(path) is not None or any(pack.has_folder(path) for pack in self._open.values())

    def names(self, path: str, prefix: str = "") -> set[str]:
        """Return the names in a folder that begin with a prefix."""
        found: set[str] = set()
        for pack in self.all():
            found.update(pack.names(path, prefix))
        self.use(1 + len(found) // _ENTRIES_A_PLACE)
        return found

    def each_name(self, path: str) -> Iterator[str]:
        """Yield the names in a folder, those in several packs several times, without holding them."""
        packs = self.all()
        if packs:
            from gemexp.store.pack_format import each_hash
        for pack in packs:
            hashes = pack.hashes(path) if path.startswith(_TAGS) else None
            if hashes is None:
                yield from pack.names(path, "")
            else:
                yield from (one.hex() for one in each_hash(hashes))
            self.use(_RELEASE_AFTER)

    def contents(self, path: str, limit: int) -> Iterator[tuple[str, bytes | None]]:
        """Yield (name, bytes) of the entries in a folder; see `gemexp.store.tree.Tree`."""
        packs = self.all()
        seen = set()
        for pack in packs:
            for name, data in pack.entries(path):
                if len(packs) > 1:
                    if name in seen:
                        continue
                    seen.add(name)
                yield name, data if len(data) <= limit else None
            self.use(_RELEASE_AFTER)

    def memberships(self, config_hash: str) -> Iterator[str]:
        """Yield the paths below ``refs/tags`` whose names begin with a hash."""
        for pack in self.all():
            self.use(1)
            yield from pack.memberships(config_hash)

    def use(self, places: int) -> None:
        """Count the places that are read, and give back the memory that holds them now and then."""
        self._places += places
        if self._places >= _RELEASE_AFTER:
            self._places = 0
            for pack in self._open.values():
                pack.release()
