"""``gemexp add``: register configurations from files, standard input, or as variants."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, BinaryIO

import click

from gemexp import formats
from gemexp.cli.completion import complete_revision, complete_tag
from gemexp.cli.output import echo_json
from gemexp.cli.session import Session, json_option, pass_session
from gemexp.config import ExperimentConfig
from gemexp.digest import short
from gemexp.errors import GemexpError, InvalidInput, UsageError
from gemexp.notation import visible
from gemexp.paths import parse_assignment
from gemexp.registering import validate
from gemexp.sources import Source, read_configs
from gemexp.variants import vary

if TYPE_CHECKING:
    from gemexp.paths import Path
    from gemexp.registering import Registered

FORMATS = click.Choice(["json", "jsonl", "yaml", "toml"])


@click.command()
@click.argument("files", nargs=-1, metavar="[FILE | -]...", type=click.Path())
@click.option("-d", "--description", metavar="TEXT", help="Describe what is added.")
@click.option("-t", "--tag", "tags", metavar="TAG", multiple=True, shell_complete=complete_tag, help="Tag it.")
@click.option("--set", "settings", metavar="PATH=VALUE", multiple=True, help="Set a value; VALUE is YAML.")
@click.option("--from", "base", metavar="REV", shell_complete=complete_revision, help="Make a variant of REV.")
@click.option("--jsonl", is_flag=True, help="Each line of a file is a configuration in JSON.")
@click.option("--params", is_flag=True, help="Take files as hyperparameters, even if they have sections.")
@click.option("--format", "format_", type=FORMATS, help="Read files as this, whatever their names say.")
@click.option("-q", "--quiet", is_flag=True, help="Print the whole hash alone.")
@json_option
@pass_session
def add_command(
    session: Session,
    *,
    files: tuple[str, ...],
    description: str | None,
    tags: tuple[str, ...],
    settings: tuple[str, ...],
    base: str | None,
    jsonl: bool,
    params: bool,
    format_: str | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Register configurations from files.

    Each FILE holds one, as JSON, YAML 1.2 or TOML; its hash is printed.

    A file with any of the keys feature_names, feature_weights, feature_transformations and hyperparameters is an
    experiment configuration; any other becomes its hyperparameters whole. All files are read and checked before the
    first is registered. Adding what is there already changes nothing.

    \b
    gemexp add config.yaml -d "baseline" -t baseline
    gemexp add --from 3f2a9c --set hyperparameters.lr=0.01
    """
    if not files and base is None:
        raise UsageError("nothing to add", hint="name a file, - for standard input, or a configuration with --from")
    assignments = [_assignment(text) for text in settings]
    sources: list[Source] = []
    for name in files:
        with open_input(name) as file:
            sources += read_configs(file, name, format="jsonl" if jsonl else format_, params=params)
    parents: list[str] = []
    if base is not None:
        registry = session.open()
        parents = [registry.resolve(base)]
        if not files:
            sources = [Source(f"from {base}", _without_metadata(registry.load(parents[0])))]
    finished = [Source(label, _finish(config, label, assignments, description, tags)) for label, config in sources]
    register(session, finished, parents=parents, quiet=quiet, as_json=as_json)


def register(session: Session, sources: list[Source], *, parents: list[str], quiet: bool, as_json: bool) -> None:
    """Register configurations, all or none of which can be stored, and print a line for each."""
    for label, config in sources:
        try:
            validate(config)
        except InvalidInput as error:
            error.source = error.source or label
            raise
    registered = session.open(writing=True).register_all((source.config for source in sources), parents=parents)
    for source, one in zip(sources, registered, strict=True):
        print_registered(source, one, quiet=quiet, as_json=as_json)


def print_registered(source: Source, registered: Registered, *, quiet: bool, as_json: bool) -> None:
    """Print the line that acknowledges one registration."""
    if as_json:
        echo_json({"config_hash": registered.config_hash, "created": registered.created, "source": source.label})
    elif quiet:
        click.echo(registered.config_hash)
    else:
        click.echo(f"{short(registered.config_hash)}  {visible(source.config.description or source.label)}")


def open_input(name: str) -> AbstractContextManager[BinaryIO]:
    """Open a file, or standard input for ``-``, for reading."""
    if name != "-":
        return formats.open_file(name)
    if sys.stdin is None:
        raise InvalidInput("standard input is closed")
    return nullcontext(sys.stdin.buffer)


def _assignment(text: str) -> tuple[Path, object]:
    path, value = parse_assignment(text)
    return path, formats.loads(value, "yaml", source=f"--set {text}")


def _without_metadata(config: ExperimentConfig) -> ExperimentConfig:
    fields = config.to_dict()
    for name in ("description", "tags", "created_at"):
        del fields[name]
    return ExperimentConfig(**fields)


def _finish(
    config: ExperimentConfig,
    label: str,
    assignments: list[tuple[Path, object]],
    description: str | None,
    tags: tuple[str, ...],
) -> ExperimentConfig:
    try:
        if assignments:
            config = vary(config, assignments)
        return ExperimentConfig(
            **{
                **config.to_dict(),
                "description": config.description if description is None else description,
                "tags": [*config.tags, *tags],
            }
        )
    except GemexpError as error:
        if isinstance(error, InvalidInput):
            error.source = error.source or label
        raise
