"""From a configuration to the assets it picks: eligibility, scores, the best k.

Source: sections 3 and 5 of the specification.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches

import numpy as np

from gemexp.backtest import features, transforms
from gemexp.backtest.arrays import Bools, Floats, Ints, total
from gemexp.backtest.market import Market
from gemexp.backtest.panel import Panel
from gemexp.backtest.ranking import asset_of, best, keys, takes_part
from gemexp.backtest.universe import Universe
from gemexp.config import ExperimentConfig
from gemexp.errors import InvalidInput, InvalidValue
from gemexp.notation import inline
from gemexp.scoring import WEIGHTS

PRICE_BASELINE = ("low_vol_63", "mom_12_1")
"""Momentum without the last month, and low volatility: the two price factors with the longest record."""


@dataclass(frozen=True, slots=True)
class Term:
    """One feature's part in a score."""

    feature: str
    transformation: str
    weight: float


@dataclass(frozen=True, slots=True)
class Picks:
    """What a configuration chose.

    Attributes:
        keys: Every asset's key, shape (W, N); see `ranking.keys`.
        chosen: The picks in order of asset, shape (W, k); nobody, the asset N, fills places that are left.
        count: Number of picks, shape (W,).
    """

    keys: Ints
    chosen: Ints
    count: Ints


def default_config(panel: Panel) -> ExperimentConfig:
    """Return the GemScore where the panel has its eight columns, else a baseline of price features alone."""
    if all(name in panel.columns for name in WEIGHTS):
        return ExperimentConfig(list(WEIGHTS), WEIGHTS, description="GemScore")
    weight = 1 / len(PRICE_BASELINE)
    return ExperimentConfig(PRICE_BASELINE, dict.fromkeys(PRICE_BASELINE, weight), description="price-only baseline")


def terms_of(config: ExperimentConfig, panel: Panel) -> tuple[Term, ...]:
    """Return the features of non-zero weight in order of name, each checked against the panel.

    A listed feature without a weight weighs nothing.

    Raises:
        InvalidInput: The configuration makes no sense by itself, or the panel cannot give one of its features.
    """
    transformations = check_config(config, panel)
    terms = tuple(
        Term(name, transformation, config.feature_weights[name])
        for name, transformation in transformations.items()
        if config.feature_weights.get(name, 0.0) != 0.0
    )
    if not terms:
        raise InvalidInput("all feature weights are zero", hint="a score needs at least one feature with a weight")
    if not math.isfinite(total(abs(term.weight) for term in terms)):
        raise InvalidInput("the feature weights are so large that their sum is not finite")
    return terms


def check_config(config: ExperimentConfig, panel: Panel) -> dict[str, str]:
    """Check each feature, weight and transformation by itself; return the transformations in order of feature.

    Raises:
        InvalidInput: One of them is unknown or makes no sense, or the panel cannot give a feature.
    """
    names = config.feature_names
    for section in ("feature_weights", "feature_transformations"):
        for name in getattr(config, section):
            if name not in names:
                close = get_close_matches(name, names, n=1)
                hint = f"did you mean '{close[0]}'?" if close else "add it to feature_names, or leave it out here"
                raise InvalidValue("is no feature in feature_names", path=(section, name), hint=hint)
    for name, weight in config.feature_weights.items():
        if not math.isfinite(weight):
            raise InvalidValue(f"is {inline(weight)}, not a finite number", path=("feature_weights", name))
    for name in sorted(names):
        features.check_feature(name, panel)
    return {name: _transformation(name, config, panel) for name in sorted(names)}


def eligible_assets(terms: Sequence[Term], market: Market) -> Bools:
    """Return who was observed at the decision row and has all features, shape (W, N).

    Raises:
        InvalidInput: A window has nobody.
    """
    eligible = market.observed.copy()
    for term in terms:
        eligible &= ~np.isnan(market.feature(term.feature))
    empty = np.nonzero(~eligible.any(axis=1))[0]
    if len(empty):
        raise _nobody(terms, market, int(empty[0]))
    return eligible


def pick(terms: Sequence[Term], universe: Universe, k: int, *, allow_fewer: bool) -> Picks:
    """Score the eligible assets, and choose the best ``k`` of each window.

    Raises:
        InvalidInput: A window has fewer than ``k`` eligible assets, and ``allow_fewer`` is false.
    """
    fewest = int(universe.count.min())
    if k > fewest and not allow_fewer:
        market = universe.market
        when = _decided(market, int(np.argmax(universe.count < k)))
        count = int(universe.count[np.argmax(universe.count < k)])
        raise InvalidInput(
            f"'k' is {k}, but only {count} asset{'s are' if count != 1 else ' is'} eligible on {when}",
            hint="take fewer, or use --allow-fewer",
        )
    key = keys(scores(terms, universe), universe.eligible)
    highest = best(key, min(k, universe.nobody))
    chosen = np.where(takes_part(highest), asset_of(highest, universe.nobody), universe.nobody)
    return Picks(key, np.sort(chosen, axis=1), np.minimum(universe.count, k))


def scores(terms: Sequence[Term], universe: Universe) -> Floats:
    """Return the sum of weight * transformed feature in order of name, from 0.0, shape (W, N); 0 if not eligible."""
    result = np.zeros(universe.eligible.shape)
    product = np.empty_like(result)
    for term in terms:
        np.multiply(universe.transformed(term.feature, term.transformation), term.weight, out=product)
        result += product
    return result


def _transformation(name: str, config: ExperimentConfig, panel: Panel) -> str:
    default = "none" if name in panel.columns else "rank"
    given = config.feature_transformations.get(name, default)
    if not isinstance(given, str) or given not in transforms.NAMES:
        close = get_close_matches(str(given), transforms.NAMES, n=1)
        hint = f"did you mean '{close[0]}'?" if close else f"known are {', '.join(transforms.NAMES)}"
        raise InvalidValue(f"is {inline(given)}, no transformation", path=("feature_transformations", name), hint=hint)
    return given


def _decided(market: Market, window: int) -> date:
    return date.fromordinal(int(market.panel.days[max(int(market.plan.decision[window]), 0)]))


def _nobody(terms: Sequence[Term], market: Market, window: int) -> InvalidInput:
    days, row = market.panel.days, int(market.plan.decision[window])
    name, needed = features.history([term.feature for term in terms])
    opens = date.fromordinal(int(market.plan.test[window]))
    have = f"{row + 1} row{'s' * (row != 0)}" if row >= 0 else "no row"
    message = f"no asset is eligible for the window from {opens}: the panel has {have} up to its decision, and "
    if row + 1 >= needed:
        return InvalidInput(
            f"no asset is eligible for the window from {opens}: on {_decided(market, window)} none has a close and "
            f"all of {', '.join(term.feature for term in terms)}",
            hint=f"'{name}' needs {needed} row{'s' * (needed > 1)} of history",
        )
    message += f"'{name}' needs {needed}"
    lag = int(market.plan.first[window]) - row
    last_too_early = needed - 2 + lag
    if last_too_early >= len(days):
        return InvalidInput(message, hint=f"the whole panel has {len(days)} rows: use features with a shorter memory")
    begin = date.fromordinal(int(days[last_too_early]))
    return InvalidInput(message, hint=f"let the first test window begin after {begin}")
