"""What the plugin for pytest does once there is something to do: marked tests, and reports of what failed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from shlex import quote
from typing import Any

import pytest

from gemexp.config import ExperimentConfig
from gemexp.digest import short
from gemexp.errors import GemexpError, UsageError
from gemexp.notation import format_path, inline, visible
from gemexp.registry import ExperimentRegistry
from gemexp.testing.counterexamples import TAG, keep, store_here
from gemexp.testing.pipelines import Pipeline, pipeline_of
from gemexp.testing.sameness import same_outcome
from gemexp.testing.shrinking import shrunk
from gemexp.testing.verdicts import PropertyFailed, Verdict

_OPTIONS = frozenset({"config", "tag", "where", "runs", "isolate", "vary", "rtol", "atol"})
_SHRINKING_SECONDS = 20.0


def parametrize(metafunc: pytest.Metafunc, marker: pytest.Mark) -> None:
    """Give a marked test the configs that its marker names."""
    try:
        _check(marker)
        if "config" not in metafunc.fixturenames:
            hint = "def test_it(config): return train(config)"
            raise UsageError(f"'{metafunc.function.__name__}' takes no argument 'config'", hint=hint)
        configs = _configs(metafunc.config, marker)
    except GemexpError as error:
        hint = f"\nhint: {error.hint}" if error.hint else ""
        raise pytest.Collector.CollectError(f"{metafunc.definition.nodeid}: {error}{hint}") from None
    metafunc.parametrize("config", configs, ids=[short(config.config_hash) for config in configs])


def run(item: pytest.Function, marker: pytest.Mark) -> None:
    """Run a marked test several times, and require that what it returns is the same.

    Raises:
        PropertyFailed: It is not.
    """
    __tracebackhide__ = True
    options = dict(marker.kwargs)
    arguments: dict[str, Any] = {name: item.funcargs[name] for name in item._fixtureinfo.argnames}  # noqa: SLF001 - as pytest does
    config = arguments["config"]
    tolerance = {name: options[name] for name in ("rtol", "atol") if name in options}
    runs = options.get("runs", 3)

    def once(given: ExperimentConfig) -> Any:
        returned = item.obj(**{**arguments, "config": given})
        if returned is None:
            raise UsageError("a test marked 'reproducible' returned nothing", hint="return what is to be compared")
        return returned

    try:
        once_here = Pipeline(once, item.nodeid, "", None, "", "it is a test")
        _require(item, same_outcome(once_here, config, runs=runs - 1, isolate=False, **tolerance))
        if options.get("isolate"):
            if set(arguments) != {"config"}:
                hint = "leave out isolate=True, or the other arguments"
                raise UsageError("a test in a fresh process has the argument 'config' and no other", hint=hint)
            pipeline = pipeline_of(item.function)
            same_outcome(pipeline, config, runs=runs, vary=options.get("vary"), **tolerance).require()
    except GemexpError as error:
        if isinstance(error, PropertyFailed):
            raise
        if error.__cause__ is not None:
            raise error.__cause__ from None
        pytest.fail(f"{error}\nhint: {error.hint}" if error.hint else str(error), pytrace=False)


def sections(item: pytest.Item, error: BaseException) -> Iterator[tuple[str, str]]:
    """Yield what a report says of each property that a test failed over, having shrunk and stored what it failed on."""
    for failure in _failures(error):
        verdict = failure.verdict
        started = time.monotonic()
        # Hypothesis has done so where it drew the config.
        if not getattr(getattr(item, "obj", None), "is_hypothesis_test", False) and verdict.again is not None:
            verdict = replace(shrunk(verdict, seconds=_SHRINKING_SECONDS), replay=verdict.replay)
        lines = [str(verdict), *_told(verdict.config)]
        lines += _kept(item.config, verdict)
        if verdict.config.config_hash != failure.verdict.config.config_hash:
            seconds = time.monotonic() - started
            lines.append(f"shrunk from {short(failure.verdict.config.config_hash)} in {seconds:.1f} s")
        yield "gemexp: counterexample", "\n".join(lines)


def _require(item: pytest.Function, verdict: Verdict) -> None:
    __tracebackhide__ = True
    if not verdict.holds:
        place = item.nodeid.partition("[")[0]
        verdict = replace(verdict, replay=f"pytest {quote(place)}")
    verdict.require()


def _check(marker: pytest.Mark) -> None:
    unknown = sorted(set(marker.kwargs) - _OPTIONS)
    if unknown or marker.args:
        what = f"'{unknown[0]}'" if unknown else "an argument without a name"
        raise UsageError(
            f"the marker 'reproducible' does not take {what}", hint=f"it takes {', '.join(sorted(_OPTIONS))}"
        )
    named = [name for name in ("config", "tag", "where") if name in marker.kwargs]
    if not named or (len(named) > 1 and "config" in named):
        raise UsageError("the marker 'reproducible' needs config=REV, or tag=TAG and where=EXPRESSION, one or both")
    runs = marker.kwargs.get("runs", 3)
    if type(runs) is not int or runs < 2:
        raise UsageError(f"runs={runs!r} leaves nothing to compare", hint="such as runs=3")


def _configs(config: pytest.Config, marker: pytest.Mark) -> list[ExperimentConfig]:
    registry = _store(config)
    if registry is None:
        hint = "hand in --gemexp-store PATH, or make one with gemexp init"
        raise UsageError("there is no store to take configs from", hint=hint)
    rev = config.getoption("gemexp_config") or marker.kwargs.get("config")
    if rev is not None:
        return [registry.load(registry.resolve(rev))]
    found = registry.find(tag=marker.kwargs.get("tag"), where=marker.kwargs.get("where"))
    if not found:
        raise UsageError(f"no config in '{registry.root}' is one that the marker means")
    return found


def _store(config: pytest.Config) -> ExperimentRegistry | None:
    return store_here(config.getoption("gemexp_store"))


def _failures(error: BaseException) -> Iterator[PropertyFailed]:
    if isinstance(error, PropertyFailed):
        yield error
    elif isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from _failures(each)


def _told(config: ExperimentConfig) -> Iterator[str]:
    yield "the config is"
    plain = config.to_dict()
    for section in ("feature_names", "feature_weights", "feature_transformations"):
        if plain[section]:
            yield f"  {section}: {visible(inline(plain[section]))}"
    for name, value in plain["hyperparameters"].items():
        yield f"  {format_path(('hyperparameters', name))}: {visible(inline(value))}"
    if not any(plain[section] for section in ("feature_names", "feature_weights", "hyperparameters")):
        yield "  empty: it fails on any"


def _kept(config: pytest.Config, verdict: Verdict) -> Iterator[str]:
    registry = _store(config)
    if registry is None:
        yield "it is not stored: there is no store here; --gemexp-store PATH names one, and gemexp init makes one"
        return
    config_hash = keep(verdict, registry)
    yield f"it is stored in '{registry.root}' as {short(config_hash)}, with the tag {TAG}"
    command = verdict.command
    named = config.getoption("gemexp_store")
    if verdict.replay is not None:
        command = f"{command} --gemexp-config {short(config_hash)}" + (
            f" --gemexp-store {quote(named)}" if named else ""
        )
    elif named:
        command = command.replace("gemexp ", f"gemexp --store {quote(named)} ", 1)
    yield f"to run it again: {command}"
