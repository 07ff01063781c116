"""What one state of a store has over another, in lines for people or as Markdown; and ``gemexp diff A..B``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import click

from gemexp.cli.output import difference_lines, echo_json, page
from gemexp.config import instant
from gemexp.digest import short
from gemexp.notation import inline, visible

if TYPE_CHECKING:
    from gemexp.cli.session import Session
    from gemexp.compare import Difference
    from gemexp.query.changes import Changes, Checked, Experiment, Moved, Ran

# Of one configuration against another; `gemexp diff` shows all.
_MOST_DIFFERENCES = 20
# A comment has room for 65,536 characters.
_MOST_DIFFERENCES_IN_MARKDOWN = 5
_MOST_ROWS_IN_MARKDOWN = 50
_NOWHERE = "(nowhere)"

# Part of the changes -> what one of them is called, and several.
_WORDS = {
    "added": ("new experiment", "new experiments"),
    "restored": ("experiment restored", "experiments restored"),
    "deleted": ("experiment deleted", "experiments deleted"),
    "migrated": ("experiment migrated", "experiments migrated"),
    "removed": ("experiment not there", "experiments not there"),
    "tags": ("experiment with other tags", "experiments with other tags"),
    "descriptions": ("experiment with another description", "experiments with other descriptions"),
    "names": ("name moved", "names moved"),
    "runs": ("new run", "new runs"),
    "signatures": ("new signature", "new signatures"),
    "checks": ("new check", "new checks"),
    "aliases": ("older hash", "older hashes"),
}
_EXPERIMENTS = ("added", "restored", "deleted", "migrated", "removed")
_COLOURS = {"added": "green", "restored": "green", "deleted": "red", "removed": "red", "migrated": "yellow"}


def print_range(session: Session, text: str, *, form: str, exit_code: bool) -> int:
    """Print what one revision of git has over another, as text, md or json; return the exit code."""
    from gemexp import ranges

    changes = ranges.between(text, session.location().root)
    if form == "json":
        echo_json(changes.to_dict(), indent=2)
    elif form == "md":
        click.echo("\n".join(markdown(changes, text)))
    else:
        page(lines(changes))
    return int(exit_code and bool(changes))


def summary(changes: Changes) -> str:
    """Return how much there is of each part, in one line."""
    counted = {part: len(getattr(changes, part)) for part in _WORDS}
    return ", ".join(_number(part, count) for part, count in counted.items() if count) or "nothing"


def lines(changes: Changes) -> Iterator[str]:
    """Yield what changed, a line or a few for each thing."""
    for part in _EXPERIMENTS:
        yield from _titled(changes, part)
        for experiment in getattr(changes, part):
            yield f"  {_experiment_line(experiment, _COLOURS[part])}"
            yield from (f"    {line}" for line in _origin_lines(experiment))
    yield from _titled(changes, "tags")
    for one in changes.tags:
        turned = [click.style(f"+{visible(tag)}", fg="green") for tag in one.added]
        turned += [click.style(f"-{visible(tag)}", fg="red") for tag in one.removed]
        yield f"  {_config(one.config, one.description)}  {' '.join(turned)}"
    yield from _titled(changes, "descriptions")
    for described in changes.descriptions:
        yield f"  {_hash(described.config)}  {inline(described.old)} -> {inline(described.new)}"
        yield from (f"    another, from a merge: {inline(other)}" for other in described.others)
    yield from _titled(changes, "names")
    for moved in changes.names:
        old = "" if moved.old == moved.new else f"{_place(moved.old)} -> "
        yield f"  {visible(moved.name)}  {old}{_place(moved.new)}"
        yield from (f"    {line}" for line in _name_lines(moved))
    yield from _titled(changes, "runs")
    yield from (f"  {_config(run.config, run.description)}: {_metrics(run)}" for run in changes.runs)
    yield from _titled(changes, "signatures")
    for signed in changes.signatures:
        yield f"  {_config(signed.config, signed.description)}: outcome {short(signed.outcome)}, not verified here"
    yield from _titled(changes, "checks")
    for checked in changes.checks:
        yield f"  {_config(checked.config, checked.description)}: {_verdicts(checked)}"
    yield from _titled(changes, "aliases")
    yield from (f"  {visible(alias.old)} means {short(alias.config)}" for alias in changes.aliases)


def markdown(changes: Changes, title: str) -> Iterator[str]:
    """Yield what changed as Markdown, short enough for a comment; text of the store is shown and does nothing."""
    from gemexp.markdown import code, text

    yield f"**Experiments, {text(title)}**: {summary(changes)}"
    yield from _markdown_experiments(changes.added)
    bullets: dict[str, list[str]] = {part: [] for part in _WORDS if part != "added"}
    for part in _EXPERIMENTS[1:]:
        for one in getattr(changes, part):
            successors = ", ".join(code(short(new)) for new in one.successors)
            bullets[part].append(
                _markdown_config(one.config, one.description) + (f" → {successors}" * bool(successors))
            )
    for tagged in changes.tags:
        turned = [f"+{text(tag)}" for tag in tagged.added] + [f"-{text(tag)}" for tag in tagged.removed]
        bullets["tags"].append(f"{_markdown_config(tagged.config, tagged.description)}: {', '.join(turned)}")
    for described in changes.descriptions:
        others = "".join(f"; beside it, from a merge: {text(inline(other))}" for other in described.others)
        change = f"{text(inline(described.old))} → {text(inline(described.new))}{others}"
        bullets["descriptions"].append(f"{code(short(described.config))}: {change}")
    for moved in changes.names:
        rivals = f"; rivals after a merge: {', '.join(map(_markdown_place, moved.rivals))}" if moved.rivals else ""
        if _is_settled(moved):
            rivals = f"; settled, rivals were {', '.join(map(_markdown_place, moved.settled or (moved.new,)))}"
        old = "" if moved.old == moved.new else f"{_markdown_place(moved.old)} → "
        change = f"{old}{_markdown_place(moved.new)}{rivals}"
        differences = "".join(f"<br>{line}" for line in _markdown_differences(moved.differences))
        bullets["names"].append(f"{text(moved.name)}: {change}{differences}")
    bullets["runs"] = [
        f"{_markdown_config(run.config, run.description)}: {text(_metrics(run))}" for run in changes.runs
    ]
    bullets["signatures"] = [
        f"{_markdown_config(signed.config, signed.description)}: {code(short(signed.outcome))}, not verified here"
        for signed in changes.signatures
    ]
    bullets["checks"] = [
        f"{_markdown_config(checked.config, checked.description)}: {text(_verdicts(checked))}"
        for checked in changes.checks
    ]
    bullets["aliases"] = [f"{code(alias.old)} means {code(short(alias.config))}" for alias in changes.aliases]
    for part, found in bullets.items():
        if found:
            yield from ["", f"{_number(part, len(found))}:", ""]
            yield from (f"- {one}" for one in found[:_MOST_ROWS_IN_MARKDOWN])
            yield from _markdown_rest(len(found))


def _titled(changes: Changes, part: str) -> Iterator[str]:
    count = len(getattr(changes, part))
    if count:
        yield f"{_number(part, count)}:"


def _number(part: str, count: int) -> str:
    return f"{count} {_WORDS[part][count != 1]}"


def _experiment_line(experiment: Experiment, colour: str) -> str:
    parts = [click.style(short(experiment.config), fg=colour), f"{instant(experiment.created_at):%Y-%m-%d}"]
    if experiment.description:
        parts.append(visible(experiment.description))
    if experiment.tags:
        parts.append(click.style(f"[{', '.join(map(visible, experiment.tags))}]", fg="cyan"))
    return "  ".join(parts)


def _origin_lines(experiment: Experiment) -> Iterator[str]:
    if experiment.successors:
        yield f"replaced by {', '.join(map(short, experiment.successors))}"
    if experiment.parents:
        yield f"from {', '.join(map(short, experiment.parents))}"
    yield from _difference_lines(experiment.differences)


def _name_lines(moved: Moved) -> Iterator[str]:
    if moved.rivals:
        rivals = ", ".join(_place(config) for config in moved.rivals)
        yield click.style(f"! a merge left rivals: {rivals}; gemexp name --resolve settles it", fg="red")
    if _is_settled(moved):
        yield f"settled; a merge had left rivals: {', '.join(map(_place, moved.settled or (moved.new,)))}"
    yield from _difference_lines(moved.differences)


def _is_settled(moved: Moved) -> bool:
    """Tell whether a name has no rivals any more; without one that is named, both pointed to the same config."""
    return not moved.rivals and (bool(moved.settled) or moved.old == moved.new)


def _difference_lines(differences: Sequence[Difference]) -> Iterator[str]:
    yield from difference_lines(differences[:_MOST_DIFFERENCES])
    if len(differences) > _MOST_DIFFERENCES:
        yield f"and {len(differences) - _MOST_DIFFERENCES} more"


def _config(config: str, description: str) -> str:
    return f"{_hash(config)}  {visible(description)}".rstrip()


def _hash(config: str) -> str:
    return click.style(short(config), fg="yellow")


def _place(config: str | None) -> str:
    return _NOWHERE if config is None else short(config)


def _metrics(run: Ran) -> str:
    shown = ", ".join(f"{visible(name)} = {inline(value)}" for name, value in sorted(run.metrics.items()))
    return shown or f"outcome {short(run.outcome)}"


def _verdicts(checked: Checked) -> str:
    told = ", ".join(f"{visible(name)} {visible(verdict)}" for name, verdict in checked.verdicts.items())
    return f"{visible(checked.pipeline)}: {told}"


def _markdown_experiments(added: Sequence[Experiment]) -> Iterator[str]:
    from gemexp.markdown import code, table, text

    if not added:
        return
    yield from ["", f"{_number('added', len(added))}:", ""]
    rows = (
        (
            code(short(one.config)),
            text(one.description),
            text(", ".join(one.tags)),
            ", ".join(code(short(parent)) for parent in one.parents),
            "<br>".join(_markdown_differences(one.differences)),
        )
        for one in added[:_MOST_ROWS_IN_MARKDOWN]
    )
    yield from table(("config", "description", "tags", "from", "what changed"), rows)
    yield from _markdown_rest(len(added))


def _markdown_differences(differences: Sequence[Difference]) -> Iterable[str]:
    from gemexp.markdown import text

    yield from (text(str(one)) for one in differences[:_MOST_DIFFERENCES_IN_MARKDOWN])
    if len(differences) > _MOST_DIFFERENCES_IN_MARKDOWN:
        yield f"and {len(differences) - _MOST_DIFFERENCES_IN_MARKDOWN} more"


def _markdown_rest(count: int) -> Iterator[str]:
    if count > _MOST_ROWS_IN_MARKDOWN:
        yield ""
        yield f"… and {count - _MOST_ROWS_IN_MARKDOWN} more"


def _markdown_config(config: str, description: str) -> str:
    from gemexp.markdown import code, text

    return f"{code(short(config))} {text(description)}".rstrip()


def _markdown_place(config: str | None) -> str:
    from gemexp.markdown import code

    return _NOWHERE if config is None else code(short(config))
