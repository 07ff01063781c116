"""Memory does not grow with the number of configs, but for some bytes each.

Each command runs with few and with more configs. What is bounded by constants, such as a batch, has them made small
here, so that it is full with few configs already. With a million, where tables that double their size weigh less, the
commands take 15 to 200 bytes a config; here they would exceed the limit if they held all configs, or all metadata.
"""

import json
import random
import shutil
import subprocess
import sys

import pytest

from gemexp import ExperimentRegistry

FEW, MANY = 1000, 5000
# A config of these takes more than three times as much in memory, and what its records say as much.
MOST_BYTES_EACH = 1500
# What a command takes of memory that belongs to it alone: packs are mapped, and given back where they are large.
MEASURED = """
import json, os, sys, threading
os.cpu_count = lambda: 1
from gemexp import bulk, lines
from gemexp.cli import main
from gemexp.index import answers, file
from gemexp.query import walk
from gemexp.store import merge, packing
bulk.BATCH_CONFIGS = 200
lines._CHUNK_BYTES = 100_000
lines._SHARE_FROM_BYTES = 1
walk._READ_AHEAD_ALL_BYTES = 1000
file._CACHE_KIB = 100
merge._MOST_PATHS = 100
packing._STEP_BYTES = 1 << 16

def held():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("RssAnon:")) * 1024

def watch():
    global peak
    while not done.wait(0.002):
        peak = max(peak, held())

out = os.dup(1)
os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
peak, done = 0, threading.Event()
watcher = threading.Thread(target=watch)
watcher.start()
code = main(sys.argv[1:])
done.set()
watcher.join()
os.write(out, json.dumps([code, max(peak, held())]).encode())
"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the system tells what memory is a process's own")


def line(number, chance):
    names = [f"feature_{one}" for one in range(20)]
    return json.dumps(
        {
            "feature_names": names,
            "feature_weights": {name: chance.random() for name in names},
            "hyperparameters": {"k": number % 20, "lr": chance.random(), "seed": number, "model": {"depth": 3}},
            "description": f"run {number} of a sweep",
            "tags": [f"k={number % 20}", "sweep"],
        }
    )


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    """Make two stores, with few and with more configs; return their folders, and lines of JSON of what is in them."""
    folders = {}
    for count in (FEW, MANY):
        folder = tmp_path_factory.mktemp("memory")
        chance = random.Random(count)  # noqa: S311 - no secret
        (folder / "lines.jsonl").write_text("".join(line(number, chance) + "\n" for number in range(count)))
        for name in ("store", "empty", "filled"):
            ExperimentRegistry(folder / name)
        measure(folder, ["add", "--jsonl", "lines.jsonl", "-q"], "store")
        shutil.copytree(folder / "store", folder / "indexed")
        measure(folder, ["index", "build"], "indexed")
        folders[count] = folder
    return folders


def measure(folder, command, store):
    """Return the most bytes that a command held."""
    program = [sys.executable, "-c", MEASURED, "-C", str(folder), "--store", store, *command]
    done = subprocess.run(program, capture_output=True, check=True)
    code, held = json.loads(done.stdout)
    assert (code, done.stderr) == (0, b"")
    return held


@pytest.mark.parametrize(
    ("store", "command"),
    [
        ("filled", ["add", "--jsonl", "lines.jsonl", "-q"]),
        ("store", ["list"]),
        ("store", ["search", "--where", "lr >= 0"]),
        ("store", ["export", "--all", "all.jsonl"]),
        ("store", ["export", "--tag", "sweep", "some.jsonl"]),
        ("store", ["fsck"]),
        ("empty", ["merge", "store"]),
        ("indexed", ["list"]),
        ("indexed", ["search", "--where", "lr >= 0"]),
        ("indexed", ["index", "build"]),
        ("indexed", ["pack"]),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value[:2]),
)
def test_no_command_holds_all_configs(stores, store, command):
    few, many = (measure(folder, command, store) for folder in stores.values())
    each = (many - few) / (MANY - FEW)
    assert each < MOST_BYTES_EACH


def test_what_does_hold_them_is_found_out(stores):
    few, many = (measure(folder, ["list", "--all"], "store") for folder in stores.values())
    assert (many - few) / (MANY - FEW) > 2 * MOST_BYTES_EACH
