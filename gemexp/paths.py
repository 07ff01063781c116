"""Paths into a value: ``hyperparameters.model.layers[3]`` and ``a."key with.dots"``.

Grammar: ``path = step { "." key | "[" index "]" }``, ``step = key | "[" index "]"``; a key is a run of characters
other than white space and ``. : = " [ ]``, or a JSON string; an index counts from 0.
`gemexp.notation.format_path` writes what `parse_path` reads.
"""

from __future__ import annotations

import re
from typing import Any

from gemexp.errors import InvalidPath
from gemexp.notation import format_path, type_name

Path = tuple[str | int, ...]

_STEP = re.compile(
    r"""(?P<dot>\.)? (?: (?P<plain>[^\s.:="\[\]]+) | (?P<quoted>"(?:[^"\\]|\\.)*") ) | \[ (?P<index>[0-9]+) \]""",
    re.VERBOSE,
)


def parse_path(text: str) -> Path:
    """Read a path.

    Raises:
        InvalidPath: It does not follow the grammar; the message says where.
    """
    path, end = scan_path(text)
    if end != len(text) or not path:
        raise _unreadable(text, end)
    return path


def scan_path(text: str) -> tuple[Path, int]:
    """Read the longest path that ``text`` begins with; return it and where it ends."""
    steps: list[str | int] = []
    end = 0
    while match := _STEP.match(text, end):
        if match["index"] is None and bool(match["dot"]) != bool(steps):
            break
        if match["index"] is not None:
            steps.append(int(match["index"][:10]))
        elif match["plain"] is not None:
            steps.append(match["plain"])
        else:
            try:
                from json import loads

                steps.append(loads(match["quoted"]))
            except ValueError:
                raise _unreadable(text, match.start("quoted")) from None
        end = match.end()
    return tuple(steps), end


def parse_assignment(text: str) -> tuple[Path, str]:
    """Split ``PATH=VALUE`` into the path and the text of the value.

    Raises:
        InvalidPath: There is no path, or no ``=`` after it.
    """
    path, end = scan_path(text)
    if not path or text[end : end + 1] != "=":
        raise InvalidPath(f"'{text}' is not of the form PATH=VALUE", hint="such as hyperparameters.lr=0.01")
    return path, text[end + 1 :]


def parse_pair(text: str) -> tuple[Path, Path]:
    """Split ``OLD=NEW`` into two paths.

    Raises:
        InvalidPath: One of them cannot be read.
    """
    old, end = scan_path(text)
    if not old or text[end : end + 1] != "=":
        raise InvalidPath(f"'{text}' is not of the form OLD=NEW", hint="such as hyperparameters.eta=hyperparameters.lr")
    return old, parse_path(text[end + 1 :])


def select(value: Any, path: Path) -> Any:
    """Return what ``path`` leads to inside ``value``.

    Raises:
        InvalidPath: It leads nowhere; the message names the step and the hint what is there.
    """
    for position, step in enumerate(path):
        value = _step_into(value, step, path[: position + 1])
    return value


def assign(value: Any, path: Path, new: Any) -> None:
    """Set what ``path`` leads to inside ``value``, in place; maps on the way are made where missing.

    Raises:
        InvalidPath: A step goes into something that is neither a map nor an array, or past an array's end.
    """
    for position, step in enumerate(path[:-1]):
        if isinstance(value, dict) and isinstance(step, str):
            value = value.setdefault(step, {})
        else:
            value = _step_into(value, step, path[: position + 1])
    last = path[-1]
    if isinstance(value, dict) and isinstance(last, str):
        value[last] = new
    elif isinstance(value, list) and isinstance(last, int) and last == len(value):
        value.append(new)
    else:
        _step_into(value, last, path)
        value[last] = new


def leads_somewhere(value: Any, path: Path) -> bool:
    """Tell whether there is something at the end of ``path`` inside ``value``."""
    try:
        select(value, path)
    except InvalidPath:
        return False
    return True


def take_out(value: Any, path: Path) -> Any:
    """Remove what ``path`` leads to inside ``value``, in place, and return it; the items after one of an array move up.

    Raises:
        InvalidPath: It leads nowhere.
    """
    found = select(value, path)
    del select(value, path[:-1])[path[-1]]
    return found


def _step_into(value: Any, step: str | int, path: Path) -> Any:
    if isinstance(value, dict) and isinstance(step, str):
        if step in value:
            return value[step]
        from difflib import get_close_matches

        close = get_close_matches(step, value, n=1) or sorted(value)[:8]
        hint = f"there is {', '.join(repr(key) for key in close)}" if close else "the map is empty"
        raise InvalidPath(f"there is no '{format_path(path)}'", hint=hint)
    if isinstance(value, list) and isinstance(step, int):
        if step < len(value):
            return value[step]
        raise InvalidPath(f"there is no '{format_path(path)}'", hint=f"the array has {len(value)} items, from 0")
    wanted = "an array" if isinstance(step, int) else "a map"
    before = f"'{format_path(path[:-1])}'" if path[:-1] else "the value"
    raise InvalidPath(
        f"there is no '{format_path(path)}': what comes before is not {wanted}, but {type_name(value)}",
        hint=f"see what {before} holds",
    )


def _unreadable(text: str, end: int) -> InvalidPath:
    return InvalidPath(
        f"'{text}' is not a path: cannot read on at character {end + 1}",
        hint='keys are joined by dots, items are [0], and a key with other signs is quoted: a."b c"[0]',
    )
