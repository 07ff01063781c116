"""Bringing configurations into another shape: new ones are registered, and take the place of the old ones by a link.

Nothing is copied: `gemexp.store.standing` makes readers take over tags and runs. The old ones stay as they are, and so
do their hashes.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from gemexp import registering
from gemexp.compare import Diff
from gemexp.config import ExperimentConfig
from gemexp.digest import short
from gemexp.errors import InvalidInput
from gemexp.store import layout, names, objects, records, sets
from gemexp.store.batch import Batch
from gemexp.store.files import Folder
from gemexp.store.layout import Pair
from gemexp.store.standing import Standing
from gemexp.store.tree import Tree
from gemexp.variants import Step, reshape

# As many as are registered in one batch.
_BATCH_CONFIGS = 256


class Change(NamedTuple):
    """A configuration that becomes another.

    Args:
        old: Its hash.
        new: The hash of what it becomes.
        config: What it becomes, with description and time of the old one.
        diff: What changes.
    """

    old: str
    new: str
    config: ExperimentConfig
    diff: Diff


class Refusal(NamedTuple):
    """A configuration that stays as it is because the steps cannot be done, and why."""

    config_hash: str
    reason: str


class Plan(NamedTuple):
    """What a migration comes to.

    Args:
        changes: What becomes something else, newest first.
        unchanged: How many configurations the steps leave as they are.
        refusals: What stays as it is because the steps cannot be done.
        names: Names that point to configurations that change; they go on pointing to the old ones.
    """

    changes: list[Change]
    unchanged: int
    refusals: list[Refusal]
    names: dict[str, Change]


def plan(tree: Tree, steps: Sequence[Step], configs: Iterable[ExperimentConfig]) -> Plan:
    """Work out what steps make of configurations; nothing is written.

    Args:
        tree: The store.
        steps: In their order.
        configs: Configurations of the store, newest first.

    Raises:
        InvalidPath: A step can be done with no configuration.
    """
    for step in steps:
        step.check()
    standing = Standing(tree)
    changes: list[Change] = []
    refusals: list[Refusal] = []
    unchanged = 0
    for config in configs:
        old = config.config_hash
        try:
            new = reshape(config, steps)
        except InvalidInput as error:
            refusals.append(Refusal(old, str(error)))
            continue
        change = Change(old, new.config_hash, new, Diff(config, new))
        if change.old == change.new:
            unchanged += 1
        else:
            changes.append(change)
    while refused := list(_refused(standing, changes)):  # what is refused may have made room for another
        refusals += refused
        staying = {one.config_hash for one in refused}
        changes = [change for change in changes if change.old not in staying]
    by_old = {change.old: change for change in changes}
    found = {name: by_old.get(pointer.config or "") for name, pointer in names.pointers(tree).items()}
    return Plan(changes, unchanged, refusals, {name: change for name, change in found.items() if change})


def carry_out(folder: Folder, changes: Iterable[Change]) -> None:
    """Register what configurations become, and link each to its old one; in batches, each durable before the next.

    Args:
        folder: The store.
        changes: As planned. If one cannot be carried out any more, none is.

    Raises:
        InvalidInput: What a configuration would become was migrated itself since, or cannot be stored.
        StoreUnwritable: The file system refused; running the migration again goes on.
    """
    standing = Standing(folder)
    left = list(changes)
    for refusal in _refused(standing, left):
        told = f"{short(refusal.config_hash)} cannot be migrated: {refusal.reason}"
        raise InvalidInput(told, hint="see gemexp migrate --dry-run")
    for change in left:
        registering.validate(change.config)
    described = {change.new for change in left if _is_described(folder, standing, change)}
    turns = _tag_turns(folder, standing, left)
    ordered = reversed(left)  # of several that become one, the newest description counts
    while batch_of := list(islice(ordered, _BATCH_CONFIGS)):
        registering.register_each(folder, (_registration(standing, change, described) for change in batch_of))
        with folder.batch() as batch:
            for change in batch_of:
                _link(folder, batch, standing, change)
                for set_folder, length, present in turns.pop(change.new, ()):
                    sets.turn(batch, set_folder, change.new, length, present=present)


def _refused(standing: Standing, changes: list[Change]) -> Iterator[Refusal]:
    """Yield the changes by which one would be replaced and not be replaced at once, and why."""
    changing = {change.old for change in changes}
    ending = {(change.new, name) for change in changes for name in _leading_back(standing, change)}
    for change in changes:
        others = [name for name in standing.replacing(change.new) if (change.new, name) not in ending]
        if standing.successors(change.old):
            replaced = ", ".join(map(short, standing.replacing(change.old)))
            yield Refusal(change.old, f"it was migrated to {replaced} already")
        elif change.new in changing:
            yield Refusal(change.old, f"it would become {short(change.new)}, which becomes another itself")
        elif others and standing.successors(change.new):
            reason = f"it would become {short(change.new)}, which was migrated to {', '.join(map(short, others))}"
            yield Refusal(change.old, reason)


def _leading_back(standing: Standing, change: Change) -> list[str]:
    """Return what ``change.new`` was migrated to on its way to ``change.old``: these links end, or made a circle."""
    before = {change.old, *standing.predecessors(change.old)}
    return [name for name in standing.replacing(change.new) if name in before] if change.new in before else []


def _is_described(tree: Tree, standing: Standing, change: Change) -> bool:
    """Tell whether what a configuration becomes has a description of its own: another's, not an earlier one's."""
    if not objects.exists(tree, change.new) or _leading_back(standing, change):
        return False
    known = records.metadata(tree, change.new)
    return bool(known.puts and known.description)


def _registration(standing: Standing, change: Change, described: set[str]) -> tuple[ExperimentConfig, list[str]]:
    config = copy.copy(change.config)
    if change.new in described:
        config.description = ""
    return config, [] if _leading_back(standing, change) else [change.old]


def _link(folder: Folder, batch: Batch, standing: Standing, change: Change) -> None:
    for other in _leading_back(standing, change):
        sets.remove(folder, batch, layout.MIGRATED, layout.pair_name(Pair(change.new, other)))
    sets.add(folder, batch, layout.MIGRATED, layout.pair_name(Pair(change.old, change.new)))


def _tag_turns(folder: Folder, standing: Standing, changes: list[Change]) -> dict[str, list[tuple[str, int, bool]]]:
    """Return how the marks of configurations that were tagged or untagged themselves have to change, by hash.

    Others take tags over. One that comes back carries what its successor did, another one its own and what it replaces.

    Returns:
        The tag's folder, the length to go on from, and whether the tag is to be carried.
    """
    olds: dict[str, list[str]] = {}
    for change in changes:
        olds.setdefault(change.new, []).append(change.old)
    back = {change.new for change in changes if _leading_back(standing, change)}
    turns: dict[str, list[tuple[str, int, bool]]] = {}
    for escaped in folder.names(layout.TAGS):
        set_folder = f"{layout.TAGS}/{escaped}"
        lengths = sets.lengths(folder, set_folder) if layout.unescape_name(escaped) is not None else {}
        carried = standing.carried(lengths)
        for new in lengths.keys() & olds.keys():
            own = lengths[new] % 2 == 1
            present = not carried.isdisjoint(olds[new]) or (own and new not in back)
            if own != present:
                turns.setdefault(new, []).append((set_folder, lengths[new], present))
    return turns
