"""Values, records and files of the right form that no gemexp would write: what is read of them is told, or refused."""

import json
import os
import warnings

from fuzz_targets import HASH
from hypothesis import given, settings
from hypothesis import strategies as st

from gemexp import ExperimentConfig, ExperimentRegistry, canonical, formats
from gemexp.config import SECTIONS
from gemexp.digest import hash_bytes
from gemexp.errors import DamageWarning, GemexpError, RivalWarning
from gemexp.lines import Changes, read
from gemexp.outcome import StoredOutcome
from gemexp.sources import exported_config
from gemexp.store import check, journal, kinds, layout, names, pack_format, records
from gemexp.store.pack import Pack
from gemexp.texts import text as shown_by_git

texts = st.text(max_size=12) | st.sampled_from([HASH, "2024-01-31", "\x1b[31m", "../x", "", "gemexp/put@1"])
scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | texts
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
times = st.sampled_from(["2024-01-31T09:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "x", ""])
hashes = st.sampled_from([HASH, HASH.upper(), HASH[:12], "0" * 64, "../" * 21, ""])
FIELDS = sorted({field for fields in kinds._FIELDS.values() for field in fields})
anything = values | hashes | times | st.lists(hashes, max_size=3)


def _encoded(value):
    try:
        return canonical.encode(value)
    except GemexpError:
        return canonical.encode({})


@st.composite
def recorded(draw):
    """Return a record that is nearly one."""
    kind = draw(st.sampled_from(sorted(kinds._FIELDS)))
    value = {field: draw(anything) for field in kinds._FIELDS[kind]} | {"$": kind}
    good = {"config": HASH, "created_at": "2024-01-31", "supersedes": [], "parents": [], "outcome": HASH, "name": "n"}
    good |= {"description": "d", "alias": "abcd", "by": None, "restores": None, "verifies": None, "data": None}
    good |= {"code": None, "duration": 1.5, "environment": {}}
    for field in draw(st.sets(st.sampled_from(sorted(good)))):
        if field in value:
            value[field] = good[field]
    for field in draw(st.sets(st.sampled_from([*FIELDS, "extra"]), max_size=2)):
        value[field] = draw(anything)
    return value


@given(st.lists(recorded(), max_size=5))
@settings(max_examples=150)
def test_records_of_nearly_the_right_form(some):
    found, moves = {}, []
    for value in some:
        data = _encoded(value)
        name = hash_bytes(data)
        shown_by_git(f"index/aa/{HASH}-{name}", data, [".gemexp"])
        for about in (HASH, "n", "abcd", value.get("name")):
            try:
                record = kinds.read(data, name, about)
            except GemexpError:
                continue
            if record["$"] == kinds.MOVE:
                moves.append(names.from_value(name, record))
            elif record["$"] != kinds.ALIAS:
                found[name] = record
    metadata = records.summarise(found)
    assert len(metadata.puts) == sum(record["$"] == kinds.PUT for record in found.values())
    pointer = names.assemble("n", moves)
    assert set(pointer.heads) <= set(pointer.history)
    pointer.before()


@given(st.dictionaries(st.sampled_from([*SECTIONS, "$", "x", *StoredOutcome._fields]), values, max_size=8), st.data())
@settings(max_examples=150)
def test_objects_of_nearly_the_right_form(value, data):
    value["$"] = data.draw(st.sampled_from(["gemexp/config@1", "gemexp/outcome@1", "gemexp/other@9", 1, None]))
    content = _encoded(value)
    for read_object in (ExperimentConfig.from_bytes, StoredOutcome.from_bytes, check.kind_of):
        try:
            read_object(content)
        except GemexpError:
            continue
    shown_by_git(f"objects/aa/{hash_bytes(content)}", content, [".gemexp"])


@given(
    values, st.dictionaries(st.sampled_from([*SECTIONS, "description", "tags", "created_at", "config_hash"]), values)
)
@settings(max_examples=150)
def test_exported_configurations_of_nearly_the_right_form(value, fields):
    import io

    for one in (value, fields):
        try:
            config = exported_config(one)
            assert ExperimentConfig.from_bytes(config.to_bytes()).config_hash == config.config_hash
        except GemexpError:
            pass
        try:
            line = formats.dumps(one, "json").encode()
        except GemexpError:
            continue
        (found, *_) = [*read(io.BytesIO(line + b"\n"), Changes(exported=True)), None]
        assert found is None or (found.config is None) == (found.error is not None)


@given(
    st.lists(
        st.dictionaries(st.sampled_from(["id", "undoes", "time", "command", "created", "complete"]), values), max_size=6
    )
)
@settings(max_examples=100)
def test_journals_of_nearly_the_right_form(tmp_path_factory, lines):
    root = tmp_path_factory.getbasetemp() / "journal"
    (root / "local/journal").mkdir(parents=True, exist_ok=True)
    content = "".join(f"{json.dumps(line)}\n" for line in lines)
    (root / f"local/journal/{os.getuid()}.jsonl").write_text(content)
    found = journal.last(str(root))
    assert found is None or all(isinstance(word, str) for word in found[0].command)


@given(st.lists(st.tuples(st.binary(max_size=80), st.binary(max_size=60)), max_size=12), st.binary(max_size=20))
@settings(max_examples=150)
def test_packs_of_frames_of_any_keys(entries, between):
    good = [(pack_format.object_key(hash_bytes(data)), data) for _, data in entries]
    framed = [pack_format.frame(key, data) for key, data in sorted([*entries, *good]) if key]
    data = pack_format.MAGIC + between.join(framed)
    pack = Pack(hash_bytes(data), data)
    seen = [path for path, _ in pack.paths()]
    assert seen == sorted(set(seen), key=pack_format.to_key)
    assert all(pack.find(path) is not None for path in seen)
    assert {layout.object_path(hash_bytes(content)) for _, content in entries} <= set(seen) or between


@given(st.lists(recorded(), min_size=1, max_size=4), st.lists(values, max_size=3))
@settings(max_examples=25)
def test_a_store_of_such_files_answers_every_question(tmp_path_factory, some, others):
    registry = ExperimentRegistry(tmp_path_factory.mktemp("store"))
    config = registry.register(ExperimentConfig([], {}, {"a": 1}, tags=["t"], created_at="2024-01-01"))
    ours = [{key: (config if one == HASH else one) for key, one in value.items()} for value in some]
    for value in [*ours, *others, {"$": "gemexp/config@1", "hyperparameters": others}]:
        data = _encoded(value)
        name = hash_bytes(data)
        for path in (layout.object_path(name), layout.record_path(config, name), layout.move_path("n", name)):
            os.makedirs(os.path.dirname(f"{registry.root}/{path}"), exist_ok=True)
            with open(f"{registry.root}/{path}", "wb") as file:
                file.write(data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DamageWarning)
        warnings.simplefilter("ignore", RivalWarning)
        for ask in (
            registry.list_all,
            registry.log,
            registry.runs,
            registry.pointers,
            lambda: registry.get("n"),
            lambda: registry.rank("loss"),
            lambda: registry.select("metric.loss > 0 or a = 1 and data exists and parent = c5 or name = n"),
            lambda: registry.describe(config, "anew"),
            lambda: registry.move_name("n", config),
            registry.pack,
            registry.list_all,
        ):
            try:
                ask()
            except GemexpError:
                continue
        assert registry.check().problems is not None
        assert config in [one.config_hash for one in registry.list_all()]
