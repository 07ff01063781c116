"""The whole specification once more, in plain Python: dictionaries and loops, no numpy, nothing of gemexp's.

Written from the text alone, for clarity and not for speed. What it gives is unrounded.
"""

import datetime as dt
import math

ORDINALS = {"d": 1, "w": 7}


class Naive:
    """A panel as ``rows``: {(date, asset): {column: value or None}}."""

    def __init__(self, rows):
        self.rows = rows
        self.dates = sorted({date for date, _ in rows})
        self.assets = sorted({asset for _, asset in rows})
        self.at = {date: i for i, date in enumerate(self.dates)}
        self.cells = {(self.at[date], asset): cell for (date, asset), cell in rows.items()}
        self.last = {asset: max(i for i, a in self.cells if a == asset) for asset in self.assets}

    def value(self, i, asset, column):
        cell = self.cells.get((i, asset))
        if cell is None:
            return None
        if column == "dollar_volume" and "dollar_volume" not in cell and "volume" in cell:
            return cell["close"] * cell["volume"]
        return cell.get(column)

    # section 3

    def filled(self, i, asset, limit=5):
        for back in range(min(limit, i) + 1 if limit is not None else i + 1):
            close = self.value(i - back, asset, "close")
            if close is not None:
                return close
        return None

    def ret(self, i, asset):
        now = self.filled(i, asset)
        before = self.filled(i - 1, asset) if i >= 1 else None
        return None if now is None or before is None else now / before - 1

    def window(self, get, i, asset, length):
        values = [get(j, asset) for j in range(i - length + 1, i + 1) if j >= 0]
        values = [value for value in values if value is not None]
        return values if len(values) >= math.ceil(0.8 * length - 1e-9) else None

    def feature(self, name, i, asset):
        if i < 0:
            return None
        past = lambda back: self.filled(i - back, asset) if i - back >= 0 else None  # noqa: E731
        if name in ("mom_12_1", "mom_63", "reversal_21", "momentum"):
            recent, older = {"mom_12_1": (21, 252), "mom_63": (0, 63)}.get(name, (0, 21))
            if past(recent) is None or past(older) is None:
                return None
            change = past(recent) / past(older) - 1
            return -change if name == "reversal_21" else change
        if name == "low_vol_63":
            values = self.window(self.ret, i, asset, 63)
            return None if values is None else -std(values)
        if name == "trend_200":
            values = self.window(self.filled, i, asset, 200)
            return None if values is None or past(0) is None else past(0) / mean(values) - 1
        if name == "near_high_252":
            values = self.window(self.filled, i, asset, 252)
            return None if values is None or past(0) is None else past(0) / max(values)
        if name == "liquidity_21":
            values = self.window(self.illiquidity, i, asset, 21)
            return None if values is None else -1e6 * mean(values)
        if name == "volume_surge":
            volume = lambda j, a: self.value(j, a, "volume")  # noqa: E731
            short, long = self.window(volume, i, asset, 5), self.window(volume, i, asset, 63)
            return None if short is None or long is None or mean(long) == 0 else mean(short) / mean(long) - 1
        return self.value(i, asset, "market_cap" if name == "size" else name)

    def illiquidity(self, j, asset):
        traded, change = self.value(j, asset, "dollar_volume"), self.ret(j, asset)
        return None if not traded or change is None else abs(change) / traded

    # section 6

    def growth(self, asset, base, until, delisting_return):
        grown = self.filled(until, asset, None) / self.filled(base, asset, None)
        return grown * (1 + delisting_return) if self.last[asset] < until else grown


def mean(values):
    return math.fsum(values) / len(values)


def std(values, ddof=1):
    if min(values) == max(values):
        return 0.0
    centre = mean(values)
    return math.sqrt(math.fsum((v - centre) ** 2 for v in values) / (len(values) - ddof))


def linear_quantile(values, q):
    values = sorted(values)
    position = q * (len(values) - 1)
    low = math.floor(position)
    high = min(low + 1, len(values) - 1)
    return values[low] + (values[high] - values[low]) * (position - low)


def ranks(values):
    """Average ranks from 1, by counting."""
    return [sum(w < v for w in values) + (sum(w == v for w in values) + 1) / 2 for v in values]


def transformed(name, values):
    if name == "none":
        return [min(max(v, 0.0), 1.0) for v in values]
    if min(values) == max(values):
        return [0.5] * len(values)
    if name == "rank":
        return [(r - 1) / (len(values) - 1) for r in ranks(values)]
    if name == "zscore":
        centre, spread = mean(values), std(values, 0)
        return [(min(max((v - centre) / spread, -3.0), 3.0) + 3) / 6 for v in values]
    if name == "winsorize":
        low, high = linear_quantile(values, 0.05), linear_quantile(values, 0.95)
        values = [min(max(v, low), high) for v in values]
    if name == "log":
        values = [math.copysign(math.log1p(abs(v)), v) for v in values]
    low, high = min(values), max(values)
    return [0.5] * len(values) if low == high else [(v - low) / (high - low) for v in values]


def spearman(x, y):
    if len(x) < 3 or min(x) == max(x) or min(y) == max(y):
        return None
    x, y = ranks(x), ranks(y)
    a, b = mean(x), mean(y)
    return math.fsum((p - a) * (q - b) for p, q in zip(x, y, strict=True)) / math.sqrt(
        math.fsum((p - a) ** 2 for p in x) * math.fsum((q - b) ** 2 for q in y)
    )


def windows(dates, start, end, walk, lag):
    """Section 2, in dates; (i, base, lo, hi, test start) for each window."""
    step = dt.timedelta(int(walk[:-1]) * ORDINALS[walk[-1]])
    spans, ts = [], start
    while ts + step < end:
        spans.append((ts + step, min(end, ts + 2 * step)))
        ts += step
    found = []
    for number, (opens, closes) in enumerate(spans):
        final = number == len(spans) - 1
        rows = [i for i, d in enumerate(dates) if opens <= d < closes or (final and d == closes)]
        found.append((rows, opens))
    while found and not found[-1][0]:
        found.pop()
    return [(rows[0] - lag, rows[0] - 1, rows[0], rows[-1], opens) for rows, opens in found]


def measures(returns, periods, rf):
    daily_rf = (1 + rf) ** (1 / periods) - 1
    excess = [r - daily_rf for r in returns]
    value, peak, drawdown = 1.0, 1.0, 0.0
    for r in returns:
        value *= 1 + r
        peak = max(peak, value)
        drawdown = max(drawdown, 1 - value / peak)
    spread = std(excess) if len(excess) > 1 else None
    downside = math.sqrt(mean([min(e, 0.0) ** 2 for e in excess]))
    cagr = value ** (periods / len(returns)) - 1
    return {
        "total_return": value - 1,
        "cagr": cagr,
        "volatility": None if spread is None else std(returns) * math.sqrt(periods),
        "sharpe": mean(excess) / spread * math.sqrt(periods) if spread else None,
        "sortino": mean(excess) / downside * math.sqrt(periods) if downside else None,
        "max_drawdown": drawdown,
        "calmar": cagr / drawdown if drawdown else None,
    }


def hold(panel, plan, targets, cost, delisting_return):
    """Section 6: (daily net returns, net window returns, turnover) of {asset: weight} for each window."""
    daily, net, turnovers = [], [], []
    drifted = {}
    for (_, base, lo, hi, _), target in zip(plan, targets, strict=True):
        names = set(target) | set(drifted)
        turnover = math.fsum(abs(target.get(a, 0.0) - drifted.get(a, 0.0)) for a in names)
        before = 1.0
        for t in range(lo, hi + 1):
            worth = {a: w * panel.growth(a, base, t, delisting_return) for a, w in target.items()}
            value = math.fsum(worth.values())
            factor = 1 - cost * turnover if t == lo else 1.0
            daily.append(factor * value / before - 1 if before else 0.0)
            before = value
        net.append((1 - cost * turnover) * value - 1)
        turnovers.append(turnover)
        # The proceeds of a delisted asset are cash by now, and cash is not traded.
        drifted = {a: worth[a] / value if value else 0.0 for a in target if panel.last[a] >= hi}
    return daily, net, turnovers


def backtest(panel, weights, transforms, *, start, end, walk, k, bps, lag, horizons, rf, delisting_return, periods):
    """Return (windows, metrics) as the summary names them, without what is drawn at random."""
    plan = windows(panel.dates, start, end, walk, lag)
    used = [name for name in sorted(weights) if weights[name] != 0]
    records, targets, equal, momentum, capped = [], [], [], [], []
    for i, base, _, hi, opens in plan:
        values = {a: [panel.feature(f, i, a) for f in used] for a in panel.assets if (i, a) in panel.cells}
        eligible = sorted(a for a, xs in values.items() if None not in xs)
        columns = [transformed(transforms[f], [values[a][n] for a in eligible]) for n, f in enumerate(used)]
        q = {}
        for n, asset in enumerate(eligible):
            score = 0.0
            for f, column in zip(used, columns, strict=True):
                score += weights[f] * column[n]
            q[asset] = round(score, 12)
        picks = sorted(eligible, key=lambda a: (-q[a], a))[:k]
        record = section_7(panel, eligible, picks, q, base, hi, delisting_return)
        record["horizons"] = {}
        for h in horizons:
            inside = [j for j, d in enumerate(panel.dates) if opens <= d < opens + dt.timedelta(h)]
            out = opens + dt.timedelta(h - 1) > panel.dates[-1] or not inside
            found = None if out else section_7(panel, eligible, picks, q, base, inside[-1], delisting_return)
            record["horizons"][f"{h}d"] = {
                "ic": found and found["ic"],
                "forward_return": found and found["forward_return"],
            }
        records.append({"eligible": len(eligible), "picks": sorted(picks), **record})
        targets.append({a: 1 / len(picks) for a in picks})
        equal.append({a: 1 / len(eligible) for a in eligible})
        rising = [a for a in eligible if panel.feature("momentum", i, a) is not None]
        rising.sort(key=lambda a, i=i: (-panel.feature("momentum", i, a), a))
        momentum.append({a: 1 / len(rising[:k]) for a in rising[:k]})
        caps = {a: panel.feature("size", i, a) for a in eligible if panel.feature("size", i, a) is not None}
        capped.append({a: cap / math.fsum(caps.values()) for a, cap in caps.items()})
    cost = bps / 1e4
    daily, net, turnover = hold(panel, plan, targets, cost, delisting_return)
    for record, value, traded in zip(records, net, turnover, strict=True):
        record.update(portfolio_return=value, turnover=traded)
    metrics = {"strategy": measures(daily, periods, rf)}
    for name, book in (("equal_weight", equal), ("momentum", momentum), ("cap_weighted", capped)):
        held = None if not all(book) else hold(panel, plan, book, cost, delisting_return)[0]
        metrics[name] = held and measures(held, periods, rf)
    average = lambda name: mean([r[name] for r in records])  # noqa: E731
    for name in ("precision_at_k", "precision_median", "precision_topk", "base_rate"):
        metrics[name] = average(name)
    metrics["forward_return_mean"] = average("forward_return")
    metrics["universe_return_mean"] = average("universe_return")
    metrics["turnover_mean"] = average("turnover")
    metrics["delistings_held"] = sum(r["delistings_held"] for r in records)
    ics = [r["ic"] for r in records if r["ic"] is not None]
    spread = std(ics) if len(ics) > 1 else None
    ir = mean(ics) / spread if spread else None
    metrics |= {"ic_mean": mean(ics) if ics else None, "ic_std": spread, "ic_ir": ir}
    metrics["ic_t"] = None if ir is None else ir * math.sqrt(len(ics))
    metrics["ic_hit"] = sum(ic > 0 for ic in ics) / len(ics) if ics else None
    metrics["horizons"] = {}
    for h in horizons:
        both = [r["horizons"][f"{h}d"] for r in records]
        defined = {name: [b[name] for b in both if b[name] is not None] for name in ("ic", "forward_return")}
        metrics["horizons"][f"{h}d"] = {
            "ic_mean": mean(defined["ic"]) if defined["ic"] else None,
            "forward_return_mean": mean(defined["forward_return"]) if defined["forward_return"] else None,
            "left_out": sum(b["forward_return"] is None for b in both),
        }
    return records, metrics


def section_7(panel, eligible, picks, q, base, until, delisting_return):
    fwd = {a: panel.growth(a, base, until, delisting_return) - 1 for a in eligible}
    ordered = sorted(fwd.values())
    middle = len(ordered) // 2
    median = ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
    best = sorted(eligible, key=lambda a: (-fwd[a], a))[: len(picks)]
    precision = sum(fwd[a] > 0 for a in picks) / len(picks)
    base_rate = sum(f > 0 for f in fwd.values()) / len(fwd)
    return {
        "precision_at_k": precision,
        "precision_median": sum(fwd[a] > median for a in picks) / len(picks),
        "precision_topk": len(set(picks) & set(best)) / len(picks),
        "base_rate": base_rate,
        "lift": precision / base_rate if base_rate else None,
        "forward_return": mean([fwd[a] for a in picks]),
        "universe_return": mean(list(fwd.values())),
        "delistings_held": sum(panel.last[a] < until for a in picks),
        "ic": spearman([q[a] for a in eligible], [fwd[a] for a in eligible]),
    }
