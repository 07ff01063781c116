"""Making texts ahead: what git will ask for next, while one Python is running anyway.

git starts a program for every file, and starting Python takes longer than a hundred texts. So the first one that runs
also makes those of the files that came with its own, in the same commit and those before it, and leaves them in
``.git``. There the driver's command finds them by the file's name, and compares the bytes they were made of, so that
nothing but time depends on them.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence

from gemexp.errors import Corrupt, EngineFailed
from gemexp.git import Repository
from gemexp.store import layout
from gemexp.texts import SMALL, is_whole, text

_MOST_FILES = 500
_MOST_BYTES = 4 * 1024 * 1024
_MOST_COMMITS = 250
_MOST_SECONDS = 0.5
_GAVE_UP = "gave-up"
_RAW = ".raw"


def prepare(name: str, stores: Sequence[str], folder: str, asker: str) -> None:
    """Leave the texts of files that are likely to be asked for after ``name``; where that fails, none is there.

    Args:
        name: The file that was asked for.
        stores: Paths of stores, relative to the current folder, which is the top of the work tree.
        folder: Where to leave them; ours alone.
        asker: The process of git that asked: where nothing was found for it once, nothing is looked for again.
    """
    mark = os.path.join(folder, _GAVE_UP)
    with contextlib.suppress(OSError):
        if not os.path.isdir(os.path.dirname(os.path.dirname(folder))) or _read(mark) == asker:
            return
        os.makedirs(folder, exist_ok=True)
        # What a partial clone lacks is not fetched for what nobody has asked for yet.
        where, index = os.environ.get("GIT_DIR") or os.curdir, os.environ.get("GIT_INDEX_FILE")
        repository = Repository(where, index=index, foreign=True)
        try:
            blobs = _blobs_with(repository, stores, name)
        except EngineFailed:
            blobs = {}
        if not blobs:
            _write(mark, asker.encode())
            return
        _clear(folder)
        with contextlib.suppress(EngineFailed):
            _leave(repository, stores, folder, blobs)


def _blobs_with(repository: Repository, stores: Sequence[str], name: str) -> dict[str, str]:
    """Return the files that come with one, by name, and git's name of their content; none if it is not found."""
    found = _staged(repository, stores)
    if name not in found:
        found = _committed(repository, stores, name)
    return found if found.pop(name, None) else {}


def _staged(repository: Repository, stores: Sequence[str]) -> dict[str, str]:
    """Return what is staged: git's name of the content, by file name."""
    try:
        listed = repository.ask("diff-index", "--cached", *_RAW_OPTIONS, "HEAD", "--", *_folders(stores))
    except EngineFailed:  # before the first commit
        return {}
    return _blobs(listed)


def _committed(repository: Repository, stores: Sequence[str], name: str) -> dict[str, str]:
    """Return what came with a file, and before it."""
    paths = [path for store in stores for path in _places(store, name)]
    found = repository.ask("log", "--all", "-1", "--format=%H", "--", *paths, seconds=_MOST_SECONDS).split()
    if not found:
        return {}
    options = ("--format=", f"-{_MOST_COMMITS}", found[0].decode())
    return _blobs(repository.ask("log", *_RAW_OPTIONS, *options, "--", *_folders(stores), seconds=_MOST_SECONDS))


_RAW_OPTIONS = ("--raw", "-z", "--no-abbrev", "--no-renames", "--diff-filter=AM")


def _folders(stores: Sequence[str]) -> list[str]:
    # Not the moves of names: each is looked up in history by itself.
    return [f":(top,literal){_inside(store, folder)}" for store in stores for folder in (layout.OBJECTS, layout.INDEX)]


def _places(store: str, name: str) -> Iterator[str]:
    folder = layout.INDEX if "-" in name else layout.OBJECTS
    yield f":(top,literal){_inside(store, folder)}/{name[:2]}/{name}"


def _inside(store: str, path: str) -> str:
    return f"{store}/{path}" if store else path


def _blobs(raw: bytes) -> dict[str, str]:
    """Read what ``--raw -z`` prints: the new content of the first files, by name."""
    parts = raw.split(b"\0")
    found: dict[str, str] = {}
    for about, path in zip(parts[::2], parts[1::2], strict=False):
        name = os.fsdecode(path).rpartition("/")[2]
        found.setdefault(name, about.split()[3].decode())
        if len(found) > _MOST_FILES:
            break
    return found


def _leave(repository: Repository, stores: Sequence[str], folder: str, blobs: dict[str, str]) -> None:
    room = _MOST_BYTES
    with repository.blobs() as reader:
        for name, blob in blobs.items():
            try:
                data = reader.read(blob, SMALL)
            except Corrupt:  # too large to be worth it
                continue
            if data is None or not is_whole(name, data):
                continue
            made = text(name, data, stores)
            room -= len(data) + len(made)
            if room < 0:
                return
            # In this order: what there are bytes for has its text.
            _write(os.path.join(folder, name), made)
            _write(os.path.join(folder, f"{name}{_RAW}"), data)


def _clear(folder: str) -> None:
    for entry in sorted(os.listdir(folder), reverse=True):  # the bytes before the text that is there for them
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(folder, entry))


def _read(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except FileNotFoundError:
        return None


def _write(path: str, data: bytes) -> None:
    with open(path, "wb") as file:
        file.write(data)
