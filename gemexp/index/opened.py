"""An open index: kept up to date as it is read, built anew where it cannot be believed."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator, Sequence
from functools import cached_property
from sqlite3 import Connection
from typing import Final

from gemexp.errors import StoreUnwritable
from gemexp.index import building, file
from gemexp.index.cells import id_of
from gemexp.index.columns import Columns
from gemexp.index.conditions import Knowledge
from gemexp.index.schema import DAMAGED
from gemexp.index.updating import update
from gemexp.index.watching import Watch
from gemexp.query.matching import Labels
from gemexp.store import names
from gemexp.store.files import Folder
from gemexp.store.pack import Pack

_ATTEMPTS: Final = 3


class Snapshot:
    """What an index holds, in one transaction.

    Args:
        connection: The index.
        folder: The store.

    Attributes:
        connection: The index.
        watch: The folders that it has looked at.
        suspects: Hashes of the configs that it does not answer for.
        migrated: Whether any config replaces another.
    """

    def __init__(self, connection: Connection, folder: Folder) -> None:
        self.connection = connection
        self.watch = Watch.load(folder.root, connection)
        self.suspects = {raw.hex() for (raw,) in connection.execute("SELECT hash FROM suspects")}
        self.migrated = connection.execute("SELECT 1 FROM pairs").fetchone() is not None
        self._folder = folder
        self._pack_names = dict(connection.execute("SELECT number, name FROM packs"))
        self._tag_lists: dict[str, list[str]] = {"": []}

    def is_current(self) -> bool:
        """Tell whether the store is as the index has seen it.

        Raises:
            Unfit: A pack is gone: what was in it may be anywhere.
            Corrupt: A pack is damaged.
        """
        packs = building.require_sound_packs(self._folder)
        if self.pack_names - packs:
            raise file.Unfit
        return self.pack_names == packs and self.watch.is_current()

    @property
    def pack_names(self) -> set[str]:
        """The packs that the index has seen."""
        return set(self._pack_names.values())

    @cached_property
    def tags(self) -> dict[str, int]:
        """The numbers of tags, by name."""
        return dict(self.connection.execute("SELECT name, id FROM tags"))

    @cached_property
    def tag_names(self) -> dict[str, str]:
        """The names of tags, by their numbers as text."""
        return {str(number): name for name, number in self.tags.items()}

    @cached_property
    def packs(self) -> dict[int, Pack]:
        """The packs, by their numbers."""
        found = {pack.name: pack for pack in self._folder.packs.all()}
        return {number: found[name] for number, name in self._pack_names.items() if name in found}

    def tag_list(self, text: str) -> list[str]:
        """Return the tags, sorted, that a config's row has."""
        found = self._tag_lists.get(text)
        if found is None:
            found = self._tag_lists[text] = sorted(self.tag_names[number] for number in text.split(","))
        return found

    @cached_property
    def knowledge(self) -> Knowledge:
        """What compiling a query needs."""
        return Knowledge(
            columns=Columns(self.connection),
            tags=self.tags,
            partial_configs=self._any("configs WHERE partial IS NOT NULL"),
            partial_outcomes=self._any("outcomes WHERE partial IS NOT NULL"),
            damaged_outcomes=self._any(f"outcomes WHERE state = {DAMAGED}"),
            bearers=self._bearers,
        )

    def _any(self, rows: str) -> bool:
        return self.connection.execute(f"SELECT 1 FROM {rows}").fetchone() is not None  # noqa: S608 - see above

    def _bearers(self, labels: Labels) -> Sequence[int]:
        """Return the ids of the configs that names point to; names are few, and read from the store."""
        wanted = filter(labels.test, names.all_names(self._folder)) if labels.exact is None else labels.exact
        pointers = (names.pointer(self._folder, name) for name in wanted)
        return sorted({id_of(pointer.config) for pointer in pointers if pointer.config is not None})


class Index:
    """The index of a store, if there is one.

    Args:
        folder: The store.
        database: The file that was named for the index, if one was.
    """

    def __init__(self, folder: Folder, database: str | None) -> None:
        self._folder = folder
        self._database = database
        self._lock = threading.Lock()
        self._process = os.getpid()
        self._connection: Connection | None = None
        self._file = 0
        self._seal = 0
        self._snapshot: Snapshot | None = None

    @cached_property
    def path(self) -> str:
        """Where it lies, or would."""
        return file.place(self._folder.root, self._database)

    @contextlib.contextmanager
    def reading(self) -> Iterator[Snapshot]:
        """Open the index for reading, brought up to date; built anew if it has to be.

        Raises:
            Unusable: There is none, or it cannot be used now: going through the store is the way.
            GemexpError: Something of the store cannot be read: going through it tells more.
        """
        with self._lock:
            path = self.path
            snapshot = self._current(path)
            try:
                with file.translated():
                    yield snapshot
            except file.Unfit as error:
                file.break_seal(path, error)
                raise
            finally:
                self._end()

    def close(self) -> None:
        """Close the file."""
        if self._connection is not None and os.getpid() == self._process:
            self._connection.close()
        self._connection = self._snapshot = None

    __del__ = close

    def _current(self, path: str) -> Snapshot:
        for _ in range(_ATTEMPTS):
            try:
                return self._begin(path)
            except file.Unfit:
                self.close()
                if not self._is_intact(path):
                    self._build(path)
            except BaseException:
                self._end()
                raise
        raise file.Unusable

    def _begin(self, path: str) -> Snapshot:
        """Begin to read, after an update if one is needed."""
        connection = self._connected(path)
        snapshot = self._load(connection, path)
        if not snapshot.is_current():
            connection.execute("ROLLBACK")
            self._snapshot = None
            with file.writing(connection, path, self._folder.root):
                update(connection, self._folder, Watch.load(self._folder.root, connection))
            snapshot = self._load(connection, path)
        return snapshot

    def _build(self, path: str) -> None:
        """Build the index anew; one that cannot be is dropped, so that not every command tries."""
        file.require_writable(path)
        try:
            with file.alone(self._folder.root):
                building.build(self._folder, path)
        except StoreUnwritable:
            file.drop(self._folder.root, path)
            raise

    def _is_intact(self, path: str) -> bool:
        """Tell whether somebody else has just built it anew."""
        try:
            connection = self._connected(path)
            self._load(connection, path).is_current()
        except file.Unfit:
            self.close()
            return False
        self._end()
        return True

    def _connected(self, path: str) -> Connection:
        if self._process != os.getpid():  # a connection of the process that this one was split off from
            self._connection, self._process = None, os.getpid()
        try:
            number = os.stat(path).st_ino
        except OSError as error:
            raise file.Unusable from error
        if self._connection is None or number != self._file:
            self.close()
            self._connection, self._file = file.connect(path), number
        return self._connection

    def _load(self, connection: Connection, path: str) -> Snapshot:
        seal = file.begin(connection, path, self._folder.root)
        if self._snapshot is None or seal != self._seal:
            with file.translated():
                self._snapshot, self._seal = Snapshot(connection, self._folder), seal
        return self._snapshot

    def _end(self) -> None:
        if self._connection is not None and self._connection.in_transaction:
            with file.translated():
                self._connection.execute("ROLLBACK")
