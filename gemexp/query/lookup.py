"""One config by its hash, or its beginning, in as few steps as that takes where nothing is unusual about it.

`gemexp.revision` and `gemexp.query.scan` say what a revision means, and answer wherever there is a choice to make. Both
ways give the same answer; this one looks into each place once.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from gemexp import canonical
from gemexp.config import ExperimentConfig, is_config
from gemexp.errors import Corrupt
from gemexp.query import scan
from gemexp.store import kinds, layout, objects, records, sets
from gemexp.store.files import Folder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gemexp.store.pack import Pack
    from gemexp.store.pack_format import Frame


# Object, record and tags.
_PLACES = 4


def plain(folder: Folder, prefix: str) -> ExperimentConfig | None:
    """Return the config that a hash or its beginning means, if that takes no decision.

    Args:
        folder: The store.
        prefix: 4 to 64 hexadecimal digits, in lower case.

    Returns:
        The config; None where there is none, or several, or an alias, where it is deleted or there are migrations, and
        where something about it is damaged, or was packed at this moment.
    """
    packs = folder.packs.all()
    found: dict[str, tuple[Pack, Frame] | None] = {}
    if packs:
        from gemexp.store.pack import with_prefix
        from gemexp.store.pack_index import OBJECTS

        folder.packs.use(_PLACES)
        found = {one[1].key[1:].hex(): one for one in with_prefix(packs, OBJECTS, prefix)}
    for name in folder.loose.names_with_prefix(f"{layout.OBJECTS}/{prefix[:2]}", prefix):
        if layout.parse_object_name(name):
            found[name] = None  # a loose file comes before a packed one
    if len(found) != 1:
        return None
    ((config_hash, place),) = found.items()
    try:
        recorded = _records(folder, packs, config_hash, prefix)
        tags = _tags(folder, packs, config_hash) if recorded else None
        if tags is None or folder.packs.all() != packs:
            return None
        metadata = records.summarise(recorded)
        if place is None:
            data = folder.loose.read(layout.object_path(config_hash), objects.MAX_OBJECT_BYTES)
            return None if data is None else scan.decoded(config_hash, objects.check(config_hash, data), metadata, tags)
        pack, frame = place
        data = objects.check(config_hash, pack.data(frame))
        if pack.index.proven and is_config(data):
            return ExperimentConfig.from_proven_bytes(data, metadata.description, tags, metadata.created_at)
        return scan.decoded(config_hash, data, metadata, tags)
    except Corrupt:
        return None


def _records(folder: Folder, packs: Sequence[Pack], config_hash: str, prefix: str) -> dict[str, dict[str, Any]]:
    """Return the config's records by their hashes; none if some are about other hashes."""
    found: dict[str, dict[str, Any]] = {}
    if packs:
        from gemexp.store.pack import with_prefix
        from gemexp.store.pack_index import RECORDS

        for pack, frame in with_prefix(packs, RECORDS, prefix):
            about, record = frame.key[1:33].hex(), frame.key[33:65].hex()
            if about != config_hash:
                return {}
            data = pack.data(frame)
            found[record] = kinds.read_proven(data, record) if pack.index.proven else kinds.read(data, record, about)
    for file_name in folder.loose.names_with_prefix(f"{layout.INDEX}/{prefix[:2]}", prefix):
        name = layout.parse_record_name(file_name)
        if name is not None:
            loose = folder.loose.read(layout.record_path(*name), canonical.MAX_BYTES)
            if name.config != config_hash or loose is None:
                return {}
            found[name.record] = records.from_bytes(loose, name)
    return {} if any(record["$"] == kinds.ALIAS for record in found.values()) else found


def _tags(folder: Folder, packs: Sequence[Pack], config_hash: str) -> list[str] | None:
    """Return the config's tags; None if it is or was deleted, or any config was migrated."""
    if folder.loose.exists(layout.MIGRATED) or any(layout.MIGRATED in pack.index.folders for pack in packs):
        return None
    if not folder.loose.is_empty(layout.DELETED) and folder.numbers(layout.DELETED, config_hash):
        return None
    packed: set[str] = set()
    if packs:
        from gemexp.store import pack, pack_format

        member = bytes.fromhex(config_hash)
        keys = [key for key in pack.with_member(packs, member) if key[0] != pack_format.NAME]
        if folder.loose.is_empty(layout.TAGS):
            tags = [_tag(key[: -len(member)]) for key in keys if key.endswith(member)]
            known = sorted({tag for tag in tags if tag is not None})
            if len(known) == len(keys):
                return known
        packed.update(map(pack_format.path_unchecked, keys))
        if any(path.startswith(layout.DELETED) for path in packed):
            return None
    paths = packed.union(folder.loose.memberships(config_hash, packed))
    return scan.carried_tags(sets.lengths_of(paths, config_hash))


@lru_cache(maxsize=8192)
def _tag(folder: bytes) -> str | None:
    """Return the tag whose members' keys begin so; None if it is another set."""
    from gemexp.store import pack_format

    return layout.unescape_name(folder[1:-1].decode("ascii", "replace")) if folder[0] == pack_format.TAG else None
