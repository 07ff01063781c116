"""What a crash may leave of a folder, worked out from what a command called.

After a crash a file holds what was synced, and of what was written later any part or none: it may be short, or hold
zeros. A name in a folder (made, changed or removed) is there for sure once the folder was synced after; before that
each may be there or not, whatever came before or after it. A file's sync says nothing of its name, nor a folder's of
what is in its files. A rename is one step: no file system that keeps a journal or copies on write shows half of it.

Source: T. S. Pillai et al., "All File Systems Are Not Created Equal: On the Complexity of Crafting Crash-Consistent
Applications", OSDI 2014; this is the weakest of its persistence models but for renames.
"""

import hashlib
import os
import random
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

TOP = 0
_UMASK = 0o022
_VARIANTS = ("lost", "half", "zeros", "late")


class Inode(NamedTuple):
    """A file or folder on the disk: its mode, content, and time of change, -1 if that is since the command began."""

    mode: int
    mtime: int
    content: bytes


class Name(NamedTuple):
    """Names that appear and go in one step; durable when ``folder`` is synced."""

    changes: tuple
    folder: int


class Data(NamedTuple):
    """Bytes written to a file, or, if None, its being cut to ``offset`` bytes."""

    inode: int
    offset: int
    content: bytes | None


class Sync(NamedTuple):
    """A file or folder is synced."""

    inode: int


class Told(NamedTuple):
    """Something is printed."""

    content: bytes


class State(NamedTuple):
    """What a crash may leave: the files and folders by path, what was printed, and how it came to be."""

    tree: Mapping
    told: bytes
    why: str

    @property
    def key(self):
        """Tell states apart that are worth trying: by what is on the disk, and what was promised."""
        digest = hashlib.sha256(self.told)
        for path, (_, inode, content) in self.tree.items():
            digest.update(f"{path}\0{inode if content else ''}\0{len(content)}\0".encode() + content)
        return digest.digest()


class Disk:
    """A folder as it was, and what a command did in it step by step.

    Args:
        root: The folder, as it is before the command.
    """

    def __init__(self, root):
        self._root = str(root)
        self.inodes = {}
        self.entries = {}
        self.steps = []
        self._number = {}
        self._descriptors = {}
        self._offsets = {}
        self._now = {}
        self._scan(str(root), TOP)
        self._now = dict(self.entries)
        self._sizes = {number: len(inode.content) for number, inode in self.inodes.items()}

    def _scan(self, path, number):
        status = os.lstat(path)
        is_folder = stat.S_ISDIR(status.st_mode)
        content = b"" if is_folder else Path(path).read_bytes()
        self.inodes[number] = Inode(status.st_mode, status.st_mtime_ns, content)
        for name in sorted(os.listdir(path)) if is_folder else ():
            found = os.lstat(f"{path}/{name}").st_ino
            known = found in self._number
            inside = self._number.setdefault(found, len(self._number) + 1)
            self.entries[number, name] = inside
            if not known:
                self._scan(f"{path}/{name}", inside)

    # What the command did

    def follow(self, calls):
        """Take over what a command called; what lies outside the folder is left out."""
        for call in calls:
            if call.result >= 0:
                getattr(self, f"_{call.name}", self._other)(call)

    def _other(self, call):
        quiet = {"fcntl", "chdir", "chmod", "fchmod", "fchmodat", "utimensat"}
        assert call.name in quiet, f"the replay does not know what {call.name} does"

    def _place(self, call, index, at=None):
        """Return (folder, name) of a path that a call names; None if it is outside."""
        path = os.fsdecode(call.text(index))
        if not path.startswith("/"):
            path = f"{self._root if at is None else call.descriptor(at)[1]}/{path}"  # commands are called there
        path = os.path.normpath(path)
        if not path.startswith(f"{self._root}/"):
            return None
        number = TOP
        *parents, name = path[len(self._root) + 1 :].split("/")
        for parent in parents:
            number = self._now[number, parent]
        return number, name

    def _name(self, folder, *changes):
        self.steps.append(Name(changes, folder))
        for place, inode in changes:
            if inode is None:
                self._now.pop(place, None)
            else:
                self._now[place] = inode

    def _new(self, mode):
        number = max(self.inodes) + 1
        self.inodes[number] = Inode(mode & ~_UMASK, -1, b"")
        self._sizes[number] = 0
        return number

    def _openat(self, call):
        if os.path.normpath(os.path.join(call.descriptor(0)[1], os.fsdecode(call.text(1)))) == self._root:
            self._descriptors[call.result] = TOP
            return
        place = self._place(call, 1, at=0)
        if place is None:
            self._descriptors.pop(call.result, None)
            return
        if place not in self._now:
            assert "O_CREAT" in call.arguments[2], call
            self._name(place[0], (place, self._new(stat.S_IFREG | int(call.arguments[3], 8))))
        number = self._now[place]
        self._descriptors[call.result] = number
        self._offsets[call.result] = "end" if "O_APPEND" in call.arguments[2] else 0
        if "O_TRUNC" in call.arguments[2]:
            self._cut(number, 0)

    def _cut(self, number, size):
        self.steps.append(Data(number, size, None))
        self._sizes[number] = size

    def _put(self, number, offset, content):
        self.steps.append(Data(number, offset, content))
        self._sizes[number] = max(self._sizes[number], offset + len(content))

    def _write(self, call):
        descriptor = call.descriptor(0)[0]
        content = call.text(1)[: call.result]
        if descriptor in self._descriptors:
            number = self._descriptors[descriptor]
            offset = self._offsets[descriptor]
            self._put(number, self._sizes[number] if offset == "end" else offset, content)
            if offset != "end":
                self._offsets[descriptor] += len(content)
        elif descriptor == 1:
            self.steps.append(Told(content))

    def _pwrite64(self, call):
        number = self._descriptors.get(call.descriptor(0)[0])
        if number is not None:
            self._put(number, int(call.arguments[3]), call.text(1)[: call.result])

    def _ftruncate(self, call):
        number = self._descriptors.get(call.descriptor(0)[0])
        if number is not None:
            self._cut(number, int(call.arguments[1]))

    def _close(self, call):
        self._descriptors.pop(call.descriptor(0)[0], None)

    def _dup2(self, call):
        self._descriptors.pop(call.descriptor(1)[0], None)

    _dup3 = _dup2

    def _dup(self, call):
        known = call.descriptor(0)[0]
        if known in self._descriptors:
            self._descriptors[call.result] = self._descriptors[known]
            self._offsets[call.result] = self._offsets.get(known, 0)

    def _fsync(self, call):
        number = self._descriptors.get(call.descriptor(0)[0])
        if number is not None:
            self.steps.append(Sync(number))

    _fdatasync = _fsync

    def _mkdir(self, call, index=0, at=None):
        place = self._place(call, index, at)
        if place is not None:
            self._name(place[0], (place, self._new(stat.S_IFDIR | 0o777)))

    def _mkdirat(self, call):
        self._mkdir(call, 1, 0)

    def _unlink(self, call, index=0, at=None):
        place = self._place(call, index, at)
        if place is not None:
            self._name(place[0], (place, None))

    _rmdir = _unlink

    def _unlinkat(self, call):
        self._unlink(call, 1, 0)

    def _link(self, call, old=0, new=1, at=(None, None)):
        source, target = self._place(call, old, at[0]), self._place(call, new, at[1])
        if target is not None:
            self._name(target[0], (target, self._now[source]))

    def _linkat(self, call):
        self._link(call, 1, 3, (0, 2))

    def _rename(self, call, old=0, new=1, at=(None, None)):
        source, target = self._place(call, old, at[0]), self._place(call, new, at[1])
        if source is not None and target is not None:
            self._name(target[0], (source, None), (target, self._now[source]))

    def _renameat(self, call):
        self._rename(call, 1, 3, (0, 2))

    _renameat2 = _renameat

    # What a crash may leave of it

    def states(self, seed, random_states=4):
        """Yield the states that a crash may leave, each once.

        After each step: everything that is not synced is there, or nothing of it, or all but one, or one alone, or some
        of it at random; and what is not synced of files is there, or is lost, cut, zeros, or there but for its
        beginning.
        """
        seen = set()
        draw = random.Random(seed)  # noqa: S311 - to repeat a failure
        for end in range(len(self.steps) + 1):
            for missing, fates, why in self._losses(end, draw, random_states):
                told = b"".join(step.content for step in self.steps[:end] if isinstance(step, Told))
                state = State(self._tree(end, missing, fates), told, f"after step {end}: {why}")
                if state.key not in seen:
                    seen.add(state.key)
                    yield state

    def _losses(self, end, draw, random_states):
        """Yield which steps are missing, what became of each file, and both in words."""
        names, files = self._pending(end)
        yield set(), {}, "all is there"
        for variant in _VARIANTS if files else ():
            yield set(), dict.fromkeys(files, variant), f"files are {variant}"
        if names:
            yield set(names), {}, "no name is there"
        if len(files) > 1:
            for number in files:
                for variant in ("lost", "half", "zeros"):
                    yield set(), {number: variant}, f"file {number} is {variant}"
        for fates in ({}, dict.fromkeys(files, "lost"))[: 2 if files else 1]:
            for one in names if len(names) > 1 else ():
                yield {one}, fates, f"step {one} is missing{', files are lost' if fates else ''}"
                yield set(names) - {one}, fates, f"only step {one} is there{', files are lost' if fates else ''}"
        for _ in range(random_states if len(names) + len(files) > 2 else 0):
            missing = {one for one in names if draw.random() < 0.5}
            fates = {number: draw.choice((*_VARIANTS, "whole")) for number in files}
            yield missing, fates, f"steps {sorted(missing)} are missing, files are {fates}"

    def _pending(self, end):
        """Return the names and the files that are not synced after so many steps."""
        synced = set()
        names, files = [], set()
        for index in range(end - 1, -1, -1):
            step = self.steps[index]
            if isinstance(step, Sync):
                synced.add(step.inode)
            elif isinstance(step, Name) and step.folder not in synced:
                names.append(index)
            elif isinstance(step, Data) and step.inode not in synced:
                files.add(step.inode)
        return names[::-1], sorted(files)

    def _tree(self, end, missing, fates):
        entries = dict(self.entries)
        for index, step in enumerate(self.steps[:end]):
            if isinstance(step, Name) and index not in missing:
                for place, inode in step.changes:
                    if inode is None:
                        entries.pop(place, None)
                    else:
                        entries[place] = inode
        inside, before = _by_folder(entries), _by_folder(self.entries)
        tree, contents = {}, {}

        def walk(folder, path):
            for name, inode in inside.get(folder, ()):
                if inode not in contents:
                    contents[inode] = self._content(inode, end, fates.get(inode, "whole"))
                found = self.inodes[inode]
                if stat.S_ISDIR(found.mode) and inside.get(inode) != before.get(inode):
                    found = found._replace(mtime=-1)
                tree[f"{path}{name}"] = (found, inode, contents[inode])
                if stat.S_ISDIR(self.inodes[inode].mode):
                    walk(inode, f"{path}{name}/")

        walk(TOP, "")
        return tree

    def _content(self, number, end, fate):
        writes = [
            (index, step) for index, step in enumerate(self.steps[:end]) if getattr(step, "inode", None) == number
        ]
        synced = max((index for index, step in writes if isinstance(step, Sync)), default=-1)
        kept = _written(self.inodes[number].content, [step for index, step in writes if index < synced])
        later = [step for index, step in writes if index > synced]
        if not later or fate == "lost":
            return kept
        whole = _written(kept, later)
        if fate == "half":
            return whole[: max(len(kept) if len(kept) < len(whole) else 0, len(whole) // 2)]
        if fate == "zeros":
            zeros = [
                step if step.content is None else step._replace(content=bytes(len(step.content))) for step in later
            ]
            return _written(kept, zeros)
        if fate == "late" and len(later) > 1:
            return _written(kept, later[1:])
        return whole


def _by_folder(entries):
    inside = {}
    for (folder, name), inode in sorted(entries.items()):
        inside.setdefault(folder, []).append((name, inode))
    return inside


def _written(content, steps):
    for step in steps:
        if isinstance(step, Data):
            if step.content is None:
                content = content[: step.offset].ljust(step.offset, b"\0")
            else:
                end = step.offset + len(step.content)
                content = content[: step.offset].ljust(step.offset, b"\0") + step.content + content[end:]
    return content


def images(root):
    """Return a folder's files as `file_trees.build` takes them."""
    disk = Disk(root)
    return disk._tree(0, set(), {})
