"""Names: pointers to one config each, such as ``production``, with their history.

A move of a name is a record that names the moves it supersedes. The current one is that which no other supersedes;
two such, after a merge, are both kept: the newest counts, and the next move supersedes both.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from gemexp import canonical
from gemexp.ancestry import lineage, newest_first
from gemexp.config import instant, now
from gemexp.digest import hash_bytes, is_prefix
from gemexp.errors import Corrupt, InvalidInput
from gemexp.notation import inline
from gemexp.store import kinds, layout
from gemexp.store.batch import Batch
from gemexp.store.tree import Tree

_KINDS_OF_REVISION = ("tag:", "hash:", "name:")


class Move(NamedTuple):
    """One move of a name.

    Args:
        record: The record's hash.
        name: What moved.
        config: Where to; None where the name was taken away.
        created_at: When, ISO 8601.
        by: Who moved it, as git knows them.
        restores: The move whose config this one brought back; None for an ordinary move.
        supersedes: The moves that were current before.
    """

    record: str
    name: str
    config: str | None
    created_at: str
    by: str | None
    restores: str | None
    supersedes: tuple[str, ...]


class Pointer(NamedTuple):
    """A name and its moves.

    Args:
        name: The name.
        history: All its moves, newest first.
        heads: Those that none supersedes, newest first; more than one only after a merge.
    """

    name: str
    history: tuple[Move, ...]
    heads: tuple[Move, ...]

    @property
    def config(self) -> str | None:
        """The config it points to; None if it was never set, or taken away."""
        return self.heads[0].config if self.heads else None

    @property
    def rivals(self) -> tuple[Move, ...]:
        """The heads that point elsewhere than the newest one: a merge left them, and somebody has to choose."""
        return tuple(head for head in self.heads[1:] if head.config != self.heads[0].config)

    def at(self, moment: datetime) -> Move | None:
        """Return the move that was the newest at a moment."""
        return next((move for move in self.history if instant(move.created_at) <= moment), None)

    def before(self) -> Move | None:
        """Return the move to go back to: the newest that the current one comes from and that pointed elsewhere.

        If the current one brought back an earlier move, it is looked for before that: who goes back twice gets on.
        """
        if not self.heads:
            return None
        moves = {move.record: move for move in self.history}
        current = self.heads[0]
        while current.restores in moves:  # a move names only earlier ones by their hash, so that this ends
            current = moves[current.restores]
        earlier = lineage([current.record], {move.record: move.supersedes for move in self.history})
        return next((move for move in self.history if move.record in earlier and move.config != current.config), None)


def check_name(name: str) -> str:
    """Return a name that can be one.

    Raises:
        InvalidInput: It would be read as something else where a revision is meant, or cannot be a file name.
    """
    layout.name_folder(name)
    if is_prefix(name):
        raise InvalidInput(
            f"the name {inline(name)} reads as the beginning of a hash",
            hint="the name comes first, then REV; or add a letter",
        )
    if name.startswith((*_KINDS_OF_REVISION, "-")) or ":" in name or ".." in name or name != name.strip():
        raise InvalidInput(
            f"{inline(name)} cannot be a name",
            hint="a name has no colon, no two dots in a row, no '-' in front and no space around it",
        )
    return name


def pointer(tree: Tree, name: str) -> Pointer:
    """Read a name's moves; damaged ones are passed over, and named by ``fsck``."""
    try:
        folder = layout.name_folder(name)
    except InvalidInput:
        return Pointer(name, (), ())
    moves = []
    for file_name in tree.names_with_prefix(folder, ""):
        if layout.parse_object_name(file_name):
            try:
                moves.append(read(tree, name, file_name))
            except Corrupt as error:
                kinds.pass_over(error, layout.move_path(name, file_name))
    return assemble(name, moves)


def assemble(name: str, moves: Iterable[Move]) -> Pointer:
    """Say what the moves of a name amount to."""
    by_record = {move.record: move for move in moves}
    order = newest_first(
        {record: instant(move.created_at) for record, move in by_record.items()},
        {record: move.supersedes for record, move in by_record.items()},
    )
    superseded = {old for move in by_record.values() for old in move.supersedes}
    history = tuple(by_record[record] for record in order)
    return Pointer(name, history, tuple(move for move in history if move.record not in superseded))


def pointers(tree: Tree) -> dict[str, Pointer]:
    """Return all names with their moves, sorted; those that were taken away too."""
    return {name: pointer(tree, name) for name in sorted(all_names(tree))}


def all_names(tree: Tree) -> Iterator[str]:
    """Yield the names that have moves."""
    for escaped in tree.names_with_prefix(layout.NAMES, ""):
        name = layout.unescape_name(escaped)
        if name is not None:
            yield name


def read(tree: Tree, name: str, record_hash: str) -> Move:
    """Return one move.

    Raises:
        Corrupt: It is missing, damaged, or about another name than its folder says.
    """
    path = layout.move_path(name, record_hash)
    data = tree.read(path, canonical.MAX_BYTES)
    if data is None:
        raise kinds.Gone("is missing", path=path)
    try:
        return from_value(record_hash, kinds.read(data, record_hash, name))
    except Corrupt as error:
        error.path = path
        raise


def from_value(record_hash: str, value: Mapping[str, object]) -> Move:
    """Return the move that a record's value is.

    Raises:
        Corrupt: It is another kind of record.
    """
    if value["$"] != kinds.MOVE:
        raise kinds.Misstated("is not a move of a name", expected=kinds.MOVE, actual=str(value["$"]))
    fields = {field: value[field] for field in Move._fields if field not in ("record", "supersedes")}
    return Move(record=record_hash, supersedes=tuple(value["supersedes"]), **fields)  # type: ignore[arg-type]


def move(
    batch: Batch,
    name: str,
    config: str | None,
    *,
    by: str | None,
    supersedes: Sequence[Move],
    restores: str | None = None,
    created_at: str | None = None,
) -> str:
    """Have the batch record that a name moves, now if no time is given; return the record's hash."""
    data = canonical.encode(
        {
            "$": kinds.MOVE,
            "by": by,
            "config": config,
            "created_at": created_at or now(),
            "name": name,
            "restores": restores,
            "supersedes": sorted(move.record for move in supersedes),
        }
    )
    record_hash = hash_bytes(data)
    batch.create(layout.move_path(name, record_hash), data)
    return record_hash
