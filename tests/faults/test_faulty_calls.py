"""Commands whose writing calls are killed, or fail, one by one."""

import random
import subprocess
from itertools import product

import pytest
import store_contents
from fault_commands import COMMANDS
from syscalls import needs_strace
from trials import some

# What is damaged on purpose is warned of; what fsck says of it is what is judged.
pytestmark = [needs_strace, pytest.mark.filterwarnings("ignore::gemexp.errors.DamageWarning")]
_ERRORS = ("ENOSPC", "EIO", "EDQUOT", "EACCES", "EROFS", "EMFILE")
_STANDARD_OUTPUT = 1


def _kill(tried, server, number):
    """Kill a command at some of its writing calls; return how often that was."""
    killed = 0
    for call in some(tried.writing, number, tried.judge.command.name):
        project = tried.begin()
        done = _run(tried, server, call)
        assert done.code in (-9, 0), (call, done)
        killed += done.code == -9  # folders changed just now are listed again, so that there may be a call less
        assert not tried.judge.faults(project, done.out), call
        assert not tried.judge.after_repeating(project), call
    assert killed
    return killed


def _run(tried, server, call):
    command = tried.judge.command
    return server.run(command.arguments, tried.project, command.stdin, call=call.name, number=call.number)


@pytest.mark.parametrize("command", COMMANDS, ids=repr)
def test_a_command_that_is_killed_loses_nothing_acknowledged_and_can_be_repeated(command, trial, servers, count):
    count("kills", _kill(trial(command.name), servers("signal=KILL"), 5))


@pytest.mark.sweep
@pytest.mark.parametrize("command", COMMANDS, ids=repr)
def test_so_it_is_killed_at_many_more_calls(command, trial, servers, count):
    count("kills", _kill(trial(command.name), servers("signal=KILL"), 12))


def _fail(tried, servers, number):
    """Have some of a command's writing calls fail in some ways; return how many."""
    name = tried.judge.command.name
    pairs = some(list(product(tried.writing, _ERRORS)), number, name)
    for call, error in pairs:
        project = tried.begin()
        done = _run(tried, servers(f"error={error}"), call)
        _check(done, call)
        if call.name not in ("unlink", "unlinkat"):
            assert not store_contents.temporaries(f"{project}/.gemexp"), (call, error)
        told = done.out if done.code == 0 else ""
        assert not tried.judge.faults(project, told), (call, error, done)
        assert not tried.judge.after_repeating(project), (call, error, done)
    return len(pairs)


def _check(done, call):
    """Accept a command that did without, or failed with one line that says what is wrong and one on what to do."""
    assert done.code in (0, 1, 6), (call, done)
    assert "bug" not in done.err, (call, done)
    assert "Traceback" not in done.err, (call, done)
    if done.code:
        first, *rest = done.err.splitlines()
        assert first.startswith("error: "), (call, done)
        assert len(rest) <= 1, (call, done)
        is_printing = call.name == "write" and call.descriptor(0)[0] == _STANDARD_OUTPUT
        assert is_printing or rest[0].startswith("hint: "), (call, done)


@pytest.mark.parametrize("command", COMMANDS, ids=repr)
def test_a_call_that_fails_is_told_and_harms_nothing(command, trial, servers, count):
    count("injected errors", _fail(trial(command.name), servers, 6))


@pytest.mark.sweep
@pytest.mark.parametrize("command", COMMANDS, ids=repr)
def test_so_it_is_with_many_more_calls_that_fail(command, trial, servers, count):
    count("injected errors", _fail(trial(command.name), servers, 14))


@pytest.mark.parametrize("command", COMMANDS, ids=repr)
def test_calls_that_write_less_than_they_were_given_make_no_difference(command, trial, servers, count):
    tried = trial(command.name)
    project = tried.begin()
    done = servers(None, ("small-bulk", "short-writes")).run(command.arguments, project, command.stdin)
    assert done.code == 0, done
    assert not tried.judge.faults(project, "all that there is")
    count("commands with short writes", 1)


@pytest.mark.parametrize("command", COMMANDS, ids=repr)
def test_files_that_may_not_grow_are_told_and_harm_nothing(command, trial, servers, count):
    tried = trial(command.name)
    limits = (0, 1, 64, 200, 1000, 5000, 12000)
    for largest in random.Random(command.name).sample(limits, 2):  # noqa: S311 - to repeat a failure
        project = tried.begin()
        done = servers().run(command.arguments, project, command.stdin, largest=largest)
        assert done.code in (0, 1, 6), done
        assert "Traceback" not in done.err, done
        assert not tried.judge.faults(project, ""), (largest, done)
        assert not tried.judge.after_repeating(project), (largest, done)
        count("writes cut short", 1)


@pytest.fixture
def full_disk(workspace):
    """A small disk of its own, as a folder."""
    folder = workspace / "disk"
    folder.mkdir()
    options = ["-o", "size=256k,nr_inodes=120"]
    mounted = subprocess.run(["mount", "-t", "tmpfs", *options, "tmpfs", folder], check=False, capture_output=True)
    if mounted.returncode:
        folder.rmdir()
        pytest.skip("only root may mount a small disk")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)
    folder.rmdir()


@needs_strace
def test_a_disk_that_fills_up_loses_nothing_acknowledged(full_disk, servers, count):
    store_contents.here(full_disk, "init")
    acknowledged, refused = [], 0
    for number in range(400):
        value = {"number": number, "text": "x" * 900}
        done = servers().run(
            ["add", "-", "-q", "-t", f"t{number % 7}"], full_disk, str(value).replace("'", '"').encode()
        )
        assert done.code in (0, 1), done
        if done.code:
            refused += 1
            assert "hint: the disk is full" in done.err, done
            if refused == 5:
                break
        else:
            acknowledged.append(done.out.strip())
        count("writes to a disk that fills up", 1)
    assert refused
    assert acknowledged
    found = store_contents.contents(f"{full_disk}/.gemexp")
    assert all(("config", one) in found for one in acknowledged)
    assert not store_contents.temporaries(f"{full_disk}/.gemexp")
    code, out, _ = store_contents.here(full_disk, "fsck", code=None)
    assert code == 0, out
