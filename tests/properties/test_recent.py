"""The newest configs are those that going through all of them gives, however their times are written."""

import shutil
import warnings
from datetime import UTC, datetime, timedelta, timezone

from histories import COMMITS, perform
from hypothesis import given, settings
from hypothesis import strategies as st

from gemexp import ExperimentConfig, ExperimentRegistry
from gemexp.canonical import encode
from gemexp.digest import hash_bytes
from gemexp.query import recent
from gemexp.store import kinds, layout, packing
from gemexp.store.files import Folder

ZONES = st.one_of(st.just(UTC), st.integers(-14, 14).map(lambda hours: timezone(timedelta(hours=hours))))
TIMES = st.one_of(
    st.datetimes(datetime(2024, 1, 1), datetime(2024, 1, 3), timezones=ZONES).map(datetime.isoformat),  # noqa: DTZ001
    st.sampled_from(["2024-01-02", "20240102T03", "2024-W01-2", "2024-01-02x04:05", "2024-01-02T04:05:06.5+01:00"]),
    st.integers(0, 10**6).map(lambda part: f"2024-01-02T00:00:00.{part % 10**6:06}Z"),
)
REGISTERED = st.lists(st.tuples(st.integers(0, 30), TIMES, st.booleans()), max_size=30)


def registered_again(folder, config, created_at, extra):
    """Write another put record, perhaps as a later version may: with an entry more."""
    record = {
        "$": kinds.PUT,
        "config": config.config_hash,
        "created_at": created_at,
        "description": "",
        "parents": [],
    } | ({"abc": 1} if extra else {})
    data = encode(record)
    with folder.batch() as batch:
        batch.create(layout.object_path(config.config_hash), config.to_bytes())
        batch.create(layout.record_path(config.config_hash, hash_bytes(data)), data)


@settings(max_examples=60)
@given(registered=REGISTERED, packed=st.sets(st.integers(0, 30), max_size=3), limit=st.integers(0, 12))
def test_however_often_and_whenever_they_were_registered(tmp_path_factory, registered, packed, limit):
    root = tmp_path_factory.mktemp("recent")
    registry = ExperimentRegistry(root / "store")
    folder = Folder(registry.root)
    for number, (k, created_at, extra) in enumerate(registered):
        registered_again(folder, ExperimentConfig([], {}, {"k": k}), created_at, extra)
        if number in packed:
            packing.pack(folder, keep=lambda path: len(path) % 3 == 0)
    expected = [(one.config_hash, one.created_at) for one in registry.list_all(None)]
    assert [(one.config_hash, one.created_at) for one in registry.list_all(limit)] == expected[:limit]
    recent._SPARE, spare = 0, recent._SPARE
    try:
        assert [(one.config_hash, one.created_at) for one in registry.list_all(limit)] == expected[:limit]
    finally:
        recent._SPARE = spare
    shutil.rmtree(root)


@settings(max_examples=30)
@given(commits=COMMITS, limit=st.integers(1, 5))
def test_whatever_happened_to_them(tmp_path_factory, commits, limit):
    root = tmp_path_factory.mktemp("recent")
    registry = ExperimentRegistry(root / "store")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of rivals
        for commit in commits:
            for action in commit:
                perform(registry, *action)
    expected = [one.to_dict() for one in registry.list_all(None)]
    assert [one.to_dict() for one in registry.list_all(limit)] == expected[:limit]
    shutil.rmtree(root)
