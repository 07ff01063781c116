"""The documents, and running what they show: consoles in one bash per document, Python in one namespace.

A document's blocks run in order in a temporary folder that holds a copy of ``docs/examples``, as a clone would.
"""

import doctest
import os
import re
import shutil
import subprocess
import sysconfig
import threading
from pathlib import Path

from sybil import Example, Sybil
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "docs/examples"
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
COMMAND_SECONDS = 120

_END = "end-of-command-6f0c41"
_FENCE = re.compile(
    r"^(?P<indent> *)(?P<fence>`{3,}|~{3,})(?P<info>[^\n`]*)\n(?P<body>.*?)^(?P=indent)(?P=fence) *$",
    re.MULTILINE | re.DOTALL,
)


def name_of(path):
    return path.relative_to(ROOT).as_posix()


def fences(text):
    """Yield (info string, span in the text) of every fenced block."""
    for match in _FENCE.finditer(text):
        yield match["info"].strip(), range(*match.span())


def without_fences(text):
    return _FENCE.sub("", text)


def prepare(folder):
    """Make a folder what a reader who follows a document has around."""
    shutil.copytree(EXAMPLES, folder / "docs/examples", ignore=shutil.ignore_patterns("__pycache__"))


def environment():
    """Return this process's environment with its own gemexp first on the path, and nothing that changes output."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("GEMEXP", "_GEMEXP", "GIT_"))}
    git = {f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in _GIT_PERSON.items()}
    return kept | git | _FIXED | {"PATH": os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]])}


_FIXED = {
    "LC_ALL": "C.UTF-8",
    "TZ": "UTC",
    "COLUMNS": "80",
    "NO_COLOR": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
}
_GIT_PERSON = {"NAME": "A Researcher", "EMAIL": "researcher@example.org"}


class Shell:
    """One bash that lives as long as the document."""

    def __init__(self, folder):
        self._bash = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            cwd=folder,
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
        )

    def run(self, command):
        """Return what a command prints, on either stream; ``$?`` is its exit code in the next one."""
        quoted = "'" + command.replace("'", "'\\''") + "'"
        watchdog = threading.Timer(COMMAND_SECONDS, self._bash.kill)
        watchdog.start()
        try:
            self._bash.stdin.write(f"eval {quoted} </dev/null; (s=$?; echo; echo {_END}; exit $s)\n")
            self._bash.stdin.flush()
            lines = []
            for line in self._bash.stdout:
                if line == f"{_END}\n":
                    return "".join(lines)[:-1]
                lines.append(line)
        finally:
            watchdog.cancel()
        raise AssertionError(f"the shell ended during {command!r}, having printed {''.join(lines)!r}")

    def close(self):
        self._bash.stdin.close()
        self._bash.stdout.close()
        self._bash.wait(COMMAND_SECONDS)


def session(block):
    """Split a console block into commands (``$``, continued by ``>``) and what each is shown to print."""
    commands = []
    for line in block.splitlines():
        if line.startswith("$ "):
            commands.append((line[2:], []))
        elif f"{line} ".startswith("> ") and commands and not commands[-1][1]:
            commands[-1] = (f"{commands[-1][0]}\n{line[2:]}", [])
        else:
            assert commands, f"a console block begins with {line!r}, not with a command"
            commands[-1][1].append(line)
    return [(command, "".join(f"{line}\n" for line in lines)) for command, lines in commands]


def matches(shown, printed):
    """Tell whether output is as shown: ``...`` stands for part of a line, or on a line of its own for lines."""
    pattern = re.escape(shown)
    pattern = re.sub(r"^\\\.\\\.\\\.\n", r"(?s:.*)", pattern.replace("\\\n", "\n"), flags=re.MULTILINE)
    return re.fullmatch(pattern.replace(r"\.\.\.", ".*"), printed) is not None


def run_console(example: Example):
    for command, shown in session(example.parsed):
        printed = example.namespace["shell"].run(command)
        printed += "\n" if printed and not printed.endswith("\n") else ""
        if not matches(shown, printed):
            return f"$ {command}\nshown:\n{shown}\nprinted:\n{printed}"
    return None


def examples(path):
    """Return a document's blocks that are to be run, in order, with their one namespace."""
    parsers = [
        CodeBlockParser(language="console", evaluator=run_console),
        PythonCodeBlockParser(doctest_optionflags=doctest.ELLIPSIS),
    ]
    return Sybil(parsers).parse(path).examples()
