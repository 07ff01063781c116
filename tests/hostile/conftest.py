"""Stores, repositories and files that somebody means harm with, and every command of the program run on them."""

import io
import json
import os
import sys
from typing import NamedTuple

import pytest
from packed_stores import fill
from planting import LONG_AGO, commands
from surroundings import snapshot

from gemexp import ExperimentRegistry
from gemexp.cli import main


class Result(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder to work in, outside any repository."""
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    return folder


@pytest.fixture
def gemexp(project, capsysbinary, monkeypatch):  # noqa: ARG001 - it is where commands run
    """Run a command in this process; whatever it meets, it tells in its own words."""

    def run(*arguments, stdin="", code=None):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode()), encoding="utf-8"))
        capsysbinary.readouterr()
        found = main([str(argument) for argument in arguments])
        out, err = (text.decode("utf-8", "surrogateescape") for text in capsysbinary.readouterr())
        assert "Traceback" not in err
        assert "this is a bug" not in err, (arguments, err)
        assert found in ((0, 1, 2, 3, 4, 5, 6) if code is None else (code,)), (arguments, found, out, err)
        return Result(found, out, err)

    return run


@pytest.fixture
def filled(project):
    """A store with something of every kind, and a line in its journal."""
    registry = ExperimentRegistry(project / ".gemexp")
    registry.hashes = fill(registry)
    os.makedirs(f"{registry.root}/local/trash", exist_ok=True)
    return registry


@pytest.fixture
def outside(tmp_path):
    """A folder that no command has any business in: old files, new ones, and some with a store's names."""
    folder = tmp_path / "outside"
    for name in ("letter.txt", "sub/old.txt", "ab/" + "ab" * 32, "ab" * 32, f"{'ab' * 32}-{'cd' * 32}"):
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("precious\n")
        os.utime(place, (LONG_AGO, LONG_AGO))
    os.utime(folder / "sub", (LONG_AGO, LONG_AGO))
    return folder


@pytest.fixture
def untouched(outside):
    """Return a function that tells whether nothing outside was made, changed or removed since now."""
    before = snapshot(outside)
    return lambda: snapshot(outside) == before


@pytest.fixture
def everything(project, gemexp):
    """Run every command that reads or writes a store; return what they printed, by command."""

    def run(config_hash, *, also=()):
        (project / "new.json").write_text(json.dumps({"hyperparameters": {"fresh": 1}}))
        (project / "result.txt").write_text("done")
        return {arguments: gemexp(*arguments, stdin=stdin) for arguments, stdin in [*commands(config_hash), *also]}

    return run
