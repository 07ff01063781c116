"""Every bit of a small store turned, one at a time: it is found, or it makes no difference; and nothing lies about it.

``fsck`` finds a turned bit, or notes it, but in what is derived from the rest, where it makes no difference. A command
that reads then gives the answer of the whole store, or warns, or fails with an error of ours. ``fsck`` finds turned
bits in the names of files and folders too, but in those that are all that there is of what they say: see `NAMED_ONLY`.
"""

import os
import shutil
import warnings

import pytest
from small_stores import call, copy, make

from gemexp import ExperimentRegistry
from gemexp.errors import DamageWarning, GemexpError
from gemexp.store import at_work, layout

STRIDE, OFFSET = 41, 5
LOCAL_STRIDE = 8  # of what is derived from the rest, only so many
PARTS = 8  # of a sweep, for as many processes
ASKED = 16  # of a sweep, every so many turned bits all questions are asked; fsck is for each
LOOSE_AND_PACKED = pytest.mark.parametrize("packed", [False, True], ids=["loose", "packed"])

# What such names say is said nowhere else: a tag by another name is another tag, and a mark of another hash is that of
# a config that was collected. Only another copy of the store knows better.
NAMED_ONLY = (layout.TAGS, layout.DELETED)

QUESTIONS = {
    "list": lambda registry, _: [one.to_dict() for one in registry.list_all(None)],
    "iterate": lambda registry, _: [one.to_dict() for one in registry],
    "show": lambda registry, hashes: [registry.load(one).to_dict() for one in hashes],
    "resolve": lambda registry, hashes: [registry.resolve(one[:8]) for one in hashes[:1]],
    "deleted": lambda registry, _: registry.hashes_with_prefix("", deleted=True),
    "tags": lambda registry, _: {tag: registry.search_by_tag(tag) for tag in registry.tags()},
    "names": lambda registry, _: {name: pointer.history for name, pointer in registry.pointers().items()},
    "runs": lambda registry, _: [(run, registry.outcome(run.outcome)) for run in registry.runs()],
    "aliases": lambda registry, _: registry.aliases(),
    "migrated": lambda registry, hashes: [registry.migrated_to(one) for one in hashes],
}
COMMANDS = [["list", "--json"], ["tag", "--json"], ["name", "--json"], ["runs", "--json"], ["log"], ["alias"]]


def ask(root, hashes):
    """Return the answer to each question, and which of them came with a warning, or were refused."""
    answers, told = {}, set()
    for question, asked in QUESTIONS.items():
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                answers[question] = asked(ExperimentRegistry(root, create=False), hashes)
            except GemexpError:
                answers[question] = None
                told.add(question)
        if any(issubclass(one.category, DamageWarning) for one in caught):
            told.add(question)
    return answers, told


def find(root):
    """Return what fsck says: problems and notes, or the error that it ends with."""
    try:
        report = ExperimentRegistry(root, create=False, damaged=True).check()
    except GemexpError as error:
        return {("error", str(error))}
    return {(one.place, one.message) for one in (*report.problems, *report.notes)}


class Store:
    """A store, what it answers while it is whole, and its files."""

    def __init__(self, root):
        self.root = root
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            self.hashes = ExperimentRegistry(root).hashes_with_prefix("")
            self.answers, told = ask(root, self.hashes)
        assert not told
        self.found = find(root)
        self.paths = sorted(
            os.path.relpath(os.path.join(folder, name), root)
            for folder, _, names in os.walk(root)
            for name in names
            if layout.JOURNAL not in folder and f"/{layout.TMP}" not in folder
        )

    def bits(self):
        """Yield (path, byte, bit) of all files."""
        for path in self.paths:
            size = os.path.getsize(f"{self.root}/{path}")
            for place in range(0, size * 8, LOCAL_STRIDE + 1 if path.startswith(layout.LOCAL) else 1):
                yield path, place // 8, place % 8

    def names(self):
        """Yield (path, the same with a bit of it turned) of all files, and all folders."""
        folders = {path.rpartition("/")[0] for path in self.paths} - {""}
        folders |= {folder.rpartition("/")[0] for folder in folders} - {""}
        for path in sorted({*self.paths, *folders}):
            folder, _, name = path.rpartition("/")
            for at, letter in enumerate(name.encode()):
                for bit in range(8):
                    turned = letter ^ (1 << bit)
                    if turned not in (0, ord("/")):
                        other = name.encode()[:at] + bytes([turned]) + name.encode()[at + 1 :]
                        yield path, os.path.join(folder, os.fsdecode(other))

    def verify(self, path, what, *, is_name=False, asking=True, by_command=False):
        """Check that what was turned is found, or makes no difference; return whether it makes none."""
        found = find(self.root) - self.found
        answers, told = ask(self.root, self.hashes) if asking or not found else (self.answers, set())
        wrong = {question for question, answer in answers.items() if answer != self.answers[question]}
        if path.startswith(layout.LOCAL):  # derived from the rest, and made anew
            assert not wrong, (path, what, wrong)
        else:
            assert found or (is_name and path.startswith(NAMED_ONLY)), (path, what, "is not found")
        # Nobody who reads can miss what has no name any more.
        assert is_name or wrong <= told, (path, what, wrong - told, "are answered wrongly without a word")
        if by_command:
            for command in [*COMMANDS, ["show", self.hashes[0], "--json"], ["fsck", "--json"]]:
                code, out, err = call(self.root, *command)
                assert code in (0, 1, 3, 5), (path, what, command, code, out, err)
                assert "Traceback" not in err, (path, what, command)
        return not wrong


@pytest.fixture(autouse=True)
def _nobody_else_writes(monkeypatch):
    """Have fsck not look again, some moments later, for what seems to be missing."""
    monkeypatch.setattr(at_work, "_WAITS", (0,))


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    return {packed: make(folder / f"store-{packed}", packed=packed) for packed in (False, True)}


def turn_bits(store, chosen, *, asked=1):
    """Turn bits and back again; return how many, and of how many nothing was seen in the answers asked for."""
    tried = same = 0
    for path, at, bit in chosen:
        full = f"{store.root}/{path}"
        os.chmod(full, 0o644)
        with open(full, "r+b", buffering=0) as file:
            was = os.pread(file.fileno(), 1, at)
            os.pwrite(file.fileno(), bytes([was[0] ^ (1 << bit)]), at)
            asking = tried % asked == 0
            same += store.verify(path, (at, bit), asking=asking, by_command=tried % (asked * 50) == 0)
            os.pwrite(file.fileno(), was, at)
        tried += 1
    return tried, same


def turn_names(store, chosen, *, asked=1):
    """Turn bits in names and back again; return how many."""
    tried = 0
    for path, other in chosen:
        full, turned = f"{store.root}/{path}", f"{store.root}/{other}"
        if os.path.lexists(turned):
            continue
        os.rename(full, turned)
        asking = tried % asked == 0
        store.verify(path, other, is_name=True, asking=asking, by_command=tried % (asked * 50) == 0)
        if os.path.isdir(full):  # a command made it anew
            shutil.rmtree(full)
        os.rename(turned, full)
        tried += 1
    return tried


@LOOSE_AND_PACKED
def test_no_bit_turns_unnoticed(stores, tmp_path, packed, count):
    store = Store(copy(stores[packed], tmp_path / "store"))
    tried, same = turn_bits(store, list(store.bits())[OFFSET::STRIDE])
    assert tried > 500
    assert 0 < same < tried
    count("bits turned in files, each found", tried)


@LOOSE_AND_PACKED
def test_no_bit_of_a_name_turns_unnoticed(stores, tmp_path, packed, count):
    store = Store(copy(stores[packed], tmp_path / "store"))
    tried = turn_names(store, list(store.names())[OFFSET::STRIDE])
    assert tried > 30
    count("bits turned in names of files, each found", tried)


@pytest.mark.sweep
@LOOSE_AND_PACKED
@pytest.mark.parametrize("part", range(PARTS))
def test_no_bit_at_all_turns_unnoticed(stores, tmp_path, packed, part, count):
    store = Store(copy(stores[packed], tmp_path / "store"))
    tried, _ = turn_bits(store, list(store.bits())[part::PARTS], asked=ASKED)
    count("bits turned in files, each found", tried)
    tried = turn_names(store, list(store.names())[part::PARTS], asked=ASKED)
    count("bits turned in names of files, each found", tried)
