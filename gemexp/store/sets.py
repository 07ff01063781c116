"""Causal-length sets in file names: tags and deletions.

A member's causal length counts how often it was added and removed in turn; odd is present. ``<config>`` stands for
length 1, ``<config>.2`` for 2, and so on; the highest decides. Writers create the next length only where all below
exist, so that two people who do the same thing write the same file, and the union of two states is a state.

Source: W. Yu and S. Rostad, "A low-cost set CRDT based on causal lengths", PaPoC 2020.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from gemexp.store import layout
from gemexp.store.batch import Batch
from gemexp.store.files import Folder
from gemexp.store.tree import Tree

_ADDED = {1}


def add(tree: Tree, batch: Batch, set_folder: str, member: str) -> bool:
    """Have the batch make ``member`` one of the set; return whether it was none."""
    return turn(batch, set_folder, member, length(tree, set_folder, member), present=True)


def remove(tree: Tree, batch: Batch, set_folder: str, member: str) -> bool:
    """Have the batch make ``member`` none of the set; return whether it was one."""
    return turn(batch, set_folder, member, length(tree, set_folder, member), present=False)


def turn(batch: Batch, set_folder: str, member: str, reached: int, *, present: bool) -> bool:
    """Have the batch go on from a causal length that was looked up; return whether that changes the set."""
    turned = (reached % 2 == 1) != present
    if turned:
        reached += 1
    if reached:
        # All of them: what another writer has not synced yet is synced here, and a gap is filled.
        for number in range(1, reached + 1):
            batch.create(layout.member_path(set_folder, member, number), b"")
    return turned


def contains(tree: Tree, set_folder: str, member: str) -> bool:
    """Tell whether ``member`` is one of the set."""
    return length(tree, set_folder, member) % 2 == 1


def members(tree: Tree, set_folder: str) -> set[str]:
    """Return all members."""
    return {member for member, reached in lengths(tree, set_folder).items() if reached % 2 == 1}


def lengths(tree: Tree, set_folder: str) -> dict[str, int]:
    """Return the causal lengths of all that are members, or were."""
    pairs = set_folder == layout.MIGRATED
    found: dict[str, set[int]] = {}
    for name in tree.names(set_folder):
        member = layout.parse_member_name(name, pairs=pairs)
        if member:
            found.setdefault(member.config, set()).add(member.length)
    return {member: reached_length(numbers.__contains__) for member, numbers in found.items()}


def length(tree: Tree, set_folder: str, member: str) -> int:
    """Return the causal length of a member, 0 if it never was one.

    Lengths are looked up one by one instead of listing a folder that may hold a hundred thousand others.
    """
    return reached_length(tree.numbers(set_folder, member).__contains__)


def lengths_in(folder: Folder, set_folders: Iterable[str], member: str) -> dict[str, int]:
    """Return the causal lengths of a member of several sets, by their folders."""
    found = folder.numbers_in(set_folders, member)
    return {set_folder: reached_length(numbers.__contains__) for set_folder, numbers in found.items()}


def tag_lengths(tree: Tree, config_hash: str) -> dict[str, int]:
    """Return a config's causal length in each tag's set that it is or was a member of, by the set's folder."""
    return lengths_of(tree.memberships(config_hash), config_hash)


def lengths_of(paths: Iterable[str], config_hash: str) -> dict[str, int]:
    """Return the causal lengths that files of a config below ``refs/tags`` stand for, by the set's folder."""
    found: dict[str, set[int]] = {}
    for path in paths:
        folder, _, name = path.rpartition("/")
        member = layout.parse_member_name(name)
        if member and member.config == config_hash and folder.startswith(f"{layout.TAGS}/"):
            found.setdefault(folder, set()).add(member.length)
    return {
        folder: 1 if numbers == _ADDED else reached_length(numbers.__contains__) for folder, numbers in found.items()
    }


def reached_length(exists: Callable[[int], bool]) -> int:
    """Return the highest length that is reached from 0 without three in a row missing.

    Writers leave no gaps, and unions of what they leave have none. An incomplete copy may; what lies beyond a wider
    gap does not count until it is filled, so that looking lengths up and listing them give the same answer.
    """
    reached = 0
    while True:
        step = next((step for step in range(1, layout.WIDEST_GAP + 1) if exists(reached + step)), None)
        if step is None:
            return reached
        reached += step
