"""Collecting what was deleted: out of the store, into ``local/trash``, and after the grace time out of that too.

There is no lock. A writer looks, once it has written, whether all its files are still there, and writes again what is
not; the collector looks, once it has taken something away, whether it has come alive, and puts it back. Whichever looks
last repairs.
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterable
from typing import NamedTuple

from gemexp.errors import Corrupt, NotFound
from gemexp.outcome import StoredOutcome
from gemexp.store import kinds, layout, names, objects, pack_format, packing, records, sets
from gemexp.store.at_work import FINISHED, trashed, unfinished
from gemexp.store.files import Folder
from gemexp.store.standing import is_deleted

GRACE_SECONDS = 14 * 24 * 3600.0
# A writer's temporary lives for seconds; one this old was left by a writer that was killed.
_TEMPORARY_SECONDS = 24 * 3600.0
_MOST_ATTEMPTS = 10


class Kept(NamedTuple):
    """A deleted config that stays for now, and why."""

    config: str
    reason: str


class Collected(NamedTuple):
    """What collecting took, or would take.

    Args:
        configs: Their hashes, sorted.
        paths: Their files, in the order in which they are taken.
        size: Bytes in these files.
        kept: Deleted configs that stay for now.
        emptied: How many files left the trash, or were a killed writer's, and are gone for good.
        tracked: How many files went that git tracks.
    """

    configs: list[str]
    paths: list[str]
    size: int
    kept: list[Kept]
    emptied: int
    tracked: int = 0


def collect(
    folder: Folder, *, grace: float = GRACE_SECONDS, tracked: Collection[str] = (), dry_run: bool = False
) -> Collected:
    """Take deleted configs out of the store, with their records, outcomes, and artifacts that no other outcome names.

    The marks of their deletion stay, so that no copy of the store brings them back.

    Args:
        folder: The store.
        grace: Seconds that a deletion must be old, and that files stay in the trash.
        tracked: Paths in the store that git looks after: a config that has one is left alone.
        dry_run: Tell what would be taken, and take nothing.

    Raises:
        StoreUnwritable: The file system refused; what was moved so far is in the trash.
    """
    known = {bytes.fromhex(name.record) for name in records.all_names(folder)}
    if not dry_run:
        _finish(folder)  # before what is to go is looked up: some of it may come back
    plan, kept = _plan(folder, grace, frozenset(tracked))
    sizes = {path: _size(folder, path) for paths in plan.values() for path in paths}
    emptied = 0
    if not dry_run:
        trash = f"{layout.TRASH}/{time.time_ns()}-{os.getpid()}"
        living = _take_packed(folder, trash, plan) | _take_loose(folder, trash, plan)
        # Once more, for an artifact that one that is collected had in common with it.
        _put_back(folder, trash, [path for config in living for path in plan.pop(config, ())])
        _return(folder, [trash], known)
        folder.move(trash, f"{trash}{FINISHED}", missing_ok=True)
        # Others may be at work, and about to put back what has come alive.
        emptied = folder.empty(layout.TRASH, grace, ending=FINISHED)
        emptied += folder.empty(layout.TRASH, max(grace, _TEMPORARY_SECONDS))
        emptied += folder.empty(layout.TMP, _TEMPORARY_SECONDS)
        packing.forget_indexes(folder)
    paths = [path for config in sorted(plan) for path in plan[config]]
    return Collected(sorted(plan), paths, sum(sizes[path] for path in paths), kept, emptied)


def recover(folder: Folder, prefix: str) -> list[str]:
    """Put back from the trash all that was taken of configs whose hashes begin with ``prefix``; return their hashes."""
    trashes = [trashed(folder, f"{layout.TRASH}/{name}") for name in folder.loose.names(layout.TRASH)]
    taken = {config for trash in trashes for config in objects.with_prefix(trash, prefix)}
    found = sorted(config for config in taken if sets.length(folder, layout.DELETED, config))
    for config in found:
        # Of several collectors, if one was killed. The config itself comes last: what is interrupted begins anew.
        about = {name for trash in trashes for name in records.names_with_prefix(trash, f"{config}-")}
        itself, *own = _own_paths(config, list(about))
        put_back(folder, own)
        metadata = records.metadata(folder, config)
        put_back(folder, [layout.object_path(one) for one in _outcomes(metadata)])
        put_back(folder, [layout.object_path(one) for one in _used_by(folder, metadata)])
        put_back(folder, [itself])
    return found


def put_back(folder: Folder, paths: Collection[str]) -> None:
    """Put files back from the trash that a collector took and somebody needs, as far as they are there."""
    for name in folder.loose.names(layout.TRASH) if paths else ():
        _put_back(folder, f"{layout.TRASH}/{name}", paths)


def _finish(folder: Folder) -> None:
    """Put back what collectors that were killed had taken, and records have come to name before they looked again."""
    if any(map(folder.loose.names, unfinished(folder))):
        _return(folder, [f"{layout.TRASH}/{name}" for name in folder.loose.names(layout.TRASH)], set())


def _plan(folder: Folder, grace: float, tracked: frozenset[str]) -> tuple[dict[str, list[str]], list[Kept]]:
    """Return the paths to take of each config, and the configs that stay."""
    named = {
        move.config: name for name, pointer in names.pointers(folder).items() for move in pointer.history if move.config
    }
    plan: dict[str, list[str]] = {}
    kept = []
    for config in sorted(sets.members(folder, layout.DELETED)):
        about = list(records.names_with_prefix(folder, f"{config}-"))
        paths = [path for path in _own_paths(config, about) if folder.exists(path)]
        if not paths:
            continue  # collected before
        reason = _reason_to_keep(folder, config, paths, grace, tracked, named)
        if reason is None:
            plan[config] = paths
        else:
            kept.append(Kept(config, reason))
    _add_outcomes(folder, plan, kept, tracked)
    return plan, kept


def _own_paths(config: str, about: list[layout.RecordName]) -> list[str]:
    return [layout.object_path(config), *sorted(layout.record_path(*name) for name in about)]


def _reason_to_keep(
    folder: Folder, config: str, paths: list[str], grace: float, tracked: frozenset[str], named: dict[str, str]
) -> str | None:
    mark = layout.member_path(layout.DELETED, config, sets.length(folder, layout.DELETED, config))
    if _age(folder, mark) < grace:
        return "it was deleted only lately"
    if config in named:
        return f"the name '{named[config]}' points to it, or did"
    return _reason_not_to_touch(folder, [mark, *paths], tracked)


def _reason_not_to_touch(folder: Folder, paths: Iterable[str], tracked: frozenset[str]) -> str | None:
    for path in paths:
        if path in tracked:
            return "git tracks its files"
        for pack in folder.packs.holders(path):
            if pack.path in tracked:
                return "git tracks its pack"
            if pack.index.damaged:
                return "its pack is damaged: gemexp fsck --repair"
    return None


def _age(folder: Folder, mark: str) -> float:
    """Return how old a mark is, at least: one in a pack is as old as that."""
    packs = [pack.path for pack in folder.packs.holders(mark)]
    return max(folder.age(path) for path in (mark, *packs))


def _size(folder: Folder, path: str) -> int:
    found = folder.packs.find(path)
    return folder.size(path) or (found[1].end - found[1].data if found else 0)


def _add_outcomes(folder: Folder, plan: dict[str, list[str]], kept: list[Kept], tracked: frozenset[str]) -> None:
    """Add outcomes, and artifacts and other objects that no other config uses."""
    used = {config: _used_by(folder, records.metadata(folder, config)) for config in plan}
    if not any(used.values()):
        return
    in_use: set[str] = set()
    for config, metadata in records.all_metadata(folder):
        if config not in plan:
            in_use.update(_used_by(folder, metadata))
    for config, found in used.items():
        paths = [path for path in map(layout.object_path, found) if folder.exists(path)]
        paths = [path for path in paths if path.rpartition("/")[2] not in in_use]
        reason = _reason_not_to_touch(folder, paths, tracked)
        if reason is not None:
            kept.append(Kept(config, reason))
            del plan[config]
        else:
            plan[config] += paths


def _take_packed(folder: Folder, trash: str, plan: dict[str, list[str]]) -> set[str]:
    """Move what lies in packs to the trash, as one pack.

    Each pack that held some of it is replaced by one without, which is durable, and read back, before the other goes.

    Returns:
        The configs that have come alive, and were put back.
    """
    paths = dict.fromkeys(path for config in plan for path in plan[config])
    keys = {pack_format.to_key(path) for path in paths}
    for _ in range(_MOST_ATTEMPTS):
        packs = list({pack.name: pack for path in paths for pack in folder.packs.holders(path)}.values())
        if not packs:
            break
        packing.repack(trashed(folder, trash), packs, keys.__contains__)
        if packing.replace(folder, packs, lambda key: key not in keys):
            break
    folder.packs.all()  # which forgets those that have gone
    living = {config for config in plan if not is_deleted(folder, config)}
    for config in living:
        _put_back(folder, trash, plan[config])
    return living


def _take_loose(folder: Folder, trash: str, plan: dict[str, list[str]]) -> set[str]:
    """Move files to the trash, config by config, so that one that has come alive is away only for a moment.

    Returns:
        The configs that have come alive, and were put back.
    """
    living = set()
    for config, paths in plan.items():
        if is_deleted(folder, config):
            for path in paths:
                folder.move(path, f"{trash}/{path}", missing_ok=True)
        if not is_deleted(folder, config):
            _put_back(folder, trash, paths)
            living.add(config)
    return living


def _return(folder: Folder, trashes: list[str], known: set[bytes]) -> None:
    """Put back objects that records name which were not there before anything was taken."""
    needed: set[str] = set()
    for name in records.all_names(folder):
        if bytes.fromhex(name.record) not in known:
            try:
                record = records.read(folder, name)
            except Corrupt:
                continue
            outcome = record.get("outcome")
            needed |= {name.config, *([outcome] if outcome else []), *kinds.objects_of(record)}
    for trash in trashes:
        _put_back(folder, trash, map(layout.object_path, sorted(needed)))
    for trash in trashes:  # an outcome that is back itself names artifacts
        _put_back(folder, trash, map(layout.object_path, sorted(_named_by(folder, needed))))


def _used_by(folder: Folder, metadata: records.Metadata) -> list[str]:
    """Return the objects that a config's records name, and its outcomes' artifacts; outcomes first."""
    outcomes = _outcomes(metadata)
    further = [name for run in metadata.runs for name in run.objects]
    further += [name for check in metadata.checks for name in check.objects]
    return list(dict.fromkeys([*outcomes, *sorted(_named_by(folder, outcomes)), *further]))


def _outcomes(metadata: records.Metadata) -> list[str]:
    found = [run.outcome for run in metadata.runs] + [signature.outcome for signature in metadata.signatures]
    return list(dict.fromkeys(found))


def _named_by(folder: Folder, outcomes: Iterable[str]) -> set[str]:
    return {artifact for outcome in outcomes for artifact in _artifacts(folder, outcome)}


def _artifacts(folder: Folder, outcome_hash: str) -> list[str]:
    try:
        return list(StoredOutcome.from_bytes(objects.get(folder, outcome_hash)).artifacts.values())
    except (NotFound, Corrupt):
        return []


def _put_back(folder: Folder, trash: str, paths: Iterable[str]) -> None:
    packed = {}
    taken = trashed(folder, trash)
    for path in paths:
        if folder.exists(path):
            continue
        if taken.loose.exists(path):
            folder.move(f"{trash}/{path}", path, missing_ok=True)
        else:
            data = taken.packs.read(path, pack_format.MAX_DATA_BYTES)
            if data is not None:
                packed[path] = data
    with folder.batch() as batch:
        for path, data in packed.items():
            batch.create(path, data)
