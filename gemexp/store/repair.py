"""Repairing a store: bad files out of the way, and good ones in their place where that can be known."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from gemexp import canonical
from gemexp.digest import HASH_DIGITS, hash_bytes
from gemexp.errors import Corrupt, NotFound, StoreUnreadable
from gemexp.store import (
    durable,
    entries,
    layout,
    names,
    objects,
    pack_format,
    packing,
    records,
    salvage,
)
from gemexp.store.files import Folder

if TYPE_CHECKING:
    from gemexp.store.check import Problem


_NAMED_AT_MOST = 100
_UNKNOWN = "what else was in it is not known, and gemexp merge takes what others have"


class Repair(NamedTuple):
    """What was done about a problem, and whether that solved it."""

    problem: Problem
    done: str
    solved: bool


def repair(folder: Folder, problems: Sequence[Problem], sources: Sequence[Folder]) -> list[Repair]:
    """Move bad files to ``local/quarantine`` and put good ones in their place where that can be known.

    A set's member is its file's name, and can always be written anew; an object, a record or a move is taken from the
    store itself, if it has it a second time, or from the first of ``sources`` that has it whole. Of a damaged pack, all
    that is whole in it is kept, as a new pack.

    Raises:
        StoreUnwritable: The file system refused.
    """
    warned, folder.packs.warns = folder.packs.warns, False
    trash = (Folder(f"{folder.root}/{layout.TRASH}/{name}") for name in folder.loose.names(layout.TRASH))
    sources = [*trash, *sources]  # a collector that was killed may have left what somebody needs
    for source in sources:
        source.packs.warns = False
    try:
        by_pack: dict[str, list[Problem]] = {}
        for problem in problems:
            if not problem.missing and _pack_name(problem.path):
                by_pack.setdefault(problem.path, []).append(problem)
        done: dict[Problem, Repair] = {}
        for path, of_pack in by_pack.items():  # first, so that no bad copy in a pack stands before a good one
            done |= _repair_pack(folder, path, of_pack, sources)
        return [done.get(problem) or _repair_one(folder, problem, sources) for problem in problems]
    finally:
        folder.packs.warns = warned


def _repair_one(folder: Folder, problem: Problem, sources: Sequence[Folder]) -> Repair:
    if problem.stays:
        return Repair(problem, f"left as it is: {problem.stays}", solved=False)
    if problem.path.startswith(f"{layout.PACK_INDEXES}/"):
        folder.remove([problem.path])
        return Repair(problem, "removed; it is made anew when it is needed", solved=True)
    mended = None if problem.missing else _in_place(folder, problem)
    if mended is not None:
        return Repair(problem, mended, solved=True)
    done = [] if problem.missing else [f"moved to '{_quarantine(folder, problem.path)}'"]
    if entries.is_folder(problem.path):
        number = _restore_below(folder, problem.path, sources)
        return Repair(problem, f"{', '.join(done)}; {number} files below it restored", solved=True)
    pack = _pack_name(problem.path)
    if pack is not None:
        origin = salvage.take(folder, pack, sources)
        done.append(f"taken from '{origin}'" if origin else _UNKNOWN)
        return Repair(problem, ", ".join(done), solved=bool(origin))
    found = _restore(folder, problem.path, sources)
    if found is None and not _is_read(problem.path):
        return Repair(problem, ", ".join(done), solved=True)
    return Repair(problem, ", ".join([*done, found or "no good copy found"]), solved=found is not None)


def _in_place(folder: Folder, problem: Problem) -> str | None:
    """Mend what needs no other copy: permissions, and whole files in the wrong folder; say how, or return None."""
    path = problem.path
    if problem.message in (entries.NOT_READABLE, entries.NOT_LISTABLE):
        try:
            os.chmod(f"{folder.root}/{path}", 0o755 if problem.message == entries.NOT_LISTABLE else durable.MODE)
        except OSError as error:
            raise durable.unwritable(error, folder.root) from None
        return "made readable; gemexp fsck tells whether it is whole"
    place = entries.right_place(path)
    if place is None or folder.loose.exists(place):
        return None
    with contextlib.suppress(Corrupt, NotFound, StoreUnreadable):
        data = folder.loose.read(path, objects.MAX_OBJECT_BYTES)
        if data is not None and packing.is_whole(pack_format.to_key(place), data):
            folder.move(path, place)
            return f"moved to '{place}', where it belongs"
    return None


def _restore(folder: Folder, path: str, sources: Sequence[Folder]) -> str | None:
    """Put a good file in a place where none is; say where it came from, or return None if there is none.

    With an object come the records about it that the store lacks: whoever lost the one may have lost the others.
    """
    name = path.rpartition("/")[2]
    about = layout.parse_object_name(name) or layout.parse_object_name(name.removesuffix("-*"))
    taken = _take_records(folder, about, sources) if about and not path.startswith(f"{layout.REFS}/") else None
    if name.endswith("-*"):
        return taken
    content, origin = _good_content(path, [folder, *sources])
    if content is None:
        return None
    with folder.batch() as batch:
        batch.create(path, content)
    if origin == folder.root:
        return "the store has a good copy"
    return f"taken from '{origin}'" if origin else "written anew"


def _restore_below(folder: Folder, path: str, sources: Sequence[Folder]) -> int:
    """Put all that other stores have in a folder in its place; return how many files that were."""
    number = 0
    for name in {name for source in sources for name in source.names(path)}:
        inside = f"{path}/{name}"
        if entries.is_file(inside):
            number += _restore(folder, inside, sources) is not None
        elif entries.is_folder(inside):
            number += _restore_below(folder, inside, sources)
    return number


def _take_records(folder: Folder, config_hash: str, sources: Sequence[Folder]) -> str | None:
    """Take over the records about a config; say from where, or return None if there are none."""
    origin = None
    with folder.batch() as batch:
        for source in sources:
            for name in records.names_with_prefix(source, f"{config_hash}-"):
                path = layout.record_path(*name)
                with contextlib.suppress(Corrupt, StoreUnreadable):
                    content = None if folder.exists(path) else _whole(source, path)
                    if content is not None:
                        batch.create(path, content)
                        origin = f"taken from '{source.root}'"
    return origin


def _repair_pack(
    folder: Folder, path: str, problems: Sequence[Problem], sources: Sequence[Folder]
) -> dict[Problem, Repair]:
    """Keep what is whole in a damaged pack, and restore what was not from elsewhere."""
    name = _pack_name(path) or ""
    if all(problem.stays for problem in problems):
        return {}
    bad = {problem.entry for problem in problems if problem.entry and not problem.stays}
    quarantine = _free_place(folder, path)
    try:
        salvaged = salvage.salvage(folder, name, bad, sources, quarantine)
    except (Corrupt, StoreUnreadable):  # it is no file that could hold anything
        return {}
    kept = f"moved to '{quarantine}'"
    if salvaged.origin:
        kept += f", taken from '{salvaged.origin}'"
    elif salvaged.pack is not None:
        kept += f", what was whole ({salvaged.files} files) is in '{layout.pack_path(salvaged.pack)}'"
    done = {}
    for problem in problems:
        if problem.stays:
            done[problem] = _repair_one(folder, problem, sources)
        elif problem.entry and salvaged.pack != name:
            found = _restore(folder, problem.entry, sources)
            done[problem] = Repair(problem, found or "lost: no good copy found", solved=found is not None)
    solved = salvaged.pack == name
    if not solved:
        restored, solved = _restore_lost(folder, salvaged.lost, sources)
        kept = f"{kept}{restored}"
        solved = solved and all(one.solved for one in done.values())
        salvage.drop(folder, name)
    packing.forget_indexes(folder)
    return {problem: done.get(problem) or Repair(problem, kept, solved=solved) for problem in problems}


def _restore_lost(folder: Folder, lost: dict[str, int] | None, sources: Sequence[Folder]) -> tuple[str, bool]:
    """Restore what is no longer in a pack, as far as an index of it still knows what that was; say how far it is."""
    if lost is None:
        return f"; {_UNKNOWN}", False
    left = []
    for start, number in lost.items():
        parent, _, beginning = start.rpartition("/")
        found = {name for one in (folder, *sources) for name in one.names_with_prefix(parent, beginning)}
        if sum(_restore(folder, f"{parent}/{name}", sources) is not None for name in found) < number:
            left.append(f"{start}…")
    told = f"; {len(lost) - len(left)} of {len(lost)} others restored" if lost else ""
    more = f" and {len(left) - _NAMED_AT_MOST} more" if len(left) > _NAMED_AT_MOST else ""
    return (f"{told}; lost: {', '.join(left[:_NAMED_AT_MOST])}{more}" if left else told), not left


def _pack_name(path: str) -> str | None:
    folder, _, name = path.rpartition("/")
    return layout.parse_pack_name(name) if folder == layout.PACKS else None


def _quarantine(folder: Folder, path: str) -> str:
    target = _free_place(folder, path)
    folder.move(path, target)
    return target


def _free_place(folder: Folder, path: str) -> str:
    target = f"{layout.QUARANTINE}/{path.replace('/', '_')}"
    number = 1
    while folder.loose.exists(target):
        number += 1
        target = f"{layout.QUARANTINE}/{path.replace('/', '_')}.{number}"
    return target


def _good_content(path: str, sources: Sequence[Folder]) -> tuple[bytes | None, str]:
    """Return what a file must hold, and the store it was found in; None if that is not known."""
    if path == layout.FORMAT_FILE:
        return layout.FORMAT, ""
    if _is_member(path):
        return b"", ""
    for source in sources:
        with contextlib.suppress(Corrupt, NotFound, StoreUnreadable):
            data = _whole(source, path)
            if data is not None:
                return data, source.root
    return None, ""


def _whole(source: Folder, path: str) -> bytes | None:
    """Return the bytes of an object, record or move that are as their name and kind promise; None if it is none."""
    name = path.rpartition("/")[2]
    if _is_object(path):
        return objects.get(source, name)
    record, moved = layout.parse_record_name(name), _moved_name(path)
    if record and _is_record(path):
        records.read(source, record)
    elif moved is not None:
        names.read(source, moved, name)
    else:
        return None
    data = source.read(path, canonical.MAX_BYTES)
    return data if data is not None and hash_bytes(data) == name[-HASH_DIGITS:] else None


def _is_read(path: str) -> bool:
    """Tell whether readers look at a path: at no other is anything missing once the file is gone."""
    known = path == layout.FORMAT_FILE or _is_object(path) or _is_record(path) or _is_member(path)
    return known or _moved_name(path) is not None


def _is_object(path: str) -> bool:
    name = layout.parse_object_name(path.rpartition("/")[2])
    return name is not None and path == layout.object_path(name)


def _is_record(path: str) -> bool:
    name = layout.parse_record_name(path.rpartition("/")[2])
    return name is not None and path == layout.record_path(*name)


def _is_member(path: str) -> bool:
    folder, _, name = path.rpartition("/")
    tags, _, tag = folder.rpartition("/")
    of_tag = tags == layout.TAGS and layout.unescape_name(tag) is not None
    if not (of_tag or folder in (layout.DELETED, layout.MIGRATED)):
        return False
    return layout.parse_member_name(name, pairs=folder == layout.MIGRATED) is not None


def _moved_name(path: str) -> str | None:
    """Return the name that a file is a move of, by its path; None if it is no move."""
    folder, _, record = path.rpartition("/")
    parent, _, escaped = folder.rpartition("/")
    return layout.unescape_name(escaped) if parent == layout.NAMES and layout.parse_object_name(record) else None
