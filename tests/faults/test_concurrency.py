"""Many processes at work on one store at once, some of them killed: nothing acknowledged is lost, and nobody waits."""

import os
import random
import signal
import subprocess
import sys
import time

import many_at_once
import pytest
from many_at_once import SHARED, Expected, config, entries, shared

from gemexp import ExperimentRegistry
from gemexp.store import layout

PATIENCE = 900
TOP = {layout.FORMAT_FILE, layout.ATTRIBUTES_FILE, layout.IGNORE_FILE}
# The index's lock is held by who writes that file, and nobody who reads or writes the store waits for it.
LOCAL = {"tmp", "trash", "packs", "journal", "index.sqlite", "index.sqlite.lock"}
TOP |= {layout.OBJECTS, layout.INDEX, layout.REFS, layout.PACKS, layout.LOCAL}


class Worker:
    """A process at work on a store, and its log."""

    def __init__(self, root, folder, role, seed, steps):
        self.role, self.seed, self.steps = role, seed, steps
        self.log = folder / f"{role}-{seed}-{len(list(folder.iterdir()))}"
        self._told = self.log.with_suffix(".told")
        self._killed = False
        command = [sys.executable, many_at_once.__file__, role, root, str(self.log), str(seed), str(steps)]
        with self._told.open("wb") as told:
            self._process = subprocess.Popen(command, stdout=told, stderr=told)

    @property
    def runs(self):
        return self._process.poll() is None

    def entries(self):
        return entries(self.log)

    def kill(self):
        self._killed = self._killed or self.runs
        self._process.kill()
        self._process.wait()

    def halt(self):
        """Stop the process wherever it is, for good."""
        self._process.send_signal(signal.SIGSTOP)
        self._killed = True

    def wait(self):
        self._process.wait(PATIENCE)

    def failure(self):
        """Return what went wrong; None if nothing did, but that it was killed."""
        if self.runs or self._killed or not self._process.returncode:
            return None
        return f"{self.log.name}: {self._process.returncode}: {self._told.read_text()[-3000:]}"


class Work:
    """The processes at work on a store."""

    def __init__(self, folder):
        self.root = str(folder / "store")
        self._logs = folder / "logs"
        self._logs.mkdir()
        self.all = []
        ExperimentRegistry(self.root)

    def start(self, role, seeds, steps=0):
        found = [Worker(self.root, self._logs, role, seed, steps) for seed in seeds]
        self.all += found
        return found

    def check(self):
        failures = "\n".join(failure for one in self.all if (failure := one.failure()))
        assert not failures, failures

    def stop(self):
        """Let those end that go on until they are told."""
        with open(f"{self.root}.stop", "w", encoding="ascii"):
            pass
        for one in self.all:
            one.wait()
        self.check()

    def said(self, word):
        """Return how often a kind of entry is in the logs."""
        return sum(entry[0] == word for one in self.all for entry in one.entries())


@pytest.fixture
def work(tmp_path):
    found = Work(tmp_path)
    yield found
    for one in found.all:
        one.kill()


def run(work, writers, draw, *, beside, kills=0, halts=0):
    """Let writers do their work beside what goes on all the time; return when all is over.

    Args:
        work: Where.
        writers: The writers.
        draw: What chance is drawn from.
        beside: Roles that go on all the time.
        kills: How many of the writers are killed; collectors and packers then are too, again and again.
        halts: How many of the writers are stopped in the middle of something until all others are done.
    """
    others = {role: work.start(role, [seed])[0] for seed, role in enumerate(beside)}
    chosen = draw.sample(writers, kills + halts)
    doomed = {one: (place < kills, 2 * draw.randrange(1, one.steps)) for place, one in enumerate(chosen)}
    halted, killed = set(chosen[kills:]), 0
    until, next_kill = time.monotonic() + PATIENCE, time.monotonic() + 2
    while any(one.runs for one in writers if one not in halted):
        assert time.monotonic() < until, "somebody waits"
        work.check()
        for one, (is_killed, lines) in list(doomed.items()):
            if len(one.entries()) > lines:
                (one.kill if is_killed else one.halt)()
                del doomed[one]
        role = draw.choice([role for role in others if role in ("collect", "pack")]) if kills else ""
        # Every other time only one that has done something: where many are at work, that takes long.
        if kills and time.monotonic() > next_kill and (killed % 2 or others[role].entries()):
            killed += 1
            others[role].kill()
            (others[role],) = work.start(role, [draw.randrange(2)])
            next_kill = time.monotonic() + 1 + 3 * draw.random()
        time.sleep(0.02)
    for one in halted:
        one.kill()
    work.stop()


def verify(work, writers):
    """Check that all that was acknowledged is there, asked for in several ways; return how much that was."""
    registry = ExperimentRegistry(work.root)
    assert registry.check().problems == []
    listed = {one.config_hash: one for one in registry.list_all(None)}
    by_tag = {tag: {one.config_hash for one in registry.search_by_tag(tag)} for tag in registry.tags()}
    names, done = registry.names(), 0
    for writer in writers:
        expected = Expected(writer.seed, writer.entries())
        done += expected.done
        for number, state in expected.states.items():
            if number not in expected.unknown:
                one = config(writer.seed, number)
                assert (one.config_hash in listed) == state["alive"], (writer.log, number, state)
                if state["alive"]:
                    verify_config(registry, listed[one.config_hash], one, state, by_tag)
        if expected.name is not None:
            assert names[f"of-{writer.seed}"] == config(writer.seed, expected.name).config_hash
    for one in map(shared, range(SHARED)):  # whoever came last won
        assert one.config_hash not in listed or listed[one.config_hash].description == one.description
    assert not listed.keys() & set(registry.hashes_with_prefix("", deleted=True))
    return done


def verify_config(registry, found, one, state, by_tag):
    assert (found.hyperparameters, found.description) == (one.hyperparameters, state["description"]), (one, state)
    assert set(found.tags) == state["tags"], (one, state)
    assert all((one.config_hash in by_tag.get(tag, ())) == (tag in state["tags"]) for tag in ("all", "late"))
    if state["runs"]:
        assert state["runs"] <= {registry.metrics(run.outcome)["loss"] for run in registry.runs(one.config_hash)}


def adds(work, processes, steps):
    writers = work.start("add_only", range(processes), steps)
    run(work, writers, random.Random(1), beside=["read"])  # noqa: S311 - not for secrets
    done = verify(work, writers)
    assert done == processes * steps
    assert len(ExperimentRegistry(work.root).list_all(None)) == done
    assert work.said("read") > 0
    return done


def everything(work, processes, steps, *, commands, bulk):
    draw = random.Random(processes)  # noqa: S311 - not for secrets
    writers = work.start("mixed", range(processes), steps)
    writers += work.start("by_command", range(100, 100 + commands), max(steps // 10, 5))
    writers += work.start("add_many", range(200, 200 + bulk), 3)
    beside = ["collect", "pack", "read", "check", "index"]
    run(work, writers, draw, beside=beside, kills=-(-len(writers) // 3), halts=2)
    done = verify(work, writers)
    assert done > processes * steps // 3
    for word in ("read", "checked"):
        assert work.said(word) > 0, word
    assert work.said("packed") + work.said("collected") > 0, "each is killed again and again"
    assert set(os.listdir(work.root)) <= TOP, "nothing but the store's own files"
    assert set(os.listdir(f"{work.root}/local")) <= LOCAL, "no lock"
    return done


def test_what_many_processes_add_at_once_is_there(work, count):
    count("acknowledged writes of processes at once, all there", adds(work, 8, 60))


def test_nothing_acknowledged_is_lost_while_others_collect_and_pack_and_are_killed(work, count):
    done = everything(work, 6, 50, commands=1, bulk=1)
    count("acknowledged writes of processes at once and killed, all there", done)


@pytest.mark.sweep
def test_all_8000_configs_of_16_processes_are_there(work, count):
    count("acknowledged writes of processes at once, all there", adds(work, 16, 500))


@pytest.mark.sweep
def test_nothing_of_16_processes_is_lost_while_others_collect_and_pack_and_are_killed(work, count):
    done = everything(work, 16, 500, commands=2, bulk=2)
    count("acknowledged writes of processes at once and killed, all there", done)
