"""Many configurations into a store: encoded, by all cores where there are many lines of text, and written as packs.

Each batch is durable before the next begins, so that a call that was interrupted is finished by making it again: what
is there already costs a look, and nothing is written twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import sha256
from itertools import chain, islice
from typing import Any, NamedTuple

from gemexp import canonical_json, registering
from gemexp.canonical import encode, is_plain
from gemexp.config import CONFIG_KIND, MAX_DESCRIPTION_BYTES, SECTIONS, ExperimentConfig, instant, now, untouched
from gemexp.digest import hash_bytes
from gemexp.errors import InvalidInput
from gemexp.registering import Registered
from gemexp.store import layout, pack_format, packing, records, sets
from gemexp.store.files import Folder

# Fewer are written as loose files: they are cheaper to add to, to collect, and to look at with git.
PACK_FROM = 1000
# A batch in memory: some 130 MB with its entries, or less where configurations are large. Each becomes a pack, and each
# lookup looks into all of them.
BATCH_CONFIGS = 50_000
BATCH_BYTES = 64 * 1024 * 1024
# So many entries are framed and indexed at once.
_RUN = 1000

_SECTIONS = frozenset(SECTIONS)
_USUAL = _SECTIONS | {"description", "tags", "created_at"}
_TEXT, _FLOAT = {str}, {float}


class Encoded(NamedTuple):
    """A configuration that can be stored, as it will be.

    Args:
        config_hash: Its hash.
        data: Its object's bytes.
        created_at: When it was made, ISO 8601.
        description: Its description.
        tags: Its tags.
        record: The record of its registration without parents.
    """

    config_hash: str
    data: bytes
    created_at: str
    description: str
    tags: tuple[str, ...]
    record: bytes


def encoded(config: ExperimentConfig, *, fresh: bool = False) -> Encoded:
    """Check a configuration and encode it.

    Args:
        config: The configuration.
        fresh: It was just made, so that nobody can have changed its description, tags or time in place.

    Raises:
        InvalidInput: It or one of its tags cannot be stored.
    """
    return _encoded_plain(config) or encoded_in_full(config, fresh=fresh)


def encoded_in_full(config: ExperimentConfig, *, fresh: bool = False) -> Encoded:
    """Return what `encoded` would, whatever the configuration holds."""
    data = registering.validate(config, fresh=fresh)
    return _encoded(data, config.created_at or now(), config.description, sorted(set(config.tags)))


def _encoded_plain(config: ExperimentConfig) -> Encoded | None:
    """Return what `encoded` would, for half of the price, where the configuration holds nothing unusual; else None."""
    if type(config) is not ExperimentConfig or untouched(config) is not None:
        return None
    maps = config.feature_weights, config.feature_transformations, config.hyperparameters
    if not all(map(is_plain, maps)):
        return None
    return _encoded_sections(
        config.feature_names,
        *maps,
        config.description,
        config.tags,
        config.created_at or None,
    )


def encoded_json(text: bytes) -> Encoded | None:
    """Read, check and encode a configuration in JSON, for a fraction of the price, where nothing about it is unusual.

    Returns:
        What `gemexp.formats.loads`, `gemexp.config.config_from_value` and `encoded` would come to; None where that
        takes a closer look.
    """
    value = canonical_json.loads(text)
    if type(value) is not dict or not _USUAL.issuperset(value) or _SECTIONS.isdisjoint(value):
        return None
    return _encoded_sections(
        value.get("feature_names", []),
        value.get("feature_weights", {}),
        value.get("feature_transformations", {}),
        value.get("hyperparameters", {}),
        value.get("description", ""),
        value.get("tags", []),
        value.get("created_at"),
    )


def _encoded_sections(
    names: Any,
    weights: Any,
    transformations: Any,
    hyperparameters: Any,
    description: Any,
    tags: Any,
    created_at: Any,
) -> Encoded | None:
    """Encode plain data if it is a configuration in which nothing is unusual; else return None."""
    if (
        type(names) is not list
        or type(tags) is not list
        or not _TEXT.issuperset(map(type, names))
        or not _TEXT.issuperset(map(type, tags))
        or type(description) is not str
        or len(set(names)) != len(names)
        or not dict is type(weights) is type(transformations) is type(hyperparameters)
        or not _FLOAT.issuperset(map(type, weights.values()))
        or len(description) > MAX_DESCRIPTION_BYTES // 4
    ):
        return None
    try:
        if created_at is None:
            created_at = now()
        elif type(created_at) is not str:
            return None
        else:
            instant(created_at)
        description.encode()
        tags = sorted(set(tags))
        for tag in tags:
            layout.tag_folder(tag)
    except (InvalidInput, UnicodeEncodeError):
        return None
    data = canonical_json.dumps(
        {
            "$": CONFIG_KIND,
            "feature_names": sorted(names),
            "feature_transformations": transformations,
            "feature_weights": weights,
            "hyperparameters": hyperparameters,
        }
    )
    return None if data is None else _encoded(data, created_at, description, tags)


def _encoded(data: bytes, created_at: str, description: str, tags: list[str]) -> Encoded:
    config_hash = hash_bytes(data)
    record = _record(config_hash, created_at, description, [])
    return Encoded(config_hash, data, created_at, description, tuple(tags), record)


def register(folder: Folder, configs: Iterable[Encoded], parents: list[str]) -> Iterator[list[Registered]]:
    """Store configurations in batches; each is yielded when it is durable, in the order given.

    Few are written as loose files, many as packs.

    Args:
        folder: The store.
        configs: What to store; taken as it comes.
        parents: Hashes of configurations that each of them was made from.

    Raises:
        StoreUnwritable: The file system refused; the batches before are stored.
    """
    left = iter(configs)
    first = list(islice(left, PACK_FROM))
    if len(first) < PACK_FROM:
        if first:
            yield registering.register_all(folder, map(_decoded, first), parents)
        return
    writer = _Writer(folder, parents)
    for batch in _batches(first, left):
        yield writer.write(batch)


def _batches(first: list[Encoded], left: Iterator[Encoded]) -> Iterator[list[Encoded]]:
    batch = first
    size = sum(len(one.data) for one in batch)
    for one in left:
        batch.append(one)
        size += len(one.data)
        if len(batch) >= BATCH_CONFIGS or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


class _Writer:
    """Writes batches: what the store does not know as a pack, the rest one by one."""

    def __init__(self, folder: Folder, parents: list[str]) -> None:
        registering.check_parents(parents)
        self._folder = folder
        self._parents = parents

    def write(self, batch: list[Encoded]) -> list[Registered]:
        """Store a batch; when this returns, it is durable."""
        known = self._known(batch)
        again: list[Encoded] = []
        fresh: dict[str, Encoded] = {}
        for one in batch:
            if one.config_hash in fresh or one.config_hash in known:
                again.append(one)
            else:
                fresh[one.config_hash] = one
        self._write_pack([fresh[name] for name in sorted(fresh)])
        if not again:
            return [Registered(one.config_hash, True) for one in batch]
        created = dict.fromkeys(fresh, True)  # the rest in order, after what they may repeat
        for config_hash, is_new in registering.register_all(self._folder, map(_decoded, again), self._parents):
            created[config_hash] = created.get(config_hash, False) or is_new
        seen: set[str] = set()
        result = []
        for one in batch:
            result.append(Registered(one.config_hash, created[one.config_hash] and one.config_hash not in seen))
            seen.add(one.config_hash)
        return result

    def _known(self, batch: list[Encoded]) -> set[str]:
        """Return the hashes that the store has, had, or has said something of."""
        deleted = sets.lengths(self._folder, layout.DELETED).keys()
        fan_outs = set(self._folder.loose.names(layout.OBJECTS))
        hashes = {one.config_hash for one in batch}
        known = self._folder.packs.among(hashes)
        known |= hashes.intersection(deleted)
        exists = self._folder.loose.exists
        return known.union(name for name in hashes - known if name[:2] in fan_outs and exists(layout.object_path(name)))

    def _write_pack(self, configs: list[Encoded]) -> None:
        """Write configurations with their records and tags, sorted by hash, as a pack."""
        raw = [bytes.fromhex(one.config_hash) for one in configs]
        about = [self._record(one) if self._parents else one.record for one in configs]
        named = [config + sha256(record).digest() for config, record in zip(raw, about, strict=True)]
        members: dict[str, list[bytes]] = {}
        for config, one in zip(raw, configs, strict=True):
            for tag in one.tags:
                members.setdefault(tag, []).append(config)
        folders = sorted((pack_format.tag_key(tag), tag) for tag in members)
        runs = chain(
            _runs(pack_format.RECORD_CODE, named, about),
            _runs(pack_format.OBJECT_CODE, raw, [one.data for one in configs]),
            *(_runs(key, members[tag], [b""] * len(members[tag])) for key, tag in folders),
        )
        created = chain(
            (layout.record_path(name[:32].hex(), name[32:].hex()) for name in named),
            (layout.member_path(layout.tag_folder(tag), one.hex(), 1) for tag in members for one in members[tag]),
        )
        packing.write(self._folder, runs, created=created, proof=packing.Proof())

    def _record(self, one: Encoded) -> bytes:
        return _record(one.config_hash, one.created_at, one.description, self._parents)


def _runs(prefix: bytes, rests: list[bytes], contents: list[bytes]) -> Iterator[packing.Run]:
    for start in range(0, len(rests), _RUN):
        part = slice(start, start + _RUN)
        yield packing.Run(prefix, rests[part], contents[part])


def _record(config_hash: str, created_at: str, description: str, parents: list[str]) -> bytes:
    """Return the record of a registration."""
    others = [parent for parent in parents if parent != config_hash]
    value = records.put_value(config_hash, created_at, description, others)
    return canonical_json.dumps(value) or encode(value)


def _decoded(one: Encoded) -> ExperimentConfig:
    return ExperimentConfig.from_bytes(one.data, description=one.description, tags=one.tags, created_at=one.created_at)
