"""Which store a command works on, and stores that it must leave alone."""

import json
import os
import subprocess

import pytest
from surroundings import snapshot


def listed(gemexp, *options):
    return [config["hyperparameters"] for config in gemexp(*options, "list", "--json").json]


@pytest.fixture
def three(gemexp, project, monkeypatch):
    """Three stores: here, in a folder below, and beside a database."""
    gemexp("init")
    gemexp("add", "-", stdin='{"in": "here"}')
    gemexp("init", "below")
    gemexp("-C", "below", "add", "-", stdin='{"in": "below"}')
    monkeypatch.chdir(project)
    gemexp("--db", "x.sqlite", "add", "-", stdin='{"in": "database"}')
    return project


def test_the_nearest_store_upwards_is_used(gemexp, three, monkeypatch):
    (three / "below" / "a" / "b").mkdir(parents=True)
    (three / "a").mkdir()
    assert listed(gemexp) == [{"in": "here"}]
    monkeypatch.chdir(three / "a")
    assert listed(gemexp) == [{"in": "here"}]
    monkeypatch.chdir(three / "below" / "a" / "b")
    assert listed(gemexp) == [{"in": "below"}]


def test_options_and_the_environment_name_a_store(gemexp, three, monkeypatch):
    assert listed(gemexp, "--store", "below/.gemexp") == [{"in": "below"}]
    assert listed(gemexp, "--store", "below") == [{"in": "below"}]
    assert listed(gemexp, "--store", three / "below") == [{"in": "below"}]
    assert listed(gemexp, "--db", "x.sqlite") == [{"in": "database"}]
    assert listed(gemexp, "--db", three / "x.sqlite") == [{"in": "database"}]
    monkeypatch.setenv("GEMEXP_DIR", "below/.gemexp")
    assert listed(gemexp) == [{"in": "below"}]
    assert listed(gemexp, "--store", ".gemexp") == [{"in": "here"}]
    assert listed(gemexp, "--db", "x.sqlite") == [{"in": "database"}]


def test_another_folder_can_be_worked_in(gemexp, three, monkeypatch):
    assert listed(gemexp, "-C", "below") == [{"in": "below"}]
    monkeypatch.chdir(three)
    (three / "below" / "c.yaml").write_text("more: 1\n")
    gemexp("-C", "below", "add", "c.yaml", "-q")
    monkeypatch.chdir(three)
    monkeypatch.setenv("GEMEXP_DIR", ".gemexp")
    assert len(listed(gemexp, "-C", "below")) == 2
    monkeypatch.chdir(three)
    assert "'nowhere'" in gemexp("-C", "nowhere", "list", code=1).err
    gemexp("-C", "x.gemexp/format", "list", code=1)


def test_a_named_store_is_made_by_what_writes_and_not_by_what_reads_or_fails(gemexp, project, monkeypatch):
    (project / "bad.json").write_text("{")
    (project / "good.json").write_text("{}")
    for options in (["--store", "new"], ["--db", "new.sqlite"], ["--db", "new"]):
        gemexp(*options, "list", code=1)
        gemexp(*options, "show", "abcd", code=1)
        gemexp(*options, "add", "bad.json", code=1)
        gemexp(*options, "add", "none.json", code=1)
        gemexp(*options, "import", "bad.json", code=1)
    monkeypatch.setenv("GEMEXP_DIR", "new")
    gemexp("add", "bad.json", code=1)
    monkeypatch.delenv("GEMEXP_DIR")
    assert sorted(path.name for path in project.iterdir()) == ["bad.json", "good.json"]
    gemexp("--db", "new", "add", "good.json")
    gemexp("--db", "other.sqlite", "add", "good.json")
    gemexp("--store", "third", "add", "good.json")
    names = sorted(path.name for path in project.iterdir())
    assert names == ["bad.json", "good.json", "new.gemexp", "other.gemexp", "third"]
    gemexp("add", "good.json", code=1)


def test_a_database_that_is_another_thing_is_refused(gemexp, project):
    (project / "notes.txt").write_text("notes")
    (project / "folder").mkdir()
    before = snapshot(project)
    for command in (["list"], ["add", "-"]):
        result = gemexp("--db", "notes.txt", *command, stdin="a: 1", code=1)
        assert "'notes.txt'" in result.err.replace(f"{project}/", "")
    assert snapshot(project) == before


@pytest.mark.parametrize("line", ["gemexp 2 sha256\n", "gemexp 1 blake3\n", "gemexp 3 sha256 packs\n"])
def test_a_store_of_a_newer_version_is_refused_and_untouched(gemexp, add, project, line):
    config_hash = add({"a": 1})
    (project / ".gemexp" / "format").chmod(0o644)
    (project / ".gemexp" / "format").write_text(line)
    (project / "c.yaml").write_text("b: 1\n")
    before = snapshot(project)
    for command in (
        ["list"],
        ["show", config_hash],
        ["add", "c.yaml"],
        ["tag", config_hash, "x"],
        ["delete", config_hash, "-f"],
        ["fsck"],
        ["fsck", "--repair"],
        ["init"],
        ["import", "--sqlite", "none.sqlite"],
    ):
        result = gemexp(*command, code=1)
        if "--sqlite" not in command:
            assert "upgrade gemexp" in result.err
            assert gemexp(*command, "--json", code=1).error["kind"] == "unsupported-format"
    assert snapshot(project) == before


def test_environment_variables_that_name_nothing_useful_are_told(gemexp, project, monkeypatch):
    (project / "file").write_text("x")
    for name in ("file", "none", "/dev/null"):
        monkeypatch.setenv("GEMEXP_DIR", name)
        assert "no store" in gemexp("list", code=1).err


def test_a_folder_that_is_gone_is_told(process, project):
    gone = project / "gone"
    gone.mkdir()
    result = process("list", cwd=gone, preexec_fn=lambda: os.rmdir(gone))
    assert result.code == 1
    assert "Traceback" not in result.err
    assert result.err.startswith("error: ")


@pytest.mark.parametrize("room", ["none", "little"])
def test_a_full_disk_is_told_and_what_was_there_stays(process, project, tmp_path, room):
    """A file system of a few pages where one may be mounted, and else a limit on the size of files."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)]
    is_mounted = os.geteuid() == 0 and subprocess.run(mount, check=False, capture_output=True).returncode == 0
    try:
        store = disk / "store"
        assert process("--store", store, "init").code == 0
        assert process("--store", store, "add", "-", "-t", "kept", stdin=b"kept: 1\n").code == 0
        options = {}
        if is_mounted:
            free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize - (0 if room == "none" else 8192)
            (disk / "filler").write_bytes(bytes(free))
        else:
            options["preexec_fn"] = limit_to(0 if room == "none" else 8192)
        before = snapshot(store)
        (project / "large.json").write_text(json.dumps({"text": "x" * 200_000}))
        result = process("--store", store, "add", "large.json", **options)
        assert result.code == 1
        assert result.out == ""
        assert result.err.startswith("error: cannot write to the store")
        assert "Traceback" not in result.err
        after = snapshot(store)
        assert {name: kind for name, kind in after.items() if not name.startswith("local")} == {
            name: kind for name, kind in before.items() if not name.startswith("local")
        }
        assert os.listdir(store / "local" / "tmp") == []
        assert process("--store", store, "fsck").code == 0
        assert process("--store", store, "show", "kept").code == 0
    finally:
        if is_mounted:
            subprocess.run(["umount", str(disk)], check=True)


def limit_to(size):
    def limit():
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return limit
