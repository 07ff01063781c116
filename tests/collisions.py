"""Configurations whose hashes begin alike, found by hashing many."""

import functools
import hashlib
from collections import defaultdict

from gemexp import ExperimentConfig

FIRST = 2**32  # from here on integers are encoded in nine bytes, so that only the last eight change


@functools.cache
def colliding(count, digits=4):
    """Return ``count`` different configurations whose hashes begin with the same digits."""
    head = ExperimentConfig([], {}, {"x": FIRST}).to_bytes()[:-8]
    groups = defaultdict(list)
    number = FIRST
    while True:
        start = hashlib.sha256(head + number.to_bytes(8, "big")).hexdigest()[:digits]
        groups[start].append(number)
        if len(groups[start]) == count:
            return tuple(groups[start])
        number += 1


def colliding_configs(count, digits=4):
    """Return new configurations, described, dated and in order of hash."""
    found = [
        ExperimentConfig([], {}, {"x": number}, description=f"number {number}", created_at=f"2024-01-{day:02d}")
        for day, number in enumerate(colliding(count, digits), 1)
    ]
    return sorted(found, key=lambda config: config.config_hash)
