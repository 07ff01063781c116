"""The small panel and grids for it, in memory and in files; and running commands."""

import json
from typing import NamedTuple

import pytest
from small import BASE, PARAMETERS, random_panel

from gemexp.cli import main


class Result(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


@pytest.fixture(scope="session")
def panel():
    return random_panel()


@pytest.fixture(scope="session")
def panel_file(panel, tmp_path_factory):
    path = tmp_path_factory.mktemp("panel") / "prices.csv"
    path.write_text(panel.to_csv(), "utf-8")
    return path


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder to work in, with a store."""
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    main(["init"])
    return folder


@pytest.fixture
def write_grid(project):
    """Write a grid of the usual base and parameters, and return its name."""

    def write(axes, *, base=BASE, name="grid.json", **parameters):
        value = {"base": base, "parameters": PARAMETERS | parameters, "grid": axes}
        value["parameters"] = {key: item for key, item in value["parameters"].items() if key not in axes}
        (project / name).write_text(json.dumps(value), "utf-8")
        return name

    return write


@pytest.fixture
def gemexp(project, capsys):  # noqa: ARG001 - it is where commands run
    """Run a command in this process."""

    def run(*arguments, code=0):
        capsys.readouterr()
        found = main([str(argument) for argument in arguments])
        result = Result(found, *capsys.readouterr())
        assert "Traceback" not in result.err
        assert found == code, result
        return result

    return run
