"""Which files two trees do not both have: by their names, which say all there is to say of a store's files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from gemexp.store import layout
from gemexp.store.git_tree import same_below
from gemexp.store.layout import RecordName
from gemexp.store.overlay import Packed
from gemexp.store.tree import Tree


class Touched(NamedTuple):
    """What files that only one of two trees has are about.

    Args:
        objects: Hashes of objects.
        records: Names of records.
        tags: The configs in each tag's set.
        deleted: Configs in the set of deleted ones.
        migrated: Whether pairs of migrated configs are among them.
        names: Names that were moved.
    """

    objects: set[str]
    records: set[RecordName]
    tags: dict[str, set[str]]
    deleted: set[str]
    migrated: bool
    names: set[str]


def paths(before: Tree, after: Tree) -> Iterator[str]:
    """Yield the paths of the files that only one of two trees has."""
    if isinstance(before, Packed) and isinstance(after, Packed) and set(_packs(before)) == set(_packs(after)):
        before, after = before.tree, after.tree
    for part in (layout.OBJECTS, layout.INDEX, layout.TAGS, layout.NAMES):
        if not same_below(before, after, part):
            for folder in sorted({*before.names(part), *after.names(part)}):
                yield from _below(before, after, f"{part}/{folder}")
    for part in (layout.DELETED, layout.MIGRATED):
        yield from _below(before, after, part)


def touched(found: Iterable[str]) -> Touched:
    """Say what files are about; those with names that no reader knows are about nothing."""
    about = Touched(set(), set(), {}, set(), migrated=False, names=set())
    migrated = False
    for path in found:
        folder, _, name = path.rpartition("/")
        part, _, inner = folder.rpartition("/")
        if part == layout.OBJECTS and layout.parse_object_name(name):
            about.objects.add(name)
        elif part == layout.INDEX:
            record = layout.parse_record_name(name)
            if record:
                about.records.add(record)
        elif part == layout.NAMES and layout.parse_object_name(name):
            pointer = layout.unescape_name(inner)
            if pointer is not None:
                about.names.add(pointer)
        elif folder == layout.MIGRATED:
            migrated = True
        else:
            _add_member(about, folder, name)
    return about._replace(migrated=migrated)


def _add_member(about: Touched, folder: str, name: str) -> None:
    member = layout.parse_member_name(name)
    if member is None:
        return
    if folder == layout.DELETED:
        about.deleted.add(member.config)
        return
    part, _, escaped = folder.rpartition("/")
    tag = layout.unescape_name(escaped)
    if part == layout.TAGS and tag is not None:
        about.tags.setdefault(tag, set()).add(member.config)


def _packs(tree: Tree) -> Iterator[str]:
    return filter(layout.parse_pack_name, tree.names(layout.PACKS))


def _below(before: Tree, after: Tree, folder: str) -> Iterator[str]:
    if same_below(before, after, folder):
        return
    found, others = set(before.names(folder)), set(after.names(folder))
    yield from (f"{folder}/{name}" for name in sorted(found ^ others))
