"""Runs into a store's files: artifacts first, then the outcome that names them, then the record of the run."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from itertools import islice
from types import TracebackType
from typing import Any, NamedTuple, Self, TypedDict, Unpack

from gemexp import environment, formats, registering
from gemexp.config import ExperimentConfig, now
from gemexp.digest import hash_bytes
from gemexp.environment import Surroundings
from gemexp.errors import InvalidInput
from gemexp.executing import Command
from gemexp.notation import inline
from gemexp.outcome import StoredOutcome, check_metrics, data_key
from gemexp.store import objects, records
from gemexp.store.files import Folder
from gemexp.store.records import Run
from gemexp.store.standing import is_deleted

# Large enough to share the file system's commits, small enough to hold in memory with artifacts.
_BATCH_RUNS = 256

Artifact = bytes | str | os.PathLike[str]


class RunParts(TypedDict, total=False):
    """What may be told of a run beside its metrics.

    Args:
        artifacts: Content, or the path of a file that holds it, by file name.
        data: What it ran on, such as a digest.
        details: Whatever else came out, as plain data.
        started: When it began, ISO 8601; now if not given.
        duration: How long it took, in seconds.
        verifies: Hash of the outcome that this run was to give again.
        command: How it can be run again.
    """

    artifacts: Mapping[str, Artifact]
    data: Any
    details: Mapping[str, Any]
    started: str
    duration: float
    verifies: str
    command: Command


class Finished(NamedTuple):
    """A run that is over and can be recorded: checked, and nothing written yet.

    Args:
        config: What was run.
        outcome: The bytes of its outcome's object.
        artifacts: Content by hash.
        data: Key of what it ran on, see `gemexp.outcome.data_key`.
        started: When it began, ISO 8601.
        duration: How long it took, in seconds; None if not measured.
        verifies: Hash of the outcome that it was to give again.
        command: How it can be run again, as its record says it.
    """

    config: ExperimentConfig
    outcome: bytes
    artifacts: dict[str, bytes]
    data: str | None
    started: str
    duration: float | None
    verifies: str | None
    command: dict[str, Any] | None = None


def finish(config: ExperimentConfig, metrics: Mapping[str, float | None], **parts: Unpack[RunParts]) -> Finished:
    """Check what is to be recorded of a run, and bring it into the form that it is stored in.

    Needs no store, so that the processes of a sweep can do it for the one that writes.

    Raises:
        InvalidInput: A part cannot be stored.
    """
    contents = {name: content(name, artifact) for name, artifact in parts.get("artifacts", {}).items()}
    hashes = {name: hash_bytes(content) for name, content in contents.items()}
    registering.validate(config)
    outcome = StoredOutcome(
        config=config.config_hash,
        metrics=check_metrics(metrics),
        data=parts.get("data"),
        artifacts=hashes,
        details=dict(parts.get("details", {})),
    )
    return Finished(
        config=config,
        outcome=outcome.to_bytes(),
        artifacts={hashes[name]: content for name, content in contents.items()},
        data=data_key(outcome.data),
        started=parts.get("started", now()),
        duration=float(parts["duration"]) if "duration" in parts else None,
        verifies=parts.get("verifies"),
        command=parts["command"].to_dict() if "command" in parts else None,
    )


def record(
    folder: Folder,
    config: ExperimentConfig,
    metrics: Mapping[str, float | None],
    *,
    surroundings: Surroundings | None = None,
    **parts: Unpack[RunParts],
) -> str:
    """Store an outcome and the record of the run that had it; the configuration is registered if it is not yet.

    Args:
        folder: The store.
        config: What was run.
        metrics: Number by name.
        surroundings: What it ran in; what is so now if not given.
        **parts: See `RunParts`.

    Returns:
        The outcome's hash.

    Raises:
        InvalidInput: A part cannot be stored; nothing was written.
        StoreUnwritable: The file system refused.
    """
    return record_all(folder, [finish(config, metrics, **parts)], surroundings=surroundings)[0]


def record_all(folder: Folder, finished: Iterable[Finished], *, surroundings: Surroundings | None = None) -> list[str]:
    """Store many outcomes and the records of their runs, sharing the cost of making them durable.

    They are written in batches as they come; each batch is durable before the next begins.

    Args:
        folder: The store.
        finished: The runs; the configurations of those that are not registered yet are.
        surroundings: What they ran in; what is so now if not given.

    Returns:
        The outcomes' hashes.

    Raises:
        StoreUnwritable: The file system refused; the batches before are stored.
    """
    around = environment.surroundings() if surroundings is None else surroundings
    runs = iter(finished)
    hashes: list[str] = []
    while batch := list(islice(runs, _BATCH_RUNS)):
        hashes += _record_batch(folder, batch, around)
    return hashes


def _record_batch(folder: Folder, finished: list[Finished], around: Surroundings) -> list[str]:
    """Store a batch: configurations, then artifacts, then the outcomes that name them, then the records of the runs."""
    unknown = [one.config for one in finished if not _is_registered(folder, one.config.config_hash)]
    registering.register_all(folder, unknown, [])
    with folder.batch() as batch:
        for one in finished:
            for content in one.artifacts.values():
                objects.put(batch, content)
        installed = None if around.installed is None else objects.put(batch, around.installed)
        patch = None if around.patch is None else objects.put(batch, around.patch)
        outcomes = [objects.put(batch, one.outcome) for one in finished]
        for one, outcome in zip(finished, outcomes, strict=True):
            run = Run(
                config=one.config.config_hash,
                outcome=outcome,
                created_at=one.started,
                data=one.data,
                duration=one.duration,
                environment=around.environment,
                code=around.code,
                by=around.by,
                verifies=one.verifies,
                command=one.command,
                installed=installed,
                patch=patch,
            )
            records.run(batch, run)
    return outcomes


def _is_registered(folder: Folder, config_hash: str) -> bool:
    return not is_deleted(folder, config_hash) and bool(records.metadata(folder, config_hash).puts)


class ActiveRun:
    """A run in progress: collects metrics and artifacts, and is recorded when its block ends without an error.

    Attributes:
        data: What it runs on, such as a digest; may be set any time before the block ends.
        outcome_hash: The outcome's hash, once the run is recorded.
    """

    def __init__(self, folder: Folder, config: ExperimentConfig, data: Any = None) -> None:
        self.config = config
        self.data = data
        self.outcome_hash: str | None = None
        self._folder = folder
        self._metrics: dict[str, float | None] = {}
        self._artifacts: dict[str, Artifact] = {}
        self._started = ""
        self._clock = 0.0

    def log(self, metrics: Mapping[str, float | None] | None = None, /, **named: float | None) -> None:
        """Keep metrics; a later value of one name replaces an earlier one.

        Raises:
            InvalidValue: One is neither a number nor None.
        """
        self._metrics |= check_metrics({**(metrics or {}), **named})

    def artifact(self, name: str, content: Artifact) -> None:
        """Keep a file: its content, or the path of a file that will hold it when the block ends."""
        self._artifacts[name] = content

    def __enter__(self) -> Self:
        self._started, self._clock = now(), time.perf_counter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None:
            self.outcome_hash = record(
                self._folder,
                self.config,
                self._metrics,
                artifacts=self._artifacts,
                data=self.data,
                started=self._started,
                duration=time.perf_counter() - self._clock,
            )


def content(name: str, artifact: Artifact) -> bytes:
    """Return what an artifact holds.

    Raises:
        InvalidInput: It cannot be read, is too large, or its name is none.
    """
    if not name or "/" in name or "\0" in name or name in (".", ".."):
        raise InvalidInput(f"{inline(name)} is not a name for an artifact", hint="name it as a file, without a folder")
    if isinstance(artifact, bytes):
        found = artifact
    else:
        with formats.open_file(os.fspath(artifact)) as file:
            found = file.read(objects.MAX_OBJECT_BYTES + 1)
    if len(found) > objects.MAX_OBJECT_BYTES:
        raise InvalidInput(
            f"the artifact {inline(name)} is larger than {objects.MAX_OBJECT_BYTES} bytes",
            hint="keep large files elsewhere, and their hash in the metrics' details",
        )
    return found
