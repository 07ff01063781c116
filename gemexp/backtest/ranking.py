"""Ranks, medians and rank correlation within cross-sections, in whole numbers wherever an order is decided.

A cross-section is one row of an array of shape (W, N); which of its N assets take part is told by a mask.
"""

from __future__ import annotations

import math

import numpy as np

from gemexp.backtest.arrays import Bools, Floats, Ints

DIGITS = 12
_SCALE = 1e12
# Below this, score * 1e12 is exact enough to see whether rounding is in doubt, and leaves room for the asset's index.
_FAST = 64.0
_OUT: int = np.iinfo(np.int64).min
_ROOM = 15


def levels(scores: Floats) -> Ints:
    """Return whole numbers in the order, and with the ties, of ``round(score, 12)``; shape as ``scores``, all finite.

    Python's round is exact; rint(score * 1e12) is fast, and differs from it only next to a half. There, and only
    there, the exact one decides.
    """
    largest = max(float(np.max(scores, initial=0.0)), -float(np.min(scores, initial=0.0)))
    if largest >= _FAST:
        rounded = np.array([round(score, DIGITS) for score in scores.ravel().tolist()])
        places = np.unique(rounded, return_inverse=True)[1]
        return places.reshape(scores.shape).astype(np.int64)
    scaled = scores * _SCALE
    nearest = np.rint(scaled)
    scaled -= nearest
    np.abs(scaled, out=scaled)
    doubtful = np.flatnonzero(scaled > 0.5 - 2.0**-52 * _SCALE * largest)
    exact = [round(round(score, DIGITS) * _SCALE) for score in scores.ravel()[doubtful].tolist()]
    nearest.ravel()[doubtful] = exact  # a view, because rint has just made it
    return nearest.astype(np.int64)


def keys(scores: Floats, eligible: Bools) -> Ints:
    """Return one different key for each eligible asset of a row, shape (W, N): by level, then by asset, downwards.

    The highest key is the best score's, and of two equal scores the one of the asset that comes first. Assets that
    are not eligible come last, whatever their score.
    """
    assets = scores.shape[1]
    shift = tie_bits(assets)
    order = levels(scores)
    if shift > _ROOM:  # no panel known has as many assets, but a key must not overflow
        order = np.unique(order, return_inverse=True)[1].reshape(scores.shape).astype(np.int64)
    order <<= shift
    places = np.arange((1 << shift) - 1, (1 << shift) - 1 - assets, -1, dtype=np.int64)
    order += places
    np.copyto(order, _OUT + places, where=~eligible)
    return order


def takes_part(key: Ints) -> Bools:
    """Tell which keys are those of eligible assets."""
    return key > _OUT // 2


def tie_bits(assets: int) -> int:
    """Return how many of a key's low bits hold the asset's place, counted from the top."""
    return max(1, (assets - 1).bit_length())


def asset_of(key: Ints, assets: int) -> Ints:
    """Return the asset's index that a key holds."""
    shift = tie_bits(assets)
    mask = np.int64((1 << shift) - 1)
    return mask - (key & mask)


def best(key: Ints, k: int) -> Ints:
    """Return the ``k`` highest keys of each row in descending order, shape (W, k)."""
    if k < key.shape[1]:
        key = np.partition(key, key.shape[1] - k, axis=1)[:, -k:]
    return np.sort(key, axis=1)[:, ::-1]


def average_ranks(values: Floats) -> Floats:
    """Return the average ranks, from 1, of the values of shape (n,); ties share the mean of their ranks."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    starts = np.concatenate([[True], ordered[1:] != ordered[:-1]])
    first = np.nonzero(starts)[0]
    counts = np.diff(np.append(first, len(values)))
    ranks = np.empty(len(values))
    ranks[order] = np.repeat(first + (counts + 1) / 2, counts)
    return ranks


def centred_ranks(values: Floats, eligible: Bools) -> Floats:
    """Return by row twice the average ranks less n + 1, shape (W, N): whole numbers that sum to 0.

    NaN policy: an asset that is not eligible counts 0, and so takes no part in any sum of products.
    """
    ranks = np.zeros(values.shape)
    for row, mask in enumerate(eligible):
        ranks[row, mask] = 2 * average_ranks(values[row, mask]) - (mask.sum() + 1)
    return ranks


def centred_ranks_of_keys(key: Ints, eligible: Bools) -> Floats:
    """Return what `centred_ranks` does of the scores behind ``key``, all rows at once, shape (W, N)."""
    rows, assets = key.shape
    ordered = np.sort(key, axis=1)
    places = asset_of(ordered, assets)
    level = ordered >> tie_bits(assets)
    out = assets - eligible.sum(axis=1)
    position = np.arange(assets)
    starts = np.ones((rows, assets), dtype=bool)
    np.not_equal(level[:, 1:], level[:, :-1], out=starts[:, 1:])
    first = np.maximum.accumulate(np.where(starts, position, 0), axis=1)
    ends = np.ones((rows, assets), dtype=bool)
    ends[:, :-1] = starts[:, 1:]
    last = np.minimum.accumulate(np.where(ends, position, assets)[:, ::-1], axis=1)[:, ::-1]
    # Positions count from 0 and begin with those that are out: (first + last) / 2 - out + 1 is the average rank.
    doubled = first + last + 2 - 2 * out[:, None] - (assets - out + 1)[:, None]
    doubled[position < out[:, None]] = 0
    ranks = np.zeros((rows, assets))
    np.put_along_axis(ranks, places, doubled.astype(np.float64), axis=1)
    return ranks


def correlations(left: Floats, right: Floats, squares: Floats, eligible: Ints) -> list[float | None]:
    """Return Spearman's correlation of each row.

    Args:
        left: Centred ranks, shape (W, N).
        right: Centred ranks, shape (W, N).
        squares: The sums of the squares of ``right``, shape (W,).
        eligible: The number of assets that take part, shape (W,).

    Returns:
        By row, None for fewer than 3 assets and where either side is constant. The sums are of whole numbers below
        2^53, and so exact in any order.
    """
    products = np.add.reduce(left * right, axis=1).tolist()
    spread = np.add.reduce(left * left, axis=1).tolist()
    return [
        product / math.sqrt(own * other) if n >= 3 and own > 0 and other > 0 else None
        for product, own, other, n in zip(products, spread, squares.tolist(), eligible.tolist(), strict=True)
    ]
