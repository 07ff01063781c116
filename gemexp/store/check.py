"""Checking a store file by file, and what its files say of each other."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from typing import NamedTuple

from gemexp import canonical
from gemexp.config import CONFIG_KIND, ExperimentConfig, object_kind
from gemexp.errors import Corrupt, StoreUnreadable
from gemexp.outcome import OUTCOME_KIND, StoredOutcome
from gemexp.store import kinds, layout, names, objects, records, sets
from gemexp.store.files import Folder
from gemexp.store.names import Move, Pointer

_WIDEST_GAP = 1000
# The entry of an object's kind, which is the first in canonical order: an artifact hardly has it by chance.
_KIND_ENTRY = b"\xa1$"
_KIND_WITHIN = 64
_FILES_AT_TOP = {layout.FORMAT_FILE, layout.ATTRIBUTES_FILE, layout.IGNORE_FILE}


class Problem(NamedTuple):
    """A file that is bad, missing or foreign, and what is wrong with it."""

    path: str
    message: str
    missing: bool = False


class Report(NamedTuple):
    """What checking a store found.

    Args:
        objects: How many were read and are whole.
        records: How many were read and are whole, moves of names among them.
        members: How many files of tags, deletions and migrations were read.
        problems: What is wrong.
        notes: What is incomplete, and harmless.
    """

    objects: int
    records: int
    members: int
    problems: list[Problem]
    notes: list[Problem]


def check(folder: Folder) -> Report:
    """Read every shared file of a store and report what is not as it must be; nothing is changed."""
    checker = _Checker(folder)
    for path, mode in _walk(folder.root, ""):
        checker.check_entry(path, mode)
    checker.check_relations()
    return checker.report()


class _Checker:
    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._configs: set[str] = set()
        self._outcomes: dict[str, StoredOutcome] = {}
        self._others: set[str] = set()
        self._recorded: dict[str, str] = {}
        self._referred: list[tuple[str, str, str]] = []  # (kind, hash, path of what refers to it)
        self._outcomes_on: dict[tuple[str, str], set[str]] = {}
        self._records = 0
        self._lengths: dict[str, dict[str, set[int]]] = {}
        self._members = 0
        self._moves: dict[str, list[Move]] = {}
        self._problems: list[Problem] = []
        self._notes: list[Problem] = []

    def report(self) -> Report:
        count = len(self._configs) + len(self._outcomes) + len(self._others)
        return Report(count, self._records, self._members, sorted(self._problems), sorted(self._notes))

    def check_entry(self, path: str, mode: int | None) -> None:
        """Check one file by what its place promises."""
        try:
            if mode is None:
                raise Corrupt("is a folder that cannot be read")
            if stat.S_ISLNK(mode):
                raise Corrupt("is a symbolic link, which a store never holds")
            if not stat.S_ISREG(mode):
                raise Corrupt("is not a regular file")
            self._check_file(path)
        except (Corrupt, StoreUnreadable) as error:
            self._problems.append(Problem(path, error.message))

    def _check_file(self, path: str) -> None:
        parts = path.split("/")
        if path in _FILES_AT_TOP:
            if path == layout.FORMAT_FILE and self._folder.read(path, 4096) != layout.FORMAT:
                raise Corrupt("is not exactly what this version writes", expected=layout.FORMAT.decode())
        elif parts[0] == layout.OBJECTS and len(parts) == 3:
            self._check_object(path, parts[1], parts[2])
        elif parts[0] == layout.INDEX and len(parts) == 3:
            self._check_record(path, parts[1], parts[2])
        elif path.startswith(f"{layout.TAGS}/") and len(parts) == 4:
            if layout.unescape_name(parts[2]) is None:
                self._note_foreign(path)
            else:
                self._check_member(path, parts[3])
        elif path.startswith((f"{layout.DELETED}/", f"{layout.MIGRATED}/")) and len(parts) == 3:
            self._check_member(path, parts[2])
        elif path.startswith(f"{layout.NAMES}/") and len(parts) == 4:
            self._check_move(path, parts[2], parts[3])
        else:
            self._note_foreign(path)

    def _note_foreign(self, path: str) -> None:
        self._notes.append(Problem(path, "is not part of a store, and no reader looks at it"))

    def _check_object(self, path: str, fan_out: str, name: str) -> None:
        if layout.parse_object_name(name) is None:
            self._note_foreign(path)
            return
        if fan_out != name[:2]:
            raise Corrupt("is in a folder where no reader looks for it")
        data = objects.get(self._folder, name)
        kind = kind_of(data)
        if kind == CONFIG_KIND:
            ExperimentConfig.from_bytes(data)
            self._configs.add(name)
        elif kind == OUTCOME_KIND:
            self._outcomes[name] = StoredOutcome.from_bytes(data)
        elif kind is not None and kind.startswith("gemexp/"):
            raise Corrupt(f"is of the kind '{kind}', which this version does not know")
        else:
            self._others.add(name)

    def _check_record(self, path: str, fan_out: str, file_name: str) -> None:
        name = layout.parse_record_name(file_name)
        if name is None:
            self._note_foreign(path)
            return
        if fan_out != file_name[:2]:
            raise Corrupt("is in a folder where no reader looks for it")
        record = records.read(self._folder, name)
        self._records += 1
        self._referred.append((CONFIG_KIND, record["config"], path))
        if record["$"] == kinds.RUN:
            self._referred.append((OUTCOME_KIND, record["outcome"], path))
            if record["data"] is not None:
                self._outcomes_on.setdefault((record["config"], record["data"]), set()).add(record["outcome"])
        if record["$"] == kinds.ALIAS:
            return
        if record["$"] == kinds.PUT or name.config not in self._recorded:
            self._recorded[name.config] = path

    def _check_member(self, path: str, file_name: str) -> None:
        set_folder = path.rpartition("/")[0]
        member = layout.parse_member_name(file_name, pairs=set_folder == layout.MIGRATED)
        if member is None:
            self._note_foreign(path)
            return
        self._lengths.setdefault(set_folder, {}).setdefault(member.config, set()).add(member.length)
        self._members += 1
        if self._folder.read(path, canonical.MAX_BYTES) != b"":
            raise Corrupt("is not empty")

    def _check_move(self, path: str, escaped: str, file_name: str) -> None:
        record_hash = layout.parse_object_name(file_name)
        if record_hash is None:
            self._note_foreign(path)
            return
        name = layout.unescape_name(escaped)
        if name is None:
            raise Corrupt("is in a folder where no reader looks for it")
        self._moves.setdefault(name, []).append(names.read(self._folder, name, record_hash))
        self._records += 1

    def check_relations(self) -> None:
        """Check that what files refer to is there, and of the kind that it must be."""
        for set_folder, lengths in self._lengths.items():
            for member, found in lengths.items():
                self._check_lengths(set_folder, member, found)
                self._refer_to_member(set_folder, member, max(found))
        for name, moves in self._moves.items():
            self._check_name(names.assemble(name, moves))
        artifacts = set()
        for name, outcome in self._outcomes.items():
            artifacts |= set(outcome.artifacts.values())
            self._referred.append((CONFIG_KIND, outcome.config, layout.object_path(name)))
            self._referred += [("", artifact, layout.object_path(name)) for artifact in outcome.artifacts.values()]
        wrong = self._check_references()
        for name in self._configs - self._recorded.keys():
            message = "has no record: registering it was interrupted; adding it again completes it"
            self._notes.append(Problem(layout.object_path(name), message))
        for name in self._others - artifacts - wrong:
            message = "is no config, no outcome, and no outcome's artifact"
            self._notes.append(Problem(layout.object_path(name), message))
        for (config, _), outcomes in self._outcomes_on.items():
            if len(outcomes) > 1:
                message = f"has {len(outcomes)} outcomes on the same data: it is not reproducible"
                self._notes.append(Problem(layout.object_path(config), message))

    def _check_lengths(self, set_folder: str, config: str, found: set[int]) -> None:
        highest = max(found)
        if highest > len(found) + _WIDEST_GAP:
            path = layout.member_path(set_folder, config, highest)
            self._problems.append(Problem(path, "stands beyond a gap too wide to be filled"))
            return
        for number in sorted(set(range(1, highest)) - found):
            path = layout.member_path(set_folder, config, number)
            self._problems.append(Problem(path, "is missing, though a later one of its set is there", missing=True))

    def _refer_to_member(self, set_folder: str, member: str, length: int) -> None:
        pair = layout.parse_pair(member) if set_folder == layout.MIGRATED else None
        if set_folder != layout.DELETED:
            path = layout.member_path(set_folder, member, length)
            self._referred += [(CONFIG_KIND, config, path) for config in pair or (member,)]

    def _check_name(self, pointer: Pointer) -> None:
        """Check that the moves of a name that others come from are there, and what the current ones point to."""
        damaged = {problem.path for problem in self._problems}
        known = {move.record for move in pointer.history}
        before = {old for move in pointer.history for old in (*move.supersedes, move.restores) if old is not None}
        for path in {layout.move_path(pointer.name, record) for record in before - known} - damaged:
            message = "is missing, though a later move of the name refers to it: what came before it may count again"
            self._notes.append(Problem(path, message, missing=True))
        for head in pointer.heads:
            if head.config is not None:
                self._referred.append((CONFIG_KIND, head.config, layout.move_path(pointer.name, head.record)))
        if pointer.rivals:
            number = len({head.config for head in pointer.heads})
            message = f"points to {number} configs since a merge; gemexp name --resolve settles it"
            self._notes.append(Problem(layout.name_folder(pointer.name), message))

    def _check_references(self) -> set[str]:
        """Report what is missing or of a wrong kind, once each; return the latter."""
        damaged = {problem.path for problem in self._problems}
        kinds = {CONFIG_KIND: self._configs, OUTCOME_KIND: self._outcomes.keys()}
        there = self._configs | self._outcomes.keys() | self._others
        deleted = self._deleted()
        seen, wrong = set(), set()
        for kind, name, path in self._referred:
            target = layout.object_path(name)
            if name in kinds.get(kind, there) or target in damaged or name in seen:
                continue
            seen.add(name)
            if name in there:
                wrong.add(name)
                word = "configuration" if kind == CONFIG_KIND else "outcome"
                self._problems.append(Problem(target, f"is not a{'n' * (word[0] == 'o')} {word}, as '{path}' says"))
            elif name not in deleted:  # once it is collected, its mark and what was said of it stay
                self._problems.append(Problem(target, f"is missing; '{path}' refers to it", missing=True))
        return wrong

    def _deleted(self) -> set[str]:
        lengths = self._lengths.get(layout.DELETED, {})
        return {config for config, found in lengths.items() if sets.reached_length(found.__contains__) % 2 == 1}


def kind_of(data: bytes) -> str | None:
    """Return the kind that an object's bytes give; None for an artifact.

    Raises:
        Corrupt: They begin like one of ours, and go on otherwise.
    """
    try:
        return object_kind(canonical.decode(data))
    except Corrupt:
        if _KIND_ENTRY in data[:_KIND_WITHIN]:
            raise
        return None  # an artifact may hold anything


def _walk(root: str, folder: str) -> Iterator[tuple[str, int | None]]:
    """Yield (path, mode) of everything but folders, in order of path, without following links; not ``local/``.

    A folder that cannot be read has no mode.
    """
    try:
        with os.scandir(f"{root}/{folder}") as entries:
            found = sorted(entries, key=lambda entry: entry.name)
    except OSError:
        yield folder, None
        return
    for entry in found:
        path = f"{folder}/{entry.name}" if folder else entry.name
        if path == layout.LOCAL:
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(root, path)
        else:
            yield path, entry.stat(follow_symlinks=False).st_mode
