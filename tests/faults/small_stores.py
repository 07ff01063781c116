"""A small store that holds something of every kind, and what it answers; shared by the tests of damage."""

import json
import os
import shutil
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO

from surroundings import contents

from gemexp import ExperimentConfig, ExperimentRegistry
from gemexp.cli import main
from gemexp.store import layout, sets
from gemexp.store.layout import Pair

GHOST = "12" * 32


def config(number, **fields):
    return ExperimentConfig(["a"], {"a": 0.5}, {"k": number}, **fields)


def fill(registry):
    """Put something of every kind into a store; return the hashes of its configs."""
    base, variant, newest, gone = (config(number).config_hash for number in range(4))
    registry.register(config(0, tags=["t", "u"], description="base"))
    registry.register(config(1, created_at="2024-01-01T00:00:00+00:00"), parents=[base])
    registry.register(config(2, description="newest"))
    registry.register(config(3, tags=["t"], description="gone"))
    registry.describe(base, "better")
    registry.untag(base, ["u"])
    registry.move_name("production", base)
    registry.move_name("production", variant)
    registry.record(base, {"loss": 0.5}, artifacts={"log.txt": b"done"}, data="mnist")
    registry.alias("abcdef0123", base)
    with registry._folder.batch() as batch:
        pair = layout.pair_name(Pair(variant, newest))
        sets.add(registry._folder, batch, layout.MIGRATED, pair)
    registry.delete(gone)
    return base, variant, newest, gone


def make(root, *, packed=False):
    """Make such a store; return its folder."""
    registry = ExperimentRegistry(root)
    fill(registry)
    if packed:
        registry.pack()
    return registry.root


def copy(root, target):
    """Copy a store with its local files, as if it had been made there."""
    shutil.copytree(root, target, symlinks=True)
    return str(target)


def rewrite(root, path, data):
    """Put other bytes in a file's place, without touching what else may share its content."""
    full = f"{root}/{path}"
    os.makedirs(os.path.dirname(full), exist_ok=True)
    if os.path.lexists(full):
        os.unlink(full)
    with open(full, "wb") as file:
        file.write(data)


def first(root, start):
    return next(path for path in sorted(contents(root)) if path.startswith(start))


def call(root, *arguments):
    """Run a command on a store; return (exit code, output, errors)."""
    out, err = StringIO(), StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main(["--store", root, *arguments])
    return code, out.getvalue(), err.getvalue()


def fsck(root, *arguments):
    """Return fsck's exit code, and what it says."""
    code, out, err = call(root, "fsck", "--json", *arguments)
    return code, json.loads(out) if out else json.loads(err)
