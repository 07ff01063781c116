"""Pipelines that are not reproducible, each in one way of its own; `pipelines_sound` has a sound twin of each.

Numpy is imported where it is used: most of their processes need none.
"""

import os
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

DATA = Path(__file__).parent / "small_files"
_seen = []
_cache = {}


def unseeded_numpy(config):
    import numpy as np

    noise = np.random.default_rng().normal(size=3)
    return {"loss": noise * config.hyperparameters["lr"]}


def hash_order(config):
    chosen = {name for name in config.feature_names if name != "target"}
    return {"columns": list(chosen)}


def time_of_day(config):
    return {"lr": config.hyperparameters["lr"] * (0.5 if time.localtime().tm_hour < 12 else 1.0)}


def thread_dependent_sum(config):
    def gradient(part):
        return config.hyperparameters["lr"] * 1.1**part

    total = 0.0
    with ThreadPoolExecutor(8) as pool:
        for done in as_completed([pool.submit(gradient, part) for part in range(48)]):
            total += done.result()
    return {"gradient": total}


def look_ahead(config, prices):
    import numpy as np

    width = config.hyperparameters["window"]
    padded = np.pad(prices, (width, width), mode="edge")
    # Centred: half of each window lies in the future.
    return np.array([padded[row + 1 : row + 2 * width].mean() for row in range(len(prices))])


def file_order(config):
    tables = [path.read_text("utf-8") for path in DATA.iterdir() if path.suffix == ".txt"]
    return {"head": tables[: config.hyperparameters["k"]]}


def global_state(config):
    _seen.append(config.hyperparameters["lr"])
    return {"step": len(_seen), "mean": sum(_seen) / len(_seen)}


def locale_encoding(config):
    text = (DATA / "words.txt").read_text(errors="replace")  # that is the fault
    return {"vocabulary": sorted(set(text.split()))[: config.hyperparameters["k"]]}


def accumulation_order(config):
    return {"score": sum(config.feature_weights.values())}


def cached_between_calls(config):
    key = config.hyperparameters["k"]  # and not the learning rate
    if key not in _cache:
        _cache[key] = key * config.hyperparameters["lr"]
    return {"embedding": _cache[key]}


def environment_variable(config):
    return {"batch": config.hyperparameters["k"] * int(os.environ.get("BATCH_SIZE", "1"))}


def seed_ignored(config):
    import numpy as np

    rng = np.random.default_rng(0)
    return {"sample": rng.permutation(8)[: config.hyperparameters["k"]]}


def thread_count(config):
    import numpy as np

    values = np.random.default_rng(config.hyperparameters["seed"]).normal(size=999)
    parts = np.array_split(values, os.cpu_count())
    return {"mean": sum(float(part.mean()) for part in parts) / len(parts)}


def working_folder(config):
    return {"run": f"{Path.cwd().name}-{config.hyperparameters['k']}"}


def changes_its_config(config):
    return {"lr": config.hyperparameters.pop("lr", 1.0)}


def biased_ranking(config, bias=0.5):
    # A constant beside the weights: their scale is not free.
    return {name: abs(weight - bias) for name, weight in config.feature_weights.items()}
