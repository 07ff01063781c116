"""What a schedule of windows makes of a panel, before any configuration has a say: shared by all of them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from functools import cached_property
from typing import Generic, TypeVar

import numpy as np

from gemexp.backtest import features
from gemexp.backtest.arrays import Bools, Floats, Ints, frozen
from gemexp.backtest.panel import Panel
from gemexp.backtest.portfolio import Growth, growth, growth_until
from gemexp.backtest.windows import Schedule, horizon_rows

Kept = TypeVar("Kept")


class Shelf(Generic[Kept]):
    """Keeps what was made last, up to a limit, so that a sweep over anything cannot fill the memory."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._items: OrderedDict[Hashable, Kept] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], Kept]) -> Kept:
        """Return what is kept under ``key``, made now if there is nothing."""
        if key in self._items:
            self._items.move_to_end(key)
            return self._items[key]
        item = self._items[key] = make()
        if len(self._items) > self._limit:
            self._items.popitem(last=False)
        return item


class Market:
    """A panel seen through the windows of a schedule.

    Args:
        panel: The panel.
        prices: Its prices as the features see them; shared between the markets of one panel.
        plan: The windows.
        delisting_return: Applied to an asset's growth from the first row after its last one.
    """

    def __init__(self, panel: Panel, prices: features.Prices, plan: Schedule, delisting_return: float) -> None:
        self.panel = panel
        self.prices = prices
        self.plan = plan
        self.delisting_return = delisting_return
        self._features: dict[str, Floats] = {}
        self._horizons: dict[int, Floats] = {}

    @cached_property
    def observed(self) -> Bools:
        """Whether there is a close at the decision row itself, shape (W, N)."""
        rows = self.plan.decision
        return self.panel.observed[np.maximum(rows, 0)] & (rows >= 0)[:, None]

    @cached_property
    def forward(self) -> Floats:
        """Growth from each window's entry to its last row, less 1, shape (W, N)."""
        return self._forward(self.plan.last)

    @cached_property
    def grown(self) -> Growth:
        """Growth from each window's entry by day."""
        return growth(self.panel, self.plan, self.delisting_return)

    def horizon(self, days: int) -> Floats:
        """Return the growth from each window's entry over ``days`` calendar days, less 1, shape (W, N).

        NaN policy: a window whose horizon reaches past the panel's end is NaN throughout.
        """
        if days not in self._horizons:
            rows = horizon_rows(self.panel.days, self.plan, days)
            values = self._forward(rows)
            values[rows < 0] = np.nan
            self._horizons[days] = frozen(values)
        return self._horizons[days]

    def feature(self, name: str) -> Floats:
        """Return the feature ``name`` at the decision rows, shape (W, N); NaN where it cannot be computed."""
        if name not in self._features:
            self._features[name] = frozen(features.compute(name, self.panel, self.prices, self.plan.decision))
        return self._features[name]

    def momentum(self) -> Floats:
        """Return F[i] / F[i-21] - 1 at the decision rows, shape (W, N): what the momentum baseline ranks by."""
        return -self.feature("reversal_21")

    def _forward(self, until: Ints) -> Floats:
        # A window that is entered before the panel's first row has no eligible asset: it is refused before this.
        return growth_until(self.panel, np.maximum(self.plan.entry, 0), until, self.delisting_return) - 1.0
