"""Tables for notebooks. All text in them is escaped."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING

from gemexp.notation import flatten, format_path, inline, visible

if TYPE_CHECKING:
    from gemexp.compare import Diff
    from gemexp.config import ExperimentConfig


def config_table(config: ExperimentConfig) -> str:
    """Return a configuration as a table of paths and values."""
    rows: list[tuple[str, ...]] = [
        ("description", config.description),
        ("tags", ", ".join(config.tags)),
        ("created_at", config.created_at),
    ]
    fields = config.to_dict()
    for section in ("feature_names", "feature_weights", "feature_transformations", "hyperparameters"):
        rows += [(format_path(path), inline(value)) for path, value in flatten(fields[section], (section,))]
    return _table(f"config {config.config_hash}", ("path", "value"), rows)


def diff_table(diff: Diff) -> str:
    """Return the differences as a table of paths, old and new values."""
    rows = [
        (
            format_path(found.path),
            "" if found.change == "added" else inline(found.old),
            "" if found.change == "removed" else inline(found.new),
            found.delta or found.change,
        )
        for found in diff
    ]
    return _table("", ("path", diff.old_hash[:12], diff.new_hash[:12], "change"), rows)


def _table(caption: str, header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = "".join(f"<th>{_cell(cell)}</th>" for cell in header)
    body = "".join(f"<tr>{''.join(f'<td>{_cell(cell)}</td>' for cell in row)}</tr>" for row in rows)
    title = f"<caption>{_cell(caption)}</caption>" if caption else ""
    return f"<table>{title}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cell(text: str) -> str:
    return escape(visible(text))
