"""Repairing a store: bad files out of the way, and good ones in their place where that can be known."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from gemexp import canonical
from gemexp.digest import HASH_DIGITS, hash_bytes
from gemexp.errors import Corrupt, NotFound
from gemexp.store import layout, names, objects, records
from gemexp.store.files import Folder

if TYPE_CHECKING:
    from gemexp.store.check import Problem


class Repair(NamedTuple):
    """What was done about a problem, and whether that solved it."""

    problem: Problem
    done: str
    solved: bool


def repair(folder: Folder, problems: Sequence[Problem], sources: Sequence[Folder]) -> list[Repair]:
    """Move bad files to ``local/quarantine`` and put good ones in their place where that can be known.

    A set's member is its file's name, and can always be written anew; an object, a record or a move is taken from the
    first of ``sources`` that has it whole.

    Raises:
        StoreUnwritable: The file system refused.
    """
    return [_repair_one(folder, problem, sources) for problem in problems]


def _repair_one(folder: Folder, problem: Problem, sources: Sequence[Folder]) -> Repair:
    done = [] if problem.missing else [f"moved to '{_quarantine(folder, problem.path)}'"]
    content, origin = _good_content(problem.path, sources)
    if content is not None:
        with folder.batch() as batch:
            batch.create(problem.path, content)
        done.append(f"taken from '{origin}'" if origin else "written anew")
    elif not _is_read(problem.path):
        return Repair(problem, done[0], solved=True)
    else:
        done.append("no good copy found")
    return Repair(problem, ", ".join(done), solved=content is not None)


def _quarantine(folder: Folder, path: str) -> str:
    target = f"{layout.QUARANTINE}/{path.replace('/', '_')}"
    number = 1
    while folder.exists(target):
        number += 1
        target = f"{layout.QUARANTINE}/{path.replace('/', '_')}.{number}"
    folder.move(path, target)
    return target


def _good_content(path: str, sources: Sequence[Folder]) -> tuple[bytes | None, str]:
    """Return what a file must hold, and the store it was found in; None if that is not known."""
    if path == layout.FORMAT_FILE:
        return layout.FORMAT, ""
    if _is_member(path):
        return b"", ""
    for source in sources:
        with contextlib.suppress(Corrupt, NotFound):
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
