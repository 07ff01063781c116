"""Old registries into a store: their experiments registered, their old hashes kept as aliases."""

from __future__ import annotations

import os
from typing import NamedTuple

from gemexp import legacy, registering
from gemexp.digest import is_prefix
from gemexp.legacy import LegacyExperiment
from gemexp.registering import Registered
from gemexp.store import aliases, layout, objects
from gemexp.store.files import Folder


class Unseen(NamedTuple):
    """What an old registry holds and a store has never seen, and the note that spares reading the file again."""

    experiments: list[LegacyExperiment]
    note: bytes


def import_sqlite(folder: Folder, path: str) -> list[tuple[str, Registered]]:
    """Import all experiments of an old registry.

    Returns:
        The old hash of each, and what registering it came to.

    Raises:
        InvalidInput: The file is not such a registry, or a row cannot be used; nothing was written.
    """
    return _import(folder, legacy.read_experiments(path))


def find_unseen(folder: Folder, database: str) -> Unseen | None:
    """Return what an old registry holds and this store has never seen, not even to delete or untag it since.

    The aliases tell what was seen. A note in ``local/`` of the file's size and time spares reading it again; None is
    returned then, and where the file is no such registry.

    Raises:
        InvalidInput: The file is not a SQLite database, or a row cannot be used.
    """
    status = os.stat(database)
    note = f"{status.st_size} {status.st_mtime_ns}\n".encode()
    if folder.read(layout.IMPORTED, 4096) == note or not legacy.has_experiments(database):
        return None
    return Unseen([one for one in legacy.read_experiments(database) if not _has_seen(folder, one)], note)


def import_unseen(folder: Folder, unseen: Unseen) -> None:
    """Import what `find_unseen` returned, and note that it was."""
    _import(folder, unseen.experiments)
    folder.note(layout.IMPORTED, unseen.note)


def _import(folder: Folder, found: list[LegacyExperiment]) -> list[tuple[str, Registered]]:
    for experiment in found:
        registering.validate(experiment.config)
    registered = registering.register_all(folder, (experiment.config for experiment in found), [])
    with folder.batch() as batch:
        for experiment, (config_hash, _) in zip(found, registered, strict=True):
            old_hash = experiment.old_hash.lower()
            if is_prefix(old_hash) and old_hash != config_hash:
                aliases.add(folder, batch, old_hash, config_hash, created_at=experiment.config.created_at)
    return [(experiment.old_hash, one) for experiment, one in zip(found, registered, strict=True)]


def _has_seen(folder: Folder, experiment: LegacyExperiment) -> bool:
    old_hash = experiment.old_hash.lower()
    if is_prefix(old_hash):
        return any(alias.old == old_hash for alias in aliases.with_prefix(folder, old_hash, dropped=True))
    return objects.exists(folder, experiment.config.config_hash)
