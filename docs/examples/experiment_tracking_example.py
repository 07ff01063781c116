"""Tracking experiments from Python, in a store in a temporary folder.

Run it with ``python docs/examples/experiment_tracking_example.py``. Each step prints what it found, and asserts it.
"""
# ruff: noqa: S101 - an example that is wrong must fail

from __future__ import annotations

import tempfile
from pathlib import Path

from gemexp import ExperimentConfig, ExperimentRegistry, create_experiment_from_scoring_config
from gemexp.scoring import WEIGHTS


def create(registry: ExperimentRegistry) -> str:
    """Make a configuration by hand and register it."""
    config = ExperimentConfig(
        feature_names=["SentimentScore", "AccumulationScore", "OnchainActivity"],
        feature_weights={"SentimentScore": 0.6, "AccumulationScore": 0.3, "OnchainActivity": 0.1},
        feature_transformations={"OnchainActivity": "log"},
        hyperparameters={"k": 10, "rebalance": "weekly"},
        description="sentiment first",
        tags=["sentiment", "baseline"],
    )
    config_hash = registry.register(config)
    print(config.summary())
    assert config_hash == config.config_hash
    assert "SentimentScore: weight=0.6000, transform=none" in config.summary()
    assert "k: 10" in config.summary()
    return config_hash


def create_from_scoring(registry: ExperimentRegistry) -> str:
    """Make a configuration from the weights of GemScore."""
    config = create_experiment_from_scoring_config(
        weights=WEIGHTS,
        features=list(WEIGHTS),
        hyperparameters={"k": 20},
        description="GemScore as it is",
        tags=["gemscore", "baseline"],
    )
    config_hash = registry.register(config)
    print(f"{config_hash[:12]} has {len(config.feature_names)} features")
    assert len(config.feature_names) == len(WEIGHTS)
    return config_hash


def search_and_retrieve(registry: ExperimentRegistry, config_hash: str) -> None:
    """Find configurations by tag and by the beginning of a hash."""
    baselines = registry.search_by_tag("baseline")
    for config in baselines:
        print(f"baseline: {config.config_hash[:12]} {config.description}")
    assert len(baselines) == 2
    assert baselines[0].description == "GemScore as it is", "newest first"

    found = registry.get(config_hash[:10])
    assert found is not None
    assert found.description == "sentiment first"
    assert registry.get("0000") is None


def compare(registry: ExperimentRegistry, first: str, second: str) -> None:
    """Say what differs between two configurations."""
    comparison = registry.compare(first, second)
    for name, pair in comparison["weight_differences"].items():
        print(f"{name}: {pair['config1']} -> {pair['config2']} ({pair['diff']:+.2f})")
    print(*registry.diff(first, second), sep="\n")
    assert len(comparison["features"]["common"]) == 3
    assert comparison["hyperparameter_differences"]["k"] == {"config1": 10, "config2": 20}


def make_variants(registry: ExperimentRegistry, base_hash: str) -> None:
    """Raise one weight and scale all back to a sum of 1."""
    base = registry.load(base_hash)
    for raised in (0.20, 0.25, 0.30):
        weights = {**base.feature_weights, "SentimentScore": raised}
        total = sum(weights.values())
        variant = create_experiment_from_scoring_config(
            weights={name: round(weight / total, 6) for name, weight in weights.items()},
            features=base.feature_names,
            hyperparameters=base.hyperparameters,
            description=f"SentimentScore raised to {raised}",
            tags=["variant"],
        )
        variant_hash = registry.register(variant, parents=[base_hash])
        print(f"{variant_hash[:12]} {variant.description}, now {variant.feature_weights['SentimentScore']}")
        assert abs(sum(variant.feature_weights.values()) - 1) < 1e-5
        assert registry.metadata(variant_hash).parents == (base_hash,)
    assert registry.tags() == {"baseline": 2, "gemscore": 1, "sentiment": 1, "variant": 3}


def reproduce(registry: ExperimentRegistry, config_hash: str) -> None:
    """Make the same configuration again, in another order and with other words: the hash is the same."""
    stored = registry.load(config_hash)
    again = ExperimentConfig(
        feature_names=list(reversed(stored.feature_names)),
        feature_weights=dict(reversed(stored.feature_weights.items())),
        feature_transformations=stored.feature_transformations,
        hyperparameters={"rebalance": "weekly", "k": 10},
        description="someone else's words",
    )
    print(f"{config_hash[:12]} and {again.config_hash[:12]} are the same")
    assert again.config_hash == config_hash

    other = ExperimentConfig.from_dict({**again.to_dict(), "config_hash": None, "hyperparameters": {"k": 10.0}})
    assert other.config_hash != config_hash, "10.0 is not 10"


def export_and_import(registry: ExperimentRegistry, config_hash: str, folder: Path) -> None:
    """Carry a configuration to another store as a file."""
    file = folder / "config.json"
    file.write_text(registry.load(config_hash).to_json(), encoding="utf-8")

    other = ExperimentRegistry(folder / "other.gemexp")
    imported_hash = other.register(ExperimentConfig.from_json(file.read_text(encoding="utf-8")))
    print(f"imported {imported_hash[:12]}")
    assert imported_hash == config_hash
    assert other.load(imported_hash) == registry.load(config_hash), "description, tags and time came along"


def main() -> None:
    """Go through all steps."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        registry = ExperimentRegistry(folder / "store.gemexp")
        sentiment = create(registry)
        gemscore = create_from_scoring(registry)
        search_and_retrieve(registry, sentiment)
        compare(registry, sentiment, gemscore)
        make_variants(registry, gemscore)
        reproduce(registry, sentiment)
        export_and_import(registry, sentiment, folder)
        assert not registry.check().problems


if __name__ == "__main__":
    main()
