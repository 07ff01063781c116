"""Taking back what a command did, by adding what reverses it: nothing that was written is changed or removed.

What somebody changed since is left as it is. All is looked up before anything is written, in one batch.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from datetime import timedelta
from functools import cached_property
from typing import Any, NamedTuple

from gemexp.config import instant, now
from gemexp.errors import InvalidInput, NotFound
from gemexp.store import aliases, gc, journal, kinds, layout, names, objects, records, sets
from gemexp.store.files import Folder
from gemexp.store.records import Metadata
from gemexp.store.standing import Standing


class Reversal(NamedTuple):
    """One thing that is taken back, or left.

    Args:
        action: What reverses it: delete, restore, tag, untag, describe, name or alias; register if nothing can.
        subject: The config's hash, the name, or the older hash that is an alias.
        value: The tag, the description, or where the name or alias leads now; None if nowhere.
        left: Why it was left as it is; None if it was taken back.
    """

    action: str
    subject: str
    value: str | None = None
    left: str | None = None


class Undone(NamedTuple):
    """A command that was taken back.

    Args:
        command: Its arguments.
        time: When it was done, ISO 8601.
        reversals: What was taken back of it, and what was left.
    """

    command: tuple[str, ...]
    time: str
    reversals: list[Reversal]

    @property
    def done(self) -> list[Reversal]:
        """What was taken back."""
        return [one for one in self.reversals if one.left is None]

    @property
    def left(self) -> list[Reversal]:
        """What was left as it is."""
        return [one for one in self.reversals if one.left is not None]


def undo(folder: Folder, *, dry_run: bool = False) -> Undone:
    """Take back the last command in this user's journal that was not taken back yet.

    Args:
        folder: The store.
        dry_run: Tell what would be done, and write nothing.

    Raises:
        NotFound: There is none.
        InvalidInput: It created more than the journal keeps.
        StoreUnwritable: The file system refused.
    """
    found = journal.last(folder.root)
    if found is None:
        hint = (
            "only what you did in this copy of the store, with commands that can be taken back, is kept in its journal"
        )
        raise NotFound("there is nothing to undo", subject="undo", hint=hint)
    entry, cancelled = found
    if not entry.complete:
        if not dry_run:
            journal.mark_undone(folder.root, entry)
        raise InvalidInput(
            f"'gemexp {shlex.join(entry.command)}' is too large to undo: it created more than the journal keeps",
            hint="gemexp delete takes configs away; the next undo takes back the command before it",
        )
    planned = _Plan(folder, _sorted_out(cancelled))
    planned.reverse(_sorted_out(entry.created))
    if not dry_run:
        journal.mark_undone(folder.root, entry, planned.commit())
    return Undone(entry.command, entry.time, planned.reversals)


class _Plan:
    """What reverses a command, in a batch that is not committed yet.

    Args:
        folder: The store.
        cancelled: What later commands created which were taken back, and what that created: it does not count.
    """

    def __init__(self, folder: Folder, cancelled: _Created) -> None:
        self.reversals: list[Reversal] = []
        self._folder = folder
        self._cancelled = cancelled
        # What is undone is not journalled as another command.
        recorder, folder.on_commit = folder.on_commit, None
        # Deletions come last: what they are about would count as changed by others, were it interrupted in between.
        self._batch, self._deletions = folder.batch(), folder.batch()
        folder.on_commit = recorder
        self._standing = Standing(folder)
        self._kept: set[str] = set()
        self._deleted: set[str] = set()

    def reverse(self, created: _Created) -> None:
        """Plan to reverse what created some paths: records first, as always, then sets."""
        for config, mine in sorted(created.records.items()):
            self._reverse_records(config, mine)
        for old, mine in sorted(created.records.items()):
            self._reverse_aliases(old, mine)
        for name, record in sorted(created.moves):
            self._reverse_move(name, record)
        for config in sorted(self._deleted):
            sets.add(self._folder, self._deletions, layout.DELETED, config)
        for (set_folder, member), length in sorted(created.members.items()):
            self._reverse_membership(set_folder, member, length)

    def commit(self) -> set[str]:
        """Write what was planned; return the paths that were created."""
        self._batch.commit()
        self._deletions.commit()
        for one in self.reversals:
            if one.action == "restore" and one.left is None and not objects.exists(self._folder, one.subject):
                gc.recover(self._folder, one.subject)
        return self._batch.created | self._deletions.created

    @cached_property
    def _by(self) -> str | None:
        from gemexp import environment

        return environment.user()

    @cached_property
    def _aliases(self) -> dict[str, aliases.Alias]:
        return {alias.record: alias for alias in aliases.every(self._folder, dropped=True)}

    def _tell(self, action: str, subject: str, value: str | None = None, *, left: str | None = None) -> None:
        self.reversals.append(Reversal(action, subject, value, left))

    def _reverse_records(self, config: str, created: set[str]) -> None:
        found = records.readable(self._folder, config)
        mine = {name: record for name, record in found.items() if name in created}
        aside = created | self._cancelled.records.get(config, set())
        others = {name: record for name, record in found.items() if name not in aside}
        if any(record["$"] == kinds.PUT for record in mine.values()):
            by_others = any(map(self._is_registration, others.values()))
            self._reverse_put(config, by_others=by_others, was_run=bool(records.summarise(found).runs))
        own = {name for name, record in mine.items() if record["$"] == kinds.DESCRIPTION or record.get("description")}
        if own and config not in self._kept:
            heads = records.summarise(found).heads
            superseded = {old for record in others.values() for old in record.get("supersedes", ())}
            changed = not aside.issuperset(heads) or not own.isdisjoint(superseded)
            self._reverse_description(config, records.summarise(others), heads, changed=changed)

    def _is_registration(self, record: dict[str, Any]) -> bool:
        """Tell whether a record is somebody's registration, and not that of a migration to what was there already."""
        replaced = self._standing.predecessors(record["config"])
        return record["$"] == kinds.PUT and not (record["parents"] and set(record["parents"]).issubset(replaced))

    def _reverse_put(self, config: str, *, by_others: bool, was_run: bool) -> None:
        if by_others:
            self._tell("register", config, left="it is registered by another record too, and stays so")
            return
        reason = None
        if config in self._standing.deleted:
            reason = "it was deleted since"
        elif was_run:
            reason = "it was run since"
        elif not self._standing.is_listed(config) or self._standing.replaced_by(config):
            reason = "it was migrated since"
        (self._kept if reason else self._deleted).add(config)
        self._tell("delete", config, left=reason)

    def _reverse_description(self, config: str, before: Metadata, heads: tuple[str, ...], *, changed: bool) -> None:
        if changed:
            self._tell("describe", config, left="it was described since")
            return
        texts = [*reversed(before.other_descriptions), before.description]
        for text, moment in zip(texts, _moments(len(texts)), strict=True):
            records.describe(self._batch, config, text, heads, created_at=moment)
        self._tell("describe", config, before.description)

    def _reverse_aliases(self, old: str, created: set[str]) -> None:
        for alias in aliases.with_prefix(self._folder, old, dropped=True):
            if alias.record not in created or alias.config in self._deleted:
                continue  # the older hash goes on to say what was deleted
            if sets.contains(self._folder, layout.DELETED, alias.record):
                self._tell("alias", alias.old, left="it was taken back since")
                continue
            aliases.drop(self._folder, self._batch, alias)
            self._tell("alias", alias.old)

    def _reverse_move(self, name: str, record: str) -> None:
        pointer = names.pointer(self._folder, name)
        mine = next((move for move in pointer.history if move.record == record), None)
        aside = {record} | {other for moved, other in self._cancelled.moves if moved == name}
        if mine is None:
            self._tell("name", name, left="its move is not there any more")
            return
        if any(
            record in move.supersedes or move in pointer.heads for move in pointer.history if move.record not in aside
        ):
            self._tell("name", name, left="it was moved since")
            return
        earlier: list[names.Move | None] = [
            move for move in reversed(pointer.history) if move.record in mine.supersedes
        ] or [None]
        for move, moment in zip(earlier, _moments(len(earlier)), strict=True):
            names.move(
                self._batch,
                name,
                move.config if move else None,
                by=self._by,
                supersedes=pointer.heads,
                restores=move.record if move else None,
                created_at=moment,
            )
        newest = earlier[-1]
        self._tell("name", name, newest.config if newest else None)

    def _reverse_membership(self, set_folder: str, member: str, length: int) -> None:
        if member in self._kept or (set_folder == layout.DELETED and member in self._deleted):
            return
        reached = sets.length(self._folder, set_folder, member)
        present = length % 2 == 0
        action, subject, value = self._named(set_folder, member, present=present)
        if reached < length or reached > max(length, self._cancelled.members.get((set_folder, member), 0)):
            self._tell(action, subject, value, left="it was changed since")
            return
        if (reached % 2 == 1) == present:  # what was left of a later command did so already
            return
        if action == "restore" and not self._is_there(member):
            self._tell(action, subject, value, left="it was collected since")
            return
        sets.turn(self._batch, set_folder, member, reached, present=present)
        self._tell(action, subject, value)

    def _named(self, set_folder: str, member: str, *, present: bool) -> tuple[str, str, str | None]:
        """Return action, subject and value of putting a member into a set, or of taking it out."""
        if set_folder != layout.DELETED:
            return ("tag" if present else "untag"), member, layout.unescape_name(set_folder.rpartition("/")[2])
        if objects.exists(self._folder, member):
            return ("delete" if present else "restore"), member, None
        alias = self._aliases.get(member)
        if alias is not None:
            return "alias", alias.old, None if present else alias.config
        return ("delete" if present else "restore"), member, None

    def _is_there(self, config: str) -> bool:
        return objects.exists(self._folder, config) or any(
            self._folder.exists(f"{layout.TRASH}/{trash}/{layout.object_path(config)}")
            for trash in self._folder.names(layout.TRASH)
        )


class _Created(NamedTuple):
    """A command's paths: records by what they are about, moves, and set members with the length they reached."""

    records: dict[str, set[str]]
    moves: set[tuple[str, str]]
    members: dict[tuple[str, str], int]


def _sorted_out(paths: Iterable[str]) -> _Created:
    created = _Created({}, set(), {})
    for path in paths:
        folder, _, file_name = path.rpartition("/")
        record, member = layout.parse_record_name(file_name), layout.parse_member_name(file_name)
        if record and path == layout.record_path(*record):
            created.records.setdefault(record.config, set()).add(record.record)
        elif folder.startswith(f"{layout.NAMES}/") and layout.parse_object_name(file_name):
            name = layout.unescape_name(folder.rpartition("/")[2])
            if name is not None:
                created.moves.add((name, file_name))
        elif member and (folder == layout.DELETED or _is_tag_folder(folder)):
            key = (folder, member.config)
            created.members[key] = max(member.length, created.members.get(key, 0))
    return created


def _is_tag_folder(folder: str) -> bool:
    parent, _, escaped = folder.rpartition("/")
    return parent == layout.TAGS and layout.unescape_name(escaped) is not None


def _moments(count: int) -> Iterator[str]:
    """Yield times from now on, each later than the one before."""
    began = instant(now())
    for number in range(count):
        moment = began + timedelta(microseconds=number)
        yield moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
