"""What one state of a store has over another: experiments, tags, descriptions, names, runs.

Both are trees: folders, commits of git, or one of them with some files more. Files are compared by their names, and
only what is about a file that just one of the trees has is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from gemexp.compare import Diff, Difference
from gemexp.config import ExperimentConfig, instant
from gemexp.errors import Corrupt, NotFound
from gemexp.outcome import StoredOutcome
from gemexp.query import scan
from gemexp.store import aliases, differing, layout, names, objects, records, sets
from gemexp.store.aliases import Alias
from gemexp.store.records import Metadata, Run
from gemexp.store.standing import Standing
from gemexp.store.tree import Tree

# Up to here, asking for the tags of each configuration is cheaper than reading all tags.
_PROBE_TAGS_BELOW = 8


class Experiment(NamedTuple):
    """A configuration that is listed on one side only.

    Args:
        config: Its hash.
        created_at: When it was registered, ISO 8601.
        description: Its description.
        tags: Its tags, sorted.
        parents: Configurations it was made from.
        differences: What makes it differ from the first of them; empty if that is not asked for, or not there.
        successors: What took its place, if it was migrated.
    """

    config: str
    created_at: str
    description: str
    tags: tuple[str, ...]
    parents: tuple[str, ...] = ()
    differences: tuple[Difference, ...] = ()
    successors: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        found: dict[str, Any] = {"config_hash": self.config, "created_at": self.created_at}
        found |= {"description": self.description, "tags": list(self.tags)}
        if self.parents:
            found |= {"parents": list(self.parents), "differences": [one.to_dict() for one in self.differences]}
        if self.successors:
            found["successors"] = list(self.successors)
        return found


class Retagged(NamedTuple):
    """A configuration that gained or lost tags."""

    config: str
    description: str
    added: tuple[str, ...]
    removed: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        found: dict[str, Any] = {"config_hash": self.config, "description": self.description}
        return found | {"added": list(self.added), "removed": list(self.removed)}


class Redescribed(NamedTuple):
    """A configuration whose description changed; ``others`` are those that a merge left beside the new one."""

    config: str
    old: str
    new: str
    others: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {"config_hash": self.config, "old": self.old, "new": self.new, "others": list(self.others)}


class Moved(NamedTuple):
    """A name that points elsewhere, or has other rivals.

    Args:
        name: The name.
        old: Where it pointed; None for nowhere.
        new: Where it points.
        rivals: Where else it points after a merge; None for nowhere.
        differences: Between the two configurations, if that is asked for and both are there.
        settled: Where else it pointed, and does not any more.
    """

    name: str
    old: str | None
    new: str | None
    rivals: tuple[str | None, ...]
    differences: tuple[Difference, ...]
    settled: tuple[str | None, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        found: dict[str, Any] = {"name": self.name, "old": self.old, "new": self.new, "rivals": list(self.rivals)}
        if self.settled:
            found["settled"] = list(self.settled)
        return found | {"differences": [one.to_dict() for one in self.differences]}


class Ran(NamedTuple):
    """A run of a configuration, and what came out of it; no metrics if the outcome is not there."""

    config: str
    description: str
    created_at: str
    outcome: str
    metrics: dict[str, float | None]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        found: dict[str, Any] = {"config_hash": self.config, "description": self.description}
        return found | {"created_at": self.created_at, "outcome": self.outcome, "metrics": self.metrics}


class Signed(NamedTuple):
    """A signature under an outcome, which nobody has checked here."""

    config: str
    description: str
    created_at: str
    outcome: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        found: dict[str, Any] = {"config_hash": self.config, "description": self.description}
        return found | {"created_at": self.created_at, "outcome": self.outcome}


class Checked(NamedTuple):
    """What checking a pipeline on a configuration came to: the verdict on each property."""

    config: str
    description: str
    created_at: str
    pipeline: str
    verdicts: dict[str, str]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        found: dict[str, Any] = {"config_hash": self.config, "description": self.description}
        return found | {"created_at": self.created_at, "pipeline": self.pipeline, "verdicts": self.verdicts}


class Changes(NamedTuple):
    """What one state has over another; each list in order of time or name.

    Args:
        added: Configurations that were not there.
        restored: That were deleted, or replaced by another, and are listed again.
        deleted: That are marked as deleted.
        migrated: That another took the place of.
        removed: That are not there any more.
        tags: Tags of configurations that are listed in both.
        descriptions: Descriptions of the same.
        names: Names that point elsewhere, or have rivals.
        runs: Runs of configurations that are not deleted.
        signatures: Signatures under outcomes of the same.
        checks: What was checked with the same.
        aliases: Older hashes that mean a configuration.
    """

    added: tuple[Experiment, ...] = ()
    restored: tuple[Experiment, ...] = ()
    deleted: tuple[Experiment, ...] = ()
    migrated: tuple[Experiment, ...] = ()
    removed: tuple[Experiment, ...] = ()
    tags: tuple[Retagged, ...] = ()
    descriptions: tuple[Redescribed, ...] = ()
    names: tuple[Moved, ...] = ()
    runs: tuple[Ran, ...] = ()
    signatures: tuple[Signed, ...] = ()
    checks: tuple[Checked, ...] = ()
    aliases: tuple[Alias, ...] = ()

    def __bool__(self) -> bool:
        return any(len(part) for part in self)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        parts = [part for part in self._fields if part != "aliases"]
        found: dict[str, Any] = {part: [one.to_dict() for one in getattr(self, part)] for part in parts}
        return found | {"aliases": [{"alias": one.old, "config_hash": one.config} for one in self.aliases]}


def changes(before: Tree, after: Tree, *, paths: Iterable[str] | None = None, variants: bool = False) -> Changes:
    """Say what ``after`` has over ``before``.

    Args:
        before: One state.
        after: The other.
        paths: The files that only one of them has, if that is known.
        variants: Say what makes new configurations differ from those they were made from, and those that names
            pointed to from those they point to.
    """
    found = differing.touched(differing.paths(before, after) if paths is None else paths)
    return _Comparison(before, after, found, variants=variants).changes()


class _State:
    """One of the two trees, and what was read of it."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.standing = Standing(tree)
        self._metadata: dict[str, Metadata] = {}
        self._known: dict[str, bool] = {}

    def metadata(self, config: str) -> Metadata:
        if config not in self._metadata:
            self._metadata[config] = records.metadata(self.tree, config)
        return self._metadata[config]

    def is_known(self, config: str) -> bool:
        if config not in self._known:
            self._known[config] = bool(self.metadata(config).puts) and objects.exists(self.tree, config)
        return self._known[config]

    def is_listed(self, config: str) -> bool:
        return self.standing.is_listed(config) and self.is_known(config)

    def tags(self, configs: list[str]) -> dict[str, list[str]]:
        if len(configs) < _PROBE_TAGS_BELOW:
            return {config: scan.tags_of(self.tree, config, self.standing) for config in configs}
        return scan.tags_by_config(self.tree, self.standing)

    def metrics(self, outcome: str) -> dict[str, float | None]:
        try:
            return StoredOutcome.from_bytes(objects.get(self.tree, outcome)).metrics
        except (NotFound, Corrupt):
            return {}

    def config(self, config: str) -> ExperimentConfig | None:
        try:
            return ExperimentConfig.from_bytes(objects.get(self.tree, config))
        except (NotFound, Corrupt):
            return None


class _Comparison:
    def __init__(self, before: Tree, after: Tree, found: differing.Touched, *, variants: bool) -> None:
        self._before = _State(before)
        self._after = _State(after)
        self._touched = found
        self._variants = variants

    def changes(self) -> Changes:
        parts: dict[str, list[str]] = {"added": [], "restored": [], "deleted": [], "migrated": [], "removed": []}
        kept, ran = [], []
        for config in sorted(self._candidates()):
            if self._after.is_known(config) and config not in self._after.standing.deleted:
                ran.append(config)
            listed = self._before.is_listed(config), self._after.is_listed(config)
            if all(listed):
                kept.append(config)
            elif any(listed):
                parts[self._fate(config, gone=listed[0])].append(config)
        return Changes(
            **{name: self._experiments(name, configs) for name, configs in parts.items()},
            tags=tuple(self._retagged()),
            descriptions=tuple(self._redescribed(kept)),
            names=tuple(self._moved()),
            runs=tuple(self._ran(ran)),
            signatures=tuple(self._signed(ran)),
            checks=tuple(self._checked(ran)),
            aliases=self._aliases(),
        )

    def _candidates(self) -> set[str]:
        """Return the configurations that may be listed on one side only, or differ in what records say of them."""
        before, after = self._before, self._after
        found = {name.config for name in self._touched.records} | self._touched.objects | self._touched.deleted
        if self._touched.migrated or ((before.standing.migrated or after.standing.migrated) and found):
            for state in (before, after):
                for member in sets.lengths(state.tree, layout.MIGRATED):
                    found.update(layout.parse_pair(member) or ())
        return found

    def _fate(self, config: str, *, gone: bool) -> str:
        if not gone:
            return "restored" if self._before.is_known(config) else "added"
        if not self._after.is_known(config):
            return "removed"
        return "deleted" if config in self._after.standing.deleted else "migrated"

    def _experiments(self, part: str, configs: list[str]) -> tuple[Experiment, ...]:
        state = self._after if part in ("added", "restored") else self._before
        tags = state.tags(configs)
        found = [self._experiment(state, part, config, tags.get(config, [])) for config in configs]
        found.sort(key=lambda one: (instant(one.created_at), one.config), reverse=True)
        return tuple(found)

    def _experiment(self, state: _State, part: str, config: str, tags: list[str]) -> Experiment:
        metadata = state.metadata(config)
        compared = self._variants and part == "added" and metadata.parents
        return Experiment(
            config,
            metadata.created_at,
            metadata.description,
            tuple(tags),
            metadata.parents,
            self._differences(metadata.parents[0], config) if compared else (),
            tuple(self._after.standing.successors(config)) if part == "migrated" else (),
        )

    def _retagged(self) -> Iterator[Retagged]:
        found: dict[str, tuple[list[str], list[str]]] = {}
        for tag, config, added in self._tag_turns():
            found.setdefault(config, ([], []))[0 if added else 1].append(tag)
        for config in sorted(found):
            added_tags, removed_tags = found[config]
            description = self._after.metadata(config).description
            yield Retagged(config, description, tuple(sorted(added_tags)), tuple(sorted(removed_tags)))

    def _tag_turns(self) -> Iterator[tuple[str, str, bool]]:
        """Yield (tag, configuration, whether it was added) of those that are listed on both sides."""
        before, after = self._before, self._after
        if before.standing.migrated or after.standing.migrated:  # a tag may be taken over
            old, new = (scan.tags_by_config(state.tree, state.standing) for state in (before, after))
            for config in old.keys() | new.keys():
                tags, now = set(old.get(config, ())), set(new.get(config, ()))
                if tags != now and before.is_listed(config) and after.is_listed(config):
                    yield from ((tag, config, tag in now) for tag in tags ^ now)
            return
        for tag, configs in sorted(self._touched.tags.items()):
            folder = layout.tag_folder(tag)
            for config in sorted(configs):
                if not (before.is_listed(config) and after.is_listed(config)):
                    continue
                had, has = (sets.contains(state.tree, folder, config) for state in (before, after))
                if had != has:
                    yield tag, config, has

    def _redescribed(self, configs: list[str]) -> Iterator[Redescribed]:
        for config in configs:
            old, new = self._before.metadata(config), self._after.metadata(config)
            if (old.description, old.other_descriptions) != (new.description, new.other_descriptions):
                yield Redescribed(config, old.description, new.description, new.other_descriptions)

    def _moved(self) -> Iterator[Moved]:
        for name in sorted(self._touched.names):
            old, new = names.pointer(self._before.tree, name), names.pointer(self._after.tree, name)
            before, rivals = (tuple(dict.fromkeys(move.config for move in one.rivals)) for one in (old, new))
            if (old.config, before) == (new.config, rivals):
                continue
            compared = self._variants and old.config and new.config
            differences = self._differences(old.config, new.config) if compared else ()
            settled = tuple(config for config in before if config not in (new.config, *rivals))
            yield Moved(name, old.config, new.config, rivals, differences, settled)

    def _differences(self, first: str | None, second: str | None) -> tuple[Difference, ...]:
        """Return what makes one configuration differ from another, wherever they are."""
        found = []
        for config in (first, second):
            one = None if config is None else self._after.config(config) or self._before.config(config)
            if one is None:
                return ()
            found.append(one)
        return tuple(Diff(*found))

    def _ran(self, configs: list[str]) -> Iterator[Ran]:
        runs: list[tuple[str, Run]] = []
        for config in configs:
            known = self._before.metadata(config).runs
            runs += [(config, run) for run in self._after.metadata(config).runs if run not in known]
        for config, run in sorted(runs, key=lambda one: (instant(one[1].created_at), one[0]), reverse=True):
            description = self._after.metadata(config).description
            yield Ran(config, description, run.created_at, run.outcome, self._after.metrics(run.outcome))

    def _signed(self, configs: list[str]) -> Iterator[Signed]:
        new = [one for config in configs for one in self._new(config, "signatures")]
        for one in sorted(new, key=lambda one: (instant(one.created_at), one.record), reverse=True):
            yield Signed(one.config, self._after.metadata(one.config).description, one.created_at, one.outcome)

    def _checked(self, configs: list[str]) -> Iterator[Checked]:
        new = [one for config in configs for one in self._new(config, "checks")]
        for one in sorted(new, key=lambda one: (instant(one.created_at), one.record), reverse=True):
            description = self._after.metadata(one.config).description
            yield Checked(one.config, description, one.created_at, one.pipeline, one.answers)

    def _new(self, config: str, part: str) -> list[Any]:
        """Return those records of a configuration in one part of its metadata that were not there before."""
        known = {one.record for one in getattr(self._before.metadata(config), part)}
        return [one for one in getattr(self._after.metadata(config), part) if one.record not in known]

    def _aliases(self) -> tuple[Alias, ...]:
        about = {name.config for name in self._touched.records} | self._touched.deleted
        if all(self._after.metadata(one).puts for one in about):
            return ()
        known = {alias.record for alias in aliases.every(self._before.tree)}
        found = [alias for alias in aliases.every(self._after.tree) if alias.record not in known]
        return tuple(sorted(found, key=lambda alias: (alias.old, alias.record)))
