"""Exit codes, and the form of errors."""

import os
import signal
import subprocess
import sys
import warnings

import pytest
from collisions import colliding_configs
from surroundings import snapshot
from written_moves import write_move

import gemexp
from gemexp.cli import add as add_module
from gemexp.registry import ExperimentRegistry

COMMANDS = [
    "add",
    "alias",
    "compare",
    "completion",
    "delete",
    "describe",
    "diff",
    "explain",
    "export",
    "fsck",
    "import",
    "init",
    "list",
    "log",
    "migrate",
    "restore",
    "search",
    "show",
    "tag",
    "undo",
]


def test_every_command_has_help(gemexp):
    text = gemexp("--help").out
    for command in COMMANDS:
        assert f"\n  {command} " in text
        for flag in ("--help", "-h"):
            page = gemexp(command, flag).out
            assert page.startswith("Usage: gemexp ")
            assert "\\b" not in page


def test_the_version_is_printed(gemexp, process):
    import gemexp as package

    assert gemexp("--version").out == f"gemexp {package.__version__}\n"
    assert process("--version").out == process("--version", script=True).out == f"gemexp {package.__version__}\n"


def test_nothing_to_do_prints_how_to_use_it(gemexp):
    result = gemexp(code=2)
    text = result.out + result.err
    assert "Usage: gemexp" in text
    assert "\\n" not in text
    assert not text.startswith("error:")


@pytest.mark.parametrize(
    "arguments",
    [
        ["nosuch"],
        ["--nosuch"],
        ["show"],
        ["show", "a", "b"],
        ["list", "--nosuch"],
        ["diff", "a"],
        ["describe", "a"],
        ["delete"],
        ["restore"],
        ["search"],
        ["add", "--set"],
        ["--store", "a", "--db", "b", "list"],
        ["-C"],
        ["completion", "tcsh"],
    ],
)
def test_a_wrong_call_is_a_usage_error(gemexp, arguments):
    result = gemexp(*arguments, code=2)
    lines = result.err.splitlines()
    assert lines[0].startswith("error: ")
    assert lines[1].startswith("hint: ")
    assert not lines[0].endswith(".")
    if "--json" not in arguments and arguments[0] in COMMANDS:
        assert gemexp(*arguments, "--json", code=2).error["kind"] == "usage"


def test_without_a_store_every_command_says_so(gemexp, project):
    (project / "c.yaml").write_text("a: 1\n")
    for arguments in (
        ["add", "c.yaml"],
        ["list"],
        ["show", "abcd"],
        ["diff", "abcd", "abce"],
        ["compare", "abcd", "abce"],
        ["explain", "abcd", "abce"],
        ["search", "x"],
        ["tag"],
        ["tag", "abcd", "x"],
        ["describe", "abcd", "x"],
        ["export", "--all", "x.jsonl"],
        ["delete", "abcd", "-f"],
        ["restore", "abcd"],
        ["log"],
        ["undo"],
        ["alias"],
        ["alias", "abcd", "abcd"],
        ["migrate", "--drop", "hyperparameters.a", "-f"],
        ["fsck"],
    ):
        result = gemexp(*arguments, code=1)
        assert result.err.startswith("error: there is no store in ")
        assert "hint: gemexp init" in result.err
        assert gemexp(*arguments, "--json", code=1).error["kind"] == "no-store"
    assert sorted(path.name for path in project.iterdir()) == ["c.yaml"]


class TestAmbiguity:
    @pytest.fixture
    def alike(self, store):
        configs = colliding_configs(23)
        store().add_many(configs)
        return configs

    def test_candidates_are_listed_as_git_does(self, gemexp, store):
        configs = colliding_configs(3)
        store().add_many(configs)
        prefix = configs[0].config_hash[:4]
        for command in (["show", prefix], ["delete", prefix, "-f"], ["tag", prefix, "x"], ["diff", prefix, prefix]):
            result = gemexp(*command, code=3)
            assert result.out == ""
            lines = result.err.splitlines()
            assert lines[0] == f"error: '{prefix}' is ambiguous: 3 configs begin with it"
            for config in configs:
                assert any(
                    config.config_hash[:12] in line and config.created_at in line and config.description in line
                    for line in lines
                )
        for config in configs:
            assert gemexp("show", f"{config.config_hash[:16]}:config_hash").out.strip() == config.config_hash

    def test_at_most_twenty_are_listed(self, gemexp, alike):
        lines = gemexp("show", alike[0].config_hash[:4], code=3).err.splitlines()
        listed = [line for line in lines if any(config.config_hash[:12] in line for config in alike)]
        assert len(listed) == 20
        assert "3 more" in lines[-1]

    def test_json_gives_the_candidates(self, gemexp, alike):
        prefix = alike[0].config_hash[:4]
        error = gemexp("show", prefix, "--json", code=3).error
        assert error["kind"] == "ambiguous"
        assert error["subject"] == prefix
        assert set(error["candidates"]) <= {config.config_hash for config in alike}
        assert len(error["candidates"]) >= 20

    def test_a_tag_of_several_is_ambiguous(self, gemexp, add):
        hashes = [add({"a": number}, "-t", "twin") for number in range(2)]
        for rev in ("twin", "tag:twin", "twin:hyperparameters"):
            result = gemexp("show", rev, code=3)
            assert all(config_hash[:12] in result.err for config_hash in hashes)

    def test_foreign_text_among_the_candidates_is_escaped(self, gemexp, add):
        for number in range(2):
            add({"a": number}, "-t", "twin", "-d", "\x1b]0;evil\x07\nline")
        result = gemexp("show", "twin", code=3)
        assert "\x1b" not in result.err
        assert "\x07" not in result.err
        assert len(result.err.splitlines()) <= 5


@pytest.mark.parametrize("rev", ["", " ", "abc", "tag:", "hash:", "../x", "0", "-1", "@", "HEAD", "~"])
def test_what_is_no_revision_is_never_found(gemexp, add, rev):
    add({"a": 1}, "-t", "x")
    for command in (
        ["show", "--", rev],
        ["diff", "--", rev, rev],
        ["tag", "--", rev, "y"],
        ["describe", "--", rev, "y"],
    ):
        result = gemexp(*command, code=3)
        assert result.err.startswith("error: ")
        assert result.err.count("\n") <= 2


def test_a_bug_is_told_as_one_without_a_traceback(gemexp, add, monkeypatch):
    add({"a": 1})

    def fail(*_, **__):
        raise ZeroDivisionError("inner\x1b[31m")

    monkeypatch.setattr(add_module, "read_configs", fail)
    result = gemexp("add", "-", stdin="{}", code=255)
    assert result.err.startswith("error: this is a bug in gemexp: ZeroDivisionError: inner")
    assert "hint: " in result.err
    assert "\x1b" not in result.err
    assert gemexp("add", "-", "--json", stdin="{}", code=255).error["kind"] == "bug"
    monkeypatch.setenv("GEMEXP_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        gemexp("add", "-", stdin="{}")


def test_an_interruption_ends_with_130_and_without_a_traceback(project, store):
    before = snapshot(store().root)
    with subprocess.Popen(
        [sys.executable, "-m", "gemexp", "-C", str(project), "add", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as running:
        # The folder changes once the arguments are read: from then on it waits for standard input.
        running.stdin.write(b'{"a": ')
        running.stdin.flush()
        wait_until_reading(running.pid)
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=30)
    assert running.returncode == 130
    assert out == b""
    assert b"Traceback" not in err
    assert b"interrupted" in err
    assert snapshot(store().root) == before


def wait_until_reading(pid):
    """Wait until a process has emptied the pipe that is its standard input."""
    import fcntl
    import termios

    with open(f"/proc/{pid}/fd/0", "rb") as pipe:
        while int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, b"\0" * 4), sys.byteorder):
            os.sched_yield()


def test_errors_have_one_root_and_data():
    for name in gemexp.__all__:
        kind = getattr(gemexp, name)
        if isinstance(kind, type) and issubclass(kind, Exception) and not issubclass(kind, Warning):
            assert issubclass(kind, gemexp.GemexpError)


def test_the_module_and_the_script_are_the_same_program(process, store, gemexp):  # noqa: ARG001
    for script in (False, True):
        assert process("add", "-", stdin=b"a: 1\n", script=script).out.endswith("  -\n")
        assert process("show", "abc", script=script).code == 3
        assert process("show", script=script).code == 2
        assert process("show", "abcd", script=script).err.startswith("error: ")


@pytest.mark.parametrize(
    ("env", "text"),
    [
        ({"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, "naïve 日本 🚀"),
        ({"PYTHONIOENCODING": "ascii"}, "naïve 日本 🚀"),
        ({"PYTHONIOENCODING": "latin-1"}, "日本"),
    ],
)
def test_text_that_the_terminal_cannot_show_is_escaped_instead_of_failing(process, store, env, text):
    config_hash = store().register(gemexp.ExperimentConfig([text], {}, {text: text}, description=text, tags=[text]))
    for command in (
        ["list"],
        ["show", config_hash],
        ["tag"],
        ["diff", config_hash, config_hash],
        ["show", config_hash, "--json"],
    ):
        result = process(*command, env=env)
        assert (result.code, result.err) == (0, "")
    assert process("show", text, env=env).code in (0, 3)


def test_a_warning_of_another_library_is_told_and_is_no_damage(gemexp, add, monkeypatch):
    add({"a": 1})
    find = ExperimentRegistry.find

    def warn_and_find(*arguments, **options):
        warnings.warn("fonts are old", UserWarning, stacklevel=1)
        return find(*arguments, **options)

    monkeypatch.setattr(ExperimentRegistry, "find", warn_and_find)
    with warnings.catch_warnings():
        warnings.simplefilter("default", UserWarning)
        assert gemexp("list", code=0).err == "warning: fonts are old\n"


def test_with_json_standard_error_is_a_json_object_a_line_and_the_error_is_the_last(gemexp, add, store, project):
    """A name with rivals warns, a path that leads nowhere fails; a damaged file warns, and its name is visible."""
    one, two = add({"a": 1}), add({"a": 2})
    for config in (one, two):
        write_move(store().root, "production", config, "2024-01-10T12:00:00Z")
    result = gemexp("show", "production:no.such", "--json", code=None)
    assert [*map(next, map(iter, result.told))] == ["warning", "error"]
    assert result.error["kind"] in ("invalid-path", "not-found")
    plain = gemexp("show", "production:no.such", code=result.code).err.splitlines()
    assert [line.partition(":")[0] for line in plain[:2]] == ["warning", "error"]

    place = project / ".gemexp/objects" / one[:2] / one
    place.unlink()
    place.write_bytes(b"damaged")
    (warning,) = gemexp("list", "--json", code=5).told
    assert warning["warning"]["message"].startswith(f"'objects/{one[:2]}/{one}' ")

    gemexp("init", "../other")
    (project.parent / "other/.gemexp/README").write_text("x")
    (note,) = gemexp("merge", "../other", "--json").told
    assert "'README' was left behind" in note["note"]["message"]
