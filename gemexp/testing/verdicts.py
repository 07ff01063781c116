"""What checking a property gave."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from itertools import islice
from shlex import quote
from typing import Any, NamedTuple

from gemexp.config import ExperimentConfig
from gemexp.digest import short
from gemexp.errors import GemexpError
from gemexp.testing.differences import EXACT, Difference, Tolerance

MAX_DIFFERENCES = 20


class PropertyFailed(GemexpError, AssertionError):
    """A property does not hold; ``verdict`` says of which pipeline, on which config, and what differed."""

    kind = "property-failed"

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(str(verdict), hint=f"to run it again: {verdict.command}")
        self.verdict = verdict

    def details(self) -> dict[str, Any]:  # noqa: D102 - as the root's
        return self.verdict.to_dict()


Check = Callable[[ExperimentConfig], "Verdict"]


class Recheck(NamedTuple):
    """Checks once more what failed, on other configurations.

    Args:
        check: Checks one.
        keeping: While its block lasts, many may share processes, which is quicker and may mislead.
    """

    check: Check
    keeping: Callable[[], AbstractContextManager[None]] = nullcontext


@dataclass(frozen=True)
class Verdict:
    """Whether a property of a pipeline holds on a config.

    Attributes:
        name: The property's name, such as ``same-outcome``.
        pipeline: The pipeline's name, ``module:function`` or ``file.py:function``; empty if the property needs none.
        config: The configuration.
        holds: Whether it holds.
        claim: What is wrong if it does not hold.
        when: What was done when that was seen, such as ``with PYTHONHASHSEED=1``; empty if it holds.
        differences: Where the outcomes differ, the first 20.
        compared: How many outcomes were compared with the first.
        tolerance: How far floats may lie apart.
        outcome: The digest of the first outcome; None if there is none to speak of.
        options: Of a command that checks it again, what the property needs to know: text by option.
        factors: What had to be changed for the outcome to differ, by the names in `gemexp.testing.worlds`.
        replay: The command that checks it again, if it is not `gemexp check`.
        again: Checks what failed once more, on another configuration; None if the property holds.
    """

    name: str
    pipeline: str
    config: ExperimentConfig
    holds: bool
    claim: str = "the outcome differs"
    when: str = ""
    differences: tuple[Difference, ...] = ()
    compared: int = 0
    tolerance: Tolerance = EXACT
    outcome: str | None = None
    options: dict[str, str] = field(default_factory=dict)
    factors: tuple[str, ...] = ()
    replay: str | None = None
    again: Recheck | None = field(default=None, repr=False, compare=False)

    def require(self) -> Verdict:
        """Return this if the property holds.

        Raises:
            PropertyFailed: It does not; an AssertionError too.
        """
        __tracebackhide__ = True  # pytest shows where this was called
        if not self.holds:
            raise PropertyFailed(self)
        return self

    def __bool__(self) -> bool:
        return self.holds

    @property
    def command(self) -> str:
        """The command that checks this property on this configuration, once it is in a store."""
        if self.replay is not None:
            return self.replay
        options = {"property": self.name, **self.options}
        if self.tolerance != EXACT:
            options |= {"rtol": repr(self.tolerance.rtol), "atol": repr(self.tolerance.atol)}
        words = [f"--{name} {quote(text)}" if text else f"--{name}" for name, text in options.items()]
        # A property of configs alone needs no pipeline, but a command one name in its place.
        subject = quote(self.pipeline) if self.pipeline else "-"
        return " ".join(["gemexp check", subject, short(self.config.config_hash), *words])

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {
            "property": self.name,
            "pipeline": self.pipeline,
            "config_hash": self.config.config_hash,
            "holds": self.holds,
            "claim": self.claim,
            "when": self.when,
            "factors": list(self.factors),
            "differences": [each.to_dict() for each in self.differences],
            "compared": self.compared,
            **self.tolerance._asdict(),
            "outcome": self.outcome,
            "options": dict(self.options),
        }

    def __str__(self) -> str:
        subject = f"'{self.pipeline}'" if self.pipeline else "the config"
        if self.holds:
            return f"{self.name} holds for {subject}"
        lines = [f"{self.name} does not hold for {subject}: {self.claim} {self.when}".rstrip()]
        lines += [f"  {each}" for each in self.differences]
        if len(self.differences) == MAX_DIFFERENCES:
            lines.append("  ...")
        if self.tolerance != EXACT:
            lines.append(f"  with rtol={self.tolerance.rtol!r}, atol={self.tolerance.atol!r}")
        return "\n".join(lines)

    def fails(self, when: str, differing: Iterable[Difference], **changes: Any) -> Verdict:
        """Return the same verdict with another answer: that the outcome differed."""
        return replace(self, holds=False, when=when, differences=tuple(islice(differing, MAX_DIFFERENCES)), **changes)
