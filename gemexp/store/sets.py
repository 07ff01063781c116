"""Causal-length sets in file names: tags and deletions.

A member's causal length counts how often it was added and removed in turn; odd is present. ``<config>`` stands for
length 1, ``<config>.2`` for 2, and so on; the highest decides. Writers create the next length only where all below
exist, so that two people who do the same thing write the same file, and the union of two states is a state.

Source: W. Yu and S. Rostad, "A low-cost set CRDT based on causal lengths", PaPoC 2020.
"""

from __future__ import annotations

from collections.abc import Callable

from gemexp.store import layout
from gemexp.store.files import Batch, Folder


def add(folder: Folder, batch: Batch, set_folder: str, config_hash: str) -> bool:
    """Have the batch make ``config_hash`` a member; return whether it was none."""
    return _turn(folder, batch, set_folder, config_hash, present=True)


def remove(folder: Folder, batch: Batch, set_folder: str, config_hash: str) -> bool:
    """Have the batch make ``config_hash`` no member; return whether it was one."""
    return _turn(folder, batch, set_folder, config_hash, present=False)


def contains(folder: Folder, set_folder: str, config_hash: str) -> bool:
    """Tell whether ``config_hash`` is a member."""
    return length(folder, set_folder, config_hash) % 2 == 1


def members(folder: Folder, set_folder: str) -> set[str]:
    """Return the hashes of all members."""
    lengths: dict[str, set[int]] = {}
    for name in folder.names(set_folder):
        member = layout.parse_member_name(name)
        if member:
            lengths.setdefault(member.config, set()).add(member.length)
    return {config_hash for config_hash, found in lengths.items() if _reached(found.__contains__) % 2 == 1}


def length(folder: Folder, set_folder: str, config_hash: str) -> int:
    """Return a config's causal length in a set, 0 if it never was a member.

    Lengths are looked up one by one instead of listing a folder that may hold a hundred thousand others.
    """
    return _reached(lambda number: folder.exists(layout.member_path(set_folder, config_hash, number)))


def _reached(exists: Callable[[int], bool]) -> int:
    """Return the highest length that is reached from 0 without three in a row missing.

    Writers leave no gaps, and unions of what they leave have none. An incomplete copy may; what lies beyond a wider
    gap does not count until it is filled, so that looking lengths up and listing them give the same answer.
    """
    reached = 0
    while True:
        step = next((step for step in (1, 2, 3) if exists(reached + step)), None)
        if step is None:
            return reached
        reached += step


def _turn(folder: Folder, batch: Batch, set_folder: str, config_hash: str, *, present: bool) -> bool:
    reached = length(folder, set_folder, config_hash)
    turned = (reached % 2 == 1) != present
    if turned:
        reached += 1
    if reached:
        # All of them: what another writer has not synced yet is synced here, and a gap is filled.
        for number in range(1, reached + 1):
            batch.create(layout.member_path(set_folder, config_hash, number), b"")
    return turned
