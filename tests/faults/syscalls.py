"""Commands below strace: what they called, and what becomes of them where a call fails."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import fault_server
import pytest

# Calls that change files, folders or what of them is on the disk; not every machine has each.
WRITING = sorted(fault_server.NOTHING)
_TRACED = [*WRITING, "close", "dup", "dup2", "dup3", "fcntl", "truncate", "symlink", "symlinkat", "writev", "sendfile"]
_TRACED += ["copy_file_range", "pwritev", "fallocate", "sync", "syncfs", "sync_file_range", "open", "creat", "chdir"]
_CALL = re.compile(r"(\w+)\((.*)\)\s+= (-?\d+|\?)(.*)", re.DOTALL)
_DESCRIPTOR = re.compile(r"(-?\d+|AT_FDCWD)(?:<([^>]*)>)?(?:\(deleted\))?")

needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")


class Call(NamedTuple):
    """A system call: its name, arguments as strace writes them, result, and its number among those of its name."""

    name: str
    arguments: list[str]
    result: int
    number: int

    def text(self, index):
        """Return an argument that is bytes."""
        return bytes.fromhex(self.arguments[index].strip('"').replace("\\x", ""))

    def descriptor(self, index):
        """Return an argument that is a descriptor, and the path that strace knows of it."""
        number, path = _DESCRIPTOR.fullmatch(self.arguments[index]).groups()
        shown = bytes.fromhex(path.replace("\\x", "")).decode() if path and "\\x" in path else path or ""
        return (-100 if number == "AT_FDCWD" else int(number)), shown

    @property
    def writes(self):
        """Whether it may change anything: not a call that failed, nor opening a file to read it."""
        if self.result < 0 or self.name not in WRITING:
            return False
        return self.name != "openat" or any(flag in self.arguments[2] for flag in ("O_CREAT", "O_WRONLY", "O_RDWR"))

    def is_below(self, folder):
        """Tell whether it opens a file in a folder."""
        return self.name == "openat" and os.fsdecode(self.text(1)).startswith(f"{folder}/")


class Done(NamedTuple):
    """What became of a command: the process, its exit code (or the signal that killed it, negative), what it told."""

    pid: int
    code: int
    out: str
    err: str


class Server:
    """Runs commands, each in a child of one process that strace looks at.

    Args:
        folder: Where records and output go.
        inject: What strace is to do in the call that `fault_server.injected_at` numbers, such as ``signal=KILL``.
        variants: Ways to break gemexp, see `fault_server.VARIANTS`.
    """

    def __init__(self, folder, inject=None, variants=()):
        folder.mkdir(parents=True)
        self.folder = folder
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("GEMEXP", "_GEMEXP", "GIT_"))}
        self._process = subprocess.Popen(
            [sys.executable, "-B", fault_server.__file__, *variants],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**kept, "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1", "COLUMNS": "200"},
        )
        assert self._process.stdout.readline() == "ready\n"
        if inject is None:
            everything = ",".join(f"?{name}" for name in _TRACED)
            options = ["-e", f"trace={everything}", "-y", "-xx", "-s", "10000000", "-ff", "-o", str(folder / "record")]
        else:
            faulty = ",".join(f"?{name}" for name in WRITING)
            options = ["-e", f"trace={faulty}", "-o", os.devnull]
            for name in WRITING:
                options += ["-e", f"inject=?{name}:{inject}:when={fault_server.injected_at(name)}"]
        self._strace = subprocess.Popen(
            ["strace", "-f", *options, "-p", str(self._process.pid)], stderr=subprocess.PIPE, text=True
        )
        told = self._strace.stderr.readline()
        assert "attached" in told, told

    def run(self, arguments, folder, stdin=b"", *, call=None, number=0, largest=None):
        """Run a command in a folder; let it fail in its call of a name that has that number."""
        files = {name: str(self.folder / name) for name in ("stdin", "stdout", "stderr")}
        Path(files["stdin"]).write_bytes(stdin)
        for name in ("stdout", "stderr"):
            Path(files[name]).write_bytes(b"")
        request = {"arguments": [*map(str, arguments)], "folder": str(folder), "call": call, "number": number}
        self._process.stdin.write(json.dumps({**request, **files, "largest": largest}) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        out, err = (Path(files[name]).read_text("utf-8", "surrogateescape") for name in ("stdout", "stderr"))
        return Done(answer["pid"], answer["code"], out, err)

    def calls(self, done):
        """Return what a command's process called, in order; processes that it started are left out."""
        path = self.folder / f"record.{done.pid}"
        found, counts = [], {}
        for line in path.read_text().splitlines():
            match = _CALL.match(line)
            if match is None:
                assert line.startswith(("---", "+++")), line
                continue
            name, arguments, result, _ = match.groups()
            counts[name] = counts.get(name, 0) + 1
            found.append(Call(name, arguments.split(", "), -1 if result == "?" else int(result), counts[name]))
        path.unlink()
        return found

    def close(self):
        """End the process, and so strace."""
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()
        self._strace.wait()
        self._strace.stderr.close()
