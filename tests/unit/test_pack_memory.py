"""Whoever goes through packs holds little of them, however many there are: they are mapped, and given back."""

import json
import os
import subprocess
import sys

import pytest

from gemexp.digest import hash_bytes
from gemexp.store import pack_format, packing
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
