"""Write ``cli.md``, the reference of the commands, from the program itself.

Usage: ``python docs/reference/make_cli.py``. The text does not depend on the terminal, nor on click's layout of help.
"""
# ruff: noqa: INP001 - a script beside what it writes

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from gemexp.cli.commands import group

PAGE = Path(__file__).with_name("cli.md")

HEAD = """\
# Commands

This page is written by [`make_cli.py`](make_cli.py) from the program; `gemexp COMMAND --help` says the same.
Every command also takes `-h`. What the exit codes mean stands in [exit codes](exit-codes.md), and how scripts use
`--json` in [scripting](../how-to/scripting.md).
"""

REVISIONS = """\
## Revisions

Where a command takes `REV`, write one of these:

| REV | means |
|---|---|
| `3f2a9c`, 4 to 64 hexadecimal digits | the config whose hash begins with them, or whose older, imported hash does |
| `production`, anything else | the config that the [name](../how-to/named-pointers.md) points to |
| `best`, where no name is called so | the config that carries the tag, if it is the only one |
| `tag:2024` | the same, for a tag that reads as the beginning of a hash, or that is called as a name is |
| `hash:3f2a9c`, `name:production` | a hash, or a name, and nothing else |
| `3f2a9c:hyperparameters.lr`, `production:feature_weights` | the value at a path inside it, for `show` |

Several configs that answer to one revision are an error that lists them; see [exit codes](exit-codes.md).
A path is keys joined by dots, and items `[0]` counted from 0; a key with other signs is quoted: `a."b c"[0]`.
"""


def page() -> str:
    """Return the whole page."""
    context = click.Context(group, info_name="gemexp", **group.context_settings)
    parts = [
        HEAD,
        f"## gemexp\n\n{_usage(group, context)}\n{_help(group)}\n{_options(group.get_params(context))}",
        REVISIONS,
    ]
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is not None and not command.hidden:
            inner = click.Context(command, info_name=name, parent=context)
            parts.append(f"## {name}\n\n{_usage(command, inner)}\n{_help(command)}\n{_options(command.params)}")
            parts += _subcommands(command, inner)
    return "\n".join(parts)


def _subcommands(command: click.Command, context: click.Context) -> Iterator[str]:
    if not isinstance(command, click.Group):
        return
    for name in command.list_commands(context):
        found = command.get_command(context, name)
        if found is not None and not found.hidden:
            inner = click.Context(found, info_name=name, parent=context)
            title = f"### {context.info_name} {name}"
            yield f"{title}\n\n{_usage(found, inner)}\n{_help(found)}\n{_options(found.params)}"


def _usage(command: click.Command, context: click.Context) -> str:
    pieces = " ".join(command.collect_usage_pieces(context))
    return f"```text\n{context.command_path} {pieces}\n```\n"


def _help(command: click.Command) -> str:
    """Return the help text: paragraphs on one line each, those after a backspace as they are written."""
    paragraphs = inspect.cleandoc(command.help or "").replace("\\b\n", "\b\n").split("\n\n")
    return "\n".join(f"{_paragraph(text)}\n" for text in paragraphs)


def _paragraph(text: str) -> str:
    if text.startswith("\b\n"):
        return f"```text\n{text[2:]}\n```"
    return " ".join(text.split())


def _options(parameters: Iterable[click.Parameter]) -> str:
    rows = [*_rows(parameters)]
    return "\n".join(["| option | what it does |", "|---|---|", *rows, ""]) if rows else ""


def _rows(parameters: Iterable[click.Parameter]) -> Iterator[str]:
    for option in parameters:
        if isinstance(option, click.Option) and not option.hidden:
            names = ", ".join(f"`{name}`" for name in sorted(option.opts, key=len))
            value = "" if option.is_flag or option.count else f" `{_metavar(option)}`"
            notes = [f"default {option.default}"] if option.show_default else []
            notes += ["may be repeated"] if option.multiple else []
            help_text = " ".join((option.help or "").split())
            noted = f" ({', '.join(notes)})" if notes else ""
            yield f"| {names}{value} | {help_text}{noted} |"


def _metavar(option: click.Option) -> str:
    if option.metavar:
        return option.metavar.replace("|", "\\|")
    if isinstance(option.type, click.Choice):
        return "\\|".join(map(str, option.type.choices))
    return "N" if isinstance(option.type, click.types.IntParamType) else "TEXT"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
