"""``gemexp add``: register configurations from files, standard input, or as variants."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, ExitStack, nullcontext
from itertools import groupby
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

import click

from gemexp import formats
from gemexp.cli.bulk import Printing, add_lines, check, spooled
from gemexp.cli.completion import complete_revision, complete_tag
from gemexp.cli.output import echo_json
from gemexp.cli.session import Session, json_option, pass_session
from gemexp.config import ExperimentConfig
from gemexp.digest import short
from gemexp.errors import InvalidInput, UsageError
from gemexp.lines import Changes
from gemexp.notation import visible
from gemexp.paths import parse_assignment
from gemexp.registering import validate
from gemexp.sources import Source, read_configs

if TYPE_CHECKING:
    from gemexp.paths import Path
    from gemexp.registering import Registered


class Lines(NamedTuple):
    """JSON Lines that were found to be good, to be read once more."""

    label: str
    file: BinaryIO


Input = Lines | list[Source]
FORMATS = click.Choice(["json", "jsonl", "yaml", "toml"])


@click.command()
@click.argument("files", nargs=-1, metavar="[FILE | -]...", type=click.Path())
@click.option("-d", "--description", metavar="TEXT", help="Describe what is added.")
@click.option("-t", "--tag", "tags", metavar="TAG", multiple=True, shell_complete=complete_tag, help="Tag it.")
@click.option("--set", "settings", metavar="PATH=VALUE", multiple=True, help="Set a value; VALUE is YAML.")
@click.option("--from", "base", metavar="REV", shell_complete=complete_revision, help="Make a variant of REV.")
@click.option(
    "--jsonl", is_flag=True, help="Each line is a configuration in JSON; a bad one is told and the others added."
)
@click.option("--strict", is_flag=True, help="With --jsonl: stop at the first bad line.")
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
    strict: bool,
    params: bool,
    format_: str | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Register configurations from files.

    Each FILE holds one, as JSON, YAML 1.2 or TOML; its hash is printed.

    A file with any of the keys feature_names, feature_weights, feature_transformations and hyperparameters is an
    experiment configuration; any other becomes its hyperparameters whole. All files are read and checked before the
    first is registered. Adding what is there already changes nothing. With --jsonl, lines are read as they come and
    registered in batches: what was interrupted is finished by adding it again.

    \b
    gemexp add config.yaml -d "baseline" -t baseline
    gemexp add --from 3f2a9c --set hyperparameters.lr=0.01
    """
    if not files and base is None:
        raise UsageError("nothing to add", hint="name a file, - for standard input, or a configuration with --from")
    if strict and not jsonl:
        raise UsageError("--strict goes with --jsonl", hint="without it nothing is added if anything is bad")
    changes = Changes(tuple(map(_assignment, settings)), description, tags, params=params)
    how = Printing(quiet=quiet, as_json=as_json)
    parents = [session.open().resolve(base)] if base is not None else []
    if jsonl:
        for name in files:
            with open_input(name) as file:
                add_lines(session, file, name, changes, parents, how, strict=strict)
        return
    with ExitStack() as stack:
        inputs = [_read(stack, name, format_, changes) for name in files]
        if not files and base is not None:
            inputs = [[_changed(Source(f"from {base}", _without_metadata(session.open().load(parents[0]))), changes)]]
        register(session, inputs, changes, parents, how)


def _read(stack: ExitStack, name: str, format_: str | None, changes: Changes) -> Input:
    file = stack.enter_context(open_input(name))
    if (format_ or formats.format_of(name)) == "jsonl":
        return checked_lines(name, file, changes)
    found = read_configs(file, name, format=format_, params=changes.params)
    return [_changed(source, changes) for source in found]


def _changed(source: Source, changes: Changes) -> Source:
    try:
        return validated(Source(source.label, changes.apply(source.config)))
    except InvalidInput as error:
        error.source = error.source or source.label
        raise


def checked_lines(name: str, file: BinaryIO, changes: Changes) -> Lines:
    """Return JSON Lines that are good, every one of them.

    Raises:
        InvalidInput: One is bad, or there is none.
    """
    file = spooled(file)
    check(file, name, changes)
    file.seek(0)
    return Lines(name, file)


def validated(source: Source) -> Source:
    """Return a configuration that can be stored.

    Raises:
        InvalidInput: It cannot.
    """
    try:
        validate(source.config)
    except InvalidInput as error:
        error.source = error.source or source.label
        raise
    return source


def register(session: Session, inputs: list[Input], changes: Changes, parents: list[str], how: Printing) -> None:
    """Register what was read and found to be good, in order, and print a line for each."""
    for is_lines, group in groupby(inputs, key=lambda one: isinstance(one, Lines)):
        if is_lines:
            for one in group:
                if isinstance(one, Lines):
                    add_lines(session, one.file, one.label, changes, parents, how, strict=True)
            continue
        sources = [source for one in group if not isinstance(one, Lines) for source in one]
        registered = session.open(writing=True).register_all((source.config for source in sources), parents=parents)
        for source, found in zip(sources, registered, strict=True):
            print_registered(source, found, quiet=how.quiet, as_json=how.as_json)


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
