"""Configurations of realistic size: 8-40 features, 5-20 hyperparameters, 1-3 tags; the same ones every time."""

import random
from collections.abc import Iterator

from gemexp import ExperimentConfig

_FEATURES = [f"{kind}_{window}" for kind in ("mom", "vol", "rev", "liq", "value", "size") for window in range(5, 65, 5)]
_HYPERPARAMETERS = [f"param_{number}" for number in range(30)]
_TAGS = ["baseline", "sweep", "production", "candidate", "lgbm", "linear", "alpha158", "alpha360"]


def configs(count: int, seed: int = 0) -> Iterator[ExperimentConfig]:
    """Yield ``count`` different configurations of about 1 KB each."""
    random_ = random.Random(seed)
    for number in range(count):
        names = random_.sample(_FEATURES, random_.randint(8, 40))
        yield ExperimentConfig(
            names,
            {name: round(random_.uniform(-1, 1), 4) for name in names},
            hyperparameters={
                "run": number,
                "seed": random_.randint(0, 10**6),
                "model": {"depth": random_.randint(2, 12), "lr": 10 ** random_.uniform(-4, -1), "kind": "gbdt"},
                **{name: random_.random() for name in random_.sample(_HYPERPARAMETERS, random_.randint(3, 15))},
            },
            feature_transformations={name: random_.choice(["rank", "zscore", "log"]) for name in names[:5]},
            description=f"sweep {seed}, run {number}",
            tags=random_.sample(_TAGS, random_.randint(1, 3)),
        )
