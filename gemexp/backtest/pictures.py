"""Pictures of what a backtest did: SVG where matplotlib is installed, a line of blocks for a terminal where it is not.

The same figures give the same bytes with one version of matplotlib: no date, no random identifiers, no settings of
the user's. matplotlib is imported when a picture is drawn, and its own state is left alone.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from typing import TYPE_CHECKING

from gemexp.backtest import metrics

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from gemexp.backtest.outcome import Outcome

BLOCKS = "▁▂▃▄▅▆▇█"
_SALT = "gemexp"
_SERIES = {"strategy": "#1f5fa8", "equal_weight": "#555555", "momentum": "#c26a1a"}


def equity_picture(outcome: Outcome) -> bytes:
    """Draw the growth of 1 invested in the strategy and in two baselines, and below it their drawdowns, as SVG.

    Raises:
        ImportError: matplotlib is not installed.
    """
    with figure(8.0, 6.0) as drawn:
        above, below = drawn.subplots(2, 1, sharex=True, height_ratios=[3, 1])
        days = [date.fromordinal(day) for day in outcome.daily.days.tolist()]
        for name, colour in _SERIES.items():
            returns = outcome.daily.returns[name]
            if returns is None:
                continue
            label, strong = name.replace("_", " "), name == "strategy"
            style = {"color": colour, "linewidth": 1.6 if strong else 1.0, "zorder": 3 if strong else 2}
            value = metrics.equity(returns)
            above.plot(days, value, label=label, **style)
            below.plot(days, -metrics.drawdowns(value), **style)
        above.set_ylabel("value of 1 invested")
        below.set_ylabel("drawdown")
        above.legend(loc="upper left", frameon=False)
        above.set_title(f"{outcome.parameters.start} to {outcome.parameters.end}, {outcome.parameters.k} picks")
        for axes in (above, below):
            axes.grid(visible=True, color="#dddddd", linewidth=0.6)
        return svg(drawn)


def sparkline(values: Sequence[float | None], width: int = 60) -> str:
    """Return values as one line of blocks, the lowest and the highest of them as the lowest and the highest block.

    Args:
        values: What to show, in order; None and NaN leave a blank.
        width: At most so many blocks; of more values, evenly spaced ones are shown, first and last included.
    """
    if len(values) > width:
        last = len(values) - 1
        values = [values[round(place * last / (width - 1))] for place in range(width)] if width > 1 else values[-1:]
    there = [value for value in values if value is not None and value == value]
    if not there:
        return " " * len(values)
    low, span = min(there), max(there) - min(there)
    top = len(BLOCKS) - 1
    return "".join(
        " "
        if value is None or value != value
        else BLOCKS[min(top, int((value - low) / span * len(BLOCKS)))]
        if span
        else BLOCKS[top // 2]
        for value in values
    )


@contextmanager
def figure(width: float, height: float) -> Iterator[Figure]:
    """Give a figure to draw on, in inches, with matplotlib's own defaults whatever the user's settings are.

    Raises:
        ImportError: matplotlib is not installed.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams["svg.hashsalt"] = _SALT
        mpl.rcParams["font.size"] = 9.0
        yield Figure(figsize=(width, height), layout="constrained")


def svg(drawn: Figure) -> bytes:
    """Return a figure of `figure` as the bytes of an SVG file."""
    file = io.BytesIO()
    drawn.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    return file.getvalue()
