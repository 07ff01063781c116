"""What tests look at from outside: whole folders, and processes that the system refuses things."""

import ctypes
import hashlib
import os
import resource
import shutil
import stat
from pathlib import Path

CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, PR_CAPBSET_DROP = 1, 2, 24


def snapshot(root):
    """Return name -> (kind, mode, time of change, content) of everything below a folder; ``local/`` only by content."""
    found = {}
    for path in sorted(Path(root).rglob("*")):
        status = path.lstat()
        name = path.relative_to(root).as_posix()
        content = hashlib.sha256(path.read_bytes()).hexdigest() if stat.S_ISREG(status.st_mode) else ""
        is_local = "local" in name.split("/") and stat.S_ISDIR(status.st_mode)
        found[name] = (stat.S_IFMT(status.st_mode), status.st_mode, 0 if is_local else status.st_mtime_ns, content)
    return found


def contents(root):
    """Return name -> bytes of the files below a folder, those below ``local/`` left out."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(Path(root).rglob("*"))
        if path.is_file() and path.relative_to(root).parts[0] != "local"
    }


def merge(source, target):
    """Copy what a folder lacks, as ``cp -rn`` does: files that are there are read-only, and stay."""
    for path in sorted(Path(source).rglob("*")):
        place = Path(target) / path.relative_to(source)
        if path.is_dir():
            place.mkdir(exist_ok=True)
        elif not place.exists():
            shutil.copy2(path, place)


def obey_permissions():
    """Make the process that is about to start obey file permissions, also if it is root's; for ``preexec_fn``."""
    if os.geteuid() == 0:
        libc = ctypes.CDLL(None, use_errno=True)
        for capability in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
            libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)


def write_nothing():
    """Make every write to a file fail in the process that is about to start; for ``preexec_fn``."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def make_read_only(root):
    for path in [Path(root), *Path(root).rglob("*")]:
        if path.is_dir():
            path.chmod(0o555)


def make_writable(root):
    for path in [Path(root), *Path(root).rglob("*")]:
        if path.is_dir():
            path.chmod(0o755)
