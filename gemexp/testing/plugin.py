"""The plugin for pytest: ``@pytest.mark.reproducible``, the fixture ``experiment_store``, and counterexamples.

pytest imports this at each start. It imports nothing but pytest, which is there already; what it needs to do something
is imported when there is something to do.
"""

from __future__ import annotations

import sys

import pytest

TYPE_CHECKING = False  # true for a type checker; importing typing has a cost at each start
if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from gemexp.registry import ExperimentRegistry

MARKER = "reproducible"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("gemexp", "reproducibility")
    group.addoption(
        "--gemexp-store",
        metavar="PATH",
        help="the store whose configs the marker 'reproducible' means, and that keeps counterexamples; "
        "if not given, the nearest .gemexp upwards",
    )
    group.addoption(
        "--gemexp-config",
        metavar="REV",
        help="run tests marked 'reproducible' with this config instead of those that they name",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Describe the marker."""
    config.addinivalue_line(
        "markers",
        f"{MARKER}(config=REV | tag=TAG | where=EXPRESSION, runs=3, isolate=False, vary=None, rtol=0, atol=0): "
        "what the test returns for a config of the store is the same each time",
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Hand the configs that a marker names to the test, one by one."""
    marker = metafunc.definition.get_closest_marker(MARKER)
    if marker is not None:
        from gemexp.testing import marked

        marked.parametrize(metafunc, marker)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a marked test as often as it says, and compare what it returns."""
    __tracebackhide__ = True
    marker = pyfuncitem.get_closest_marker(MARKER)
    if marker is None:
        return None
    from gemexp.testing import marked

    marked.run(pyfuncitem, marker)
    return True


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add to the report of a test that failed over a property which config it failed on, and where that is kept."""
    report = yield
    # Nothing can have failed over a property unless the module of verdicts is there.
    if call.when == "call" and call.excinfo is not None and "gemexp.testing.verdicts" in sys.modules:
        from gemexp.testing import marked

        report.sections += marked.sections(item, call.excinfo.value)
    return report


@pytest.fixture
def experiment_store(tmp_path: Path) -> ExperimentRegistry:
    """An empty store in the test's temporary folder, opened."""
    from gemexp.registry import ExperimentRegistry

    return ExperimentRegistry(tmp_path / "experiments.gemexp")
