"""What ``gemexp-textconv`` prints of each kind of file, whole, damaged or hostile."""

import itertools
import os
import subprocess
import sys
import sysconfig
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import configs, keys, values

from gemexp import ExperimentConfig, canonical
from gemexp.config import CONFIG_KIND, SECTIONS
from gemexp.describing import _DESCRIBERS, describe
from gemexp.digest import hash_bytes, short
from gemexp.outcome import OUTCOME_KIND, StoredOutcome
from gemexp.store import kinds, layout
from gemexp.texts import SMALL, text

PROGRAM = os.path.join(sysconfig.get_path("scripts"), "gemexp-textconv")
A, B = "a" * 64, "b" * 64
WHEN = "2024-01-31T09:00:00Z"


def shown(name, data, stores=()):
    printed = text(name, data, stores).decode()
    assert not printed or printed.endswith("\n")
    return printed.splitlines() if "\x85" not in printed else printed.split("\n")[:-1]


def shown_value(value):
    data = canonical.encode(value)
    return shown(hash_bytes(data), data)


def test_a_config_is_the_lines_that_show_prints(cli, ours):
    config_hash = ours.register(
        ExperimentConfig(["b", "a"], {"a": 0.5}, {"lr": 1e-3, "model": {"layers": [64, 32], "n.n": None}}, {"a": "log"})
    )
    data = Path(ours.root, layout.object_path(config_hash)).read_bytes()
    lines = shown(config_hash, data)
    assert lines == [
        'feature_names = ["a", "b"]',
        'feature_transformations.a = "log"',
        "feature_weights.a = 0.5",
        "hyperparameters.lr = 0.001",
        "hyperparameters.model.layers = [64, 32]",
        'hyperparameters.model."n.n" = null',
    ]
    assert cli("show", config_hash)[0].splitlines()[-len(lines) :] == lines


@settings(max_examples=30)
@given(configs())
def test_any_config_is_one_line_for_each_value_in_order_of_path(config):
    data = config.to_bytes()
    lines = text(config.config_hash, data, ()).decode().split("\n")[:-1]
    assert all(" = " in line for line in lines)
    assert not any(unicodedata.category(char) in ("Cc", "Zl", "Zp") for line in lines for char in line)
    assert lines == list(describe(canonical.decode(data)))


def test_a_registration_is_told_with_date_parents_and_description():
    put = {"$": kinds.PUT, "config": A, "created_at": WHEN, "description": "two\nlines", "parents": [B]}
    assert shown_value(put) == [
        "registered aaaaaaaaaaaa",
        "date: 2024-01-31T09:00:00Z",
        "from: bbbbbbbbbbbb",
        "",
        "    two",
        "    lines",
    ]
    assert shown_value({**put, "description": "", "parents": []}) == [
        "registered aaaaaaaaaaaa",
        "date: 2024-01-31T09:00:00Z",
    ]


def test_a_description_is_told_with_what_it_replaces():
    record = {"$": kinds.DESCRIPTION, "config": A, "created_at": WHEN, "description": "new", "supersedes": [B]}
    assert shown_value(record) == [
        "described aaaaaaaaaaaa",
        "date: 2024-01-31T09:00:00Z",
        "supersedes: bbbbbbbbbbbb",
        "",
        "    new",
    ]


def test_a_run_is_told_with_outcome_data_and_commit():
    run = {
        "$": kinds.RUN,
        "by": "Ann <ann@example.org>",
        "code": {"commit": "c" * 40, "dirty": True},
        "config": A,
        "created_at": WHEN,
        "data": B,
        "duration": 1.25,
        "environment": {"python": "3.11.7"},
        "outcome": "0" * 64,
        "verifies": None,
    }
    assert shown_value(run) == [
        "ran aaaaaaaaaaaa",
        "date: 2024-01-31T09:00:00Z",
        "by: Ann <ann@example.org>",
        "outcome: 000000000000",
        "data: bbbbbbbbbbbb",
        "duration: 1.25 s",
        "commit: cccccccccccc with changes",
        'environment.python = "3.11.7"',
    ]


def test_an_alias_is_told_with_what_it_means():
    record = {"$": kinds.ALIAS, "alias": "0123abcd", "config": A, "created_at": WHEN}
    assert shown_value(record) == ["alias 0123abcd of aaaaaaaaaaaa", "date: 2024-01-31T09:00:00Z"]


def test_an_outcome_is_its_metrics_data_and_artifacts():
    outcome = {
        "$": OUTCOME_KIND,
        "config": A,
        "metrics": {"sharpe": 1.5, "max.drawdown": None},
        "data": {"panel": B},
        "artifacts": {"daily.csv": B},
        "details": {"summary": {"a": 1, "b": 2}},
    }
    assert shown_value(outcome) == [
        "outcome of aaaaaaaaaaaa",
        '"max.drawdown" = null',
        "sharpe = 1.5",
        f'data.panel = "{B}"',
        "artifact daily.csv bbbbbbbbbbbb",
        "details: 2 values in summary",
    ]


def test_every_kind_that_a_store_holds_has_its_lines():
    assert {*_DESCRIBERS} == {*kinds._FIELDS, CONFIG_KIND, OUTCOME_KIND}


def test_what_a_newer_version_wrote_is_shown_as_it_is():
    lines = shown_value({"$": "gemexp/later@2", "a": {"b": 1}})
    assert lines == ["gemexp/later@2, which this version does not know", "a.b = 1"]
    put = {"$": kinds.PUT, "config": A, "created_at": WHEN, "description": "", "parents": [], "later": [1]}
    assert shown_value(put)[-1] == "later = [1]"


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"day,close\n2024\t1.5", ["day,close", "2024\t1.5"]),
        ("größe\n".encode(), ["größe"]),
        (b"", []),
        (b"\n", [""]),
        (b"a\0b", ["binary, 3 bytes"]),
        (b"\xff\xfe", ["binary, 2 bytes"]),
        (b"a" * (1 << 20) + b"a", ["text, 1048577 bytes"]),
        (canonical.encode({"a": 1}), ["binary, 4 bytes"]),
    ],
    ids=["text", "utf-8", "empty", "line", "nul", "binary", "long", "msgpack"],
)
def test_an_artifact_is_its_text_or_its_size(data, lines):
    assert shown(hash_bytes(data), data) == lines


def test_a_large_config_is_shown_in_full():
    config = ExperimentConfig([], {}, {f"key{number:05}": "x" * 20 for number in range(4000)})
    data = config.to_bytes()
    assert len(data) > SMALL
    lines = shown(config.config_hash, data)
    assert len(lines) == 4003
    assert lines[-1] == f'hyperparameters.key03999 = "{"x" * 20}"'


def test_a_member_of_a_set_is_nothing_and_an_emptied_object_is_damage():
    assert shown(f".gemexp/refs/tags/best/{A}", b"") == []
    assert shown(f".gemexp/refs/tags/best/{A}.2", b"") == []
    assert shown(f".gemexp/refs/deleted/{A}", b"") == []
    assert shown(f".gemexp/objects/aa/{A}", b"") == ["damaged: it is empty"]


CONFIG = ExperimentConfig(["a"], {"a": 0.5}, {"k": 10})


@pytest.mark.parametrize(
    ("spoil", "first", "rest"),
    [
        (
            lambda data: data.replace(b"\x0a", b"\x0b"),
            "damaged: its content has another hash",
            "hyperparameters.k = 11",
        ),
        (lambda data: data.replace(b"\x0a", b"\r\n"), "damaged: its line ends were converted", r"\xa1k\r"),
        (
            lambda data: data[:40],
            "damaged: its content has another hash",
            r"\x85\xa1$\xafgemexp/config@1\xadfeature_na",
        ),
        (
            lambda data: b"<<<<<<< ours\n" + data + b"\n=======\nx\n>>>>>>> theirs\n",
            "damaged: it holds the conflict markers of a merge",
            "<<<<<<< ours",
        ),
        (lambda data: data + b"\0", "damaged: its content has another hash", r"\x00"),
        (lambda _: b"text", "damaged: its content has another hash", "text"),
        (lambda _: b"\xff\0", "damaged: its content has another hash", "binary, 2 bytes"),
    ],
    ids=["changed", "crlf", "cut", "markers", "longer", "text", "bytes"],
)
def test_damage_is_told_first_and_then_what_can_be_shown(spoil, first, rest):
    lines = shown(CONFIG.config_hash, spoil(CONFIG.to_bytes()))
    assert lines[0] == first
    assert any(rest in line for line in lines[1:])
    assert not any(ord(char) < 0x20 or 0x7F <= ord(char) < 0xA0 for line in lines for char in line)


@given(st.binary(max_size=300), st.sampled_from([A, f"{A}-{B}", f"{B}.gxp", "notes.txt", f"x/refs/names/n/{A}"]))
def test_no_bytes_make_it_fail_or_print_what_a_terminal_obeys(data, name):
    printed = text(name, data, ()).decode()
    assert not any(unicodedata.category(char) == "Cc" and char not in "\n\t" for char in printed)
    assert not printed or printed.endswith("\n")


FIELDS = st.sampled_from(sorted({*itertools.chain(*kinds._FIELDS.values()), *StoredOutcome._fields, *SECTIONS}))


@settings(max_examples=30)
@given(st.dictionaries(st.one_of(FIELDS, keys), values, max_size=4))
def test_records_that_hold_anything_are_shown_without_failing(fields):
    for kind in _DESCRIBERS:
        data = canonical.encode({**fields, "$": kind})
        printed = text(hash_bytes(data), data, ()).decode()
        assert printed or kind == CONFIG_KIND
        assert not any(unicodedata.category(char) == "Cc" and char not in "\n\t" for char in printed)


HOSTILE = "\x1b]0;owned\x07\x1b[31m\r\u202eevil\u200b"


def test_hostile_text_is_escaped_wherever_it_stands():
    config = ExperimentConfig([HOSTILE], {HOSTILE: 1.0}, {HOSTILE: [HOSTILE]}, {HOSTILE: HOSTILE})
    values = [
        canonical.decode(config.to_bytes()),
        {"$": kinds.PUT, "config": A, "created_at": WHEN, "description": HOSTILE, "parents": []},
        {"$": kinds.ALIAS, "alias": HOSTILE, "config": HOSTILE, "created_at": HOSTILE},
        {
            "$": kinds.MOVE,
            "by": HOSTILE,
            "config": A,
            "created_at": WHEN,
            "name": HOSTILE,
            "restores": None,
            "supersedes": [],
        },
        {
            "$": OUTCOME_KIND,
            "config": A,
            "metrics": {HOSTILE: 1},
            "data": HOSTILE,
            "artifacts": {HOSTILE: A},
            "details": {HOSTILE: 1},
        },
        {"$": f"gemexp/{HOSTILE}", HOSTILE: HOSTILE},
    ]
    for value in values:
        printed = "\n".join(shown_value(value))
        assert not set(printed) & {"\x1b", "\x07", "\r", "\u202e", "\u200b"}
        assert "x1b" in printed or "u001b" in printed
    artifact = HOSTILE.encode()
    assert "\x1b" not in "".join(shown(hash_bytes(artifact), artifact))


def test_older_git_puts_something_before_the_name():
    assert shown(f"/tmp/XyZ123_{CONFIG.config_hash}", CONFIG.to_bytes())[0] == 'feature_names = ["a"]'  # noqa: S108


def test_a_pack_is_its_table_of_contents(ours):
    config_hash = ours.register(ExperimentConfig([], {}, {"k": 1}, tags=["best"]))
    ours.pack()
    (pack,) = Path(ours.root, "packs").iterdir()
    lines = shown(pack.name, pack.read_bytes())
    assert lines == [
        *("pack of 3 files", "configs: 1", "registrations: 1", "tags: 1", "tag best: 1"),
        f"{short(config_hash)}  [best]",
    ]
    assert shown(pack.name, pack.read_bytes()[:-1])[0] == "damaged: its content has another hash"


@pytest.mark.parametrize("environment", [{}, {"LC_ALL": "C", "TZ": "Asia/Tokyo"}, {"PYTHONIOENCODING": "ascii"}])
def test_the_program_prints_the_same_in_every_surrounding(tmp_path, environment):
    config = ExperimentConfig(["größe"], {}, {"t": "日本"})
    file = tmp_path / config.config_hash
    file.write_bytes(config.to_bytes())
    done = subprocess.run([PROGRAM, file], capture_output=True, check=True, env={**os.environ, **environment})
    assert done.stdout == text(file.name, config.to_bytes(), ())
    assert "größe" in done.stdout.decode()


def test_the_program_tells_how_it_is_called(tmp_path):
    for arguments, code in ((["-h"], 0), ([], 2), (["a", "b"], 2), ([str(tmp_path / "none")], 1)):
        done = subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (code, "")
        assert done.stderr.startswith(("usage: gemexp-textconv", "error: "))


def test_starting_imports_next_to_nothing(tmp_path):
    """The time that git shows a commit in is that of importing, times the files in it; a list can be tested."""
    file = tmp_path / CONFIG.config_hash
    file.write_bytes(CONFIG.to_bytes())
    root = str(Path(__file__).parents[2])
    program = f"import sys; sys.path.append({root!r}); sys.argv[1:] = [{str(file)!r}]; from gemexp.textconv import main"
    after = f"{program}; main(); print('---', *sys.modules)"
    names = [
        subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True).stdout
        for code in ("import sys; print('---', *sys.modules)", after)
    ]
    bare, full = (set(name.split("---")[1].split()) for name in names)
    own = {"textconv", "texts", "describing", "digest", "notation", "unpacking"}
    assert full - bare == {"gemexp", *(f"gemexp.{name}" for name in own)} | {
        "__future__",
        "_sha2" if sys.version_info >= (3, 12) else "_sha256",
    }
