"""Queries over a store: what is listed and nothing else, and no more of it read than is needed."""

import os
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemexp import DamageWarning, ExperimentConfig, ExperimentRegistry, InvalidInput, InvalidQuery, NotFound
from gemexp.canonical import encode
from gemexp.digest import hash_bytes
from gemexp.notation import quote
from gemexp.paths import parse_path
from gemexp.query.selecting import matching
from gemexp.query.where import parse
from gemexp.store import layout
from gemexp.store.files import Folder
from gemexp.variants import Rename


def make(number, **fields):
    parameters = {"k": number, "lr": number / 10, **fields.pop("parameters", {})}
    return ExperimentConfig(["a"], {"a": 0.5}, parameters, **fields)


@pytest.fixture
def hashes(registry):
    """Register ten configs, tagged by being even, and return their hashes by number."""
    return registry.add_many(
        make(
            number,
            description=f"run {number}",
            tags=["even"] * (number % 2 == 0),
            created_at=f"2026-01-{number + 1:02}",
        )
        for number in range(10)
    )


class Watched(Folder):
    """A store's folder that remembers what was read."""

    def __init__(self, root):
        super().__init__(root)
        self.seen = []

    def read(self, path, limit):
        self.seen.append(path)
        return super().read(path, limit)

    def contents(self, path, limit):
        for name, data in super().contents(path, limit):
            self.seen.append(f"{path}/{name}")
            yield name, data


def selected(registry, where):
    """Return the numbers of the configs that match."""
    return sorted(registry.load(name).hyperparameters["k"] for name in registry.select(where))


@pytest.mark.parametrize(
    ("where", "numbers"),
    [
        ("k > 7 or lr = 0.1", [1, 8, 9]),
        ("tag = even and k > 3", [4, 6, 8]),
        ("tag != even and not k < 5", [5, 7, 9]),
        ("tag like 'ev%' and description = 'run 2'", [2]),
        ("not exists tag", [1, 3, 5, 7, 9]),
        ("tag in [odd]", []),
        ("created_at >= 2026-01-09", [8, 9]),
        ("created_at = 2026-01-03 or created_at < 2026-01-01T12:00Z", [0, 2]),
        ("feature_names = a and feature_weights.a = 0.5 and k in [1, 2]", [1, 2]),
        ("tag = even or created_at = 2026-01-02", [0, 1, 2, 4, 6, 8]),
    ],
)
def test_configs_are_selected(registry, hashes, where, numbers):
    assert registry.select(where) == sorted(hashes[number] for number in numbers)
    assert {config.config_hash for config in registry.find(where=where)} == {hashes[number] for number in numbers}
    assert [config.config_hash for config in registry.each(registry.select(where))] == registry.select(where)


def test_hashes_select_by_prefix(registry, hashes):
    assert registry.select(f"hash = {hashes[3][:10]}") == [hashes[3]]
    assert registry.select(f"hash in [{hashes[3][:10]}, {hashes[4]}]") == sorted(hashes[3:5])
    assert len(registry.select(f"hash != {hashes[3]}")) == 9
    assert registry.select(f"hash = {hashes[3][:8]} and k = 4") == []


def test_queries_combine_with_tag_order_and_limit(registry, hashes):
    assert registry.select("k > 3", tag="even") == sorted(hashes[number] for number in (4, 6, 8))
    found = registry.find(where="k > 3", tag="even", limit=2)
    assert [config.config_hash for config in found] == [hashes[8], hashes[6]]
    found = registry.find(where="k > 3", tag="even", sort="hyperparameters.lr", limit=2)
    assert [config.config_hash for config in found] == [hashes[4], hashes[6]]
    assert registry.select(parse("k = 3")) == [hashes[3]]


@pytest.mark.usefixtures("hashes")
def test_a_bad_query_is_refused_everywhere(registry):
    for call in (registry.select, lambda where: registry.find(where=where), lambda where: registry.runs(where=where)):
        with pytest.raises(InvalidQuery):
            call("lr >")
    with pytest.raises(InvalidQuery):
        registry.tag_where("lr >", ["x"])
    with pytest.raises(InvalidQuery):
        registry.rank("loss", where="lr >")


def test_names_select_what_they_point_to(registry, hashes):
    registry.move_name("production", hashes[3])
    registry.move_name("staging", hashes[4])
    assert selected(registry, "name = production") == [3]
    assert selected(registry, "name like '%a%' and k > 0") == [4]
    assert selected(registry, "exists name") == [3, 4]
    registry.move_name("production", hashes[5])
    registry.drop_name("staging")
    assert selected(registry, "exists name") == [5]


def test_parents_select_their_variants(registry, hashes):
    child = registry.register(make(77), parents=[hashes[3]])
    assert registry.select(f"parent = {hashes[3][:6]}") == [child]
    assert len(registry.select("not exists parent")) == 10


def test_metrics_are_those_of_the_latest_run(registry, hashes):
    registry.record(hashes[1], {"loss": 3.0}, data="a", started="2026-01-01")
    registry.record(hashes[1], {"loss": 1.0}, data="b", started="2026-01-02")
    registry.record(hashes[2], {"loss": 2.0, "auc": None}, started="2026-01-03")
    assert selected(registry, "metric.loss < 2.5") == [1, 2]
    assert selected(registry, "metric.loss > 2.5") == []
    assert selected(registry, "metric.auc exists") == selected(registry, "metric.auc = null") == [2]
    assert selected(registry, "data = b") == selected(registry, "exists data") == [1]
    assert selected(registry, "runs = 2") == [1]
    assert len(selected(registry, "runs = 0")) == 8
    assert [run.outcome for run in registry.runs(where="metric.loss = 1")] == [
        run.outcome for run in registry.runs(hashes[1])
    ]
    assert registry.runs(hashes[1], where="k = 2") == []
    assert [one.config_hash for one in registry.rank("loss", where="data = b", smallest=True)] == [hashes[1]] * 2
    with pytest.raises(NotFound, match="no outcome of a config that matches has the metric 'loss'"):
        registry.rank("loss", where="k = 9")


def test_what_is_not_listed_does_not_match(registry, hashes):
    registry.delete(hashes[1])
    with registry._folder.batch() as batch:
        batch.create(layout.object_path(hash_bytes(make(50).to_bytes())), make(50).to_bytes())  # without a record
    (hidden,) = (
        change
        for change in registry.plan_migration(
            [Rename(parse_path("hyperparameters.k"), parse_path("hyperparameters.k2"))], revs=[hashes[2]]
        ).changes
    )
    registry.migrate([hidden])
    assert selected(registry, "k >= 0") == [0, *range(3, 10)]
    assert registry.select("tag = even and k exists") == sorted(hashes[number] for number in (0, 4, 6, 8))
    (new,) = registry.select("k2 = 2")
    assert registry.select("tag = even and not exists k") == [new]  # what it replaces was tagged
    registry.record(hashes[2], {"loss": 1.0})
    assert registry.select("metric.loss = 1") == registry.select("runs = 1") == [new]
    registry.restore(hashes[1])
    assert selected(registry, "k = 1") == [1]


def test_a_damaged_config_is_warned_of_and_passed_over(registry, hashes):
    path = f"{registry.root}/{layout.object_path(hashes[3])}"
    os.chmod(path, 0o644)
    with open(path, "r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"\x09")
    with pytest.warns(DamageWarning, match=f"{hashes[3]}.*passed over"):
        assert registry.select("k < 5") == sorted(hashes[number] for number in (0, 1, 2, 4))
    registry.delete(hashes[3])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(registry.select("k < 5")) == 4


@pytest.mark.parametrize(
    "content",
    [
        encode({"$": "gemexp/config@1", "feature_names": [], "feature_transformations": {}, "feature_weights": {}}),
        encode(
            {
                "$": "gemexp/config@1",
                "feature_names": [1],
                "feature_transformations": {},
                "feature_weights": {},
                "hyperparameters": {"k": 1},
            }
        ),
        b"\x85"
        + encode(
            {
                "$": "gemexp/config@1",
                "feature_names": [],
                "feature_transformations": {},
                "feature_weights": {},
                "hyperparameters": {"k": 1},
            }
        )[1:].replace(b"\xa1k\x01", b"\xa1k\xd0\x01"),
        encode({"k": 1}),
        b"not msgpack",
        b"",
    ],
    ids=["a section is missing", "a name is no text", "overlong", "another map", "no map", "empty"],
)
def test_what_is_no_config_never_matches(registry, content):
    config_hash = hash_bytes(content)
    record = encode(
        {"$": "gemexp/put@1", "config": config_hash, "created_at": "2026-01-01", "description": "", "parents": []}
    )
    with registry._folder.batch() as batch:
        batch.create(layout.object_path(config_hash), content)
        batch.create(layout.record_path(config_hash, hash_bytes(record)), record)
    for where in ("k = 1", "k < 2", "not exists x", "feature_names like '%'", "not feature_names = x and k exists"):
        with warnings.catch_warnings(record=True):
            warnings.simplefilter("always")
            assert registry.select(where) == []


def test_large_configs_are_found_too(registry):
    config_hash = registry.register(make(1, parameters={"table": ["x" * 100] * 1000}))
    assert registry.select("k = 1") == registry.select("table[999] like 'x%'") == [config_hash]


@pytest.mark.parametrize(
    ("where", "folders"),
    [
        ("tag = even", {"index"}),
        ("tag = odd and metric.loss > 1 and k = 1", set()),
        ("k = 3", {"index", "objects"}),
        ("k = 77 and metric.loss > 1", {"objects"}),
        ("created_at = 2027", {"index"}),
        ("metric.loss > 0", {"index"}),
    ],
)
@pytest.mark.usefixtures("hashes")
def test_no_more_is_read_than_is_needed(registry, where, folders):
    folder = Watched(registry.root)
    list(matching(folder, parse(where)))
    assert {path.split("/")[0] for path in folder.seen} == folders
    if where == "k = 3":
        assert sum(path.startswith("index/") for path in folder.seen) == 1


def test_a_packed_store_gives_the_same_answers(registry, hashes):
    registry.record(hashes[1], {"loss": 1.0})
    registry.move_name("production", hashes[3])
    queries = (
        "k > 7 or tag = even",
        "metric.loss = 1",
        "description = 'run 5'",
        "name = production",
        "created_at = 2026",
    )
    before = [registry.select(where) for where in queries]
    registry.pack(everything=True)
    assert not [name for _, _, names in os.walk(f"{registry.root}/objects") for name in names]
    assert [ExperimentRegistry(registry.root).select(where) for where in queries] == before
    assert all(before)


def test_artifacts_are_not_read(registry, hashes):
    registry.record(hashes[1], {"loss": 1.0}, artifacts={"model.bin": b"\0" * 200_000})
    folder = Watched(registry.root)
    list(matching(folder, parse("k = 3 and lr > 0")))
    assert hash_bytes(b"\0" * 200_000) not in " ".join(folder.seen)


class TestTagging:
    def test_tags_are_added_to_all_that_match(self, registry, hashes):
        change = registry.tag_where("k > 6", ["late", "even"])
        assert change.matching == sorted(hashes[7:])
        assert change.changed == sorted(hashes[7:])
        assert selected(registry, "tag = late and tag = even") == [7, 8, 9]
        assert registry.tag_where("k > 5", ["late"]) == (sorted(hashes[6:]), [hashes[6]])

    def test_tags_are_removed_from_all_that_match(self, registry, hashes):
        change = registry.tag_where("k > 3", ["even", "other"], remove=True)
        assert change.changed == sorted(hashes[number] for number in (4, 6, 8))
        assert selected(registry, "tag = even") == [0, 2]

    def test_a_dry_run_only_tells(self, registry, hashes):
        change = registry.tag_where("k > 7", ["even"], dry_run=True)
        assert change == (sorted(hashes[8:]), [hashes[9]])
        assert selected(registry, "tag = even") == [0, 2, 4, 6, 8]

    @pytest.mark.parametrize("dry_run", [False, True])
    @pytest.mark.usefixtures("hashes")
    def test_a_tag_that_cannot_be_stored_changes_nothing(self, registry, dry_run):
        with pytest.raises(InvalidInput):
            registry.tag_where("k > 7", ["good", ""], dry_run=dry_run)
        assert registry.tags() == {"even": 5}


KEYS = ["a", "", "k.d", "é", "or"]
small_configs = st.builds(
    ExperimentConfig,
    st.lists(st.sampled_from(KEYS), unique=True, max_size=2),
    st.just({}),
    st.dictionaries(st.sampled_from(KEYS), st.integers(0, 3), max_size=2),
    description=st.sampled_from(["", "a", "b c"]),
    tags=st.lists(st.sampled_from(["best", "Best", "k=5", "2024", "é"]), max_size=2),
)


@settings(max_examples=25)
@given(st.lists(small_configs, max_size=5), st.data())
def test_a_store_answers_as_its_configs_do_one_by_one(tmp_path_factory, found, data):
    registry = ExperimentRegistry(tmp_path_factory.mktemp("store"))
    registry.add_many(found)
    listed = registry.list_all()
    tag = data.draw(st.sampled_from(["best", "Best", "k=5", "2024", "none"]))
    key = data.draw(st.sampled_from(KEYS))
    for where, test in {
        f"tag = {quote(tag)}": lambda config: tag in config.tags,
        f"not tag in [{quote(tag)}, x]": lambda config: tag not in config.tags and "x" not in config.tags,
        f"exists hyperparameters.{quote(key)}": lambda config: key in config.hyperparameters,
        f"exists hyperparameters.{quote(key)} and tag != {quote(tag)}": lambda config: (
            key in config.hyperparameters and tag not in config.tags
        ),
        "description = ''": lambda config: not config.description,
        "exists feature_names": lambda config: bool(config.feature_names),
    }.items():
        assert registry.select(where) == sorted(config.config_hash for config in listed if test(config)), where
