"""Text that may hold anything, as Markdown that shows it and does nothing else. Pure.

Whoever reads a pull request's comment did not write the descriptions in it: no markup, HTML, link or mention gets
through.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from gemexp.notation import visible

# All that may begin or end markup becomes a character reference, which is text wherever it stands, also in a table.
_ACTIVE = re.compile(r"""[^\w\s,.;:=/()'"+-]|_""")
# What GitHub and GitLab make links of once the rest is text: @user, #12, !12, GH-12, :smile:, https://, www.
_LINKING = re.compile(r"[@#!$%~^&:](?=\w)|:(?=//)|(?<=www)\.|(?<=GH)-(?=\d)", re.IGNORECASE)
_JOINER = "&#8288;"  # takes no room, and breaks no line


def text(value: str) -> str:
    """Write text as Markdown that shows the same text."""
    parts = []
    at = 0
    shown = visible(value)
    for match in _LINKING.finditer(shown):
        parts += [_escaped(shown[at : match.end()]), _JOINER]
        at = match.end()
    return "".join([*parts, _escaped(shown[at:])])


def code(value: str) -> str:
    """Write a hash, or something else that holds letters, digits and dots alone, as code."""
    return f"`{value}`" if re.fullmatch(r"[\w.]+", value) else text(value)


def table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterable[str]:
    """Yield the lines of a table whose cells are Markdown on one line each."""
    titles = list(header)
    yield f"| {' | '.join(titles)} |"
    yield f"|{'---|' * len(titles)}"
    yield from (f"| {' | '.join(row)} |" for row in rows)


def _escaped(value: str) -> str:
    return _ACTIVE.sub(lambda match: f"&#{ord(match.group())};", value)
