"""The reference is complete and current."""

import inspect
import re
import runpy

import click
import pytest
from documents import ROOT

import gemexp
from gemexp import ExperimentConfig, ExperimentRegistry, errors
from gemexp.cli.commands import group

REFERENCE = ROOT / "docs/reference"
COMMANDS = group.list_commands(click.Context(group))


def page():
    return runpy.run_path(str(REFERENCE / "make_cli.py"))["page"]()


def test_command_reference_is_what_its_script_writes():
    hint = "run: python docs/reference/make_cli.py"
    assert (REFERENCE / "cli.md").read_text("utf-8") == page(), hint


@pytest.mark.parametrize("columns", ["20", "300"])
def test_command_reference_does_not_depend_on_the_terminal(columns, monkeypatch):
    expected = page()
    monkeypatch.setenv("COLUMNS", columns)
    assert page() == expected


@pytest.mark.parametrize("name", COMMANDS)
def test_command_and_its_options_have_help_and_stand_in_the_reference(name):
    command = group.get_command(click.Context(group), name)
    text = (REFERENCE / "cli.md").read_text("utf-8")
    section = re.search(rf"^## {name}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)[1]
    assert command.help
    for option in command.params:
        if isinstance(option, click.Option):
            assert option.help
            assert all(f"`{spelling}`" in section for spelling in option.opts)


def test_python_reference_has_every_public_name_and_no_other():
    text = (REFERENCE / "python.md").read_text("utf-8")
    assert set(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)) | {
        "ExperimentConfig",
        "ExperimentRegistry",
        "create_experiment_from_scoring_config",
    } >= set(gemexp.__all__)
    for name in re.findall(r"^\| `([A-Z]\w+)` \|", text, re.MULTILINE):
        assert name in gemexp.__all__


@pytest.mark.parametrize(
    ("section", "documented"), [("ExperimentConfig", ExperimentConfig), ("ExperimentRegistry", ExperimentRegistry)]
)
def test_python_reference_has_every_method_with_its_parameters(section, documented):
    text = (REFERENCE / "python.md").read_text("utf-8")
    body = re.search(rf"^## {section}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)[1]
    shown = dict(re.findall(r"^\| `(\w+)\((.*?)\)(?: -> .*?)?` \|", body, re.MULTILINE))
    public = {name: value for name, value in inspect.getmembers(documented, callable) if not name.startswith("_")}
    assert shown.keys() - {section} == public.keys()
    for name, value in [*public.items(), (section, documented)]:
        shown_names = [part.partition("=")[0] for part in shown[name].split(", ") if part]
        assert shown_names == names_of_parameters(value), name
    properties = inspect.getmembers(documented, lambda value: isinstance(value, property))
    for name in (name for name, _ in properties if not name.startswith("_")):
        assert f"`{name}`" in body


def names_of_parameters(function):
    """Return names as a signature shows them, with the stars of keywords."""
    names = []
    for one in inspect.signature(function).parameters.values():
        if one.kind is one.KEYWORD_ONLY and "*" not in names:
            names.append("*")
        stars = "**" if one.kind is one.VAR_KEYWORD else ""
        names += [f"{stars}{one.name}"] if one.name != "self" else []
    return names


def test_every_kind_of_error_stands_in_the_reference():
    text = (REFERENCE / "exit-codes.md").read_text("utf-8")
    kinds = {
        value.kind
        for value in vars(errors).values()
        if inspect.isclass(value) and issubclass(value, errors.GemexpError)
    }
    assert {f"`{kind}`" for kind in kinds - {"error"}} <= set(re.findall(r"`[\w-]+`", text))
