"""What the index holds of configs and outcomes, read from the store's files and proven to be whole."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any, Final, NamedTuple

from gemexp import canonical
from gemexp.config import ExperimentConfig, instant, peek
from gemexp.digest import is_hash
from gemexp.errors import Corrupt, NotFound
from gemexp.index.cells import cell, id_of, leaves
from gemexp.index.columns import Leaves
from gemexp.index.schema import DAMAGED, MISSING, WHOLE
from gemexp.store import kinds, layout, objects, pack_format, records
from gemexp.store.files import Folder
from gemexp.store.pack import Pack
from gemexp.store.records import Metadata, Run

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_NOTHING: Final = Metadata()
_HYPERPARAMETERS: Final = ("hyperparameters",)
_DATA: Final = '["data"]'
# Up to here, looking configs up is cheaper than going through a folder of a pack.
_LOOK_UP_BELOW: Final = 32


class Place(NamedTuple):
    """Where an object lies: its pack, where in it, and how many bytes."""

    pack: str
    start: int
    size: int


class Facts(NamedTuple):
    """What the index holds of a config.

    Args:
        number: Its id.
        raw: Its hash.
        has_put: Somebody registered it.
        has_object: Its object is there.
        sound: All there is about it could be read and is whole.
        loose: Stands for the names of its loose files; None if it has none, or is not sound.
        created: When it was registered, in microseconds since 1970; None if it was not.
        created_at: The same, as it was written.
        description: Its description.
        parents: What it was made from.
        runs: Its runs, without their environments.
        place: Where its object lies, if that is in a pack and not loose as well.
        leaves: Its values, if they are known and not written elsewhere.
    """

    number: int
    raw: bytes
    has_put: bool
    has_object: bool
    sound: bool
    loose: int | None
    created: int | None
    created_at: str
    description: str
    parents: tuple[str, ...]
    runs: tuple[Run, ...]
    place: Place | None
    leaves: Leaves | None

    @property
    def config_hash(self) -> str:
        """Its hash, in digits."""
        return self.raw.hex()


class OutcomeFacts(NamedTuple):
    """What the index holds of an outcome: its hash, whether its object is `WHOLE`, and its values."""

    outcome_hash: str
    state: int
    leaves: Leaves


class LooseNames(NamedTuple):
    """The loose files of one fan-out folder: names of records by config, and hashes of objects."""

    records: dict[str, list[str]]
    objects: set[str]

    def mark(self, config_hash: str) -> int | None:
        """Return a number that stands for a config's loose files; None if it has none."""
        names = sorted(self.records.get(config_hash, ()))
        if config_hash in self.objects:
            names.append("")
        if not names:
            return None
        return int.from_bytes(blake2b("/".join(names).encode(), digest_size=8).digest()) >> 1


class _Record(NamedTuple):
    """The bytes of a record, and whether they lie in a pack that is known to hold only valid ones."""

    data: bytes
    proven: bool


class Reader:
    """Reads facts.

    Args:
        folder: The store.
    """

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._packs = folder.packs.all()

    def loose_names(self, fan_out: str) -> LooseNames:
        """Return the names of the loose files in a fan-out folder."""
        recorded: dict[str, list[str]] = {}
        for file_name in self._folder.loose.names(f"{layout.INDEX}/{fan_out}"):
            name = layout.parse_record_name(file_name)
            if name and is_hash(name.config):
                recorded.setdefault(name.config, []).append(name.record)
        found = filter(layout.parse_object_name, self._folder.loose.names(f"{layout.OBJECTS}/{fan_out}"))
        return LooseNames(recorded, set(found))

    def configs(self, fan_out: str, among: Collection[str] | None = None) -> list[Facts]:
        """Return the facts of all configs that there are records of in a fan-out folder, or of some, sorted.

        Raises:
            Corrupt: A pack is damaged.
            StoreUnreadable: The file system refused.
        """
        loose = self.loose_names(fan_out)
        unsound: set[str] = set()
        found: dict[str, dict[str, _Record]] = {}
        for config_hash, record_hash, record in self._records(fan_out, loose, among):
            known = found.setdefault(config_hash, {})
            if record is None:
                unsound.add(config_hash)
            else:
                known.setdefault(record_hash, record)
        recorded = {name: _metadata(name, known, unsound) for name, known in found.items()}
        if among is None:  # of an older hash there is nothing but aliases
            among = [name for name, metadata in recorded.items() if metadata is not None or name in unsound]
        places = self._places(fan_out, set(among) - loose.objects)
        facts = [
            self._facts(name, recorded.get(name) or _NOTHING, loose, places.get(name), sound=name not in unsound)
            for name in sorted(among)
        ]
        for pack in self._packs:
            pack_format.release(pack.bytes, 0, pack.size)
        return facts

    def outcome(self, outcome_hash: str) -> OutcomeFacts:
        """Return the facts of an outcome."""
        from gemexp.outcome import StoredOutcome

        try:
            outcome = StoredOutcome.from_bytes(objects.get(self._folder, outcome_hash))
        except NotFound:
            return OutcomeFacts(outcome_hash, MISSING, {})
        except Corrupt:
            return OutcomeFacts(outcome_hash, DAMAGED, {})
        return OutcomeFacts(outcome_hash, WHOLE, outcome_leaves(outcome.metrics, outcome.data))

    def _records(
        self, fan_out: str, loose: LooseNames, among: Collection[str] | None
    ) -> Iterator[tuple[str, str, _Record | None]]:
        """Yield (config, record, what it holds); None for what cannot be read. A loose file comes before a pack's."""
        for config_hash, record_hashes in loose.records.items():
            for record_hash in record_hashes if among is None or config_hash in among else ():
                try:
                    data = self._folder.read(layout.record_path(config_hash, record_hash), canonical.MAX_BYTES)
                except Corrupt:
                    yield config_hash, record_hash, None
                else:
                    if data is not None:  # else it has just gone
                        yield config_hash, record_hash, _Record(data, proven=False)
        for pack in self._packs:
            for frame in _frames(pack, layout.INDEX, fan_out, among):
                if len(frame.key) == 65:  # others are about aliases
                    config_hash, record_hash = frame.key[1:33].hex(), frame.key[33:].hex()
                    if record_hash not in loose.records.get(config_hash, ()):
                        yield config_hash, record_hash, _Record(pack.data(frame), pack.index.proven)

    def _places(self, fan_out: str, wanted: set[str]) -> dict[str, tuple[Pack, Place]]:
        """Return where objects lie that are not loose; of several packs, the first counts as it does for readers."""
        found: dict[str, tuple[Pack, Place]] = {}
        for pack in self._packs:
            for frame in _frames(pack, layout.OBJECTS, fan_out, wanted):
                name = frame.key[1:].hex()
                if name in wanted and name not in found:
                    found[name] = pack, Place(pack.name, frame.data, frame.end - frame.data)
        return found

    def _facts(
        self, name: str, metadata: Metadata, loose: LooseNames, packed: tuple[Pack, Place] | None, *, sound: bool
    ) -> Facts:
        has_object, values = packed is not None or name in loose.objects, None
        if has_object and metadata.puts:
            try:
                values = leaves(self._hyperparameters(name, packed), "hyperparameters")
            except NotFound:  # it has just gone
                has_object = False
            except Corrupt:
                sound = False
        return Facts(
            number=id_of(name),
            raw=bytes.fromhex(name),
            has_put=bool(metadata.puts),
            has_object=has_object,
            sound=sound,
            loose=loose.mark(name) if sound else None,
            created=microseconds(instant(metadata.created_at)) if metadata.puts else None,
            created_at=metadata.created_at,
            description=metadata.description,
            parents=metadata.parents,
            runs=tuple(run._replace(environment={}) for run in metadata.runs),
            place=packed[1] if packed is not None else None,
            leaves=values,
        )

    def _hyperparameters(self, name: str, packed: tuple[Pack, Place] | None) -> dict[str, Any]:
        if packed is None:
            return ExperimentConfig.from_bytes(objects.get(self._folder, name)).hyperparameters
        pack, place = packed
        data = objects.check(name, pack.bytes[place.start : place.start + place.size])
        if pack.index.proven:
            found: dict[str, Any] = peek(data, _HYPERPARAMETERS)["hyperparameters"]
            return found
        return ExperimentConfig.from_bytes(data).hyperparameters


def outcome_leaves(metrics: Mapping[str, float | None], data: Any) -> Leaves:
    """Return the values of an outcome that can be asked for; ``data`` may be any value."""
    found = leaves(metrics, "metric")
    if isinstance(data, dict) and data:
        found |= leaves(data, "data")
    elif data is not None:
        found[_DATA] = cell(data)
    return found


def microseconds(moment: datetime) -> int:
    """Return a moment as microseconds since 1970."""
    return (moment - _EPOCH) // _MICROSECOND


def _metadata(config_hash: str, known: dict[str, _Record], unsound: set[str]) -> Metadata | None:
    """Say what records amount to, None if all are aliases; note as unsound of what one is damaged or not known."""
    readable = {}
    for record_hash, (data, proven) in known.items():
        try:
            record = kinds.read_proven(data, record_hash) if proven else kinds.read(data, record_hash, config_hash)
        except Corrupt:
            unsound.add(config_hash)
            continue
        if record["$"] != kinds.ALIAS:
            readable[record_hash] = record
    return records.summarise(readable) if readable else None


def _frames(pack: Pack, top: str, fan_out: str, among: Collection[str] | None) -> Iterator[pack_format.Frame]:
    """Yield where the entries of a fan-out folder are in a pack, or those about some hashes."""
    folder = f"{top}/{fan_out}"
    if among is not None and len(among) < _LOOK_UP_BELOW:
        for config_hash in among:
            for name in pack.names(folder, config_hash):
                frame = pack.find(f"{folder}/{name}")
                if frame is not None:
                    yield frame
        return
    end = None
    for frame in pack.frames(folder):
        if end is not None and frame.start != end:
            raise Corrupt("is damaged", path=pack.path, hint="gemexp fsck tells more")
        end = frame.end
        if among is None or frame.key[1:33].hex() in among:
            yield frame
