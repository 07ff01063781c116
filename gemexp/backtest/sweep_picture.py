"""Pictures of how a metric responds to parameters: points and medians for one, a map of medians for two."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gemexp.backtest.pictures import figure, svg
from gemexp.backtest.response import Response, Value
from gemexp.notation import visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_INK = "#1f5fa8"
_LINE = "#c26a1a"
_MOST_LABELLED = 150
_MOST_TICKS = 30


def response_picture(response: Response) -> bytes:
    """Draw a response as SVG: the same one as the same bytes.

    Raises:
        ImportError: matplotlib is not installed.
    """
    return _points(response) if response.y is None else _map(response, response.y)


def _points(response: Response) -> bytes:
    values = response.values("x")
    numeric = all(not isinstance(value, str) for value in values)
    place = {value: value if numeric else float(number) for number, value in enumerate(values)}
    medians = response.medians()
    with figure(6.5, 4.0) as drawn:
        axes = drawn.subplots()
        axes.plot(
            [place[value] for value in values],
            [medians[value, None] for value in values],
            color=_LINE,
            linewidth=1.4,
            label="median",
            zorder=2,
        )
        axes.scatter(
            [float(place[point.x]) for point in response.points],
            [point.value for point in response.points],
            s=16,
            color=_INK,
            alpha=0.6,
            linewidths=0,
            label=f"{len(response.points)} outcomes",
            zorder=3,
        )
        if not numeric:
            _label(axes, "x", values)
        axes.set_xlabel(_plain(response.x))
        axes.set_ylabel(_plain(response.metric))
        axes.grid(visible=True, color="#dddddd", linewidth=0.6)
        axes.legend(loc="best", frameon=False)
        return svg(drawn)


def _map(response: Response, y_name: str) -> bytes:
    across, up = response.values("x"), response.values("y")
    medians = response.medians()
    table = [[medians.get((x, y), float("nan")) for x in across] for y in up]
    middle = (min(medians.values()) + max(medians.values())) / 2
    with figure(max(4.5, min(12.0, 2.5 + 0.6 * len(across))), max(3.5, min(10.0, 1.8 + 0.4 * len(up)))) as drawn:
        axes = drawn.subplots()
        image = axes.imshow(table, origin="lower", aspect="auto", cmap="viridis", interpolation="nearest")
        drawn.colorbar(image, ax=axes, label=f"median {_plain(response.metric)}")
        if len(across) * len(up) <= _MOST_LABELLED:
            for column, x in enumerate(across):
                for row, y in enumerate(up):
                    if (x, y) in medians:
                        value = medians[x, y]
                        colour = "white" if value < middle else "black"
                        axes.text(column, row, f"{value:.3g}", ha="center", va="center", color=colour, fontsize=8)
        _label(axes, "x", across)
        _label(axes, "y", up)
        axes.set_xlabel(_plain(response.x))
        axes.set_ylabel(_plain(y_name))
        return svg(drawn)


def _label(axes: Axes, which: str, values: list[Value]) -> None:
    step = -(-len(values) // _MOST_TICKS)
    ticks = range(0, len(values), step)
    labels = [_plain(str(values[tick])) for tick in ticks]
    if which == "y":
        axes.set_yticks(ticks, labels)
    else:
        slanted = sum(map(len, labels)) > 60
        axes.set_xticks(ticks, labels, rotation=45 if slanted else 0, ha="right" if slanted else "center")


def _plain(text: str) -> str:
    return visible(text).replace("$", r"\$")  # or what stands between two of them is read as a formula
