"""Creating immutable files: whole, durable, in order, and never twice."""

import errno
import os
import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from surroundings import make_read_only, make_writable, obey_permissions, snapshot, write_nothing

from gemexp.errors import Corrupt, StoreUnwritable
from gemexp.store.files import Folder

FILES = {"objects/ab/one": b"1" * 1000, "index/ab/two": b"2", "refs/tags/t/three": b""}
WRITE = """
import sys
from gemexp.errors import StoreUnwritable
from gemexp.store.files import Folder
try:
    with Folder(sys.argv[1]).batch() as batch:
        for path in sys.argv[2:]:
            batch.create(path, b"" if path.startswith("refs") else b"content " * 1000)
except StoreUnwritable as error:
    print(error.errno, error, "|", error.hint)
"""


def write(folder, files):
    with folder.batch() as batch:
        for path, data in files.items():
            batch.create(path, data)


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "store"
    root.mkdir()
    return Folder(str(root))


def temporaries(folder):
    return os.listdir(f"{folder.root}/local/tmp") if os.path.isdir(f"{folder.root}/local/tmp") else []


def test_files_hold_what_was_given_and_are_read_only(folder):
    write(folder, FILES)
    for path, data in FILES.items():
        full = f"{folder.root}/{path}"
        with open(full, "rb") as file:
            assert file.read() == data
        assert stat.S_IMODE(os.lstat(full).st_mode) == 0o444
        assert folder.read(path, 10**6) == data
    assert temporaries(folder) == []


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_the_mode_is_at_most_read_only_whatever_the_mask(folder, mask):
    before = os.umask(mask)
    try:
        write(folder, FILES)
    finally:
        os.umask(before)
    for path in FILES:
        assert stat.S_IMODE(os.lstat(f"{folder.root}/{path}").st_mode) & 0o333 == 0


def test_writing_again_rewrites_nothing(folder):
    write(folder, FILES)
    before = snapshot(folder.root)
    inodes = {path: os.lstat(f"{folder.root}/{path}").st_ino for path in FILES}
    write(folder, FILES)
    write(Folder(folder.root), dict(reversed(FILES.items())))
    assert snapshot(folder.root) == before
    assert {path: os.lstat(f"{folder.root}/{path}").st_ino for path in FILES} == inodes


@pytest.mark.parametrize("damage", [b"", b"1" * 999, b"1" * 1001, b"2" * 1000])
def test_a_damaged_file_is_replaced(folder, damage):
    write(folder, FILES)
    path = f"{folder.root}/objects/ab/one"
    os.chmod(path, 0o644)
    with open(path, "wb") as file:
        file.write(damage)
    write(folder, FILES)
    assert folder.read("objects/ab/one", 10**6) == FILES["objects/ab/one"]
    assert stat.S_IMODE(os.lstat(path).st_mode) == 0o444
    assert temporaries(folder) == []


def test_a_damaged_empty_file_is_replaced_and_no_other_suffers(folder):
    paths = ["refs/tags/t/a", "refs/tags/t/b"]
    write(folder, dict.fromkeys(paths, b""))
    os.unlink(f"{folder.root}/{paths[0]}")
    with open(f"{folder.root}/{paths[0]}", "wb") as file:
        file.write(b"x")
    write(folder, dict.fromkeys(paths, b""))
    assert [folder.read(path, 10) for path in paths] == [b"", b""]


def test_a_link_in_a_files_place_is_replaced_and_what_it_points_to_is_left_alone(folder, tmp_path):
    outside = tmp_path / "outside"
    outside.write_bytes(b"mine")
    os.makedirs(f"{folder.root}/objects/ab")
    os.symlink(outside, f"{folder.root}/objects/ab/one")
    with pytest.raises(Corrupt, match="symbolic link"):
        folder.read("objects/ab/one", 10)
    write(folder, FILES)
    assert outside.read_bytes() == b"mine"
    assert folder.read("objects/ab/one", 10**6) == FILES["objects/ab/one"]


def test_an_error_inside_the_block_writes_nothing(folder):
    before = snapshot(folder.root)

    def fail():
        with folder.batch() as batch:
            batch.create("objects/ab/one", b"1")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert snapshot(folder.root) == before


def test_many_files_in_one_batch_need_few_open_files(folder):
    files = {f"objects/{number % 16:02x}/{number}": str(number).encode() for number in range(600)}
    write(folder, files)
    assert all(folder.read(path, 10) == data for path, data in files.items())


def test_threads_that_write_the_same_files_agree(folder):
    files = {f"objects/{number % 8:02x}/{number}": b"x" * number for number in range(64)}
    with ThreadPoolExecutor(8) as pool:
        for future in [pool.submit(write, Folder(folder.root), files) for _ in range(8)]:
            future.result()
    assert all(folder.read(path, 100) == data for path, data in files.items())
    assert temporaries(folder) == []


class TestReading:
    def test_a_missing_file_is_none(self, folder):
        assert folder.read("objects/ab/none", 10) is None
        assert folder.read("no/such/folder/none", 10) is None

    def test_folders_devices_and_pipes_are_refused(self, folder):
        os.mkdir(f"{folder.root}/folder")
        os.mkfifo(f"{folder.root}/pipe")
        for name in ("folder", "pipe"):
            with pytest.raises(Corrupt):
                folder.read(name, 10)

    def test_files_larger_than_the_limit_are_refused_unread(self, folder):
        with open(f"{folder.root}/huge", "wb") as file:
            file.truncate(10**12)
        with pytest.raises(Corrupt, match="larger"):
            folder.read("huge", 4 * 2**20)

    def test_names_are_listed_by_prefix_and_changes_are_seen(self, folder):
        write(folder, {"objects/ab/abc": b"1", "objects/ab/abd": b"1", "objects/ab/acc": b"1"})
        assert sorted(folder.names_with_prefix("objects/ab", "ab")) == ["abc", "abd"]
        assert sorted(folder.names_with_prefix("objects/ab", "")) == ["abc", "abd", "acc"]
        assert folder.names_with_prefix("objects/ab", "b") == []
        assert folder.names_with_prefix("objects/no", "ab") == []
        os.utime(f"{folder.root}/objects/ab", (1, 1))  # so long unchanged that the listing may be remembered
        assert len(folder.names_with_prefix("objects/ab", "ab")) == 2
        write(Folder(folder.root), {"objects/ab/abe": b"1"})
        assert len(folder.names_with_prefix("objects/ab", "ab")) == 3


def test_an_empty_file_never_changes_again(folder):
    """Another name would change its ctime, and git would read it again."""
    write(folder, {"refs/tags/t/one": b"", "refs/tags/t/two": b""})
    before = os.lstat(f"{folder.root}/refs/tags/t/one")
    write(folder, {"refs/tags/t/three": b"", "refs/tags/t/four": b""})
    after = os.lstat(f"{folder.root}/refs/tags/t/one")
    assert (after.st_ctime_ns, after.st_nlink) == (before.st_ctime_ns, before.st_nlink)
    inodes = {name: os.lstat(f"{folder.root}/refs/tags/t/{name}").st_ino for name in ("one", "two", "three", "four")}
    assert len(set(inodes.values())) == 2, "those of one batch share an inode"


class Recorder:
    """Notes the calls that make things durable, by inode, as they happen."""

    def __init__(self, monkeypatch):
        self.events = []
        for name in ("fsync", "fdatasync"):
            monkeypatch.setattr(os, name, self._wrap_sync(getattr(os, name)))
        for name in ("link", "rename", "replace"):
            monkeypatch.setattr(os, name, self._wrap_name(getattr(os, name)))
        monkeypatch.setattr(os, "mkdir", self._wrap_mkdir(os.mkdir))
        monkeypatch.setattr(os, "open", self._wrap_open(os.open))

    def _wrap_open(self, original):
        def opened(path, flags, *arguments, **options):
            descriptor = original(path, flags, *arguments, **options)
            if flags & os.O_CREAT:
                self.events.append(("name", os.fstat(descriptor).st_ino, os.path.abspath(path)))
            return descriptor

        return opened

    def _wrap_sync(self, original):
        def sync(descriptor):
            original(descriptor)
            self.events.append(("sync", os.fstat(descriptor).st_ino))

        return sync

    def _wrap_name(self, original):
        def name(source, target, **options):
            original(source, target, **options)
            self.events.append(("name", os.lstat(target).st_ino, os.path.abspath(target)))

        return name

    def _wrap_mkdir(self, original):
        def mkdir(path, *arguments, **options):
            original(path, *arguments, **options)
            self.events.append(("mkdir", os.lstat(path).st_ino, os.path.abspath(path)))

        return mkdir

    def named(self, path):
        return next(at for at, event in enumerate(self.events) if event[0] == "name" and event[2] == path)

    def synced_after(self, path, at):
        return ("sync", os.lstat(path).st_ino) in self.events[at + 1 :]

    def synced_before(self, path, at):
        return ("sync", os.lstat(path).st_ino) in self.events[:at]


def test_content_is_synced_before_it_is_named_and_every_folder_after(folder, monkeypatch):
    recorder = Recorder(monkeypatch)
    write(folder, FILES)
    places = [recorder.named(f"{folder.root}/{path}") for path in FILES]
    assert places == sorted(places)
    for path, at in zip(FILES, places, strict=True):
        full = f"{folder.root}/{path}"
        assert recorder.synced_before(full, at) or not FILES[path], "an empty file has nothing but its name"
        assert recorder.synced_after(os.path.dirname(full), at)
    made = [
        (at, event[2]) for at, event in enumerate(recorder.events) if event[0] == "mkdir" and "/local" not in event[2]
    ]
    assert {os.path.relpath(path, folder.root) for _, path in made} == {
        "objects",
        "objects/ab",
        "index",
        "index/ab",
        "refs",
        "refs/tags",
        "refs/tags/t",
    }
    for at, path in made:
        assert recorder.synced_after(os.path.dirname(path), at)


def test_what_is_there_already_is_synced_all_the_same(folder, monkeypatch):
    write(folder, FILES)
    recorder = Recorder(monkeypatch)
    write(Folder(folder.root), FILES)
    for path in FILES:
        full = f"{folder.root}/{path}"
        assert recorder.synced_after(full, -1)
        parent = os.path.dirname(full)
        while len(parent) >= len(folder.root):
            assert recorder.synced_after(parent, -1)
            parent = os.path.dirname(parent)


def fan_outs(folder):
    return sorted(os.listdir(f"{folder.root}/objects"))


def test_a_store_that_has_some_fan_out_folders_gets_all(folder, monkeypatch):
    for number in range(15):
        write(folder, {f"objects/{number:02x}/one": b"1"})
        assert fan_outs(folder) == [f"{made:02x}" for made in range(number + 1)]
    recorder = Recorder(monkeypatch)
    write(folder, {"objects/0f/one": b"1"})
    assert fan_outs(folder) == [f"{made:02x}" for made in range(256)]
    assert not os.path.exists(f"{folder.root}/index")
    top = os.lstat(f"{folder.root}/objects").st_ino
    assert all(("sync", top) in recorder.events[at:] for at, event in enumerate(recorder.events) if event[0] == "mkdir")


def test_syncing_the_folder_above_is_enough_for_all_fan_out_folders_in_it(folder, monkeypatch):
    write(folder, {f"objects/{number:02x}/one": b"1" for number in range(16)})
    again = Folder(folder.root)  # as another process would, which does not know who synced what
    for name, count in (("a0", 1), ("b0", 0), ("c0", 0)):
        recorder = Recorder(monkeypatch)
        write(again, {f"objects/{name}/one": b"1"})
        assert recorder.events.count(("sync", os.lstat(f"{folder.root}/objects").st_ino)) == count
        assert recorder.synced_after(
            f"{folder.root}/objects/{name}", recorder.named(f"{folder.root}/objects/{name}/one")
        )
        monkeypatch.undo()


@pytest.mark.parametrize("failing", range(1, 9))
def test_a_failed_sync_fails_the_batch_and_is_not_tried_again(folder, monkeypatch, failing):
    original, calls, lock = os.fsync, [], threading.Lock()

    def fsync(descriptor):
        with lock:
            calls.append(os.fstat(descriptor).st_ino)
            number = len(calls)
        if number == failing:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        original(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(StoreUnwritable) as caught:
        write(folder, FILES)
    assert caught.value.errno == errno.EIO
    assert len(set(calls)) == len(calls)
    assert temporaries(folder) == []


def test_file_systems_without_links_get_their_files_by_renaming(folder, monkeypatch):
    def link(source, target):
        raise OSError(errno.EPERM, os.strerror(errno.EPERM), source, None, target)

    monkeypatch.setattr(os, "link", link)
    write(folder, FILES)
    write(folder, FILES)
    for path, data in FILES.items():
        assert folder.read(path, 10**6) == data
    assert temporaries(folder) == []


def run(folder, paths, preexec):
    return subprocess.run(
        [sys.executable, "-c", WRITE, folder.root, *paths],
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=preexec,
    ).stdout


def test_a_disk_without_room_gets_one_clear_error_and_nothing_is_left(folder):
    write(folder, {"objects/ab/before": b"1"})
    before = snapshot(folder.root)
    told = run(folder, ["objects/ab/one", "index/ab/two", "refs/tags/t/three"], write_nothing)
    assert told.startswith(f"{errno.EFBIG} cannot write to the store")
    assert snapshot(folder.root) == before | {
        name: kind for name, kind in snapshot(folder.root).items() if name.split("/")[0] == "local"
    }
    assert temporaries(folder) == []


def test_a_read_only_store_gets_one_clear_error_and_stays_as_it_is(folder):
    write(folder, {"objects/ab/before": b"1"})
    make_read_only(folder.root)
    before = snapshot(folder.root)
    try:
        told = run(folder, ["objects/cd/one", "refs/tags/t/three"], obey_permissions)
        assert told.startswith(f"{errno.EACCES} cannot write to the store")
        assert "not writable" in told
        assert snapshot(folder.root) == before
    finally:
        make_writable(folder.root)
