"""One of many processes at work on one store: ``python many_at_once.py ROLE STORE LOG SEED STEPS``.

A writer says in its log what it is about to do, and once the call has returned, that it is done: a log is cut short
only by whoever kills the process. `Expected` tells what a log promises. The other roles go on until the file
``STORE.stop`` is there.
"""

import contextlib
import json
import os
import random
import subprocess
import sys
import time
import warnings

from gemexp import ExperimentConfig, ExperimentRegistry, NotFound
from gemexp.errors import DamageWarning
from gemexp.store import at_work

SHARED = 6
BULK = 1000  # from so many on, configs are written as a pack
TO_LIVING = ["tag", "untag", "describe", "name", "record", "delete", "delete"]
ACTS = ["add"] * 5 + TO_LIVING + ["restore", "again"]


def config(writer, number):
    """Return the config that a writer adds under a number."""
    return ExperimentConfig(
        ["a"],
        {"a": 0.5},
        {"writer": writer, "number": number, "filling": "x" * (number % 7 * 100)},
        tags=["all", f"group {writer % 4}"],
        description=f"{writer} of {number}",
    )


def shared(number):
    """Return a config that all writers add and delete."""
    return ExperimentConfig([], {}, {"shared": number}, tags=["shared"], description=f"shared {number}")


class Log:
    """The log of one process."""

    def __init__(self, path):
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def say(self, *words):
        os.write(self._file, f"{json.dumps(words)}\n".encode())


def entries(path):
    """Return what a log says; a line that was cut short is left out."""
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.endswith("\n")]


class Library:
    """Acts in process."""

    def __init__(self, root):
        self.registry = ExperimentRegistry(root)

    def add(self, config):
        self.registry.register(config)

    def tag(self, config_hash, tag):
        self.registry.tag(config_hash, [tag])

    def untag(self, config_hash, tag):
        self.registry.untag(config_hash, [tag])

    def describe(self, config_hash, text):
        self.registry.describe(config_hash, text)

    def delete(self, config_hash):
        if not self.registry.delete(config_hash):
            raise NotFound("it was not there", subject=config_hash)

    def restore(self, config_hash):
        self.registry.restore(config_hash)

    def name(self, name, config_hash):
        self.registry.move_name(name, config_hash)

    def record(self, config_hash, number):
        self.registry.record(config_hash, {"loss": number / 7}, artifacts={"log.txt": b"%d" % number}, data=number)


class Commands:
    """Acts by the command line, a process for each command."""

    def __init__(self, root):
        self._environment = {**os.environ, "GEMEXP_DIR": root}

    def _run(self, *arguments, given=None):
        command = [sys.executable, "-m", "gemexp", *arguments]
        done = subprocess.run(command, env=self._environment, input=given, capture_output=True, text=True, check=False)
        if done.returncode == 3:
            raise NotFound(done.stderr, subject=arguments[0])
        assert (done.returncode, done.stderr) == (0, ""), (arguments, done)

    def add(self, config):
        tags = [word for tag in config.tags for word in ("-t", tag)]
        settings = {key: value for key, value in config.to_dict().items() if key.startswith(("feature", "hyper"))}
        self._run("add", "-", "-d", config.description, *tags, given=json.dumps(settings))

    def tag(self, config_hash, tag):
        self._run("tag", config_hash, tag)

    def untag(self, config_hash, tag):
        with contextlib.suppress(NotFound):  # it did not carry the tag
            self._run("tag", "-d", config_hash, tag)

    def describe(self, config_hash, text):
        self._run("describe", config_hash, text)

    def delete(self, config_hash):
        self._run("delete", "--force", config_hash)

    def restore(self, config_hash):
        self._run("restore", config_hash)

    def name(self, name, config_hash):
        self._run("name", name, config_hash)

    def record(self, config_hash, number):
        self._run("record", config_hash, "-m", f"loss={number / 7}")


def add_only(root, log, writer, steps):
    """Add configs, one after the other."""
    acts = Library(root)
    for number in range(steps):
        log.say("begin", "add", number)
        acts.add(config(writer, number))
        log.say("done")


def add_many(root, log, writer, steps):
    """Add many configs at once, which makes packs; some are added and deleted by others too."""
    registry = ExperimentRegistry(root)
    for step in range(steps):
        numbers = range(step * BULK, step * BULK + BULK)
        log.say("begin", "add many", numbers.start, numbers.stop)
        registry.add_many([*(config(writer, number) for number in numbers), *map(shared, range(SHARED))])
        log.say("done")


def mixed(root, log, writer, steps):
    """Do everything that can be done to configs of one's own, and some to those that all have in common."""
    _mix(Library(root), log, writer, steps)


def by_command(root, log, writer, steps):
    """Do everything that can be done to configs of one's own, by the command line."""
    _mix(Commands(root), log, writer, steps)


def _mix(acts, log, writer, steps):
    draw = random.Random(writer)  # noqa: S311 - not for secrets
    alive, deleted, ever_deleted = set(), set(), set()
    for step in range(steps):
        act = draw.choice(ACTS)
        among = alive if act in TO_LIVING else deleted
        if act == "add" or len(among) < 2:
            act, number = "add", step
        else:
            number = draw.choice(sorted(among))
        log.say("begin", act, number)
        try:
            _act(acts, act, writer, number, step)
        except NotFound:
            # It was collected and is gone for good; or it was added again just now, and a collector that had seen it
            # deleted took it away for the moment that it needs to see that it is not any more.
            assert number in ever_deleted, (act, number)
            log.say("refused")
            continue
        log.say("done", step)
        if act == "delete":
            ever_deleted.add(number)
        (deleted if act == "delete" else alive).add(number)
        (alive if act == "delete" else deleted).discard(number)
        if isinstance(acts, Library) and draw.random() < 0.2:
            _fight(acts.registry, draw)


def _act(acts, act, writer, number, step):
    one = config(writer, number)
    if act in ("add", "again"):
        acts.add(one)
    elif act in ("tag", "untag"):
        getattr(acts, act)(one.config_hash, "late")
    elif act == "describe":
        acts.describe(one.config_hash, f"step {step}")
    elif act == "name":
        acts.name(f"of-{writer}", one.config_hash)
    elif act == "record":
        acts.record(one.config_hash, step)
    else:
        getattr(acts, act)(one.config_hash)


def _fight(registry, draw):
    """Add or delete a config that all others add and delete too."""
    one = shared(draw.randrange(SHARED))
    if draw.random() < 0.5:
        registry.register(one)
    else:
        registry.delete(one.config_hash)


def _until_stopped(root):
    number = 0
    while not os.path.exists(f"{root}.stop"):
        yield number
        number += 1


def collect(root, log, _seed, _steps):
    registry = ExperimentRegistry(root)
    for _ in _until_stopped(root):
        log.say("collected", len(registry.collect(grace=0).configs))


def pack(root, log, seed, _steps):
    registry = ExperimentRegistry(root)
    for _ in _until_stopped(root):
        packed = registry.pack(everything=seed % 2 == 0)
        assert not packed.damaged, packed
        log.say("packed", packed.files)
        time.sleep(0.02)


def index(root, log, _seed, _steps):
    """Make the index, ask it, and drop it now and then."""
    for number in _until_stopped(root):
        registry = ExperimentRegistry(root)
        registry.build_index()
        _look_at_all(registry)
        if number % 3 == 2:
            registry.drop_index()
        log.say("indexed")


def check(root, log, _seed, _steps):
    """Check the store, which is whole however many are at work on it."""
    registry = ExperimentRegistry(root)
    for number in _until_stopped(root):
        report = (registry if number % 2 else ExperimentRegistry(root)).check()
        # What a collector took that was killed just then is back when the next one begins.
        problems = [one for one in report.problems if at_work.TAKEN not in one.message]
        assert problems == [], problems
        log.say("checked", report.objects)


def read(root, log, _seed, _steps):
    """Read everything again and again, in a store that stays open and in one opened anew."""
    registry = ExperimentRegistry(root)
    for number in _until_stopped(root):
        log.say("read", _look_at_all(registry if number % 2 else ExperimentRegistry(root)))


def _look_at_all(registry):
    """Read all that a store shows; every config must be whole. Return how many there were."""
    found = registry.list_all(None)
    for one in found:
        settings = one.hyperparameters
        if "writer" in settings:
            whole = config(settings["writer"], settings["number"])
            assert one.config_hash == whole.config_hash, one
            assert one.description == whole.description or one.description.startswith("step "), one
        else:
            assert one.description == f"shared {settings['shared']}", one
    for tag in registry.tags():
        registry.search_by_tag(tag)
    registry.select("number >= 3 and tag = all")
    for run in registry.runs():
        with contextlib.suppress(NotFound):  # collected in the meantime
            assert registry.outcome(run.outcome).config == run.config, run
    for pointer in registry.pointers().values():
        assert pointer.config
    for one in found[:5]:
        again = registry.get(one.config_hash[:16])
        assert again is None or again.hyperparameters == one.hyperparameters, one
    return len(found)


class Expected:
    """What a writer's log promises.

    Attributes:
        states: By number of a config, what must be so of it.
        name: The number of the config that the writer's name points to; None if nothing is known.
        unknown: The numbers of configs that the writer was killed over.
        done: How many writes were acknowledged.
    """

    def __init__(self, writer, log):
        self.states, self.name, self.unknown, self.done = {}, None, set(), 0
        begun = None
        for kind, *words in log:
            if kind == "done":
                act, *numbers = begun
                for number in range(*numbers) if act == "add many" else numbers:
                    self._apply(writer, act, number, *words)
                    self.done += 1
            begun = words if kind == "begin" else None
        if begun is not None:
            act, *numbers = begun
            self.unknown.update(range(*numbers) if act == "add many" else numbers)
            self.name = None if act == "name" else self.name

    def _apply(self, writer, act, number, step=None):
        fresh = {"alive": True, "tags": set(), "description": "", "runs": set()}
        state = self.states.setdefault(number, fresh)
        if act in ("add", "again", "add many"):
            one = config(writer, number)
            state.update(alive=True, description=one.description, runs=set())  # those before may have been collected
            state["tags"] |= set(one.tags)
        elif act == "tag":
            state["tags"].add("late")
        elif act == "untag":
            state["tags"].discard("late")
        elif act == "describe":
            state["description"] = f"step {step}"
        elif act == "record":
            state["runs"].add(step / 7)
        elif act == "name":
            self.name = number
        else:
            state["alive"] = act == "restore"


ROLES = {one.__name__: one for one in (add_only, add_many, mixed, by_command, collect, pack, index, check, read)}

if __name__ == "__main__":
    warnings.simplefilter("error", DamageWarning)
    role, root, path, *numbers = sys.argv[1:]
    ROLES[role](root, Log(path), *map(int, numbers))
