"""What one revision has over another, and the work tree over the last commit."""

import os
import shutil

import pytest
from histories import CONFIGS, HISTORY, perform
from hypothesis import given, settings
from hypothesis import strategies as st
from surroundings import contents, snapshot

from gemexp import ExperimentConfig, ExperimentRegistry, ranges
from gemexp.errors import NotFound
from gemexp.git import BlobReader, Repository
from gemexp.query.changes import Changes, changes
from gemexp.store import layout
from gemexp.store.files import Folder
from gemexp.store.git_tree import commit_tree
from gemexp.store.overlay import Nothing, With, Without

HASHES = [config.config_hash for config in CONFIGS]


@pytest.fixture
def since(ours, commit):
    """Return what actions change, as a comparison of two commits tells."""

    def run(*actions):
        first = commit()
        for action in actions:
            perform(ours, *action)
        return ranges.between(f"{first}..{commit()}", ours.root)

    return run


def parts(found):
    """Return the parts that are not empty: name -> how many."""
    return {name: len(part) for name, part in found._asdict().items() if part}


class TestParts:
    def test_a_new_experiment_with_its_tags_and_what_it_changed_of_its_parent(self, ours, commit):
        base = ours.register(CONFIGS[0])
        first = commit()
        variant = ExperimentConfig(**CONFIGS[1].to_dict() | {"description": "variant", "tags": ["t", "a"]})
        ours.register(variant, parents=[base])
        (one,) = ranges.between(f"{first}..{commit()}", ours.root).added
        assert (one.config, one.description, one.tags, one.parents) == (HASHES[1], "variant", ("a", "t"), (base,))
        assert list(map(str, one.differences)) == ["~ hyperparameters.k: 0 -> 1 (+1)"]

    def test_tags_of_a_listed_config_but_not_those_of_a_new_one(self, ours, since):
        perform(ours, "add", 0, "")
        perform(ours, "tag", 0, "con")
        found = since(("tag", 0, "best"), ("untag", 0, "con"), ("add", 1, ""), ("tag", 1, "best"))
        assert parts(found) == {"added": 1, "tags": 1}
        assert found.tags[0][0] == HASHES[0]
        assert found.tags[0][2:] == (("best",), ("con",))

    def test_a_description_that_changed(self, ours, since):
        perform(ours, "add", 0, "first")
        found = since(("describe", 0, "mine"))
        assert parts(found) == {"descriptions": 1}
        assert found.descriptions[0] == (HASHES[0], "first", "mine", ())

    def test_deleted_restored_and_what_is_not_there(self, ours, since, git):
        for number in range(3):
            perform(ours, "add", number, "")
        perform(ours, "delete", 2, None)
        found = since(("delete", 0, None), ("restore", 2, None), ("add", 3, ""))
        assert parts(found) == {"added": 1, "restored": 1, "deleted": 1}
        assert (found.deleted[0].config, found.restored[0].config) == (HASHES[0], HASHES[2])
        back = ranges.between("HEAD..HEAD~", ours.root)
        assert parts(back) == {"removed": 1, "deleted": 1, "restored": 1}
        assert back.removed[0].config == HASHES[3]
        assert git("status", "--porcelain") == ""

    def test_a_migrated_config_with_what_took_its_place_and_tags_that_went_over(self, ours, since):
        for number in range(2):
            perform(ours, "add", number, "")
        perform(ours, "tag", 0, "best")
        found = since(("migrate", 0, 1))
        assert parts(found) == {"migrated": 1, "tags": 1}
        assert (found.migrated[0].config, found.migrated[0].successors) == (HASHES[0], (HASHES[1],))
        assert found.tags[0][0] == HASHES[1]
        assert found.tags[0].added == ("best",)
        found = since(("revert", 0, 1))
        assert parts(found) == {"restored": 1, "tags": 1}

    def test_a_name_that_moved_with_the_difference_of_its_configs(self, ours, since):
        for number in range(2):
            perform(ours, "add", number, "")
        perform(ours, "name", 0, "production")
        found = since(("name", 1, "production"))
        assert parts(found) == {"names": 1}
        assert found.names[0][:4] == ("production", HASHES[0], HASHES[1], ())
        assert list(map(str, found.names[0].differences)) == ["~ hyperparameters.k: 0 -> 1 (+1)"]
        assert since(("drop", 0, "production")).names[0][1:3] == (HASHES[1], None)

    def test_runs_with_their_metrics(self, ours, since):
        perform(ours, "add", 0, "first")
        perform(ours, "record", 0, 0.5)
        found = since(("record", 0, 0.25))
        assert parts(found) == {"runs": 1}
        assert (found.runs[0].config, found.runs[0].metrics) == (HASHES[0], {"loss": 0.25})

    def test_aliases_that_came(self, ours, commit):
        ours.register(CONFIGS[0])
        first = commit()
        ours.alias("abcdef0123", HASHES[0])
        found = ranges.between(f"{first}..{commit()}", ours.root)
        assert parts(found) == {"aliases": 1}
        assert found.aliases[0][:2] == ("abcdef0123", HASHES[0])

    def test_rivals_after_a_merge(self, ours, commit, git):
        perform(ours, "add", 0, "")
        perform(ours, "add", 1, "")
        base = commit()
        perform(ours, "name", 0, "production")
        git("checkout", "-q", "-b", "other")
        commit()
        git("checkout", "-q", "-b", "ours", base)
        perform(ours, "name", 1, "production")
        first = commit()
        moved = ours.merge("other").changes.names[0]
        assert {moved.new, *moved.rivals} == {HASHES[0], HASHES[1]}
        assert ranges.between(f"{first}..{commit()}", ours.root).names[0].rivals == moved.rivals


@settings(max_examples=15)
@given(histories=st.tuples(HISTORY, HISTORY))
def test_what_changed_is_what_the_two_states_show(tmp_path_factory, histories):
    base = tmp_path_factory.mktemp("changes")
    first = ExperimentRegistry(base / "first")
    for action in histories[0]:
        perform(first, *action)
    second = ExperimentRegistry(shutil.copytree(first.root, base / "second"))
    for action in histories[1]:
        perform(second, *action)
    before, after = Folder(first.root), Folder(second.root)
    found = changes(before, after)

    old, new = ({config.config_hash: config for config in one.list_all(None)} for one in (first, second))
    gone = {one.config for part in (found.deleted, found.migrated, found.removed) for one in part}
    came = {one.config for part in (found.added, found.restored) for one in part}
    assert (came, gone) == (new.keys() - old.keys(), old.keys() - new.keys())
    both = old.keys() & new.keys()
    tags = {one.config: (set(one.added), set(one.removed)) for one in found.tags}
    assert tags == {
        config: (set(new[config].tags) - set(old[config].tags), set(old[config].tags) - set(new[config].tags))
        for config in both
        if new[config].tags != old[config].tags
    }
    described = {one.config: (one.old, one.new) for one in found.descriptions if not one.others}
    for config in both:
        if config not in described:
            assert old[config].description == new[config].description or first.metadata(config).other_descriptions
    old_names, new_names = first.names(), second.names()
    assert {one.name: (one.old, one.new) for one in found.names if one.old != one.new} == {
        name: (old_names.get(name), new_names.get(name))
        for name in old_names.keys() | new_names.keys()
        if old_names.get(name) != new_names.get(name)
    }
    assert not changes(after, after)
    paths = set(contents(second.root)) - set(contents(first.root))
    assert changes(before, With(before, after, paths), paths=paths) == found
    assert changes(Without(after, paths), after, paths=paths) == found
    shutil.rmtree(base)


class TestRanges:
    @pytest.fixture
    def branches(self, ours, commit, git):
        """``main`` and ``feature`` have one config each over what they come from."""
        git("checkout", "-q", "-b", "feature")
        perform(ours, "add", 0, "feature's")
        commit()
        git("checkout", "-q", "main")
        perform(ours, "add", 1, "main's")
        commit()

    @pytest.mark.parametrize(
        ("text", "added", "removed"),
        [
            ("main..feature", 0, 1),
            ("feature..main", 1, 0),
            ("main...feature", 0, None),
            ("..feature", 0, 1),
            ("feature..", 1, 0),
            ("feature...", 1, None),
            ("...feature", 0, None),
            ("main..main", None, None),
            ("..", None, None),
        ],
    )
    def test_sides_mean_what_they_mean_to_git(self, branches, ours, text, added, removed):  # noqa: ARG002
        found = ranges.between(text, ours.root)
        assert [one.config for one in found.added] == ([] if added is None else [HASHES[added]])
        assert [one.config for one in found.removed] == ([] if removed is None else [HASHES[removed]])

    def test_a_revision_without_a_store_counts_as_empty(self, branches, ours, git):  # noqa: ARG002
        git("checkout", "-q", "--orphan", "empty")
        git("rm", "-rqf", ".")
        git("commit", "-q", "--allow-empty", "-m", "nothing")
        assert parts(ranges.between("empty..feature", ours.root)) == {"added": 1}
        assert parts(ranges.between("feature..", ours.root)) == {"removed": 1}
        with pytest.raises(NotFound, match="no commit in common"):
            ranges.between("empty...feature", ours.root)

    @pytest.mark.parametrize("text", ["nosuch..", "..nosuch", "a..b..c", "--help..", "HEAD^{tree}.."])
    def test_what_git_does_not_know_is_not_found(self, ours, text):
        with pytest.raises(NotFound):
            ranges.between(text, ours.root)

    def test_a_store_that_moved_is_compared_with_itself(self, branches, ours, git):  # noqa: ARG002
        os.mkdir("deeper")
        git("mv", ".gemexp", "deeper/.gemexp")
        git("commit", "-q", "-m", "moved")
        root = str(ours.root).replace(".gemexp", "deeper/.gemexp")
        assert not ranges.between("HEAD~..HEAD", root)
        assert parts(ranges.between("feature..main", root)) == {"added": 1, "removed": 1}

    def test_packs_are_read_in_both_revisions(self, branches, ours, commit, git):  # noqa: ARG002
        before = commit()
        ours.pack(everything=True)
        packed = commit()
        assert not ranges.between(f"{before}..{packed}", ours.root)
        perform(ours, "add", 2, "loose")
        assert parts(ranges.between(f"{packed}..{commit()}", ours.root)) == {"added": 1}
        ours.pack(everything=True)
        assert parts(ranges.between(f"{packed}..{commit()}", ours.root)) == {"added": 1}
        git("rm", "-rqf", ".")
        assert parts(ranges.between(f"feature..{packed}", ours.root)) == {"added": 1, "removed": 1}

    def test_only_what_differs_is_read(self, ours, commit, monkeypatch):
        ours.add_many(ExperimentConfig([], {}, {"n": number}, tags=[f"t{number % 7}"]) for number in range(300))
        first = commit()
        ours.register(ExperimentConfig([], {}, {"n": 300}, tags=["t1"]))
        second = commit()
        reads = []
        read = BlobReader.read
        monkeypatch.setattr(
            BlobReader, "read", lambda *args, **options: reads.append(args[1]) or read(*args, **options)
        )
        assert parts(ranges.between(f"{first}..{second}", ours.root)) == {"added": 1}
        assert len(reads) < 60, "of more than a thousand objects"


class TestUncommitted:
    def test_what_is_new_is_told_and_counted(self, ours, commit, git):
        perform(ours, "add", 0, "first")
        commit()
        perform(ours, "tag", 0, "best")
        git("add", "-A")
        perform(ours, "add", 1, "second")
        found = ranges.uncommitted(ours.root)
        assert parts(found.changes) == {"added": 1, "tags": 1}
        assert (found.staged, found.unstaged, found.modified, found.deleted, found.ignored) == (1, 2, (), (), False)
        commit()
        found = ranges.uncommitted(ours.root)
        assert (parts(found.changes), found.staged, found.unstaged) == ({}, 0, 0)

    def test_before_the_first_commit_everything_is_new(self, tmp_path, git, monkeypatch):
        (tmp_path / "new").mkdir()
        monkeypatch.chdir(tmp_path / "new")
        git("init", "-q")
        registry = ExperimentRegistry(tmp_path / "new/.gemexp")
        registry.register(CONFIGS[0])
        found = ranges.uncommitted(registry.root)
        assert (found.commit, parts(found.changes), found.unstaged) == (None, {"added": 1}, 5)

    def test_files_that_were_changed_or_removed_are_named(self, ours, commit):
        perform(ours, "add", 0, "first")
        perform(ours, "add", 1, "second")
        commit()
        paths = [layout.object_path(HASHES[0]), layout.object_path(HASHES[1])]
        os.unlink(f"{ours.root}/{paths[0]}")
        os.unlink(f"{ours.root}/{paths[1]}")
        with open(f"{ours.root}/{paths[1]}", "wb") as file:
            file.write(b"damaged")
        found = ranges.uncommitted(ours.root)
        assert (found.deleted, found.modified) == ((paths[0],), (paths[1],))
        assert [one.config for one in found.changes.removed] == [HASHES[0]]

    def test_a_store_that_git_ignores_is_told(self, ours, git, repository):
        git("rm", "-rq", "--cached", ".gemexp")
        git("commit", "-q", "-m", "untracked")
        (repository / ".gitignore").write_text(".gemexp/\n")
        assert ranges.uncommitted(ours.root).ignored

    def test_looking_changes_nothing(self, ours, repository, git):
        perform(ours, "add", 0, "")
        before = snapshot(repository)
        ranges.uncommitted(ours.root)
        ranges.between("HEAD..", ours.root)
        assert snapshot(repository) == before
        assert "??" in git("status", "--porcelain")

    def test_a_store_in_no_repository_is_told(self, tmp_path, monkeypatch):
        monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
        registry = ExperimentRegistry(tmp_path / "alone")
        with pytest.raises(NotFound, match="no git repository"):
            ranges.uncommitted(registry.root)


def test_nothing_has_nothing(ours, repository):
    perform(ours, "add", 0, "")
    own = Repository(str(repository))
    assert parts(changes(Nothing(), Folder(ours.root))) == {"added": 1}
    assert changes(Nothing(), Nothing()) == Changes()
    with commit_tree(own, own.commit("HEAD"), "elsewhere") as tree:
        assert tree is None
