"""``gemexp index``, and that the commands that find something answer the same with it as without."""
# ruff: noqa: ARG001 - a fixture fills the store

import json
import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from contextlib import closing

import pytest
from surroundings import make_read_only, make_writable, obey_permissions, snapshot

QUESTIONS = (
    ("list",),
    ("list", "--json"),
    ("list", "-n", "2", "--sort", "hyperparameters.k"),
    ("list", "--tag", "even"),
    ("list", "--where", "k > 3 and (tag = even or not model.on = true)", "--json"),
    ("search", "even", "--json"),
    ("search", "--where", "description like '%1%' or metric.loss < 2"),
    ("search", "--where", "feature_weights.a > 0.2 and k >= 1"),
    ("best", "--metric", "loss", "--json"),
    ("tag",),
    ("tag", "--json"),
    ("tag", "--where", "k < 3", "few", "--dry-run", "--json"),
    ("export", "--all", "-"),
    ("export", "--tag", "even", "-"),
    ("export", "--where", "k > 2 and not tag = even", "-"),
    ("runs", "--json"),
)


def lines(numbers):
    return "".join(
        json.dumps(
            {
                "feature_names": ["a"],
                "feature_weights": {"a": number / 10},
                "hyperparameters": {"k": number, "model": {"on": bool(number % 3)}},
                "description": f"run {number}",
                "tags": ["even"] * (number % 2 == 0),
            }
        )
        + "\n"
        for number in numbers
    )


@pytest.fixture
def filled(gemexp, store, project):
    """Add eight configs, two of them run; return where an index would lie."""
    gemexp("add", "--jsonl", "-", "-q", stdin=lines(range(8)))
    for number, loss in ((3, 1.5), (4, 2.5)):
        (found,) = store().select(f"k = {number}")
        gemexp("record", found, "--metric", f"loss={loss}")
    return project / ".gemexp/local/index.sqlite"


@pytest.fixture
def build(gemexp, filled):
    gemexp("index", "build")
    return filled


@pytest.fixture
def answers(gemexp):
    """Return what all questions are answered."""

    def ask(*options):
        return {question: gemexp(*options, *question, code=None)[:3] for question in QUESTIONS}

    return ask


@pytest.fixture
def same(gemexp, answers):
    """Accept a store whose index, which there is, changes no answer."""

    def check(*options, rebuilt=False):
        before = gemexp(*options, "index", "status", "--json").json
        assert before["exists"]
        assert before["usable"] != rebuilt
        found = answers(*options)
        assert gemexp(*options, "index", "status", "--json").json["usable"]
        assert gemexp(*options, "index", "drop").out == "dropped the index\n"
        assert found == answers(*options)
        gemexp(*options, "index", "build")

    return check


def test_build_status_drop(gemexp, filled):
    assert gemexp("index", "status").out == "there is no index\n"
    absent = {"path": str(filled), "exists": False, "usable": False, "size": 0, "configs": 0, "stale": []}
    assert gemexp("index", "status", "--json").json == absent
    assert gemexp("index", "drop").out == "there is no index\n"
    assert gemexp("index", "drop", "--json").json == {"dropped": False}

    built = gemexp("index", "build")
    assert built.out.startswith(f"{filled}: 8 configs, ")
    assert built.err == ""
    status = gemexp("index", "status", "--json").json
    assert gemexp("index", "build", "--json").json.keys() == status.keys()
    assert {**status, "stale": []} == {
        **absent,
        "exists": True,
        "usable": True,
        "size": filled.stat().st_size,
        "configs": 8,
    }
    assert gemexp("index", "drop", "--json").json == {"dropped": True}
    assert not list(filled.parent.glob("index.sqlite*"))


def test_building_and_dropping_again_is_no_error(gemexp, build, answers):
    found = answers()
    first = build.stat().st_ino
    gemexp("index", "build")
    assert build.stat().st_ino != first
    assert answers() == found
    for _ in range(2):
        gemexp("index", "drop")
    assert answers() == found
    assert not build.exists()


def test_status_tells_what_is_out_of_date_until_something_is_looked_for(gemexp, build, add):
    gemexp("list")
    config = add({"k": 99}, "-t", "late")
    status = gemexp("index", "status", "--json").json
    assert {"index", "objects", "refs/tags"} <= {*status["stale"]}
    assert status["configs"] == 8
    assert "out of date: index\n" in gemexp("index", "status").out
    assert gemexp("search", "late").out.startswith(config[:12])
    assert gemexp("index", "status", "--json").json["configs"] == 9


def test_commands_answer_the_same_with_it_and_without(same, build):
    same()


CHANGES = {
    "add": [("add", "--jsonl", "-", "-q")],
    "tag": [("tag", "{3}", "late", "even"), ("tag", "-d", "{4}", "even")],
    "tag in bulk": [("tag", "--where", "k > 5", "high")],
    "rename": [("tag", "--rename", "even", "straight")],
    "describe": [("describe", "{2}", "quite another thing")],
    "delete": [("delete", "{2}", "{6}", "--force")],
    "restore": [("delete", "{1}", "--force"), ("list",), ("restore", "{1}")],
    "record": [("record", "{1}", "--metric", "loss=0.5"), ("record", "{3}", "--metric", "loss=9")],
    "migrate": [("migrate", "--rename", "hyperparameters.k=hyperparameters.depth", "{4}", "--force")],
    "pack": [("pack",)],
    "gc": [("delete", "{5}", "--force"), ("gc", "--grace", "0")],
}


@pytest.mark.parametrize("change", CHANGES)
def test_it_is_up_to_date_after_every_command(gemexp, store, build, same, change):
    hashes = {k: store().select(f"k = {k}")[0] for k in range(8)}
    gemexp("list")
    for command in CHANGES[change]:
        arguments = [part if part[0] != "{" else hashes[int(part[1:-1])] for part in command]
        gemexp(*arguments, stdin=lines(range(20, 24)))
    same()


def test_what_another_store_brings_is_seen(gemexp, build, same):
    gemexp("init", "../other")
    gemexp("--store", "../other/.gemexp", "add", "--jsonl", "-", "-q", stdin=lines(range(5, 30)))
    gemexp("merge", "../other")
    assert len(gemexp("list", "--json").json) == 30
    same()


@pytest.mark.parametrize("packed", [False, True])
def test_files_that_a_copy_brings_and_takes_are_seen(gemexp, project, build, same, packed):
    """As git, rsync and cp do it: without any command of ours."""
    other = project.parent / "copy"
    shutil.copytree(project, other)
    gemexp("--store", other / ".gemexp", "index", "drop")
    gemexp("--store", other / ".gemexp", "add", "--jsonl", "-", "-q", stdin=lines(range(5, 30)))
    gemexp("--store", other / ".gemexp", "tag", "--where", "k < 3", "few")
    if packed:
        gemexp("--store", other / ".gemexp", "pack")
    before = snapshot(project / ".gemexp")
    subprocess.run(["cp", "-rn", f"{other}/.gemexp/.", ".gemexp"], check=True, cwd=project)
    assert len(gemexp("search", "few", "--json").json) == 3
    same()
    for path in snapshot(project / ".gemexp").keys() - before.keys():  # git checks another commit out
        target = project / ".gemexp" / path
        if "local" not in target.parts and target.is_file():
            target.unlink()
    if packed:
        gemexp("index", "build")
    assert len(gemexp("list", "--json").json) == 8
    same()


def cut(path):
    os.truncate(path, path.stat().st_size // 2)


def scribble(path):
    with path.open("r+b") as file:
        file.seek(5000)
        file.write(b"\xff" * 3000)


def text(path):
    path.write_text("no database at all, though longer than a header of one would be" * 9)


def older(path):
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE facts SET value = 1 WHERE name = 'version'")


def edited(path):
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE configs SET description = 'a lie'")


@pytest.mark.parametrize("spoil", [cut, scribble, text, older, edited])
def test_one_that_cannot_be_believed_is_built_anew(gemexp, build, same, spoil):
    spoil(build)
    assert gemexp("index", "status").out.startswith(f"{build}: damaged, or of another version or store")
    same(rebuilt=True)


def test_a_folder_in_its_place_does_no_harm(gemexp, filled, answers):
    found = answers()
    filled.mkdir()
    assert answers() == found
    assert gemexp("index", "build", code=1).err.startswith("error: ")
    assert answers() == found


IN_ONE_PROCESS = """
import io, json, sys
from gemexp.cli import main
told = []
for arguments in json.load(sys.stdin):
    streams = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    code = main(arguments)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    out, err = (stream.buffer.getvalue().decode() for stream in (sys.stdout, sys.stderr))
    sys.stdout, sys.stderr = streams
    told.append([code, out, err])
json.dump(told, sys.stdout)
"""


def run_in_one(project, commands, **options):
    """Run commands in one process of their own, and return what each told."""
    program = [sys.executable, "-c", IN_ONE_PROCESS]
    done = subprocess.run(
        program, input=json.dumps(commands), stdout=subprocess.PIPE, cwd=project, text=True, check=True, **options
    )
    return json.loads(done.stdout)


@pytest.mark.parametrize("fresh", [True, False])
def test_in_a_store_that_may_not_be_written_it_is_read_or_done_without(gemexp, project, build, fresh):
    if not fresh:
        gemexp("list")
        gemexp("add", "--jsonl", "-", "-q", stdin=lines(range(4, 24)))
    else:
        gemexp("index", "build")
    expected = run_in_one(shutil.copytree(project, project.parent / "copy"), QUESTIONS)
    make_read_only(project)
    before = snapshot(project)
    try:
        *answers, built, dropped = run_in_one(
            project,
            [*QUESTIONS, ("index", "build", "--json"), ("index", "drop", "--json")],
            preexec_fn=obey_permissions,
        )
        assert snapshot(project) == before
    finally:
        make_writable(project)
    assert answers == expected
    assert {code for code, _, _ in answers} == {0}
    for code, out, err in (built, dropped):
        assert (code, out, json.loads(err)["error"]["kind"]) == (1, "", "unwritable")


def test_db_names_where_it_lies(gemexp, project, same):
    option = ("--db", "results/runs.sqlite")
    gemexp(*option, "add", "--jsonl", "-", "-q", stdin=lines(range(8)))
    (first, *_) = gemexp(*option, "search", "--where", "k = 1", "--json").json
    gemexp(*option, "record", first["config_hash"], "--metric", "loss=1")
    file = project / "results/runs.sqlite"
    assert not file.exists()
    gemexp(*option, "index", "build")
    assert file.is_file()
    assert gemexp(*option, "index", "status", "--json").json["path"] == str(file)
    same(*option)
    assert not (project / "results/runs.gemexp/local/index.sqlite").exists()
    gemexp(*option, "index", "drop")
    assert not file.exists()


def test_a_database_of_somebody_else_stays_what_it_is(gemexp, project):
    option = ("--db", "theirs.sqlite")
    with closing(sqlite3.connect(project / "theirs.sqlite")) as connection, connection:
        connection.execute("CREATE TABLE precious (value)")
    before = (project / "theirs.sqlite").read_bytes()
    gemexp(*option, "init", code=None)
    gemexp(*option, "add", "--jsonl", "-", "-q", stdin=lines(range(3)), code=None)
    gemexp(*option, "index", "build", code=None)
    gemexp(*option, "index", "drop", code=None)
    assert (project / "theirs.sqlite").read_bytes() == before
    assert not list(project.glob("theirs.sqlite-*"))


def test_readers_go_on_while_it_is_built_and_dropped(process, project, build):
    """Each reader gets the whole answer, whatever becomes of the index meanwhile."""
    program = """
import sys
from gemexp.cli import main
for _ in range(15):
    assert main(["search", "--where", "k > 2 and tag = even", "--json"]) == 0
"""
    readers = [
        subprocess.Popen([sys.executable, "-c", program], cwd=project, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(3)
    ]
    rounds = 0
    while any(reader.poll() is None for reader in readers) and rounds < 100:
        assert process("index", "drop" if rounds % 3 == 2 else "build").code == 0
        rounds += 1
    for reader in readers:
        out, err = reader.communicate(timeout=60)
        assert (reader.returncode, err) == (0, b"")
        found = json.JSONDecoder()
        at, answers = 0, []
        text = out.decode().strip()
        while at < len(text):
            answer, at = found.raw_decode(text, at)
            answers.append([config["hyperparameters"]["k"] for config in answer])
            at += len(text[at:]) - len(text[at:].lstrip())
        assert [sorted(answer) for answer in answers] == [[4, 6]] * 15
    assert rounds > 1
    assert not any(path.name.endswith((".new", "-journal", "-wal")) for path in build.parent.iterdir())


@pytest.mark.parametrize("there", [False, True])
def test_a_build_that_is_killed_leaves_the_old_one_or_none(gemexp, project, filled, answers, there):
    if there:
        gemexp("index", "build")
        gemexp("list")
    before = filled.read_bytes() if there else None
    program = """
import os, signal
from gemexp.index import building, schema
made = schema.create_views
def die(*arguments):
    made(*arguments)
    os.kill(os.getpid(), signal.SIGKILL)
schema.create_views = die
from gemexp.cli import main
main(["index", "build"])
"""
    killed = subprocess.run([sys.executable, "-c", program], cwd=project, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert (filled.read_bytes() if there else None) == before
    assert filled.exists() == there
    (left,) = filled.parent.glob("index.sqlite.*.new")
    found = answers()
    gemexp("index", "build")  # no lock is left
    assert answers() == found
    os.utime(left, (0, time.time() - 24 * 3600))
    gemexp("index", "build")
    assert not left.exists()


def test_it_is_nobody_elses_to_write_but_to_read(gemexp, build):
    assert stat.S_IMODE(build.stat().st_mode) & 0o133 == 0
    gemexp("list")
    assert stat.S_IMODE(build.stat().st_mode) & 0o133 == 0
