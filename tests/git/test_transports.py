"""The same answers however git carries a store: clones of all kinds, linked work trees, stashes, rebases, line ends."""

import pytest
from branches import Work, examples, quick_folder, shown
from histories import COMMITS, unpacked
from hypothesis import given, settings
from hypothesis import strategies as st

from gemexp import ExperimentConfig, ExperimentRegistry

# Git may do with line ends whatever it likes outside the store.
LINE_ENDS = "[core]\n\tautocrlf = true\n\teol = crlf\n"
FILTERS = "[uploadpack]\n\tallowFilter = true\n\tallowAnySHA1InWant = true\n"
COMMON = [
    [("add", 0, "first"), ("add", 1, "second"), ("tag", 0, "best"), ("name", 0, "production")],
    [("add", 2, ""), ("describe", 1, "mine"), ("record", 0, 0.25), ("alias", 1, "beef")],
]
OURS = [
    [("name", 1, "production"), ("untag", 0, "best"), ("delete", 2, None)],
    [("add", 3, "fourth"), ("tag", 3, "con"), ("record", 3, 0.5), ("pack", 0, False), ("describe", 1, "")],
]
THEIRS = [
    [("name", 2, "production"), ("describe", 1, "yours"), ("tag", 0, "k=5"), ("name", 0, "%61 Rival")],
    [("reshape", 0, 1), ("record", 2, 0.5), ("add", 3, "other"), ("discard", 3, False)],
]


@pytest.fixture
def work(tmp_path, git):
    """A repository with branches ``a`` and ``b``, which differ in all that a store holds; ``a`` is checked out."""
    work = Work(tmp_path / "work", git, LINE_ENDS + FILTERS)
    (work.folder / ".gitattributes").write_text("* text=auto eol=crlf\n")
    (work.folder / "code.py").write_text("print(1)\n")
    work.play(COMMON)
    registry = ExperimentRegistry(work.store)
    registry.record(ExperimentConfig([], {}, {"text": "a\nb\r\nc\r"}), {}, artifacts={"log": b"a\nb\r\nc\r" * 50})
    work.commit()
    work.branch("b", THEIRS)
    work.branch("a", OURS)
    return work


@pytest.fixture
def expected(work):
    """What is shown on branch ``a``, and once ``b`` is merged into it."""
    alone = shown(work.store)
    work.merge("ab")
    together = shown(work.store), unpacked(work.store)
    work.git("checkout", "-q", "a")
    assert shown(work.store) == alone
    return alone, together


def united(store):
    """Return all that is in a store, and what it shows."""
    return shown(store), unpacked(store)


CLONES = {
    "whole": [],
    "with other line ends": ["-c", "core.autocrlf=true"],
    "shallow": ["--depth=1", "--no-single-branch"],
    "without blobs": ["--filter=blob:none"],
    "without trees": ["--filter=tree:0"],
    "sparse": ["--filter=blob:none", "--sparse"],
}


@pytest.mark.parametrize("options", CLONES.values(), ids=CLONES)
def test_a_clone_shows_and_merges_what_the_original_does(work, expected, options, tmp_path, git):
    alone, together = expected
    git("clone", "-q", *options, f"file://{work.folder}", tmp_path / "clone")
    clone = Work.existing(tmp_path / "clone", git)
    if "--sparse" in options:
        assert not clone.store.exists()
        clone.git("sparse-checkout", "set", ".gemexp")
    elif "core.autocrlf=true" in options:
        assert (clone.folder / "code.py").read_bytes() == b"print(1)\r\n"
    assert shown(clone.store) == alone
    ExperimentRegistry(clone.store).merge("origin/b")
    assert united(clone.store) == together
    clone.git("clean", "-qfd")
    if "--depth=1" in options:
        assert "unrelated histories" in clone.git("merge", "origin/b", code=128)
        clone.git("merge", "-q", "-m", "merge", "--allow-unrelated-histories", "origin/b")
    else:
        clone.git("merge", "-q", "-m", "merge", "origin/b")
    assert united(clone.store) == together
    assert clone.porcelain() == []
    clone.git("push", "-q", "origin", "HEAD:merged")
    work.git("checkout", "-q", "merged")
    assert united(work.store) == together


def test_a_linked_work_tree_has_its_own_branch_and_both_are_merged(work, expected, tmp_path, git):
    work.git("worktree", "add", "-q", tmp_path / "linked", "b")
    linked = Work.existing(tmp_path / "linked", git)
    linked.git("merge", "-q", "-m", "merge", "a")
    assert united(linked.store) == expected[1]
    linked.play([[("tag", 1, "best")]])
    work.git("merge", "-q", "-m", "merge", "b")
    assert united(work.store) == united(linked.store)


@pytest.mark.parametrize("staged", [True, False])
def test_a_stash_takes_uncommitted_experiments_along_and_gives_them_back_on_another_branch(work, expected, staged):
    ExperimentRegistry(work.store).merge("b")
    if staged:
        work.git("add", "-A")
    work.git("stash", "push", "-q", "--include-untracked")
    assert (shown(work.store), work.porcelain()) == (expected[0], [])
    work.git("checkout", "-q", "main")
    work.git("stash", "pop", "-q")
    work.commit()
    work.git("merge", "-q", "-m", "merge", "a")
    assert united(work.store) == expected[1]


def test_files_that_were_never_shared_can_be_cleaned_away(work, expected):
    work.git("clean", "-qfdX")
    assert not (work.store / "local").exists()
    assert shown(work.store) == expected[0]


@pytest.mark.slow
@settings(max_examples=examples(8))
@given(common=COMMITS, histories=st.tuples(COMMITS, COMMITS))
def test_a_branch_that_is_rebased_squashed_or_picked_comes_to_what_merging_it_does(git, common, histories):
    with quick_folder() as folder:
        work = Work(folder / "work", git, LINE_ENDS)
        work.play([[("add", 0, "first"), ("add", 1, "")], *common])
        copies = [work.branch(name, history) for name, history in zip("ab", histories, strict=True)]
        merged = work.merge("ab")
        assert {**unpacked(copies[0]), **unpacked(copies[1])} == unpacked(work.store)

        def head():
            return work.git("rev-parse", "HEAD:.gemexp").strip()

        for way in (["rebase", "-q"], ["rebase", "-q", "--apply"]):
            work.git("checkout", "-q", "-B", "moved", "b")
            work.git(*way, "a")
            assert head() == merged
        work.git("checkout", "-q", "-B", "picked", "a")
        if work.git("rev-list", "main..b"):
            work.git("cherry-pick", "--allow-empty", "--keep-redundant-commits", "main..b")
        assert head() == merged
        work.git("checkout", "-q", "-B", "squashed", "a")
        work.git("merge", "-q", "--squash", "b")
        work.commit()
        assert head() == merged
        work.git("merge", "-q", "-m", "merge", "b")  # what was squashed is merged again
        assert head() == merged
        assert work.porcelain() == []


def test_git_merges_only_once_what_gemexp_merged_is_committed(work, expected):
    ExperimentRegistry(work.store).merge("b")
    assert "untracked working tree files would be overwritten" in work.git("merge", "b", code=2)
    work.commit()
    work.git("merge", "-q", "-m", "merge", "b")
    assert united(work.store) == expected[1]
