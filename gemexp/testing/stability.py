"""Hash stability: a config keeps its hash through every format and through the store."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from gemexp import formats
from gemexp.compare import Diff
from gemexp.config import SECTIONS, ExperimentConfig, config_from_value
from gemexp.errors import InvalidInput
from gemexp.notation import inline, visible
from gemexp.registry import ExperimentRegistry
from gemexp.testing.differences import Difference
from gemexp.testing.pipelines import config_of, sections_of
from gemexp.testing.verdicts import Recheck, Verdict

HASH_STABILITY = "hash-stability"
RoundTrip = Callable[[ExperimentConfig], Any]


def hash_stability(config: ExperimentConfig, *, through: Mapping[str, RoundTrip] | None = None) -> Verdict:
    """Check that a configuration keeps its hash through JSON, YAML, TOML, copying, reordering and a store.

    Args:
        config: The configuration. TOML, which has no null, is left out where it cannot hold it.
        through: More round trips by name: functions of a config that return what comes back, such as one that pickles
            it and reads it again. A map is read as `gemexp.ExperimentConfig.from_dict` does.
    """
    holds = Verdict(HASH_STABILITY, "", config, holds=True, outcome=config.config_hash)
    compared = 0
    for name, trip in [*_trips(config), *(through or {}).items()]:
        compared += 1
        try:
            back = trip(config)
            other = back if isinstance(back, ExperimentConfig) else config_from_value(back)
            found = list(_differences(config, other))
        except Exception as error:  # noqa: BLE001 - whatever a user's serialiser raises
            told = f"raised {type(error).__qualname__}: {visible(str(error))}"
            found = [Difference((), config.config_hash, told)]
        if found:

            def again(smaller: ExperimentConfig) -> Verdict:
                return hash_stability(smaller, through=through)

            return holds.fails(
                f"through {name}", found, claim="the hash changes", compared=compared, again=Recheck(again)
            )
    return Verdict(HASH_STABILITY, "", config, holds=True, compared=compared, outcome=config.config_hash)


def _trips(config: ExperimentConfig) -> Iterator[tuple[str, RoundTrip]]:
    yield "JSON", lambda one: ExperimentConfig.from_json(one.to_json())
    yield "YAML", lambda one: formats.loads(formats.dumps(_sections(one), "yaml"), "yaml")
    if _fits_toml(_sections(config)):
        write = _toml_writer()
        yield "TOML", lambda one: formats.loads(write(_sections(one)), "toml")
    yield "copying", copy.deepcopy
    yield "another order", _reversed
    yield "a store", _through_a_store


def _sections(config: ExperimentConfig) -> dict[str, Any]:
    plain = config.to_dict()
    return {section: plain[section] for section in SECTIONS}


def _fits_toml(value: Any) -> bool:
    """Tell whether TOML can hold a value: it has no null, and no integer beyond 64 bits with a sign."""
    if isinstance(value, dict):
        return all(map(_fits_toml, value.values()))
    if isinstance(value, list):
        return all(map(_fits_toml, value))
    return value is not None and not (type(value) is int and value >= 2**63)


def _toml_writer() -> Callable[[dict[str, Any]], str]:
    try:
        import tomli_w
    except ImportError:
        raise InvalidInput("writing TOML needs tomli-w", hint="pip install 'gemexp[testing]'") from None
    return tomli_w.dumps


def _reversed(config: ExperimentConfig) -> ExperimentConfig:
    def turned(value: Any) -> Any:
        return {key: turned(value[key]) for key in reversed(value)} if isinstance(value, dict) else value

    sections = turned(sections_of(config))
    return config_of({**sections, "feature_names": config.feature_names[::-1]})


def _through_a_store(config: ExperimentConfig) -> ExperimentConfig:
    with tempfile.TemporaryDirectory(prefix="gemexp-check-") as folder:
        config_hash = ExperimentRegistry(folder).register(config)
        return ExperimentRegistry(folder, create=False).load(config_hash)


def _differences(config: ExperimentConfig, other: ExperimentConfig) -> Iterator[Difference]:
    for each in Diff(config, other):
        first, second = (
            "nothing" if each.change == gone else inline(value)
            for gone, value in (("added", each.old), ("removed", each.new))
        )
        yield Difference(each.path, first, second)
