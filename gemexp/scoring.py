"""GemScore: the weights of its eight features, and the score they make."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

WEIGHTS: Final[dict[str, float]] = {
    "SentimentScore": 0.15,
    "AccumulationScore": 0.20,
    "OnchainActivity": 0.15,
    "LiquidityDepth": 0.10,
    "TokenomicsRisk": 0.12,
    "ContractSafety": 0.12,
    "NarrativeMomentum": 0.08,
    "CommunityGrowth": 0.08,
}
"""Weight by feature; they sum to 1."""


def score(features: Mapping[str, float], weights: Mapping[str, float] = WEIGHTS) -> float:
    """Return the GemScore: 100 * clip(sum of w * clip(x, 0, 1), 0, 1), summed in order of name.

    Args:
        features: Value by feature, each clipped to [0, 1]; a missing feature counts as 0, NaN makes the score NaN.
        weights: Weight by feature.

    Returns:
        A score from 0 to 100.
    """
    total = 0.0
    for name in sorted(weights):
        total += weights[name] * _clip(features.get(name, 0.0))
    return 100.0 * _clip(total)


def _clip(value: float) -> float:
    if value != value:
        return value
    return min(max(value, 0.0), 1.0)
