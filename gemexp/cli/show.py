"""``gemexp show``, ``diff``, ``compare`` and ``explain``: one configuration, or two beside each other."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from gemexp.cli.completion import complete_revision
from gemexp.cli.details import config_details
from gemexp.cli.output import difference_lines, echo_json, page
from gemexp.cli.session import Session, json_option, pass_session
from gemexp.digest import short
from gemexp.errors import UsageError
from gemexp.notation import inline, visible
from gemexp.paths import select

if TYPE_CHECKING:
    from gemexp.registry import ExperimentRegistry


@click.command()
@click.argument("rev", metavar="REV[:PATH]", shell_complete=complete_revision)
@click.option("--yaml", "as_yaml", is_flag=True, help="Print YAML.")
@click.option("--raw", is_flag=True, help="Print the object's bytes, as sha256sum would read them.")
@json_option
@pass_session
def show_command(session: Session, *, rev: str, as_yaml: bool, raw: bool, as_json: bool) -> None:
    """Show a configuration, or a value inside it.

    \b
    gemexp show 3f2a9c
    gemexp show 3f2a9c:hyperparameters.model.layers[0]
    """
    if as_yaml + raw + as_json > 1:
        raise UsageError("--json, --yaml and --raw exclude each other", hint="name one of them")
    registry = session.open()
    config_hash, path = registry.resolve_with_path(rev)
    if raw:
        if path:
            raise UsageError("--raw shows a whole object, not a path in it", hint="leave out --raw, or the path")
        if sys.stdout is not None:
            sys.stdout.buffer.write(registry.data(config_hash))
        return
    config = registry.load(config_hash)
    if as_json or as_yaml:
        value = select(config.to_dict(), path)
        if as_json:
            echo_json(value, indent=2)
        else:
            from gemexp import formats

            click.echo(formats.dumps(value, "yaml"), nl=False)
    elif path:
        value = select(config.to_dict(), path)
        click.echo(visible(value) if isinstance(value, str) else inline(value))
    else:
        page(config_details(registry, config_hash, config, click.style))


@click.command()
@click.argument("first", metavar="REV1", shell_complete=complete_revision)
@click.argument("second", metavar="REV2", required=False, shell_complete=complete_revision)
@click.option("--exit-code", is_flag=True, help="Exit with 1 if they differ.")
@click.option("--runs", "of_runs", is_flag=True, help="Of two runs: environment, code, data and what came out.")
@click.option("--format", "form", type=click.Choice(["text", "md", "json"]), help="Print text, Markdown or JSON.")
@json_option
@pass_session
def diff_command(
    session: Session,
    *,
    first: str,
    second: str | None,
    exit_code: bool,
    of_runs: bool,
    form: str | None,
    as_json: bool,
) -> int:
    """Show what differs between two configurations, two runs, or two revisions of git.

    From REV1 to REV2: added, removed and changed values, with the change of numbers. If both have been run, what came
    out of them follows: the metrics that differ, of outcomes on the same data where there are such.

    A..B are revisions of git: the experiments, tags, descriptions, names and runs that the store in B has over that in
    A; A...B since the commit that both come from. A side that is left out is HEAD.

    With --runs, each is a run by its name, as gemexp runs lists it, or a configuration's newest run; REV1 alone stands
    for its newest run but one and its newest.

    \b
    gemexp diff 3f2a9c baseline
    gemexp diff --runs 3f2a9c
    gemexp diff main..feature --format=md
    """
    if as_json and form not in (None, "json"):
        raise UsageError("--json and --format exclude each other", hint="leave one of them out")
    if of_runs:
        if form == "md":
            raise UsageError("--format=md goes with revisions of git", hint="gemexp diff A..B --format=md")
        from gemexp.cli.running import print_run_changes

        as_json = as_json or form == "json"
        return print_run_changes(session, first, second, exit_code=exit_code, as_json=as_json)
    if second is None:
        if ".." not in first:
            raise click.UsageError("Missing argument 'REV2'.", click.get_current_context())
        from gemexp.cli.changes import print_range

        return print_range(session, first, form="json" if as_json else form or "text", exit_code=exit_code)
    if form == "md":
        raise UsageError("--format=md goes with revisions of git", hint="gemexp diff A..B --format=md")
    registry = session.open()
    diff = registry.diff(first, second)
    found = _metrics_of_both(registry, diff.old_hash, diff.new_hash)
    if as_json or form == "json":
        echo_json({**diff.to_dict(), **found}, indent=2)
    else:
        page([*difference_lines(diff), *_metric_lines(found)])
    return int(exit_code and bool(diff))


@click.command()
@click.argument("first", metavar="REV1", shell_complete=complete_revision)
@click.argument("second", metavar="REV2", shell_complete=complete_revision)
@json_option
@pass_session
def compare_command(session: Session, *, first: str, second: str, as_json: bool) -> None:
    """Compare two configurations by section.

    Features, weights, transformations and hyperparameters of REV1 and REV2, and if both have been run, the metrics of
    what came out.
    """
    registry = session.open()
    hash1, hash2 = registry.resolve(first), registry.resolve(second)
    comparison = registry.compare(hash1, hash2)
    found = _metrics_of_both(registry, hash1, hash2)
    if as_json:
        echo_json({**comparison, **found}, indent=2)
    else:
        page([*_comparison_lines(comparison), *_metric_lines(found, everything=True)])


@click.command()
@click.argument("first", metavar="REV1", shell_complete=complete_revision)
@click.argument("second", metavar="REV2", shell_complete=complete_revision)
@json_option
@pass_session
def explain_command(session: Session, *, first: str, second: str, as_json: bool) -> None:
    """Say why two hashes differ, or agree."""
    registry = session.open()
    hash1, hash2 = registry.resolve(first), registry.resolve(second)
    reasons = registry.explain(hash1, hash2)
    if as_json:
        echo_json({"config1_hash": hash1, "config2_hash": hash2, "same": hash1 == hash2, "reasons": reasons}, indent=2)
    else:
        page([visible(reasons[0]), *(f"  {visible(reason)}" for reason in reasons[1:])])


def _comparison_lines(comparison: dict[str, Any]) -> Iterator[str]:
    yield f"Comparing {short(comparison['config1_hash'])} and {short(comparison['config2_hash'])}"
    features = comparison["features"]
    yield ""
    yield "Features"
    for title, names in (("only in first", "only_in_config1"), ("only in second", "only_in_config2")):
        yield f"  {title}: {', '.join(map(visible, features[names])) or '(none)'}"
    yield f"  common: {len(features['common'])}"
    yield from _pairs("Weights", comparison["weight_differences"])
    yield from _pairs("Transformations", comparison["feature_transformations"])
    yield from _pairs("Hyperparameters", comparison["hyperparameter_differences"])


def _metrics_of_both(registry: ExperimentRegistry, first: str, second: str) -> dict[str, Any]:
    """Return what JSON says of the outcomes of two configurations; nothing unless both have one."""
    from gemexp.query.pairing import latest_pair

    pair = latest_pair(registry.runs(first), registry.runs(second))
    if pair is None:
        return {}
    return {
        "metrics": {
            "config1": registry.metrics(pair.first.outcome),
            "config2": registry.metrics(pair.second.outcome),
            "outcome1_hash": pair.first.outcome,
            "outcome2_hash": pair.second.outcome,
            "same_data": pair.same_data,
        }
    }


def _metric_lines(found: dict[str, Any], *, everything: bool = False) -> Iterator[str]:
    from gemexp.compare import same

    if not found:
        return
    metrics = found["metrics"]
    old, new = metrics["config1"], metrics["config2"]
    pairs = {name: {"config1": old.get(name), "config2": new.get(name)} for name in sorted(old.keys() | new.keys())}
    agreeing = {name: pair["config1"] for name, pair in pairs.items() if same(pair["config1"], pair["config2"])}
    title = "Metrics" if metrics["same_data"] else "Metrics, on data that is not the same, or not known to be"
    yield from _pairs(title, {name: pair for name, pair in pairs.items() if name not in agreeing})
    if everything and agreeing:
        yield ""
        yield f"{title}: the same in both"
        yield from (f"  {visible(name)}: {inline(value)}" for name, value in agreeing.items())


def _pairs(title: str, pairs: dict[str, dict[str, Any]]) -> Iterator[str]:
    from gemexp.compare import Difference

    if pairs:
        yield ""
        yield title
    for name, pair in pairs.items():
        delta = Difference((name,), "changed", pair["config1"], pair["config2"]).delta
        change = f" ({delta})" if delta else ""
        yield f"  {visible(name)}: {inline(pair['config1'])} -> {inline(pair['config2'])}{change}"
