"""Runs commands in children forked from a process that has everything imported, to which strace attaches itself.

strace counts the calls of each process apart, and injects a fault into the one of a number that no process comes to by
itself. A child that is to fail in its n-th call makes as many calls first, which come to nothing, as are missing to
that number. So one strace serves any number of faults, each of which costs a fork, not the start of strace and Python.

Requests come as lines of JSON on standard input, and an answer to each goes to standard output. Arguments of this
program name ways to break gemexp, so that the tests are known to notice; the product has no switch for them.
"""

import contextlib
import ctypes
import io
import json
import os
import pkgutil
import resource
import stat
import sys
from importlib import import_module

_NOWHERE = 999_999
_PR_SET_PTRACER, _PR_SET_PTRACER_ANY = 0x59616D61, 2**64 - 1
# Calls that do nothing, by the system call that they make.
NOTHING = {
    "chmod": lambda: os.chmod("", 0),
    "fchmod": lambda: os.fchmod(_NOWHERE, 0),
    "fdatasync": lambda: os.fdatasync(_NOWHERE),
    "fsync": lambda: os.fsync(_NOWHERE),
    "ftruncate": lambda: os.ftruncate(_NOWHERE, 0),
    "link": lambda: os.link("", ""),
    "mkdir": lambda: os.mkdir(""),
    "openat": lambda: os.open("", os.O_RDONLY),
    "pwrite64": lambda: os.pwrite(_NOWHERE, b"", 0),
    "rename": lambda: os.rename("", ""),
    "rmdir": lambda: os.rmdir(""),
    "unlink": lambda: os.unlink(""),
    "unlinkat": lambda: os.unlink("", dir_fd=_NOWHERE),
    "utimensat": lambda: os.utime(""),
    "write": lambda: os.write(_NOWHERE, b""),
}
# Where a system has only the newer call, the same functions make it.
NOTHING |= {
    "fchmodat": NOTHING["chmod"],
    "linkat": NOTHING["link"],
    "mkdirat": NOTHING["mkdir"],
    "renameat": NOTHING["rename"],
    "renameat2": NOTHING["rename"],
}


def one_at_a_time():
    """Have syncs come one by one, since strace counts the calls of each thread apart; any order of them must do."""
    from gemexp.store import syncing

    syncing.AT_ONCE = 1


def injected_at(call):
    """Return the number of the call that strace makes fail: more than a command makes of that kind."""
    return 1500 if call == "openat" else 300


def _skip_syncs(wanted):
    real = os.fsync

    def fsync(descriptor):
        if not wanted(os.fstat(descriptor).st_mode):
            real(descriptor)

    os.fsync = fsync


def _no_file_sync():
    _skip_syncs(stat.S_ISREG)


def _no_folder_sync():
    _skip_syncs(stat.S_ISDIR)


def _no_parent_sync():
    """Sync the folder that a file is in, and none above it."""
    from gemexp.store import durable

    durable.chain = lambda _: iter(())


def _name_before_sync():
    """Sync what was written only after it got its name: as durable in the end, but not in between."""
    from gemexp.store import batch, syncing

    real_stage, real_sync, real_close = batch.Batch._stage, batch.Batch._sync, syncing.sync_and_close
    kept = []

    def close_only(descriptors):
        while descriptors:
            kept.append(os.dup(descriptors[0]))
            os.close(descriptors.pop(0))

    def stage(self, files, staged):
        syncing.sync_and_close = close_only
        try:
            real_stage(self, files, staged)
        finally:
            syncing.sync_and_close = real_close

    def sync(self, wanted):
        real_close(kept)
        return real_sync(self, wanted)

    batch.Batch._stage, batch.Batch._sync = stage, sync


def _acknowledge_first():
    """Print before anything is written."""
    from gemexp import registering
    from gemexp.store import batch

    real = batch.Batch.commit

    def commit(self):
        for path in self._wanted:
            if path.startswith("objects/"):
                sys.stdout.write(path.rpartition("/")[2] + "\n")
                sys.stdout.flush()
        real(self)

    batch.Batch.commit = commit
    assert registering  # it takes the class from there


def _short_writes():
    """Write at most seven bytes at once, as a system may."""
    real = os.write
    os.write = lambda descriptor, data: real(descriptor, bytes(data[:7]))


def _small_bulk():
    """Have bulk import write packs, and several, for a dozen configurations."""
    from gemexp import bulk

    bulk.PACK_FROM, bulk.BATCH_CONFIGS = 4, 5


VARIANTS = {
    "no-file-sync": _no_file_sync,
    "no-folder-sync": _no_folder_sync,
    "no-parent-sync": _no_parent_sync,
    "name-before-sync": _name_before_sync,
    "acknowledge-first": _acknowledge_first,
    "short-writes": _short_writes,
    "small-bulk": _small_bulk,
}


def _import_everything():
    import gemexp

    for found in pkgutil.walk_packages(gemexp.__path__, "gemexp."):
        if not found.name.startswith(("gemexp.backtest", "gemexp.frames", "gemexp.cli.backtest", "gemexp.__main__")):
            import_module(found.name)
    for name in ("concurrent.futures.process", "json", "lark", "ruamel.yaml", "shutil", "sqlite3", "tomllib"):
        import_module(name)


def _redirect(path, flags, number):
    descriptor = os.open(path, flags, 0o600)
    os.dup2(descriptor, number)
    os.close(descriptor)


def _run(request):
    if request["call"]:
        for _ in range(injected_at(request["call"]) - request["number"]):
            with contextlib.suppress(OSError):
                NOTHING[request["call"]]()
    os.chdir(request["folder"])
    _redirect(request["stdin"], os.O_RDONLY, 0)
    for number, name in ((1, "stdout"), (2, "stderr")):
        _redirect(request[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, number)
    sys.stdin, sys.stdout, sys.stderr = (
        io.TextIOWrapper(open(number, mode, closefd=False), encoding="utf-8", line_buffering=number == 2)  # noqa: SIM115
        for number, mode in ((0, "rb"), (1, "wb"), (2, "wb"))
    )
    if request["largest"] is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (request["largest"], resource.RLIM_INFINITY))
    from gemexp.cli import main

    code = main(request["arguments"])
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            stream.flush()
    return code


def _answer(text):
    os.writev(1, [f"{text}\n".encode()])  # a call that is not counted


def serve():
    """Answer requests until there are no more."""
    _import_everything()
    one_at_a_time()
    for name in sys.argv[1:]:
        VARIANTS[name]()
    # Where only what a process started may look into it, strace may all the same.
    ctypes.CDLL(None).prctl(_PR_SET_PTRACER, ctypes.c_ulong(_PR_SET_PTRACER_ANY), 0, 0, 0)
    _answer("ready")
    for line in sys.stdin:
        request = json.loads(line)
        pid = os.fork()
        if not pid:
            code = 254
            try:
                code = _run(request)
            finally:
                os._exit(code)
        _, status = os.waitpid(pid, 0)
        _answer(json.dumps({"pid": pid, "code": os.waitstatus_to_exitcode(status)}))


if __name__ == "__main__":
    serve()
