"""``gemexp export`` and ``gemexp import``: configurations with all their fields, as files."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

from gemexp import formats
from gemexp.cli.add import FORMATS, Input, checked_lines, open_input, register, validated
from gemexp.cli.bulk import Printing
from gemexp.cli.completion import complete_revision, complete_tag
from gemexp.cli.output import echo_json
from gemexp.cli.session import Session, json_option, pass_session, where_option
from gemexp.cli.writing import write_bytes, write_texts
from gemexp.digest import short
from gemexp.errors import InvalidInput, NotFound, UsageError
from gemexp.lines import Changes
from gemexp.notation import visible
from gemexp.sources import read_exported

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gemexp.config import ExperimentConfig
    from gemexp.registry import ExperimentRegistry


@click.command()
@click.argument("arguments", metavar="[REV] FILE|DIR|-", nargs=-1, required=True, shell_complete=complete_revision)
@click.option(
    "--tag", metavar="TAG", shell_complete=complete_tag, help="Export all that carry TAG, a file each, to DIR."
)
@where_option
@click.option("--all", "everything", is_flag=True, help="Export all, as JSON Lines or Parquet.")
@json_option
@pass_session
def export_command(
    session: Session,
    *,
    arguments: tuple[str, ...],
    tag: str | None,
    where: str | None,
    everything: bool,
    as_json: bool,
) -> None:
    """Write configurations to files.

    With description, tags and time, for `gemexp import` in another store. A Parquet file has a column for each value
    besides, and for each metric of the latest outcomes.

    \b
    gemexp export 3f2a9c config.json      (or .yaml, .jsonl, or - for standard output)
    gemexp export --tag best DIR      (or FILE.jsonl, FILE.parquet, or -)
    gemexp export --where 'metric.sharpe > 1' DIR      (or FILE.jsonl, FILE.parquet, or -)
    gemexp export --all FILE.jsonl      (or FILE.parquet)
    """
    several = tag is not None or where is not None
    if several and everything:
        raise UsageError("--all excludes --tag and --where", hint="leave out --all, or the others")
    wanted = 1 if several or everything else 2
    if len(arguments) != wanted:
        raise UsageError(
            "export takes a revision and a file"
            if wanted == 2
            else "export takes one target with --tag, --where or --all",
            hint="see 'gemexp export --help'",
        )
    registry = session.open()
    target = arguments[-1]
    if _is_parquet(target):
        count = _export_parquet(registry, where, tag, target, one=not several and not everything)
    elif everything:
        _require_lines(target)
        count = write_texts(target, (_line(config) for config in registry))
    elif several:
        count = _export_several(registry, where, tag, target)
    else:
        config = registry.load(registry.resolve(arguments[0]))
        count = write_texts(target, [_dump(config, target)])
    if target == "-":
        return
    if as_json:
        echo_json({"exported": count, "target": target})
    else:
        click.echo(f"exported {count} config{'' if count == 1 else 's'} to {visible(target)}")


@click.command()
@click.argument("files", metavar="[FILE | DIR | -]...", nargs=-1, type=click.Path())
@click.option("--sqlite", "database", metavar="FILE", type=click.Path(), help="Import a home-made experiments.sqlite.")
@click.option("--format", "format_", type=FORMATS, help="Read files as this, whatever their names say.")
@click.option("-q", "--quiet", is_flag=True, help="Print the whole hash alone.")
@json_option
@pass_session
def import_command(
    session: Session, *, files: tuple[str, ...], database: str | None, format_: str | None, quiet: bool, as_json: bool
) -> None:
    """Register what `gemexp export` wrote.

    Hash, description, tags and time stay the same.

    With --sqlite: all experiments of a registry in the old format; their old hashes keep working as revisions.
    """
    if not files and database is None:
        raise UsageError("nothing to import", hint="name a file, - for standard input, or a database with --sqlite")
    changes = Changes(exported=True)
    with ExitStack() as stack:
        inputs = [_read(stack, name, format_, changes) for name in _files(files)]
        if database is not None:  # first, since its rows are not yet known to be good
            _import_database(session.open(writing=True), database, quiet=quiet, as_json=as_json)
        if inputs:
            register(session, inputs, changes, [], Printing(quiet=quiet, as_json=as_json))


def _read(stack: ExitStack, name: str, format_: str | None, changes: Changes) -> Input:
    if format_ is None and _is_parquet(name):
        from gemexp import frames

        return checked_lines(name, stack.enter_context(frames.exported_lines(name)), changes)
    file = stack.enter_context(open_input(name))
    if (format_ or formats.format_of(name)) == "jsonl":
        return checked_lines(name, file, changes)
    sources = read_exported(file, name, format=format_)
    for source in sources:
        validated(source)
    return sources


def _import_database(registry: ExperimentRegistry, database: str, *, quiet: bool, as_json: bool) -> None:
    for old_hash, registered in registry.import_sqlite(database):
        if as_json:
            config_hash, created = registered
            echo_json({"config_hash": config_hash, "created": created, "source": database, "old_hash": old_hash})
        elif quiet:
            click.echo(registered.config_hash)
        else:
            description = registry.metadata(registered.config_hash).description
            click.echo(
                f"{short(registered.config_hash)}  was {visible(old_hash[:12])}  {visible(description)}".rstrip()
            )


def _files(names: tuple[str, ...]) -> list[str]:
    found = []
    for name in names:
        if os.path.isdir(name):
            inside = sorted(str(path) for path in Path(name).iterdir() if formats.format_of(path.name))
            if not inside:
                raise InvalidInput("holds no JSON, YAML or TOML file", source=name)
            found += inside
        else:
            found.append(name)
    return found


def _export_parquet(registry: ExperimentRegistry, where: str | None, tag: str | None, target: str, *, one: bool) -> int:
    if one:
        hint = f"gemexp export --where 'hash = HASH' {target}"
        raise UsageError("a Parquet file holds what --all, --tag or --where choose", hint=hint)

    def fill(file: IO[bytes]) -> int:
        count = registry.write_parquet(file, where=where, tag=tag)
        if not count and where is not None:
            raise _unmatched(where)
        if not count and tag is not None:
            raise _uncarried(tag)
        return count

    return write_bytes(target, fill)


def _export_several(registry: ExperimentRegistry, where: str | None, tag: str | None, target: str) -> int:
    hashes = registry.select(where, tag=tag)
    if not hashes:
        raise _unmatched(where) if where is not None else _uncarried(tag or "")
    configs = registry.each(hashes)
    if target == "-" or formats.format_of(target) == "jsonl":
        return write_texts(target, map(_line, configs))
    return _write_folder(target, configs)


def _uncarried(tag: str) -> NotFound:
    return NotFound(f"no config carries the tag '{tag}'", subject=tag, hint="gemexp tag lists all tags")


def _unmatched(where: str) -> NotFound:
    return NotFound(f"no config matches '{where}'", subject=where, hint="nothing was written")


def _write_folder(folder: str, configs: Iterable[ExperimentConfig]) -> int:
    os.makedirs(folder, exist_ok=True)
    count = 0
    for config in configs:
        count += write_texts(os.path.join(folder, f"{config.config_hash}.json"), [config.to_json() + "\n"])
    return count


def _dump(config: ExperimentConfig, target: str) -> str:
    format_ = formats.format_of(target)
    if format_ == "toml":
        raise InvalidInput("cannot be written: TOML has no null", source=target, hint="export to .json or .yaml")
    if format_ == "yaml":
        return formats.dumps(config.to_dict(), "yaml")
    return _line(config) if format_ == "jsonl" else config.to_json() + "\n"


def _line(config: ExperimentConfig) -> str:
    return formats.dumps(config.to_dict(), "json") + "\n"


def _require_lines(target: str) -> None:
    if target != "-" and formats.format_of(target) != "jsonl":
        raise UsageError(
            f"--all writes JSON Lines or Parquet, and '{target}' ends in neither .jsonl nor .parquet",
            hint="name it so, or write - for standard output",
        )


def _is_parquet(name: str) -> bool:
    return name.lower().endswith(".parquet")
