"""Merging other stores into ours, and saying what came in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from gemexp import origins
from gemexp.origins import Origin
from gemexp.query.changes import Changes, changes
from gemexp.store import merge
from gemexp.store.files import Folder
from gemexp.store.merge import Merged
from gemexp.store.overlay import With, Without


class Merge(NamedTuple):
    """What merging a store brought, or would bring.

    Args:
        source: What to call the other store.
        files: What became of its files.
        changes: What that means; None where there are too many files to say.
    """

    source: str
    files: Merged
    changes: Changes | None

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        kinds = ("objects", "records", "members", "moves")
        return {
            "source": self.source,
            "files": {kind: getattr(self.files, kind) for kind in kinds},
            "changes": None if self.changes is None else self.changes.to_dict(),
            "bad": [one._asdict() for one in self.files.bad],
            "left_behind": [one._asdict() for one in self.files.unknown],
        }


def merge_all(folder: Folder, sources: Iterable[str], *, dry_run: bool = False) -> Iterator[Merge]:
    """Merge stores one after the other; all are found, and known to be readable, before the first is merged.

    Raises:
        NotFound: One is not there; see `gemexp.origins.find`.
        NoStore, UnsupportedFormat, Corrupt: One cannot be read; see `gemexp.origins.Origin.open`.
        StoreUnwritable: The file system refused.
    """
    found = [origins.find(source, folder.root) for source in sources]
    for origin in found:
        with origin.open():
            pass
    return (_merge(folder, origin, dry_run=dry_run) for origin in found)


def _merge(folder: Folder, origin: Origin, *, dry_run: bool) -> Merge:
    with origin.open() as source:
        files = merge.merge(folder, source, dry_run=dry_run)
        if files.paths is None:
            return Merge(origin.label, files, None)
        before, after = (
            (folder, With(folder, source, files.paths)) if dry_run else (Without(folder, files.paths), folder)
        )
        return Merge(origin.label, files, changes(before, after, paths=files.paths))
