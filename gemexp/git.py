"""Asking git: the one place that starts it, in a way that nothing in a foreign repository can turn against the user."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager

from gemexp.errors import Corrupt, EngineFailed, NotFound

# A repository may come from anyone: nothing in its settings may run a program of its own, or wait for input.
_GIT = ("git", "--no-pager", "-c", "core.fsmonitor=false", "-c", "log.showSignature=false")
# A folder of a clone may be made to look like a bare repository, with settings of its own; one that is meant is named.
_NO_BARE = ("-c", "safe.bareRepository=explicit")
_NO_HOOKS = ("-c", "core.hooksPath=/dev/null")
_ENVIRONMENT = {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
# What git sets for its hooks, textconv programs and aliases would point a question elsewhere.
_INHERITED = (
    *("GIT_DIR", "GIT_WORK_TREE", "GIT_PREFIX", "GIT_OBJECT_DIRECTORY", "GIT_NAMESPACE", "GIT_COMMON_DIR"),
    *("GIT_LITERAL_PATHSPECS", "GIT_GLOB_PATHSPECS", "GIT_NOGLOB_PATHSPECS", "GIT_ICASE_PATHSPECS"),
)
# A partial clone asks its remote for what it lacks, and a remote's settings name programs. In a repository that came
# from elsewhere git must not: the first is for git 2.39.4 and newer, the second, with which every transport is refused,
# for all.
_NO_FETCHING = {"GIT_NO_LAZY_FETCH": "1", "GIT_ALLOW_PROTOCOL": "none"}
_PROMISORS = r"^remote\..*\.promisor$"
_MOST_DEATHS = 1000


class Repository:
    """A git repository, as seen from a folder in its work tree, or from the folder of a bare one.

    Args:
        folder: The top of the work tree, or the bare repository.
        bare: It has no work tree.
        index: The index file that git named for a hook; None for the repository's own.
        foreign: It came from elsewhere: what is missing in it is not fetched.
    """

    def __init__(self, folder: str, *, bare: bool = False, index: str | None = None, foreign: bool = False) -> None:
        self.folder = folder
        self.bare = bare
        self.foreign = foreign
        self._index = index

    @classmethod
    def find(cls, folder: str, *, foreign: bool = False) -> Repository | None:
        """Return the repository that a folder lies in, or is if it is a bare one; None if there is none.

        Args:
            folder: A folder that is there.
            foreign: It came from elsewhere, and its settings must run nothing.

        Raises:
            EngineFailed: git is not there, or refuses this repository.
        """
        here = cls(folder, foreign=foreign)
        bare = here.ask("rev-parse", "--is-bare-repository", accept=(0, 128))
        if bare.strip() == b"true":
            return cls(_line(here.ask("rev-parse", "--absolute-git-dir")), bare=True, foreign=foreign)
        if not bare:
            try:
                here.ask("rev-parse", "--git-dir")
            except EngineFailed as error:
                if "not a git repository" in error.message:
                    return None
                if "bare repository" not in error.message:
                    raise
                look = cls(folder, foreign=True)
                if look.ask("rev-parse", "--is-bare-repository").strip() != b"true":
                    raise  # it has a work tree besides, where its settings would run programs
                return cls(_line(look.ask("rev-parse", "--absolute-git-dir")), bare=True, foreign=foreign)
        top = _line(here.ask("rev-parse", "--show-toplevel"))
        return cls(top, index=os.environ.get("GIT_INDEX_FILE"), foreign=foreign)

    def ask(
        self,
        *arguments: str,
        data: bytes = b"",
        accept: Collection[int] = (0,),
        hooks: bool = False,
        seconds: float | None = None,
    ) -> bytes:
        """Run git and return what it prints.

        Args:
            *arguments: Its command and options; what comes from users stands behind ``--end-of-options`` or ``--``.
            data: Its standard input.
            accept: Exit codes that are answers.
            hooks: Leave the setting alone that says where hooks lie; for asking where that is.
            seconds: Give up after so long.

        Raises:
            EngineFailed: git is not there, refused, or took too long.
        """
        try:
            done = subprocess.run(  # noqa: S603 - the program is git, the arguments are ours
                [*self._git(hooks=hooks), *arguments],
                cwd=self.folder,
                env=self._environment(),
                input=data,
                capture_output=True,
                timeout=seconds,
                check=False,
            )
        except OSError as error:
            raise _no_git(error, self.folder) from None
        except subprocess.TimeoutExpired:
            raise EngineFailed(f"git {arguments[0]} took longer than {seconds} seconds") from None
        if done.returncode not in accept:
            raise _failed(arguments, done.stderr)
        return done.stdout

    def lines(self, *arguments: str, data: bytes = b"") -> Iterator[str]:
        """Run git with an option that ends items with NUL, and yield the items."""
        for item in self.ask(*arguments, data=data).split(b"\0"):
            if item:
                yield os.fsdecode(item)

    def commit(self, revision: str) -> str:
        """Return the hash of the commit that a git revision means.

        Raises:
            NotFound: It means none.
        """
        found = self.ask(
            "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}", accept=(0, 1, 128)
        )
        if not found.strip():
            hint = "git branch --all and git tag list what there is"
            raise NotFound(f"git knows no revision '{revision}'", subject=revision, hint=hint)
        return found.decode().strip()

    def head(self) -> str | None:
        """Return the hash of the commit that is checked out; None before the first."""
        return self.ask("rev-parse", "--verify", "--quiet", "HEAD", accept=(0, 1, 128)).decode().strip() or None

    def status(self, prefix: str) -> list[tuple[str, str]]:
        """Return what is not committed in a folder of the work tree: the two letters of ``git status``, and the path.

        Args:
            prefix: The folder's path within the work tree; paths are relative to it.
        """
        start = len(prefix) + 1 if prefix else 0
        options = ["-z", "--untracked-files=all", "--no-renames", "--ignore-submodules=all"]
        found = self.lines("status", "--porcelain", *options, "--", *([f":(literal){prefix}/"] if prefix else []))
        return [(one[:2], one[3 + start :]) for one in found]

    def patch(self, scope: Iterable[str], *, limit: int) -> bytes | None:
        """Return how tracked files differ from the commit that is checked out; None if that takes more than ``limit``.

        Args:
            scope: ``--`` and what to look at.
            limit: How many bytes are taken.

        Raises:
            EngineFailed: git cannot say it.
        """
        command = ("diff", "--binary", "--full-index", "--no-color", "--no-ext-diff", "--no-textconv", "--no-renames")
        plain = ("--src-prefix=a/", "--dst-prefix=b/", "--ignore-submodules=all", "HEAD", *scope)
        with self._open(*command, *plain) as process:
            if process.stdout is None or process.stderr is None:  # never so; for the type checker
                raise EngineFailed("git has no pipes")
            found = process.stdout.read(limit + 1)
            if len(found) > limit:
                process.kill()
                return None
            told = process.stderr.read()
        if process.returncode:
            raise _failed(command, told)
        return found

    def setting(self, name: str) -> str | None:
        """Return a setting that is a path, with ``~`` written out; None where it is not set."""
        found = self.ask("config", "--type=path", "--get", name, accept=(0, 1, 128))
        return os.fsdecode(found).rstrip("\n") or None

    def ignores(self, path: str) -> bool:
        """Tell whether a path within the work tree is one that git is told to ignore."""
        return bool(self.ask("check-ignore", "-z", "--stdin", data=os.fsencode(path) + b"\0", accept=(0, 1)))

    def tree(self, commit: str, path: str) -> str | None:
        """Return the hash of a folder in a commit, ``""`` for its top; None if there is nothing of that name."""
        wanted = f"{commit}:{path}" if path else f"{commit}^{{tree}}"
        found = self.ask("rev-parse", "--verify", "--quiet", "--end-of-options", wanted, accept=(0, 1, 128))
        return found.decode().strip() or None

    def missing(self, tree: str) -> set[str]:
        """Return the objects in a folder that a partial clone has not fetched; none in any other repository."""
        if not self._promisors():
            return set()
        listed = self.ask("rev-list", "--objects", "--no-object-names", "--missing=print", tree).decode().split()
        return {name[1:] for name in listed if name.startswith("?")}

    def fetch(self, objects: Iterable[str]) -> None:
        """Fetch what a partial clone lacks, all at once; git by itself would fetch one by one.

        Raises:
            EngineFailed: It cannot be had.
        """
        options = ["--no-tags", "--no-write-fetch-head", "--recurse-submodules=no", "--filter=blob:none", "--stdin"]
        wanted = "".join(f"{name}\n" for name in sorted(objects)).encode()
        for remote in self._promisors():
            quiet = ("-c", "fetch.negotiationAlgorithm=noop")
            self.ask(*quiet, "fetch", *options, "--no-auto-maintenance", "--end-of-options", remote, data=wanted)

    def _promisors(self) -> list[str]:
        """Return the names of the remotes that a partial clone may ask for what it lacks."""
        keys = self.ask("config", "-z", "--name-only", "--get-regexp", _PROMISORS, accept=(0, 1)).split(b"\0")
        return list(dict.fromkeys(os.fsdecode(key)[len("remote.") : -len(".promisor")] for key in keys if key))

    def tracked(self, prefix: str) -> list[str]:
        """Return the paths of the files in a folder of the work tree that git tracks, relative to that folder.

        Args:
            prefix: The folder's path within the work tree.
        """
        start = len(prefix) + 1 if prefix else 0
        scope = ["--", f":(literal){prefix}/"] if prefix else []
        return [path[start:] for path in self.lines("ls-files", "-z", *scope)]

    def merge_base(self, first: str, second: str) -> str | None:
        """Return the commit that two commits have in common; None if they have none."""
        found = self.ask("merge-base", first, second, accept=(0, 1)).decode().split()
        return found[0] if found else None

    def path(self, name: str) -> str:
        """Return where git keeps a file such as ``info/attributes`` or ``hooks``, absolute."""
        return os.path.normpath(os.path.join(self.folder, _line(self.ask("rev-parse", "--git-path", name, hooks=True))))

    def prefix(self, folder: str) -> str | None:
        """Return a folder's path within the work tree, ``""`` for its top; None if it lies outside."""
        inside = os.path.relpath(os.path.realpath(folder), os.path.realpath(self.folder))
        if inside == os.curdir:
            return ""
        return None if inside == os.pardir or inside.startswith(f"{os.pardir}{os.sep}") else inside.replace(os.sep, "/")

    @contextmanager
    def blobs(self) -> Iterator[BlobReader]:
        """Open a reader of objects' contents, which costs one process however many are read."""
        reader = BlobReader(self._cat_file)
        try:
            yield reader
        finally:
            reader.close()

    def save(self, blob: str, target: str) -> None:
        """Write an object's content to a new file, however large it is.

        Raises:
            EngineFailed: git cannot give it.
        """
        command = ["cat-file", "blob", blob]
        with open(target, "xb") as file:
            done = subprocess.run(  # noqa: S603 - the program is git, the arguments are ours
                [*self._git(), *command],
                cwd=self.folder,
                env=self._environment(),
                stdout=file,
                stderr=subprocess.PIPE,
                check=False,
            )
        if done.returncode:
            raise _failed(tuple(command), done.stderr)

    def _open(
        self, *command: str, stdin: int = subprocess.DEVNULL, stderr: int = subprocess.PIPE
    ) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(  # noqa: S603 - the program is git, the arguments are ours
                [*self._git(), *command],
                cwd=self.folder,
                env=self._environment(),
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=stderr,
            )
        except OSError as error:
            raise _no_git(error, self.folder) from None

    def _cat_file(self) -> subprocess.Popen[bytes]:
        return self._open("cat-file", "--batch", stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)

    def _git(self, *, hooks: bool = False) -> list[str]:
        named = self.bare or self.foreign
        return [*_GIT, *(() if named else _NO_BARE), *(() if hooks else _NO_HOOKS)]

    def _environment(self) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if key not in _INHERITED and key != "GIT_INDEX_FILE"}
        kept |= _ENVIRONMENT | (_NO_FETCHING if self.foreign else {})
        return kept if self._index is None else kept | {"GIT_INDEX_FILE": self._index}


class BlobReader:
    """Reads objects' contents through one ``git cat-file --batch``, or another where a damaged object ended it.

    Args:
        start: Starts the process.
    """

    def __init__(self, start: Callable[[], subprocess.Popen[bytes]]) -> None:
        self._start = start
        self._process = start()
        self._deaths = 0

    def read(self, name: str, limit: int, *, kind: str = "blob") -> bytes | None:
        """Return an object's content; None if there is none of that name and kind, or git cannot read it.

        Raises:
            Corrupt: It is larger than ``limit`` bytes.
            EngineFailed: git ends again and again.
        """
        requests, answers = self._process.stdin, self._process.stdout
        if requests is None or answers is None:  # never so; for the type checker
            raise EngineFailed("git has no pipes")
        try:
            requests.write(f"{name}\n".encode())
            requests.flush()
            header = answers.readline().split()
        except OSError:
            header = []
        if len(header) != 3 or not header[2].isdigit():
            if not header:
                self._begin_anew()
            return None
        size = int(header[2])
        if size > limit or header[1] != kind.encode():
            left = size + 1  # a line feed follows
            while left:
                left -= len(answers.read(min(left, 1 << 20))) or left
            if header[1] == kind.encode():
                raise Corrupt(f"is larger than {limit} bytes")
            return None
        data = answers.read(size + 1)
        if len(data) <= size:
            self._begin_anew()
            return None
        return data[:-1]

    def close(self) -> None:
        """End the process."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        self._process.wait()

    def _begin_anew(self) -> None:
        self._deaths += 1
        if self._deaths > _MOST_DEATHS:
            raise EngineFailed(
                "git cat-file ends again and again", hint="git fsck tells whether the repository is whole"
            )
        self.close()
        self._process = self._start()


def write_whole(path: str, data: bytes, mode: int) -> None:
    """Write a file of git's own, such as a hook, so that nobody sees half of it; a link to it stays one."""
    path = os.path.realpath(path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    temporary = f"{path}.{os.urandom(8).hex()}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        with os.fdopen(os.open(temporary, flags, 0o600), "wb") as file:
            file.write(data)
        os.chmod(temporary, mode)
        os.replace(temporary, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)


def _line(answer: bytes) -> str:
    return os.fsdecode(answer).rstrip("\n")


def _no_git(error: OSError, folder: str) -> EngineFailed:
    if not os.path.isdir(folder):
        return EngineFailed(f"cannot run git in '{folder}': there is no such folder")
    reason = (error.strerror or str(error)).lower()
    return EngineFailed(f"cannot run git: {reason}", hint="install git, or put it on the PATH")


def _failed(arguments: tuple[str, ...], told: bytes) -> EngineFailed:
    lines = told.decode("utf-8", "replace").strip().splitlines()
    reason = lines[0].removeprefix("fatal: ").removeprefix("error: ") if lines else "it gave no reason"
    hint = next((line.removeprefix("hint: ") for line in lines[1:] if line.strip()), None)
    command = arguments[2] if arguments[0] == "-c" else arguments[0]
    return EngineFailed(f"git {command} failed: {reason}", hint=hint)
