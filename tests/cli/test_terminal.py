"""What reaches a terminal, a pipe, or nobody."""

import json
import os
import re
import subprocess
import sys

import pytest

EVIL = "\x1b[31mred\x1b]0;title\x07\u202e\x9b2J\r\nsecond\x00"
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e\u2028]")


@pytest.fixture
def evil(add):
    return add(
        {
            "feature_names": [EVIL],
            "feature_weights": {EVIL: 1},
            "hyperparameters": {EVIL: EVIL},
            "feature_transformations": {},
        },
        "-d",
        EVIL.replace("\x00", ""),
        "-t",
        EVIL.replace("\x00", ""),
    )


def test_foreign_text_never_acts_on_a_terminal(gemexp, evil, add):
    other = add({"x": EVIL}, "-d", "other")
    for command in (
        ["show", evil],
        ["show", f"{evil}:description"],
        ["show", f"{evil}:hyperparameters"],
        ["show", f"{evil}:feature_names[0]"],
        ["show", f"{evil}:feature_names"],
        ["show", evil, "--yaml"],
        ["show", evil, "--json"],
        ["list"],
        ["list", "--json"],
        ["tag"],
        ["tag", evil],
        ["tag", evil, EVIL.replace("\x00", "")],
        ["tag", "-d", evil, EVIL.replace("\x00", "")],
        ["describe", evil, EVIL.replace("\x00", "")],
        ["diff", evil, other],
        ["compare", evil, other],
        ["explain", evil, other],
        ["search", EVIL.replace("\x00", "")],
        ["export", evil, "-"],
    ):
        result = gemexp(*command)
        assert not CONTROL.search(result.out), command
        assert not CONTROL.search(result.err), command
    for command in (
        ["show", EVIL],
        ["show", f"{evil}:{EVIL}"],
        ["-C", EVIL, "list"],
        ["add", EVIL],
        [EVIL],
        ["list", f"--{EVIL}"],
    ):
        result = gemexp(*(part.replace("\x00", "") for part in command), code=None)
        assert result.code in (1, 2, 3)
        assert not CONTROL.search(result.err), command


def test_colour_is_for_terminals_alone(gemexp, add, terminal):
    config_hash = add({"a": 1})
    other = add({"a": 2})
    for command in (["show", config_hash], ["list"], ["diff", config_hash, other]):
        assert "\x1b" not in gemexp(*command).out
        assert COLOUR.search(terminal(*command)[1])
        assert not COLOUR.search(terminal(*command, env={"NO_COLOR": "1"})[1])


def test_json_on_a_terminal_is_neither_coloured_nor_paged(add, terminal):
    config_hash = add({str(number): number for number in range(100)})
    code, shown = terminal("show", config_hash, "--json")
    assert code == 0
    assert json.loads(shown)["config_hash"] == config_hash


@pytest.mark.parametrize(("lines", "is_paged"), [(5, False), (60, True)])
def test_only_text_longer_than_the_screen_is_paged(gemexp, store, terminal, lines, is_paged):  # noqa: ARG001
    gemexp("add", "-", "--jsonl", stdin="".join(f'{{"n": {number}}}\n' for number in range(lines)))
    code, shown = terminal("list", rows=30)
    assert code == 0
    assert ("paged:" in shown) is is_paged
    assert len(shown.split()) >= lines
    assert "paged:" not in gemexp("list").out


def test_no_pager_is_no_error(gemexp, store, terminal):  # noqa: ARG001
    gemexp("add", "-", "--jsonl", stdin="".join(f'{{"n": {number}}}\n' for number in range(60)))
    code, shown = terminal("list", env={"PAGER": "cat"})
    assert code == 0
    assert len(shown.splitlines()) == 60


@pytest.mark.parametrize(("typed", "code", "left"), [(b"y\n", 0, 0), (b"n\n", 1, 1), (b"\x04", 1, 1)])
def test_deleting_asks_on_a_terminal(add, store, terminal, typed, code, left):
    config_hash = add({"a": 1}, "-d", "precious")
    found, shown = terminal("delete", config_hash[:8], typed=typed)
    assert "precious" in shown
    assert "[y/N]" in shown
    assert found == code
    assert "Traceback" not in shown
    assert len(store()) == left


class TestClosedStreams:
    @pytest.fixture
    def many(self, gemexp, store):  # noqa: ARG002
        gemexp("add", "-", "--jsonl", stdin="".join(f'{{"n": {number}}}\n' for number in range(1500)))

    @pytest.mark.usefixtures("many")
    @pytest.mark.parametrize(
        "command",
        [["list"], ["list", "--all"], ["list", "--all", "--json"], ["export", "--all", "-"], ["tag"], ["--help"]],
    )
    def test_a_reader_that_has_enough_ends_it_quietly(self, project, command):
        reader, writer = os.pipe()
        os.close(reader)
        try:
            done = subprocess.run(
                [sys.executable, "-m", "gemexp", *command],
                cwd=project,
                stdout=writer,
                stderr=subprocess.PIPE,
                check=False,
            )
        finally:
            os.close(writer)
        assert done.stderr == b""
        assert done.returncode in (0, 141)

    def test_what_was_acknowledged_into_a_closed_pipe_is_there(self, project, store):
        reader, writer = os.pipe()
        os.close(reader)
        try:
            done = subprocess.run(
                [sys.executable, "-m", "gemexp", "add", "-"],
                cwd=project,
                input=b"a: 1\n",
                stdout=writer,
                stderr=subprocess.PIPE,
                check=False,
            )
        finally:
            os.close(writer)
        assert (done.returncode in (0, 141), done.stderr) == (True, b"")
        assert len(store()) == 1

    @pytest.mark.parametrize("descriptor", [0, 1, 2])
    @pytest.mark.parametrize(
        "command", [["list"], ["add", "-"], ["delete", "kept"], ["show", "kept"], ["show", "kept", "--raw"], ["nosuch"]]
    )
    def test_a_stream_that_is_closed_from_the_start_is_no_bug(self, process, add, store, descriptor, command):
        add({"a": 1}, "-t", "kept")
        result = process(*command, preexec_fn=lambda: os.close(descriptor), stdin=b"b: 1\n")
        assert result.code in (0, 1, 2)
        assert "Traceback" not in result.err + result.out
        assert "bug" not in result.err
        assert store().get("kept") is not None

    def test_a_full_device_as_output_is_told(self, process, add):
        config_hash = add({"a": 1})
        for command in (
            ["list"],
            ["show", config_hash],
            ["show", config_hash, "--raw"],
            ["export", config_hash, "-"],
            ["--help"],
        ):
            with open("/dev/full", "wb") as full:
                result = process(*command, stdout=full)
            assert result.code == 1
            assert result.err.startswith("error: ")
            assert "Traceback" not in result.err
            assert result.err.count("\n") <= 2


def test_check_says_how_far_it_is_and_wipes_it_away(terminal, add, project):
    for number in range(2):
        add({"k": number})
    (project / "pipes_far.py").write_text("def f(config):\n    return 1\n")
    options = ("--property", "same-outcome", "--runs", "1", "--no-isolate", "--no-record")
    code, shown = terminal("check", "pipes_far:f", "--where", "k >= 0", *options)
    assert code == 0
    assert re.search(r"1 of 2  [0-9a-f]{12}  same-outcome  0 failed\r\x1b\[K2 of 2 ", shown)
    assert "2 of 2 hold" in shown.rpartition("\x1b[K")[2]
