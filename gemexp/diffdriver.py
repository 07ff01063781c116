"""The diff driver: telling a repository to show the files of its stores as text.

Two things are written, both in ``.git`` and neither shared: the driver itself into the configuration, and into
``info/attributes`` which files it is for. The latter comes before the store's own ``.gitattributes``, which keeps git
from printing raw bytes where there is no driver.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from typing import NamedTuple

from gemexp.describing import VERSION
from gemexp.errors import NoStore
from gemexp.git import Repository, write_whole
from gemexp.store import layout

DRIVER = "gemexp"
_SECTION = f"diff.{DRIVER}"
_CACHE = f"refs/notes/textconv/{DRIVER}"
_ATTRIBUTE = f" diff={DRIVER}".encode()
_FOLDERS = (layout.OBJECTS, layout.INDEX, layout.NAMES, layout.PACKS)
_BEGIN = b"# >>> gemexp: written by `gemexp git setup`, removed by `gemexp git setup --remove`"
_END = b"# <<< gemexp"
_MOST_FORMAT_BYTES = 4096
_PROGRAM = "gemexp-textconv"


class Driven(NamedTuple):
    """What the driver is set up for.

    Args:
        stores: Paths of the stores within the repository, sorted.
        attributes: The file that holds the attributes.
        changed: Whether anything was written.
    """

    stores: list[str]
    attributes: str
    changed: bool


def set_up(repository: Repository, also: Iterable[str] = ()) -> Driven:
    """Have git show the stores of a repository as text; what is set up already is left alone.

    Args:
        repository: The repository.
        also: Paths of stores within it that git may not know yet.

    Raises:
        NoStore: There is none.
        EngineFailed: git refused.
    """
    stores = sorted({*find_stores(repository), *also})
    if not stores:
        raise NoStore(f"there is no store in the repository '{repository.folder}'", hint="gemexp init makes one")
    settings = {"textconv": command(stores, _prepared(repository)), "cachetextconv": "true", "binary": "true"}
    current = {key: _setting(repository, key) for key in settings}
    attributes = repository.path("info/attributes")
    patterns = [_pattern(store, folder) + _ATTRIBUTE for store in stores for folder in _FOLDERS]
    changed = _write_block(attributes, [_BEGIN, *patterns, _END])
    if current != settings:
        for key, value in settings.items():
            repository.ask("config", "--local", "--replace-all", f"{_SECTION}.{key}", value)
        _forget(repository)
    return Driven(stores, attributes, changed or current != settings)


def remove(repository: Repository) -> Driven:
    """Take back what `set_up` wrote.

    Raises:
        EngineFailed: git refused.
    """
    attributes = repository.path("info/attributes")
    changed = _write_block(attributes, [])
    if _setting(repository, "textconv") is not None:
        repository.ask("config", "--local", "--remove-section", _SECTION)
        changed = True
    _forget(repository)
    return Driven([], attributes, changed)


def find_stores(repository: Repository) -> list[str]:
    """Return the paths of the stores in a repository that git knows, or would see with ``git add``."""
    if repository.bare:
        head = repository.head()
        paths = list(repository.lines("ls-tree", "-r", "-z", "--name-only", "--full-tree", head)) if head else []
        formats = [path for path in paths if path.rpartition("/")[2] == layout.FORMAT_FILE]
    else:
        shown = ("--cached", "--others", "--exclude-standard")
        formats = list(repository.lines("ls-files", "-z", *shown, "--", f":(top,glob)**/{layout.FORMAT_FILE}"))
    with repository.blobs() as blobs:
        found = set()
        for path in formats:
            data = None
            if not repository.bare:
                data = _content(os.path.join(repository.folder, path))
            if data is None and "\n" not in path:
                data = blobs.read(f"{'HEAD' if repository.bare else ''}:{path}", _MOST_FORMAT_BYTES)
            if data is not None and data.startswith(b"gemexp "):
                found.add(path.rpartition("/")[0])
    return sorted(found)


def command(stores: Sequence[str], prepared: str) -> str:
    """Return the command by which git has a file's text made.

    It takes a text that was made ahead of the same bytes; see `gemexp.ahead`. Else it starts the Python that gemexp
    runs in now, without what takes time: no site, no entry point. Where that is gone, ``gemexp-textconv`` on the PATH;
    where that is not there either, plain bytes. git keeps every text together with the command that made it, so bytes
    that it took for text would stay: the command then changes its own number, which makes git forget them.

    It has to be one line, or git never finds again what it keeps; git puts ``"$@"`` behind it.

    Args:
        stores: Paths of stores within the repository.
        prepared: The folder of texts that were made ahead.
    """
    module, folders = _importable()
    find = f'import sys; sys.path.extend(sys.argv.pop(1).split("{os.pathsep}"))'
    start = f"{find}; from gemexp.textconv import run; run()"
    arguments = "".join(f"--store {shlex.quote(store or os.curdir)} " for store in stores) + '"$1"'
    python = shlex.quote(sys.executable)
    here = f'{python} -I -S -c {shlex.quote(start)} {shlex.quote(folders)} --ahead "$d" "$PPID" {arguments}'
    setting = f"git config --local {_SECTION}.textconv"
    parts = [
        f"n=0; : gemexp text {VERSION}; d={shlex.quote(prepared)}; t=$d/${{1##*/}}",
        'case $1 in -*) set -- "./$1"; esac',
        'test -s "$t" && cmp -s "$t.raw" "$1" && cat "$t" && return',
        f"test -x {python} && test -f {shlex.quote(module)} && {here} && return",
        f"command -v {_PROGRAM} >/dev/null && {_PROGRAM} {arguments} && return",
        f'{setting} "$({setting} | sed "s/n=$n;/n=$((n + 1));/")" 2>/dev/null',
        'cat -v "$1"',
    ]
    return f"f() {{ {'; '.join(parts)}; }}; f"


def _importable() -> tuple[str, str]:
    """Return the file of `gemexp.textconv`, and the folders that gemexp and msgpack are imported from."""
    found = {name: find_spec(name) for name in ("gemexp", "msgpack")}
    packages = {
        name: os.path.dirname(os.path.abspath(spec.origin)) for name, spec in found.items() if spec and spec.origin
    }
    folders = dict.fromkeys(os.path.dirname(package) for package in packages.values())
    return os.path.join(packages["gemexp"], "textconv.py"), os.pathsep.join(folders)


def _setting(repository: Repository, key: str) -> str | None:
    found = repository.ask("config", "--local", "-z", "--get", f"{_SECTION}.{key}", accept=(0, 1))
    return os.fsdecode(found[:-1]) if found else None


def _prepared(repository: Repository) -> str:
    """Return the folder of texts that are made ahead, in what all work trees of a repository share."""
    shared = os.path.dirname(os.path.dirname(repository.path("info/attributes")))
    return os.path.join(shared, DRIVER, f"text-{VERSION}")


def _forget(repository: Repository) -> None:
    """Have git forget the texts that it keeps, and those that were made ahead."""
    repository.ask("update-ref", "-d", _CACHE)
    shutil.rmtree(os.path.dirname(_prepared(repository)), ignore_errors=True)


def _pattern(store: str, folder: str) -> bytes:
    """Return the pattern for what lies in a folder of a store; see gitattributes(5)."""
    path = "".join(f"\\{char}" if char in "\\*?[" else char for char in f"/{store}/" if store) or "/"
    pattern = f"{path}{folder}/**"
    if any(char.isspace() for char in pattern):  # then in quotes, as a string of C
        escapes = {ord(char): f"\\{ord(char):03o}" for char in '\\"\t\n\r\v\f'}
        pattern = f'"{pattern.translate(escapes)}"'
    return os.fsencode(pattern)


def _write_block(path: str, block: Sequence[bytes]) -> bool:
    """Have a file hold these lines, and the others that it held before; return whether that changed it."""
    before = _content(path)
    kept = _without_block((before or b"").split(b"\n"))
    while block and kept and not kept[-1]:
        kept.pop()
    after = b"\n".join([*kept, *block, b""] if block else kept)
    if after == (before or b""):
        return False
    if after.strip():
        write_whole(path, after, 0o644)
    else:
        os.unlink(path)
    return True


def _without_block(lines: Iterable[bytes]) -> list[bytes]:
    """Return the lines that are not ours, also where someone took away the end of the block."""
    kept, inside = [], False
    for line in lines:
        if line.rstrip() in (_BEGIN, _END):
            inside = line.rstrip() == _BEGIN
        elif not (inside and line.rstrip().endswith(_ATTRIBUTE)):
            kept.append(line)
    return kept


def _content(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:
            return file.read()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
