"""Completion of hashes and tags, and the script that puts it into a shell."""

from __future__ import annotations

from collections.abc import Iterator

import click
from click.shell_completion import CompletionItem, get_completion_class

from gemexp.cli.session import Session
from gemexp.digest import is_prefix, short
from gemexp.errors import GemexpError, UsageError
from gemexp.notation import visible

_MAX_ITEMS = 200


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion_command(shell: str) -> None:
    """Print the script that completes commands, hashes and tags in SHELL.

    For bash: put  eval "$(gemexp completion bash)"  into ~/.bashrc.
    """
    from gemexp.cli import group

    completer = get_completion_class(shell)
    if completer is None:
        raise UsageError(f"no completion for '{shell}'")
    click.echo(completer(group, {}, "gemexp", "_GEMEXP_COMPLETE").source())


def complete_revision(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG001
    """Complete a hash, with its description, or a tag."""
    return list(_items(ctx, incomplete, revisions=True))


def complete_tag(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG001
    """Complete a tag."""
    return list(_items(ctx, incomplete, revisions=False))


def _items(ctx: click.Context, incomplete: str, *, revisions: bool) -> Iterator[CompletionItem]:
    options = ctx.find_root().params
    session = Session()
    try:
        session.configure(options.get("folder"), options.get("store"), options.get("db"))
        registry = session.open()
        if revisions:
            for config_hash in registry.hashes_with_prefix(incomplete)[:_MAX_ITEMS]:
                length = max(len(short(config_hash)), len(incomplete))
                description = visible(registry.metadata(config_hash).description)
                yield CompletionItem(config_hash[:length], help=description or None)
        for tag, count in registry.tags().items():
            if tag.startswith(incomplete):
                yield CompletionItem(f"tag:{tag}" if revisions and is_prefix(tag) else tag, help=f"tag of {count}")
    except (GemexpError, OSError):
        return  # a shell's prompt is no place for errors
