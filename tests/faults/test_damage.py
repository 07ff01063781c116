"""Every kind of damage to a store: what fsck says of it, its exit code, and that a whole copy repairs it.

docs/reference/fsck.md has the same table for people.
"""

import os
import shutil
import socket
import stat
from functools import partial
from pathlib import Path

import pytest
from small_stores import GHOST, config, copy, first, fsck, make, rewrite
from surroundings import contents

from gemexp import ExperimentRegistry
from gemexp.canonical import encode
from gemexp.digest import hash_bytes
from gemexp.store import layout

BASE, VARIANT, NEWEST, GONE = (config(number).config_hash for number in range(4))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return make(tmp_path_factory.mktemp("whole") / "store")


@pytest.fixture
def root(whole, tmp_path):
    return copy(whole, tmp_path / "store")


def change(start, to):
    """Return what puts other bytes into the first file whose path begins so."""

    def damage(root):
        path = first(root, start)
        rewrite(root, path, to(contents(root)[path]))

    return damage


def remove(start):
    return lambda root: os.unlink(f"{root}/{first(root, start)}")


def replace(start, make_other):
    """Return what puts something that is no file in the place of one, or of a folder."""

    def damage(root):
        path = first(root, start) if start.endswith("/") or os.path.isfile(f"{root}/{start}") else start
        full = f"{root}/{path}"
        (shutil.rmtree if os.path.isdir(full) else os.unlink)(full)
        make_other(full)

    return damage


def add(path, data=b""):
    return lambda root: rewrite(root, path, data)


def add_record(place, value):
    """Return what adds a record, whole but for what it says, under the name that its bytes have."""
    data = encode(value)
    return add(place.format(hash_bytes(data)), data)


def rename(start, to):
    def damage(root):
        path = first(root, start)
        os.makedirs(os.path.dirname(f"{root}/{to(path)}"), exist_ok=True)
        os.rename(f"{root}/{path}", f"{root}/{to(path)}")

    return damage


def bind(path):
    here = os.getcwd()
    os.chdir(os.path.dirname(path))  # a socket's path is short
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(os.path.basename(path))
    os.chdir(here)


def make_device(path):
    try:
        os.mknod(path, 0o644 | stat.S_IFCHR, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("only root makes devices")


def make_full_folder(path):
    os.makedirs(f"{path}/inside")


def mode(start, mode):
    return lambda root: os.chmod(f"{root}/{start if os.path.isdir(f'{root}/{start}') else first(root, start)}", mode)


PUT = {"$": "gemexp/put@1", "config": BASE, "created_at": "2024-01-01", "description": "", "parents": []}
RUN = {"$": "gemexp/run@1", "by": None, "code": None, "config": VARIANT, "created_at": "2024-01-01", "data": None}
RUN |= {"duration": None, "environment": {}, "outcome": BASE, "verifies": None}
ALIAS = {"$": "gemexp/alias@1", "alias": "beef", "config": GHOST, "created_at": "2024-01-01"}
MOVE = {"$": "gemexp/move@1", "by": None, "config": GHOST, "created_at": "2029-01-01", "name": "production"}
MOVE |= {"restores": None, "supersedes": []}
OUTCOME = {
    "$": "gemexp/outcome@1",
    "artifacts": {"x": GHOST},
    "config": BASE,
    "data": None,
    "details": {},
    "metrics": {},
}
OVERLONG = b"\x81\xd9\x01$\xa1x"
RECORDS = f"index/{BASE[:2]}/{BASE}-{{}}"
RUNS = f"index/{VARIANT[:2]}/{VARIANT}-{{}}"
OBJECT = f"objects/{BASE[:2]}/{BASE}"
NEWER = encode({"$": "gemexp/config@2"})


def an_object(data):
    name = hash_bytes(data)
    return add(f"objects/{name[:2]}/{name}", data)


# What is done to a store: (what does it, a beginning of the path that fsck names, what it says of it).
PROBLEMS = {
    "object: a bit": (change(OBJECT, lambda data: bytes([data[0] ^ 1]) + data[1:]), OBJECT, "another hash"),
    "object: truncated": (change(OBJECT, lambda data: data[:-1]), OBJECT, "another hash"),
    "object: empty": (change(OBJECT, lambda _: b""), OBJECT, "another hash"),
    "object: longer": (change(OBJECT, lambda data: data + b"\n"), OBJECT, "another hash"),
    "object: another's content": (change(OBJECT, lambda _: config(9).to_bytes()), OBJECT, "another hash"),
    "object: not canonical": (an_object(b"\x81\xd9\x01$\xa1x\xa1$"), "objects/", "canonical"),
    "object: no valid config": (an_object(encode({"$": "gemexp/config@1"})), "objects/", "not have exactly"),
    "object: no valid outcome": (an_object(encode({"$": "gemexp/outcome@1"})), "objects/", "not have exactly"),
    "object: missing": (remove(OBJECT), OBJECT, "is missing"),
    "object: in another's folder": (rename(OBJECT, lambda path: f"objects/00/{path[-64:]}"), "objects/00", "no reader"),
    "artifact: missing": (remove(f"objects/{hash_bytes(b'done')[:2]}/{hash_bytes(b'done')}"), "objects/", "is missing"),
    "artifact: named, not there": (an_object(encode(OUTCOME)), f"objects/12/{GHOST}", "is missing"),
    "record: a bit": (change("index/", lambda data: bytes([data[0] ^ 1]) + data[1:]), "index/", "another hash"),
    "record: truncated": (change("index/", lambda data: data[:-1]), "index/", "another hash"),
    "record: not canonical": (add(RECORDS.format(hash_bytes(OVERLONG)), OVERLONG), "index/", "canonical"),
    "record: a field missing": (add_record(RECORDS, {"$": "gemexp/put@1"}), "index/", "lacks 'config'"),
    "record: a bad time": (add_record(RECORDS, PUT | {"created_at": "then"}), "index/", "ISO 8601"),
    "record: about another": (add_record(RUNS, PUT), "index/", "about something else"),
    "record: a move": (add_record(RECORDS, MOVE | {"name": BASE}), "index/", "belongs in another folder"),
    "record: of a missing config": (
        add_record(f"index/12/{GHOST}-{{}}", PUT | {"config": GHOST}),
        f"objects/12/{GHOST}",
        "is missing",
    ),
    "record: the only one gone": (
        remove(f"index/{VARIANT[:2]}/{VARIANT}"),
        f"index/{VARIANT[:2]}/{VARIANT}-*",
        "missing",
    ),
    "run: of what is no outcome": (add_record(RUNS, RUN), f"objects/{BASE[:2]}/{BASE}", "is not an outcome"),
    "run: of another's outcome": (None, "objects/", "outcome of another config"),
    "alias: of a missing config": (add_record("index/be/beef-{}", ALIAS), f"objects/12/{GHOST}", "is missing"),
    "move: a bit": (change("refs/names/", lambda data: data[:-1] + b"\x00"), "refs/names/", "another hash"),
    "move: to a missing config": (add_record("refs/names/production/{}", MOVE), f"objects/12/{GHOST}", "is missing"),
    "move: of another name": (add_record("refs/names/other/{}", MOVE), "refs/names/other/", "about something else"),
    "move: a put": (add_record("refs/names/production/{}", PUT), "refs/names/", "about something else"),
    "tag: not empty": (change("refs/tags/t/", lambda _: b"x"), "refs/tags/t/", "not empty"),
    "tag: of a missing config": (add(f"refs/tags/t/{GHOST}"), f"objects/12/{GHOST}", "is missing"),
    "tag: a length missing": (remove(f"refs/tags/u/{BASE}"), f"refs/tags/u/{BASE}", "is missing"),
    "tag: a gap too wide": (add(f"refs/tags/t/{BASE}.123456"), f"refs/tags/t/{BASE}.123456", "too wide"),
    "deletion: not empty": (change("refs/deleted/", lambda _: b"x"), "refs/deleted/", "not empty"),
    "migration: not empty": (change("refs/migrated/", lambda _: b"x"), "refs/migrated/", "not empty"),
    "migration: to a missing config": (add(f"refs/migrated/{BASE}-{GHOST}"), f"objects/12/{GHOST}", "is missing"),
    "format: damaged": (change("format", lambda _: b"gemexq 1 sha256\n"), "format", "not exactly"),
    "format: missing": (remove("format"), "format", "is missing"),
    "pack: not one": (add(f"packs/{GHOST}.gxp", b"x"), f"packs/{GHOST}.gxp", "not a pack"),
    "link in an object's place": (replace(OBJECT, partial(os.symlink, "/dev/null")), OBJECT, "symbolic link"),
    "pipe in an object's place": (replace(OBJECT, os.mkfifo), OBJECT, "named pipe"),
    "socket in an object's place": (replace(OBJECT, bind), OBJECT, "socket"),
    "device in an object's place": (replace(OBJECT, make_device), OBJECT, "device"),
    "folder in an object's place": (replace(OBJECT, make_full_folder), OBJECT, "is a folder"),
    "link in a tag's place": (replace("refs/tags/t/", partial(os.symlink, "x")), "refs/tags/t/", "symbolic link"),
    "pipe in a tag's place": (replace("refs/tags/t/", os.mkfifo), "refs/tags/t/", "named pipe"),
    "folder in a tag's place": (replace("refs/tags/t/", os.mkdir), "refs/tags/t/", "is a folder"),
    "pipe in a move's place": (replace("refs/names/", os.mkfifo), "refs/names/", "named pipe"),
    "link to a fan-out folder": (
        replace(f"objects/{BASE[:2]}", partial(os.symlink, "/tmp")),  # noqa: S108 - wherever it leads
        f"objects/{BASE[:2]}",
        "symbolic link",
    ),
    "file in a fan-out folder's place": (
        replace(f"objects/{BASE[:2]}", lambda path: open(path, "wb").close()),
        f"objects/{BASE[:2]}",
        "where a folder belongs",
    ),
    "file in the tags' place": (
        replace("refs/migrated", lambda path: open(path, "wb").close()),
        "refs/migrated",
        "where a folder belongs",
    ),
    "nobody may read an object": (mode(OBJECT, 0), OBJECT, "nobody read it"),
    "nobody may list a folder": (mode(f"index/{BASE[:2]}", 0), f"index/{BASE[:2]}", "cannot be read"),
    "pipe in local's place": (lambda root: os.mkfifo(f"{root}/local/trash"), "local/trash", "named pipe"),
    "newer: an object": (an_object(NEWER), "objects/", "does not know"),
    "newer: a record": (add_record(RECORDS, PUT | {"$": "gemexp/put@2"}), "index/", "does not know"),
    "newer: a move": (add_record("refs/names/x/{}", {"$": "gemexp/move@2"}), "refs/names/x/", "does not know"),
}
# These are no damage to what is there: something that refers to what never was, or what a newer version wrote.
LASTING = {
    *("artifact: named, not there", "record: of a missing config", "run: of what is no outcome"),
    *("run: of another's outcome", "alias: of a missing config", "move: to a missing config"),
    *("tag: of a missing config", "migration: to a missing config", "tag: a gap too wide"),
    *("newer: an object", "newer: a record", "newer: a move"),
}
# Nobody has a whole copy of these: what the damage was done to was not there before.
LOST = {
    *("object: not canonical", "object: no valid config", "object: no valid outcome", "record: not canonical"),
    *("record: a field missing", "record: a bad time", "record: about another", "record: a move"),
    *("move: of another name", "move: a put", "pack: not one"),
}
# What is no problem: fsck tells of it, and says that all is well. There is nothing to repair.
NOTES = {
    "a foreign file": (add("notes.txt", b"mine"), "notes.txt", "not part of a store"),
    "a hash in capitals": (add(f"objects/AB/{'AB' * 32}", b"x"), "objects/AB/", "not part of a store"),
    "a tag's folder that is none": (add(f"refs/tags/%61/{BASE}"), "refs/tags/%61/", "not part of a store"),
    "a name that is no text": (
        lambda root: open(os.fsencode(root) + b"/objects/\xff\n", "wb").close(),
        "objects/",
        "not part of a store",
    ),
    "an object that nothing names": (an_object(b"anything"), "objects/", "is no config"),
    "a config without a record": (an_object(config(9).to_bytes()), "objects/", "has no record"),
    "an earlier move is missing": (None, "refs/names/production/", "is missing"),
    "git's settings changed": (add(".gitattributes", b"* text\n"), ".gitattributes", "not as gemexp init"),
    "git's settings missing": (remove(".gitignore"), ".gitignore", "not as gemexp init"),
    "others may write": (mode(OBJECT, 0o666), OBJECT, "lets others"),
}


def another_outcome(root):
    outcome = ExperimentRegistry(root).runs(BASE)[0].outcome
    add_record(RUNS, RUN | {"outcome": outcome})(root)


def forget_a_move(root):
    registry = ExperimentRegistry(root)
    earlier = registry.pointer("production").history[-1]
    os.unlink(f"{root}/{layout.move_path('production', earlier.record)}")


LATER = {"run: of another's outcome": another_outcome, "an earlier move is missing": forget_a_move}


def is_told(found, start, message):
    return any(one["path"].startswith(start) and message in one["message"] for one in found)


@pytest.mark.parametrize("damage", PROBLEMS)
def test_damage_is_named_and_a_whole_copy_repairs_it(root, whole, damage):
    do, start, message = PROBLEMS[damage]
    (do or LATER[damage])(root)
    before = contents(root) if damage != "nobody may list a folder" else None
    code, said = fsck(root)
    assert code == 5
    assert is_told(said["problems"], start, message), said["problems"]
    assert before in (None, contents(root)), "checking changes nothing"
    code, repaired = fsck(root, "--repair", "--from", whole)
    again, left = fsck(root)
    if damage in LASTING:
        assert code == 5
        kept = {path: data for path, data in contents(root).items() if not path.startswith("local/")}
        assert all(kept.get(path) == data for path, data in contents(whole).items()), "nothing else is touched"
    else:
        assert (again, left["problems"]) == (0, []), repaired["repairs"]
        assert code == (5 if damage in LOST else 0), repaired["repairs"]
        assert contents(root) == contents(whole)
        assert ExperimentRegistry(root).list_all() == ExperimentRegistry(whole).list_all()


@pytest.mark.parametrize("oddity", NOTES)
def test_what_is_odd_and_harmless_is_noted(root, oddity):
    do, start, message = NOTES[oddity]
    (do or LATER[oddity])(root)
    before = contents(root)
    code, said = fsck(root)
    assert (code, said["problems"]) == (0, [])
    assert is_told(said["notes"], start, message), said["notes"]
    assert fsck(root, "--repair")[0] == 0
    assert contents(root) == before


def test_what_is_repaired_without_a_copy_is_kept_in_quarantine(root):
    bad = {OBJECT: b"worse", first(root, "refs/names/"): b"bad"}
    for path, data in bad.items():
        rewrite(root, path, data)
    assert fsck(root, "--repair")[0] == 5
    folder = f"{root}/{layout.QUARANTINE}"
    held = {name.replace("_", "/"): Path(folder, name).read_bytes() for name in os.listdir(folder)}
    assert held == bad


def test_what_a_newer_version_wrote_is_never_moved(root, whole):
    for name in (name for name in LASTING if name.startswith("newer")):
        PROBLEMS[name][0](root)
    before = contents(root)
    for _ in range(2):
        code, said = fsck(root, "--repair", "--from", whole)
        assert code == 5
        assert all("newer version" in one["done"] for one in said["repairs"])
    assert contents(root) == before
    ExperimentRegistry(root).pack()
    assert fsck(root, "--repair")[0] == 5
    assert not os.path.exists(f"{root}/{layout.QUARANTINE}")


def test_a_packed_copy_is_as_good(root, tmp_path):
    packed = make(tmp_path / "packed", packed=True)
    for path, data in list(contents(root).items()):
        if path.startswith("objects/"):
            rewrite(root, path, data + b"x")
    assert fsck(root)[0] == 5
    assert fsck(root, "--repair", "--from", packed)[0] == 0
    assert ExperimentRegistry(root).get(BASE).hyperparameters == {"k": 0}


def spoil(at, to=b"\xff"):
    """Return what puts other bytes into the pack, at a place that may count from its end."""

    def damage(root):
        path = first(root, "packs/")
        data = contents(root)[path]
        place = at if at >= 0 else len(data) + at
        rewrite(root, path, data[:place] + to + data[place + len(to) :])

    return damage


def spoil_index(root):
    (name,) = os.listdir(f"{root}/{layout.PACK_INDEXES}")
    path = f"{layout.PACK_INDEXES}/{name}"
    data = Path(root, path).read_bytes()
    rewrite(root, path, data[:-5] + b"x" + data[-4:])


PACKED = {
    "its beginning": (spoil(3), "packs/", "not a pack"),
    "the head of an entry": (spoil(11), "packs/", "nothing that is whole from byte 8"),
    "an entry": (spoil(120), "packs/", "another hash"),
    "its end": (spoil(-1), "packs/", "another hash"),
    "something behind it": (change("packs/", lambda data: data + b"\n"), "packs/", "nothing that is whole from"),
    "cut off": (change("packs/", lambda data: data[:-200]), "packs/", "another hash"),
    "empty": (change("packs/", lambda _: b""), "packs/", "not a pack"),
    "its name": (rename("packs/", lambda _: f"packs/{GHOST}.gxp"), f"packs/{GHOST}.gxp", "another hash"),
    "a link": (replace("packs/", partial(os.symlink, "/dev/null")), "packs/", "symbolic link"),
    "a pipe": (replace("packs/", os.mkfifo), "packs/", "named pipe"),
    "a folder": (replace("packs/", make_full_folder), "packs/", "is a folder"),
}


@pytest.mark.parametrize("damage", PACKED)
def test_damage_to_a_pack_is_named_and_a_whole_copy_repairs_it(damage, tmp_path):
    whole = make(tmp_path / "whole", packed=True)
    root = copy(whole, tmp_path / "store")
    do, start, message = PACKED[damage]
    do(root)
    code, said = fsck(root)
    assert code == 5
    assert is_told(said["problems"], start, message), said["problems"]
    fsck(root, "--repair", "--from", whole)
    again, left = fsck(root)
    assert (again, left["problems"]) == (0, [])
    assert contents(root) == contents(whole)


def test_a_pack_that_is_gone_is_noted_as_long_as_its_index_is_there(tmp_path):
    root = make(tmp_path / "store", packed=True)
    remove("packs/")(root)
    code, said = fsck(root)
    assert code == 0, "nothing that is left refers to what was in it"
    assert is_told(said["notes"], layout.PACK_INDEXES, "replaced, or lost")


def test_a_damaged_index_of_a_pack_is_noted_and_makes_no_difference(tmp_path):
    root = make(tmp_path / "store", packed=True)
    expected = ExperimentRegistry(root).list_all()
    spoil_index(root)
    code, said = fsck(root)
    assert (code, said["problems"]) == (0, [])
    assert is_told(said["notes"], layout.PACK_INDEXES, "made anew")
    assert ExperimentRegistry(root).list_all() == expected
