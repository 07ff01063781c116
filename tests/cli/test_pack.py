"""``gemexp pack``, and what fsck and gc say of packs."""

import json
import os
import subprocess

import pytest
from packed_stores import flip, frames, overwrite, packs, the_pack
from surroundings import contents, make_read_only, make_writable, obey_permissions, snapshot, write_nothing

from gemexp.store import layout, pack_format


@pytest.fixture
def filled(add):
    return [add({"k": number}, "-t", "all", "-d", f"number {number}") for number in range(3)]


def test_packing_says_what_it_did_and_changes_no_answer(gemexp, store, filled):  # noqa: ARG001
    before = [gemexp(*command, "--json").out for command in (["list"], ["tag"], ["fsck"])]
    result = gemexp("pack")
    pack = the_pack(store().root)
    size = len(contents(store().root)[pack])
    assert result.out == f"packed 9 files into {pack} ({size} bytes)\nreplaced 9 files\n"
    assert result.err == ""
    assert {name.partition("/")[0] for name in contents(store().root)} == {
        ".gitattributes",
        ".gitignore",
        "format",
        "packs",
    }
    after = [gemexp(*command, "--json").out for command in (["list"], ["tag"], ["fsck"])]
    assert after[:2] == before[:2]
    assert json.loads(after[2]) == json.loads(before[2]) | {"packs": 1}
    assert "checked 1 pack, 3 objects" in gemexp("fsck").out


def test_packing_again_has_nothing_to_do(gemexp, store, filled):  # noqa: ARG001
    gemexp("pack")
    before = snapshot(store().root)
    assert gemexp("pack").out == "nothing to pack\n"
    assert gemexp("pack", "-q").out == ""
    assert gemexp("pack", "--json").json == {
        **dict.fromkeys(("files", "size", "loose", "packs", "damaged", "tracked"), 0),
        **dict.fromkeys(("pack", "path")),
    }
    assert snapshot(store().root) == before


def test_an_empty_store_has_nothing_to_pack(gemexp, store):
    store()
    assert gemexp("pack").out == "nothing to pack\n"


def test_what_comes_later_and_the_old_pack_become_one(gemexp, add, store, filled):
    gemexp("pack")
    last = add({"k": 4}, "-t", "all")
    found = gemexp("pack", "--json").json
    assert (found["files"], found["loose"], found["packs"]) == (12, 3, 1)
    assert [found["path"]] == packs(store().root)
    assert {one["config_hash"] for one in gemexp("search", "all", "--json").json} == {*filled, last}
    gemexp("fsck")


def test_quiet_prints_the_packs_hash_alone(gemexp, store, filled):  # noqa: ARG001
    assert layout.pack_path(gemexp("pack", "-q").out.strip()) == the_pack(store().root)


def test_every_command_reads_and_writes_a_packed_store(gemexp, filled):
    gemexp("pack")
    one, two, _ = filled
    assert "number 0" in gemexp("show", one[:6]).out
    assert gemexp("diff", one[:8], two[:8]).out == "~ hyperparameters.k: 0 -> 1 (+1)\n"
    gemexp("tag", "-d", one, "all")
    gemexp("tag", two, "best")
    gemexp("describe", two, "better")
    gemexp("name", "production", "best")
    gemexp("delete", "--force", one)
    gemexp("pack")
    assert gemexp("tag", "--json").json == {"all": 2, "best": 1}
    assert "better" in gemexp("show", "production").out
    gemexp("restore", one)
    assert len(gemexp("list", "--json").json) == 3
    gemexp("fsck")


def test_a_damaged_file_is_left_and_told(gemexp, store, filled):
    path = layout.object_path(filled[0])
    overwrite(store().root, path, b"bad")
    result = gemexp("pack", code=5)
    assert "packed 8 files" in result.out
    assert result.err == "warning: left 1 damaged file as found; gemexp fsck tells more\n"
    assert contents(store().root)[path] == b"bad"
    assert [one["path"] for one in gemexp("fsck", "--json", code=5).json["problems"]] == [path]


def test_a_damaged_pack_is_left_and_told_by_every_command_until_it_is_repaired(gemexp, add, store, filled):  # noqa: ARG001
    gemexp("pack")
    pack = the_pack(store().root)
    found, _ = frames(store().root)
    flip(store().root, pack, next(one for one in found if one.key[0] == pack_format.OBJECT).data)
    add({"k": 9})
    overwrite(store().root, pack, contents(store().root)[pack] + b"x")
    result = gemexp("list", "--json", code=5)
    assert len(json.loads(result.out)) == 3
    assert pack in result.err
    gemexp("pack", code=5)
    assert pack in packs(store().root)
    result = gemexp("fsck", code=5)
    assert f"'{pack}: objects/" in result.out
    problems = gemexp("fsck", "--json", code=5).json["problems"]
    assert {one["path"] for one in problems} == {pack}
    assert [one["entry"].partition("/")[0] for one in problems if "entry" in one] == ["objects"]
    result = gemexp("fsck", "--repair", code=5)
    assert "no good copy found" in result.out
    assert len(os.listdir(f"{store().root}/{layout.QUARANTINE}")) == 1
    assert len(gemexp("list", "--json").json) == 3
    assert [one["path"].partition("/")[0] for one in gemexp("fsck", "--json", code=5).json["problems"]] == ["objects"]
    add({"k": min(set(range(3)) - {one["hyperparameters"]["k"] for one in gemexp("list", "--json").json})})
    gemexp("fsck")


def test_gc_collects_from_packs(gemexp, store, filled):
    gemexp("delete", "--force", filled[0])
    gemexp("pack")
    before = packs(store().root)
    assert f"would collect {filled[0][:12]}" in gemexp("gc", "--grace", "0", "--dry-run").out
    assert packs(store().root) == before
    assert f"collected {filled[0][:12]}" in gemexp("gc", "--grace", "0").out
    assert packs(store().root) != before
    gemexp("show", filled[0], code=3)
    gemexp("fsck")


@pytest.fixture
def git(project):
    def run(*arguments):
        settings = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
        who = {f"GIT_{role}_{part}": "a@example.org" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")}
        done = subprocess.run(
            ["git", *arguments], cwd=project, env={**os.environ, **settings, **who}, capture_output=True, check=True
        )
        return done.stdout.decode()

    run("init", "-q")
    return run


def test_what_git_tracks_stays_unless_it_is_asked_for(gemexp, git, add, store, filled):
    git("add", "-A")
    git("commit", "-q", "-m", "loose")
    assert gemexp("pack").out == "nothing to pack\n"
    last = add({"k": 4}, "-t", "all")
    assert "packed 3 files" in gemexp("pack").out
    assert git("status", "--porcelain") == "?? .gemexp/packs/\n"
    git("add", "-A")
    git("commit", "-q", "-m", "packed")
    assert gemexp("pack").out == "nothing to pack\n"
    result = gemexp("pack", "--all", "--json")
    assert (result.json["files"], result.json["loose"], result.json["packs"], result.json["tracked"]) == (12, 9, 1, 10)
    assert "git sees 10 files as removed" in result.err
    assert {one["config_hash"] for one in gemexp("list", "--json").json} == {*filled, last}
    assert " D .gemexp/objects/" in git("status", "--porcelain")
    git("add", "-A")
    git("commit", "-q", "-m", "all in one")
    assert git("ls-files", ".gemexp/objects", ".gemexp/packs") == f".gemexp/{the_pack(store().root)}\n"


def test_outside_of_git_it_need_not_be_installed(gemexp, process, store, filled):
    gemexp("delete", "--force", filled[0])
    for command in (["pack"], ["gc", "--grace", "0"]):
        assert process(*command, env={"PATH": "nowhere"}).code == 0
    assert len(packs(store().root)) == 1
    assert store().get(filled[0]) is None


def test_a_pack_that_git_tracks_keeps_its_deleted_configs(gemexp, git, filled):
    gemexp("pack")
    git("add", "-A")
    gemexp("delete", "--force", filled[0])
    result = gemexp("gc", "--grace", "0", "--json").json
    assert result["kept"] == [{"config_hash": filled[0], "reason": "git tracks its pack"}]
    result = gemexp("gc", "--grace", "0", "--tracked")
    assert f"collected {filled[0][:12]}" in result.out
    assert "git sees 1 file as removed" in result.err
    gemexp("fsck")


def test_a_store_that_cannot_be_written_is_left_as_it_is(gemexp, process, store, filled):  # noqa: ARG001
    before = contents(store().root)
    result = process("pack", preexec_fn=write_nothing)
    assert (result.code, contents(store().root)) == (1, before)
    assert "error: cannot write" in result.err
    make_read_only(store().root)
    try:
        result = process("pack", preexec_fn=obey_permissions)
    finally:
        make_writable(store().root)
    assert (result.code, contents(store().root)) == (1, before)
    assert "hint: " in result.err


def test_packs_that_may_not_be_read_are_no_empty_store(gemexp, process, store, filled):  # noqa: ARG001
    gemexp("pack")
    folder = f"{store().root}/packs"
    for path, mode in ((folder, 0o755), (f"{store().root}/{the_pack(store().root)}", 0o444)):
        os.chmod(path, 0)
        try:
            result = process("list", preexec_fn=obey_permissions)
        finally:
            os.chmod(path, mode)
        assert (result.code, result.out) == (1, "")
        assert "not readable" in result.err


def test_a_packed_store_that_may_not_be_written_is_read(gemexp, process, store, filled):
    gemexp("pack")
    os.unlink(f"{store().root}/{layout.pack_index_path(the_pack(store().root)[6:70])}")
    make_read_only(store().root)
    try:
        result = process("list", "--json", preexec_fn=obey_permissions)
    finally:
        make_writable(store().root)
    assert {one["config_hash"] for one in json.loads(result.out)} == set(filled)
    assert (result.code, result.err) == (0, "")
