"""Bringing the index up to date: what changed in the store is read again, and nothing else."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from sqlite3 import Connection

from gemexp.ancestry import lineage
from gemexp.index import schema
from gemexp.index.building import require_sound_packs
from gemexp.index.cells import id_of, id_span
from gemexp.index.file import Unfit
from gemexp.index.labels import Labels, packed_configs
from gemexp.index.reading import Reader
from gemexp.index.rows import Writer
from gemexp.index.watching import Watch
from gemexp.store import layout
from gemexp.store.files import Folder
from gemexp.store.pack import Pack
from gemexp.store.standing import Standing


def new_packs(connection: Connection, folder: Folder) -> set[str]:
    """Return the names of the packs that the index has not seen.

    Raises:
        Unfit: One that it has seen is gone: what was in it may be anywhere.
        Corrupt: One is damaged.
    """
    names = require_sound_packs(folder)
    known = {name for (name,) in connection.execute("SELECT name FROM packs")}
    if known - names:
        raise Unfit
    return names - known


def update(connection: Connection, folder: Folder, watch: Watch) -> None:
    """Bring an index up to date, in a transaction for writing.

    Raises:
        Unfit: It has to be built anew.
        Corrupt: A pack is damaged.
        StoreUnreadable: The file system refused.
    """
    _Update(connection, folder, watch).run()


class _Update:
    def __init__(self, connection: Connection, folder: Folder, watch: Watch) -> None:
        self._connection = connection
        self._folder = folder
        self._watch = watch
        self._packs: list[Pack] = []
        self._affected: defaultdict[str, set[str]] = defaultdict(set)  # by fan-out folder

    def run(self) -> None:
        names = new_packs(self._connection, self._folder)
        self._packs = [pack for pack in self._folder.packs.all() if pack.name in names]
        changed = self._watch.changed()
        self._connection.executemany("INSERT INTO packs (name) VALUES (?)", ((name,) for name in sorted(names)))
        standing = Standing(self._folder)
        reader = Reader(self._folder)
        migrated = self._compare_pairs(standing)
        labels = Labels(self._connection, self._folder, standing)
        turned = self._refresh_labels(labels, changed.sets, whole=migrated)
        for fan_out in changed.fan_outs:
            self._compare_names(reader, fan_out)
        for pack in self._packs:
            self._note_packed(pack)
        self._follow_up(standing)
        writer = Writer(self._connection, self._folder, standing)
        for fan_out, hashes in sorted(self._affected.items()):
            writer.write(reader.configs(fan_out, hashes))
        self._write_tags(turned)
        outcomes = self._outcomes(changed.fan_outs, writer.new_outcomes)
        writer.write_outcomes([reader.outcome(name) for name in sorted(outcomes)])
        if writer.columns.grown:
            schema.create_views(self._connection, writer.columns)
        self._watch.note(self._connection, changed.stamps)

    def _affect(self, hashes: Iterable[str]) -> None:
        for config_hash in hashes:
            self._affected[config_hash[:2]].add(config_hash)

    def _compare_pairs(self, standing: Standing) -> bool:
        """Note what other migrations than before affect; tell whether there are any."""
        known = {layout.Pair(*row) for row in self._connection.execute("SELECT old, new FROM pairs")}
        if known == standing.pairs:
            return False
        neighbours = defaultdict(set)
        for old, new in known | standing.pairs:
            neighbours[old].add(new)
            neighbours[new].add(old)
        self._affect(lineage((name for pair in known ^ standing.pairs for name in pair), neighbours))
        self._connection.execute("DELETE FROM pairs")
        self._connection.executemany("INSERT INTO pairs VALUES (?, ?)", standing.pairs)
        return True

    def _refresh_labels(self, labels: Labels, stale: set[str], *, whole: bool) -> dict[str, list[tuple[int, bool]]]:
        """Bring tags and deletions up to date; return which tags each config got or lost."""
        packed: defaultdict[str, set[str]] = defaultdict(set)
        for pack in self._packs:
            for set_folder in pack.index.folders:
                if set_folder == layout.DELETED or set_folder.startswith(f"{layout.TAGS}/"):
                    packed[set_folder] |= packed_configs(pack, set_folder)
        folders = stale | packed.keys()
        if whole:
            folders |= {f"{layout.TAGS}/{name}" for name in self._folder.names(layout.TAGS)}
        turned: defaultdict[str, list[tuple[int, bool]]] = defaultdict(list)
        for set_folder in sorted(folders):
            if set_folder != layout.DELETED and layout.unescape_name(set_folder.rpartition("/")[2]) is None:
                continue
            changed = labels.refresh(set_folder, packed[set_folder], whole=whole and set_folder != layout.DELETED)
            if set_folder == layout.DELETED:
                self._affect(changed)
                continue
            number = labels.number(set_folder)
            for config_hash, present in changed.items():
                turned[config_hash].append((number, present))
                if not self._row(config_hash):
                    self._affect([config_hash])
        return turned

    def _compare_names(self, reader: Reader, fan_out: str) -> None:
        """Note the configs of a fan-out folder whose loose files are others than before."""
        loose = reader.loose_names(fan_out)
        rows = self._connection.execute("SELECT hash, loose FROM configs WHERE id BETWEEN ? AND ?", id_span(fan_out))
        known = {raw.hex(): marks for raw, marks in rows}
        self._affect(name for name in known.keys() | loose.records.keys() if loose.mark(name) != known.get(name))

    def _note_packed(self, pack: Pack) -> None:
        """Note the configs that a new pack says something of."""
        for fan_out in pack.names(layout.INDEX, ""):
            for file_name in pack.names(f"{layout.INDEX}/{fan_out}", ""):
                name = layout.parse_record_name(file_name)
                if name and len(name.config) == len(pack.name):
                    self._affect([name.config])
        lacking = self._connection.execute("SELECT hash FROM configs WHERE state & ? = 0", (schema.OBJECT,))
        self._affect(
            config_hash
            for config_hash in (raw.hex() for (raw,) in lacking.fetchall())
            if pack.find(layout.object_path(config_hash)) is not None
        )

    def _follow_up(self, standing: Standing) -> None:
        """Note the configs that stand for others which are affected: they take over what these have."""
        if standing.migrated:
            affected = [name for names in self._affected.values() for name in names]
            left, seen = affected, set(affected)
            while left:
                following = [new for new in standing.replacing(left.pop()) if new not in seen]
                seen.update(following)
                left.extend(following)
            self._affect(seen)

    def _row(self, config_hash: str) -> tuple[str] | None:
        """Return a config's tags as its row has them; None if it has none."""
        row: tuple[str] | None = self._connection.execute(
            "SELECT tags FROM configs WHERE id = ?", (id_of(config_hash),)
        ).fetchone()
        return row

    def _write_tags(self, turned: dict[str, list[tuple[int, bool]]]) -> None:
        for config_hash, turns in turned.items():
            row = self._row(config_hash)
            carried = set(row[0].split(",")) - {""} if row else set()
            for number, present in turns:
                (carried.add if present else carried.discard)(str(number))
            text = ",".join(sorted(carried, key=int))
            self._connection.execute("UPDATE configs SET tags = ? WHERE id = ?", (text, id_of(config_hash)))

    def _outcomes(self, fan_outs: set[str], new: list[str]) -> set[str]:
        """Return the outcomes that have to be read: those that came, went, or were damaged."""
        found = set(new)
        for fan_out in fan_outs:
            rows = self._connection.execute(
                "SELECT hash, state FROM outcomes WHERE id BETWEEN ? AND ?", id_span(fan_out)
            )
            for raw, state in rows.fetchall():
                name = raw.hex()
                exists = self._folder.exists(layout.object_path(name))
                if state == schema.DAMAGED or exists != (state == schema.WHOLE):
                    found.add(name)
        if self._packs:
            rows = self._connection.execute("SELECT hash FROM outcomes WHERE state != ?", (schema.WHOLE,))
            found |= {raw.hex() for (raw,) in rows}
        return found
