"""Syncing several files and folders at once."""

import errno
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from gemexp.store import syncing


def helpers():
    return [thread for thread in threading.enumerate() if thread.name == "gemexp-sync"]


@pytest.fixture
def synced(monkeypatch):
    """The inodes that were synced, while none really is."""
    found, lock = [], threading.Lock()

    def fsync(descriptor):
        with lock:
            found.append(os.fstat(descriptor).st_ino)

    monkeypatch.setattr(os, "fsync", fsync)
    return found


@pytest.fixture
def paths(tmp_path):
    """Fifty paths; the last two of nothing."""
    named = [str(tmp_path / f"{number}") for number in range(50)]
    for path in named[:-2]:
        Path(path).touch()
    return named


@pytest.fixture(autouse=True)
def _patient_helpers(monkeypatch):
    """None from before, and none that ends because the machine is slow."""
    syncing._helpers.end()
    monkeypatch.setattr(syncing, "_IDLE_SECONDS", 60)
    yield
    syncing._helpers.end()


def test_all_that_is_there_is_synced_once_and_the_rest_told(paths, synced):
    assert syncing.sync_paths(paths) == paths[-2:]
    assert sorted(synced) == sorted(os.stat(path).st_ino for path in paths[:-2])
    assert len(helpers()) == syncing.AT_ONCE - 1


def test_so_it_is_where_no_thread_can_be_started(paths, synced, monkeypatch):
    def start(_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    assert syncing.sync_paths(paths) == paths[-2:]
    assert len(synced) == len(paths) - 2
    assert helpers() == []


def test_threads_are_used_again(paths):
    syncing.sync_paths(paths)
    first = helpers()
    syncing.sync_paths(paths)
    assert helpers() == first


def test_threads_end_when_nothing_was_to_be_done_for_a_moment(paths, monkeypatch):
    monkeypatch.setattr(syncing, "_IDLE_SECONDS", 0.01)
    syncing.sync_paths(paths)
    for thread in helpers():
        thread.join(timeout=60)
    assert helpers() == []
    assert syncing.sync_paths(paths) == paths[-2:]


def test_one_error_is_raised_after_all_were_tried_and_files_are_closed(tmp_path, monkeypatch):
    descriptors = [os.open(tmp_path / f"{number}", os.O_WRONLY | os.O_CREAT) for number in range(9)]
    bad, tried = descriptors[3], []

    def fsync(descriptor):
        tried.append(descriptor)
        if descriptor == bad:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", fsync)
    opened = list(descriptors)
    with pytest.raises(OSError, match="rror") as caught:
        syncing.sync_and_close(descriptors)
    assert caught.value.errno == errno.EIO
    assert sorted(tried) == sorted(opened)
    assert descriptors == []
    for descriptor in opened:
        with pytest.raises(OSError, match="ad file descriptor"):
            os.fstat(descriptor)


def test_several_threads_sync_at_once(paths, synced):
    found = []
    callers = [threading.Thread(target=lambda: found.append(syncing.sync_paths(paths))) for _ in range(6)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(timeout=60)
    assert found == [paths[-2:]] * 6
    assert len(synced) == 6 * (len(paths) - 2)


_FORK = """
import os, sys, threading
from gemexp.store import syncing
folder = sys.argv[1]
syncing._IDLE_SECONDS = 60
syncing.sync_paths([folder] * 4)
assert threading.active_count() == 4
child = os.fork()
assert threading.active_count() == 1
syncing.sync_paths([folder] * 4)
if child == 0:
    os._exit(7)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
"""


def test_a_process_that_has_synced_can_fork_and_both_go_on(tmp_path):
    """A newer Python warns of threads that a child would miss, which would be an error here."""
    command = [sys.executable, "-W", "error", "-c", _FORK, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
