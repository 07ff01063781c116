"""Groups whose commands are imported when they are called, so that none pays for the others."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import ClassVar

import click


class LazyGroup(click.Group):
    """A group of commands that lie in modules of their own.

    Attributes:
        modules: The module in `gemexp.cli` that each command is in.
        prefix: What the names of their functions begin with.
    """

    modules: ClassVar[Mapping[str, str]] = {}
    prefix: ClassVar[str] = ""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names of the commands, sorted."""
        return sorted(self.modules)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import a command."""
        if cmd_name not in self.modules:
            return None
        module = import_module(f"gemexp.cli.{self.modules[cmd_name]}")
        command: click.Command = getattr(module, f"{self.prefix}{cmd_name}_command")
        return command
