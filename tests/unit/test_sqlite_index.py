"""The optional SQLite index: never needed, never believed unless it is sealed, and quick because little is read."""
# ruff: noqa: ARG001 - a fixture fills the store

import os
import shutil
import sqlite3
import subprocess
import sys
import time
import warnings
from contextlib import closing
from pathlib import Path

import pytest

from gemexp import Conflict, Corrupt, DamageWarning, ExperimentConfig, ExperimentRegistry
from gemexp.config import CONFIG_KIND
from gemexp.index import watching
from gemexp.index.answers import Indexed
from gemexp.index.labels import Labels
from gemexp.index.opened import Index
from gemexp.query.finder import Scanner
from gemexp.query.where import parse
from gemexp.store import layout
from gemexp.store.files import Folder

QUERIES = ("k > 3", "tag = even and not k = 4", "description like '%1%' or lr exists", "metric.loss < 2")


def make(number, **fields):
    fields = {"description": f"run {number}", "tags": ["even"] * (number % 2 == 0), **fields}
    parameters = {"k": number, "model": {"on": True}, **fields.pop("parameters", {})}
    day = f"2026-{number // 28 % 12 + 1:02}-{number % 28 + 1:02}"
    return ExperimentConfig(["a"], {"a": 0.5}, parameters, created_at=day, **fields)


@pytest.fixture
def hashes(registry):
    """Register ten configs, tagged by being even, and build the index."""
    found = registry.add_many(make(number) for number in range(10))
    registry.record(found[3], {"loss": 1.5}, data="a")
    registry.build_index()
    return found


@pytest.fixture
def settled(monkeypatch):
    """Have folders seem to be unchanged for long when they are looked at, as they mostly are."""

    def settle(registry):
        time.sleep(0.02)  # so that whatever changes next has another time
        monkeypatch.setattr(watching, "time_ns", lambda: time.time_ns() + 10**10)
        registry.list_all(1)
        time.sleep(0.02)

    return settle


class Watched(Folder):
    """A store's folder that remembers what was read and listed."""

    def __init__(self, root):
        super().__init__(root)
        self.seen = []
        self.loose.names = self._listed(self.loose.names)

    def _listed(self, names):
        def listed(path):
            self.seen.append(path)
            return names(path)

        return listed

    def read(self, path, limit):
        self.seen.append(path)
        return super().read(path, limit)

    def contents(self, path, limit):
        self.seen.append(path)
        return super().contents(path, limit)


def watched(registry):
    folder = Watched(registry.root)
    return folder, Indexed(folder, Index(folder, None))


def answers(finder):
    """Return what a finder answers, as plain data."""
    return [
        finder.tag_counts(),
        [config.to_dict() for config in finder.newest()],
        [config.to_dict() for config in finder.newest(limit=3)],
        [config.to_dict() for config in finder.newest(tag="even")],
        *(finder.matching(parse(query)) for query in QUERIES),
        [(one.config_hash, one.value, one.trials) for one in finder.rank("loss")],
    ]


def assert_same(registry):
    indexed = answers(ExperimentRegistry(registry.root)._finder)
    assert indexed == answers(Scanner(Folder(registry.root)))
    assert registry.index_status().usable


def index_file(registry):
    return Path(registry.root, layout.SQLITE_INDEX)


def test_there_is_none_until_it_is_built(registry):
    registry.register(make(1))
    assert registry.list_all()
    assert not registry.index_status().exists
    assert not registry.drop_index()
    status = registry.build_index()
    assert (status.exists, status.usable, status.configs) == (True, True, 1)
    assert status.path == str(index_file(registry))
    assert status.size == index_file(registry).stat().st_size
    assert [path.name for path in index_file(registry).parent.glob("index.sqlite.*")] == ["index.sqlite.lock"]
    assert registry.drop_index()
    assert not list(index_file(registry).parent.glob("index.sqlite*"))
    assert_same_without(registry)


def assert_same_without(registry):
    assert [config.config_hash for config in registry.list_all()] == [registry.select("k = 1")[0]]


def test_an_empty_store_has_an_empty_index(registry):
    assert registry.build_index().configs == 0
    assert registry.list_all() == []
    assert registry.select("k = 1") == []
    assert registry.tags() == {}


def test_only_what_is_returned_is_read(registry, hashes, settled):
    settled(registry)
    folder, finder = watched(registry)
    assert finder.matching(parse("k > 3 and (tag = even or model.on = true) and not metric.loss > 9")) == sorted(
        hashes[4:]
    )
    assert finder.tag_counts() == {"even": 5}
    assert finder.disputed(hashes) == set()
    assert not any(path.startswith(("objects", "index", "refs")) for path in folder.seen)
    assert [config.config_hash for config in finder.newest(limit=2)] == [hashes[9], hashes[8]]
    assert [path for path in folder.seen if path.startswith("objects")] == [
        layout.object_path(hashes[9]),
        layout.object_path(hashes[8]),
    ]


def test_what_it_does_not_hold_is_read_of_what_is_left(registry, hashes, settled):
    settled(registry)
    folder, finder = watched(registry)
    assert finder.matching(parse("k = 3 and feature_weights.a = 0.5")) == [hashes[3]]
    read = [path for path in folder.seen if path.startswith("objects/")]
    assert read == [layout.object_path(hashes[3])]


def test_only_what_changed_is_read_again(registry, hashes, settled):
    settled(registry)
    added = registry.register(make(20))
    folder, finder = watched(registry)
    assert finder.matching(parse("k = 20")) == [added]
    fan_outs = {added[:2]}
    assert {path.split("/")[1] for path in folder.seen if path.startswith(("objects/", "index/"))} <= fan_outs
    folder.seen.clear()
    assert finder.matching(parse("k = 20")) == [added]
    assert not any(path.startswith(("objects/", "index/", "refs/tags/")) for path in folder.seen)
    assert registry.index_status().stale == ()


@pytest.mark.parametrize("packed", [False, True])
def test_whatever_is_done_is_seen_at_once(registry, hashes, settled, packed):
    if packed:
        registry.pack()
    settled(registry)
    steps = [
        lambda: registry.tag(hashes[1], ["even", "odd"]),
        lambda: registry.untag(hashes[2], ["even"]),
        lambda: registry.describe(hashes[5], "another 1"),
        lambda: registry.delete(hashes[4]),
        lambda: registry.restore(hashes[4]),
        lambda: registry.record(hashes[6], {"loss": 0.5}, data="a"),
        lambda: registry.record(hashes[3], {"loss": 2.5}, data="a"),
        lambda: registry.add_many(make(number) for number in range(20, 25)),
        lambda: Path(registry.root, layout.object_path(hashes[7])).unlink(missing_ok=True),
        registry.pack,
        lambda: registry.add_many(make(number % 28, parameters={"n": number}) for number in range(1000)),
        lambda: registry.collect(grace=0),
    ]
    for step in steps:
        step()
        assert_same(registry)
        settled(registry)


def test_packs_that_are_gone_are_no_loss(registry, hashes, settled):
    registry.pack()
    registry.build_index()
    registry.add_many(make(number) for number in range(20, 25))
    registry.pack()  # into another one
    settled(registry)
    assert_same(registry)


def test_a_tag_with_many_packed_members_is_not_listed_for_one_more(registry, hashes, settled):
    registry.add_many(make(number) for number in range(10, 100))
    registry.pack()
    registry.build_index()
    settled(registry)
    registry.tag(hashes[1], ["even"])
    folder, finder = watched(registry)
    seen = []
    for pack in folder.packs.all():
        pack.frames = lambda path, frames=pack.frames: seen.append(path) or frames(path)
    assert finder.tag_counts() == {"even": 51}
    assert f"{layout.TAGS}/even" not in seen


def another_database(path):
    path.unlink()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE a (b)")


DAMAGE = {
    "cut short": lambda path: os.truncate(path, path.stat().st_size // 2),
    "empty": lambda path: os.truncate(path, 0),
    "garbage": lambda path: path.write_bytes(b"SQLite format 3\x00" + bytes(range(256)) * 40),
    "no database": lambda path: path.write_text("no database"),
    "another database": another_database,
    "a copy of itself": lambda path: (shutil.copy2(path, f"{path}.2"), os.replace(f"{path}.2", path)),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_index_is_built_anew(registry, hashes, kind):
    DAMAGE[kind](index_file(registry))
    assert not registry.index_status().usable
    assert_same(registry)


def test_any_flipped_bit_breaks_the_seal(registry, hashes):
    path = index_file(registry)
    for place in range(0, path.stat().st_size, 1500):
        assert registry.index_status().usable
        with path.open("r+b") as file:
            file.seek(place)
            byte = file.read(1)[0]
            file.seek(place)
            file.write(bytes([byte ^ 4]))
        assert not registry.index_status().usable
        assert registry.select("k = 3") == [hashes[3]]


def test_the_index_of_another_store_is_none(registry, hashes, tmp_path):
    other = ExperimentRegistry(tmp_path / "other")
    other.add_many(make(number) for number in range(3, 5))
    other.build_index()
    for bring in (shutil.copy2, shutil.move):
        bring(index_file(other), index_file(registry))
        assert not registry.index_status().usable
        assert_same(registry)


def test_a_store_may_move_with_its_index(registry, hashes, tmp_path):
    registry = ExperimentRegistry(shutil.move(registry.root, tmp_path / "moved"))
    assert registry.index_status().usable
    assert_same(registry)


def test_one_of_another_version_is_built_anew(registry, hashes):
    path = index_file(registry)
    times = path.stat()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE facts SET value = 0 WHERE name = 'version'")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert not registry.index_status().usable
    assert_same(registry)


def test_while_somebody_writes_it_answers_come_without_it(registry, hashes):
    with closing(sqlite3.connect(index_file(registry), isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        began = time.monotonic()
        assert registry.select("k = 3") == [hashes[3]]
        assert time.monotonic() - began < 5
        with pytest.raises(Conflict, match="is being written"):
            registry.index_status()
    assert registry.index_status().usable


def test_whoever_is_killed_before_the_seal_leaves_none_that_is_believed(registry, hashes, settled):
    settled(registry)
    program = f"""
import os
from gemexp import ExperimentConfig, ExperimentRegistry
from gemexp.index import file
file._set_time = lambda path, seal: os._exit(9)
registry = ExperimentRegistry({registry.root!r})
registry.register(ExperimentConfig([], {{}}, {{"k": 77}}))
registry.select("k = 77")
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 9
    assert not registry.index_status().usable
    assert len(registry.select("k = 77")) == 1
    assert_same(registry)


def test_many_read_and_write_at_once(registry, hashes):
    program = f"""
import sys
from gemexp import ExperimentConfig, ExperimentRegistry
registry = ExperimentRegistry({registry.root!r})
for number in range(15):
    k = 100 * int(sys.argv[1]) + number
    registry.register(ExperimentConfig([], {{}}, {{"k": k}}, tags=["even"]))
    assert len(registry.select(f"k = {{k}}")) == 1, k
    assert k in [config.hyperparameters["k"] for config in registry.search_by_tag("even")], k
    if number == 5:
        registry.build_index() if sys.argv[1] == "1" else registry.pack()
"""
    running = [subprocess.Popen([sys.executable, "-c", program, str(number)]) for number in (1, 2, 3)]
    assert [one.wait(timeout=120) for one in running] == [0, 0, 0]
    assert_same(registry)


def test_a_damaged_pack_is_found_out_without_the_index(registry, hashes):
    registry.pack()
    (path,) = Path(registry.root, layout.PACKS).iterdir()
    data = bytearray(path.read_bytes())
    data[data.index(CONFIG_KIND.encode())] ^= 1
    path.chmod(0o644)
    path.write_bytes(data)
    shutil.rmtree(Path(registry.root, layout.PACK_INDEXES))
    registry = ExperimentRegistry(registry.root)
    with pytest.warns(match="damaged"), pytest.raises(Corrupt, match="is damaged"):
        registry.build_index()
    with pytest.warns(match="damaged"):
        whole = Scanner(Folder(registry.root)).matching(parse("k >= 0"))
    assert len(whole) == 9
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DamageWarning)
        assert registry.select("k >= 0") == whole


# Two configs whose hashes agree in the first 47 bits, of which the index makes its numbers.
TWINS = (2151471493, 2167018669)


@pytest.mark.parametrize("built", ["before", "between", "after"])
def test_two_configs_of_one_number_are_kept_apart(registry, built):
    configs = [
        ExperimentConfig(
            [], {}, {"k": k}, description=f"{k}", tags=[f"{k}", "twin"], created_at=f"20{k % 90 + 10}-01-01"
        )
        for k in TWINS
    ]
    for when, config in zip(("between", "after"), configs, strict=True):
        if built == "before":
            registry.build_index()
        registry.register(config)
        registry.record(config, {"loss": 1.0})
        if built == when:
            registry.build_index()
    assert len({config.config_hash[:11] for config in configs}) == 1
    if built == "after":
        registry.build_index()
    for config, k in zip(configs, TWINS, strict=True):
        assert registry.select(f"k = {k}") == registry.select(f"tag = '{k}'") == [config.config_hash]
        assert [one.config_hash for one in registry.search_by_tag(f"{k}")] == [config.config_hash]
    assert registry.tags() == {"twin": 2, **{f"{k}": 1 for k in TWINS}}
    registry.untag(configs[0].config_hash, ["twin"])
    registry.delete(configs[1].config_hash)
    assert_same(registry)


def test_a_config_of_very_many_values_takes_no_columns(registry):
    registry.build_index()
    large = registry.register(ExperimentConfig([], {}, {f"p{number}": number for number in range(3000)}))
    small = registry.register(ExperimentConfig([], {}, {"p7": 8, "q": 1}))
    assert registry.select("p7 = 7 and p2999 = 2999") == [large]
    assert registry.select("p7 exists") == sorted([large, small])
    assert registry.select("not p9 = 9") == [small]
    assert registry.select("q = 1") == [small]


def test_queries_that_fit_into_no_statement_are_answered(registry, hashes):
    many = " or ".join(f"k = {number}" for number in range(150))
    assert registry.select(many) == sorted(hashes)
    assert registry.select(f"k in [{', '.join(map(str, range(20_000)))}]") == sorted(hashes)
    nested = "k = 3"
    for _ in range(30):
        nested = f"not (k = 99 or {nested})"
    assert registry.select(nested) == [hashes[3]]


def test_tags_are_the_same_whether_read_at_once_or_one_by_one(registry, monkeypatch):
    for start in (0, 5):  # two packs that have some in common, and a third
        other = ExperimentRegistry(f"{registry.root}.{start}")
        other.add_many(make(number, tags=["all", f"t{number % 3}"]) for number in range(start, start + 10))
        other.pack(everything=True)
        registry.merge(other.root)
    hashes = registry.add_many(make(number, tags=["packed", "again"]) for number in range(20, 25))
    registry.untag(hashes[0], ["again"])
    registry.tag(hashes[0], ["again"])
    registry.untag(hashes[1], ["again"])
    registry.pack(everything=True)
    registry.tag(hashes[2], ["t1", "loose"])
    registry.delete(hashes[3])

    def tables():
        registry.build_index()
        with closing(sqlite3.connect(f"{registry.root}/local/index.sqlite")) as connection:
            tagged = connection.execute("SELECT name, config, present, loose FROM tagged JOIN tags ON tag = id")
            return sorted(tagged), sorted(connection.execute("SELECT config_hash, tags FROM experiments"))

    at_once = tables()
    monkeypatch.setattr(Labels, "plain_members", lambda *_: None)
    assert tables() == at_once
    assert len(at_once[0]) > 40


def test_other_tools_read_tables_and_views(registry, hashes):
    registry.tag(hashes[1], ["a, b", 'quote"'])
    registry.register(ExperimentConfig([], {}, {"LR": 1, "lr": 2.5, "x\0y": 1, "none": None, "all": [1], 'q"': "text"}))
    registry.build_index()
    with closing(sqlite3.connect(f"file:{index_file(registry)}?mode=ro&immutable=1", uri=True)) as connection:
        connection.execute("PRAGMA trusted_schema = OFF")
        names = [
            name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")
        ]
        for name in names:
            connection.execute(f'SELECT * FROM "{name}"').fetchall()  # noqa: S608
        connection.row_factory = sqlite3.Row
        query = "SELECT * FROM experiments WHERE config_hash = ?"
        row = dict(connection.execute(query, (hashes[1],)).fetchone())
        assert {name: row[name] for name in ("created_at", "description", "tags", "runs", "hyperparameters.k")} == {
            "created_at": "2026-01-02",
            "description": "run 1",
            "tags": '["a, b","quote\\""]',
            "runs": 0,
            "hyperparameters.k": 1,
        }
        assert row["hyperparameters.model.on"] == "true"
        (run,) = map(dict, connection.execute("SELECT * FROM runs"))
        assert (run["config_hash"], run["metric.loss"]) == (hashes[3], 1.5)
        assert run["outcome_hash"] == registry.runs(hashes[3])[0].outcome
    assert registry.index_status().usable


def test_a_fork_does_not_share_the_connection(registry, hashes):
    assert registry.select("k = 3") == [hashes[3]]
    child = os.fork()
    if not child:
        registry.register(make(21))
        os._exit(0 if len(registry.select("k > 0 and tag = even or k = 21")) == 5 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert len(registry.select("k = 21")) == 1
    assert_same(registry)
