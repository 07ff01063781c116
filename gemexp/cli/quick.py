"""``gemexp show REV`` without click: importing that takes as long as finding and reading a configuration.

Only what goes well is done here: what needs more than a revision and a store, or ends in an error or a warning, is left
to the command proper, which begins anew. Nothing is printed before it is known that all went well.
"""

from __future__ import annotations

import os
import sys
import warnings

from gemexp.cli import COMPLETION_VARIABLE
from gemexp.errors import DamageWarning, RivalWarning

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_CODES = {"red": 31, "green": 32, "yellow": 33}
# What click heeds beside the arguments.
_SETTINGS = (COMPLETION_VARIABLE, "NO_COLOR", "FORCE_COLOR")


def show(arguments: Sequence[str]) -> str | None:
    """Return what ``gemexp [--store DIR] show REV`` prints; None for what is not as plain as that."""
    match arguments:
        case ["show", rev]:
            store = None
        case ["--store", store, "show", rev]:
            pass
        case _:
            return None
    if rev.startswith("-") or any(os.environ.get(name) for name in _SETTINGS) or not _is_plain_output():
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", DamageWarning)
            warnings.simplefilter("error", RivalWarning)
            lines = _lines(store, rev)
    except Exception:  # noqa: BLE001 - the command proper comes to it too, and tells of it
        return None
    return None if lines is None or _needs_pager(lines) else "\n".join([*lines, ""])


def _lines(store: str | None, rev: str) -> list[str] | None:
    from gemexp.cli.details import config_details
    from gemexp.registry import ExperimentRegistry
    from gemexp.store.location import locate

    registry = ExperimentRegistry(locate(store), create=False)
    config_hash, path = registry.resolve_with_path(rev)
    if path:
        return None
    return list(config_details(registry, config_hash, registry.load(config_hash), _style))


def _is_plain_output() -> bool:
    """Tell whether standard output takes any text, colours too if it is a terminal."""
    encoding = getattr(sys.stdout, "encoding", None) or ""
    return encoding.lower() == "utf-8" and not (os.name == "nt" and sys.stdout.isatty())


def _needs_pager(lines: Sequence[str]) -> bool:
    if not sys.stdout.isatty():
        return False
    from shutil import get_terminal_size

    return len(lines) >= get_terminal_size().lines


def _style(text: str, *, fg: str) -> str:
    return f"\x1b[{_CODES[fg]}m{text}\x1b[0m" if sys.stdout.isatty() else text
