"""A cold start imports no more than it must: the list of modules is tested, since time is noise."""

import json
import subprocess
import sys

import pytest

# Of the standard library, beside what click and msgpack import themselves.
ALLOWED = {
    "_sha256": "names are SHA-256; loading OpenSSL takes longer",
    "_sha2": "the same from Python 3.12 on",
    "heapq": "the newest few",
    "_heapq": "of heapq",
    "locale": "of gettext, by which click translates",
    "_locale": "of locale",
}
NEVER = {
    "ruamel",
    "yaml",
    "json",
    "sqlite3",
    "dataclasses",
    "tomllib",
    "pathlib",
    "decimal",
    "numpy",
    "unicodedata",
    "inspect",
}
LIST_MODULES = "\nimport sys as s; print('\\n' + ' '.join(sorted(s.modules)))"


def modules(program, cwd):
    done = subprocess.run(
        [sys.executable, "-c", f"{program}{LIST_MODULES}"],
        capture_output=True,
        text=True,
        errors="replace",
        check=True,
        cwd=cwd,
    )
    return set(done.stdout.splitlines()[-1].split())


@pytest.fixture
def config_hash(add, gemexp):
    added = add({"a": 1}, "-d", "text", "-t", "tag")
    gemexp("name", "production", added)
    return added


def own(names):
    return {name for name in names if name == "gemexp" or name.startswith("gemexp.")}


@pytest.mark.parametrize(
    "arguments",
    [
        ["show", "PREFIX"],
        ["show", "tag"],
        ["show", "production"],
        ["show", "PREFIX", "--raw"],
        ["list"],
        ["show", "PREFIX:tags"],
    ],
)
def test_showing_imports_nothing_beside_click_and_msgpack(project, config_hash, arguments):
    arguments = [argument.replace("PREFIX", config_hash[:10]) for argument in arguments]
    base = modules("import click, msgpack", project)
    shown = modules(f"from gemexp.cli import main\nassert main({arguments!r}) == 0", project)
    new = shown - base - own(shown)
    assert new <= set(ALLOWED), sorted(new - set(ALLOWED))
    assert not {name.split(".")[0] for name in shown - base} & NEVER
    plain = arguments[0] == "show" and len(arguments) == 2 and ":" not in arguments[1]
    assert ("click" in shown) is not plain
    assert "gemexp.formats" not in shown
    assert "gemexp.compare" not in shown
    assert "gemexp.store.check" not in shown
    assert "gemexp.legacy" not in shown
    assert "gemexp.store.syncing" not in shown


def test_importing_the_package_imports_nothing(project):
    base = modules("pass", project)
    assert modules("import gemexp", project) - base <= {"gemexp", "__future__", "typing", "collections.abc"} | modules(
        "import typing", project
    )


def test_the_classes_come_without_the_command_line_and_yaml(project):
    names = modules("from gemexp import ExperimentConfig, ExperimentRegistry\nExperimentRegistry('s')", project)
    assert not {name.split(".")[0] for name in names} & {"click", "ruamel", "sqlite3"}


def test_every_public_name_can_be_imported(project):
    program = "import gemexp\nfor name in gemexp.__all__: getattr(gemexp, name)\nfrom gemexp import *\nExperimentConfig"
    assert modules(program, project)
    done = subprocess.run(
        [sys.executable, "-c", "import gemexp, json; print(json.dumps([sorted(gemexp.__all__), dir(gemexp)]))"],
        capture_output=True,
        text=True,
        check=True,
    )
    public, listed = json.loads(done.stdout)
    assert set(public) <= set(listed)
    for name in ("ExperimentConfig", "ExperimentRegistry", "create_experiment_from_scoring_config", "AmbiguousPrefix"):
        assert name in public


LIST_LATE = """
import sys
print()
for module in [*sys.modules.values()]:
    if module.__name__.startswith("gemexp"):
        for one in vars(module).values():
            if isinstance(one, type) and hasattr(one, "_fields") and "annotations" in vars(sys.modules[one.__module__]):
                print(f"late: {one.__module__}.{one.__name__}")
"""


def test_named_tuples_are_made_of_types_not_of_their_names(project, config_hash):
    """Where a module's annotations are text, a named tuple in it takes ten times as long to make."""
    program = f"from gemexp.cli import main\nassert main(['show', {config_hash!r}]) == 0{LIST_LATE}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=project)
    assert [line for line in done.stdout.splitlines() if line.startswith("late: ")] == []
