"""Links that a store comes with: nothing is read, written, moved or removed through them, and fsck names them."""

import os
import shutil
import time
import warnings

import pytest
from planting import LONG_AGO, plant
from surroundings import snapshot

from gemexp import ExperimentConfig, ExperimentRegistry
from gemexp.errors import DamageWarning
from gemexp.store import layout

FOLDERS = [
    *("objects", "index", "refs", "refs/tags", "refs/deleted", "refs/names", "refs/migrated", "packs", "local"),
    *("local/tmp", "local/trash", "local/packs", "local/journal", "local/quarantine", "local/panels"),
]
FILES = ["local/index.sqlite", "local/index.sqlite.lock", "local/index.sqlite-journal", "local/imported"]


@pytest.mark.parametrize("place", FOLDERS + FILES)
def test_a_store_one_of_whose_own_folders_is_a_link_is_refused(filled, outside, untouched, everything, place):
    plant(f"{filled.root}/{place}", outside if place in FOLDERS else outside / "letter.txt")
    found = everything(filled.hashes[0])
    assert untouched()
    assert {one.code for one in found.values()} <= {1, 5}, "refused, whatever is asked for"
    told = found["fsck",]
    assert told.code == 5
    assert place in told.err
    assert "symbolic link" in told.err


def test_a_store_whose_format_is_a_link_is_refused_until_it_is_repaired(filled, outside, untouched, gemexp):
    plant(f"{filled.root}/format", outside / "letter.txt")
    for arguments in (("list",), ("add", "-"), ("gc",), ("pack",)):
        assert gemexp(*arguments, stdin='{"a": 1}').code in (1, 5)
    named = gemexp("fsck", code=5)
    assert "format" in named.out + named.err
    gemexp("fsck", "--repair")
    assert untouched()


@pytest.mark.parametrize("part", ["objects", "index", "refs/tags/all", "refs/names/production"])
def test_what_lies_behind_a_linked_folder_is_not_there(filled, tmp_path, everything, part):
    if "/" not in part:
        part = f"{part}/{filled.hashes[0][:2]}"
    moved = tmp_path / "moved"
    shutil.move(f"{filled.root}/{part}", moved)
    plant(f"{filled.root}/{part}", moved)
    before = snapshot(moved)
    found = everything(filled.hashes[0])
    assert snapshot(moved) == before
    asked = ("name",) if "names" in part else ("list",)
    assert found[asked].code == 5, "what is shown may be incomplete, and is told to be"
    named = found["fsck",]
    assert named.code == 5
    assert part in named.out


def test_tags_behind_a_link_are_none(filled, tmp_path, gemexp):
    other = ExperimentRegistry(tmp_path / "other")
    other.register(ExperimentConfig([], {}, {"x": 1}, tags=["theirs"]))
    hidden = os.listdir(tmp_path / "other/refs/tags/theirs")[0]
    for name in filled.hashes:
        (tmp_path / "other/refs/tags/theirs" / name).touch()
    plant(f"{filled.root}/refs/tags/theirs", tmp_path / "other/refs/tags/theirs")
    before = snapshot(tmp_path / "other")
    assert "theirs" not in gemexp("list", code=5).out
    assert "theirs" not in gemexp("tag", code=5).out.replace("theirs: 0", "")
    assert gemexp("tag", filled.hashes[0], "theirs", code=5).err.count("symbolic link")
    assert hidden
    assert snapshot(tmp_path / "other") == before


@pytest.mark.parametrize("target", ["letter.txt", "nowhere", "sub"])
def test_links_in_the_place_of_files_are_passed_over_replaced_or_moved_away(
    filled, outside, untouched, everything, gemexp, target
):
    first = filled.hashes[0]
    (record,) = [name for name in os.listdir(f"{filled.root}/index/{first[:2]}") if name.startswith(first)][:1]
    (move,) = os.listdir(f"{filled.root}/refs/names/production")[:1]
    places = [
        layout.object_path(first),
        f"index/{first[:2]}/{record}",
        f"refs/tags/all/{filled.hashes[1]}",
        f"refs/tags/all/{'ef' * 32}",
        f"refs/deleted/{filled.hashes[2]}.2",
        f"refs/names/production/{move}",
        f"packs/{'ab' * 32}.gxp",
        f"local/journal/{os.getuid()}.jsonl",
        f"local/packs/{'ab' * 32}.gxi",
        "local/tmp/1-ab",
        "local/trash/1-1",
    ]
    for place in places:
        plant(f"{filled.root}/{place}", outside / target)
    named = gemexp("fsck", code=5).out
    assert all(place in named for place in places if not place.startswith("local/"))
    everything(first)
    assert untouched()
    assert gemexp("fsck").code in (0, 5)
    assert untouched()


def test_what_a_writer_puts_in_a_links_place_is_a_file_of_its_own(filled, outside, untouched, gemexp):
    config = ExperimentConfig([], {}, {"fresh": 1})
    place = f"{filled.root}/{layout.object_path(config.config_hash)}"
    plant(place, outside / "letter.txt")
    filled.register(config)
    assert untouched()
    assert not os.path.islink(place)
    assert filled.get(config.config_hash) == config or filled.get(config.config_hash).config_hash == config.config_hash
    gemexp("show", config.config_hash, code=0)


@pytest.mark.parametrize("place", ["local/trash", "local/tmp"])
def test_collecting_empties_no_folder_but_its_own(filled, outside, untouched, gemexp, place):
    inside = f"{filled.root}/{place}/kept"
    os.makedirs(os.path.dirname(inside), exist_ok=True)
    plant(inside, outside)
    os.utime(inside, (LONG_AGO, LONG_AGO), follow_symlinks=False)
    assert gemexp("gc", "--grace", "0s").code in (0, 5)
    assert untouched()
    assert not os.path.lexists(inside), "the link itself goes like any other file"


def test_the_trash_gives_nothing_back_through_a_link(filled, tmp_path, gemexp):
    other = ExperimentRegistry(tmp_path / "other")
    config = ExperimentConfig([], {}, {"x": "elsewhere"})
    name = other.register(config)
    filled.delete(filled.register(config))
    for path in (layout.object_path(name), *[f"index/{name[:2]}/{one}" for one in _about(filled, name)]):
        os.unlink(f"{filled.root}/{path}")
    plant(f"{filled.root}/local/trash/{time.time_ns()}-1", tmp_path / "other")
    before = snapshot(tmp_path / "other")
    gemexp("restore", name)
    assert snapshot(tmp_path / "other") == before
    assert gemexp("show", name).code != 0


def test_opening_a_folder_that_is_not_yet_a_store_follows_no_links(project, outside, untouched, gemexp):
    for name in ("objects", "refs", "local"):
        plant(project / ".gemexp" / name, outside)
    gemexp("init", code=5)
    gemexp("add", "-", stdin='{"a": 1}')
    assert untouched()


def test_a_store_may_itself_be_reached_by_a_link_since_that_is_where_it_lies(filled, project, gemexp):
    shutil.move(filled.root, project / "elsewhere")
    os.symlink(project / "elsewhere", project / ".gemexp")
    gemexp("list", code=0)
    gemexp("add", "-", stdin='{"a": 1}', code=0)
    gemexp("fsck", code=0)


def test_hard_links_to_files_outside_are_never_written_into(filled, outside, everything, gemexp):
    first = filled.hashes[0]
    letters = []
    config = ExperimentConfig([], {}, {"fresh": 1})
    places = [
        layout.object_path(config.config_hash),
        f"refs/tags/all/{config.config_hash}",
        f"local/journal/{os.getuid()}.jsonl",
        "local/index.sqlite",
        "local/index.sqlite-journal",
        f"local/packs/{'ab' * 32}.gxi",
        "local/imported",
        f"packs/{'ab' * 32}.gxp",
        "local/tmp/1-ab",
    ]
    for number, place in enumerate(places):
        letter = outside / f"letter{number}"
        letter.write_text("precious\n")
        letter.chmod(0o644)
        path = f"{filled.root}/{place}"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if os.path.lexists(path):
            os.unlink(path)
        os.link(letter, path)
        letters.append((place, letter))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DamageWarning)
        filled.register(config)
    everything(first)
    gemexp("fsck")
    for place, letter in letters:
        assert letter.read_text() == "precious\n", place
        assert letter.stat().st_mode & 0o777 == 0o644, place


def _about(registry, config_hash):
    folder = f"{registry.root}/index/{config_hash[:2]}"
    return [name for name in os.listdir(folder) if name.startswith(config_hash)]
