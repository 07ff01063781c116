"""A panel small enough for a backtest to take no time, and looking at folders as a whole."""

import datetime as dt
import math
from pathlib import Path

BAD = Path(__file__).parents[1] / "backtest/data/bad"
DATES = ("--start", "2020-01-01", "--end", "2020-03-01")
FAST = (*DATES, "--walk", "2w", "--k", "2", "--no-bootstrap-ci")
MOOD = {"feature_names": ["Mood"], "feature_weights": {"Mood": 1.0}}


def panel_text(columns=("Mood",), assets="ABCDE", days=75, scale=1.0):
    """Return a panel whose prices swing, each asset's at a pace of its own, with column features in [0, 1]."""
    lines = [",".join(["date", "asset", "close", *columns])]
    for day in range(days):
        date = (dt.date(2020, 1, 1) + dt.timedelta(day)).isoformat()
        for place, asset in enumerate(assets):
            close = round(scale * (100 + place + 20 * math.sin(day / (3 + place)) + day / 5), 4)
            moods = [round((1 + math.cos(day / (2 + place) + number)) / 2, 3) for number in range(len(columns))]
            lines.append(",".join(map(str, [date, asset, close, *moods])))
    return "\n".join(lines) + "\n"


def everything(folder):
    """Return name -> bytes of every file below a folder, and the folders themselves."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None
        for path in sorted(Path(folder).rglob("*"))
    }
