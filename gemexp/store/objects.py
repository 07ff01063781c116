"""Objects: hash -> bytes. The file's name is the SHA-256 of its content, and that is checked on every read."""

from __future__ import annotations

from collections.abc import Iterator

from gemexp.digest import hash_bytes
from gemexp.errors import Corrupt, NotFound
from gemexp.store import layout
from gemexp.store.batch import Batch
from gemexp.store.tree import Tree

# Artifacts may be larger than what is encoded canonically, but have to fit into memory.
MAX_OBJECT_BYTES = 256 * 1024 * 1024


def get(tree: Tree, object_hash: str) -> bytes:
    """Return an object's bytes.

    Raises:
        NotFound: There is no such object.
        Corrupt: Its bytes are not those its name promises.
    """
    data = tree.read(layout.object_path(object_hash), MAX_OBJECT_BYTES)
    if data is None:
        raise NotFound(f"there is no object '{object_hash}'", subject=object_hash)
    return check(object_hash, data)


def check(object_hash: str, data: bytes) -> bytes:
    """Return bytes that were read as an object's.

    Raises:
        Corrupt: They are not those its name promises.
    """
    actual = hash_bytes(data)
    if actual != object_hash:
        raise Corrupt(
            "is damaged: its content has another hash",
            path=layout.object_path(object_hash),
            expected=object_hash,
            actual=actual,
            hint="gemexp fsck --repair --from OTHER takes a good copy from another store",
        )
    return data


def put(batch: Batch, data: bytes) -> str:
    """Have the batch store an object; return its hash."""
    object_hash = hash_bytes(data)
    batch.create(layout.object_path(object_hash), data)
    return object_hash


def exists(tree: Tree, object_hash: str) -> bool:
    """Tell whether there is an object of that hash, without reading it."""
    return tree.exists(layout.object_path(object_hash))


def with_prefix(tree: Tree, prefix: str) -> list[str]:
    """Return the hashes that begin with ``prefix``, at least two digits; one fan-out folder is listed."""
    return list(filter(layout.parse_object_name, tree.names_with_prefix(f"{layout.OBJECTS}/{prefix[:2]}", prefix)))


def all_hashes(tree: Tree) -> Iterator[str]:
    """Yield every object's hash, sorted."""
    for fan_out in sorted(tree.names(layout.OBJECTS)):
        if layout.parse_fan_out(fan_out):
            yield from sorted(with_prefix(tree, fan_out))
