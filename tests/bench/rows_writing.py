"""Registering: one by one, and many."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import catalogue as rows
from peers import HERE, Conversation, Driver, Git
from prepared import Prepared, gemexp
from seed_registry import SeedRegistry
from sides import Sides, Turn, numbered
from timing import Sample, each, run, watched
from workload import configs

from gemexp import ExperimentRegistry

if TYPE_CHECKING:
    from results import Results

    from gemexp import ExperimentConfig

_MLFLOW_RUNS = 10
_BULK_TURNS = 3
_SEED_REGISTRATIONS = 200


class _New:
    """Configurations that no side has yet: the same for all sides, others in each turn."""

    def __init__(self, prepared: Prepared, count: int) -> None:
        self._drawn = list(configs(count * (prepared.turns.turns + 1), seed=1, variant=prepared.variant))
        self._count = count

    def __call__(self, turn: int) -> list[ExperimentConfig]:
        return self._drawn[turn * self._count : (turn + 1) * self._count]


def register(prepared: Prepared, results: Results, _others: object) -> None:
    """One by one, durable: object, record and two tags here, one commit there."""
    new = _New(prepared, prepared.turns.registrations)
    sides = Sides(prepared, results)

    def ours() -> Turn:
        registry = ExperimentRegistry(prepared.copy(prepared.packed, "register"))
        return numbered(lambda turn: each(registry.register, new(turn)))

    def git() -> Turn:
        repository = Git(prepared.fresh("register.git"))
        conversation = Conversation(repository, "hash-object", "-w", "--stdin-paths")
        folder = prepared.fresh("register.files")
        folder.mkdir()

        def turn(number: int) -> Sample:
            paths = []
            for at, config in enumerate(new(number)):
                paths.append(str(folder / str(at)))
                (folder / str(at)).write_bytes(config.to_bytes())
            return each(conversation.line, paths, conversation.pids)

        return numbered(turn)

    def mlflow() -> Turn:
        driver = prepared.driver("mlflow")

        def turn(number: int) -> Sample:
            answer = driver.ask(do="register", configs=[one.to_dict() for one in new(number)[:_MLFLOW_RUNS]])
            return Sample(answer["wall"], answer["cpu"])

        return numbered(turn)

    sides.add("ours", ours)
    sides.add("git", git)
    sides.add("mlflow", mlflow)
    for level in ("FULL", "EXTRA"):
        sides.add(level, _seed(prepared, level, new, 1))
    sides.measure()
    peers = {
        "FULL": rows.REGISTER_FULL,
        "EXTRA": rows.REGISTER_EXTRA,
        "git": rows.REGISTER_GIT,
        "mlflow": rows.REGISTER_MLFLOW,
    }
    sides.note("ours", peers)


def _seed(
    prepared: Prepared, level: str, new: Callable[[int], list[ExperimentConfig]], times: int
) -> Callable[[], Turn]:
    """Return what prepares the seed's registry: each turn registers some, and tells what ``times`` as many take."""

    def prepare() -> Turn:
        registry = SeedRegistry(prepared.seed.path, level)

        def turn(number: int) -> Sample:
            fields = [config.to_dict() for config in new(number)]
            sample = each(registry.register, fields)
            registry.forget([one["config_hash"] for one in fields])
            return Sample(sample.wall * times, sample.cpu * times)

        return numbered(turn)

    return prepare


def bulk(prepared: Prepared, results: Results, _others: object) -> None:
    """All of them into a new store; the seed's registry takes some, and is taken to be as quick with the others."""
    new = _New(prepared, min(_SEED_REGISTRATIONS, 4 * prepared.turns.registrations))
    sides = Sides(prepared, results)

    def lines() -> Sample:
        store = prepared.fresh("bulk")
        os.sync()
        return watched(lambda: run(gemexp(store, "add", "--jsonl", "-q", str(prepared.lines))))

    def many() -> Sample:
        store = prepared.fresh("bulk")
        driver = Driver([sys.executable, str(HERE / "gemexp_side.py")], prepared.folder)
        os.sync()
        answer = driver.ask(do="add_many", store=str(store), path=str(prepared.lines))
        driver.close()
        return Sample(answer["wall"], answer["cpu"])

    def git() -> Sample:
        stream, repository = prepared.stream, Git(prepared.fresh("bulk.git"))
        os.sync()
        return watched(lambda: repository.fast_import(stream))

    sides.add("lines", lambda: lines)
    sides.add("many", lambda: many)
    sides.add("git", lambda: git)
    for level in ("FULL", "EXTRA"):
        sides.add(level, _seed(prepared, level, new, prepared.size))
    sides.measure(min(_BULK_TURNS, prepared.turns.turns) if prepared.size >= rows.HUNDRED_THOUSAND else None)
    sides.note("lines", {"git": rows.LINES_GIT, "FULL": rows.LINES_FULL, "EXTRA": rows.LINES_EXTRA})
    sides.note("many", {"git": rows.MANY_GIT, "FULL": rows.MANY_FULL, "EXTRA": rows.MANY_EXTRA})
