"""Stores whose files lie in packs, and doing harm to these; shared by the tests of packs."""

import os
import shutil

from surroundings import contents

from gemexp import ExperimentConfig, ExperimentRegistry
from gemexp.store import layout, pack_format
from gemexp.store.layout import Pair
from gemexp.store.pack import mapped


def config(number, **fields):
    return ExperimentConfig(["a"], {"a": 0.5}, {"k": number}, **fields)


def fill(registry, *, configs=3):
    """Put something of every kind into a store: runs, tags, a name, an alias, a migrated and a deleted config."""
    hashes = registry.add_many(
        config(number, tags=["all", f"k={number}"], description=f"number {number}") for number in range(configs)
    )
    registry.record(hashes[0], {"loss": 0.5}, artifacts={"log.txt": b"done"}, data="mnist")
    registry.untag(hashes[1], ["all"])
    registry.move_name("production", hashes[0])
    registry.move_name("production", hashes[1])
    registry.describe(hashes[1], "better")
    pair = layout.pair_name(Pair(hashes[1], hashes[2]))
    with registry._folder.batch() as batch:
        batch.create(layout.member_path(layout.MIGRATED, pair, 1), b"")
    registry.delete(registry.register(config(-1, tags=["gone"])))
    return hashes


def answers(registry):
    """Return what a store says, whatever its files lie in."""
    found = [*registry.list_all(None), *map(registry.load, registry.hashes_with_prefix("", deleted=True))]
    return {
        "configs": [one.to_dict() for one in found],
        "tags": registry.tags(),
        "by tag": {tag: [one.config_hash for one in registry.search_by_tag(tag)] for tag in registry.tags()},
        "runs": registry.runs(),
        "names": {name: pointer.history for name, pointer in registry.pointers().items()},
        "hashes": [registry.hashes_with_prefix(f"{digit:x}") for digit in range(16)],
    }


def packs(root):
    """Return the paths of a store's packs."""
    return sorted(name for name in contents(root) if name.startswith(f"{layout.PACKS}/"))


def the_pack(root):
    (path,) = packs(root)
    return path


def frames(root, path=None):
    """Return the frames of a pack, and its bytes."""
    content = bytes(mapped(root, path or the_pack(root)))
    return list(pack_format.frames(content, 8, len(content))), content


def overwrite(root, path, data):
    """Put other bytes in a file's place, as damage does."""
    full = f"{root}/{path}"
    if os.path.exists(full):
        os.chmod(full, 0o644)
    os.makedirs(os.path.dirname(full), exist_ok=True)
    with open(full, "wb") as file:
        file.write(data)


def flip(root, path, at, mask=1):
    """Turn a bit of a file."""
    with open(f"{root}/{path}", "rb") as file:
        data = bytearray(file.read())
    data[at] ^= mask
    overwrite(root, path, bytes(data))


def copy_of(registry, target):
    return ExperimentRegistry(shutil.copytree(registry.root, target))
