"""Names that mean places: of tags, names, packs, artifacts, files that are written for somebody."""

import json
import os
import stat
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packed_stores import the_pack
from surroundings import contents, snapshot

from gemexp import ExperimentConfig, ExperimentRegistry
from gemexp.digest import hash_bytes
from gemexp.errors import Corrupt, GemexpError, InvalidInput
from gemexp.store import layout, names, pack_format

PLACES = [
    *("..", ".", "../..", "../outside/letter.txt", "/etc/passwd", "a/../../x", "..\\..\\x", "C:\\x", "//server/share"),
    *("%2e%2e", "%2E%2E%2F", "..%2f", "%00", "a\0b", "a\nb", "CON", "nul.txt", "com1", ".git", ".gemexp", "~", "-"),
    *("$(touch x)", "`touch x`", ";touch x", "a b", " ", "\u202e", "\ud7ff", "x" * 200, "\u2024\u2024/", "\uff0f"),
]
TOO_LONG = ["x" * 201, "\u00e9" * 34, "A" * 67, "x" * 100_000]


@pytest.mark.parametrize("name", PLACES)
def test_no_tag_or_name_is_a_place(filled, outside, untouched, gemexp, name):
    first = filled.hashes[0]
    before = set(contents(filled.root))
    filled.register(ExperimentConfig([], {}, {"tagged": name}, tags=[name]))
    filled.tag(first, [name])
    try:
        filled.move_name(name, first)
    except InvalidInput:
        assert names.pointer(filled._folder, name).history == ()
    filled.untag(first, [name])
    new = set(contents(filled.root)) - before
    folders = {path.split("/")[2] for path in new if path.startswith("refs/")}
    assert len(folders) == 1
    assert layout.unescape_name(folders.pop()) == name
    assert all(path.count("/") in (2, 3) for path in new)
    assert name in filled.tags()
    filled.pack()
    assert name in ExperimentRegistry(filled.root).tags()
    if "\0" not in name:
        gemexp("export", "--tag", name, "exported", code=0)
        assert {len(path) for path in contents("exported")} == {69}
    assert untouched()
    assert outside


@pytest.mark.parametrize("name", TOO_LONG)
def test_a_name_too_long_for_a_file_is_refused_before_anything_is_written(filled, name):
    before = contents(filled.root)
    for write in (
        lambda: filled.register(ExperimentConfig([], {}, {"fresh": 1}, tags=[name])),
        lambda: filled.tag(filled.hashes[0], [name]),
        lambda: filled.move_name(name, filled.hashes[0]),
    ):
        with pytest.raises(InvalidInput):
            write()
    assert contents(filled.root) == before
    assert filled.search_by_tag(name) == []


@given(st.text(max_size=80))
def test_what_a_name_is_written_as_is_one_part_of_a_path_and_reads_back(name):
    try:
        escaped = layout.escape_name(name, "tag")
    except InvalidInput:
        return
    assert os.path.basename(escaped) == escaped
    assert escaped not in ("", ".", "..")
    assert escaped.isascii()
    assert escaped.isprintable()
    assert layout.unescape_name(escaped) == name


NO_NAMES = [
    "%2e%2e",
    "%61",
    "..%2F..",
    "%2F",
    "%00",
    "%FF",
    "%C0%AF",
    "%E2%80%AE%",
    "A",
    "a b",
    "%2E%2E%2Fx",
    "x" * 201,
]


@pytest.mark.parametrize("folder", NO_NAMES)
def test_folders_that_no_name_is_written_as_are_none(filled, gemexp, folder):
    for part in (layout.TAGS, layout.NAMES):
        os.makedirs(f"{filled.root}/{part}/{folder}")
        for config in filled.hashes:
            open(f"{filled.root}/{part}/{folder}/{config}", "wb").close()
    known = layout.unescape_name(folder)
    assert set(filled.tags()) - {"all", "k=0", "k=1", "k=2", "gone"} == ({known} if known else set())
    gemexp("list", code=0)
    gemexp("fsck", code=5 if known is None else None)


HASH = bytes(32)
NO_KEYS = [
    *(b"\x85../" + HASH, b"\x85a/b/" + HASH, b"\x85/" + HASH, b"\x85%2F%2E./" + HASH, b"\x84../" + HASH),
    *(b"\x85\xff/" + HASH, b"\x85a\0b/" + HASH, b"\x85" + b"x" * 201 + b"/" + HASH, b"\x80" + HASH[1:]),
    *(b"\x81" + HASH + b"\0", b"\x82" + HASH + b"/../x", b"\x82" + HASH + b".1", b"\x82" + HASH + b".9999999999"),
    *(b"\x83" + 2 * HASH + b"\n", b"\x80" + 2 * HASH + b"\x41", b"\x80" + 2 * HASH + b"\x03", b"local/x", b"\x86x"),
]


@pytest.mark.parametrize("key", NO_KEYS)
def test_keys_of_packs_that_are_no_paths_lead_nowhere(filled, key, gemexp, tmp_path):
    with pytest.raises(Corrupt):
        pack_format.to_path(key)
    data = pack_format.MAGIC + pack_format.frame(key, b"")
    os.makedirs(f"{filled.root}/packs", exist_ok=True)
    with open(f"{filled.root}/packs/{hash_bytes(data)}.gxp", "wb") as file:
        file.write(data)
    before = snapshot(tmp_path)
    assert gemexp("list", code=0).out.count("\n") == 2
    gemexp("fsck", code=5)
    assert {name for name in set(snapshot(tmp_path)) ^ set(before) if "/local/" not in f"/{name}/"} == set()
    gemexp("fsck", "--repair")
    gemexp("pack")
    assert {name for name in set(snapshot(tmp_path)) - set(before) if ".gemexp" not in name} == set()


def test_the_names_of_artifacts_are_data(filled, gemexp, project, outside, untouched):
    names_of_artifacts = ["../../outside/letter.txt", "/etc/passwd", "a\0b", "x" * 10_000, "..", ""]
    for number, name in enumerate(names_of_artifacts):
        try:
            filled.record(filled.hashes[0], {"loss": number}, artifacts={name: b"theirs"}, data="x")
        except GemexpError:
            continue
    gemexp("show", filled.hashes[0], code=0)
    gemexp("runs", code=0)
    gemexp("export", "--all", "all.jsonl", code=0)
    gemexp("export", "--tag", "all", "exported", code=0)
    gemexp("pack")
    gemexp("fsck", code=0)
    assert untouched()
    assert {path.name for path in project.iterdir()} == {".gemexp", "all.jsonl", "exported"}
    assert outside


def test_what_an_import_names_is_neither_read_nor_written(gemexp, project, outside, untouched):
    gemexp("init")
    config = ExperimentConfig([], {}, {"path": str(outside / "letter.txt")}).to_dict()
    lines = [
        {**config, "tags": ["../../outside", str(outside)]},
        {**config, "hyperparameters": {"$ref": str(outside / "letter.txt"), "include": "!include /etc/passwd"}},
        {**config, "config_hash": "../" * 20},
    ]
    (project / "three.jsonl").write_text(
        "".join(f"{json.dumps({**line, 'config_hash': None})}\n" for line in lines[:2])
    )
    (project / "bad.json").write_text(json.dumps(lines[2]))
    gemexp("import", "three.jsonl")
    gemexp("import", "bad.json", code=1)
    assert "precious" not in gemexp("export", "--all", "-").out
    assert untouched()


@pytest.mark.parametrize("kind", ["pipe", "folder"])
def test_pipes_and_folders_in_the_place_of_files_hold_nobody_up(filled, everything, gemexp, kind):
    first = filled.hashes[0]
    config = ExperimentConfig([], {}, {"fresh": 1}).config_hash
    record = next(name for name in os.listdir(f"{filled.root}/index/{first[:2]}") if name.startswith(first))
    move = os.listdir(f"{filled.root}/refs/names/production")[0]
    places = [
        *(
            layout.object_path(config),
            f"index/{first[:2]}/{record}",
            f"refs/tags/all/{config}",
            f"packs/{'ab' * 32}.gxp",
        ),
        *(
            f"refs/names/production/{move}",
            f"refs/deleted/{'ab' * 32}",
            f"local/packs/{'ab' * 32}.gxi",
            "local/imported",
        ),
        *(f"local/journal/{os.getuid()}.jsonl", "local/index.sqlite", "local/index.sqlite.lock", "local/tmp/1-a"),
        *("local/index.sqlite-journal", "local/trash/1-1", "local/panels/x.npz", ".gitattributes"),
    ]
    for place in places:
        path = f"{filled.root}/{place}"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if os.path.lexists(path):
            os.unlink(path)
        (os.mkfifo if kind == "pipe" else os.mkdir)(path)
    done = threading.Event()
    timer = threading.Timer(120, lambda: done.is_set() or os._exit(99))  # a command that waits would wait for ever
    timer.start()
    try:
        named = gemexp("fsck", code=5).out
        everything(first)
    finally:
        done.set()
        timer.cancel()
    if kind == "pipe":
        assert all(place in named for place in places if not place.startswith("local/"))


def test_temporary_files_are_nobodys_else(filled, monkeypatch):
    opened = []
    real = os.open

    def watched(path, flags, mode=0o777, **how):
        opened.append((os.fspath(path) if isinstance(path, (str, os.PathLike)) else path, flags, mode))
        return real(path, flags, mode, **how)

    monkeypatch.setattr(os, "open", watched)
    filled.register(ExperimentConfig([], {}, {"fresh": 1}, tags=["t"]))
    filled.add_many(ExperimentConfig([], {}, {"bulk": number}) for number in range(3))
    filled.pack()
    filled.delete(filled.hashes[0])
    created = [(path, flags, mode) for path, flags, mode in opened if flags & os.O_CREAT]
    assert created
    for path, flags, mode in created:
        if "/journal/" in path:
            assert mode == 0o600
        else:
            assert flags & os.O_EXCL, path
            assert mode == 0o444, path
        assert flags & os.O_NOFOLLOW, path
    found = {}
    for top, _, files in os.walk(filled.root):
        for name in files:
            status = os.lstat(os.path.join(top, name))
            found[os.path.join(top, name)] = stat.S_IMODE(status.st_mode)
    assert set(found.values()) <= {0o444, 0o600}
    assert not os.listdir(f"{filled.root}/local/tmp")
    assert len({os.path.basename(path) for path, *_ in created if "local/tmp" in path}) > 5


def test_what_is_repaired_goes_to_a_quarantine_within_the_store(filled, outside, untouched, gemexp):
    for number in range(3):
        place = f"{filled.root}/objects/ab/{'ab' * 32}"
        os.makedirs(os.path.dirname(place), exist_ok=True)
        os.symlink(outside / "letter.txt", place)
        gemexp("fsck", "--repair")
        assert len(os.listdir(f"{filled.root}/local/quarantine")) == number + 1
    assert untouched()


def test_a_pack_is_salvaged_in_place(filled, outside):
    filled.pack()
    path = the_pack(filled.root)
    letter = outside / "letter.txt"
    before = letter.stat()
    data = Path(f"{filled.root}/{path}").read_bytes() + b"x"
    os.unlink(f"{filled.root}/{path}")
    other = outside / "pack"
    other.write_bytes(data)
    other.chmod(0o644)
    os.link(other, f"{filled.root}/{path}")
    filled.repair(filled.check().problems)
    assert other.read_bytes() == data
    assert other.stat().st_mode & 0o777 == 0o644
    assert letter.stat() == before
