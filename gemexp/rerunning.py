"""Running a recorded command again, in a clean work tree of the commit that it ran on, and comparing what comes out."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from gemexp import environment, recording
from gemexp.compare import Difference, differences, same
from gemexp.digest import hash_bytes, is_hex, short
from gemexp.environment import Surroundings
from gemexp.errors import Corrupt, InvalidInput, NotFound
from gemexp.executing import Command, Executed, digests, execute
from gemexp.git import Repository
from gemexp.outcome import StoredOutcome
from gemexp.query import run_changes, scan
from gemexp.store import objects
from gemexp.store.files import Folder
from gemexp.store.records import Run
from gemexp.worktree import worktree

_COMMIT_DIGITS = (40, 64)
# A repeated command must find neither this store nor this repository.
_NOT_INHERITED = ("GEMEXP_DIR", "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_OBJECT_DIRECTORY")


class Plan(NamedTuple):
    """What would be run again.

    Args:
        run: The run that was recorded.
        command: What to run.
        commit: Where.
        foreign: What of it may be anyone's who wrote to the store, in words: show the plan to the user, and ask.
    """

    run: Run
    command: Command
    commit: str
    foreign: tuple[str, ...]


class Tolerance(NamedTuple):
    """How far a metric may be from the recorded one: ``atol + rtol * |recorded|``; nothing by default."""

    rtol: float = 0.0
    atol: float = 0.0

    def covers(self, recorded: float | None, found: float | None) -> bool:
        """Tell whether a metric is as near as it has to be."""
        if recorded is None or found is None or not self.rtol + self.atol:
            return same(recorded, found)
        if not (math.isfinite(recorded) and math.isfinite(found)):
            return same(float(recorded), float(found))
        return abs(found - recorded) <= self.atol + self.rtol * abs(recorded)


class Rerun(NamedTuple):
    """What running a command again came to.

    Args:
        run: The run that was recorded.
        again: The run that is recorded now.
        command: What was run.
        commit: Where.
        same: What came out is what was recorded, or as near as the tolerance says.
        tolerance: The tolerance.
        differences: Of metrics and artifacts, those within the tolerance too.
        environment: What of the environment and of packages is different since the recorded run.
    """

    run: Run
    again: Run
    command: Command
    commit: str
    same: bool
    tolerance: Tolerance
    differences: tuple[Difference, ...]
    environment: tuple[Difference, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {
            "config_hash": self.run.config,
            "run": self.run.record,
            "commit": self.commit,
            "command": list(self.command.arguments),
            "recorded_outcome_hash": self.run.outcome,
            "outcome_hash": self.again.outcome,
            "same": self.same,
            **self.tolerance._asdict(),
            "differences": [one.to_dict() for one in self.differences],
            "environment": [one.to_dict() for one in self.environment],
        }


def plan(folder: Folder, text: str, arguments: tuple[str, ...] = ()) -> Plan:
    """Say what would be run again.

    Args:
        folder: The store.
        text: The run, see `gemexp.query.run_changes.find`: of a revision, the newest that can be run again.
        arguments: A command to run instead of the recorded one.

    Raises:
        NotFound: No such run, no command or no commit is recorded.
        Corrupt: The recorded command is not one.
    """
    latest = run_changes.find(folder, text)
    candidates = [latest]
    if not text.startswith("run:") and not latest.record.startswith(text.lower()):
        candidates = scan.runs_of(folder, latest.config)
    candidates = [run for run in candidates if run.verifies is None] or candidates
    on_commit = [run for run in candidates if _commit(run)]
    if not on_commit:
        hint = "only what ran in a git repository can be run again"
        raise NotFound(f"no commit is recorded with '{text}'", subject=text, hint=hint)
    told = [run for run in on_commit if run.command is not None]
    if not told and not arguments:
        hint = f"gemexp run records one, or name it: gemexp verify --rerun {text} -- COMMAND"
        raise NotFound(f"no command is recorded with '{text}'", subject=text, hint=hint)
    run = (told or on_commit)[0]
    if run.command is not None:
        command = Command.from_dict(run.command)
    else:
        artifacts = {name: name for name in _recorded(folder, run).artifacts}
        command = Command(arguments, artifacts=artifacts)
    if arguments:
        command = command._replace(arguments=arguments)
    return Plan(run, command, _commit(run), tuple(_foreign(run, given=bool(arguments))))


def rerun(folder: Folder, planned: Plan, tolerance: Tolerance | None = None, *, output: int | None = None) -> Rerun:
    """Run a command again and compare; the verdict is recorded as a run that names the outcome it was to give again.

    Args:
        folder: The store.
        planned: What `plan` returned.
        tolerance: How far a metric may be from the recorded one.
        output: File descriptor for what the command prints.

    Raises:
        NotFound: The commit, or a data file as it was, is not there.
        EngineFailed: The command or git failed; nothing was recorded.
        InvalidInput: The command left neither metrics nor artifacts.
        Corrupt: What was recorded is damaged.
    """
    tolerance = tolerance or Tolerance()
    run, command = planned.run, planned.command
    recorded = _recorded(folder, run)
    repository = _repository(planned.commit)
    patch = None if run.patch is None else objects.get(folder, run.patch)
    with worktree(repository, planned.commit, patch) as tree:
        _provide_data(repository, tree, command, recorded)
        config = scan.load(folder, run.config)
        kept = {name: value for name, value in os.environ.items() if name not in _NOT_INHERITED}
        for path in (*command.artifacts.values(), *([command.metrics] if command.metrics else [])):
            _inside(tree, command.folder, path)
        place = _inside(tree, "", command.folder or os.curdir)
        if not os.path.isdir(place):
            raise NotFound(f"the commit has no folder '{command.folder}'", subject=command.folder)
        done = execute(command, config, place, environment=kept, output=output, alone=True)
        contents = {
            name: recording.content(name, _inside(tree, command.folder, path)) for name, path in _written(command, done)
        }
    around = Surroundings(
        environment.environment(),
        {"commit": planned.commit, "dirty": patch is not None},
        environment.user(),
        environment.installed(),
        patch,
    )
    recording.record(
        folder,
        config,
        done.metrics,
        surroundings=around,
        artifacts=contents,
        data=recorded.data,
        details=recorded.details,  # which a command cannot tell, and which are not compared
        started=done.started,
        duration=done.duration,
        verifies=run.outcome,
        command=command,
    )
    again = max(
        (
            one
            for one in scan.runs_of(folder, run.config)
            if one.verifies == run.outcome and one.created_at == done.started
        ),
        key=lambda one: one.record,
    )
    hashes = {name: hash_bytes(content) for name, content in contents.items()}
    found = (
        *differences(recorded.metrics, done.metrics, ("metrics",)),
        *differences(recorded.artifacts, hashes, ("artifacts",)),
    )
    changes = run_changes.between(folder, run, again)
    around_it = (*changes.part("environment"), *changes.part("packages"))
    is_same = all(_is_covered(one, tolerance) for one in found)
    return Rerun(run, again, command, planned.commit, is_same, tolerance, tuple(found), around_it)


def _repository(commit: str) -> Repository:
    repository = Repository.find(os.curdir)
    if repository is None:
        raise NotFound(
            f"the commit {short(commit)} is not here: this is no git repository",
            subject=commit,
            hint="go to a clone of the repository that the run was made in",
        )
    return repository


def _foreign(run: Run, *, given: bool) -> Iterator[str]:
    """Yield what would be run of what the store says: a command, a patch, or code that is not checked out here."""
    if not given:
        yield "the command is what the store says"
    if run.patch is not None:
        yield "a patch that the store holds changes the code"
    repository = _repository(_commit(run))
    commit = repository.commit(_commit(run))
    if repository.merge_base(commit, "HEAD") != commit:
        yield "the commit is none that HEAD comes from"


def _is_covered(difference: Difference, tolerance: Tolerance) -> bool:
    return (
        difference.path[0] == "metrics"
        and difference.change == "changed"
        and tolerance.covers(difference.old, difference.new)
    )


def _written(command: Command, done: Executed) -> list[tuple[str, str]]:
    return [(name, path) for name, path in command.artifacts.items() if name in done.artifacts]


def _commit(run: Run) -> str:
    """Return the commit that is recorded with a run; empty if it is none, but another revision, or an option."""
    commit = (run.code or {}).get("commit")
    return commit if isinstance(commit, str) and is_hex(commit) and len(commit) in _COMMIT_DIGITS else ""


def _recorded(folder: Folder, run: Run) -> StoredOutcome:
    try:
        return StoredOutcome.from_bytes(objects.get(folder, run.outcome))
    except Corrupt as error:
        error.path = error.path or f"outcome {short(run.outcome)}"
        raise


def _inside(tree: str, folder: str, path: str) -> str:
    """Return where a file of the command is; it must not lead out of the work tree, as a foreign record may have it.

    Raises:
        InvalidInput: It does.
    """
    found = os.path.realpath(os.path.join(tree, folder, path))
    if not f"{found}{os.sep}".startswith(f"{tree}{os.sep}"):
        raise InvalidInput(
            f"'{path}' lies outside the work tree", hint="a command that is to run again leaves its files inside"
        )
    return found


def _provide_data(repository: Repository, tree: str, command: Command, recorded: StoredOutcome) -> None:
    """See that each data file is where the command expects it, as it was: one that git does not track is linked.

    Raises:
        NotFound: One is not there, or has changed.
    """
    known: Mapping[str, Any] = recorded.data if isinstance(recorded.data, dict) else {}
    for name, path in command.data.items():
        target = path
        if not os.path.isabs(path):
            target = _inside(tree, command.folder, path)
            source = os.path.join(repository.folder, command.folder, path)
            if not os.path.lexists(target) and os.path.isfile(source):
                os.makedirs(os.path.dirname(target), exist_ok=True)
                os.symlink(os.path.realpath(source), target)
        wanted = known.get(name)
        actual = digests({name: target})[name] if os.path.isfile(target) else ""
        if actual != wanted:
            what = "has changed" if actual else "is not there"
            hint = f"the command ran on one with the SHA-256 {wanted}"
            raise NotFound(f"the data file '{path}' {what}", subject=path, hint=hint)
