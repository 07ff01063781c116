"""Servers that strace looks at, shared by all tests of a process; and a trial of each command, made once."""

import os
import tempfile
from pathlib import Path

import pytest
from syscalls import Server
from trials import BY_NAME, Trial


@pytest.fixture(scope="session")
def workspace():
    """A folder in memory, where there is one: what is synced here is none of a test's business."""
    memory = "/dev/shm"  # noqa: S108 - a folder with a name of its own in it
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
        yield Path(folder).resolve()


@pytest.fixture(scope="session")
def servers(workspace):
    """Start servers, each once: by what is injected and how gemexp is broken."""
    started = {}

    def start(inject=None, variants=("small-bulk",)):
        key = (inject, variants)
        if key not in started:
            started[key] = Server(workspace / f"server-{len(started)}", inject, variants)
        return started[key]

    yield start
    for server in started.values():
        server.close()


@pytest.fixture
def trial(servers, workspace):
    """Run a command to its end, and return what is known then."""

    def run(name, variants=("small-bulk",)):
        return Trial(BY_NAME[name], workspace, servers(None, variants))

    return run
