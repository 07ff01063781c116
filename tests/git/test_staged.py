"""``gemexp git check``: what of a store must not be committed, and what may."""

import json
import os
import shutil
import subprocess

import pytest

from gemexp import ExperimentConfig, ExperimentRegistry, canonical
from gemexp.digest import hash_bytes
from gemexp.store import layout


def config(**hyperparameters):
    return ExperimentConfig(["a"], {"a": 0.5}, hyperparameters)


@pytest.fixture
def check(git, cli):
    """Stage the work tree, check it, and return (problems, notes) as maps of paths to messages."""

    def run(code=5, *, add=True):
        if add:
            git("add", "-A")
        found = json.loads(cli("git", "check", "--json", code=code)[0])
        assert bool(found["problems"]) == (code == 5)
        lines = cli("git", "check", code=code)[0].splitlines()
        assert len(lines) == len(found["problems"]) + len(found["notes"])
        return tuple({one["path"]: one["message"] for one in found[part]} for part in ("problems", "notes"))

    return run


@pytest.fixture
def place(repository):
    """Write a file of the store as someone else's tool would."""

    def run(path, data=b""):
        file = repository / ".gemexp" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.exists():
            file.chmod(0o644)
        file.write_bytes(data)
        return f".gemexp/{path}"

    return run


@pytest.fixture
def filled(ours, commit):
    """A committed store of everything; returns the hash of a configuration with a run."""
    found = ours.register(ExperimentConfig(["a"], {"a": 0.5}, {"k": 1}, tags=["t"]))
    ours.record(found, {"m": 1}, artifacts={"a.txt": b"text"}, data="d")
    ours.move_name("best", found)
    commit()
    return found


def paths(ours, folder):
    root = ours.root
    return sorted(
        os.path.relpath(os.path.join(where, name), root)
        for where, _, names in os.walk(os.path.join(root, folder))
        for name in names
    )


@pytest.mark.usefixtures("repository")
def test_whatever_commands_write_may_be_committed(ours, check, git, cli):
    first = ours.register(ExperimentConfig(["a"], {"a": 0.5}, {"k": 1}, tags=["t", "A/b"]))
    second = ours.register(config(k=2), parents=[first])
    ours.record(second, {"m": 1}, artifacts={"a.txt": b"text"}, data="d")
    assert check(0) == ({}, {})
    git("commit", "-q", "-m", "1")
    ours.untag(first, ["t"])
    ours.describe(first, "new")
    ours.move_name("best", first)
    ours.move_name("best", second)
    ours.alias("0123abcd", first)
    cli("migrate", "--default", "hyperparameters.new=1", "--force")
    ours.delete(first)
    assert check(0) == ({}, {})
    git("commit", "-q", "-m", "2")
    ours.restore(first)
    assert check(0) == ({}, {})


def test_nothing_of_a_store_staged_is_silence(repository, check, cli):
    (repository / "code.py").write_text("x = 1\n")
    (repository / "objects").mkdir()
    (repository / "objects/format").write_text("x\n")
    assert check(0) == ({}, {})
    assert cli("git", "check") == ("", "")


def test_without_a_store_or_a_commit_it_is_silent(tmp_path, git, cli, monkeypatch):
    monkeypatch.chdir(tmp_path)
    git("init", "-q")
    (tmp_path / "a").write_text("x\n")
    git("add", "-A")
    assert cli("git", "check") == ("", "")
    ExperimentRegistry(tmp_path / ".gemexp").register(config(k=1))
    git("add", "-A")
    assert cli("git", "check") == ("", "")


def test_before_the_first_commit_damage_is_found(tmp_path, git, cli, monkeypatch):
    monkeypatch.chdir(tmp_path)
    git("init", "-q")
    found = ExperimentRegistry(tmp_path / ".gemexp").register(config(k=1))
    (tmp_path / ".gemexp" / layout.object_path(found)).chmod(0o644)
    (tmp_path / ".gemexp" / layout.object_path(found)).write_bytes(b"x")
    git("add", "-A")
    assert layout.object_path(found) in cli("git", "check", code=5)[0]


DAMAGE = [
    (lambda data: data + b"x", "another hash"),
    (lambda data: data.replace(b"\x01", b"\r\n") if b"\x01" in data else data + b"\r\n", "another hash"),
    (lambda data: data[:20], "another hash"),
    (lambda _: b"", "empty"),
    (lambda data: b"<<<<<<< HEAD\n" + data + b"=======\n>>>>>>> side\n", "conflict markers"),
]


@pytest.mark.parametrize("folder", ["objects", "index", "refs/names"])
@pytest.mark.parametrize(("spoil", "message"), DAMAGE, ids=["longer", "bytes", "cut", "empty", "markers"])
def test_damaged_files_that_are_added(ours, check, place, folder, spoil, message):
    found = ours.register(config(k=1))
    ours.move_name("best", found)
    (path,) = paths(ours, folder)
    with open(f"{ours.root}/{path}", "rb") as file:
        bad = place(path, spoil(file.read()))
    problems, _ = check()
    assert [*problems] == [bad]
    assert "damaged" in problems[bad]
    assert message in problems[bad]


def test_line_ends_that_were_converted_are_told_as_such(ours, check, place):
    artifact = b"line\nline\n"
    ours.record(ours.register(config(k=1)), {"m": 1}, artifacts={"a.txt": artifact})
    path = place(layout.object_path(hash_bytes(artifact)), artifact.replace(b"\n", b"\r\n"))
    problems, _ = check()
    assert "line ends were converted" in problems[path]


@pytest.mark.usefixtures("filled")
def test_committed_files_are_not_changed(ours, check, place, git):
    changed = []
    for folder in ("objects", "index", "refs/names", "refs/tags"):
        for path in paths(ours, folder):
            with open(f"{ours.root}/{path}", "rb") as file:
                changed.append(place(path, file.read() + b"x"))
    changed.append(place("format", b"gemexp 1 sha256\r\n"))
    problems, _ = check()
    assert sorted(problems) == sorted(changed)
    assert all(message.startswith("was changed: ") for message in problems.values())
    git("commit", "-q", "--no-verify", "-m", "bad")
    git("checkout", "-q", "HEAD~1", "--", ".")
    assert check(0) == ({}, {}), "what is put right may be committed"


@pytest.mark.usefixtures("filled")
def test_committed_files_are_not_removed(ours, check, repository):
    gone = [path for folder in ("objects", "index", "refs") for path in paths(ours, folder)]
    for path in gone:
        (repository / ".gemexp" / path).unlink()
    shutil.copy(repository / ".gemexp/format", repository / ".gemexp/objects.bak")
    problems, notes = check()
    assert sorted(problems) == sorted(f".gemexp/{path}" for path in gone)
    assert [*notes] == [".gemexp/objects.bak"]


@pytest.mark.usefixtures("filled")
@pytest.mark.usefixtures("repository")
def test_a_whole_store_may_be_removed_or_moved(check, git):
    git("mv", ".gemexp", "moved")
    assert check(0) == ({}, {})
    git("rm", "-rqf", "moved")
    assert check(0) == ({}, {})


@pytest.mark.usefixtures("filled")
def test_the_format_is_not_removed_alone(repository, check):
    (repository / ".gemexp/format").unlink()
    problems, _ = check()
    assert [*problems] == [".gemexp/format"]


def test_what_was_deleted_may_be_collected(filled, ours, check, commit):
    other = ours.register(config(k=2))
    ours.record(other, {"m": 2}, artifacts={"b.txt": b"other"})
    commit()
    ours.delete(filled)
    ours.drop_name("best")
    commit()
    for path in [*paths(ours, "objects"), *paths(ours, "index")]:
        os.unlink(f"{ours.root}/{path}")
    problems, _ = check()
    kept = {layout.object_path(one) for one in (other, hash_bytes(b"other"))}
    assert {f".gemexp/{path}" for path in kept} <= {*problems}
    assert not any(filled in path or hash_bytes(b"text") in path for path in problems)
    assert len(problems) == 5


def test_what_gemexp_gc_collects_may_be_committed(ours, check, git, commit):
    found = ours.register(ExperimentConfig([], {}, {"k": 2}, tags=["t"]))
    ours.record(found, {"m": 1}, artifacts={"a.txt": b"text"})
    ours.delete(found)
    commit()
    ours.collect(grace=0.0, tracked=True)
    assert check(0) == ({}, {})
    assert git("diff", "--cached", "--name-status").count("D\t.gemexp/objects/") == 4


def test_a_record_without_its_object(ours, check, git):
    found = ours.register(config(k=1))
    git("add", ".gemexp/index")
    (record,) = paths(ours, "index")
    problems, _ = check(add=False)
    assert [*problems] == [f".gemexp/{record}"]
    assert found[:12] in problems[f".gemexp/{record}"]
    assert check(0) == ({}, {})


def test_an_object_without_a_record(ours, check, git):
    found = ours.register(config(k=1))
    git("add", ".gemexp/objects")
    problems, _ = check(add=False)
    assert [*problems] == [f".gemexp/{layout.object_path(found)}"]
    assert "no record" in problems[f".gemexp/{layout.object_path(found)}"]


def test_a_tag_a_move_a_run_and_an_outcome_without_what_they_need(ours, check, git):
    found = ours.register(ExperimentConfig([], {}, {"k": 1}, tags=["t"]))
    ours.move_name("best", found)
    outcome = ours.record(found, {"m": 1}, artifacts={"a.txt": b"text"})
    git("add", ".gemexp/refs", f".gemexp/{layout.object_path(outcome)}")
    problems, _ = check(add=False)
    assert sorted(path.split("/")[1] for path in problems) == ["objects", "refs", "refs"]
    (run,) = ours.runs()
    git("add", ".gemexp/index", f".gemexp/{layout.object_path(found)}")
    problems, _ = check(add=False)
    assert problems.pop(f".gemexp/{layout.record_path(found, run.record)}").startswith("needs the object")
    git("add", f".gemexp/{layout.object_path(run.installed)}")
    assert [*problems] == [f".gemexp/{layout.object_path(outcome)}"]
    assert "artifact 'a.txt'" in next(iter(problems.values()))
    git("rm", "-q", "--cached", f".gemexp/{layout.object_path(outcome)}")
    problems, _ = check(add=False)
    assert len(problems) == 1
    assert "outcome" in next(iter(problems.values()))
    assert check(0) == ({}, {})


def test_a_later_member_without_the_one_before(ours, check, git, commit):
    found = ours.register(config(k=1))
    commit()
    ours.tag(found, ["t"])
    ours.untag(found, ["t"])
    git("add", f".gemexp/refs/tags/t/{found}.2")
    problems, _ = check(add=False)
    assert [*problems] == [f".gemexp/refs/tags/t/{found}.2"]


def test_members_that_are_not_empty(ours, check, place):
    found = ours.register(config(k=1))
    bad = [place(f"refs/tags/t/{found}", b"x"), place(f"refs/deleted/{found}", b"<<<<<<<\n")]
    problems, _ = check()
    assert problems == dict.fromkeys(sorted(bad), "is not empty")


def test_links_and_local_files(ours, check, git, repository, place):
    found = ours.register(config(k=1))
    file = repository / ".gemexp" / layout.object_path(found)
    file.rename(repository / "object")
    file.symlink_to(repository / "object")
    place("local/tmp/1", b"x")
    git("add", "-f", ".gemexp/local/tmp/1")
    problems, _ = check()
    assert sorted(problems) == [".gemexp/local/tmp/1", f".gemexp/{layout.object_path(found)}"]
    assert "symbolic link" in problems[f".gemexp/{layout.object_path(found)}"]


def test_a_link_in_the_place_of_a_folder(ours, check, repository, commit):
    ours.register(config(k=1))
    commit()
    (repository / ".gemexp/objects").rename(repository / "elsewhere")
    (repository / ".gemexp/objects").symlink_to(repository / "elsewhere")
    problems, _ = check()
    assert "symbolic link" in problems[".gemexp/objects"]


def test_names_that_no_reader_looks_at_are_noted(ours, check, place):
    found = ours.register(config(k=1))
    noted = [
        place(f"{layout.object_path(found)}.orig", b"x"),
        place(f"objects/{found[:2]}/{found.upper()}", b"x"),
        place("index/.DS_Store", b"x"),
        place("refs/tags/%61/" + found),
        place("notes.txt", b"x"),
    ]
    problems, notes = check(0)
    assert sorted(notes) == sorted(noted)
    assert not problems


def test_files_in_a_folder_where_no_reader_looks(ours, check, place):
    found = ours.register(config(k=1))
    other = "00" if found[:2] != "00" else "11"
    with open(f"{ours.root}/{layout.object_path(found)}", "rb") as file:
        bad = place(f"objects/{other}/{found}", file.read())
    assert [*check()[0]] == [bad]


def test_objects_and_records_that_are_no_such_thing(ours, check, place):
    found = ours.register(config(k=1))
    strange = [
        canonical.encode({"$": "gemexp/config@1", "feature_names": []}),
        canonical.encode({"$": "gemexp/later@9"}),
    ]
    bad = [place(layout.object_path(hash_bytes(data)), data) for data in strange]
    record = canonical.encode({"$": "gemexp/put@1", "config": found})
    bad.append(place(layout.record_path(found, hash_bytes(record)), record))
    assert sorted(check()[0]) == sorted(bad)


def test_packs_hold_what_records_refer_to(ours, check, place, repository, commit):
    found = ours.register(ExperimentConfig([], {}, {"k": 1}, tags=["t"]))
    ours.pack()
    assert check(0) == ({}, {})
    commit()
    ours.tag(found, ["later"])
    ours.record(found, {"m": 1})
    assert check(0) == ({}, {})
    commit()
    (pack,) = (repository / ".gemexp/packs").iterdir()
    bad = place(f"packs/{pack.name}", pack.read_bytes() + b"x")
    problems, _ = check()
    assert [*problems] == [bad]


def test_what_was_packed_may_be_removed_loose(filled, ours, check, git):
    ours.pack(everything=True)
    git("add", "-A")
    assert "D\t.gemexp/objects" in git("diff", "--cached", "--name-status", "--no-renames")
    assert check(0) == ({}, {})
    git("rm", "-q", "--cached", "-r", ".gemexp/packs")
    assert f".gemexp/{layout.object_path(filled)}" in check(add=False)[0]


@pytest.mark.usefixtures("repository")
def test_a_store_of_a_newer_version_is_told(git, cli, place):
    place("format", b"gemexp 2 blake3\n")
    git("add", "-A")
    assert "format" in cli("git", "check", code=1)[1]


def test_a_store_without_its_format(tmp_path, git, cli, monkeypatch):
    monkeypatch.chdir(tmp_path)
    git("init", "-q")
    ExperimentRegistry(tmp_path / ".gemexp").register(config(k=1))
    git("add", ".gemexp/objects", ".gemexp/index")
    assert cli("git", "check", code=5)[0].startswith("'.gemexp/format' ")


def test_several_stores_in_folders(repository, check):
    roots = [repository / "a b/.gemexp", repository / "x.gemexp"]
    bad = []
    for root in roots:
        found = ExperimentRegistry(root).register(config(k=1))
        file = root / layout.object_path(found)
        file.chmod(0o644)
        file.write_bytes(b"x")
        bad.append(str(file.relative_to(repository)))
    assert sorted(check()[0]) == sorted(bad)


def test_what_is_not_staged_does_not_matter(ours, check, place, git, commit):
    found = ours.register(config(k=1))
    commit()
    place(layout.object_path(found), b"x")
    git("add", f".gemexp/{layout.object_path(ours.register(config(k=2)))}", ".gemexp/index")
    assert check(0, add=False) == ({}, {})


def test_only_staged_files_are_read(ours, git, commit, tmp_path):
    """The cost is that of what is staged: git is asked for few contents, however large the store is."""
    ours.add_many([config(k=number) for number in range(300)])
    commit()
    ours.register(config(k=-1))
    git("add", "-A")
    trace = tmp_path / "trace"
    done = subprocess.run(
        ["gemexp", "git", "check"],
        env={**os.environ, "GIT_TRACE_PACKET": "0", "GIT_TRACE2_EVENT": str(trace)},
        check=False,
    )
    assert done.returncode == 0
    started = [json.loads(line)["argv"] for line in trace.read_text().splitlines() if '"start"' in line]
    assert len(started) < 15
    assert not any("ls-files" in argument for arguments in started for argument in arguments)
