"""Looking one configuration up: in process, and as a command."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import catalogue as rows
from peers import Conversation
from prepared import Prepared, gemexp
from sides import Sides, Turn, numbered
from timing import Sample, each, run, watched

from gemexp import ExperimentRegistry

if TYPE_CHECKING:
    from results import Results

_STARTS = 4  # of a program that starts quickly, in each turn


def get(prepared: Prepared, results: Results, others: dict[int, Prepared]) -> None:
    """By a prefix of 10 digits, in process.

    Folders that hold loose files are listed once before, as git does for its own. git answers with bytes, and the
    others with the whole configuration.
    """
    sides = Sides(prepared, results)
    tenth = others.get(prepared.size // 10)
    sides.add("packed", lambda: _own(prepared, prepared.packed))
    sides.add("loose", lambda: _own(prepared, prepared.loose))
    if tenth is not None:
        sides.add("tenth", lambda: _own(tenth, tenth.packed))
    for name in ("packed", "loose"):
        sides.add(f"git {name}", lambda name=name: _git(prepared, name))
    sides.add("seed", lambda: _some(prepared, prepared.seed_prefixes, prepared.seed.get))
    sides.add("signac", lambda: _signac(prepared))
    sides.measure(warm=True)
    packed = {"git packed": rows.PACKED_GIT, "seed": rows.PACKED_SEED, "signac": rows.PACKED_SIGNAC}
    sides.note("packed", {**packed, "tenth": rows.PACKED_TENTH})
    sides.note("loose", {"git loose": rows.LOOSE_GIT, "seed": rows.LOOSE_SEED, "signac": rows.LOOSE_SIGNAC})


def _own(prepared: Prepared, store: Path) -> Turn:
    prepared.settle()
    registry = ExperimentRegistry(store)
    for name in {name[:2]: name for name, _ in prepared.sample}.values():
        registry.get(name[:10])
    count = prepared.turns.lookups
    return numbered(lambda turn: each(registry.get, [name for name, _ in prepared.prefixes(count, turn)]))


def _git(prepared: Prepared, name: str) -> Turn:
    repository = prepared.git_packed if name == "packed" else prepared.git_loose
    conversation = Conversation(repository, "cat-file", "--batch")
    for oid in {oid[:2]: oid for _, oid in prepared.sample}.values():
        conversation.read(oid[:10])

    def turn(number: int) -> Sample:
        names = [oid for _, oid in prepared.prefixes(prepared.turns.lookups, number)]
        return each(conversation.read, names, conversation.pids)

    return numbered(turn)


def _some(prepared: Prepared, names: Sequence[str], call: Callable[[str], object]) -> Turn:
    """Return a turn that looks up a few of some names, drawn anew."""
    random_ = random.Random(3)
    return lambda: each(call, random_.choices(names, k=prepared.few))


def _signac(prepared: Prepared) -> Turn:
    ids, random_ = prepared.signac_ids, random.Random(3)

    def turn() -> Sample:
        some = [one[:10] for one in random_.choices(ids, k=prepared.few)]
        answer = prepared.driver("signac").ask(do="get", prefixes=some)
        return Sample(answer["wall"], answer["cpu"])

    return turn


def show(prepared: Prepared, results: Results, others: dict[int, Prepared]) -> None:
    """``gemexp show PREFIX`` as a process, beside other programs that start, and beside itself in a small store."""
    sides = Sides(prepared, results)
    config_hash = prepared.sample[0][0]
    path = str(prepared.object_file(config_hash))
    sides.add("plain", lambda: _show(prepared, prepared.packed))
    sides.add("indexed", lambda: _show(prepared, prepared.indexed))
    smallest = others.get(min(others))
    if smallest is not None and smallest is not prepared:
        sides.add("smallest", lambda: _show(smallest, smallest.packed))
        sides.add("smallest indexed", lambda: _show(smallest, smallest.indexed))
    script = f"import click, msgpack; open({path!r}, 'rb').read()"
    sides.add("script", lambda: _starts([sys.executable, "-c", script]))
    sides.add("git", lambda: _starts(prepared.git_packed.command("rev-parse", prepared.sample[0][1][:10])))
    sides.add("signac", lambda: _signac_show(prepared))
    sides.add("mlflow", lambda: _starts([prepared.program("mlflow"), "--version"], 1))
    sides.add("dvc", lambda: _starts([prepared.program("dvc"), "--version"], 1))
    sides.measure(warm=True)
    plain = {"script": rows.SHOW_SCRIPT, "smallest": rows.SHOW_SMALLEST, "signac": rows.SHOW_SIGNAC}
    sides.note("plain", {**plain, "mlflow": rows.SHOW_MLFLOW, "dvc": rows.SHOW_DVC, "git": rows.SHOW_GIT})
    sides.note("indexed", {"script": rows.SHOW_INDEXED_SCRIPT, "smallest indexed": rows.SHOW_INDEXED_SMALLEST})


def _show(prepared: Prepared, store: Path) -> Turn:
    return _starts(gemexp(store, "show", prepared.sample[0][0][:10]))


def _starts(command: Sequence[str], times: int = _STARTS, folder: Path | None = None) -> Turn:
    """Return a turn that runs a command some times."""

    def all_of_them() -> None:
        for _ in range(times):
            run(command, cwd=folder)

    return lambda: watched(all_of_them).per(times)


def _signac_show(prepared: Prepared) -> Turn:
    prefix = prepared.signac_ids[0][:10]
    return _starts([prepared.program("signac"), "statepoint", prefix], 1, prepared.folder / "signac")
