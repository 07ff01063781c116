"""What a backtest found, for people: the figures beside those of the baselines, and what they do and do not show."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from gemexp.digest import short
from gemexp.notation import inline, visible

if TYPE_CHECKING:
    from gemexp.backtest.arrays import Floats

_SERIES = ("sharpe", "sortino", "total_return", "cagr", "volatility", "max_drawdown", "calmar")


def lines(summary: dict[str, Any], *, sample: bool, folder: str, returns: Floats | None = None) -> Iterator[str]:
    """Yield what a backtest found.

    Args:
        summary: What `gemexp.backtest.report.summary` returns.
        sample: It ran on the sample that ships with the package.
        folder: Where the results were written.
        returns: Daily net returns to draw as a line, shape (n,); None for no line.
    """
    config, data = summary["config"], summary["data"]
    yield f"experiment {click.style(config['experiment_hash'], fg='yellow')}"
    yield f"outcome    {summary['outcome_hash']}"
    dates = f"{data['first_date']} to {data['last_date']}"
    yield f"panel      {data['assets']} assets, {dates}, digest {short(data['panel_digest'])}"
    windows = f"{config['windows']} window{'s' * (config['windows'] != 1)} of {config['walk_days']} days"
    yield f"tested     {windows}, {config['days']} days traded, {config['k']} picks, {inline(config['bps'])} bps"
    yield ""
    yield from _table(_rows(summary["metrics"]))
    if returns is not None:
        yield from _curve(returns)
    yield ""
    yield from _reading(summary["metrics"])
    if sample:
        yield f"The sample's companies are survivors to {data['last_date'][:4]}: every figure here is too good."
    for name, reason in sorted(summary["notes"].items()):
        yield f"There is no {name.replace('_', ' ')} baseline: {visible(reason)}."
    yield ""
    yield f"results in {visible(folder)}"


def _curve(returns: Floats) -> Iterator[str]:
    from gemexp.backtest import metrics, pictures

    try:
        pictures.BLOCKS.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return  # where the terminal has no blocks, there is nothing to see
    yield ""
    yield f"growth     {pictures.sparkline(metrics.equity(returns).tolist())}"


def _rows(metrics: dict[str, Any]) -> Iterator[list[str]]:
    baselines = ["momentum", *(["cap_weighted"] if metrics["cap_weighted"] else [])]
    yield ["", "strategy", "95 % from", "to", "all eligible", *(name.replace("_", " ") for name in baselines)]
    beside = {
        "precision_at_k": ("precision_at_k", metrics["base_rate"]),
        "forward_return": ("forward_return_mean", metrics["universe_return_mean"]),
        "ic": ("ic_mean", None),
    }
    for name, (own, other) in beside.items():
        yield [name, _cell(metrics[own]), *_interval(metrics, name), _cell(other)]
    for name in _SERIES:
        yield [
            name,
            _cell(metrics["strategy"][name]),
            *_interval(metrics, name),
            _cell(metrics["equal_weight"][name]),
            *(_cell(metrics[other][name] if metrics[other] else None) for other in baselines),
        ]


def _reading(metrics: dict[str, Any]) -> Iterator[str]:
    """Say what the figures show, and no more."""
    precision, base = metrics["precision_at_k"], metrics["base_rate"]
    low = (metrics["ci95"]["precision_at_k"] or [None])[0]
    rose = f"{inline(precision)} of the picks rose, of all eligible assets {inline(base)}"
    if precision <= base:
        yield f"No skill in the picks: {rose}."
    elif low is None:
        yield f"{rose}; whether that is more than chance is not known without intervals."
    elif low <= base:
        yield f"No evidence of skill in the picks: {rose}, which lies within the interval."
    else:
        yield f"{rose}, which lies below the interval."
    own, whole = metrics["strategy"]["sharpe"], metrics["equal_weight"]["sharpe"]
    if own is not None and whole is not None and own <= whole:
        yield f"Holding all eligible assets did no worse: a Sharpe ratio of {inline(whole)} against {inline(own)}."
    share = metrics["random"]["p_value"]
    if share is not None:
        yield f"Random picks earned as much or more with a probability of {inline(share)}."
    deflated = metrics["deflated_sharpe"]
    if deflated["value"] is not None:
        count, value = deflated["trials"], inline(deflated["value"])
        tried = "1 configuration was tried" if count == 1 else f"{count} configurations were tried"
        luck = "zero" if count == 1 else "what the best of so many reaches without skill"
        yield f"Deflated Sharpe ratio {value}, the probability of a true one above {luck}: {tried} on this panel."


def _interval(metrics: dict[str, Any], name: str) -> list[str]:
    found = metrics["ci95"].get(name)
    return ["", ""] if found is None else [_cell(bound) for bound in found]


def _cell(value: float | None) -> str:
    return "" if value is None else inline(value)


def _table(rows: Iterator[list[str]]) -> Iterator[str]:
    table = list(rows)
    widths = [max(len(row[place]) for row in table if place < len(row)) for place in range(len(table[0]))]
    for name, *cells in table:
        padded = (cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=False))
        yield "  ".join([name.ljust(widths[0]), *padded]).rstrip()
