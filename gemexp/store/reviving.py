"""Bringing deleted configs back, with all that belongs to them, while a collector may be about to take them.

Who takes a mark of deletion away writes, in the same batch, everything that the mark was for: a batch is over only once
all of it is there, so that nothing is lost to a collector that saw the mark before, also if that one is killed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

from gemexp.digest import is_hash, short
from gemexp.errors import Corrupt, NotFound, StoreUnreadable
from gemexp.outcome import StoredOutcome
from gemexp.store import gc, layout, objects, records, sets
from gemexp.store.batch import Batch
from gemexp.store.files import Folder

# More is not held in memory: it comes back from the trash, where it stays for the grace time.
_HELD_BYTES = 64 * 1024 * 1024
_MOST_ATTEMPTS = 10


def revive(folder: Folder, config_hash: str) -> None:
    """Take a config's mark of deletion away.

    Raises:
        NotFound: It was collected, and is gone for good.
        StoreUnwritable: The file system refused.
    """
    for _ in range(_MOST_ATTEMPTS):
        batch = folder.batch()
        paths = keep(folder, batch, config_hash)
        if objects.exists(folder, config_hash):
            sets.remove(folder, batch, layout.DELETED, config_hash)
            batch.commit()
            gc.put_back(folder, [path for path in paths if not folder.exists(path)])
            return
        if not gc.recover(folder, config_hash):
            break
    what = f"the config '{short(config_hash)}' was collected, and is gone for good"
    raise NotFound(what, subject=config_hash, hint="adding it again brings it back")


def keep(folder: Folder, batch: Batch, config_hash: str) -> list[str]:
    """Have the batch hold all that belongs to a config, as far as it is not too large; return its paths."""
    paths, size = _belonging(folder, config_hash), 0
    for path in paths:
        with contextlib.suppress(Corrupt, StoreUnreadable):  # it is bad already
            data = folder.read(path, objects.MAX_OBJECT_BYTES)
            size += len(data or b"")
            if size > _HELD_BYTES:
                break
            if data is not None:
                batch.create(path, data)
    return paths


def _belonging(folder: Folder, config_hash: str) -> list[str]:
    """Return the paths of a config's object, of what its records name, and of these, in the order of writing them."""
    named, about = [config_hash], []
    for name in records.names_with_prefix(folder, f"{config_hash}-"):
        with contextlib.suppress(Corrupt):
            about.append(layout.record_path(*name))
            named += filter(_is_hash, records.read(folder, name).values())
    outcomes = list(dict.fromkeys(named))
    artifacts = [name for outcome in outcomes[1:] for name in _artifacts(folder, outcome)]
    found = dict.fromkeys(map(layout.object_path, [config_hash, *artifacts, *outcomes]))
    return [path for path in [*found, *about] if folder.exists(path)]


def _is_hash(value: object) -> bool:
    return isinstance(value, str) and is_hash(value)


def _artifacts(folder: Folder, outcome_hash: str) -> Iterable[str]:
    try:
        return StoredOutcome.from_bytes(objects.get(folder, outcome_hash)).artifacts.values()
    except (NotFound, Corrupt, StoreUnreadable):
        return ()
