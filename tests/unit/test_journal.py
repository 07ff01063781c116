"""The journal of what commands created."""

import json
import os
import subprocess
import sys

import pytest

from gemexp import ExperimentConfig, ExperimentRegistry
from gemexp.store import journal
from gemexp.store.files import Folder


@pytest.fixture
def root(tmp_path):
    return str(tmp_path)


def lines(root):
    with open(f"{root}/local/journal/{os.getuid()}.jsonl", encoding="utf-8") as file:
        return file.read().splitlines()


def test_a_batch_tells_what_it_created_and_nothing_else(root):
    folder = Folder(root)
    told = []
    folder.on_commit = told.append
    with folder.batch() as batch:
        batch.create("index/aa/one", b"1")
        batch.create("refs/tags/x/two", b"")
    with folder.batch() as batch:
        batch.create("index/aa/one", b"1")
    with folder.batch() as batch:
        batch.create("index/aa/one", b"1")
        batch.create("index/aa/three", b"3")
        batch.commit()
        batch.create("index/aa/four", b"4")
    assert told == [{"index/aa/one", "refs/tags/x/two"}, {"index/aa/three"}, {"index/aa/four"}]


def test_a_damaged_file_that_is_replaced_was_not_created(root):
    folder = Folder(root)
    with folder.batch() as batch:
        batch.create("index/aa/one", b"1")
        batch.create("refs/tags/x/two", b"")
    for path in ("index/aa/one", "refs/tags/x/two"):
        os.unlink(f"{root}/{path}")
        with open(f"{root}/{path}", "wb") as file:
            file.write(b"damage")
    told = []
    folder.on_commit = told.append
    with folder.batch() as batch:
        batch.create("index/aa/one", b"1")
        batch.create("refs/tags/x/two", b"")
    assert told == []
    assert (folder.read("index/aa/one", 9), folder.read("refs/tags/x/two", 9)) == (b"1", b"")


def test_the_last_command_that_was_not_undone_is_found(root):
    assert journal.last(root) is None
    first, second = journal.Recorder(root, ["tag", "a"]), journal.Recorder(root, ["tag", "b"])
    first({"refs/tags/a/1", "objects/aa/bb"})
    second({"refs/tags/b/1"})
    first({"refs/tags/a/2"})
    entry, cancelled = journal.last(root)
    assert (entry.command, entry.created, entry.complete) == (("tag", "a"), {"refs/tags/a/1", "refs/tags/a/2"}, True)
    assert cancelled == frozenset()
    journal.mark_undone(root, entry, {"refs/tags/a/3"})
    entry, cancelled = journal.last(root)
    assert entry.command == ("tag", "b")
    assert cancelled == {"refs/tags/a/1", "refs/tags/a/2", "refs/tags/a/3"}
    journal.mark_undone(root, entry)
    assert journal.last(root) is None


def test_what_was_undone_before_a_command_does_not_count_as_cancelled_since(root):
    journal.Recorder(root, ["one"])({"refs/tags/a/1"})
    journal.mark_undone(root, journal.last(root)[0], {"refs/tags/a/2"})
    journal.Recorder(root, ["two"])({"refs/tags/b/1"})
    entry, cancelled = journal.last(root)
    assert (entry.command, cancelled) == (("two",), frozenset())


def test_a_torn_line_is_passed_over_and_spoils_no_other(root):
    journal.Recorder(root, ["one"])({"refs/tags/a/1"})
    path = f"{root}/local/journal/{os.getuid()}.jsonl"
    with open(path, "ab") as file:
        file.write(b'{"id":"torn","time":"20')
    assert journal.last(root)[0].command == ("one",)
    journal.Recorder(root, ["two"])({"refs/tags/b/1"})
    assert journal.last(root)[0].command == ("two",)
    with open(path, "ab") as file:
        file.write(
            b'[]\n{"id":1,"time":"","command":[]}\n{"undoes":[],"time":""}\n\xff\n{"id":"x","time":"","command":"ls"}\n'
        )
    assert journal.last(root)[0].command == ("two",)


def test_a_command_that_creates_too_much_is_known_to_be_incomplete(root, monkeypatch):
    monkeypatch.setattr(journal, "MAX_COMMAND_BYTES", 1000)
    recorder = journal.Recorder(root, ["add", "-"])
    for number in range(100):
        recorder({f"index/aa/{number:060}"})
    assert not journal.last(root)[0].complete
    assert len(lines(root)) < 20


def test_the_journal_stays_bounded_and_keeps_the_newest(root, monkeypatch):
    monkeypatch.setattr(journal, "MAX_BYTES", 2000)
    for number in range(200):
        journal.Recorder(root, ["tag", str(number)])({f"refs/tags/{number}/{'a' * 64}"})
    folder = f"{root}/local/journal"
    assert sum(os.path.getsize(f"{folder}/{name}") for name in os.listdir(folder)) < 6000
    found = []
    while (last := journal.last(root)) is not None:
        found.append(int(last[0].command[1]))
        journal.mark_undone(root, last[0])
    assert found[:8] == list(range(199, 191, -1))


def test_a_journal_that_cannot_be_written_fails_no_command(tmp_path):
    registry = ExperimentRegistry(tmp_path / "store")
    (tmp_path / "store/local/journal").write_bytes(b"in the way")
    registry.keep_journal(["add", "x"])
    config_hash = registry.register(ExperimentConfig([], {}, {"a": 1}))
    assert registry.get(config_hash)
    assert journal.last(registry.root) is None


WRITER = """
import sys
from gemexp.store.journal import Recorder
for number in range(50):
    Recorder(sys.argv[1], ["tag", sys.argv[2], str(number)])({f"refs/tags/{sys.argv[2]}/" + str(number) * 2000})
"""


def test_commands_that_run_at_once_do_not_mix(root):
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, root, str(name)]) for name in range(3)]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    # A writer that finds another's line half written ends it first: an empty line may be between the two.
    written = [json.loads(line) for line in lines(root) if line]
    found = sorted((int(line["command"][1]), int(line["command"][2])) for line in written)
    assert found == [(name, number) for name in range(3) for number in range(50)]
