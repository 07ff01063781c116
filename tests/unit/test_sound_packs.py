"""Before an index is built or used, the packs that there are must be whole; others may pack meanwhile."""

from pathlib import Path

import pytest

from gemexp import Corrupt, ExperimentConfig
from gemexp.index.building import require_sound_packs
from gemexp.store import layout
from gemexp.store.files import Folder
from gemexp.store.packs import Packs


@pytest.fixture(autouse=True)
def _filled(registry):
    registry.add_many(ExperimentConfig([], {}, {"k": number}) for number in range(10))


def test_a_pack_that_comes_while_one_looks_is_not_taken_for_a_damaged_one(registry, monkeypatch):
    look = Packs.all

    def look_and_pack(packs):
        found = look(packs)
        monkeypatch.setattr(Packs, "all", look)
        registry.pack()  # somebody else does, just then
        return found

    folder = Folder(registry.root)
    monkeypatch.setattr(Packs, "all", look_and_pack)
    assert require_sound_packs(folder) == set()
    assert len(require_sound_packs(folder)) == 1


def test_a_pack_that_cannot_be_opened_is_none_to_leave_out(registry):
    registry.pack()
    path = Path(registry.root, layout.pack_path("0" * 64))
    path.write_bytes(b"no pack")
    folder = Folder(registry.root)
    with pytest.warns(match="is not a pack"), pytest.raises(Corrupt, match="cannot be read"):
        require_sound_packs(folder)
    path.unlink()
    assert len(require_sound_packs(folder)) == 1
