"""What there is to say of one configuration, line by line; click is not needed for it, see `gemexp.cli.quick`."""

from __future__ import annotations

from gemexp import describing
from gemexp.config import SECTIONS
from gemexp.digest import short
from gemexp.notation import inline, visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Protocol

    from gemexp.config import ExperimentConfig
    from gemexp.registry import ExperimentRegistry
    from gemexp.store.records import Check, Run

    class Style(Protocol):
        """Colours texts."""

        def __call__(self, text: str, *, fg: str) -> str:
            """Return a text in a colour, as `click.style` does."""


_SHOWN_METRICS = 4


def config_details(
    registry: ExperimentRegistry, config_hash: str, config: ExperimentConfig, style: Style
) -> Iterator[str]:
    """Yield the lines that ``gemexp show`` prints."""
    metadata = registry.metadata(config_hash)
    replaced = registry.migrated_from(config_hash)
    # The runs of what it replaces count as its own.
    metadata = metadata._replace(runs=tuple(reversed(registry.runs(config_hash)))) if replaced else metadata
    yield style(f"config {config_hash}", fg="yellow")
    yield f"created {visible(config.created_at) or '(not recorded)'}"
    if config.tags:
        yield f"tags    {', '.join(map(visible, config.tags))}"
    names = registry.names_of(config_hash)
    if names:
        yield f"names   {', '.join(map(visible, names))}"
    yield from (f"from    {short(parent)}" for parent in metadata.parents if parent not in replaced)
    yield from (f"migrated from {short(old)}" for old in replaced)
    yield from (f"migrated to {short(new)}" for new in registry.migrated_to(config_hash))
    if metadata.runs:
        yield from _outcome_lines(metadata.runs, {run.outcome: registry.metrics(run.outcome) for run in metadata.runs})
    yield from (f"signed  outcome {short(one.outcome)}, unverified" for one in reversed(metadata.signatures))
    if metadata.checks:
        yield from _check_lines(metadata.checks, style)
    if metadata.disputed:
        yield style("! different outcomes on the same data: not reproducible", fg="red")
    if config.description:
        yield ""
        yield from (f"    {visible(line)}" for line in config.description.split("\n"))
    for other in metadata.other_descriptions:
        yield ""
        yield "    another description, from a merge (gemexp describe settles on one):"
        yield from (f"    {visible(line)}" for line in other.split("\n"))
    yield ""
    yield from config_lines(config)


def config_lines(config: ExperimentConfig) -> Iterator[str]:
    """Yield a configuration's sections as ``path = value`` lines."""
    sections = {section: getattr(config, section) for section in SECTIONS}
    return describing.config_lines({**sections, "feature_names": sorted(config.feature_names)})


def metric_text(metrics: dict[str, float | None], limit: int = _SHOWN_METRICS) -> str:
    """Return the first metrics by name on one line."""
    shown = [f"{visible(name)}={inline(value)}" for name, value in sorted(metrics.items())[:limit]]
    return " ".join(shown) + (" …" if len(metrics) > limit else "")


def check_text(check: Check, style: Style) -> str:
    """Return the pipeline and the verdict on each property, on one line."""
    told = []
    for name, verdict in check.answers.items():
        text = verdict if verdict == "holds" else verdict.upper()
        told.append(f"{visible(name)} {style(visible(text), fg='green' if verdict == 'holds' else 'red')}")
    return f"{visible(check.pipeline)}  {', '.join(told)}".rstrip()


def _outcome_lines(runs: tuple[Run, ...], metrics: dict[str, dict[str, float | None]]) -> Iterator[str]:
    """Yield a line for each distinct outcome among runs, newest first."""
    seen = set()
    for run in reversed(runs):
        if run.outcome not in seen:
            seen.add(run.outcome)
            yield f"outcome {short(run.outcome)}  {metric_text(metrics[run.outcome])}".rstrip()


def _check_lines(checks: tuple[Check, ...], style: Style) -> Iterator[str]:
    """Yield a line for the newest check of each pipeline, newest first."""
    seen = set()
    for check in reversed(checks):
        if check.pipeline not in seen:
            seen.add(check.pipeline)
            yield f"checked {check_text(check, style)}"
