"""``gemexp show`` without click prints what the command prints, and leaves to it what does not go well."""

import os
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from gemexp import DamageWarning, ExperimentConfig, ExperimentRegistry
from gemexp.cli import commands, main, quick


def said(run, capsysbinary, *arguments):
    """Return the exit code of a way to run a command, and what it wrote."""
    capsysbinary.readouterr()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DamageWarning)
        return run(list(arguments)), *capsysbinary.readouterr()


@pytest.fixture
def both(capsysbinary, monkeypatch):
    """Run a command as it comes and by click alone; return what both said, and whether the first needed click."""

    def run(*arguments):
        by_click = said(commands.run, capsysbinary, *arguments)
        needed = []
        with monkeypatch.context() as patch:
            patch.setattr(commands, "run", lambda arguments: needed.append(1) or original(arguments))
            found = said(main, capsysbinary, *arguments)
        assert found == by_click
        return *found, bool(needed)

    original = commands.run
    return run


@pytest.fixture
def told(gemexp, add, store):
    """A configuration of which there is much to say."""
    config = ExperimentConfig([], {}, {"a": 1, "b": {"c": [1.5, "é"]}}, description="one\nline", tags=["tag"])
    found = ExperimentRegistry(".gemexp").register(config, parents=[add({"a": 0})])
    gemexp("name", "production", found)
    for number in range(2):
        gemexp("record", found, "-m", f"loss={number}", "--data", "same")
    gemexp("describe", add({"a": 2}), "of another")
    assert "! different outcomes" in gemexp("show", found).out
    assert store().runs(found)
    return found


@pytest.mark.parametrize("rev", ["HASH", "PREFIX", "tag", "production"])
def test_what_goes_well_needs_no_click(both, told, rev):
    rev = {"HASH": told, "PREFIX": told[:7]}.get(rev, rev)
    for arguments in (["show", rev], ["--store", ".gemexp", "show", rev]):
        code, out, err, needed_click = both(*arguments)
        assert (code, err, needed_click) == (0, b"", False)
        assert out.startswith(f"config {told}\n".encode())


def test_what_was_migrated_is_shown_alike(both, told, gemexp):
    gemexp("migrate", "--default", "hyperparameters.z=1", "--force", told)
    (new,) = [line.split()[-1] for line in gemexp("show", told).out.splitlines() if line.startswith("migrated to")]
    for rev in (told, new):
        assert both("show", rev)[3] is False


@pytest.mark.parametrize(
    "arguments",
    [
        ["show"],
        ["show", "--help"],
        ["show", "tag:hyperparameters.a"],
        ["show", "tag:nothing"],
        ["show", "tag", "--raw"],
        ["show", "tag", "--json"],
        ["show", "--", "tag"],
        ["show", "nothing"],
        ["show", ""],
        ["show", "-x"],
        ["--store", "nowhere", "show", "tag"],
        ["--store=.gemexp", "show", "tag"],
        ["-C", ".", "show", "tag"],
        ["--db", "x.db", "show", "tag"],
        ["--store", "show", "show", "show"],
    ],
)
def test_all_else_is_left_to_the_command(both, told, arguments):  # noqa: ARG001 - it is there
    assert both(*arguments)[3] is True


@pytest.mark.parametrize("damage", ["object", "record", "format", "no store"])
def test_damage_is_told_by_the_command(both, told, project, damage):
    store = project / ".gemexp"
    pattern = {"object": f"objects/*/{told}", "record": f"index/*/{told}-*", "format": "format", "no store": "format"}
    for path in store.glob(pattern[damage]):
        path.chmod(0o644)
        path.write_bytes(b"damaged")
        if damage == "no store":
            store.rename(project / "elsewhere")
    code, _, err, needed_click = both("show", told)
    assert code != 0
    assert err
    assert needed_click


def test_a_damaged_run_is_warned_of(both, told, project):
    path = next(
        path for path in (project / ".gemexp/index").glob(f"*/{told}-*") if b"gemexp/run@1" in path.read_bytes()
    )
    path.chmod(0o644)
    path.write_bytes(b"")
    code, out, err, needed_click = both("show", told)
    assert (code, needed_click) == (5, True)
    assert out.startswith(b"config")
    assert path.name.encode() in err


@pytest.mark.parametrize("name", ["NO_COLOR", "FORCE_COLOR"])
def test_settings_of_click_are_left_to_it(both, told, monkeypatch, name):
    monkeypatch.setenv(name, "1")
    assert both("show", told)[3] is True


def test_a_terminal_gets_the_colours_of_click_and_its_pager(told, terminal):
    plain = terminal("show", told)
    assert plain == terminal("show", told, env={"FORCE_COLOR": "1"})
    assert plain[1].startswith(f"\x1b[33mconfig {told}\x1b[0m")
    assert "paged:" not in plain[1]
    assert "paged:created" in terminal("show", told, rows=5)[1]


def test_another_encoding_is_left_to_click(process, told, project):
    by_click = "from gemexp.cli import commands; import sys; sys.exit(commands.run(sys.argv[1:]))"
    for encoding in ("ascii", "latin-1", "utf-8", "utf-16"):
        env = {"PYTHONIOENCODING": f"{encoding}:backslashreplace"}
        shown = process("show", told, env=env)
        command = [sys.executable, "-c", by_click, "show", told]
        done = subprocess.run(command, capture_output=True, check=True, cwd=project, env={**os.environ, **env})
        assert shown.raw == done.stdout
        assert shown.code == 0


def test_ctrl_c_ends_it_in_one_line(told, gemexp, monkeypatch):
    def interrupt(*_):
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(quick, "_lines", interrupt)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        result = gemexp("show", told, code=130)
    finally:
        signal.signal(signal.SIGINT, before)
    assert (result.out, result.err) == ("", "error: interrupted\n")


def test_a_closed_pipe_is_nobodys_mistake(told, project):
    program = f"{sys.executable} -m gemexp show {told} | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", program], capture_output=True, text=True, cwd=project, check=True)
    assert (done.stdout, done.stderr) == ("0\n", "")
    assert Path(project, ".gemexp").exists()
