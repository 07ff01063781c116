"""A pack as a table of contents."""

import subprocess
import sys

import pytest
from packed_stores import config, fill, the_pack
from surroundings import contents as files

from gemexp import contents
from gemexp.digest import hash_bytes, short
from gemexp.store import layout, pack_format, packing


def pack_of(registry):
    return files(registry.root)[the_pack(registry.root)]


def test_what_is_in_a_pack_is_counted_and_each_config_has_a_line(registry):
    hashes = fill(registry)
    registry.pack()
    gone = config(-1).config_hash
    lines = list(contents.lines(pack_of(registry)))
    assert lines[:9] == [
        "pack of 24 files",
        "configs: 4",
        "outcomes: 1",
        "registrations: 4",
        "descriptions: 1",
        "runs: 1",
        "moves of names: 2",
        "artifacts: 2",
        "tags: 8",
    ]
    assert lines[9] == "migrations: 1"
    assert lines[10:15] == ["tag all: 4", "tag gone: 1", "tag k=0: 1", "tag k=1: 1", "tag k=2: 1"]
    expected = {
        hashes[0]: "  number 0  [all, k=0]",
        hashes[1]: "  better  [k=1]",
        hashes[2]: "  number 2  [all, k=2]",
        gone: "  [gone]",
    }
    assert lines[15:] == [f"{short(name)}{line}" for name, line in sorted(expected.items())]


def test_what_a_pack_says_of_configs_elsewhere_is_told_too(registry):
    config_hash = registry.register(config(1, tags=["old"], description="old"))
    registry.pack()
    before = the_pack(registry.root)
    registry.tag(config_hash, ["new"])
    registry.untag(config_hash, ["old"])
    packing.pack(registry._folder, keep=before.__eq__)
    (after,) = [path for path in files(registry.root) if path.startswith("packs/") and path != before]
    assert list(contents.lines(files(registry.root)[after])) == [
        *("pack of 2 files", "tags: 2", "tag new: 1", "tag old: 1"),
        f"{short(config_hash)}  [new]",
    ]


def test_deletions_aliases_and_what_a_newer_version_wrote_are_counted(registry):
    about, data = "ab" * 32, b"\x81\xa1$\xaegemexp/later@1"
    alias = b"\x84\xa1$\xaegemexp/alias@1"
    held = {
        layout.record_path("abcd", hash_bytes(alias)): alias,
        layout.record_path(about, hash_bytes(data)): data,
        layout.object_path(hash_bytes(data)): data,
        layout.member_path(layout.DELETED, about, 1): b"",
    }
    packing.write(registry._folder, sorted((pack_format.to_key(path), content) for path, content in held.items()))
    assert list(contents.lines(pack_of(registry))) == [
        *("pack of 4 files", "aliases: 1", "deletions: 1", "of kinds that this version does not know: 2"),
        short(about),
    ]


def test_long_contents_are_cut(registry, monkeypatch):
    registry.add_many(config(number, tags=[f"t{number}"], description="x" * 300) for number in range(9))
    registry.pack()
    monkeypatch.setattr(contents, "_MOST_CONFIGS", 3)
    monkeypatch.setattr(contents, "_MOST_TAGS", 2)
    lines = list(contents.lines(pack_of(registry)))
    assert lines[4:7] == ["tag t0: 1", "tag t1: 1", "... and 7 more tags"]
    assert lines[7].endswith(f"  {'x' * 100}...  [t{lines[7][-2]}]")
    assert lines[10:] == ["... and 6 more configs"]


def test_text_from_a_pack_is_escaped(registry):
    registry.register(config(1, tags=["\x1b[31m"], description="\x1b]0;x\x07\n\u202e"))
    registry.pack()
    assert all(line.isprintable() for line in contents.lines(pack_of(registry)))


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-5], lambda data: data.replace(b"\n", b"\r\n"), lambda _: b"\x89GXP"]
)
def test_a_damaged_pack_is_told_as_far_as_it_is_whole(registry, damage):
    fill(registry)
    registry.pack()
    assert next(contents.lines(damage(pack_of(registry)))).startswith("pack of ")


def test_a_large_pack_is_not_read_into_memory(tmp_path):
    path = tmp_path / "large.gxp"
    with path.open("wb") as file:
        file.write(pack_format.MAGIC)
        for number in range(200):
            file.write(pack_format.frame(pack_format.object_key(f"{number:064x}"), bytes(1 << 20)))
    program = f"""
import re, sys
sys.argv = ["gemexp-textconv", {str(path)!r}]
from gemexp.textconv import main
main()
with open("/proc/self/status") as file:  # getrusage counts what the parent had when it started this process
    print(int(re.search(r"VmHWM:\\s+(\\d+)", file.read())[1]) // 1024)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("pack of 200 files\nartifacts: 200\n")
    assert int(done.stdout.splitlines()[-1]) < 120
