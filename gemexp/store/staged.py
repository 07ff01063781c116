"""Checking what is staged in git before it is committed, for a pre-commit hook: staged files alone.

What they refer to may have been committed before, so that the store is looked up as it will be in the next commit: as
in the last one, without what is removed, and with what is added.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from typing import Any, NamedTuple

from gemexp import canonical
from gemexp.config import CONFIG_KIND, ExperimentConfig
from gemexp.describing import damage
from gemexp.digest import hash_bytes, short
from gemexp.errors import Corrupt, StoreUnreadable
from gemexp.git import BlobReader, Repository
from gemexp.outcome import OUTCOME_KIND, StoredOutcome
from gemexp.store import kinds, layout, names, objects, records
from gemexp.store.check import Problem, kind_of
from gemexp.store.files import Folder
from gemexp.store.git_tree import Entry, IndexTree, commit_tree
from gemexp.store.overlay import Nothing, With, Without
from gemexp.store.standing import is_deleted
from gemexp.store.tracked_packs import TrackedPacks
from gemexp.store.tree import Tree

_FOLDERS = (layout.OBJECTS, layout.INDEX, layout.REFS, layout.PACKS, layout.LOCAL)
_FILES = (layout.FORMAT_FILE, layout.ATTRIBUTES_FILE, layout.IGNORE_FILE)
_SETTINGS = (layout.ATTRIBUTES_FILE, layout.IGNORE_FILE)
_ONE_OF_OURS = b"gemexp "
_MOST_FORMAT_BYTES = 4096
_MOST_PACK_BYTES = 2 << 30
_LINK = "120000"


class Report(NamedTuple):
    """What checking found.

    Args:
        checked: How many staged files belong to stores.
        problems: What must not be committed, and why; paths are the repository's.
        notes: What is harmless.
    """

    checked: int
    problems: list[Problem]
    notes: list[Problem]


class Change(NamedTuple):
    """A staged file: its letter in ``git diff --name-status``, what it is now and was in the last commit."""

    path: str
    status: str
    now: Entry
    before: Entry


def check(repository: Repository) -> Report:
    """Check the staged files of all stores in a repository.

    Raises:
        UnsupportedFormat: A store is a newer version's.
        EngineFailed: git refused.
    """
    head = repository.head()
    checked, problems, notes = 0, [], []
    with repository.blobs() as blobs:
        for store, changes in _by_store(_changes(repository, head), blobs).items():
            with commit_tree(repository, head, store) if head else nullcontext() as committed:
                checker = _Checker(committed or Nothing(), changes, blobs, Folder(f"{repository.folder}/{store}"))
                checker.check()
            start = f"{store}/" if store else ""
            checked += len(changes)
            problems += [one._replace(path=start + one.path) for one in checker.problems]
            notes += [one._replace(path=start + one.path) for one in checker.notes]
    return Report(checked, sorted(problems), sorted(notes))


def _changes(repository: Repository, head: str | None) -> list[Change]:
    base = head or repository.ask("hash-object", "-t", "tree", "--stdin").decode().strip()
    parts = repository.ask("diff-index", "--cached", "--raw", "-z", "--no-renames", base).decode(
        "utf-8", "surrogateescape"
    )
    fields = iter(parts.split("\0"))
    found = {}
    for about, path in zip(fields, fields, strict=False):
        mode_before, mode, blob_before, blob, status = about.removeprefix(":").split()
        if status == "U" or path not in found:  # git tells of what is not merged, and of what there is of it besides
            found[path] = Change(path, status, Entry(mode, blob), Entry(mode_before, blob_before))
    return list(found.values())


def _by_store(changes: Iterable[Change], blobs: BlobReader) -> dict[str, list[Change]]:
    """Return the changes in each store, by the store's path; the paths of the changes are within the store."""
    stores: dict[str, bool] = {}
    found: dict[str, list[Change]] = {}
    for change in changes:
        for root in _possible_stores(change.path):
            if root not in stores:
                stores[root] = _is_store(root, blobs)
            if stores[root]:
                inside = change.path[len(root) + 1 :] if root else change.path
                found.setdefault(root, []).append(change._replace(path=inside))
                break
    return found


def _possible_stores(path: str) -> Iterator[str]:
    parts = path.split("/")
    for position, part in enumerate(parts):
        is_named = position > 0 and parts[position - 1].endswith(layout.STORE_FOLDER)
        if is_named or part in _FOLDERS or (part in _FILES and position + 1 == len(parts)):
            yield "/".join(parts[:position])


def _is_store(root: str, blobs: BlobReader) -> bool:
    """Tell whether a folder is a store, as staged or as committed: one that has its name is, also without a format."""
    if "\n" in root:
        return False
    path = f"{root}/{layout.FORMAT_FILE}" if root else layout.FORMAT_FILE
    for place in (f":{path}", f"HEAD:{path}"):
        try:
            data = blobs.read(place, _MOST_FORMAT_BYTES)
        except Corrupt:
            continue
        if data is not None and data.startswith(_ONE_OF_OURS):
            return True
    return root.rpartition("/")[2].endswith(layout.STORE_FOLDER)


class _Checker:
    """Checks what is staged in one store.

    Args:
        committed: The store in the last commit.
        changes: What is staged.
        blobs: Reads contents.
        folder: The store in the work tree, for the packs in it.
    """

    def __init__(self, committed: Tree, changes: list[Change], blobs: BlobReader, folder: Folder) -> None:
        self.notes: list[Problem] = []
        self._told: dict[str, str] = {}
        self._changes = changes
        there = [change for change in changes if change.status != "D"]
        staged = IndexTree("the index", ((change.path, change.now) for change in there), blobs)
        gone = {change.path for change in changes} - {change.path for change in there}
        self._before = IndexTree("the last commit", ((change.path, change.before) for change in changes), blobs)
        self._files = With(Without(committed, gone), staged, (change.path for change in there))
        self._tree = TrackedPacks(self._files, folder)
        self._owners_of_artifacts = self._removed_artifacts()

    @property
    def problems(self) -> list[Problem]:
        """What must not be committed."""
        return [Problem(*one) for one in self._told.items()]

    def check(self) -> None:
        """Check all that is staged, each file by itself and then what it refers to."""
        if self._is_taken_away():
            return
        self._check_format()
        for change in self._changes:
            try:
                self._check_change(change)
            except (Corrupt, StoreUnreadable) as error:
                was = "was changed: it " if change.status == "M" else ""
                self._complain(change.path, f"{was}{error.message}")

    def _is_taken_away(self) -> bool:
        """Tell whether the whole store is removed, which is nobody's mistake."""
        if any(change.status != "D" for change in self._changes) or self._files.exists(layout.FORMAT_FILE):
            return False
        folders = [f"{top}/{name}" for top in (layout.OBJECTS, layout.INDEX) for name in self._files.names(top)]
        return not any(map(self._files.names, [layout.PACKS, *folders]))

    def _check_format(self) -> None:
        try:
            data = self._files.read(layout.FORMAT_FILE, _MOST_FORMAT_BYTES)
        except (Corrupt, StoreUnreadable):
            return  # it is staged, and named with the others
        if data is None:
            self._complain(layout.FORMAT_FILE, "is neither staged nor committed, and without it this is no store")
        elif data.startswith(_ONE_OF_OURS):
            layout.check_format(data, layout.FORMAT_FILE)

    def _complain(self, path: str, message: str) -> None:
        self._told.setdefault(path, message)  # the first thing that is wrong with a file

    def _check_change(self, change: Change) -> None:
        path, parts = change.path, change.path.split("/")
        if change.status == "U":
            raise Corrupt("is not merged yet")
        if parts[0] == layout.LOCAL:
            if change.status != "D":
                raise Corrupt("is below 'local', which is never shared; git rm --cached takes it out")
        elif path in _SETTINGS:
            return
        elif change.now.mode == _LINK:
            raise Corrupt("is a symbolic link, which a store never holds")
        elif not _is_ours(parts):
            if change.status != "D":
                self.notes.append(Problem(path, "is not part of a store, and no reader looks at it"))
        elif change.status == "D":
            self._check_removal(path, parts)
        else:
            self._check_content(path, parts)

    def _check_content(self, path: str, parts: list[str]) -> None:
        if path == layout.FORMAT_FILE:
            if self._files.read(path, _MOST_FORMAT_BYTES) != layout.FORMAT:
                raise Corrupt("is not exactly what this version writes", expected=layout.FORMAT.decode())
        elif parts[0] == layout.OBJECTS:
            self._check_object(path, parts)
        elif parts[0] == layout.INDEX:
            self._check_record(path, parts)
        elif parts[0] == layout.PACKS:
            self._check_pack(path, parts[1])
        elif path.startswith(f"{layout.NAMES}/"):
            self._check_move(path, parts)
        else:
            self._check_member(path, parts)

    def _read(self, path: str, expected: str, limit: int = canonical.MAX_BYTES) -> bytes:
        data = self._files.read(path, limit)
        if data is None or hash_bytes(data) != expected:
            raise Corrupt(f"is damaged: {damage(data or b'', expected, hash_bytes)}")
        return data

    def _check_object(self, path: str, parts: list[str]) -> None:
        name = parts[2]
        _check_fan_out(parts)
        data = self._read(path, name, objects.MAX_OBJECT_BYTES)
        kind = kind_of(data)
        if kind == CONFIG_KIND:
            ExperimentConfig.from_bytes(data)
            if not any(True for _ in records.names_with_prefix(self._tree, f"{name}-")):
                self._complain(path, "has no record that is staged or committed, which makes it known")
        elif kind == OUTCOME_KIND:
            outcome = StoredOutcome.from_bytes(data)
            self._need(path, "config", outcome.config, outcome.config)
            for file_name, artifact in sorted(outcome.artifacts.items()):
                self._need(path, f"artifact '{file_name}'", artifact, outcome.config)
        elif kind is not None and kind.startswith("gemexp/"):
            raise Corrupt(f"is of the kind '{kind}', which this version does not know")

    def _check_record(self, path: str, parts: list[str]) -> None:
        _check_fan_out(parts)
        about, _, record_hash = parts[2].partition("-")
        self._read(path, record_hash)
        record = records.read(self._files, layout.RecordName(about, record_hash))
        self._need(path, "config", record["config"], record["config"])
        if record["$"] in (kinds.RUN, kinds.SIGNATURE):
            self._need(path, "outcome", record["outcome"], record["config"])
        for further in kinds.objects_of(record):
            self._need(path, "object", further, record["config"])

    def _check_move(self, path: str, parts: list[str]) -> None:
        self._read(path, parts[3])
        move = names.read(self._files, layout.unescape_name(parts[2]) or "", parts[3])
        if move.config is not None:
            self._need(path, "config", move.config, move.config)

    def _check_member(self, path: str, parts: list[str]) -> None:
        if self._files.read(path, canonical.MAX_BYTES) != b"":
            raise Corrupt("is not empty")
        folder = "/".join(parts[:-1])
        member = _member(folder, parts[-1])
        if member is None:  # never so: `_is_ours` has looked
            return
        if member.length > 1:
            below = layout.member_path(folder, member.config, member.length - 1)
            if not self._tree.exists(below):
                self._complain(path, f"comes after '{below}', which is neither staged nor committed")
        if folder != layout.DELETED:
            for config in layout.parse_pair(member.config) or (member.config,):
                self._need(path, "config", config, config)

    def _check_pack(self, path: str, file_name: str) -> None:
        self._read(path, file_name.removesuffix(layout.PACK_SUFFIX), _MOST_PACK_BYTES)

    def _need(self, path: str, what: str, name: str, config: str) -> None:
        """Complain of a file that refers to an object which will not be there, unless its config was collected."""
        if not (self._tree.exists(layout.object_path(name)) or is_deleted(self._tree, config) or self._tree.unread):
            self._complain(path, f"needs the {what} {short(name)}, whose object is neither staged nor committed")

    def _check_removal(self, path: str, parts: list[str]) -> None:
        data = self._before.read(path, objects.MAX_OBJECT_BYTES)
        if self._tree.packed(path) == data:
            return
        if not any(is_deleted(self._tree, config) for config in self._owners(parts, data or b"")):
            raise Corrupt("is removed, though nothing that was committed ever is")

    def _owners(self, parts: list[str], data: bytes) -> Iterator[str]:
        """Yield the configs that a file belongs to, and may be collected with."""
        name = parts[-1]
        if parts[0] == layout.OBJECTS:
            outcome = _outcome(data)
            yield name
            if outcome is not None:
                yield outcome.config
            yield from self._owners_of_artifacts.get(name, ())
        elif parts[0] == layout.INDEX:
            yield name.partition("-")[0]
            record = _decoded(data)
            if isinstance(record, dict) and record.get("$") == kinds.ALIAS and isinstance(record.get("config"), str):
                yield record["config"]
        elif "/".join(parts[:2]) == layout.TAGS:
            yield name.partition(".")[0]

    def _removed_artifacts(self) -> dict[str, set[str]]:
        """Return the configs whose outcomes or records are removed, by artifact or other object that these name."""
        found: dict[str, set[str]] = {}
        for change in self._changes:
            if change.status == "D" and change.path.startswith(f"{layout.OBJECTS}/"):
                outcome = _outcome(self._before.read(change.path, objects.MAX_OBJECT_BYTES) or b"")
                if outcome is not None:
                    for artifact in outcome.artifacts.values():
                        found.setdefault(artifact, set()).add(outcome.config)
            elif change.status == "D" and change.path.startswith(f"{layout.INDEX}/"):
                record = _decoded(self._before.read(change.path, objects.MAX_OBJECT_BYTES) or b"")
                if isinstance(record, dict) and isinstance(record.get("config"), str):
                    for further in kinds.objects_of(record):
                        found.setdefault(further, set()).add(record["config"])
        return found


def _is_ours(parts: list[str]) -> bool:
    """Tell whether a reader would look at a file, by its name alone."""
    name = parts[-1]
    if len(parts) == 1:
        return name == layout.FORMAT_FILE
    if len(parts) == 2:
        return parts[0] == layout.PACKS and layout.parse_pack_name(name) is not None
    folder = "/".join(parts[:-1])
    if len(parts) == 3:
        if parts[0] == layout.OBJECTS:
            return layout.parse_object_name(name) is not None
        if parts[0] == layout.INDEX:
            return layout.parse_record_name(name) is not None
        return folder in (layout.DELETED, layout.MIGRATED) and _member(folder, name) is not None
    if len(parts) != 4 or layout.unescape_name(parts[2]) is None:
        return False
    if folder.startswith(f"{layout.NAMES}/"):
        return layout.parse_object_name(name) is not None
    return folder.startswith(f"{layout.TAGS}/") and _member(folder, name) is not None


def _member(folder: str, name: str) -> layout.MemberName | None:
    return layout.parse_member_name(name, pairs=folder == layout.MIGRATED)


def _check_fan_out(parts: list[str]) -> None:
    if parts[1] != parts[2][:2]:
        raise Corrupt("is in a folder where no reader looks for it")


def _outcome(data: bytes) -> StoredOutcome | None:
    try:
        return StoredOutcome.from_bytes(data)
    except Corrupt:
        return None


def _decoded(data: bytes) -> Any:
    try:
        return canonical.decode(data)
    except Corrupt:
        return None
