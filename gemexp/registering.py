"""Configurations into a store's files: object first, then its record, then its tags, then the acknowledgement."""

from collections.abc import Iterable
from typing import NamedTuple

from gemexp.config import ExperimentConfig, instant, now
from gemexp.digest import hash_bytes, is_hash
from gemexp.errors import InvalidInput
from gemexp.notation import inline
from gemexp.store import layout, objects, records, sets
from gemexp.store.batch import Batch
from gemexp.store.files import Folder
from gemexp.store.records import Metadata

# Large enough to share the file system's commits, small enough to hold in memory.
_BATCH_CONFIGS = 256


class Registered(NamedTuple):
    """What registering a configuration came to: its hash, and whether the store did not show it before."""

    config_hash: str
    created: bool


def validate(config: ExperimentConfig, *, fresh: bool = False) -> bytes:
    """Return the bytes of a configuration that can be stored; nothing is written.

    Args:
        config: The configuration.
        fresh: It was just made, so that nobody can have changed its description, tags or time in place.

    Raises:
        InvalidInput: It or one of its tags cannot be stored.
    """
    if not fresh:
        config.check_metadata()
    for tag in config.tags:
        layout.tag_folder(tag)
    return config.to_bytes()


def register_all(folder: Folder, configs: Iterable[ExperimentConfig], parents: list[str]) -> list[Registered]:
    """Store configurations, in batches as they come; each batch is durable before the next begins.

    Args:
        folder: The store.
        configs: What to store.
        parents: Hashes of configurations that each of them was made from.

    Raises:
        InvalidInput: One cannot be stored; those before it may have been.
        StoreUnwritable: The file system refused.
    """
    check_parents(parents)
    return register_each(folder, ((config, parents) for config in configs))


def register_each(folder: Folder, items: Iterable[tuple[ExperimentConfig, list[str]]]) -> list[Registered]:
    """Store configurations as `register_all` does, each with hashes of those that it was made from."""
    result: list[Registered] = []
    batch = folder.batch()
    pending: set[str] = set()
    for config, parents in items:
        check_parents(parents)
        if not isinstance(config, ExperimentConfig):
            raise InvalidInput(
                f"what is registered is an ExperimentConfig, not {type(config).__name__}",
                hint="ExperimentConfig.from_dict makes one of a map",
            )
        data = validate(config)
        config_hash = hash_bytes(data)
        if config_hash in pending or len(pending) == _BATCH_CONFIGS:
            batch.commit()  # a second registration builds on the records of the first
            pending.clear()
        objects.put(batch, data)
        pending.add(config_hash)
        result.append(Registered(config_hash, _add_metadata(folder, batch, config_hash, config, parents)))
    batch.commit()
    return result


def check_parents(parents: list[str]) -> None:
    """Accept whole hashes.

    Raises:
        InvalidInput: One is none.
    """
    for parent in parents:
        if not is_hash(parent):
            raise InvalidInput(f"the parent {inline(parent)} is not a whole hash", hint="resolve it first")


def _add_metadata(folder: Folder, batch: Batch, config_hash: str, config: ExperimentConfig, parents: list[str]) -> bool:
    # Without its object a config has no records that count, and a large folder of others' need not be listed.
    created_at = config.created_at or now()
    known = records.metadata(folder, config_hash) if objects.exists(folder, config_hash) else Metadata()
    new_parents = [parent for parent in parents if parent != config_hash and parent not in known.parents]
    if not known.puts or new_parents or instant(created_at) < instant(known.created_at):
        description = "" if known.puts else config.description
        records.put(batch, config_hash, created_at=created_at, description=description, parents=new_parents)
    for record_hash in known.puts:
        records.keep(folder, batch, config_hash, record_hash)
    if known.puts and config.description and config.description != known.description:
        records.describe(batch, config_hash, config.description, known.heads)
    tags = map(layout.tag_folder, config.tags)
    reached = sets.lengths_in(folder, [layout.DELETED, *tags], config_hash)
    deleted = reached.pop(layout.DELETED)
    if deleted % 2 == 1:
        from gemexp.store import reviving

        reviving.keep(folder, batch, config_hash)
    revived = sets.turn(batch, layout.DELETED, config_hash, deleted, present=False)
    for set_folder, length in reached.items():
        sets.turn(batch, set_folder, config_hash, length, present=True)
    return revived or not known.puts
