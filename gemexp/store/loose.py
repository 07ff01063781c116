"""The loose files of a store: each a file of its own in the store's folder."""

from __future__ import annotations

import os
import stat
import time
import warnings
from collections.abc import Collection, Iterable, Iterator
from typing import Final, TypeVar

from gemexp.errors import DamageWarning
from gemexp.store import durable, layout
from gemexp.store.tag_map import TagMap
from gemexp.store.tree import Tree

# A change this soon after another may leave the time of change as it was, on coarse file systems.
_MTIME_DOUBT_NS: Final = 2_000_000_000

_T = TypeVar("_T")


class LooseFiles(Tree):
    """Reads loose files.

    Args:
        root: The store's folder.
    """

    def __init__(self, root: str) -> None:
        self.root = root
        self._listings: dict[str, tuple[int, str]] = {}
        self._links: set[str] = set()
        self._tag_map = TagMap(root, lambda: self.names_with_prefix(layout.TAGS, ""))

    def read(self, path: str, limit: int) -> bytes | None:
        """Return a file's bytes, or None if there is no such file.

        Raises:
            Corrupt: It is a link, a folder or a device, or is larger than ``limit`` bytes.
            StoreUnreadable: The file system refused.
        """
        return durable.read(self.root, path, limit)

    def exists(self, path: str) -> bool:
        """Tell whether there is an entry of that name."""
        there = os.access(f"{self.root}/{path}", os.F_OK)  # half the price of a stat that fails
        folder = path.rpartition("/")[0]
        return there and (durable.is_inside(self.root, folder) or self._pass_over(folder, nothing=False))

    def numbers(self, set_folder: str, member: str, known: Iterable[int] = ()) -> set[int]:
        """Return the causal lengths of a set's member that there are files of; see `gemexp.store.tree.Tree`.

        Args:
            set_folder: The set.
            member: The member.
            known: Lengths that a pack has; they are returned too, and what goes on from them is looked for.
        """
        packed = set(known)
        found = set(packed)
        number, missing = 1, 0
        while missing < layout.WIDEST_GAP:
            missing += 1
            if number in packed or os.access(layout.member_path(f"{self.root}/{set_folder}", member, number), os.F_OK):
                found.add(number)
                missing = 0
            number += 1
        if found != packed and not durable.is_inside(self.root, set_folder):
            return self._pass_over(set_folder, nothing=packed)
        return found

    def names(self, path: str) -> list[str]:
        """Return the names in a folder, unsorted; none if there is no such folder.

        Raises:
            StoreUnreadable: The file system refused.
        """
        try:
            if path and os.path.islink(f"{self.root}/{path}"):
                return self._pass_over(path, nothing=[])
            return os.listdir(f"{self.root}/{path}")
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise durable.unreadable(error, self.root, path) from None

    def is_empty(self, path: str) -> bool:
        """Tell whether there is nothing in a folder, or no such folder."""
        return self._listing(path) == "\n"

    def names_with_prefix(self, path: str, prefix: str) -> list[str]:
        """Return the names in a folder that begin with ``prefix``, unsorted.

        Listings are remembered until the folder's time of change moves, as one string each: searching that costs a
        hundredth of listing the folder again, and holding it half of what a list would take.
        """
        listing = self._listing(path)
        if not prefix:
            return listing.split("\n")[1:-1]
        found = []
        start = listing.find(f"\n{prefix}")
        while start >= 0:
            end = listing.index("\n", start + 1)
            found.append(listing[start + 1 : end])
            start = listing.find(f"\n{prefix}", end)
        return found

    def _listing(self, path: str) -> str:
        full_path = f"{self.root}/{path}"
        try:
            status = os.lstat(full_path)
            if stat.S_ISLNK(status.st_mode) and path:
                return self._pass_over(path, nothing="\n")
            changed = status.st_mtime_ns
            remembered = self._listings.get(path)
            if remembered is not None and remembered[0] == changed:
                return remembered[1]
            began = time.time_ns()
            listing = "\n" + "".join(f"{name}\n" for name in os.listdir(full_path) if "\n" not in name)
        except (FileNotFoundError, NotADirectoryError):
            return "\n"
        except OSError as error:
            raise durable.unreadable(error, self.root, path) from None
        if began - changed > _MTIME_DOUBT_NS:
            self._listings[path] = (changed, listing)
        return listing

    def _pass_over(self, path: str, *, nothing: _T) -> _T:
        """Warn of a link in a folder's place, once; it is as if nothing was there."""
        if path not in self._links:
            self._links.add(path)
            warnings.warn(f"'{path}' {durable.LINKED}; it was passed over", DamageWarning, stacklevel=4)
        return nothing

    def contents(self, path: str, limit: int) -> Iterator[tuple[str, bytes | None]]:
        """Yield (name, bytes) of the files in a folder; see `gemexp.store.tree.Tree`."""
        names = self.names(path)
        if not names:
            return
        try:
            folder = os.open(f"{self.root}/{path}", durable.FOLDER_FLAGS)
        except OSError:
            return
        try:
            for name in names:
                yield name, durable.read_in(folder, name, limit)
        finally:
            os.close(folder)

    def memberships(self, config_hash: str, known: Collection[str] = ()) -> Iterator[str]:
        """Yield the paths below ``refs/tags`` that stand for a config; see `gemexp.store.tree.Tree`.

        Names are looked up one by one instead of listing folders that may hold a hundred thousand others.

        Args:
            config_hash: The config.
            known: Paths that a pack holds; what goes on from them is looked for, and they are not yielded.
        """
        tags = set(self._tag_map.may_hold(config_hash))
        for tag in tags.union(path.split("/")[-2] for path in known):
            number, missing = 1, 0
            while missing < layout.WIDEST_GAP:
                path = layout.member_path(f"{layout.TAGS}/{tag}", config_hash, number)
                missing += 1
                if path in known:
                    missing = 0
                elif self.exists(path):
                    missing = 0
                    yield path
                number += 1
