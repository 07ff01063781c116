"""``len(registry)`` and what is listed agree, with an index and without."""

import os

import pytest
from histories import CONFIGS, HISTORY, perform
from hypothesis import given, settings

from gemexp import ExperimentRegistry
from gemexp.store import layout, records
from gemexp.store.files import Folder

FIRST = CONFIGS[0].config_hash


@pytest.fixture(params=[False, True], ids=["no index", "index"])
def counted(registry, request):
    for number in range(3):
        perform(registry, "add", number, "one")
    if request.param:
        registry.build_index()
    assert len(registry) == 3
    return registry


def fresh_length(registry):
    again = ExperimentRegistry(registry.root)
    assert len(registry) == len(again)
    return len(again)


def test_a_config_that_nobody_put_is_neither_listed_nor_counted(counted):
    """Registering was interrupted before its put record, and somebody has recorded a run of it."""
    perform(counted, "record", 0, 0.25)
    folder = Folder(counted.root)
    for name in list(records.names_with_prefix(folder, FIRST)):
        if records.read(folder, name)["$"] == "gemexp/put@1":
            os.unlink(f"{counted.root}/{layout.record_path(*name)}")
    assert len(counted.list_all()) == len(list(counted)) == fresh_length(counted) == 2
    assert len(counted.runs(FIRST)) == 1


def test_deleted_and_replaced_ones_and_those_without_object_are_not_counted(counted):
    counted.delete(FIRST)
    assert fresh_length(counted) == 2
    perform(counted, "migrate", 1, 2)
    assert fresh_length(counted) == len(counted.list_all()) == 1
    os.unlink(f"{counted.root}/{layout.object_path(CONFIGS[2].config_hash)}")
    assert [config.config_hash for config in counted.list_all()] == [CONFIGS[1].config_hash], "nothing replaces it"
    assert fresh_length(counted) == 1


def test_a_damaged_one_is_counted_though_it_cannot_be_listed(counted):
    place = f"{counted.root}/{layout.object_path(FIRST)}"
    os.unlink(place)
    with open(place, "wb") as file:
        file.write(b"damaged")
    assert fresh_length(counted) == 3
    with pytest.warns(UserWarning, match="passed over"):
        assert len(counted.list_all()) == 2
    assert fresh_length(counted) == 3


@settings(max_examples=20)
@given(history=HISTORY)
def test_after_any_history_they_agree(tmp_path_factory, history):
    registry = ExperimentRegistry(tmp_path_factory.mktemp("counted") / "store")
    for action in history:
        perform(registry, *action)
    assert len(registry) == len(list(registry)) == len(registry.list_all(None))
    registry.build_index()
    assert len(registry) == len(list(registry))
