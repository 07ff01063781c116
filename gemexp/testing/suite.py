"""Checking several properties on several configs, one after the other, and keeping what came of it."""

from __future__ import annotations

import time
import traceback
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from gemexp.config import ExperimentConfig, now
from gemexp.errors import InvalidInput, UsageError
from gemexp.testing.counterexamples import keep
from gemexp.testing.pipelines import Pipeline, PipelineFailed, pipeline_of
from gemexp.testing.properties import PROPERTIES, applicable, check
from gemexp.testing.shrinking import shrunk
from gemexp.testing.verdicts import Verdict

if TYPE_CHECKING:
    from gemexp.environment import Surroundings
    from gemexp.registry import ExperimentRegistry

HOLDS, FAILED, ERROR = "holds", "failed", "error"
# In the place of a pipeline where only properties are checked that need none.
NO_PIPELINE = "-"

_NEED_NO_PIPELINE = ("hash-stability",)


class Settings(NamedTuple):
    """How to check.

    Args:
        properties: Names of the properties; those that can be checked if there are none.
        runs: How often the pipeline runs.
        isolate: It runs in fresh processes.
        vary: What is different in them; everything if not given.
        rtol: Floats may differ by ``atol + rtol * max(abs(a), abs(b))``.
        atol: As ``rtol``.
        seed: Path of the seed in the config.
        matters: The seed must make a difference.
        inputs: Where the inputs of a pipeline are that takes some: ``module:function``.
        transform: Where the function is that changes a config without changing, or with a known change of, the outcome.
        relation: Where the function is that tells whether both outcomes go together.
    """

    properties: tuple[str, ...] = ()
    runs: int = 3
    isolate: bool = True
    vary: tuple[str, ...] | None = None
    rtol: float = 0.0
    atol: float = 0.0
    seed: str | None = None
    matters: bool = False
    inputs: str | None = None
    transform: str | None = None
    relation: str | None = None

    def options(self) -> dict[str, Any]:
        """Return what properties may take of it."""
        return {name: value for name, value in self._asdict().items() if name != "properties" and value is not None}

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, as a record of the check holds it."""
        found = {name: list(value) if name == "vary" else value for name, value in self.options().items()}
        return {name: value for name, value in found.items() if value is not False or name == "isolate"}


class Result(NamedTuple):
    """What checking one property on one config came to.

    Args:
        name: The property.
        config: The configuration.
        verdict: ``holds``, ``failed``, or ``error`` if the pipeline raised one.
        found: What the property says; None where the pipeline raised an error.
        message: What went wrong, in one line; empty if nothing did.
        seconds: How long it took.
        smallest: The verdict on the smallest configuration found that fails too; None if none was looked for.
        kept: Hash of that configuration in the store; None if it is not kept.
    """

    name: str
    config: ExperimentConfig
    verdict: str
    found: Verdict | None
    message: str
    seconds: float
    smallest: Verdict | None = None
    kept: str | None = None

    @property
    def counterexample(self) -> Verdict | None:
        """The verdict that says most plainly what fails."""
        if self.smallest is not None:  # a verdict that fails is false
            return self.smallest
        return self.found if self.verdict == FAILED else None

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        told: dict[str, Any] = {"property": self.name, "config_hash": self.config.config_hash, "verdict": self.verdict}
        told |= {"message": self.message, "seconds": self.seconds, "counterexample": None, "command": None}
        if self.found is not None:
            told |= {"outcome": self.found.outcome, "compared": self.found.compared}
        failed = self.counterexample
        if failed is not None:
            told |= {"counterexample": {**failed.config.to_dict(), "kept": self.kept is not None}}
            told |= {"command": failed.command, "report": failed.to_dict()}
        return told


def imported(name: str) -> Pipeline | None:
    """Return the pipeline of a name; None where no property needs one, which is written as ``-``.

    Raises:
        InvalidInput: Its module cannot be imported; the cause is what it raised.
        NotFound: There is no such module, or no such function in it.
    """
    if name == NO_PIPELINE:
        return None
    try:
        return pipeline_of(name)
    except PipelineFailed as error:
        raise _closed(name, error.__cause__ or error) from error.__cause__
    except SystemExit as error:
        raise _closed(name, error) from error


def _closed(name: str, error: BaseException) -> InvalidInput:
    """Return what is told of a module that raised an error when it was imported."""
    module = name.rpartition(":")[0]
    told = f"'{module}' cannot be imported: {type(error).__name__}: {error}{_place(error)}"
    return InvalidInput(told.replace("\n", " "), hint="with GEMEXP_DEBUG=1 its traceback is shown")


def chosen(
    registry: ExperimentRegistry | None,
    revs: Sequence[str],
    *,
    tag: str | None = None,
    where: str | None = None,
    generate: int | None = None,
    seed: int = 0,
) -> list[ExperimentConfig]:
    """Return the configs to check: those of some revisions, those with a tag or that match, or drawn ones.

    Args:
        registry: The opened store, if there is one.
        revs: The revisions.
        tag: The tag.
        where: The expression.
        generate: Draw so many, like those in the store that carry the tag and match; any if there is none.
        seed: Another one draws others.

    Raises:
        UsageError: Nothing, or things that exclude each other, are asked for.
        InvalidInput: There are none such.
        NotFound, AmbiguousPrefix: See `gemexp.revision.resolve`.
    """
    if bool(revs) + (generate is not None or tag is not None or where is not None) != 1:
        hint = "name configs by REV, by --tag and --where, or have some drawn with --generate"
        raise UsageError(
            "which configs to check is not said" if not revs else "REV goes with no other choice", hint=hint
        )
    if generate is not None:
        return _drawn(registry, tag, where, generate, seed)
    if registry is None:
        raise InvalidInput(
            "there is no store to take configs from", hint="gemexp init makes one; --generate needs none"
        )
    found = [registry.load(registry.resolve(rev)) for rev in revs] or registry.find(tag=tag, where=where)
    if not found:
        raise InvalidInput("no config is one of those asked for", hint="gemexp list shows all")
    return list({config.config_hash: config for config in found}.values())


def names_for(configs: Iterable[ExperimentConfig], pipeline: Pipeline | None, settings: Settings) -> list[list[str]]:
    """Return the names of the properties to check on each config.

    Raises:
        InvalidInput: There is no such property, or none can be checked.
    """
    for name in settings.properties:
        if name not in PROPERTIES:
            raise InvalidInput(f"there is no property '{name}'", hint=f"there are {', '.join(PROPERTIES)}")
        if pipeline is None and name not in _NEED_NO_PIPELINE:
            raise InvalidInput(f"the property '{name}' needs a pipeline", hint="name one as MODULE:FUNCTION")
    wanted = list(dict.fromkeys(settings.properties))
    if pipeline is None:
        return [wanted or list(_NEED_NO_PIPELINE) for _ in configs]
    return [wanted or applicable(config, **settings.options()) for config in configs]


def run(
    pipeline: Pipeline | None,
    configs: Sequence[ExperimentConfig],
    settings: Settings,
    *,
    registry: ExperimentRegistry | None = None,
    surroundings: Surroundings | None = None,
) -> Iterator[Result]:
    """Check properties on configs, and yield what each came to.

    The first config that a property fails on is shrunk. Where there is a registry, what failed is kept in it with the
    tag ``counterexample``, and what was found of each config that is in it is recorded.

    Args:
        pipeline: What to check.
        configs: On what.
        settings: How.
        registry: Where to keep counterexamples and record verdicts; nothing is written if not given.
        surroundings: What it runs in, for the record; what is so now if not given.

    Raises:
        InvalidInput: A property cannot be checked.
    """
    shrunken: set[str] = set()
    for config, names in zip(configs, names_for(configs, pipeline, settings), strict=True):
        started = now()
        results = []
        for name in names:
            result = _checked(name, pipeline, config, settings)
            if result.verdict == FAILED:
                result = _kept(result, registry, shrink=name not in shrunken)
                shrunken.add(name)
            results.append(result)
            yield result
        if registry is not None:
            _record(registry, pipeline, results, settings, started, surroundings)


def _drawn(
    registry: ExperimentRegistry | None, tag: str | None, where: str | None, count: int, seed: int
) -> list[ExperimentConfig]:
    try:
        from gemexp.testing import strategies
        from gemexp.testing.drawing import drawn
    except ModuleNotFoundError as error:
        if error.name != "hypothesis":
            raise
        raise InvalidInput("drawing configs needs Hypothesis", hint="pip install 'gemexp[testing]'") from None
    asked = tag is not None or where is not None
    if registry is None and asked:
        raise InvalidInput("there is no store to take configs from", hint="gemexp init makes one")
    if registry is not None and (asked or registry.find(limit=1)):
        return drawn(strategies.configs_like(registry, tag=tag, where=where), count, seed_=seed)
    return drawn(strategies.configs(), count, seed_=seed)


def _checked(name: str, pipeline: Pipeline | None, config: ExperimentConfig, settings: Settings) -> Result:
    began = time.perf_counter()
    found, message = None, ""
    try:
        found = check(name, NO_PIPELINE if pipeline is None else pipeline, config, **settings.options())
        verdict = HOLDS if found else FAILED
        if not found:
            message = f"the outcome differs {found.when}".rstrip()
    except PipelineFailed as error:
        verdict, message = ERROR, str(error).partition("\n")[0]
    return Result(name, config, verdict, found, message, time.perf_counter() - began)


def _kept(result: Result, registry: ExperimentRegistry | None, *, shrink: bool) -> Result:
    """Look for the smallest config that fails, if that is asked for, and keep what fails in the store."""
    if result.found is None:
        return result
    smallest = shrunk(result.found) if shrink and result.found.again is not None else None
    failed = result.found if smallest is None else smallest
    return result._replace(smallest=smallest, kept=None if registry is None else keep(failed, registry))


def _record(
    registry: ExperimentRegistry,
    pipeline: Pipeline | None,
    results: Sequence[Result],
    settings: Settings,
    started: str,
    surroundings: Surroundings | None,
) -> None:
    """Record what was found of a config, and of what it was shrunk to, unless it is a drawn one that is not kept."""
    about: dict[str, dict[str, dict[str, Any]]] = {}
    for result in results:
        about.setdefault(result.config.config_hash, {})[result.name] = _said(
            result.verdict, result.found, result.message
        )
        smallest = result.smallest
        if smallest is not None and smallest.config.config_hash != result.config.config_hash:
            told = _said(FAILED, smallest, f"the outcome differs {smallest.when}".rstrip())
            about.setdefault(smallest.config.config_hash, {})[result.name] = told
    name = NO_PIPELINE if pipeline is None else pipeline.name
    for config_hash, verdicts in about.items():
        if registry.metadata(config_hash).puts:
            registry.record_check(
                config_hash, name, verdicts, settings=settings.to_dict(), started=started, surroundings=surroundings
            )


def _said(verdict: str, found: Verdict | None, message: str) -> dict[str, Any]:
    """Return what is recorded of a verdict."""
    told: dict[str, Any] = {"verdict": verdict}
    if message:
        told["message"] = message
    if found is not None:
        told |= {"compared": found.compared, "outcome": found.outcome, **found.tolerance._asdict()}
        if found.factors:
            told["factors"] = list(found.factors)
    return told


def _place(error: BaseException) -> str:
    """Return where in the user's own code an error came from."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith("<frozen")]
    last = frames[-1] if frames else None
    if last is None or isinstance(error, SyntaxError) or last.filename.startswith(__file__.rpartition("/")[0]):
        return ""
    return f" ('{last.filename}', line {last.lineno})"
