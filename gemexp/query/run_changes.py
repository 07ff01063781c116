"""Runs by what people write for them, and what changed from one run to another."""

from __future__ import annotations

from typing import Any, NamedTuple

from gemexp import revision
from gemexp.compare import Difference, differences
from gemexp.digest import HASH_DIGITS, MIN_PREFIX_DIGITS, is_prefix
from gemexp.environment import packages_in
from gemexp.errors import AmbiguousPrefix, Corrupt, NotFound
from gemexp.outcome import StoredOutcome
from gemexp.paths import Path
from gemexp.query import scan
from gemexp.store import objects, records
from gemexp.store.records import Run
from gemexp.store.tree import Tree

_RUN = "run:"
_PARTS = ("config", "environment", "packages", "code", "command", "data", "metrics", "artifacts", "details")


class RunChanges(NamedTuple):
    """What changed from one run to another.

    Args:
        old: The one.
        new: The other.
        differences: Each with the part as its path's first step: config, environment, packages, code, command, data,
            metrics, artifacts; details only where no metric and no artifact says why the outcomes differ.
    """

    old: Run
    new: Run
    differences: tuple[Difference, ...]

    def part(self, name: str) -> tuple[Difference, ...]:
        """Return the differences of one part."""
        return tuple(one for one in self.differences if one.path[0] == name)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        runs = {
            side: {
                "run": run.record,
                "config_hash": run.config,
                "outcome_hash": run.outcome,
                "created_at": run.created_at,
                "duration": run.duration,
                "by": run.by,
            }
            for side, run in (("run1", self.old), ("run2", self.new))
        }
        return {**runs, **{name: [one.to_dict() for one in self.part(name)] for name in _PARTS}}


def find(tree: Tree, text: str) -> Run:
    """Return the run that a text means: ``run:`` and digits, digits that a run's name begins with, or a revision.

    A revision means its newest run.

    Raises:
        NotFound: It means none.
        AmbiguousPrefix: It means several.
    """
    if text.startswith(_RUN):
        return _named(tree, text[len(_RUN) :], text)
    named = _with_prefix(tree, text.lower()) if is_prefix(text) else []
    try:
        config_hash = revision.resolve(tree, text)
    except NotFound:
        if named:
            return _only(named, text)
        raise
    if named:
        hint = f"write hash:{text} for the newest run of the config, or {_RUN}{text} for the run"
        candidates = [config_hash, *(run.record for run in named)]
        raise AmbiguousPrefix(
            f"'{text}' is ambiguous: a config and a run begin with it", subject=text, candidates=candidates, hint=hint
        )
    found = scan.runs_of(tree, config_hash)
    if not found:
        hint = "gemexp run and gemexp record record one"
        raise NotFound(f"no run of '{text}' is recorded", subject=text, hint=hint)
    return found[0]


def newest_two(tree: Tree, text: str) -> tuple[Run, Run]:
    """Return the newest run of a revision, and the one before, older first.

    Raises:
        NotFound: There are no two.
    """
    found = scan.runs_of(tree, revision.resolve(tree, text))
    if len(found) < 2:
        raise NotFound(f"no two runs of '{text}' are recorded", subject=text, hint="gemexp runs lists what there is")
    return found[1], found[0]


def between(tree: Tree, old: Run, new: Run) -> RunChanges:
    """Say what changed from one run to another."""
    first, second = _value(tree, old), _value(tree, new)
    told = _packages(tree, old, new)
    parts = {name: (first[name], second[name]) for name in first} | {"packages": told}
    found = {name: tuple(_differences(*parts[name], (name,))) for name in _PARTS}
    if found["metrics"] or found["artifacts"]:
        found["details"] = ()
    return RunChanges(old, new, tuple(one for name in _PARTS for one in found[name]))


def _differences(old: Any, new: Any, path: Path) -> list[Difference]:
    if (old is None) != (new is None):
        return [Difference(path, "added" if old is None else "removed", old, new)]
    return list(differences(old, new, path))


def _named(tree: Tree, prefix: str, text: str) -> Run:
    if not is_prefix(prefix):
        hint = f"the name of a run or its beginning has {MIN_PREFIX_DIGITS} to {HASH_DIGITS} hexadecimal digits"
        raise NotFound(f"'{text}' is not the name of a run", subject=text, hint=hint)
    return _only(_with_prefix(tree, prefix.lower()), text)


def _only(found: list[Run], text: str) -> Run:
    if not found:
        raise NotFound(f"there is no run '{text}'", subject=text, hint="gemexp runs lists what there is")
    if len(found) > 1:
        raise AmbiguousPrefix(
            f"'{text}' is ambiguous: {len(found)} runs begin with it",
            subject=text,
            candidates=[run.record for run in found],
            hint="write more digits",
        )
    return found[0]


def _with_prefix(tree: Tree, prefix: str) -> list[Run]:
    """Return the runs whose names begin so."""
    configs = dict.fromkeys(name.config for name in records.all_names(tree) if name.record.startswith(prefix))
    runs = (run for config in configs for run in records.metadata(tree, config).runs)
    return [run for run in runs if run.record.startswith(prefix)]


def _value(tree: Tree, run: Run) -> dict[str, Any]:
    outcome = _outcome(tree, run.outcome)
    code = None if run.code is None else {**run.code, **({"patch": run.patch} if run.patch else {})}
    command = run.command and run.command.get("arguments")
    return {
        "config": run.config,
        "environment": {name: value for name, value in run.environment.items() if name != "packages"},
        "code": code,
        "command": command,
        "data": outcome.data if outcome else run.data,
        "metrics": outcome.metrics if outcome else {},
        "artifacts": outcome.artifacts if outcome else {},
        "details": outcome.details if outcome else {},
    }


def _packages(tree: Tree, old: Run, new: Run) -> tuple[dict[str, str], dict[str, str]]:
    """Return the packages of both: all that were installed where both say that, else those that both had loaded.

    Which packages were loaded depends on what else was done, so that only another version of one says anything.
    """
    listed = [_listed(tree, run.installed) for run in (old, new)]
    if listed[0] is not None and listed[1] is not None:
        return listed[0], listed[1]
    told = [run.environment.get("packages") for run in (old, new)]
    loaded = [one if isinstance(one, dict) else {} for one in told]
    both = loaded[0].keys() & loaded[1].keys()
    return {name: loaded[0][name] for name in both}, {name: loaded[1][name] for name in both}


def _listed(tree: Tree, name: str | None) -> dict[str, str] | None:
    try:
        return None if name is None else packages_in(objects.get(tree, name))
    except (NotFound, Corrupt):
        return None


def _outcome(tree: Tree, outcome_hash: str) -> StoredOutcome | None:
    try:
        return StoredOutcome.from_bytes(objects.get(tree, outcome_hash))
    except (NotFound, Corrupt):
        return None
