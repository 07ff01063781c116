"""Where a store lies, and making a new one."""

import contextlib
import os
from typing import NamedTuple

from gemexp.errors import Corrupt, InvalidInput, NoStore, StoreUnreadable, StoreUnwritable
from gemexp.store import durable, layout
from gemexp.store.files import Folder

ENVIRONMENT_VARIABLE = "GEMEXP_DIR"
_DATABASE_SUFFIXES = (".sqlite", ".sqlite3", ".db", ".db3")


class Location(NamedTuple):
    """A store's folder, and the SQLite file that was named for it, if one was.

    ``chosen`` tells whether someone named it, rather than it having been found from the current folder.
    """

    root: str
    database: str | None = None
    chosen: bool = True


def locate(path: str | os.PathLike[str] | None = None, *, is_database: bool = False) -> Location:
    """Return where the store is that ``path`` means.

    A folder is the store itself, or one that holds ``.gemexp``. A SQLite file (by its suffix, or because it is a
    file) has its store beside it: ``db.sqlite`` in ``db.gemexp``. Without a path: the folder that ``GEMEXP_DIR``
    names, or the nearest ``.gemexp`` upwards, or the one that would be made in the current folder.

    Args:
        path: A folder or a SQLite file.
        is_database: It is a SQLite file, whatever its name says and whether it is there or not.
    """
    if path is None:
        named = os.environ.get(ENVIRONMENT_VARIABLE)
        return Location(_absolute(named)) if named else _nearest(os.getcwd())
    text = os.fspath(path)
    if is_database or os.path.isfile(text) or (text.lower().endswith(_DATABASE_SUFFIXES) and not os.path.isdir(text)):
        database = _absolute(text)
        return Location(os.path.splitext(database)[0] + layout.STORE_FOLDER, database)
    root = _absolute(text)
    inner = os.path.join(root, layout.STORE_FOLDER)
    if not is_store(root) and is_store(inner):
        return Location(inner)
    return Location(root)


def is_store(root: str) -> bool:
    """Tell whether a folder is a store, of whatever version."""
    return os.path.isfile(os.path.join(root, layout.FORMAT_FILE))


def check(root: str, *, damaged: bool = False) -> None:
    """Accept a store that this version can read.

    Args:
        root: The store's folder.
        damaged: Accept one whose ``format`` file is damaged or missing, so that it can be repaired.

    Raises:
        NoStore: There is none.
        UnsupportedFormat: It is a newer version's.
        StoreUnreadable: Its folders may not be read.
        Corrupt: Its ``format`` file is damaged.
    """
    try:
        _check_format(root)
    except Corrupt:
        if not damaged or not os.path.isdir(os.path.join(root, layout.OBJECTS)):
            raise
    _refuse_links(root)
    for folder in (layout.OBJECTS, layout.INDEX, layout.REFS):
        path = os.path.join(root, folder)
        if os.path.isdir(path) and not os.access(path, os.R_OK | os.X_OK):  # it would look empty
            hint = "the store is not readable for you"
            raise StoreUnreadable(f"cannot read '{folder}' in the store '{root}'", path=path, hint=hint)


def init(root: str) -> bool:
    """Make a store in ``root``, or complete one that is there; return whether it is new.

    Raises:
        InvalidInput: The folder holds other things.
        UnsupportedFormat: A store of a newer version is there; it is not touched.
        StoreUnwritable: The file system refused.
    """
    existed = is_store(root)
    _refuse_links(root)
    if existed:
        check(root)
    elif os.path.isdir(root):
        strangers = set(os.listdir(root)) - _OWN_NAMES
        if strangers and not os.path.isdir(os.path.join(root, layout.OBJECTS)):
            raise InvalidInput(
                f"'{root}' is not a store, and not empty",
                hint=f"name a folder of its own, such as {os.path.join(root, layout.STORE_FOLDER)}",
            )
    try:
        os.makedirs(root, exist_ok=True)
        for folder in (layout.OBJECTS, layout.INDEX, layout.TAGS, layout.DELETED, layout.TMP):
            os.makedirs(os.path.join(root, folder), exist_ok=True)
        if not existed:
            _write_settings(root)
    except OSError as error:
        raise StoreUnwritable(
            f"cannot make a store in '{root}': {(error.strerror or str(error)).lower()}",
            path=root,
            errno=error.errno,
            hint=durable.HINTS.get(error.errno or 0),
        ) from None
    return not existed


def _check_format(root: str) -> None:
    path = os.path.join(root, layout.FORMAT_FILE)
    data = Folder(root).read(layout.FORMAT_FILE, 4096)
    if data is not None:
        layout.check_format(data, path)
    elif os.path.isdir(os.path.join(root, layout.OBJECTS)):
        raise Corrupt("is missing", path=path, hint="gemexp fsck --repair writes it anew")
    else:
        raise NoStore(f"there is no store in '{root}'", hint="gemexp init makes one")


def _refuse_links(root: str) -> None:
    """Accept a store none of whose own folders is a link, nor anything in ``local/``: a clone may bring such along.

    Raises:
        Corrupt: One is.
    """
    paths = list(_FOLDERS)
    with contextlib.suppress(OSError), os.scandir(os.path.join(root, layout.LOCAL)) as entries:
        paths += [f"{layout.LOCAL}/{entry.name}" for entry in entries if entry.is_symlink()]
    for path in paths:
        if os.path.islink(os.path.join(root, path)):
            raise Corrupt(durable.LINKED, path=os.path.join(root, path), hint=durable.LINK_HINT)


_FOLDERS = (
    *(layout.OBJECTS, layout.INDEX, layout.PACKS, layout.LOCAL),
    *(layout.REFS, layout.TAGS, layout.DELETED, layout.NAMES, layout.MIGRATED),
)
_OWN_NAMES = {
    layout.ATTRIBUTES_FILE,
    layout.IGNORE_FILE,
    layout.OBJECTS,
    layout.INDEX,
    layout.REFS,
    layout.PACKS,
    layout.LOCAL,
}


def _write_settings(root: str) -> None:
    """Write the files at the top; the format file last, since it is what makes the folder a store."""
    with Folder(root).batch() as batch:
        for name, content in ((layout.ATTRIBUTES_FILE, layout.ATTRIBUTES), (layout.IGNORE_FILE, layout.IGNORE)):
            if not os.path.exists(os.path.join(root, name)):  # a user may have changed it
                batch.create(name, content)
        batch.create(layout.FORMAT_FILE, layout.FORMAT)
    parent = os.open(os.path.dirname(root) or ".", os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(parent)
    finally:
        os.close(parent)


def _nearest(start: str) -> Location:
    folder = start
    while True:
        root = os.path.join(folder, layout.STORE_FOLDER)
        if os.path.isdir(root):
            return Location(root, chosen=False)
        parent = os.path.dirname(folder)
        if parent == folder:
            return Location(os.path.join(start, layout.STORE_FOLDER), chosen=False)
        folder = parent


def _absolute(path: str) -> str:
    return os.path.abspath(os.path.expanduser(path))
