"""Panels for the tests: the real ones, and small ones made at random."""

import datetime as dt
import gzip
import os
import random

import numpy as np

from gemexp import backtest
from gemexp.backtest import Panel

DATA = os.path.join(os.path.dirname(__file__), "data")
BAD = os.path.join(DATA, "bad")
DELISTED = os.path.join(DATA, "sp500_20_delist.csv.gz")
SAMPLE = os.path.join(os.path.dirname(backtest.__file__), "data", "sp500_20.csv.gz")
VOLUME = os.path.join(DATA, "tech6_volume.csv.gz")


def rows_of(path):
    """Return {(date, asset): {column: value}} of a gzipped CSV, read as simply as can be."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        header, *lines = file.read().splitlines()
    names = header.split(",")
    rows = {}
    for line in lines:
        cell = dict(zip(names, line.split(","), strict=True))
        key = dt.date.fromisoformat(cell.pop("date")), cell.pop("asset")
        rows[key] = {name: float(text) if text else None for name, text in cell.items()}
    return rows


def panel_of(rows):
    """Return the Panel of {(date, asset): {column: value or None}}."""
    dates = sorted({date for date, _ in rows})
    assets = sorted({asset for _, asset in rows})
    names = sorted({name for cell in rows.values() for name in cell})
    tables = {name: np.full((len(dates), len(assets)), np.nan) for name in names}
    for (date, asset), cell in rows.items():
        for name, value in cell.items():
            if value is not None:
                tables[name][dates.index(date), assets.index(asset)] = value
    known = {name: tables.pop(name) for name in ("volume", "dollar_volume", "market_cap") if name in tables}
    return Panel.from_arrays(dates, assets, tables.pop("close"), columns=tables, **known)


def random_rows(seed, *, days=320, assets=6, gaps=0.01, columns=("volume", "market_cap", "Mood"), delist=True):
    """Return rows of a random walk with gaps, a late start, a delisting, ties, and columns with blanks."""
    source = random.Random(seed)  # noqa: S311 - nothing secret
    names = source.sample(["AAA", "BB", "b", "Ä", "Zeta", "C,1", "D", "E-2", "ff", "G"], assets)
    day, rows = dt.date(2020, 1, 1), {}
    first = dict.fromkeys(names, 0) | {names[0]: source.randrange(1, 60)}
    last = dict.fromkeys(names, days) | ({names[-1]: source.randrange(days // 2, days)} if delist else {})
    absent = dict.fromkeys(names, 0)
    price = {name: source.choice([1.0, 10.0, 250.0]) for name in names}
    for number in range(days):
        day += dt.timedelta(source.choice([1, 1, 1, 3]))
        for name in names:
            # Coarse steps make equal prices, equal returns and whole days without a move.
            price[name] *= 1 + source.choice([-0.03, -0.01, 0.0, 0.0, 0.01, 0.02, source.gauss(0, 0.02)])
            if source.random() < gaps:
                absent[name] = number + source.choice([1, 1, 2, 5, 6, 7])
            if not first[name] <= number < last[name] or number < absent[name]:
                continue
            cell = {"close": price[name]}
            if "volume" in columns:
                cell["volume"] = float(source.choice([0, *[100] * 9, *[source.randrange(10**6) for _ in range(10)]]))
            if "market_cap" in columns:
                cell["market_cap"] = None if source.random() < 0.02 else price[name] * source.choice([1.0, 7.0, 1e6])
            if "Mood" in columns:
                cell["Mood"] = None if source.random() < 0.02 else round(source.uniform(-0.5, 1.5), 1)
            rows[day, name] = cell
    return rows
