"""``gemexp git``: the store at home in a repository of git."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from gemexp.cli.loading import LazyGroup
from gemexp.cli.output import echo_json
from gemexp.cli.session import Session, json_option, pass_session
from gemexp.errors import InvalidInput
from gemexp.notation import visible

if TYPE_CHECKING:
    from gemexp.git import Repository
    from gemexp.store.staged import Report

_COMMANDS = {"check": "git", "setup": "git", "status": "git_status"}


class _Commands(LazyGroup):
    modules = _COMMANDS
    prefix = "git_"


@click.group(cls=_Commands)
def git_command() -> None:
    """Make the store at home in a git repository."""


@click.command()
@click.option("--hook", is_flag=True, help="Also install a pre-commit hook that runs `gemexp git check`.")
@click.option("--remove", is_flag=True, help="Take back all that this command wrote, the hook too.")
@json_option
@pass_session
def git_setup_command(session: Session, *, hook: bool, remove: bool, as_json: bool) -> None:
    """Have git show this repository's stores as text.

    From then on `git diff`, `git log -p`, `git show` and `git blame` print configurations, records and moves of names
    as lines that can be read. What is written stays in .git: settings and attributes of this clone alone.
    """
    from gemexp import commithook, diffdriver

    repository = _repository(session)
    hook_path = None
    if remove:
        hook_path = commithook.remove(repository)
        driven = diffdriver.remove(repository)
    else:
        if hook:
            hook_path = commithook.install(repository)
        driven = diffdriver.set_up(repository, _stores_named(session, repository))
    if as_json:
        content = {"repository": repository.folder, "stores": driven.stores, "attributes": driven.attributes}
        echo_json({**content, "hook": hook_path, "changed": driven.changed}, indent=2)
        return
    for store in driven.stores:
        click.echo(f"git shows '{visible(store or os.curdir)}' as text")
    if remove:
        click.echo("git shows no store as text any more" if driven.changed else "nothing was set up")
    if hook_path is not None:
        click.echo(f"{'removed' if remove else 'wrote'} the hook {visible(hook_path)}")


@click.command()
@json_option
@pass_session
def git_check_command(session: Session, *, as_json: bool) -> int:
    """Check what is staged in this repository's stores.

    What a pre-commit hook runs. It looks at staged files alone, names those that are damaged, half-written, changed or
    removed, and exits with 5 if there is any. Where nothing of a store is staged, it says nothing.
    """
    from gemexp.cli import EXIT_CORRUPT
    from gemexp.store import staged

    report = staged.check(_repository(session))
    if as_json:
        echo_json(_as_dict(report), indent=2)
    else:
        for problem in report.problems:
            click.echo(f"'{visible(problem.path)}' {visible(problem.message)}")
        for note in report.notes:
            click.echo(f"note: '{visible(note.path)}' {visible(note.message)}")
    return EXIT_CORRUPT if report.problems else 0


def _repository(session: Session) -> Repository:
    from gemexp.git import Repository

    where = session.location()
    folder = os.path.dirname(where.root) if where.chosen and os.path.isdir(os.path.dirname(where.root)) else os.getcwd()
    repository = Repository.find(folder)
    if repository is None:
        raise InvalidInput(f"'{folder}' is in no git repository", hint="git init makes one")
    return repository


def _stores_named(session: Session, repository: Repository) -> list[str]:
    """Return the store that the global options name, which git may be told to ignore."""
    from gemexp.store.location import is_store

    where = session.location()
    prefix = repository.prefix(where.root) if is_store(where.root) and not repository.bare else None
    return [] if prefix is None else [prefix]


def _as_dict(report: Report) -> dict[str, object]:
    return {
        "checked": report.checked,
        "problems": [{"path": one.path, "message": one.message} for one in report.problems],
        "notes": [{"path": one.path, "message": one.message} for one in report.notes],
    }
