"""Which configs count: those that are neither deleted nor replaced, and what they take over from those they replace.

Migrating a config to another leaves the old one as it is, and files the pair in ``refs/migrated``. From then on the new
one is listed in its place, and carries what was tagged and run under the old hash, also what is added there later.
"""

from __future__ import annotations

from gemexp.ancestry import lineage
from gemexp.store import layout, sets
from gemexp.store.tree import Tree


class Standing:
    """The deletions and migrations of a store, as they are when it is made.

    Attributes:
        deleted: Configs that are marked as deleted.
    """

    def __init__(self, tree: Tree) -> None:
        self.deleted = sets.members(tree, layout.DELETED)
        self._successors: dict[str, list[str]] = {}
        self._predecessors: dict[str, list[str]] = {}
        for member in sets.members(tree, layout.MIGRATED) if tree.exists(layout.MIGRATED) else ():
            pair = layout.parse_pair(member)
            if pair and pair.new not in self.deleted and tree.exists(layout.object_path(pair.new)):
                self._successors.setdefault(pair.old, []).append(pair.new)
                self._predecessors.setdefault(pair.new, []).append(pair.old)

    @property
    def pairs(self) -> set[layout.Pair]:
        """The migrations that count: those to a config that is there and not deleted."""
        return {layout.Pair(old, new) for old, found in self._successors.items() for new in found}

    @property
    def migrated(self) -> bool:
        """Whether any config replaces another."""
        return bool(self._successors)

    def is_listed(self, config_hash: str) -> bool:
        """Tell whether a config is neither deleted nor replaced by another."""
        return config_hash not in self.deleted and not self.successors(config_hash)

    def successors(self, config_hash: str) -> list[str]:
        """Return the configs that stand in a config's place now, sorted; none if it stands for itself.

        Two people who migrate back and forth make a circle: if nothing leads out of it, its configs all stand for
        themselves.
        """
        if self._is_last(config_hash):
            return []
        return sorted(filter(self._is_last, lineage([config_hash], self._successors)))

    def predecessors(self, config_hash: str) -> list[str]:
        """Return the configs that a config stands for, directly or not, sorted; itself left out."""
        if config_hash not in self._predecessors:
            return []
        return sorted(lineage([config_hash], self._predecessors) - {config_hash})

    def replacing(self, config_hash: str) -> list[str]:
        """Return the configs that a config was migrated to without a detour, sorted."""
        return sorted(self._successors.get(config_hash, ()))

    def replaced_by(self, config_hash: str) -> list[str]:
        """Return the configs that were migrated to a config without a detour, sorted."""
        return sorted(self._predecessors.get(config_hash, ()))

    def carried(self, lengths: dict[str, int]) -> set[str]:
        """Return the configs that carry a tag, their own or one they take over; deleted and replaced ones too.

        Args:
            lengths: Causal lengths in the tag's set. A config that was ever tagged or untagged itself takes over none.
        """
        found = {config for config, length in lengths.items() if length % 2 == 1}
        left = list(found) if self._successors else []
        while left:
            for new in self._successors.get(left.pop(), ()):
                if not lengths.get(new) and new not in found:
                    found.add(new)
                    left.append(new)
        return found

    def carries(self, tree: Tree, set_folder: str, config_hash: str) -> bool:
        """Tell whether a config carries a tag, its own or one it takes over."""
        left, seen = [config_hash], set()
        while left:
            config = left.pop()
            length = sets.length(tree, set_folder, config)
            if length % 2 == 1:
                return True
            if not length:
                seen.add(config)
                left.extend(one for one in self._predecessors.get(config, ()) if one not in seen)
        return False

    def _is_last(self, config_hash: str) -> bool:
        """Tell whether all that a config leads to leads back to it."""
        if config_hash not in self._successors:
            return True
        return all(config_hash in lineage([one], self._successors) for one in lineage([config_hash], self._successors))


def is_deleted(tree: Tree, config_hash: str) -> bool:
    """Tell whether one config is marked as deleted, without looking at the others."""
    return sets.contains(tree, layout.DELETED, config_hash)
