"""Shared by all tests: Hypothesis's profiles, and an environment that no test can leak into another."""

import os

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
