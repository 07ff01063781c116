"""Facts of configs and outcomes into the rows of the index."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from sqlite3 import Connection
from typing import Any, Final

from gemexp.index.cells import id_of
from gemexp.index.columns import CONFIGS, OUTCOMES, Columns, Values
from gemexp.index.reading import Facts, OutcomeFacts
from gemexp.index.schema import HIDDEN, MISSING, OBJECT, PUT, WHOLE
from gemexp.query import scan
from gemexp.store import records
from gemexp.store.files import Folder
from gemexp.store.records import Run
from gemexp.store.standing import Standing

_INSERT: Final = """
INSERT INTO configs (id, hash, state, created, created_at, description, tags, runs, outcome, partial, loose, pack,
    start, size) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_UPDATE: Final = """
ON CONFLICT (id) DO UPDATE SET state = excluded.state, created = excluded.created, created_at = excluded.created_at,
    description = excluded.description, runs = excluded.runs, outcome = excluded.outcome,
    partial = coalesce(partial, excluded.partial), loose = excluded.loose, pack = excluded.pack, start = excluded.start,
    size = excluded.size
"""
_RUN: Final = "INSERT INTO config_runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"


class Writer:
    """Writes rows.

    Args:
        connection: The index, in a transaction.
        folder: The store.
        standing: Which of its configs count.
        fresh: The index is being built: no config is there twice.

    Attributes:
        columns: Where values lie.
        new_outcomes: Those that came in with the runs of configs, and have not been read yet; none if all have to be.
    """

    def __init__(self, connection: Connection, folder: Folder, standing: Standing, *, fresh: bool = False) -> None:
        self._connection = connection
        self._folder = folder
        self._standing = standing
        self._fresh = fresh
        self._packs = {name: number for number, name in connection.execute("SELECT number, name FROM packs")}
        self.columns = Columns(connection)
        self.new_outcomes: list[str] = []

    def write(
        self, many: Collection[Facts], *, values: Values | None = None, tags: Mapping[int, str] | None = None
    ) -> None:
        """Write the rows of some configs of one fan-out folder, all there are if the index is being built.

        Args:
            many: What is to be written.
            values: Their values, if those were arranged already.
            tags: Texts for their tags by id; those that are there stay.
        """
        runs = {one.raw: self._runs(one) for one in many if one.runs or self._replaces(one)}
        known = self._known(many)
        unsound = {one.raw for one in many if not one.sound}
        for one in many:
            if known.setdefault(one.number, one.raw) != one.raw:
                unsound |= {one.raw, known[one.number]}
        unsound |= self._collided(many)
        unsound |= {raw for raw, found in runs.items() if not all(map(self._note_outcome, found))}
        if values is None:
            values = Values({}, [(one.number, one.leaves) for one in many if one.leaves])
        partial = self.columns.insert(CONFIGS, values)
        written = [one for one in many if known[one.number] == one.raw]
        rows = [self._row(one, runs.get(one.raw, ()), sound=one.raw not in unsound) for one in written]
        tags = tags or {}
        self._connection.executemany(
            _INSERT if self._fresh else _INSERT + _UPDATE,
            (
                (*row[:6], tags.get(one.number, ""), *row[6:8], 1 if one.number in partial else None, *row[8:])
                for one, row in zip(written, rows, strict=True)
            ),
        )
        for one in written:
            self._write_related(one, sound=one.raw not in unsound)
        self._note_suspects(many, unsound)

    def write_outcomes(self, many: Collection[OutcomeFacts]) -> None:
        """Write the rows of outcomes that runs name."""
        rows = {id_of(facts.outcome_hash): facts for facts in many}
        self.columns.remove(OUTCOMES, [number for number, facts in rows.items() if facts.state != WHOLE])
        values = Values({}, [(number, facts.leaves) for number, facts in rows.items()])
        partial = self.columns.insert(OUTCOMES, values)
        self._connection.executemany(
            "UPDATE outcomes SET state = ?, partial = coalesce(partial, ?) WHERE id = ? AND hash = ?",
            (
                (facts.state, 1 if number in partial else None, number, bytes.fromhex(facts.outcome_hash))
                for number, facts in rows.items()
            ),
        )

    def _known(self, many: Iterable[Facts]) -> dict[int, bytes]:
        """Return the hashes in the index that have the ids of some configs."""
        found = {}
        for one in () if self._fresh else many:
            row = self._connection.execute("SELECT hash FROM configs WHERE id = ?", (one.number,)).fetchone()
            if row is not None:
                found[one.number] = row[0]
        return found

    def _collided(self, many: Iterable[Facts]) -> set[bytes]:
        """Return those whose id is another config's too, as was found out before."""
        if not self._connection.execute("SELECT 1 FROM suspects").fetchone():
            return set()
        statement = "SELECT 1 FROM suspects WHERE id = ? AND hash != ?"
        return {one.raw for one in many if self._connection.execute(statement, (one.number, one.raw)).fetchone()}

    def _note_suspects(self, many: Iterable[Facts], unsound: set[bytes]) -> None:
        """Note which configs the index does not answer for, and hide what it has of them."""
        if not self._fresh:
            sound = [(one.raw,) for one in many if one.raw not in unsound]
            self._connection.executemany("DELETE FROM suspects WHERE hash = ?", sound)
        for raw in unsound:
            number = id_of(raw.hex())
            self._connection.execute("INSERT OR IGNORE INTO suspects VALUES (?, ?)", (raw, number))
            self._connection.execute("UPDATE configs SET state = 0, loose = NULL WHERE id = ?", (number,))

    def _row(self, one: Facts, runs: Sequence[Run], *, sound: bool) -> tuple[Any, ...]:
        state = 0
        if sound:
            state = PUT * one.has_put + OBJECT * one.has_object
            if not self._standing.is_listed(one.config_hash):
                state += HIDDEN
        outcome = id_of(runs[0].outcome) if runs else None
        pack, start, size = one.place or (None, None, None)
        return (
            *(one.number, one.raw, state, one.created, one.created_at, one.description),
            *(len(runs), outcome, one.loose, self._packs.get(pack), start, size),
        )

    def _replaces(self, one: Facts) -> bool:
        return self._standing.migrated and bool(self._standing.predecessors(one.config_hash))

    def _runs(self, one: Facts) -> list[Run]:
        """Return the runs of a config and of those that it replaces, newest first."""
        runs = list(one.runs)
        for name in self._standing.predecessors(one.config_hash) if self._standing.migrated else ():
            runs += records.metadata(self._folder, name).runs
        return scan.by_time(runs)

    def _note_outcome(self, run: Run) -> bool:
        """Make sure that an outcome has a row; tell whether its id is no other's."""
        number, wanted = id_of(run.outcome), bytes.fromhex(run.outcome)
        row = self._connection.execute("SELECT hash FROM outcomes WHERE id = ?", (number,)).fetchone()
        if row is None:
            self._connection.execute("INSERT INTO outcomes VALUES (?, ?, ?, NULL)", (number, wanted, MISSING))
            if not self._fresh:
                self.new_outcomes.append(run.outcome)
        return row is None or row[0] == wanted

    def _write_related(self, one: Facts, *, sound: bool) -> None:
        if not self._fresh:
            self._connection.execute("DELETE FROM parents WHERE config = ?", (one.number,))
            self._connection.execute("DELETE FROM config_runs WHERE config = ?", (one.number,))
        if not sound:
            return
        for parent in one.parents:
            self._connection.execute("INSERT INTO parents VALUES (?, ?)", (one.number, bytes.fromhex(parent)))
        for position, run in enumerate(one.runs):
            commit = run.code and run.code.get("commit")
            commit = commit if isinstance(commit, str) else None
            row = (run.created_at, run.data, run.duration, run.by, commit, run.verifies)
            self._connection.execute(_RUN, (one.number, position, id_of(run.outcome), *row))
