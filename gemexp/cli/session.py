"""What the global options say: which store a command works on."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from gemexp.errors import InvalidInput, NoStore, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gemexp.registry import ExperimentRegistry
    from gemexp.store.location import Location


# What `gemexp undo` takes back.
_UNDOABLE = {"add", "alias", "delete", "describe", "import", "name", "restore", "tag"}


class Session:
    """One call of the program.

    Args:
        arguments: What it was called with.
    """

    def __init__(self, arguments: Sequence[str] = ()) -> None:
        self._arguments = arguments
        self._journalled = False
        self._store: str | None = None
        self._database: str | None = None
        self.registry: ExperimentRegistry | None = None

    def configure(self, folder: str | None, store: str | None, database: str | None) -> None:
        """Follow the global options; ``folder`` becomes the current one.

        Raises:
            UsageError: Both a store and a database are named.
            InvalidInput: There is no such folder.
        """
        if store is not None and database is not None:
            raise UsageError("--store and --db exclude each other", hint="name one of them")
        if folder is not None:
            try:
                os.chdir(folder)
            except OSError as error:
                raise InvalidInput((error.strerror or str(error)).lower(), source=folder) from None
        self._store, self._database = store, database

    def open(self, *, writing: bool = False, making: bool = False, damaged: bool = False) -> ExperimentRegistry:
        """Open the store.

        A command that writes makes a store that was named; one that would have to be found must be there, so that
        nothing is written in the wrong folder by mistake.

        Args:
            writing: The command writes.
            making: It makes a store in the current folder where there is none.
            damaged: It wants one that is there, damaged as it may be.

        Raises:
            NoStore, UnsupportedFormat, Corrupt: See `gemexp.store.location.check`.
        """
        from gemexp.registry import ExperimentRegistry

        if self.registry is None:
            where = self.location()
            self.registry = ExperimentRegistry(where, create=making or (writing and where.chosen), damaged=damaged)
        context = click.get_current_context(silent=True)
        if writing and not self._journalled and context is not None and context.info_name in _UNDOABLE:
            self._journalled = True
            self.registry.keep_journal(self._arguments)
        return self.registry

    def open_if_there(self) -> ExperimentRegistry | None:
        """Open the store; return None if there is none. Nothing is written.

        Raises:
            UnsupportedFormat, Corrupt: See `gemexp.store.location.check`.
        """
        try:
            return self.open()
        except NoStore:
            return None

    def location(self) -> Location:
        """Return where the store is, whether there is one or not."""
        from gemexp.store.location import locate

        if self._database is not None:
            return locate(self._database, is_database=True)
        return locate(self._store)


pass_session = click.make_pass_decorator(Session)


def json_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command ``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON; errors too, on standard error.")(function)


def where_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command ``--where``."""
    return click.option(
        "--where", metavar="EXPR", help="Only configurations that match, such as 'lr > 0.01 and tag = best'."
    )(function)
