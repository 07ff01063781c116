"""What follows from ``gc --tracked`` and ``pack --all``: git sees files go, and takes some for renamed.

Both are outside the law that branches merge without a conflict. What does hold is shown here.
"""

import os
import shutil

import pytest
from branches import Work, examples, quick_folder, shown
from histories import REMOVING_COMMITS, unpacked
from hypothesis import given, settings
from hypothesis import strategies as st

from gemexp import ExperimentConfig, ExperimentRegistry
from gemexp.store import check, layout
from gemexp.store.files import Folder

FEATURES = [f"feature_{number}" for number in range(20)]
RENAMES_OFF = ("-s", "resolve")


def similar(number):
    """Return a config that git takes for a renamed one of another number."""
    return ExperimentConfig(FEATURES, dict.fromkeys(FEATURES, 0.5), {"k": number})


def discard(registry, number):
    registry.delete(similar(number).config_hash)
    assert registry.collect(grace=0, tracked=True).configs


def pack_all(registry):
    assert registry.pack(everything=True).pack


def add(*numbers):
    """Return what registers configs one by one, as loose files."""
    return lambda registry: registry.register_all(map(similar, numbers))


def discard_first(registry):
    discard(registry, 0)


def in_turn(*changes):
    """Return what makes changes one after the other."""

    def run(registry):
        for change in changes:
            change(registry)

    return run


SAME_FOLDER = next(
    number for number in range(10, 10_000) if similar(number).config_hash[:2] == similar(0).config_hash[:2]
)


@pytest.fixture
def work(tmp_path, git):
    return Work(tmp_path / "work", git)


def diverge(work, *changes):
    """Have branches change the store that ``main`` has, and check out the first of them."""
    for name, change in zip("ab", changes, strict=True):
        work.git("checkout", "-q", "-b", name, "main")
        change(ExperimentRegistry(work.store))
        work.commit()
    work.git("checkout", "-q", "a")


@pytest.mark.parametrize(
    ("ours", "theirs", "told", "left"),
    [
        (in_turn(discard_first, add(1)), in_turn(discard_first, add(2)), "rename/rename", {1, 2}),
        (in_turn(discard_first, add(1)), discard_first, "rename/delete", {1}),
        (in_turn(discard_first, add(1)), add(SAME_FOLDER), "file location", {1, SAME_FOLDER}),
        (in_turn(pack_all, add(1)), in_turn(pack_all, add(2)), "rename/rename", {0, 1, 2}),
        (in_turn(pack_all, add(1)), in_turn(add(2), pack_all), "rename/delete", {0, 1, 2}),
        (in_turn(pack_all, add(1)), add(SAME_FOLDER), "file location", {0, 1, SAME_FOLDER}),
    ],
    ids=[
        f"{what}, {who}" for what in ("gc", "pack") for who in ("both, and add", "both, and one adds", "one, and adds")
    ],
)
def test_removing_tracked_files_may_make_git_find_renames_that_conflict(work, ours, theirs, told, left):
    add(0)(ExperimentRegistry(work.store))
    work.commit()
    diverge(work, ours, theirs)
    assert told in work.git("merge", "-q", "-m", "merge", "b", code=1)
    work.git("merge", "--abort")
    work.git("merge", "-q", "-m", "merge", *RENAMES_OFF, "b")
    assert check.check(Folder(work.store)).problems == []
    assert {config.hyperparameters["k"] for config in ExperimentRegistry(work.store)} == left


@pytest.mark.parametrize("ours", [discard_first, pack_all, in_turn(add(1), pack_all)])
def test_removing_tracked_files_on_one_branch_alone_merges(work, ours):
    add(0)(ExperimentRegistry(work.store))
    work.commit()
    diverge(work, ours, add(SAME_FOLDER))
    work.git("merge", "-q", "-m", "merge", "b")
    assert check.check(Folder(work.store)).problems == []
    assert SAME_FOLDER in {config.hyperparameters["k"] for config in ExperimentRegistry(work.store)}


@pytest.mark.parametrize(
    ("way", "undone"),
    [(["rebase", "b"], ["rebase", "--abort"]), (["cherry-pick", "main..b"], ["cherry-pick", "--abort"])],
    ids=["rebase", "cherry-pick"],
)
def test_rebasing_and_picking_find_the_same_renames_and_do_without_them_too(work, way, undone):
    add(0)(ExperimentRegistry(work.store))
    work.commit()
    diverge(work, in_turn(discard_first, add(1)), in_turn(discard_first, add(2)))
    assert "rename/rename" in work.git(*way, code=1)
    work.git(*undone)
    work.git(way[0], "--strategy=resolve", *way[1:])
    assert check.check(Folder(work.store)).problems == []
    assert {config.hyperparameters["k"] for config in ExperimentRegistry(work.store)} == {1, 2}


@pytest.mark.parametrize("earlier_pack", [True, False])
def test_packing_tracked_files_on_two_branches_conflicts_where_they_had_a_pack_in_common(work, earlier_pack):
    registry = ExperimentRegistry(work.store)
    add(*range(5))(registry)
    if earlier_pack:
        registry.pack()
    work.commit()
    diverge(work, in_turn(add(5), pack_all), in_turn(add(6), pack_all))
    if earlier_pack:
        assert "CONFLICT (rename/" in work.git("merge", "-q", "-m", "merge", "b", code=1)
        work.git("merge", "--abort")
    work.git("merge", "-q", "-m", "merge", *(RENAMES_OFF if earlier_pack else ()), "b")
    assert len(ExperimentRegistry(work.store)) == 7
    assert len(os.listdir(work.store / layout.PACKS)) == 2


def test_what_one_branch_collected_and_the_other_restored_is_missing_until_gemexp_merge_brings_it_back(work):
    registry = ExperimentRegistry(work.store)
    config_hash = registry.register(similar(0))
    registry.delete(config_hash)
    work.commit()
    diverge(
        work,
        lambda registry: registry.collect(grace=0, tracked=True),
        lambda registry: registry.restore(config_hash),
    )
    work.git("merge", "-q", "-m", "merge", "b")
    merged = ExperimentRegistry(work.store)
    assert merged.get(config_hash) is None
    merged.merge("b")
    assert merged.get(config_hash).config_hash == config_hash
    assert {line[:3] for line in work.porcelain()} == {"?? "}
    work.commit()


@pytest.mark.slow
@settings(max_examples=examples(15))
@given(common=REMOVING_COMMITS, histories=st.lists(REMOVING_COMMITS, min_size=2, max_size=3), data=st.data())
def test_without_renames_git_removes_only_what_a_branch_removed_and_gemexp_merge_brings_it_back(
    git, common, histories, data
):
    with quick_folder() as folder:
        work = Work(folder / "work", git)
        work.play([[("add", 0, "first"), ("add", 1, "")], *common])
        before = unpacked(work.store)
        copies = {name: work.branch(name, history) for name, history in zip("abc", histories, strict=False)}
        found = {name: unpacked(copy) for name, copy in copies.items()}
        order = data.draw(st.permutations(list(copies)))
        trees = {work.merge(names, *RENAMES_OFF) for names in (order, order[::-1])}
        assert len(trees) == 1
        everything = {path: data for one in found.values() for path, data in one.items()}
        removed = {path for path in before if any(path not in one for one in found.values())}
        merged = unpacked(work.store)
        assert merged.items() <= everything.items()
        assert everything.keys() - merged.keys() <= removed

        target = shutil.copytree(copies[order[0]], folder / "merged")
        for name in order[1:]:
            ExperimentRegistry(target).merge(str(copies[name]))
        for name in order:
            ExperimentRegistry(work.store).merge(str(copies[name]))
        assert unpacked(work.store) == unpacked(target) == everything
        assert shown(work.store) == shown(target)
