"""``gemexp name``: names that point to one configuration each, can be moved, and remember where they were."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from gemexp.cli.completion import complete_name, complete_revision
from gemexp.cli.output import echo_json, page
from gemexp.cli.session import Session, json_option, pass_session
from gemexp.digest import short
from gemexp.errors import NotFound, UsageError
from gemexp.notation import visible

if TYPE_CHECKING:
    from gemexp.registry import ExperimentRegistry
    from gemexp.store.names import Move, Pointer

_NOWHERE = "(nowhere)"
_RIVAL = "! rival"
_RIVALS = "! a merge left rivals"


@click.command()
@click.argument("name", required=False, shell_complete=complete_name)
@click.argument("rev", required=False, shell_complete=complete_revision)
@click.option("-d", "--delete", is_flag=True, help="Take the name away; its history stays.")
@click.option("--history", is_flag=True, help="List the moves of the name, newest first.")
@click.option("--rollback", is_flag=True, help="Point the name to where it pointed before; again: further back.")
@click.option("--resolve", is_flag=True, help="Settle moves that a merge brought together: on REV, or on the newest.")
@click.option("--at", "when", metavar="DATE", help="Show where it pointed then: ISO 8601, UTC; a day means its end.")
@click.option("-q", "--quiet", is_flag=True, help="Print the whole hash alone.")
@json_option
@pass_session
def name_command(
    session: Session,
    *,
    name: str | None,
    rev: str | None,
    delete: bool,
    history: bool,
    rollback: bool,
    resolve: bool,
    when: str | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """List names, show where one points, or move it.

    A name points to one configuration, such as production, and stands wherever REV does. Every move is kept.

    \b
    gemexp name
    gemexp name production
    gemexp name production 3f2a9c
    gemexp name production --at 2024-01-31
    gemexp name --history production
    gemexp name --rollback production
    """
    given = {"-d": delete, "--history": history, "--rollback": rollback, "--resolve": resolve, "--at": when is not None}
    action = _action([option for option, on in given.items() if on], name, rev)
    if quiet and (as_json or name is None or action in ("-d", "--history")):
        raise UsageError("-q prints one hash, that of where a name points", hint="leave it out")
    moving = rev is not None or action in ("-d", "--rollback", "--resolve")
    registry = session.open(writing=moving)
    if name is None:
        _list_all(registry, as_json=as_json)
    elif moving:
        _move(registry, name, rev, action, quiet=quiet, as_json=as_json)
    elif history:
        _show_history(registry, name, as_json=as_json)
    else:
        moves = [registry.name_at(name, when)] if when is not None else _current(registry, name, quiet=quiet)
        _show(registry, moves, quiet=quiet, as_json=as_json)


def _action(options: list[str], name: str | None, rev: str | None) -> str:
    """Return the option that says what to do, if it goes with the arguments; empty without one."""
    if len(options) > 1:
        raise UsageError(f"{options[0]} and {options[1]} exclude each other", hint="choose one")
    action = "".join(options)
    if action and name is None:
        raise UsageError(f"{action} takes a name", hint="gemexp name lists all names")
    if rev is not None and action not in ("", "--resolve"):
        raise UsageError(f"{action} takes a name and no revision", hint="gemexp name NAME REV moves a name")
    return action


def _current(registry: ExperimentRegistry, name: str, *, quiet: bool) -> list[Move]:
    """Return the move that says where a name points, and its rivals."""
    pointer = _existing(registry, name)
    if pointer.config is None and (quiet or not pointer.rivals):
        hint = f"gemexp name --history {name} lists its moves"
        raise NotFound(f"the name '{name}' was taken away", subject=name, hint=hint)
    return [pointer.heads[0], *pointer.rivals]


def _existing(registry: ExperimentRegistry, name: str) -> Pointer:
    pointer = registry.pointer(name)
    if not pointer.heads:
        raise NotFound(f"no config has the name '{name}'", subject=name, hint="gemexp name lists all names")
    return pointer


def _list_all(registry: ExperimentRegistry, *, as_json: bool) -> None:
    pointers = [one for one in registry.pointers().values() if one.config is not None or one.rivals]
    values = [_value(registry, [one.heads[0], *one.rivals]) for one in pointers]
    if as_json:
        echo_json(values, indent=2)
        return
    width = max((len(visible(value["name"])) for value in values), default=0)
    page(f"{visible(value['name']):<{width}}  {_place_line(value, day=True)}" for value in values)


def _show(registry: ExperimentRegistry, moves: list[Move], *, quiet: bool, as_json: bool) -> None:
    value = _value(registry, moves)
    if quiet:
        click.echo(value["config_hash"])
    elif as_json:
        echo_json(value, indent=2)
    else:
        page([_place_line(value), *(f"{_place_line(rival)}  {_RIVAL}" for rival in value["rivals"])])


def _value(registry: ExperimentRegistry, moves: list[Move]) -> dict[str, Any]:
    """Return what JSON says of where a name points, and of the rivals."""
    current, *rivals = (_place(registry, move) for move in moves)
    return {"name": moves[0].name, **current, "rivals": rivals}


def _place(registry: ExperimentRegistry, move: Move) -> dict[str, Any]:
    return {
        "config_hash": move.config,
        "description": _description(registry, move.config),
        "created_at": move.created_at,
        "by": move.by,
        "state": _state(registry, move.config),
    }


def _state(registry: ExperimentRegistry, config: str | None) -> str | None:
    """Say why a configuration is not listed; None if it is."""
    if config is None:
        return None
    if config in registry:
        return "migrated" if registry.migrated_to(config) else None
    return "deleted" if registry.hashes_with_prefix(config, deleted=True) else "missing"


def _place_line(place: dict[str, Any], *, day: bool = False) -> str:
    when = [visible(place["created_at"][:10])] if day else [_time(place["created_at"]), _who(place["by"])]
    marks = [f"! {place['state']}"] if place["state"] else []
    marks += [_RIVALS] if day and place["rivals"] else []
    return "  ".join(filter(None, [_hash(place["config_hash"]), *when, visible(place["description"]), *marks]))


def _move(registry: ExperimentRegistry, name: str, rev: str | None, action: str, *, quiet: bool, as_json: bool) -> None:
    before = registry.pointer(name)
    move: Move | None
    if action == "-d":
        move = registry.drop_name(name)
    elif action == "--rollback":
        move = registry.rollback_name(name)
    elif action == "--resolve":
        move = registry.settle_name(name, rev)
    else:
        move = registry.move_name(name, rev or "")
    config = before.config if move is None else move.config
    if as_json:
        previous = [head.config for head in before.heads]
        echo_json({"name": name, "config_hash": config, "previous": previous, "changed": move is not None})
    elif quiet:
        click.echo(config or "", nl=bool(config))
    else:
        old = [] if move is None else [_hash(head.config) for head in before.heads] or [_NOWHERE]
        step = f"{' | '.join(dict.fromkeys(old))} -> " if old else ""
        click.echo(f"{visible(name)}  {step}{_hash(config)}  {visible(_description(registry, config))}".rstrip())


def _show_history(registry: ExperimentRegistry, name: str, *, as_json: bool) -> None:
    pointer = _existing(registry, name)
    place = {move.record: number for number, move in enumerate(pointer.history)}
    steps = [
        (move, [pointer.history[number] for number in sorted(place[old] for old in move.supersedes if old in place)])
        for move in pointer.history
    ]
    rivals = pointer.heads if pointer.rivals else ()
    if as_json:
        content = [
            {
                "name": name,
                "move": move.record,
                **_place(registry, move),
                "previous": [one.config for one in old],
                "rollback": move.restores is not None,
                "rival": move in rivals,
            }
            for move, old in steps
        ]
        echo_json(content, indent=2)
    else:
        page(_step_line(registry, move, old, is_rival=move in rivals) for move, old in steps)


def _step_line(registry: ExperimentRegistry, move: Move, old: list[Move], *, is_rival: bool) -> str:
    before = " | ".join(_described(registry, one.config) for one in old) or _NOWHERE
    parts = [_time(move.created_at), _who(move.by), f"{before} -> {_described(registry, move.config)}"]
    if move.restores is not None:
        parts.append("(rollback)")
    if len(old) > 1:
        parts.append("(after a merge)")
    return "  ".join([*parts, *([_RIVAL] if is_rival else [])])


def _described(registry: ExperimentRegistry, config: str | None) -> str:
    return f"{_hash(config)} {visible(_description(registry, config))}".rstrip()


def _description(registry: ExperimentRegistry, config: str | None) -> str:
    return "" if config is None else registry.metadata(config).description


def _hash(config: str | None) -> str:
    return _NOWHERE if config is None else click.style(short(config), fg="yellow")


def _time(created_at: str) -> str:
    return visible(created_at[:19].replace("T", " "))


def _who(by: str | None) -> str:
    return "(unknown)" if by is None else visible(by)
