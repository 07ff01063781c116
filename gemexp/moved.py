"""What a move of a name changed: the old config, the new one, and what differs between them.

git hands over the move alone. The configs, and the moves that it supersedes, are looked up in the work tree, and where
they are not, as with another branch or a bare repository, in git's history.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gemexp import canonical
from gemexp.compare import Diff
from gemexp.config import ExperimentConfig
from gemexp.describing import move_line, provenance
from gemexp.digest import hash_bytes, short
from gemexp.errors import Corrupt, EngineFailed, InvalidInput, StoreUnreadable
from gemexp.git import Repository
from gemexp.store import kinds, layout
from gemexp.store.files import Folder


def move_lines(record: Mapping[str, Any], stores: Sequence[str]) -> Iterator[str]:
    """Yield the lines of a move: ``name: old -> new``, what differs, who moved it and when.

    Args:
        record: The move.
        stores: Paths of stores, relative to the current folder, which is the top of the work tree.

    Raises:
        Corrupt: It is no valid move.
    """
    name = record["name"] if isinstance(record.get("name"), str) else ""
    record = kinds.check(record, name)
    lookup = _Lookup(stores)
    old, unknown = set(), []
    for superseded in record["supersedes"]:
        found = lookup.move(name, superseded)
        if found is None:
            unknown.append(superseded)
        else:
            old.add(found["config"])
    new = record["config"]
    yield move_line(name, old, new)
    for one in unknown:
        yield f"after the move {short(one)}, which is not here"
    yield from _differences(lookup, sorted(one for one in old if one), new)
    yield ""
    yield from provenance(record)
    if record["restores"] is not None:
        yield f"restores: the move {short(record['restores'])}"


def _differences(lookup: _Lookup, old: Sequence[str], new: str | None) -> Iterator[str]:
    config = lookup.config(new) if new and old else None
    for one in old:
        before = lookup.config(one) if config else None
        if config and before and one != new:
            if len(old) > 1:
                yield f"from {short(one)}:"
            yield from map(str, Diff(before, config))


class _Lookup:
    """Finds what the folders of stores hold, now or anywhere in git's history."""

    def __init__(self, stores: Sequence[str]) -> None:
        self._stores = stores
        # Started with --git-dir, git is not told by the current folder where it is.
        self._folder = os.environ.get("GIT_DIR") or os.curdir

    def move(self, name: str, record_hash: str) -> dict[str, Any] | None:
        try:
            data = self._read(layout.move_path(name, record_hash), record_hash)
            record = None if data is None else kinds.check(canonical.decode(data), name)
        except (Corrupt, InvalidInput):
            return None
        return record if record and record["$"] == kinds.MOVE else None

    def config(self, config_hash: str) -> ExperimentConfig | None:
        data = self._read(layout.object_path(config_hash), config_hash)
        try:
            return None if data is None else ExperimentConfig.from_bytes(data)
        except Corrupt:
            return None

    def _read(self, path: str, expected: str) -> bytes | None:
        for read in (self._from_work_tree, self._from_history):
            for store in self._stores:
                data = read(store, path)
                if data is not None and hash_bytes(data) == expected:
                    return data
        return None

    def _from_work_tree(self, store: str, path: str) -> bytes | None:
        try:
            folder = Folder(store or os.curdir)
            folder.packs.warns = False
            return folder.read(path, canonical.MAX_BYTES)
        except (Corrupt, StoreUnreadable):
            return None

    def _from_history(self, store: str, path: str) -> bytes | None:
        path = f"{store}/{path}" if store else path
        options = ("--all", "--format=", "--raw", "--no-abbrev", "--no-renames", "--diff-filter=AM", "-1")
        try:
            # Walking history must not fetch what a partial clone lacks, folder by folder; the one file may be fetched.
            found = Repository(self._folder, foreign=True).ask("log", *options, "--", f":(top,literal){path}").split()
            # As if bare: it may be, and was named, since git has started us for it.
            here = Repository(self._folder, bare=True)
            return here.ask("cat-file", "blob", found[3].decode()) if len(found) > 3 else None
        except EngineFailed:
            return None
