"""The index against going through the store: whatever happens to a store and its index, both give the same answers."""

import os
import random
import shutil
import tempfile
import time
import warnings
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, precondition, rule
from queries import METRICS, NAMES, TAGS, queries, values
from strategies import configs, maps, numbers, texts

from gemexp import DamageWarning, ExperimentRegistry, GemexpError
from gemexp.index import watching
from gemexp.paths import parse_path
from gemexp.query.finder import Scanner
from gemexp.query.where import parse
from gemexp.store.files import Folder
from gemexp.variants import Default, Rename

CONFIGS = configs(hyperparameters=maps(values, max_size=4), tags=st.lists(TAGS, max_size=2))
OUTCOMES = st.dictionaries(METRICS, st.one_of(st.none(), numbers), max_size=3)
DATA = st.one_of(st.none(), st.sampled_from(["a", {"panel": "p", "n": [1]}, {}, {"panel": {"x": 1.5}}]))
pytestmark = pytest.mark.filterwarnings("ignore::gemexp.DamageWarning")  # of it, only answers are compared


def answers(finder, queries):
    """Return what a finder answers, and what it warns of."""
    told = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", DamageWarning)
        told += [finder.tag_counts(), finder.count()]
        for options in ({}, {"limit": 2}, {"tag": "best"}, {"tag": "é", "limit": 1}):
            found = finder.newest(**options)
            told.append([(config, config.config_hash) for config in found])
        told += [finder.matching(query) for query in queries]
        hashes = [config.config_hash for config in finder.newest()]
        told.append(finder.disputed(hashes))
        told.append([config.config_hash for config in finder.newest(among=hashes[::2], limit=3)])
        for metric in ("loss", "é"):
            try:
                told.append(finder.rank(metric))
            except GemexpError as error:
                told.append((str(error), error.hint))
    return told, {str(one.message) for one in caught}


class IndexMachine(RuleBasedStateMachine):
    hashes = Bundle("hashes")

    @initialize()
    def make_store(self):
        self.folder = Path(tempfile.mkdtemp())
        self.root = self.folder / "store"
        self.registry = ExperimentRegistry(self.root)
        self.other = ExperimentRegistry(self.folder / "other")
        self.registry.build_index()
        self.random = random.Random(0)  # noqa: S311 - which file of many, and no secret
        self.damaged = {}
        self.queries = [parse("a = 10 or lr > 0.5"), parse("tag = best and not exists a")]

    def teardown(self):
        shutil.rmtree(self.folder)

    def pick(self, pattern):
        """Return a file of the store, or None."""
        found = sorted(self.root.glob(pattern))
        return self.random.choice(found) if found else None

    @rule(target=hashes, configs=st.lists(CONFIGS, max_size=4), day=st.integers(1, 3))
    def add(self, configs, day):
        for config in configs:
            config.created_at = f"2026-01-0{day}"
        return multiple(*self.registry.add_many(configs))

    @rule(target=hashes, config=CONFIGS, parent=hashes)
    def add_variant(self, config, parent):
        return self.registry.register(config, parents=[parent])

    @rule(config_hash=hashes, tags=st.lists(TAGS, max_size=2), remove=st.booleans())
    def tag(self, config_hash, tags, remove):
        if self.registry.hashes_with_prefix(config_hash):
            (self.registry.untag if remove else self.registry.tag)(config_hash, tags)

    @rule(config_hash=hashes, text=texts)
    def describe(self, config_hash, text):
        if self.registry.hashes_with_prefix(config_hash):
            self.registry.describe(config_hash, text)

    @rule(config_hash=hashes)
    def delete(self, config_hash):
        self.registry.delete(config_hash)

    @rule(config_hash=hashes)
    def restore(self, config_hash):
        if self.registry.hashes_with_prefix(config_hash, deleted=True):
            self.registry.restore(config_hash)

    @rule(config_hash=hashes, name=NAMES)
    def name(self, config_hash, name):
        if self.registry.hashes_with_prefix(config_hash):
            try:
                self.registry.move_name(name, config_hash)
            except GemexpError:
                return  # its object is damaged

    @rule(config_hash=hashes, metrics=OUTCOMES, data=DATA, day=st.integers(1, 5))
    def record(self, config_hash, metrics, data, day):
        if self.registry.hashes_with_prefix(config_hash):
            with suppress(GemexpError):  # its object is damaged
                self.registry.record(config_hash, metrics, data=data, started=f"2026-02-0{day}")

    @rule(revs=st.lists(hashes, max_size=2), key=st.sampled_from(["a", "b", "lr"]), rename=st.booleans())
    def migrate(self, revs, key, rename):
        step = Rename(("hyperparameters", key), ("hyperparameters", "moved")) if rename else None
        step = step or Default(parse_path(f"hyperparameters.{key}"), 5)
        listed = [rev for rev in dict.fromkeys(revs) if self.registry.hashes_with_prefix(rev)]
        try:
            self.registry.migrate(self.registry.plan_migration([step], revs=listed).changes)
        except GemexpError:
            return  # nothing to change, or it is damaged

    @rule(configs=st.lists(CONFIGS, min_size=1, max_size=3))
    def copy_from_another_store(self, configs):
        self.other.add_many(configs)
        for path in sorted(Path(self.other.root).rglob("*")):
            place = self.root / path.relative_to(self.other.root)
            if path.is_file() and "local" not in place.parts and not place.exists() and self.random.random() < 0.8:
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(path, place)

    @rule(everything=st.booleans())
    def pack(self, everything):
        self.registry.pack(everything=everything)

    @rule()
    def collect(self):
        self.registry.collect(grace=0)

    @rule(pattern=st.sampled_from(["objects/*/*", "index/*/*", "refs/tags/*/*", "refs/deleted/*", "packs/*"]))
    def remove_a_file(self, pattern):
        path = self.pick(pattern)
        if path:
            path.unlink()

    @rule(pattern=st.sampled_from(["objects/*/*", "index/*/*"]))
    def damage_a_file(self, pattern):
        """Damage a file before the index looks at it: what was whole then is told of when it is read."""
        path = self.pick(pattern)
        if path and path not in self.damaged:
            self.damaged[path] = path.read_bytes()
            path.chmod(0o644)
            path.write_bytes(self.damaged[path][:-1])
            self.registry.build_index()

    @precondition(lambda self: self.damaged)
    @rule()
    def mend_a_file(self):
        """Put back what was in a file, so that nothing is to be seen in its folder."""
        path, data = self.damaged.popitem()
        if path.exists():
            path.write_bytes(data)

    @rule(kind=st.sampled_from(["cut", "flip", "garbage", "other", "moved", "gone"]))
    def damage_the_index(self, kind):
        path = Path(self.registry.index_status().path)
        if not path.exists() or kind == "gone":
            path.unlink(missing_ok=True)
            self.registry.build_index()
        elif kind == "cut":
            os.truncate(path, self.random.randrange(path.stat().st_size))
        elif kind == "flip":
            data = bytearray(path.read_bytes())
            data[self.random.randrange(len(data))] ^= 1 << self.random.randrange(8)
            with path.open("r+b") as file:
                file.write(data)
        elif kind == "garbage":
            path.write_bytes(os.urandom(5000))
        else:
            self.other.build_index()
            source = self.other.index_status().path
            (shutil.copy2 if kind == "other" else shutil.move)(source, path)

    @rule()
    def let_time_pass(self):
        """Make what the index looks at next seem to have been as it is for long."""
        time.sleep(0.02)  # so that another change gives another time
        watching.time_ns = lambda: time.time_ns() + 10**10
        try:
            self.registry.list_all(1)
        finally:
            watching.time_ns = time.time_ns
        time.sleep(0.02)

    @rule()
    def open_again(self):
        self.registry = ExperimentRegistry(self.root)

    @rule(queries=st.lists(queries(), min_size=1, max_size=4))
    def ask(self, queries):
        self.queries = queries
        self.both_answer_the_same()

    @invariant()
    def both_answer_the_same(self):
        indexed = answers(self.registry._finder, self.queries)
        assert indexed == answers(Scanner(Folder(str(self.root))), self.queries)
        assert self.registry.index_status().usable


IndexMachine.TestCase.settings = settings(settings.default, max_examples=10, stateful_step_count=20)
TestIndexAgainstScanning = IndexMachine.TestCase
