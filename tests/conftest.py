"""Shared by all tests: Hypothesis's profiles, an environment that no test can leak into another, and counts.

A test that tries many cases tells how many with the fixture ``count``: ``count("bit flips", 4321)``. The terminal
summary adds them up over all tests, also over the processes of pytest-xdist. It is here, and not beside the tests that
use it, since the process that prints the summary reads only this file.
"""

import os
from collections import Counter

import pytest
from hypothesis import HealthCheck, settings

from gemexp import ExperimentRegistry

_SLOW_STORES = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
settings.register_profile("dev", deadline=None, suppress_health_check=_SLOW_STORES)
# Derandomised, so that a failure repeats; GEMEXP_SWEEP asks for many more examples.
settings.register_profile("ci", deadline=None, derandomize=True, suppress_health_check=_SLOW_STORES)
settings.register_profile("sweep", deadline=None, max_examples=2000, suppress_health_check=_SLOW_STORES)
settings.load_profile("sweep" if os.environ.get("GEMEXP_SWEEP") else "ci" if os.environ.get("CI") else "dev")


@pytest.fixture(autouse=True)
def _neutral_environment(monkeypatch):
    for name in ("GEMEXP_DIR", "GEMEXP_DEBUG", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def registry(tmp_path):
    return ExperimentRegistry(tmp_path / "store")


@pytest.fixture
def count(request):
    """Return a function that adds to a count in the terminal summary: ``count("crash states", 12)``."""

    def add(what, number=1):
        request.node.user_properties.append((f"count of {what}", number))

    return add


def pytest_terminal_summary(terminalreporter):
    counts = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", None) == "call":
                for name, number in report.user_properties:
                    if name.startswith("count of "):
                        counts[name.removeprefix("count of ")] += number
    if counts:
        terminalreporter.section("counts")
        for what, number in sorted(counts.items()):
            terminalreporter.write_line(f"{number:>9,} {what}")
