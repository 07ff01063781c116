"""Checking a store file by file, and what its files say of each other."""

from __future__ import annotations

import contextlib
import warnings
from itertools import chain
from typing import NamedTuple

from gemexp import canonical
from gemexp.config import CONFIG_KIND, ExperimentConfig, object_kind
from gemexp.digest import hash_bytes, is_hash
from gemexp.errors import Corrupt, DamageWarning, StoreUnreadable
from gemexp.outcome import OUTCOME_KIND, StoredOutcome
from gemexp.store import at_work, entries, kinds, layout, names, objects, pack_check, pack_format, records, sets
from gemexp.store.files import Folder
from gemexp.store.names import Move, Pointer
from gemexp.store.pack import Pack
from gemexp.store.pack_index import OBJECTS
from gemexp.store.references import References
from gemexp.store.standing import is_deleted

_WIDEST_GAP = 1000
# The entry of an object's kind, which is the first in canonical order: an artifact hardly has it by chance.
_KIND_ENTRY = b"\xa1$"
_KIND_WITHIN = 64


class Problem(NamedTuple):
    """A file that is bad, missing or foreign, and what is wrong with it.

    Args:
        path: The file.
        message: What is wrong, to be read after it.
        missing: It is not there.
        entry: In a pack, the path of the file there that it is about.
        stays: Why repairing leaves it as it is; empty if it does not.
    """

    path: str
    message: str
    missing: bool = False
    entry: str = ""
    stays: str = ""

    @property
    def place(self) -> str:
        """The file, after the pack that it lies in."""
        return f"{self.path}: {self.entry}" if self.entry else self.path


class Report(NamedTuple):
    """What checking a store found.

    Args:
        objects: How many were read and are whole.
        records: How many were read and are whole, moves of names among them.
        members: How many files of tags, deletions and migrations were read.
        packs: How many were read and are whole.
        problems: What is wrong.
        notes: What is incomplete, and harmless.
    """

    objects: int
    records: int
    members: int
    packs: int
    problems: list[Problem]
    notes: list[Problem]


def check(folder: Folder) -> Report:
    """Read every shared file of a store and report what is not as it must be; nothing is changed.

    What lies in packs is checked like files of their own. Objects come first, so that only what refers to none of them
    has to be remembered. Others may write, pack and collect meanwhile: what seems to be missing is looked for again.
    """
    warned, folder.packs.warns = folder.packs.warns, False
    try:
        checker = _Checker(folder)
        checker.check_packs()
        checker.check_files(layout.OBJECTS)
        checker.check_packed(objects=True)
        for top in sorted(set(folder.names("")) - {layout.PACKS, layout.OBJECTS, layout.LOCAL}):
            checker.check_files(top)
        checker.check_packed(objects=False)
        checker.check_relations()
        checker.check_settings()
        return checker.report()
    finally:
        folder.packs.warns = warned


class _Checker:
    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._packs: list[Pack] = []
        self._whole_packs = 0
        self._gone = False
        self._references = References()
        self._outcomes_on: dict[int, int] = {}
        self._disputed: dict[tuple[str, int], set[int]] = {}
        self._records = 0
        self._members = 0
        self._moves: dict[str, dict[str, Move]] = {}
        self._writable: list[str] = []
        self._problems: list[Problem] = []
        self._notes: list[Problem] = []

    def report(self) -> Report:
        return Report(
            objects=len(self._references),
            records=self._records,
            members=self._members,
            packs=self._whole_packs,
            problems=sorted(self._problems),
            notes=sorted(self._notes),
        )

    def check_packs(self) -> None:
        """Check the packs; one that goes meanwhile lies in another, which the listing may have missed."""
        seen: set[str] = set()
        while True:
            self._gone = False
            self.check_files(layout.PACKS, seen)
            if not self._gone:
                return

    def check_files(self, top: str, seen: set[str] | None = None) -> None:
        """Check a file at the top of the store, or all below a folder there, by what their places promise.

        Args:
            top: The file or folder.
            seen: What was checked before, and is not again; what is checked is added.
        """
        for path, mode in entries.walk(self._folder.root, top):
            if seen is not None:
                if path in seen:
                    continue
                seen.add(path)
            try:
                fault = entries.fault(path, mode)
                if fault is not None:
                    raise Corrupt(fault)
                self._check_file(path)
            except FileNotFoundError:
                self._gone = True
            except (Corrupt, StoreUnreadable) as error:
                self._problems.append(Problem(path, error.message, stays=_why_it_stays(error)))
                self._add_damaged(path)
            if entries.is_writable_by_others(mode):
                self._writable.append(path)

    def check_packed(self, *, objects: bool) -> None:
        """Check the objects in all packs, or all else, each by what its path promises."""
        for pack in self._packs:
            for path, data in chain.from_iterable(pack.paths(*part) for part in _parts(pack, objects=objects)):
                try:
                    self._check_content(path, data, pack)
                except Corrupt as error:
                    stays = _why_it_stays(error)
                    self._problems.append(Problem(pack.path, error.message, entry=path, stays=stays))
                    self._add_damaged(path)

    def _add_damaged(self, path: str) -> None:
        name = path.rpartition("/")[2]
        if layout.parse_object_name(name) and path == layout.object_path(name):
            self._references.add_damaged(name)
        record = layout.parse_record_name(name)
        if record is not None and is_hash(record.config):
            self._references.put(record.config)  # as it may have been

    def _check_file(self, path: str) -> None:
        folder, _, name = path.rpartition("/")
        pack = layout.parse_pack_name(name) if folder == layout.PACKS else None
        if path in entries.FILES_AT_TOP:
            if path == layout.FORMAT_FILE and self._folder.read(path, 4096) != layout.FORMAT:
                raise Corrupt("is not exactly what this version writes", expected=layout.FORMAT.decode())
        elif pack is not None:
            self._check_pack(pack)
        elif entries.is_misplaced(path):
            raise Corrupt("is in a folder where no reader looks for it")
        elif pack_format.is_path(path):
            limit = objects.MAX_OBJECT_BYTES if path.startswith(f"{layout.OBJECTS}/") else canonical.MAX_BYTES
            data = self._folder.loose.read(path, limit)
            if data is not None:
                self._check_content(path, data, None)
        else:
            self._notes.append(Problem(path, "is not part of a store, and no reader looks at it"))

    def _check_pack(self, name: str) -> None:
        found = pack_check.examine(self._folder.root, name)
        self._problems += [Problem(layout.pack_path(name), one.message, entry=one.entry) for one in found.faults]
        self._whole_packs += not found.faults
        path = layout.pack_index_path(name)
        if found.index_lies:
            self._problems.append(Problem(path, "is not what its pack says, and readers would believe it"))
        elif found.index_damaged:
            self._notes.append(Problem(path, "is damaged; it is made anew when it is needed"))
        if found.pack is not None:
            self._packs.append(found.pack)

    def _check_content(self, path: str, data: bytes, pack: Pack | None) -> None:
        """Check the content of a file by its path.

        Raises:
            Corrupt: It is not what the path promises.
        """
        folder, _, name = path.rpartition("/")
        is_new = pack is None or not self._seen_before(path, pack)
        if path.startswith(f"{layout.OBJECTS}/"):
            self._check_object(name, data)
        elif path.startswith(f"{layout.INDEX}/"):
            self._check_record(path, data)
            self._records += is_new
        elif path.startswith(f"{layout.NAMES}/"):
            moved = layout.unescape_name(folder.rpartition("/")[2]) or ""
            self._moves.setdefault(moved, {})[name] = names.from_value(name, kinds.read(data, name, moved))
            self._records += is_new
        else:
            self._members += is_new
            self._check_member(folder, name)
            if data:
                raise Corrupt("is not empty")

    def _seen_before(self, path: str, pack: Pack) -> bool:
        """Tell whether a file of a pack was counted as one of its own, or as another pack's."""
        before = self._packs[: self._packs.index(pack)]
        return self._folder.loose.exists(path) or any(one.find(path) is not None for one in before)

    def _check_object(self, name: str, data: bytes) -> None:
        objects.check(name, data)
        kind = kind_of(data)
        if kind == CONFIG_KIND:
            ExperimentConfig.from_bytes(data)
            self._references.add_config(name)
        elif kind == OUTCOME_KIND:
            self._references.add_outcome(name, StoredOutcome.from_bytes(data))
        elif kind is not None and kind.startswith("gemexp/"):
            raise kinds.UnknownKind(f"is of the kind '{kind}', which this version does not know")
        else:
            self._references.add_other(name)

    def _check_record(self, path: str, data: bytes) -> None:
        name = layout.parse_record_name(path.rpartition("/")[2])
        if name is None:
            raise Corrupt("is not a record's name")
        record = records.from_bytes(data, name)
        self._references.refer(CONFIG_KIND, record["config"], path)
        if record["$"] == kinds.RUN:
            self._references.refer(OUTCOME_KIND, record["outcome"], path)
            self._references.outcome_of(record["outcome"], record["config"], path)
            if record["data"] is not None:
                self._note_outcome(record["config"], record["data"], record["outcome"])
        elif record["$"] == kinds.SIGNATURE:
            self._references.refer(OUTCOME_KIND, record["outcome"], path)
        for further in kinds.objects_of(record):
            self._references.use(further, path)
        if record["$"] == kinds.PUT:
            self._references.put(name.config)

    def _note_outcome(self, config: str, data: str, outcome: str) -> None:
        """Remember a run's outcome: two numbers each, since there may be a million."""
        on = int(hash_bytes(f"{config}{data}".encode())[:24], 16)
        found = int(outcome[:24], 16)
        first = self._outcomes_on.setdefault(on, found)
        if first != found:
            self._disputed.setdefault((config, on), {first}).add(found)

    def _check_member(self, set_folder: str, file_name: str) -> None:
        """Check that the lengths below a member's are there; and what it refers to."""
        member = layout.parse_member_name(file_name, pairs=set_folder == layout.MIGRATED)
        if member is None:
            raise Corrupt("is not a member's name")
        path = f"{set_folder}/{file_name}"
        if set_folder != layout.DELETED:
            for config in layout.parse_pair(member.config) or (member.config,):
                self._references.refer(CONFIG_KIND, config, path)
        missing: list[str] = []
        for number in range(member.length - 1, 0, -1):
            below = layout.member_path(set_folder, member.config, number)
            if self._folder.exists(below):
                break
            if len(missing) == _WIDEST_GAP:
                message = "stands beyond a gap too wide to be filled"
                self._problems.append(Problem(path, message, stays="it does not count, and does no harm"))
                return
            missing.append(below)
        message = "is missing, though a later one of its set is there"
        self._problems += [Problem(one, message, missing=True) for one in missing]

    def check_relations(self) -> None:
        """Check that what files refer to is there, and of the kind that it must be."""
        self._references.settle()
        for name, moves in self._moves.items():
            self._check_name(names.assemble(name, moves.values()))
        unregistered = dict(self._references.unregistered())
        for _ in at_work.rounds(self._folder):
            deleted = sets.members(self._folder, layout.DELETED)
            missing = dict(self._references.missing(deleted))
            missing = {name: message for name, message in missing.items() if not objects.exists(self._folder, name)}
            unregistered = {name: path for name, path in unregistered.items() if not self._need_not_be_registered(name)}
            if not missing and not unregistered:
                break
        trash = at_work.open_unfinished(self._folder)
        for name, message in missing.items():
            path = layout.object_path(name)
            taken = any(one.exists(path) for one in trash)
            hint = f": {at_work.TAKEN}; gemexp gc, or fsck --repair, brings it back" if taken else ""
            self._problems.append(Problem(path, f"{message}{hint}", missing=True))
        for name, message in self._references.wrong():
            stays = "it is whole, and so is what refers to it"
            self._problems.append(Problem(layout.object_path(name), message, stays=stays))
        for name, path in unregistered.items():
            message = f"is missing: no record says that the config was registered, though '{path}' refers to it"
            self._problems.append(Problem(layout.record_path(name, "*"), message, missing=True))
        for name, message in self._references.unused():
            self._notes.append(Problem(layout.object_path(name), message))
        for (name, _), outcomes in self._disputed.items():
            message = f"has {len(outcomes)} outcomes on the same data: it is not reproducible"
            self._notes.append(Problem(layout.object_path(name), message))

    def _need_not_be_registered(self, config_hash: str) -> bool:
        """Tell whether a config is deleted, of which what was said may stay, or was registered while we looked."""
        if is_deleted(self._folder, config_hash):
            return True
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DamageWarning)  # what is damaged is told already
            return bool(records.metadata(self._folder, config_hash).puts)

    def check_settings(self) -> None:
        """Check what does not bear on what the store says: what is for git, what is local, and who may write."""
        if not self._folder.loose.exists(layout.FORMAT_FILE):
            message = "is missing, and without it this is no store"
            self._problems.append(Problem(layout.FORMAT_FILE, message, missing=True))
        for path, content in entries.SETTINGS.items():
            with contextlib.suppress(Corrupt, StoreUnreadable):  # which is told already
                if self._folder.loose.read(path, canonical.MAX_BYTES) != content:
                    self._notes.append(Problem(path, "is not as gemexp init writes it, which only git looks at"))
        packs = set(self._folder.loose.names(layout.PACKS))
        for name in self._folder.loose.names(layout.PACK_INDEXES):
            pack = name.removesuffix(layout.PACK_INDEX_SUFFIX)
            if name != pack and is_hash(pack) and f"{pack}{layout.PACK_SUFFIX}" not in packs:
                message = "was made of a pack that is gone: it was replaced, or lost"
                self._notes.append(Problem(f"{layout.PACK_INDEXES}/{name}", message))
        faults = entries.faults_in_local(self._folder.root)
        self._problems += [Problem(path, message) for path, message in faults]
        if self._writable:
            more = f", and so do {len(self._writable) - 1} more" if len(self._writable) > 1 else ""
            message = f"lets others than its owner write to it{more}"
            self._notes.append(Problem(self._writable[0], message))

    def _check_name(self, pointer: Pointer) -> None:
        """Check that the moves of a name that others come from are there, and what the current ones point to."""
        damaged = {problem.entry or problem.path for problem in self._problems}
        known = {move.record for move in pointer.history}
        before = {old for move in pointer.history for old in (*move.supersedes, move.restores) if old is not None}
        for path in {layout.move_path(pointer.name, record) for record in before - known} - damaged:
            message = "is missing, though a later move of the name refers to it: what came before it may count again"
            self._notes.append(Problem(path, message, missing=True))
        for head in pointer.heads:
            if head.config is not None:
                self._references.refer(CONFIG_KIND, head.config, layout.move_path(pointer.name, head.record))
        if pointer.rivals:
            number = len({head.config for head in pointer.heads})
            message = f"points to {number} configs since a merge; gemexp name --resolve settles it"
            self._notes.append(Problem(layout.name_folder(pointer.name), message))


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


def _why_it_stays(error: Corrupt | StoreUnreadable) -> str:
    return "a newer version can read it" if isinstance(error, kinds.UnknownKind) else ""


def _parts(pack: Pack, *, objects: bool) -> list[tuple[int, int]]:
    """Return where in a pack its objects lie, or where all else does."""
    start, end = pack.span(OBJECTS)
    return [(start, end)] if objects else [(len(pack_format.MAGIC), start), (end, pack.size)]
