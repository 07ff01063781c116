"""Configurations out of the store's files: one, those with a tag, or all; in whatever order is asked for."""

from __future__ import annotations

import heapq
import warnings
from collections.abc import Collection, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from gemexp.config import ExperimentConfig, instant
from gemexp.errors import Corrupt, DamageWarning, InvalidPath, NotFound
from gemexp.notation import inline
from gemexp.paths import Path, select
from gemexp.revision import tagged
from gemexp.store import layout, objects, records, sets
from gemexp.store.files import Folder
from gemexp.store.records import Metadata, Run
from gemexp.store.standing import Standing
from gemexp.store.tree import Tree

if TYPE_CHECKING:
    from gemexp.outcome import StoredOutcome


def load(tree: Tree, config_hash: str) -> ExperimentConfig:
    """Return the configuration of a whole hash, deleted or not.

    Raises:
        NotFound: There is no such object.
        Corrupt: It is damaged, or not a configuration.
    """
    data = objects.get(tree, config_hash)
    return decoded(config_hash, data, records.metadata(tree, config_hash), tags_of(tree, config_hash))


def every(tree: Tree, *, among: Collection[str] | None = None) -> Iterator[ExperimentConfig]:
    """Yield all configurations, in order of hash; or those among some hashes, in their order."""
    from gemexp.query import walk

    return (entry.config for entry in walk.entries(tree, among=among))


def count(tree: Tree) -> int:
    """Return how many configurations are listed; damaged ones count."""
    standing = Standing(tree)
    return sum(
        1
        for name, metadata in records.all_metadata(tree)
        if metadata.puts and standing.is_listed(name) and objects.exists(tree, name)
    )


def newest(
    tree: Tree, *, tag: str | None = None, among: Iterable[str] | None = None, limit: int | None = None
) -> list[ExperimentConfig]:
    """Return configurations, or those with a tag, or among some hashes, newest first; at most ``limit``."""
    hashes = among if tag is None else tagged(tree, tag)
    standing = Standing(tree)
    if hashes is None and limit is not None and isinstance(tree, Folder) and not standing.migrated:
        from gemexp.query import recent

        if limit <= recent.MAX_LIMIT:
            return recent.newest(tree, standing, limit)
    found = records.all_metadata(tree) if hashes is None else _metadata_of(tree, hashes)
    dated = (
        (instant(metadata.created_at), config_hash, metadata)
        for config_hash, metadata in found
        if metadata.puts and standing.is_listed(config_hash) and objects.exists(tree, config_hash)
    )
    chosen = sorted(dated, reverse=True) if limit is None else heapq.nlargest(limit, dated)
    from gemexp.query import walk

    names = {name for _, name, _ in chosen}
    tags = None if walk.are_few(tree, len(names)) else walk.Carried(tree, standing, among=names).all()
    loaded = (
        walk.load_whole(tree, name, metadata, tags_of(tree, name, standing) if tags is None else tags.get(name, []))
        for _, name, metadata in chosen
    )
    return [config for config in loaded if config is not None]


def ordered(found: Iterable[ExperimentConfig], path: Path) -> list[ExperimentConfig]:
    """Return configurations in the order of a field, or of the value at a path.

    Numbers come before text and text before the rest; configurations without the value come last, and equal ones stay
    in the order that they are in.
    """
    return sorted(found, key=lambda config: _rank(config, path))


def runs(tree: Tree) -> list[Run]:
    """Return the runs of all configurations that are not deleted, newest first."""
    deleted = sets.members(tree, layout.DELETED)
    return by_time(run for name, metadata in records.all_metadata(tree) if name not in deleted for run in metadata.runs)


def runs_of(tree: Tree, *config_hashes: str) -> list[Run]:
    """Return the runs of some configurations and of those that they replace, newest first."""
    standing = Standing(tree)
    names = {name for config_hash in config_hashes for name in (config_hash, *standing.predecessors(config_hash))}
    return by_time(run for name in names for run in records.metadata(tree, name).runs)


def disputed(tree: Tree, hashes: Iterable[str]) -> set[str]:
    """Return which configurations had different outcomes on the same data, themselves or one that they replace."""
    standing = Standing(tree) if tree.exists(layout.MIGRATED) else None
    return {
        name
        for name in hashes
        if any(
            records.metadata(tree, one).disputed for one in (name, *(standing.predecessors(name) if standing else ()))
        )
    }


def by_time(runs: Iterable[Run]) -> list[Run]:
    """Return runs in order, newest first."""
    return sorted(runs, key=lambda run: (instant(run.created_at), run.config, run.outcome), reverse=True)


def outcome(tree: Tree, outcome_hash: str) -> StoredOutcome | None:
    """Return an outcome; None if it is missing, or is damaged, of which there is a warning."""
    from gemexp.outcome import StoredOutcome

    try:
        return StoredOutcome.from_bytes(objects.get(tree, outcome_hash))
    except NotFound:
        return None
    except Corrupt as error:
        path = error.path or layout.object_path(outcome_hash)
        warnings.warn(f"'{path}' {error.message}; it was passed over", DamageWarning, stacklevel=3)
        return None


def all_tags(tree: Tree) -> list[str]:
    """Return the tags that configurations carry or carried, sorted."""
    return sorted(tag for tag, _ in tag_folders(tree))


def tag_counts(tree: Tree) -> dict[str, int]:
    """Return how many configurations carry each tag, by tag; tags that none carries are left out."""
    standing = Standing(tree)
    there = set(filter(standing.is_listed, objects.all_hashes(tree)))
    counts = {tag: len(standing.carried(sets.lengths(tree, path)) & there) for tag, path in tag_folders(tree)}
    return {tag: number for tag, number in sorted(counts.items()) if number}


def tags_of(tree: Tree, config_hash: str, standing: Standing | None = None) -> list[str]:
    """Return the tags of a configuration, sorted; what it takes over from those it replaces counts."""
    if standing is None and tree.exists(layout.MIGRATED):
        standing = Standing(tree)
    if standing is None or not standing.migrated:
        return carried_tags(sets.tag_lengths(tree, config_hash))
    return sorted(tag for tag, path in tag_folders(tree) if standing.carries(tree, path, config_hash))


def carried_tags(lengths: dict[str, int]) -> list[str]:
    """Return the tags, sorted, in whose sets a configuration is present, by its causal lengths in their folders."""
    names = (layout.unescape_name(path.rpartition("/")[2]) for path, length in lengths.items() if length % 2 == 1)
    return sorted(tag for tag in names if tag is not None)


def hashes_with_prefix(tree: Tree, prefix: str, *, deleted: bool = False) -> list[str]:
    """Return the hashes of configurations that begin with ``prefix``, which may be empty; sorted.

    Args:
        tree: The store.
        prefix: Hexadecimal digits.
        deleted: Those that are deleted instead of the others.
    """
    prefix = prefix.lower()
    if len(prefix) < 2:
        found = {name.config for name in records.all_names(tree) if name.config.startswith(prefix)}
    else:
        found = {name.config for name in records.names_with_prefix(tree, prefix)}
    marked = sets.members(tree, layout.DELETED)
    found = found & marked if deleted else found - marked
    return sorted(name for name in found if objects.exists(tree, name))


def _metadata_of(tree: Tree, hashes: Iterable[str]) -> Iterator[tuple[str, Metadata]]:
    return ((config_hash, records.metadata(tree, config_hash)) for config_hash in hashes)


def decoded(config_hash: str, data: bytes, metadata: Metadata, tags: list[str]) -> ExperimentConfig:
    """Return the configuration that an object's bytes are, with what the store says of it.

    Raises:
        Corrupt: They are not a configuration's.
    """
    try:
        return ExperimentConfig.from_bytes(
            data, description=metadata.description, tags=tags, created_at=metadata.created_at
        )
    except Corrupt as error:
        error.path = error.path or layout.object_path(config_hash)
        raise


def tag_folders(tree: Tree) -> Iterator[tuple[str, str]]:
    """Yield (tag, folder of its set), those that nobody carries any more too."""
    for escaped in tree.names_with_prefix(layout.TAGS, ""):
        tag = layout.unescape_name(escaped)
        if tag is not None:
            yield tag, f"{layout.TAGS}/{escaped}"


def tags_by_config(tree: Tree, standing: Standing) -> dict[str, list[str]]:
    """Return the tags of all configurations that carry any, sorted, by hash."""
    from gemexp.query import walk

    return walk.Carried(tree, standing).all()


def _rank(config: ExperimentConfig, path: Path) -> tuple[int, Any]:
    try:
        value = select(config.to_dict(), path)
    except InvalidPath:
        return (3, 0)
    if isinstance(value, (int, float)) and value == value:
        return (0, value)
    return (1, value) if isinstance(value, str) else (2, inline(value))
