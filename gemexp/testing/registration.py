"""What Hypothesis calls when it is imported: from then on it can draw an `ExperimentConfig`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gemexp.config import ExperimentConfig

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy


def register() -> None:
    """Tell Hypothesis that `gemexp.testing.strategies.configs` draws configurations."""
    from hypothesis import strategies as st

    st.register_type_strategy(ExperimentConfig, _configs)


def _configs(_: type) -> SearchStrategy[ExperimentConfig]:
    # Not before: importing Hypothesis leads here, and most who import it draw no configs.
    from gemexp.testing.strategies import configs

    return configs()
