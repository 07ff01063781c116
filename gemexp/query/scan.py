"""Configurations out of the store's files: one, those with a tag, or all; in whatever order is asked for."""

from __future__ import annotations

import heapq
import warnings
from collections.abc import Iterable, Iterator
from typing import Any

from gemexp.config import ExperimentConfig, instant
from gemexp.errors import Corrupt, DamageWarning, InvalidPath, NotFound
from gemexp.notation import inline
from gemexp.paths import parse_path, select
from gemexp.revision import tagged
from gemexp.store import layout, objects, records, sets
from gemexp.store.files import Folder
from gemexp.store.records import Metadata, Run

# Up to here, asking each tag's folder about each config is cheaper than reading all the folders.
_PROBE_TAGS_BELOW = 32


def load(folder: Folder, config_hash: str) -> ExperimentConfig:
    """Return the configuration of a whole hash, deleted or not.

    Raises:
        NotFound: There is no such object.
        Corrupt: It is damaged, or not a configuration.
    """
    return _load(folder, config_hash, records.metadata(folder, config_hash), tags_of(folder, config_hash))


def every(folder: Folder) -> Iterator[ExperimentConfig]:
    """Yield all configurations, in order of hash."""
    tags = _tags_by_config(folder)
    deleted = sets.members(folder, layout.DELETED)
    for config_hash, metadata in records.all_metadata(folder):
        if config_hash not in deleted:
            yield from _load_whole(folder, config_hash, metadata, tags.get(config_hash, []))


def count(folder: Folder) -> int:
    """Return how many configurations there are."""
    recorded = {name.config for name in records.all_names(folder)}
    return sum(1 for name in recorded - sets.members(folder, layout.DELETED) if objects.exists(folder, name))


def newest(folder: Folder, *, tag: str | None = None, limit: int | None = None) -> list[ExperimentConfig]:
    """Return configurations, or those with a tag, newest first; at most ``limit``."""
    found: Iterable[tuple[str, Metadata]]
    if tag is None:
        found = records.all_metadata(folder)
    else:
        found = ((name, records.metadata(folder, name)) for name in tagged(folder, tag))
    deleted = sets.members(folder, layout.DELETED)
    dated = (
        (instant(metadata.created_at), config_hash, metadata)
        for config_hash, metadata in found
        if config_hash not in deleted and metadata.puts and objects.exists(folder, config_hash)
    )
    chosen = sorted(dated, reverse=True) if limit is None else heapq.nlargest(limit, dated)
    tags = _tags_by_config(folder) if len(chosen) >= _PROBE_TAGS_BELOW else None
    return [
        config
        for _, name, metadata in chosen
        for config in _load_whole(folder, name, metadata, tags_of(folder, name) if tags is None else tags.get(name, []))
    ]


def ordered(folder: Folder, key: str, *, tag: str | None = None, limit: int | None = None) -> list[ExperimentConfig]:
    """Return configurations in the order of a field, or of the value at a path; at most ``limit``.

    Numbers come before text and text before the rest; configurations without the value come last, newest first.

    Raises:
        InvalidPath: ``key`` is not a path.
    """
    path = parse_path(key)
    found = newest(folder, tag=tag)
    found.sort(key=lambda config: _rank(config, path))
    return found[:limit]


def runs(folder: Folder) -> list[Run]:
    """Return the runs of all configurations that are not deleted, newest first."""
    deleted = sets.members(folder, layout.DELETED)
    found = [run for name, metadata in records.all_metadata(folder) if name not in deleted for run in metadata.runs]
    return sorted(found, key=lambda run: (instant(run.created_at), run.config, run.outcome), reverse=True)


def tag_counts(folder: Folder) -> dict[str, int]:
    """Return how many configurations carry each tag, by tag; tags that none carries are left out."""
    there = set(objects.all_hashes(folder)) - sets.members(folder, layout.DELETED)
    counts = {tag: len(sets.members(folder, path) & there) for tag, path in _tag_folders(folder)}
    return {tag: number for tag, number in sorted(counts.items()) if number}


def tags_of(folder: Folder, config_hash: str) -> list[str]:
    """Return the tags of a configuration, sorted."""
    return sorted(tag for tag, path in _tag_folders(folder) if sets.contains(folder, path, config_hash))


def hashes_with_prefix(folder: Folder, prefix: str, *, deleted: bool = False) -> list[str]:
    """Return the hashes of configurations that begin with ``prefix``, which may be empty; sorted.

    Args:
        folder: The store.
        prefix: Hexadecimal digits.
        deleted: Those that are deleted instead of the others.
    """
    prefix = prefix.lower()
    if len(prefix) < 2:
        found = {name.config for name in records.all_names(folder) if name.config.startswith(prefix)}
    else:
        found = {name.config for name in records.names_with_prefix(folder, prefix)}
    marked = sets.members(folder, layout.DELETED)
    found = found & marked if deleted else found - marked
    return sorted(name for name in found if objects.exists(folder, name))


def _load_whole(folder: Folder, config_hash: str, metadata: Metadata, tags: list[str]) -> Iterator[ExperimentConfig]:
    """Yield the configuration if it is whole; warn if it is damaged: one bad file must not hide all the others."""
    try:
        yield _load(folder, config_hash, metadata, tags)
    except NotFound:
        return  # a record whose object did not come along: fsck names it
    except Corrupt as error:
        warnings.warn(f"{error}; it was passed over, and gemexp fsck tells more", DamageWarning, stacklevel=3)


def _load(folder: Folder, config_hash: str, metadata: Metadata, tags: list[str]) -> ExperimentConfig:
    data = objects.get(folder, config_hash)
    try:
        return ExperimentConfig.from_bytes(
            data, description=metadata.description, tags=tags, created_at=metadata.created_at
        )
    except Corrupt as error:
        error.path = error.path or layout.object_path(config_hash)
        raise


def _tag_folders(folder: Folder) -> Iterator[tuple[str, str]]:
    for escaped in folder.names_with_prefix(layout.TAGS, ""):
        tag = layout.unescape_name(escaped)
        if tag is not None:
            yield tag, f"{layout.TAGS}/{escaped}"


def _tags_by_config(folder: Folder) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for tag, path in sorted(_tag_folders(folder)):
        for config_hash in sets.members(folder, path):
            found.setdefault(config_hash, []).append(tag)
    return found


def _rank(config: ExperimentConfig, path: tuple[str | int, ...]) -> tuple[int, Any]:
    try:
        value = select(config.to_dict(), path)
    except InvalidPath:
        return (3, 0)
    if isinstance(value, (int, float)) and value == value:
        return (0, value)
    return (1, value) if isinstance(value, str) else (2, inline(value))
