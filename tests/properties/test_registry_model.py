"""The registry against a plain dict: whatever is done in whatever order, both say the same."""

import shutil
import tempfile

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule
from strategies import configs, texts

from gemexp import ExperimentRegistry, NotFound
from gemexp.store import check
from gemexp.store.files import Folder

TAGS = st.sampled_from(["best", "Best", "con", "k=5", "../up", "2024", "é"])


class RegistryMachine(RuleBasedStateMachine):
    """``model``: hash -> [description, tags, deleted]."""

    hashes = Bundle("hashes")

    @initialize()
    def make_store(self):
        self.folder = tempfile.mkdtemp()
        self.registry = ExperimentRegistry(f"{self.folder}/store")
        self.model = {}
        self.order = []

    def teardown(self):
        report = check.check(Folder(self.registry.root))
        assert report.problems == []
        assert report.notes == []
        shutil.rmtree(self.folder)

    @rule(target=hashes, configs=st.lists(configs(tags=st.lists(TAGS, max_size=2)), max_size=3))
    def add(self, configs):
        assert self.registry.add_many(configs) == [config.config_hash for config in configs]
        for config in configs:
            entry = self.model.setdefault(config.config_hash, ["", set(), False])
            entry[0] = config.description or entry[0]
            entry[1] |= set(config.tags)
            entry[2] = False
            if config.config_hash not in self.order:
                self.order.append(config.config_hash)
        return multiple(*(config.config_hash for config in configs))

    @rule(config_hash=hashes, tags=st.lists(TAGS, max_size=2))
    def tag(self, config_hash, tags):
        entry = self.model[config_hash]
        if not entry[2]:
            assert set(self.registry.tag(config_hash, tags)) == set(tags) - entry[1]
            entry[1] |= set(tags)

    @rule(config_hash=hashes, tags=st.lists(TAGS, max_size=2))
    def untag(self, config_hash, tags):
        entry = self.model[config_hash]
        if not entry[2]:
            assert set(self.registry.untag(config_hash, tags)) == set(tags) & entry[1]
            entry[1] -= set(tags)

    @rule(old=TAGS, new=TAGS)
    def rename_tag(self, old, new):
        carriers = [entry for entry in self.model.values() if old in entry[1] and not entry[2]]
        try:
            assert len(self.registry.rename_tag(old, new)) == len(carriers)
        except NotFound:
            assert not carriers
        for entry in carriers:
            entry[1] = (entry[1] - {old}) | {new}

    @rule(config_hash=hashes, description=texts)
    def describe(self, config_hash, description):
        entry = self.model[config_hash]
        if not entry[2]:
            assert self.registry.describe(config_hash, description) == (description != entry[0])
            entry[0] = description

    @rule(config_hash=hashes)
    def delete(self, config_hash):
        assert self.registry.delete(config_hash) == (not self.model[config_hash][2])
        self.model[config_hash][2] = True

    @rule(config_hash=hashes)
    def restore(self, config_hash):
        entry = self.model[config_hash]
        if entry[2]:
            assert self.registry.restore(config_hash) == config_hash
            entry[2] = False

    @rule()
    def open_again(self):
        self.registry = ExperimentRegistry(self.registry.root)

    @invariant()
    def both_say_the_same(self):
        live = {name: entry for name, entry in self.model.items() if not entry[2]}
        assert len(self.registry) == len(live)
        assert [config.config_hash for config in self.registry] == sorted(live)
        for config in self.registry:
            assert [config.description, set(config.tags)] == live[config.config_hash][:2]
            assert self.registry.get(config.config_hash) == config
        newest_first = [name for name in reversed(self.order) if name in live]
        assert [config.config_hash for config in self.registry.list_all(None)] == newest_first
        carried = [tag for entry in live.values() for tag in entry[1]]
        assert self.registry.tags() == {tag: carried.count(tag) for tag in carried}
        for tag in set(carried):
            found = [config.config_hash for config in self.registry.search_by_tag(tag)]
            assert found == [name for name in newest_first if tag in live[name][1]]
        for name, entry in self.model.items():
            assert (self.registry.get(name) is None) == entry[2]


RegistryMachine.TestCase.settings = settings(settings.default, max_examples=40, stateful_step_count=20)
TestRegistryAgainstModel = RegistryMachine.TestCase
