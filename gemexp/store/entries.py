"""What lies in a store's folder, and whether anything may lie there so, before a byte of it is read."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from typing import Final

from gemexp.store import layout, pack_format

FILES_AT_TOP: Final = {layout.FORMAT_FILE, layout.ATTRIBUTES_FILE, layout.IGNORE_FILE}
SETTINGS: Final = {layout.ATTRIBUTES_FILE: layout.ATTRIBUTES, layout.IGNORE_FILE: layout.IGNORE}
# In order: each comes after the one that it lies in.
LOCAL_FOLDERS: Final = (
    *(layout.LOCAL, layout.TMP, layout.TRASH, layout.JOURNAL),
    *(layout.PACK_INDEXES, layout.QUARANTINE, layout.PANELS),
)
_SHARED_FOLDERS: Final = {
    *(layout.OBJECTS, layout.INDEX, layout.REFS, layout.TAGS),
    *(layout.DELETED, layout.MIGRATED, layout.NAMES, layout.PACKS),
}
_SPECIAL: Final = {
    stat.S_IFLNK: "is a symbolic link, which a store never holds",
    stat.S_IFIFO: "is a named pipe, and not a regular file",
    stat.S_IFSOCK: "is a socket, and not a regular file",
    stat.S_IFCHR: "is a device, and not a regular file",
    stat.S_IFBLK: "is a device, and not a regular file",
    stat.S_IFDIR: "is a folder, where a file belongs",
}
NOT_READABLE: Final = "has permissions that let nobody read it"
NOT_LISTABLE: Final = "is a folder that cannot be read"


def walk(root: str, path: str) -> Iterator[tuple[str, int | None]]:
    """Yield (path, mode) of a file, or of all below a folder in order of path, without following links.

    A folder that cannot be read has no mode; one in a file's place is yielded itself, and what is in it is not.
    """
    try:
        mode = os.lstat(f"{root}/{path}").st_mode
        if not stat.S_ISDIR(mode) or is_file(path):
            yield path, mode
            return
        inside = sorted(os.listdir(f"{root}/{path}"))
    except FileNotFoundError:  # there is none, or it has gone
        return
    except OSError:
        yield path, None
        return
    if mode & (stat.S_IRUSR | stat.S_IXUSR) != stat.S_IRUSR | stat.S_IXUSR:  # but root can
        yield path, None
    for name in inside:
        yield from walk(root, f"{path}/{name}")


def fault(path: str, mode: int | None) -> str | None:
    """Return what is wrong with an entry that should be a file, whatever is in it; None if nothing is."""
    if mode is None:
        return NOT_LISTABLE
    if not stat.S_ISREG(mode):
        return _SPECIAL.get(stat.S_IFMT(mode), "is not a regular file")
    if is_folder(path) and path.rpartition("/")[0] not in (layout.TAGS, layout.NAMES):  # whose names anyone chooses
        return "is a file, where a folder belongs"
    return None if mode & 0o444 else NOT_READABLE


def faults_in_local(root: str) -> Iterator[tuple[str, str]]:
    """Yield (path, what is wrong) of folders below ``local/`` that are none."""
    for path in LOCAL_FOLDERS:
        try:
            mode = os.lstat(f"{root}/{path}").st_mode
        except OSError:
            continue
        if stat.S_ISREG(mode):
            yield path, "is a file, where a folder belongs"
        elif not stat.S_ISDIR(mode):
            yield path, _SPECIAL.get(stat.S_IFMT(mode), "is not a folder")
        if not stat.S_ISDIR(mode) and path == layout.LOCAL:
            return


def is_writable_by_others(mode: int | None) -> bool:
    """Tell whether others than the owner may write to a file: not so where gemexp or git made it."""
    return mode is not None and stat.S_ISREG(mode) and bool(mode & (stat.S_IWGRP | stat.S_IWOTH))


def is_file(path: str) -> bool:
    """Tell whether there is a file at a path in a store, or would be."""
    folder, _, name = path.rpartition("/")
    if path in FILES_AT_TOP or (folder == layout.PACKS and layout.parse_pack_name(name) is not None):
        return True
    return pack_format.is_path(path)


def right_place(path: str) -> str | None:
    """Return where a file belongs that has one of our names, in a folder where no reader looks; None for any other."""
    parts, name = path.split("/"), path.rpartition("/")[2]
    found = None
    if parts[0] == layout.OBJECTS and len(parts) == 3 and layout.parse_object_name(name):
        found = layout.object_path(name)
    elif parts[0] == layout.INDEX and len(parts) == 3:
        record = layout.parse_record_name(name)
        found = layout.record_path(*record) if record else None
    return None if found == path else found


def is_misplaced(path: str) -> bool:
    """Tell whether a file's name is one of ours, but not its folder's."""
    parts, name = path.split("/"), path.rpartition("/")[2]
    if path.startswith(f"{layout.NAMES}/") and len(parts) == 4:
        return layout.parse_object_name(name) is not None and layout.unescape_name(parts[2]) is None
    return right_place(path) is not None


def is_folder(path: str) -> bool:
    """Tell whether there is a folder at a path in a store, or would be."""
    if path in _SHARED_FOLDERS:
        return True
    folder, _, name = path.rpartition("/")
    if folder in (layout.OBJECTS, layout.INDEX):
        return layout.parse_fan_out(name) is not None
    return folder in (layout.TAGS, layout.NAMES) and layout.unescape_name(name) is not None
