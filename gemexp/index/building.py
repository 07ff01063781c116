"""Building the index: into a temporary file, by all cores where there are many configs, moved into place when done."""

from __future__ import annotations

import contextlib
import errno
import gc
import os
import time
from array import array
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from sqlite3 import SQLITE_FULL, SQLITE_IOERR, SQLITE_READONLY, Connection
from struct import Struct
from typing import TYPE_CHECKING, Final, TypeVar

from gemexp.errors import Corrupt, StoreUnwritable
from gemexp.index import file, schema
from gemexp.index.cells import id_of, ids_of
from gemexp.index.columns import CONFIGS, OUTCOMES, Columns, Layout, Values, arrange
from gemexp.index.labels import Labels, Member
from gemexp.index.reading import Facts, OutcomeFacts, Reader
from gemexp.index.rows import Writer
from gemexp.index.watching import Watch
from gemexp.store import durable, layout, pack_format
from gemexp.store.files import Folder
from gemexp.store.standing import Standing

if TYPE_CHECKING:
    from concurrent.futures import Future, ProcessPoolExecutor

# Where a fan-out folder has fewer configs, starting processes costs more than they save.
_SHARE_FROM: Final = 60
_OUTCOMES_AT_ONCE: Final = 500
_LEFTOVER_SECONDS: Final = 3600
_SUFFIX: Final = ".new"
# What the system refused, by what SQLite says of it.
_SYSTEM: Final = {SQLITE_FULL: errno.ENOSPC, SQLITE_IOERR: errno.EIO, SQLITE_READONLY: errno.EROFS}

Progress = Callable[[int], None]
_Tagged = tuple[int, int, bool, int]  # a set, a config, whether it is a member, its loose files
_Task = TypeVar("_Task")
_Done = TypeVar("_Done")


def build(folder: Folder, path: str, progress: Progress = lambda _: None) -> None:
    """Build the index of a store, whether there is one or not.

    Args:
        folder: The store.
        path: Where to.
        progress: Called with the number of configs, now and then.

    Raises:
        StoreUnwritable: The file system refused.
        Corrupt: A pack is damaged.
        Unusable: There is something else at ``path``.
    """
    require_sound_packs(folder)
    temporary = f"{path}.{os.getpid()}{_SUFFIX}"
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        _remove_leftovers(path)
        with file.translated(), contextlib.closing(file.create(temporary)) as connection:
            schema.create(connection)
            connection.execute("BEGIN")
            _Build(connection, folder, progress).run()
            if not file.is_replaceable(folder.root, path):
                raise file.Unusable
            file.finish(connection, temporary, folder.root, path)
    except OSError as error:
        raise durable.unwritable(error, folder.root) from None
    except (file.Unfit, file.Unusable) as error:
        if isinstance(error.__cause__, OSError):
            raise durable.unwritable(error.__cause__, folder.root) from None
        if error.__cause__ is not None:
            number = _SYSTEM.get(getattr(error.__cause__, "sqlite_errorcode", 0) & 0xFF)
            hint = durable.HINTS.get(number or 0)
            raise StoreUnwritable(
                f"cannot write '{path}': {error.__cause__}", path=path, errno=number, hint=hint
            ) from None
        raise
    finally:
        with contextlib.suppress(OSError):
            os.unlink(temporary)


def require_sound_packs(folder: Folder) -> set[str]:
    """Return the names of the store's packs.

    Raises:
        Corrupt: One of them is damaged: what was not whole in it may be mended without any name's changing.
    """
    packs = folder.packs.all()
    for name in sorted(folder.packs.refused):
        raise Corrupt("cannot be read", path=layout.pack_path(name), hint="gemexp fsck tells more")
    for pack in packs:
        if pack.index.damaged:
            raise Corrupt("is damaged", path=pack.path, hint="gemexp fsck tells more")
    return {pack.name for pack in packs}


class _Build:
    _MARK: Final = Struct(">32sI")  # a config, and the number of a tag that it carries

    def __init__(self, connection: Connection, folder: Folder, progress: Progress) -> None:
        self._connection = connection
        self._folder = folder
        self._progress = progress
        self._marks: defaultdict[int, bytearray] = defaultdict(bytearray)

    def run(self) -> None:
        """Fill the tables."""
        watch = Watch(self._folder.root, {})
        changed = watch.changed()
        packs = sorted(pack.name for pack in self._folder.packs.all())
        self._connection.executemany("INSERT INTO packs (name) VALUES (?)", ((name,) for name in packs))
        with _reading(self._folder) as source:
            standing = Standing(self._folder)
            self._connection.executemany("INSERT INTO pairs VALUES (?, ?)", sorted(standing.pairs))
            self._write_labels(Labels(self._connection, self._folder, standing))
            writer = Writer(self._connection, self._folder, standing, fresh=True)
            self._write_configs(writer, source)
            self._write_outcomes(writer, source)
        self._connection.execute("COMMIT")
        self._connection.executescript(schema.INDEXES)
        self._connection.execute("BEGIN")
        schema.create_views(self._connection, writer.columns)
        watch.note(self._connection, changed.stamps)

    def _write_labels(self, labels: Labels) -> None:
        folders = [f"{layout.TAGS}/{name}" for name in sorted(self._folder.names(layout.TAGS))]
        for set_folder in [layout.DELETED, *folders]:
            if set_folder != layout.DELETED and layout.unescape_name(set_folder.rpartition("/")[2]) is None:
                continue
            number = labels.number(set_folder)
            plain = labels.plain_members(set_folder)
            rows = self._rows(number, labels.members(set_folder)) if plain is None else self._plain_rows(number, plain)
            self._connection.executemany("INSERT OR IGNORE INTO tagged VALUES (?, ?, ?, ?)", rows)

    def _rows(self, number: int, members: Iterable[Member]) -> Iterator[_Tagged]:
        """Yield the rows of a set's members, and note who is one."""
        for config, present, loose in members:
            if present and number != schema.DELETED_TAG:
                self._mark(bytes.fromhex(config), number)
            yield number, id_of(config), present, loose

    def _plain_rows(self, number: int, hashes: bytes) -> Iterator[_Tagged]:
        """Yield the rows of a tag's members of which nothing else is to be said, and note them."""
        for config in pack_format.each_hash(hashes):
            self._mark(config, number)
        return ((number, one, True, 0) for one in ids_of(hashes))

    def _mark(self, config: bytes, number: int) -> None:
        self._marks[config[0]] += self._MARK.pack(config, number)

    def _write_configs(self, writer: Writer, source: _Source) -> None:
        recorded = set(filter(layout.parse_fan_out, self._folder.names(layout.INDEX)))
        fan_outs = sorted(recorded | {f"{byte:02x}" for byte in self._marks})
        count = 0
        for fan_out, (facts, values) in zip(fan_outs, source.configs(fan_outs, writer.columns), strict=True):
            tags = self._tags(fan_out)
            known = {one.config_hash for one in facts}
            strays = [name for name in tags if name not in known]
            facts.extend(source.reader.configs(fan_out, strays) if strays else [])
            texts = {id_of(name): ",".join(map(str, found)) for name, found in tags.items()}
            writer.write(facts, values=values, tags=texts)
            count += len(facts)
            self._progress(count)

    def _tags(self, fan_out: str) -> dict[str, array[int]]:
        found: dict[str, array[int]] = {}
        for config, number in self._MARK.iter_unpack(self._marks.pop(int(fan_out, 16), b"")):
            found.setdefault(config.hex(), array("Q")).append(number)
        return found

    def _write_outcomes(self, writer: Writer, source: _Source) -> None:
        for number, facts in enumerate(source.outcomes(self._outcomes())):
            if not number:
                writer.columns.make_room(OUTCOMES, (one.leaves for one in facts))
            writer.write_outcomes(facts)

    def _outcomes(self) -> Iterator[list[str]]:
        """Yield the hashes of all outcomes, chunk by chunk."""
        last = -1
        while True:
            rows = self._connection.execute(
                "SELECT id, hash FROM outcomes WHERE id > ? ORDER BY id LIMIT ?", (last, _OUTCOMES_AT_ONCE)
            ).fetchall()
            if not rows:
                return
            last = rows[-1][0]
            yield [found.hex() for _, found in rows]


class _Source:
    """Reads facts, one fan-out folder after the other, by several processes if there is much to read.

    Args:
        folder: The store.
        pool: The processes; None for none.
    """

    def __init__(self, folder: Folder, pool: ProcessPoolExecutor | None) -> None:
        self.reader = Reader(folder)
        self._pool = pool

    def configs(self, fan_outs: list[str], columns: Columns) -> Iterator[tuple[list[Facts], Values]]:
        """Yield the facts of each fan-out folder, and the values in it; the first says which paths are frequent."""
        for fan_out in fan_outs[:1]:
            facts = self.reader.configs(fan_out)
            columns.make_room(CONFIGS, (one.leaves for one in facts if one.leaves))
            yield _arranged(facts, columns.layout(CONFIGS))
        layout = columns.layout(CONFIGS)
        tasks = ((fan_out, layout) for fan_out in fan_outs[1:])
        if self._pool is None:
            yield from (_arranged(self.reader.configs(fan_out), layout) for fan_out, layout in tasks)
        else:
            yield from _ahead(self._pool, _read_configs, tasks)

    def outcomes(self, chunks: Iterator[list[str]]) -> Iterator[list[OutcomeFacts]]:
        """Yield the facts of outcomes, chunk by chunk."""
        if self._pool is None:
            yield from ([self.reader.outcome(name) for name in chunk] for chunk in chunks)
        else:
            yield from _ahead(self._pool, _read_outcomes, chunks)


@contextlib.contextmanager
def _reading(folder: Folder) -> Iterator[_Source]:
    first = min(filter(layout.parse_fan_out, folder.names(layout.INDEX)), default=None)
    many = first is not None and len(folder.names(f"{layout.INDEX}/{first}")) >= _SHARE_FROM
    workers = os.cpu_count() or 1
    if not many or workers < 2:
        yield _Source(folder, None)
        return
    from concurrent.futures import ProcessPoolExecutor

    with ProcessPoolExecutor(workers, initializer=_open, initargs=(folder.root,)) as pool:
        pool.submit(os.getpid).result()  # it has all processes started while there is little memory for them to copy
        try:
            yield _Source(folder, pool)
        finally:
            pool.shutdown(cancel_futures=True)


def _ahead(pool: ProcessPoolExecutor, read: Callable[[_Task], _Done], tasks: Iterator[_Task]) -> Iterator[_Done]:
    """Yield what a pool's processes read, in order; what is read ahead is bounded."""
    waiting: deque[Future[_Done]] = deque()
    for task in tasks:
        waiting.append(pool.submit(read, task))
        if len(waiting) > 2 * (os.cpu_count() or 1):
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


_worker: list[Reader] = []


def _open(root: str) -> None:
    """Open the store in a process of the pool."""
    gc.disable()  # what is read holds no cycles, and is much
    _worker[:] = [Reader(Folder(root))]


def _read_configs(task: tuple[str, Layout]) -> tuple[list[Facts], Values]:
    fan_out, layout = task
    return _arranged(_worker[0].configs(fan_out), layout)


def _arranged(facts: list[Facts], layout: Layout) -> tuple[list[Facts], Values]:
    """Take the values out of facts."""
    values = arrange(((one.number, one.leaves) for one in facts if one.leaves), layout)
    return [one._replace(leaves=None) for one in facts], values


def _read_outcomes(hashes: list[str]) -> list[OutcomeFacts]:
    return [_worker[0].outcome(name) for name in hashes]


def _remove_leftovers(path: str) -> None:
    """Remove what builds left that were killed."""
    folder, name = os.path.split(path)
    for found in os.listdir(folder):
        if found.startswith(f"{name}.") and found.endswith(_SUFFIX):
            with contextlib.suppress(OSError):
                if time.time() - os.stat(f"{folder}/{found}").st_mtime > _LEFTOVER_SECONDS:
                    os.unlink(f"{folder}/{found}")
