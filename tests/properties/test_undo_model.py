"""Undo against a stack of what the store said before each command."""

import shutil
import tempfile

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from gemexp import ExperimentConfig, ExperimentRegistry
from gemexp.errors import GemexpError, NotFound
from gemexp.store import check, journal, packing
from gemexp.store.files import Folder

CONFIGS = [ExperimentConfig([], {}, {"number": number}) for number in range(3)]
HASHES = [config.config_hash for config in CONFIGS]

numbers = st.integers(0, len(CONFIGS) - 1)
revs = st.sampled_from(HASHES)
texts = st.sampled_from(["", "first", "second"])
tags = st.lists(st.sampled_from(["best", "a/b"]), max_size=2)
names = st.sampled_from(["production", "candidate"])
olds = st.sampled_from(["dead", "beef"])


def said(registry):
    """Return all that can be asked of a store that undo has to bring back."""
    return (
        [config.to_dict() for config in registry.list_all(None)],
        [registry.metadata(name).other_descriptions for name in registry.hashes_with_prefix("")],
        registry.tags(),
        registry.names(),
        [(name, move.config) for name, pointer in registry.pointers().items() for move in pointer.rivals],
        [(alias.old, alias.config) for alias in registry.aliases()],
    )


class UndoMachine(RuleBasedStateMachine):
    """``before``: what was said before each command that wrote and was not undone yet."""

    @initialize()
    def make_store(self):
        self.folder = tempfile.mkdtemp()
        self.registry = ExperimentRegistry(f"{self.folder}/store")
        self.before = []

    def teardown(self):
        while self.before:
            self.undo()
        assert check.check(Folder(self.registry.root)).problems == []
        shutil.rmtree(self.folder)

    def do(self, name, *arguments, **options):
        state, known = said(self.registry), journal.last(self.registry.root)
        self.registry.keep_journal([name])
        try:
            getattr(self.registry, name)(*arguments, **options)
        except GemexpError:
            assert said(self.registry) == state
        if journal.last(self.registry.root) != known:
            self.before.append(state)

    @rule(number=numbers, description=texts, tags=tags, parents=st.lists(revs, max_size=1))
    def add(self, number, description, tags, parents):
        fields = {"description": description, "tags": tags}
        config = ExperimentConfig([], {}, {"number": number}, **fields)
        self.do("register", config, parents=[parent for parent in parents if parent != config.config_hash])

    @rule(numbers=st.lists(numbers, max_size=3), tags=tags)
    def add_many(self, numbers, tags):
        self.do("add_many", [ExperimentConfig([], {}, {"number": number}, tags=tags) for number in numbers])

    @rule(rev=revs, tags=tags)
    def tag(self, rev, tags):
        self.do("tag", rev, tags)

    @rule(rev=revs, tags=tags)
    def untag(self, rev, tags):
        self.do("untag", rev, tags)

    @rule(old=st.sampled_from(["best", "a/b"]), new=st.sampled_from(["best", "new"]))
    def rename_tag(self, old, new):
        self.do("rename_tag", old, new)

    @rule(rev=revs, description=texts)
    def describe(self, rev, description):
        self.do("describe", rev, description)

    @rule(rev=revs)
    def delete(self, rev):
        self.do("delete", rev)

    @rule(rev=revs)
    def restore(self, rev):
        self.do("restore", rev)

    @rule(name=names, rev=revs)
    def move_name(self, name, rev):
        self.do("move_name", name, rev)

    @rule(name=names)
    def drop_name(self, name):
        self.do("drop_name", name)

    @rule(name=names)
    def rollback_name(self, name):
        self.do("rollback_name", name)

    @rule(old=olds, rev=revs, force=st.booleans())
    def alias(self, old, rev, force):
        self.do("alias", old, rev, force=force)

    @rule(old=olds)
    def unalias(self, old):
        self.do("unalias", old)

    @rule()
    def pack(self):
        packing.pack(Folder(self.registry.root), keep=lambda _: False)

    @rule()
    def undo(self):
        try:
            planned = self.registry.undo(dry_run=True)
        except NotFound:
            assert self.before == []
            return
        undone = self.registry.undo()
        assert undone == planned
        assert said(self.registry) == self.before.pop()


UndoMachine.TestCase.settings = settings(settings.default, max_examples=25, stateful_step_count=20)
TestUndoAgainstStack = UndoMachine.TestCase
