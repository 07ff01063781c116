"""Branches with random histories: git, gemexp, cp and rsync unite them without a conflict, and to the same answers."""

import shutil
import subprocess

import pytest
from branches import Work, examples, quick_folder, shown
from histories import COMMITS, unpacked
from hypothesis import given, settings
from hypothesis import strategies as st

from gemexp import ExperimentRegistry

ADDED = [[("add", 0, "first"), ("add", 1, "")]]
BRANCHES = st.lists(COMMITS, min_size=2, max_size=3)
TOOLS = {"cp": ["cp", "-rn"], "rsync": ["rsync", "-a"]}


@pytest.fixture
def play(git):
    """Make a repository with a branch for each history; return it, and copies of their stores by branch."""

    def run(folder, common, histories):
        work = Work(folder / "work", git)
        work.play(ADDED + common)
        return work, {name: work.branch(name, history) for name, history in zip("abc", histories, strict=False)}

    return run


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.slow
@settings(max_examples=examples(10))
@given(common=COMMITS, histories=BRANCHES, data=st.data())
def test_copying_folders_gives_what_git_merge_gives(play, tool, common, histories, data):
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not on this machine")
    with quick_folder() as folder:
        work, copies = play(folder, common, histories)
        order = data.draw(st.permutations(list(copies)))
        work.merge(order)
        expected = shown(work.store)
        for names in (order, order[::-1]):
            target = folder / f"copied-{names[0]}"
            shutil.copytree(copies[names[0]], target)
            for name in names[1:]:
                subprocess.run([*TOOLS[tool], f"{copies[name]}/.", target], check=True)
            assert unpacked(target) == unpacked(work.store)
            assert shown(target) == expected


@pytest.mark.slow
@settings(max_examples=examples(20))
@given(common=COMMITS, histories=BRANCHES, data=st.data())
def test_branches_merge_in_any_order_to_what_gemexp_merge_gives(play, common, histories, data):
    with quick_folder() as folder:
        work, copies = play(folder, common, histories)
        order = data.draw(st.permutations(list(copies)))
        trees = {work.merge(names) for names in (order, order[::-1])}
        assert len(trees) == 1
        assert work.porcelain() == []
        everything, expected = unpacked(work.store), shown(work.store)
        for names in (order, order[::-1]):
            target = folder / f"merged-{names[0]}"
            shutil.copytree(copies[names[0]], target)
            work.git("checkout", "-q", names[0])
            for name in names[1:]:
                ExperimentRegistry(target).merge(str(copies[name]))
                ExperimentRegistry(work.store).merge(str(name))
            for root in (target, work.store):
                assert unpacked(root) == everything
                assert shown(root) == expected
            assert {line[:3] for line in work.porcelain()} <= {"?? "}
            work.git("clean", "-qfd")
