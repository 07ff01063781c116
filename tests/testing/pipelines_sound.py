"""What the pipelines of `pipelines_broken` compute, done so that it comes out the same."""

import math
from concurrent.futures import ThreadPoolExecutor

from pipelines_broken import DATA

_cache = {}


def unseeded_numpy(config):
    import numpy as np

    noise = np.random.default_rng(config.hyperparameters["seed"]).normal(size=3)
    return {"loss": noise * config.hyperparameters["lr"]}


def hash_order(config):
    chosen = {name for name in config.feature_names if name != "target"}
    return {"columns": sorted(chosen)}


def time_of_day(config):
    return {"lr": config.hyperparameters["lr"] * (0.5 if config.hyperparameters["warm"] else 1.0)}


def thread_dependent_sum(config):
    def gradient(part):
        return config.hyperparameters["lr"] * 1.1**part

    with ThreadPoolExecutor(8) as pool:
        return {"gradient": sum(pool.map(gradient, range(48)))}


def look_ahead(config, prices):
    import numpy as np

    width = config.hyperparameters["window"]
    return np.array([prices[max(0, row - width + 1) : row + 1].mean() for row in range(len(prices))])


def file_order(config):
    tables = [path.read_text("utf-8") for path in sorted(DATA.iterdir()) if path.suffix == ".txt"]
    return {"head": tables[: config.hyperparameters["k"]]}


def global_state(config):
    seen = [config.hyperparameters["lr"]]
    return {"step": len(seen), "mean": sum(seen) / len(seen)}


def locale_encoding(config):
    text = (DATA / "words.txt").read_text("utf-8", errors="replace")
    return {"vocabulary": sorted(set(text.split()))[: config.hyperparameters["k"]]}


def accumulation_order(config):
    return {"score": math.fsum(config.feature_weights.values())}


def cached_between_calls(config):
    key = config.hyperparameters["k"], config.hyperparameters["lr"]
    if key not in _cache:
        _cache[key] = key[0] * key[1]
    return {"embedding": _cache[key]}


def environment_variable(config):
    return {"batch": config.hyperparameters["k"] * config.hyperparameters["batch"]}


def seed_ignored(config):
    import numpy as np

    rng = np.random.default_rng(config.hyperparameters["seed"])
    return {"sample": rng.permutation(8)[: config.hyperparameters["k"]]}


def thread_count(config):
    import numpy as np

    values = np.random.default_rng(config.hyperparameters["seed"]).normal(size=999)
    parts = np.array_split(values, 8)
    return {"mean": sum(float(part.mean()) for part in parts) / len(parts)}


def working_folder(config):
    return {"run": f"run-{config.hyperparameters['k']}"}


def changes_its_config(config):
    return {"lr": {**config.hyperparameters}.pop("lr", 1.0)}


def biased_ranking(config):
    return {name: abs(weight) for name, weight in config.feature_weights.items()}
