"""The sound twins: no property says of them that it does not hold, however often it is checked, on whatever config."""

import os

import pytest
from catalogue_of_faults import FAULTS, rich_config
from hypothesis import strategies as st

from gemexp.testing import Processes, no_look_ahead, pipeline_of, same_outcome
from gemexp.testing.drawing import drawn
from gemexp.testing.properties import applicable, check
from gemexp.testing.strategies import configs

REPETITIONS = 200 if os.environ.get("GEMEXP_SWEEP") else 3
each_twin = pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
CONFIGS = configs(
    ["momentum", "size", "value", "quality"],
    {
        "lr": st.floats(1e-4, 1.0),
        "k": st.integers(1, 8),
        "seed": st.integers(0, 2**31),
        "window": st.integers(1, 30),
        "batch": st.integers(1, 512),
        "warm": st.booleans(),
    },
)


@each_twin
def test_the_property_that_catches_its_twin_holds(fault, monkeypatch):
    for name, text in fault.environment.items():
        monkeypatch.setenv(name, text)
    check(fault.caught_by, fault.sound, rich_config(), **fault.options).require()


@pytest.mark.slow
@each_twin
def test_no_false_alarm_however_often(fault):
    every = drawn(CONFIGS, REPETITIONS)
    assert len(every) == REPETITIONS
    if fault.name == "look_ahead":
        for config in every:
            no_look_ahead(fault.sound, config, fault.options["inputs"], runs=2).require()
        return
    with Processes(pipeline_of(fault.sound)) as processes:
        for config in every:
            verdict = same_outcome(fault.sound, config, processes=processes)
            assert verdict.holds, verdict
    same_outcome(fault.sound, every[0], runs=max(3, REPETITIONS // 10)).require()
    for config in every:
        for name in applicable(config, **fault.options):
            # What is left needs no process of its own to be told apart.
            if name != "same-outcome":
                verdict = check(name, fault.sound, config, isolate=False, **fault.options)
                assert verdict.holds, verdict
