"""Hostile bytes by the ten thousand: good inputs with damage of all kinds, the same ones in every run.

``GEMEXP_FUZZ_SEED`` draws others, ``GEMEXP_FUZZ_TIMES`` so many times as many; the slowest input is told then. An
input that fails is kept in a file that the failure names: copied to ``corpus/<target>/`` it is tried from then on.
"""

import contextlib
import os
import random
import signal
import threading
import time
import warnings

import pytest
from fuzz_mutator import Mutator
from fuzz_targets import EXPECTED, TARGETS

from gemexp.errors import DamageWarning, RivalWarning

SEED = os.environ.get("GEMEXP_FUZZ_SEED", "20240131")
TIMES = float(os.environ.get("GEMEXP_FUZZ_TIMES", "1"))
# No measure of speed: what takes so much of the processor's time would never end.
HUNG_SECONDS = 30


class Hung(BaseException):
    """An input that never ends; nothing that is caught on the way."""


@contextlib.contextmanager
def bounded():
    """Let no input take all time there is."""
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return

    def give_up(_number, _frame):
        raise Hung

    before = signal.signal(signal.SIGVTALRM, give_up)
    try:
        yield lambda: signal.setitimer(signal.ITIMER_VIRTUAL, HUNG_SECONDS)
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def attempt(run, data, tmp_path):
    try:
        with contextlib.suppress(*EXPECTED):
            run(data)
    except BaseException as error:
        kept = tmp_path / "input"
        kept.write_bytes(data)
        error.add_note(f"with the input {data[:300]!r}, which is kept in {kept}")
        raise


@pytest.fixture
def quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DamageWarning)
        warnings.simplefilter("ignore", RivalWarning)
        yield


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
@pytest.mark.usefixtures("quiet")
def test_bytes_that_anyone_may_have_made_raise_only_what_is_expected(target, tmp_path, count):
    (tmp_path / "work").mkdir()
    run = target.make(tmp_path / "work")
    kept = target.corpus()
    draws = random.Random(f"{SEED} {target.name}")  # noqa: S311 - the same in every run
    mutator = Mutator(draws, kept, target.tokens)
    wanted = int(target.inputs * TIMES)
    slowest = (0.0, b"")
    with bounded() as begin:
        for data in [*kept, *(mutator.input() for _ in range(wanted))]:
            begin()
            began = time.process_time()
            attempt(run, data, tmp_path)
            slowest = max(slowest, (time.process_time() - began, data))
    if slowest[0] > 2 or "GEMEXP_FUZZ_SEED" in os.environ:
        (tmp_path / "slowest").write_bytes(slowest[1])
        print(f"{target.name}: {slowest[0]:.3f} s for the input in {tmp_path / 'slowest'}")  # noqa: T201
    count(f"fuzz inputs: {target.name}", len(kept) + wanted)
    count("fuzz inputs in all", len(kept) + wanted)
