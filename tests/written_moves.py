"""Moves of names as another program would write them: with a time, a person and predecessors of one's choosing."""

import os

from gemexp.canonical import encode
from gemexp.digest import hash_bytes
from gemexp.store import layout


def move_record(name, config, created_at, *, supersedes=(), by=None, restores=None, **fields):
    """Return the bytes of a move's record."""
    value = {
        "$": "gemexp/move@1",
        "by": by,
        "config": config,
        "created_at": created_at,
        "name": name,
        "restores": restores,
        "supersedes": sorted(supersedes),
    }
    return encode(value | fields)


def write_move(root, name, config, created_at, **fields):
    """File a move in a store's folder, and return its hash."""
    data = move_record(name, config, created_at, **fields)
    path = f"{root}/{layout.move_path(name, hash_bytes(data))}"
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(data)
    return hash_bytes(data)
