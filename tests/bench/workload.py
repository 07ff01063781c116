"""Configurations of realistic size, the same ones every time: 8-40 features, 5-20 hyperparameters, about 1 KB each.

A variant says how many tags there are; each configuration has two. In both, a common tag is on 4 of 100
configurations, and 1 or 2 of 100 match ``k = 10 and lr > 0.1``.
"""

import json
import os
import random
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from gemexp import ExperimentConfig

CACHE = Path(tempfile.gettempdir()) / "gemexp-bench"
WHERE = "k = 10 and lr > 0.1"
_VERSION = 1  # of what is drawn: another one leaves cached files aside
_CHUNK = 1000
_SHARE_FROM = 20_000
_BEGAN = datetime(2024, 1, 1, tzinfo=UTC)
_FEATURES = [f"{kind}_{window}" for kind in ("mom", "vol", "rev", "liq", "value", "size") for window in range(5, 65, 5)]
_TRANSFORMATIONS = ("rank", "zscore", "log")
_HYPERPARAMETERS = [f"param_{number}" for number in range(30)]


class Variant(NamedTuple):
    """How configurations are tagged.

    Args:
        name: For file names and options.
        title: For people.
        first: The tags that the first is one of.
        second: The tags that the second is one of, if that is another list.
    """

    name: str
    title: str
    first: list[str]
    second: list[str] | None = None

    @property
    def common(self) -> str:
        """A tag that 4 of 100 configurations carry."""
        return self.first[7]

    def draw(self, random_: random.Random) -> list[str]:
        if self.second is None:
            return sorted(random_.sample(self.first, 2))
        return [random_.choice(self.first), random_.choice(self.second)]


VARIANTS = {
    one.name: one
    for one in (
        Variant("few", "50 tags", [f"tag-{number:02}" for number in range(50)]),
        Variant(
            "many",
            "5,000 tags",
            [f"sweep-{number:02}" for number in range(25)],
            [f"k={number}" for number in range(4975)],
        ),
    )
}
FEW = VARIANTS["few"]


def drawn(count: int, seed: int = 0, variant: Variant = FEW) -> Iterator[dict[str, Any]]:
    """Yield ``count`` different configurations, as `ExperimentConfig.from_dict` takes them."""
    for start in range(0, count, _CHUNK):
        yield from islice(_chunk(start, seed, variant), count - start)


def configs(count: int, seed: int = 0, variant: Variant = FEW) -> Iterator[ExperimentConfig]:
    """Yield ``count`` different configurations."""
    return map(ExperimentConfig.from_dict, drawn(count, seed, variant))


def lines(count: int, variant: Variant = FEW) -> Path:
    """Return a file with ``count`` configurations, one a line in JSON; it is kept for the next call."""
    target = CACHE / f"workload-{_VERSION}-{variant.name}-{count}.jsonl"
    if not target.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        temporary = target.with_suffix(f".{os.getpid()}.tmp")
        starts = range(0, count, _CHUNK)
        try:
            with temporary.open("wb") as file:
                texts = partial(_chunk_text, count=count, variant=variant)
                if count < _SHARE_FROM:
                    file.writelines(map(texts, starts))
                else:
                    with ProcessPoolExecutor() as pool:
                        file.writelines(pool.map(texts, starts, chunksize=8))
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
    return target


def _chunk_text(start: int, count: int, variant: Variant) -> bytes:
    some = islice(_chunk(start, 0, variant), count - start)
    return "".join(json.dumps(value, separators=(",", ":")) + "\n" for value in some).encode()


def _chunk(start: int, seed: int, variant: Variant) -> Iterator[dict[str, Any]]:
    """Yield the configurations of a chunk; each chunk is drawn by itself, so that several processes can."""
    random_ = random.Random(f"{seed} {variant.name} {start}")
    draw = random_.random  # by far the fastest of its methods, and a million are drawn
    for number in range(start, start + _CHUNK):
        names = random_.sample(_FEATURES, 8 + int(33 * draw()))
        others = random_.sample(_HYPERPARAMETERS, int(16 * draw()))
        yield {
            "feature_names": names,
            "feature_weights": {name: int(20_000 * draw() - 10_000) / 10_000 for name in names},
            "feature_transformations": {name: _TRANSFORMATIONS[int(3 * draw())] for name in names[:5]},
            "hyperparameters": {
                "run": number,
                "seed": int(10**6 * draw()),
                "k": 5 + int(16 * draw()),
                "lr": round(10 ** (4 * draw() - 4), 6),
                "model": {"depth": 2 + int(11 * draw()), "kind": "gbdt", "subsample": int(1000 * draw()) / 1000},
                **{name: int(10**6 * draw()) / 10**6 for name in others},
            },
            "description": f"sweep {seed}, run {number}",
            "tags": variant.draw(random_),
            "created_at": _time(number, draw()),
        }


def _time(number: int, part: float) -> str:
    moment = _BEGAN + timedelta(seconds=7 * number, microseconds=int(10**6 * part))
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
