"""The smallest config on which a property still fails, found by taking away and simplifying, one thing at a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

from gemexp.config import SECTIONS, ExperimentConfig
from gemexp.errors import GemexpError, InvalidInput
from gemexp.paths import assign, take_out
from gemexp.testing.verdicts import Check, Verdict

MAX_SECONDS = 20.0
MAX_TRIES = 200

Sections = dict[str, Any]


def shrunk(verdict: Verdict, *, seconds: float = MAX_SECONDS, tries: int = MAX_TRIES) -> Verdict:
    """Return a verdict on the smallest configuration found on which the same thing fails.

    Features and hyperparameters are taken away, many at once at first; then values are made simple. What the pipeline
    refuses, or fails on in another way, is not taken.

    Args:
        verdict: Of a property that does not hold.
        seconds: Stop after so long.
        tries: Check at most so many configurations.

    Raises:
        InvalidInput: The property holds.
    """
    if verdict.holds or verdict.again is None:
        raise InvalidInput("there is nothing to shrink: the property holds")
    until = time.monotonic() + seconds
    with verdict.again.keeping():
        quick = _search(verdict, verdict.again.check, until, tries)
    if quick is verdict or _fails(verdict.again.check, quick.config) is None:
        # What shared processes said does not count: they had run other configs.
        return _search(verdict, verdict.again.check, until, tries)
    return quick


def _search(verdict: Verdict, check: Check, until: float, tries: int) -> Verdict:
    search = _Search(verdict, check, until, tries)
    while search.step():
        continue
    return search.best


def _fails(check: Check, config: ExperimentConfig) -> Verdict | None:
    """Return the verdict that a property fails on a configuration; None if it holds, or cannot be checked."""
    try:
        verdict = check(config)
    except GemexpError:
        return None
    return None if verdict.holds else verdict


class _Search:
    """Goes from one failing configuration to a smaller one until none is found."""

    def __init__(self, verdict: Verdict, check: Check, until: float, tries: int) -> None:
        self.best = verdict
        self._check = check
        self._until = until
        self._left = tries
        self._seen = {verdict.config.config_hash}

    def step(self) -> bool:
        """Try everything once, each on the smallest found so far; tell whether any of it was of use."""
        before = self.best
        for reductions in (_smaller, _simpler):
            done = 0
            while True:
                # What follows the one that was of use is tried on what it left.
                candidates = list(reductions(_plain(self.best.config)))
                for position in range(done, len(candidates)):
                    if time.monotonic() > self._until or not self._left:
                        return False
                    if self._fails(candidates[position]):
                        done = max(position - 1, 0)
                        break
                else:
                    break
        return self.best is not before

    def _fails(self, sections: Sections) -> bool:
        try:
            config = ExperimentConfig(**sections, created_at=self.best.config.created_at or None)
        except InvalidInput:
            return False
        if config.config_hash in self._seen:
            return False
        self._seen.add(config.config_hash)
        self._left -= 1
        verdict = _fails(self._check, config)
        if verdict is not None:
            self.best = verdict
        return verdict is not None


def _plain(config: ExperimentConfig) -> Sections:
    plain = config.to_dict()
    return {section: plain[section] for section in SECTIONS}


def _smaller(plain: Sections) -> Iterator[Sections]:
    """Yield configurations with something taken away: whole sections, then halves, then single things."""
    yield {"feature_names": [], "feature_transformations": {}, "feature_weights": {}, "hyperparameters": {}}
    for section in SECTIONS:
        if plain[section]:
            yield {**plain, section: type(plain[section])()}
    features = sorted({*plain["feature_names"], *plain["feature_weights"], *plain["feature_transformations"]})
    for part in _parts(features):
        yield _without_features(plain, set(part))
    for section in ("feature_transformations", "feature_weights"):
        for part in _parts(list(plain[section])):
            yield {**plain, section: {key: value for key, value in plain[section].items() if key not in part}}
    for path in _places(plain["hyperparameters"], ()):
        yield _copied(plain, path, take_out)


def _parts(items: list[str]) -> Iterator[list[str]]:
    """Yield halves, quarters and so on, down to single items."""
    size = len(items) // 2
    while size > 1:
        for start in range(0, len(items), size):
            yield items[start : start + size]
        size //= 2
    for item in items:
        yield [item]


def _without_features(plain: Sections, gone: set[str]) -> Sections:
    left = {**plain, "feature_names": [name for name in plain["feature_names"] if name not in gone]}
    for section in ("feature_transformations", "feature_weights"):
        left[section] = {name: value for name, value in plain[section].items() if name not in gone}
    return left


def _places(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
    """Yield the path of everything inside a value, outer things first."""
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    inner = [((*path, step), item) for step, item in steps]
    yield from (place for place, _ in inner)
    for place, item in inner:
        yield from _places(item, place)


def _copied(plain: Sections, path: tuple[str | int, ...], change: Callable[..., Any], *arguments: Any) -> Sections:
    copy = _plain(ExperimentConfig(**plain))
    change(copy, ("hyperparameters", *path), *arguments)
    return copy


def _simpler(plain: Sections) -> Iterator[Sections]:
    """Yield configurations with one value made simpler."""
    for name, weight in plain["feature_weights"].items():
        for simple in _simple(weight):
            yield {**plain, "feature_weights": {**plain["feature_weights"], name: simple}}
    for path in _places(plain["hyperparameters"], ()):
        value: Any = plain["hyperparameters"]
        for step in path:
            value = value[step]
        for simple in _simple(value):
            yield _copied(plain, path, assign, simple)


def _simple(value: Any) -> list[Any]:
    """Return what a value might become, simplest first; nothing that is as long or longer."""
    if isinstance(value, bool) or value is None:
        return [False] if value else []
    if isinstance(value, int):
        return [simple for simple in (0, 1, value // 2) if abs(simple) < abs(value)]
    if isinstance(value, float):
        short = [0.0, 1.0, float(f"{value:.0f}") if abs(value) < 1e15 else 0.0, float(f"{value:.1g}")]
        return [simple for simple in short if len(repr(simple)) < len(repr(value)) or (value and not simple)]
    if isinstance(value, str):
        return [simple for simple in ("", value[: len(value) // 2]) if len(simple) < len(value)]
    return []
