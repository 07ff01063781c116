"""What the files of a store say of its objects: which there must be, and of which kind."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from gemexp.config import CONFIG_KIND
from gemexp.outcome import OUTCOME_KIND, StoredOutcome
from gemexp.store import layout

_DAMAGED, _CONFIG, _OUTCOME, _OTHER = range(4)
_KIND, _RECORDED, _USED = 3, 4, 8
_OF = 4  # above these bits, an outcome has the beginning of its config's hash
_KINDS = {CONFIG_KIND: _CONFIG, OUTCOME_KIND: _OUTCOME}
_WORDS = {CONFIG_KIND: "a configuration", OUTCOME_KIND: "an outcome"}


class References:
    """Collects the objects of a store, and then what refers to them.

    All objects come first: only what refers to something that is not there has to be remembered.
    """

    def __init__(self) -> None:
        self._objects: dict[bytes, int] = {}
        self._waiting: list[tuple[str, bytes, bytes]] = []  # (kind, target, the outcome that refers to it)
        self._missing: dict[str, dict[str, None]] = {}
        self._unregistered: dict[bytes, str] = {}
        self._strange: dict[str, str] = {}
        self._wrong: dict[str, tuple[str, str]] = {}

    def add_config(self, config_hash: str) -> None:
        """Note a config that is whole."""
        self._objects[bytes.fromhex(config_hash)] = _CONFIG

    def add_outcome(self, outcome_hash: str, outcome: StoredOutcome) -> None:
        """Note an outcome that is whole."""
        name = bytes.fromhex(outcome_hash)
        self._objects[name] = _OUTCOME | _beginning(outcome.config) << _OF
        self._waiting.append((CONFIG_KIND, bytes.fromhex(outcome.config), name))
        self._waiting += [("", bytes.fromhex(artifact), name) for artifact in outcome.artifacts.values()]

    def add_other(self, object_hash: str) -> None:
        """Note an object that is whole, and neither config nor outcome."""
        self._objects[bytes.fromhex(object_hash)] = _OTHER

    def add_damaged(self, object_hash: str) -> None:
        """Note an object that is not whole, unless there is a whole copy: it is no longer missing."""
        self._objects.setdefault(bytes.fromhex(object_hash), _DAMAGED)

    def settle(self) -> None:
        """Look at what outcomes refer to, once all objects are known."""
        for kind, target, outcome in self._waiting:
            if not kind and target in self._objects:
                self._objects[target] |= _USED
            else:
                self.refer(kind, target.hex(), layout.object_path(outcome.hex()))
        self._waiting = []

    def put(self, config_hash: str) -> None:
        """Note that a config has a record of its registration."""
        name = bytes.fromhex(config_hash)
        self._unregistered.pop(name, None)
        if name in self._objects:
            self._objects[name] |= _RECORDED

    def use(self, object_hash: str, path: str) -> None:
        """Note that a file names an object of no kind of ours, such as a list of packages."""
        name = bytes.fromhex(object_hash)
        if name in self._objects:
            self._objects[name] |= _USED
        else:
            self.refer("", object_hash, path)

    def outcome_of(self, outcome_hash: str, config_hash: str, path: str) -> None:
        """Note that a file says an outcome to be a config's."""
        found = self._objects.get(bytes.fromhex(outcome_hash), 0)
        if found & _KIND == _OUTCOME and found >> _OF != _beginning(config_hash):
            self._strange.setdefault(outcome_hash, path)

    def refer(self, kind: str, object_hash: str, path: str) -> None:
        """Note that a file refers to an object.

        Args:
            kind: What it must be; empty if it may be anything.
            object_hash: The object.
            path: The file.
        """
        found = self._objects.get(bytes.fromhex(object_hash))
        if found is None:
            self._missing.setdefault(object_hash, {})[path] = None
        elif kind and found & _KIND not in (_DAMAGED, _KINDS[kind]):
            self._wrong.setdefault(object_hash, (kind, path))
        elif found & (_KIND | _RECORDED) == _CONFIG:
            self._unregistered.setdefault(bytes.fromhex(object_hash), path)

    def __len__(self) -> int:
        return sum(1 for found in self._objects.values() if found & _KIND != _DAMAGED)

    def missing(self, deleted: Collection[str]) -> Iterator[tuple[str, str]]:
        """Yield (object, what is wrong) of what is referred to and not there.

        Args:
            deleted: Configs that may be missing, and what only their records and outcomes refer to: once one is
                collected, what was said of it stays; and a collector that is interrupted leaves some of the rest.
        """
        beginnings = set(map(_beginning, deleted))
        for name, paths in self._missing.items():
            if name not in deleted:
                for path in paths:
                    if not self._is_of(path, deleted, beginnings):
                        yield name, f"is missing; '{path}' refers to it"
                        break

    def _is_of(self, path: str, configs: Collection[str], beginnings: set[int]) -> bool:
        """Tell whether a file is a record or an outcome of some configs."""
        name = path.rpartition("/")[2]
        record = layout.parse_record_name(name) if path.startswith(f"{layout.INDEX}/") else None
        if record is not None:
            return record.config in configs
        found = self._objects.get(bytes.fromhex(name), 0) if path == layout.object_path(name) else 0
        return found & _KIND == _OUTCOME and found >> _OF in beginnings

    def wrong(self) -> Iterator[tuple[str, str]]:
        """Yield (object, what is wrong) of what is of another kind than what refers to it says."""
        for name, (kind, path) in self._wrong.items():
            yield name, f"is not {_WORDS[kind]}, as '{path}' says"
        for name, path in self._strange.items():
            yield name, f"is the outcome of another config than '{path}' says"

    def unregistered(self) -> Iterator[tuple[str, str]]:
        """Yield (config, a file that refers to it) of configs that are there and were not registered by any record."""
        for name, path in self._unregistered.items():
            yield name.hex(), path

    def unused(self) -> Iterator[tuple[str, str]]:
        """Yield (object, why) of what nothing refers to."""
        for name, found in self._objects.items():
            if found & (_KIND | _RECORDED) == _CONFIG and name not in self._unregistered:
                yield name.hex(), "has no record: registering it was interrupted; adding it again completes it"
            elif found == _OTHER and name.hex() not in self._wrong:
                yield name.hex(), "is no config, no outcome, and nothing that an outcome or a record names"


def _beginning(config_hash: str) -> int:
    """Return as much of a hash as fits into a number beside an object's bits."""
    return int(config_hash[:14], 16)
