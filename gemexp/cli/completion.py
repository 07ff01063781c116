"""Completion of hashes, names and tags, and the script that puts it into a shell."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

import click

from gemexp.cli.session import Session
from gemexp.digest import is_prefix, short
from gemexp.errors import GemexpError, UsageError
from gemexp.notation import visible

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from gemexp.registry import ExperimentRegistry

_MAX_ITEMS = 200


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion_command(shell: str) -> None:
    """Print the completion script for a shell.

    It completes commands, hashes, names and tags.

    For bash: put  eval "$(gemexp completion bash)"  into ~/.bashrc.
    """
    from click.shell_completion import get_completion_class

    from gemexp.cli import COMPLETION_VARIABLE
    from gemexp.cli.commands import group

    completer = get_completion_class(shell)
    if completer is None:
        raise UsageError(f"no completion for '{shell}'")
    click.echo(completer(group, {}, "gemexp", COMPLETION_VARIABLE).source())


def complete_revision(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG001
    """Complete a hash, with its description, a name, or a tag."""
    return _quietly(ctx, lambda registry: _revisions(registry, incomplete))


def complete_deleted(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG001
    """Complete the hash of a deleted configuration."""
    return _quietly(ctx, lambda registry: _hashes(registry, incomplete, deleted=True))


def complete_tag(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG001
    """Complete a tag."""
    return _quietly(ctx, lambda registry: _tags(registry, incomplete, revisions=False))


def complete_name(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG001
    """Complete a name; one that was taken away too, since it can be brought back."""
    return _quietly(ctx, lambda registry: _names(registry, incomplete, gone=True))


def _quietly(
    ctx: click.Context, find: Callable[[ExperimentRegistry], Iterable[CompletionItem]]
) -> list[CompletionItem]:
    """Return what is found in the store; nothing if there is none: a shell's prompt is no place for errors."""
    options = ctx.find_root().params
    session = Session()
    try:
        session.configure(options.get("folder"), options.get("store"), options.get("db"))
        return list(find(session.open()))
    except (GemexpError, OSError):
        return []


def _revisions(registry: ExperimentRegistry, incomplete: str) -> Iterator[CompletionItem]:
    yield from _hashes(registry, incomplete)
    names = [*_names(registry, incomplete, gone=False)]
    yield from names
    taken = {item.value for item in names}  # a name goes before a tag of the same name
    yield from (item for item in _tags(registry, incomplete, revisions=True) if item.value not in taken)


def _hashes(registry: ExperimentRegistry, incomplete: str, *, deleted: bool = False) -> Iterator[CompletionItem]:
    from click.shell_completion import CompletionItem

    for config_hash in registry.hashes_with_prefix(incomplete, deleted=deleted)[:_MAX_ITEMS]:
        length = max(len(short(config_hash)), len(incomplete))
        yield CompletionItem(config_hash[:length], help=visible(registry.metadata(config_hash).description) or None)


def _names(registry: ExperimentRegistry, incomplete: str, *, gone: bool) -> Iterator[CompletionItem]:
    from click.shell_completion import CompletionItem

    for name, pointer in registry.pointers().items():
        if name.startswith(incomplete) and visible(name) == name and (gone or pointer.config is not None):
            where = "taken away" if pointer.config is None else f"name of {short(pointer.config)}"
            yield CompletionItem(name, help=where)


def _tags(registry: ExperimentRegistry, incomplete: str, *, revisions: bool) -> Iterator[CompletionItem]:
    from click.shell_completion import CompletionItem

    for tag, count in registry.tags().items():
        if tag.startswith(incomplete) and visible(tag) == tag:  # the shell would print it as it is
            yield CompletionItem(f"tag:{tag}" if revisions and is_prefix(tag) else tag, help=f"tag of {count}")
