"""``gemexp alias`` and ``gemexp migrate``: hashes that mean another configuration than the one they were made of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from gemexp import formats
from gemexp.cli.asking import confirm
from gemexp.cli.completion import complete_revision, complete_tag
from gemexp.cli.output import difference_lines, echo_json, page
from gemexp.cli.session import Session, json_option, pass_session
from gemexp.digest import short
from gemexp.errors import NotFound, UsageError
from gemexp.notation import visible
from gemexp.paths import parse_assignment, parse_pair, parse_path
from gemexp.variants import Default, Drop, Rename, Step

if TYPE_CHECKING:
    from gemexp.migrating import Change, Plan
    from gemexp.registry import ExperimentRegistry

# How many changes are shown before asking; a dry run shows all.
_MAX_SHOWN = 20


@click.command()
@click.argument("old", required=False)
@click.argument("rev", required=False, shell_complete=complete_revision)
@click.option("-d", "--delete", is_flag=True, help="Take the alias OLD back.")
@click.option("-f", "--force", is_flag=True, help="Take back what OLD meant before.")
@json_option
@pass_session
def alias_command(
    session: Session, *, old: str | None, rev: str | None, delete: bool, force: bool, as_json: bool
) -> None:
    """Have an older hash mean a configuration.

    OLD is 4 to 64 hexadecimal digits of whatever kind of hash, such as one in an old report; it then stands wherever
    REV does. Without REV: all aliases, or those that begin with OLD.

    \b
    gemexp alias
    gemexp alias d41d8cd98f00b204e9800998ecf8427e best
    gemexp alias -d d41d8cd98f00b204e9800998ecf8427e
    """
    if delete and (old is None or rev is not None):
        raise UsageError("-d takes an alias and nothing else", hint="gemexp alias -d OLD")
    if force and (delete or rev is None):
        raise UsageError("--force goes with an alias and what it is to mean", hint="gemexp alias --force OLD REV")
    if old is None or (rev is None and not delete):
        _list_aliases(session.open(), old, as_json=as_json)
        return
    registry = session.open(writing=True)
    if delete:
        meant = registry.unalias(old)
        value: dict[str, Any] = {"alias": old.lower(), "deleted": True, "config_hashes": meant}
        line = f"{old.lower()} means nothing any more"
    else:
        config_hash = registry.resolve(rev or "")
        changed = registry.alias(old, config_hash, force=force)
        value = {"alias": old.lower(), "config_hash": config_hash, "changed": changed}
        line = _alias_line(registry, old.lower(), config_hash)
    if as_json:
        echo_json(value)
    else:
        click.echo(line)


class _InOrder(click.Command):
    """A command that remembers in which order its options were given."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        _, _, order = self.make_parser(ctx).parse_args(args=list(args))
        ctx.meta[__name__] = [parameter.name for parameter in order]
        return super().parse_args(ctx, args)


@click.command(cls=_InOrder)
@click.argument("revs", metavar="[REV]...", nargs=-1, shell_complete=complete_revision)
@click.option("--default", metavar="PATH=VALUE", multiple=True, help="Set a value where it is missing; VALUE is YAML.")
@click.option("--rename", metavar="OLD=NEW", multiple=True, help="Move a value from one path to another.")
@click.option("--drop", metavar="PATH", multiple=True, help="Remove a value.")
@click.option("--tag", metavar="TAG", shell_complete=complete_tag, help="Only configurations that carry TAG.")
@click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing.")
@click.option("-f", "--force", is_flag=True, help="Do not ask.")
@json_option
@pass_session
def migrate_command(
    session: Session,
    *,
    revs: tuple[str, ...],
    default: tuple[str, ...],
    rename: tuple[str, ...],
    drop: tuple[str, ...],
    tag: str | None,
    dry_run: bool,
    force: bool,
    as_json: bool,
) -> int:
    """Bring configurations into another shape.

    All of them, or each REV, or those with a tag. The steps are done in the order given, after asking. The new
    configurations take the place of the old ones, with their descriptions and times, and take over tags and runs; the
    old hashes stay valid. What a step cannot be done with is left as it is, and the exit code is 1.

    \b
    gemexp migrate --default hyperparameters.seed=0 --dry-run
    gemexp migrate --rename hyperparameters.eta=hyperparameters.lr --drop hyperparameters.verbose
    """
    if as_json and not (force or dry_run):
        raise UsageError("--json cannot ask", hint="add --force or --dry-run")
    if revs and tag is not None:
        raise UsageError("--tag and revisions exclude each other", hint="leave one of them out")
    steps = _steps(default, rename, drop)
    if not steps:
        raise UsageError("nothing to do", hint="name a --default, a --rename or a --drop")
    registry = session.open(writing=not dry_run)
    plan = registry.plan_migration(steps, revs=revs or None, tag=tag)
    if dry_run:
        _print(plan, dry_run=True, as_json=as_json)
    else:
        if plan.changes and not force:
            _ask(plan)
        registry.migrate(plan.changes)
        _print(plan, dry_run=False, as_json=as_json)
    from gemexp.cli import EXIT_BAD_INPUT

    return EXIT_BAD_INPUT if plan.refusals else 0


def _list_aliases(registry: ExperimentRegistry, prefix: str | None, *, as_json: bool) -> None:
    found = registry.aliases(prefix or "")
    if prefix is not None and not found:
        raise NotFound(f"there is no alias '{prefix}'", subject=prefix, hint="gemexp alias OLD REV makes one")
    if as_json:
        value = [
            {
                "alias": alias.old,
                "config_hash": alias.config,
                "created_at": alias.created_at,
                "description": registry.metadata(alias.config).description,
            }
            for alias in found
        ]
        echo_json(value, indent=2)
    else:
        page(_alias_line(registry, alias.old, alias.config) for alias in found)


def _alias_line(registry: ExperimentRegistry, old: str, config_hash: str) -> str:
    description = visible(registry.metadata(config_hash).description)
    return f"{old} -> {click.style(short(config_hash), fg='yellow')}  {description}".rstrip()


def _steps(default: tuple[str, ...], rename: tuple[str, ...], drop: tuple[str, ...]) -> list[Step]:
    """Return the steps in the order in which they were given."""
    steps: dict[str | None, Iterator[Step]] = {
        "default": map(_default, default),
        "rename": (Rename(*parse_pair(text)) for text in rename),
        "drop": (Drop(parse_path(text)) for text in drop),
    }
    return [next(steps[name]) for name in click.get_current_context().meta[__name__] if name in steps]


def _default(text: str) -> Default:
    path, value = parse_assignment(text)
    return Default(path, formats.loads(value, "yaml", source=f"--default {text}"))


def _ask(plan: Plan) -> None:
    for change in plan.changes[:_MAX_SHOWN]:
        for line in _change_lines(change):
            click.echo(line, err=True)
    more = len(plan.changes) - _MAX_SHOWN
    if more > 0:
        click.echo(f"and {more} more, which --dry-run shows", err=True)
    for line in _outcome_lines(plan, dry_run=True):
        click.echo(line, err=True)
    count = len(plan.changes)
    question = f"migrate {'this config' if count == 1 else f'these {count} configs'}?"
    confirm(question, otherwise="nothing was migrated")


def _print(plan: Plan, *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        echo_json(_plan_value(plan, dry_run=dry_run), indent=2)
        return
    lines: list[str] = []
    for change in plan.changes:
        lines += _change_lines(change) if dry_run else [_change_line(change)]
    page([*lines, *_outcome_lines(plan, dry_run=dry_run)])


def _change_line(change: Change) -> str:
    hashes = f"{click.style(short(change.old), fg='yellow')} -> {click.style(short(change.new), fg='yellow')}"
    return f"{hashes}  {visible(change.config.description)}".rstrip()


def _change_lines(change: Change) -> Iterator[str]:
    yield _change_line(change)
    yield from (f"  {line}" for line in difference_lines(change.diff))


def _outcome_lines(plan: Plan, *, dry_run: bool) -> Iterator[str]:
    for refusal in plan.refusals:
        yield f"{short(refusal.config_hash)} stays: {visible(refusal.reason)}"
    for name, change in plan.names.items():
        what = f"'{visible(name)}' goes on pointing to {short(change.old)}"
        yield f"{what}: gemexp name {visible(name)} {short(change.new)} moves it"
    changed = len(plan.changes)
    became = len({change.new for change in plan.changes})
    into = f" into {became}" if became != changed else ""
    what = "would change" if dry_run else "changed"
    yield f"{changed} {what}{into}, {plan.unchanged} unchanged, {len(plan.refusals)} refused"


def _plan_value(plan: Plan, *, dry_run: bool) -> dict[str, Any]:
    return {
        "dry_run": dry_run,
        "changed": [
            {
                "old": change.old,
                "new": change.new,
                "description": change.config.description,
                "differences": [one.to_dict() for one in change.diff],
            }
            for change in plan.changes
        ],
        "unchanged": plan.unchanged,
        "refused": [{"config_hash": one.config_hash, "reason": one.reason} for one in plan.refusals],
        "names": {name: {"old": change.old, "new": change.new} for name, change in plan.names.items()},
    }
