"""Running a command on a configuration: what it is told, and what it leaves behind.

The command finds the configuration as JSON in the file that ``GEMEXP_CONFIG_FILE`` names and its hash in
``GEMEXP_CONFIG``, and writes its metrics as a JSON map into the file that ``GEMEXP_METRICS`` names, or into one of its
own that is named when it is run. No shell is involved: a command is a list of arguments.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from gemexp import formats
from gemexp.config import ExperimentConfig, now
from gemexp.errors import Corrupt, EngineFailed, InvalidInput, InvalidText
from gemexp.git import Repository
from gemexp.notation import inline
from gemexp.outcome import check_metrics

_PART_BYTES = 1 << 20
_FIELDS = ("arguments", "artifacts", "data", "folder", "metrics")


class Command(NamedTuple):
    """A command, and which files it reads and writes; paths are relative to its folder.

    Args:
        arguments: The program and its arguments.
        folder: Where it runs, within the work tree, with ``/`` between parts; empty for its top.
        metrics: The file that it writes metrics to; None if it writes them to what ``GEMEXP_METRICS`` names.
        artifacts: Path of each file that is kept, by its name.
        data: Path of each file that it works on, by its name.
    """

    arguments: tuple[str, ...]
    folder: str = ""
    metrics: str | None = None
    artifacts: Mapping[str, str] = {}
    data: Mapping[str, str] = {}

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, as a run's record holds it."""
        return {
            "arguments": list(self.arguments),
            "artifacts": dict(self.artifacts),
            "data": dict(self.data),
            "folder": self.folder,
            "metrics": self.metrics,
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Command:
        """Read what a record holds.

        Raises:
            Corrupt: It is not a command.
        """
        lists = [value.get("arguments")]
        lists += [
            list(one.values()) if isinstance(one, dict) else None for one in map(value.get, ("artifacts", "data"))
        ]
        lists += [[value.get("folder")], [] if value.get("metrics") is None else [value["metrics"]]]
        # A NUL ends an argument, or a path, before it ends.
        sound = all(
            isinstance(one, list) and all(isinstance(text, str) and "\0" not in text for text in one) for one in lists
        )
        if not sound or not value.get("arguments") or sorted(value) != list(_FIELDS):
            raise Corrupt("the recorded command is not one", expected=", ".join(_FIELDS))
        return cls(tuple(value["arguments"]), value["folder"], value["metrics"], value["artifacts"], value["data"])


class Executed(NamedTuple):
    """What a command left behind.

    Args:
        metrics: Number by name.
        artifacts: Path of each file that it wrote, by name.
        missing: Names of artifacts that it did not write.
        started: When it began, ISO 8601.
        duration: How long it took, in seconds.
    """

    metrics: dict[str, float | None]
    artifacts: dict[str, str]
    missing: tuple[str, ...]
    started: str
    duration: float


def by_name(paths: Iterable[str], what: str) -> dict[str, str]:
    """Return paths by the names of their files.

    Raises:
        InvalidInput: Two have the same.
    """
    found: dict[str, str] = {}
    for path in paths:
        name = os.path.basename(path)
        if name in found:
            raise InvalidInput(f"two {what} have the same file name, '{name}'", hint="rename one of them")
        found[name] = path
    return found


def digests(paths: Mapping[str, str]) -> dict[str, str]:
    """Return the SHA-256 of files by name, as ``sha256sum`` prints it.

    Raises:
        InvalidInput: One cannot be read.
    """
    from hashlib import sha256

    found = {}
    for name, path in paths.items():
        digest = sha256()
        with formats.open_file(path) as file:
            while part := file.read(_PART_BYTES):
                digest.update(part)
        found[name] = digest.hexdigest()
    return found


def here(
    arguments: Iterable[str], *, metrics: str | None = None, artifacts: Iterable[str] = (), data: Iterable[str] = ()
) -> Command:
    """Return a command that runs in the current folder.

    Args:
        arguments: The program and its arguments.
        metrics: Path of the file that it writes metrics to; None if it writes them to what ``GEMEXP_METRICS`` names.
        artifacts: Paths of files to keep.
        data: Paths of files that it works on.

    Raises:
        InvalidInput: Two artifacts, or two data files, have the same name.
        EngineFailed: git refuses this repository.
    """
    repository = Repository.find(os.curdir)
    top = None if repository is None or repository.bare else repository.folder
    prefix = repository.prefix(os.curdir) if repository is not None and top is not None else None

    def portable(path: str) -> str:
        """Return a path that means the same in another work tree, where there is one."""
        inside = top is not None and os.path.isabs(path) and f"{os.path.realpath(path)}/".startswith(f"{top}/")
        return os.path.relpath(os.path.realpath(path), os.path.realpath(os.curdir)) if inside else path

    return Command(
        tuple(arguments),
        prefix or "",
        None if metrics is None else portable(metrics),
        {name: portable(path) for name, path in by_name(artifacts, "artifacts").items()},
        {name: portable(path) for name, path in by_name(data, "data files").items()},
    )


def execute(
    command: Command,
    config: ExperimentConfig,
    folder: str = os.curdir,
    *,
    environment: Mapping[str, str] | None = None,
    output: int | None = None,
    alone: bool = False,
) -> Executed:
    """Run a command and return what it left behind.

    Args:
        command: The command.
        config: What it is told.
        folder: Where to run it.
        environment: Its environment variables; this process's if not given.
        output: File descriptor for what it prints on standard output; this process's if not given.
        alone: It gets no standard input.

    Raises:
        EngineFailed: It cannot be run, or failed.
        InvalidInput: It left no metrics and no artifact, or what it left are no metrics.
    """
    from tempfile import TemporaryDirectory

    folder = os.path.abspath(folder)
    paths = {name: os.path.join(folder, path) for name, path in command.artifacts.items()}
    with TemporaryDirectory(prefix="gemexp-") as aside:
        figures = (
            os.path.join(aside, "metrics.json") if command.metrics is None else os.path.join(folder, command.metrics)
        )
        before = {path: _state(path) for path in (figures, *paths.values())}
        config_file = os.path.join(aside, "config.json")
        with open(config_file, "w", encoding="utf-8") as file:
            file.write(formats.dumps(config.to_dict(), "json", indent=2))
        told = {"GEMEXP_CONFIG": config.config_hash, "GEMEXP_CONFIG_FILE": config_file, "GEMEXP_METRICS": figures}
        started, clock = now(), time.perf_counter()
        _run(
            command.arguments,
            folder,
            {**(os.environ if environment is None else environment), **told},
            output=output,
            alone=alone,
        )
        duration = time.perf_counter() - clock
        written = {path for path, state in before.items() if _state(path) not in (None, state)}
        metrics = _read_metrics(figures) if figures in written else None
    kept = {name: path for name, path in paths.items() if path in written}
    if metrics is None and (command.metrics is not None or not kept):
        told_where = "the file that GEMEXP_METRICS names" if command.metrics is None else f"'{command.metrics}'"
        hint = 'the command writes them as a JSON map of numbers, such as {"loss": 0.25}'
        raise InvalidInput(f"the command wrote no metrics to {told_where}", hint=hint)
    missing = tuple(sorted(paths.keys() - kept.keys()))
    return Executed(metrics or {}, kept, missing, started, duration)


def _run(
    arguments: tuple[str, ...], folder: str, environment: Mapping[str, str], *, output: int | None, alone: bool
) -> None:
    try:
        done = subprocess.run(  # noqa: S603 - the user's own command, or one that the user was asked about
            list(arguments),
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL if alone else None,
            stdout=output,
            check=False,
        )
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise EngineFailed(f"cannot run {inline(arguments[0])}: {reason}") from None
    except ValueError as error:  # such as a NUL in an argument
        raise EngineFailed(f"cannot run {inline(arguments[0])}: {error}") from None
    if done.returncode:
        how = f"with exit code {done.returncode}" if done.returncode > 0 else f"by signal {-done.returncode}"
        raise EngineFailed(f"the command {inline(arguments[0])} ended {how}", hint="nothing was recorded")


def _state(path: str) -> tuple[int, int, int] | None:
    """Return what changes when a file is written anew; None if there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _read_metrics(path: str) -> dict[str, float | None]:
    name = os.path.basename(path)
    with formats.open_file(path) as file:
        value = formats.load(file, "json", source=name)
    if not isinstance(value, dict):
        raise InvalidText("holds no map of metrics", source=name, hint='such as {"loss": 0.25}')
    try:
        return check_metrics(value)
    except InvalidInput as error:
        error.source = name
        raise
