"""Whoever goes through packs holds little of them, however many there are: they are mapped, and given back."""

import json
import os
import subprocess
import sys

import pytest

from gemexp.digest import hash_bytes
from gemexp.store import pack, pack_format, pack_index, packing
from gemexp.store.files import Folder

PACKS, ENTRIES, DATA_BYTES = 8, 4000, 1500
MAPPED = """
import heapq, json, sys
from gemexp.store.files import Folder
from gemexp.store.packs import Packs

def most():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM:")) * 1024

folder = Folder(sys.argv[2])
before = most()
if sys.argv[1] == "open":
    assert all(not pack.index.damaged for pack in Packs(folder.root, cached=False).all())
else:
    assert sum(1 for _ in heapq.merge(*(pack.keyed() for pack in folder.packs.all()))) == int(sys.argv[3])
print(json.dumps(most() - before))
"""


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    root = tmp_path_factory.mktemp("packs") / "store"
    folder = Folder(str(root))
    for number in range(PACKS):
        contents = (bytes([number]) + os.urandom(DATA_BYTES) for _ in range(ENTRIES))
        entries = sorted((pack_format.object_key(hash_bytes(data)), data) for data in contents)
        packing.write(folder, entries)
    (root / "format").write_bytes(b"gemexp 1 sha256\n")
    return root


@pytest.mark.skipif(sys.platform != "linux", reason="the system tells what memory a process has")
@pytest.mark.parametrize("way", ["open", "merge"])
def test_what_was_read_of_packs_is_given_back(packed, way):
    size = sum(path.stat().st_size for path in (packed / "packs").iterdir())
    program = [sys.executable, "-c", MAPPED, way, str(packed), str(PACKS * ENTRIES)]
    grown = json.loads(subprocess.run(program, stdout=subprocess.PIPE, check=True).stdout)
    assert size > 40e6
    assert grown < size / 2


def resident(name):
    """Return how many bytes of a mapped file are in this process's memory."""
    found, is_it = 0, False
    with open("/proc/self/smaps") as file:
        for line in file:
            if not line.split(" ")[0].endswith(":"):
                is_it = line.rstrip().endswith(name)
            elif line.startswith("Rss:") and is_it:
                found += int(line.split()[1]) * 1024
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="the system tells what memory a process has")
@pytest.mark.parametrize("way", ["lookups", "span"])
def test_what_was_only_checked_of_an_index_is_given_back(tmp_path, way):
    builder, count = pack_index.Builder(), 700_000
    hashes = sorted(os.urandom(32) for _ in range(count))
    builder.add_alike(pack_format.OBJECT_CODE, hashes, range(1, count + 1), count + 1)
    (tmp_path / "some.gxi").write_bytes(builder.finish("ab" * 32, count + 1))
    content = pack.mapped(str(tmp_path), "some.gxi")
    index = pack_index.PackIndex(memoryview(content), "ab" * 32, None, lambda: b"")
    if way == "span":
        assert index.span(pack_index.OBJECTS) == (1, count)
    else:
        for number in range(0, count, count // 1000):
            assert list(index.places(pack_index.OBJECTS, hashes[number].hex())) == [number + 1]
    assert len(content) > 11_000_000
    assert resident("some.gxi") < len(content) / 2  # the system maps some more around each byte that is read
