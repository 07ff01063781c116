"""Walk-forward backtests of scoring configurations on panels of real prices.

Needs numpy (``pip install 'gemexp[backtest]'``), which is imported when the first name that needs it is used.
The rules, and how the specification was read, are in ``docs/explanation/backtest.md``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gemexp.backtest.deflated import deflated_sharpe
    from gemexp.backtest.engine import Evaluation, Workspace, evaluate, run_backtest
    from gemexp.backtest.outcome import Outcome
    from gemexp.backtest.panel import Panel
    from gemexp.backtest.panel_file import read_panel, sample_panel
    from gemexp.backtest.parameters import Parameters, experiment_of
    from gemexp.backtest.selection import default_config

_HOMES = {
    "Evaluation": "engine",
    "Outcome": "outcome",
    "Panel": "panel",
    "Parameters": "parameters",
    "Workspace": "engine",
    "deflated_sharpe": "deflated",
    "default_config": "selection",
    "evaluate": "engine",
    "experiment_of": "parameters",
    "read_panel": "panel_file",
    "run_backtest": "engine",
    "sample_panel": "panel_file",
}

__all__ = [
    "Evaluation",
    "Outcome",
    "Panel",
    "Parameters",
    "Workspace",
    "default_config",
    "deflated_sharpe",
    "evaluate",
    "experiment_of",
    "read_panel",
    "run_backtest",
    "sample_panel",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'gemexp.backtest' has no attribute '{name}'")
    from importlib import import_module

    value = getattr(import_module(f"gemexp.backtest.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
