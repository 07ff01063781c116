"""Hashes are those of SHA-256, whichever implementation there is computes them."""

import hashlib
import subprocess
import sys

import pytest

# In a process of its own: which implementation is used depends on what was imported and hashed before.
PROGRAM = """
import sys
from gemexp.digest import hash_bytes
data = bytes(range(256)) * {size}
print(*{{hash_bytes(data) for _ in range({times})}}, "_hashlib" in sys.modules)
"""


@pytest.mark.parametrize(
    ("size", "times", "loads"), [(0, 1, False), (200, 10, False), (200, 300, True), (300, 1, True)]
)
def test_what_loads_slowly_is_loaded_where_there_is_much_to_hash(size, times, loads):
    program = PROGRAM.format(size=size, times=times)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    expected = hashlib.sha256(bytes(range(256)) * size).hexdigest()
    assert done.stdout.split() == [expected, str(loads)]
