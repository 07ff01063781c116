"""``gemexp tag`` and ``gemexp describe``: what can be said of a configuration without changing its hash."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from gemexp.cli.completion import complete_revision, complete_tag
from gemexp.cli.output import echo_json, page
from gemexp.cli.session import Session, json_option, pass_session, where_option
from gemexp.digest import short
from gemexp.errors import NotFound, UsageError
from gemexp.notation import visible

if TYPE_CHECKING:
    from gemexp.registry import ExperimentRegistry


@click.command()
@click.argument("rev", required=False, shell_complete=complete_revision)
@click.argument("tags", metavar="[TAG]...", nargs=-1, shell_complete=complete_tag)
@click.option("-d", "--delete", is_flag=True, help="Remove the tags instead of adding them.")
@click.option("--rename", is_flag=True, help="Put one tag in another's place everywhere: --rename OLD NEW.")
@where_option
@click.option("--dry-run", is_flag=True, help="With --where: only say how many would change.")
@json_option
@pass_session
def tag_command(
    session: Session,
    *,
    rev: str | None,
    tags: tuple[str, ...],
    delete: bool,
    rename: bool,
    where: str | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """List tags, add them, or remove them.

    Without a tag: all with their counts, or those of REV.

    \b
    gemexp tag
    gemexp tag 3f2a9c best
    gemexp tag -d 3f2a9c best
    gemexp tag --rename best production
    gemexp tag --where 'metric.sharpe > 1' good
    """
    if dry_run and where is None:
        raise UsageError("--dry-run goes with --where", hint="gemexp tag --where EXPR --dry-run TAG...")
    if where is not None:
        if rename or rev is None:
            raise UsageError("--where takes tags, and no --rename", hint="gemexp tag --where EXPR TAG...")
        _tag_where(session, where, (rev, *tags), delete=delete, dry_run=dry_run, as_json=as_json)
    elif rename:
        if delete or rev is None or len(tags) != 1:
            raise UsageError("--rename takes two tags and nothing else", hint="gemexp tag --rename OLD NEW")
        changed = session.open(writing=True).rename_tag(rev, tags[0])
        _tell(as_json, {"renamed": rev, "to": tags[0], "count": len(changed)}, f"{len(changed)} renamed")
    elif rev is not None and tags:
        _turn(session, rev, tags, delete=delete, as_json=as_json)
    elif delete:
        raise UsageError("-d takes a revision and tags", hint="gemexp tag -d REV TAG...")
    elif rev is None:
        _list_all(session, as_json=as_json)
    else:
        registry = session.open()
        found = registry.tags_of(registry.resolve(rev))
        if as_json:
            echo_json(found)
        else:
            page(map(visible, found))


@click.command()
@click.argument("rev", shell_complete=complete_revision)
@click.argument("text")
@json_option
@pass_session
def describe_command(session: Session, *, rev: str, text: str, as_json: bool) -> None:
    """Replace the description of a configuration.

    The old ones stay in the store's records.
    """
    registry = session.open(writing=True)
    config_hash = registry.resolve(rev)
    changed = registry.describe(config_hash, text)
    _tell(
        as_json,
        {"config_hash": config_hash, "description": text, "changed": changed},
        f"{short(config_hash)}  {visible(text)}",
    )


def _turn(session: Session, rev: str, tags: tuple[str, ...], *, delete: bool, as_json: bool) -> None:
    registry = session.open(writing=True)
    config_hash = registry.resolve(rev)
    if delete:
        _require_tags(registry, config_hash, tags)
    changed = registry.untag(config_hash, tags) if delete else registry.tag(config_hash, tags)
    now = registry.tags_of(config_hash)
    line = f"{short(config_hash)}  [{', '.join(map(visible, now))}]"
    _tell(as_json, {"config_hash": config_hash, "changed": changed, "tags": now}, line)


def _tag_where(
    session: Session, where: str, tags: tuple[str, ...], *, delete: bool, dry_run: bool, as_json: bool
) -> None:
    registry = session.open(writing=not dry_run)
    matching, changed = registry.tag_where(where, tags, remove=delete, dry_run=dry_run)
    done = f"{'would be ' * dry_run}{'untagged' if delete else 'tagged'}"
    _tell(
        as_json,
        {"matching": len(matching), "changed": changed, "tags": list(tags), "dry_run": dry_run},
        f"{len(changed)} of {len(matching)} matching config{'' if len(matching) == 1 else 's'} {done}",
    )


def _require_tags(registry: ExperimentRegistry, config_hash: str, tags: tuple[str, ...]) -> None:
    carried = registry.tags_of(config_hash)
    some = not set(carried).isdisjoint(tags)
    for tag in tags:
        # One that is gone beside one that is not was removed by the same command, which was interrupted.
        if tag not in carried and not (some and registry.was_tagged(config_hash, tag)):
            has = f"it has {', '.join(carried)}" if carried else "it has none"
            raise NotFound(f"config {short(config_hash)} does not carry the tag '{tag}'", subject=tag, hint=has)


def _list_all(session: Session, *, as_json: bool) -> None:
    counts = session.open().tags()
    if as_json:
        echo_json(counts, indent=2)
    else:
        width = max((len(str(count)) for count in counts.values()), default=0)
        page(f"{count:>{width}}  {visible(tag)}" for tag, count in counts.items())


def _tell(as_json: bool, value: dict[str, object], line: str) -> None:  # noqa: FBT001 - private, and named at the call
    if as_json:
        echo_json(value)
    else:
        click.echo(line)
