"""Walk-forward backtests of scoring configurations on panels of real prices.

Needs numpy (``pip install 'gemexp[backtest]'``), which is imported when the first name that needs it is used.
The rules, and how the specification was read, are in ``docs/explanation/backtest.md``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gemexp.backtest.deflated import deflated_sharpe
    from gemexp.backtest.engine import Evaluation, Workspace, evaluate, run_backtest
    from gemexp.backtest.grid import Grid, grid_from_value, read_grid
    from gemexp.backtest.outcome import Outcome
    from gemexp.backtest.panel import Panel
    from gemexp.backtest.panel_file import read_panel, sample_panel
    from gemexp.backtest.parameters import Parameters, experiment_of
    from gemexp.backtest.selection import default_config
    from gemexp.backtest.sweep import Sweep, SweepInterrupted, run_sweep
    from gemexp.backtest.sweep_plan import Plan, plan_sweep

_HOMES = {
    "Evaluation": "engine",
    "Grid": "grid",
    "Outcome": "outcome",
    "Panel": "panel",
    "Parameters": "parameters",
    "Plan": "sweep_plan",
    "Sweep": "sweep",
    "SweepInterrupted": "sweep",
    "Workspace": "engine",
    "deflated_sharpe": "deflated",
    "default_config": "selection",
    "evaluate": "engine",
    "experiment_of": "parameters",
    "grid_from_value": "grid",
    "plan_sweep": "sweep_plan",
    "read_grid": "grid",
    "read_panel": "panel_file",
    "run_backtest": "engine",
    "run_sweep": "sweep",
    "sample_panel": "panel_file",
}

__all__ = [
    "Evaluation",
    "Grid",
    "Outcome",
    "Panel",
    "Parameters",
    "Plan",
    "Sweep",
    "SweepInterrupted",
    "Workspace",
    "default_config",
    "deflated_sharpe",
    "evaluate",
    "experiment_of",
    "grid_from_value",
    "plan_sweep",
    "read_grid",
    "read_panel",
    "run_backtest",
    "run_sweep",
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
