"""Drawing some configs outside of a test, always the same for a seed."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, Phase, given, seed, settings

from gemexp.config import ExperimentConfig

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy


def drawn(strategy: SearchStrategy[ExperimentConfig], count: int, *, seed_: int = 0) -> list[ExperimentConfig]:
    """Return up to ``count`` different configurations: fewer only if the strategy has no more.

    Args:
        strategy: What to draw from.
        count: How many.
        seed_: Another seed draws others.
    """
    found: dict[str, ExperimentConfig] = {}

    @settings(
        max_examples=count * 2 + 20,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @seed(seed_)
    @given(strategy)
    def draw(config: ExperimentConfig) -> None:
        found.setdefault(config.config_hash, config)

    draw()
    # Simple ones come first; a sample of all is more telling.
    return random.Random(seed_).sample(list(found.values()), min(count, len(found)))  # noqa: S311 - nothing secret
