"""What a store says, as something to compare; and whether a command that was cut short left it as it may."""

import io
import os
import re
import shutil
import sys
from pathlib import Path

from gemexp.cli import main
from gemexp.digest import hash_bytes
from gemexp.errors import Corrupt, NotFound
from gemexp.outcome import StoredOutcome
from gemexp.registry import ExperimentRegistry
from gemexp.store import aliases, check, layout, names, objects, records, sets
from gemexp.store.files import Folder

_HASH = re.compile(r"\b[0-9a-f]{12,64}\b")
# Values that the clock fixes: of what is new, only that it is there counts.
_TIMED = {"created"}


def here(folder, *arguments, stdin=b"", code=0):
    """Run a command in this process; return its exit code and what it printed."""
    saved = os.getcwd(), sys.stdin, sys.stdout, sys.stderr
    streams = [io.TextIOWrapper(io.BytesIO(data), encoding="utf-8") for data in (stdin, b"", b"")]
    os.chdir(folder)
    sys.stdin, sys.stdout, sys.stderr = streams
    try:
        found = main([str(argument) for argument in arguments])
    finally:
        os.chdir(saved[0])
        sys.stdin, sys.stdout, sys.stderr = saved[1:]
    out, err = (stream.buffer.getvalue().decode() for stream in streams[1:])
    assert code is None or found == code, (arguments, found, out, err)
    return found, out, err


def contents(root):
    """Return what a store says: key -> value. A config counts if its object and a put of it are there."""
    found = {}
    if not os.path.isfile(f"{root}/{layout.FORMAT_FILE}"):
        return found
    folder = Folder(str(root))
    folder.packs.warns = False
    there = set()
    for config, metadata in records.all_metadata(folder):
        if metadata.puts and _data(folder, config) is not None:
            there.add(config)
            found["config", config] = hash_bytes(_data(folder, config))
            found["created", config] = metadata.created_at
            found["description", config] = metadata.description
            found |= {("parent", config, parent): True for parent in metadata.parents}
        for run in metadata.runs:
            data = _data(folder, run.outcome)
            if data is not None and config in there:
                artifacts = StoredOutcome.from_bytes(data).artifacts.items()
                found["run", config, run.outcome] = sorted(
                    (name, _data(folder, one) is not None) for name, one in artifacts
                )
    for escaped in folder.names(layout.TAGS):
        tag = layout.unescape_name(escaped)
        members = sets.members(folder, f"{layout.TAGS}/{escaped}") if tag else ()
        found |= {("tag", tag, config): True for config in members if config in there}
    found |= {("deleted", config): True for config in sets.members(folder, layout.DELETED)}
    found |= {("migrated", pair): True for pair in sets.members(folder, layout.MIGRATED)}
    for name, pointer in names.pointers(folder).items():
        if pointer.config in there:
            found["name", name] = pointer.config
    found |= {("alias", old): sorted(new) for old, new in _aliases(folder).items()}
    return found


def _aliases(folder):
    found = {}
    for one in aliases.every(folder):
        found.setdefault(one.old, set()).add(one.config)
    return found


def _data(folder, name):
    try:
        return objects.get(folder, name)
    except (NotFound, Corrupt):
        return None


def temporaries(root):
    """Return what is left in a store's folder for temporary files."""
    folder = f"{root}/{layout.TMP}"
    return sorted(os.listdir(folder)) if os.path.isdir(folder) else []


def outside(project, paths):
    """Return what files outside the store hold; None where there is none."""
    found = {}
    for path in paths:
        file = Path(project) / path
        found[path] = file.read_bytes() if file.exists() else None
    return found


class Judge:
    """Knows a command, what a store said before it, and what it says after; tells what is wrong with a state between.

    Args:
        command: The command, see `fault_commands.Command`.
        before: `contents` before, and `outside`.
        after: Both after.
        files: The paths of the store's files before.
        damaged: Those of them that are damaged before.
    """

    def __init__(self, command, before, after, files, damaged):
        self.command = command
        self._before, self._before_outside = before
        self._after, self._after_outside = after
        self._files = files
        self._damaged = damaged

    def faults(self, project, told):
        """Return what is wrong with a store that a command left, by what it had printed."""
        root = f"{project}/.gemexp"
        wrong = [*self._damage(root), *self._lost(root, told)]
        for path, content in outside(project, self.command.outside).items():
            if content != self._after_outside[path] and (told or content != self._before_outside[path]):
                wrong.append(f"{path} is neither as it was nor whole")
        return wrong

    def after_repeating(self, project):
        """Run the command again; return what is wrong then."""
        root = f"{project}/.gemexp"
        code, out, err = here(project, *self.command.arguments, stdin=self.command.stdin, code=None)
        wrong = []
        if code not in self.command.codes or "bug" in err or "Traceback" in err:
            wrong.append(f"repeated it exits with {code}: {out}{err}")
        found = contents(root)
        wrong += [f"after repeating, {_text(key)} is {found.get(key)}" for key in self._differing(found, self._after)]
        wrong += [f"after repeating, fsck says {one}" for one in _problems(root)]
        if outside(project, self.command.outside) != self._after_outside:
            wrong.append("after repeating, files outside the store are others")
        return wrong

    def _damage(self, root):
        """Return what fsck names beside what is incomplete and harmless: what is missing, and was not there before."""
        if not os.path.isfile(f"{root}/{layout.FORMAT_FILE}"):
            return ["the format is gone"] if layout.FORMAT_FILE in self._files else []
        return [
            f"fsck says {one}"
            for one in _problems(root)
            if not (one.missing and one.path not in self._files) and one.path not in self._damaged
        ]

    def _lost(self, root, told):
        found = contents(root)
        wrong = []
        for key in {*found, *self._before, *self._after}:
            value = found.get(key)
            allowed = [self._before.get(key), self._after.get(key)]
            if key[0] in _TIMED and key not in self._before:
                continue
            if key[0] == "description" and key not in self._before:
                allowed.append(None)
            if value not in allowed:
                wrong.append(f"{_text(key)} is {value}, which it was neither before nor after")
        if told and self.command.piecemeal:
            hashes = set(_HASH.findall(told))
            keys = [
                key for key in self._after if any(one.startswith(tuple(hashes)) for one in key if isinstance(one, str))
            ]
            wrong += [f"{_text(key)} was acknowledged" for key in keys if not self._same(key, found, self._after)]
        elif told:
            wrong += [f"{_text(key)} was acknowledged" for key in self._differing(found, self._after)]
        if self.command.compares_index and found:
            wrong += _index_differs(root)
        return wrong

    def _differing(self, found, wanted):
        return [key for key in sorted({*found, *wanted}, key=str) if not self._same(key, found, wanted)]

    def _same(self, key, found, wanted):
        if key[0] in _TIMED and key not in self._before:
            return (key in found) == (key in wanted)
        return found.get(key) == wanted.get(key)


def _problems(root):
    return check.check(Folder(str(root))).problems


def _index_differs(root):
    """Tell whether a store answers otherwise with its index than without."""
    copy = f"{root}.without"
    shutil.copytree(root, copy)
    try:
        shutil.rmtree(f"{copy}/local")
        answers = []
        for one in (root, copy):
            registry = ExperimentRegistry(one, create=False)
            answers.append((registry.tags(), [config.config_hash for config in registry.list_all()]))
        return [] if answers[0] == answers[1] else [f"with the index {answers[0]}, without {answers[1]}"]
    finally:
        shutil.rmtree(copy)


def _text(key):
    return " ".join(str(part)[:24] for part in key)
