"""Merging what lies in git: revisions, bare repositories, clones of every kind; and repositories of hostile people."""

import os
import shutil

import pytest
from histories import CONFIGS, HISTORY, answers, perform
from hypothesis import given, settings
from hypothesis import strategies as st
from surroundings import contents

from gemexp import ExperimentConfig, ExperimentRegistry
from gemexp.errors import Corrupt, EngineFailed, InvalidInput, NoStore, NotFound, StoreUnreadable, UnsupportedFormat
from gemexp.git import BlobReader, Repository
from gemexp.store import layout
from gemexp.store.git_tree import commit_tree


@pytest.fixture
def ours(repository):
    return ExperimentRegistry(repository / ".gemexp")


@pytest.fixture
def theirs(ours, repository, git):
    """A branch ``theirs`` with three configs, a tag, a name and a run; checked out is ``main``, which has none."""
    git("checkout", "-q", "-b", "theirs")
    for number in range(3):
        perform(ours, "add", number, f"number {number}")
    for action in (("tag", 0, "best"), ("name", 1, "production"), ("record", 2, 0.25), ("delete", 1, None)):
        perform(ours, *action)
    git("add", "-A")
    git("commit", "-q", "-m", "theirs")
    expected = contents(repository / ".gemexp"), answers(repository / ".gemexp")
    git("checkout", "-q", "main")
    assert len(ours) == 0
    return expected


def state(git, cwd=None):
    """Return what a merge must leave as it is: branches, index, and the tracked files."""
    with open(os.path.join(cwd or ".", ".git/index"), "rb") as index:
        return (
            git("show-ref", cwd=cwd),
            git("symbolic-ref", "HEAD", cwd=cwd),
            index.read(),
            git("diff", "HEAD", cwd=cwd),
        )


def test_a_revision_is_merged_without_touching_branches_index_or_tracked_files(ours, theirs, repository, git):
    before = state(git)
    merge = ours.merge("theirs")
    assert (merge.files.bad, merge.files.unknown) == ((), ())
    assert (contents(repository / ".gemexp"), answers(repository / ".gemexp")) == theirs
    assert state(git) == before
    assert ours.merge("theirs").files.files == 0


@settings(max_examples=8)
@given(common=HISTORY, histories=st.tuples(HISTORY, HISTORY))
def test_merging_gives_what_git_merge_gives(tmp_path_factory, monkeypatch, git, common, histories):
    base = tmp_path_factory.mktemp("histories") / "work"
    base.mkdir()
    monkeypatch.chdir(base)
    git("init", "-q", "-b", "main")
    registry = ExperimentRegistry(base / ".gemexp")

    def commit(history):
        for action in history:
            perform(registry, *action)
        git("add", "-A")
        git("commit", "-q", "--allow-empty", "-m", "history")

    commit(common)
    for name, history in zip(("a", "b"), histories, strict=True):
        git("checkout", "-q", "-b", name, "main")
        commit(history)
    git("checkout", "-q", "a")
    registry.merge("b")
    merged = contents(base / ".gemexp"), answers(base / ".gemexp")
    git("clean", "-qfdx")
    git("merge", "-q", "-m", "merge", "b")
    assert (contents(base / ".gemexp"), answers(base / ".gemexp")) == merged
    shutil.rmtree(base)


def test_a_folder_wins_over_a_branch_of_that_name(ours, theirs, repository):  # noqa: ARG001 - there is the branch
    other = ExperimentRegistry(repository / "theirs")
    other.register(CONFIGS[3])
    assert [one.config for one in ours.merge("theirs").changes.added] == [CONFIGS[3].config_hash]


def test_a_branch_of_a_remote_is_merged_after_a_fetch(theirs, repository, git, tmp_path, monkeypatch):
    git("clone", "-q", repository, tmp_path / "clone")
    monkeypatch.chdir(tmp_path / "clone")
    clone = ExperimentRegistry(tmp_path / "clone/.gemexp")
    clone.merge("origin/theirs")
    assert answers(clone.root) == theirs[1]


def test_a_linked_work_tree_merges_from_its_repository(theirs, repository, git):
    git("worktree", "add", "-q", "--detach", repository.parent / "linked")
    linked = ExperimentRegistry(repository.parent / "linked/.gemexp")
    linked.merge("theirs")
    assert answers(linked.root) == theirs[1]


def test_a_repository_with_sha256_names_is_merged(tmp_path, git, monkeypatch):
    monkeypatch.chdir(tmp_path)
    git("init", "-q", "--object-format=sha256", "work")
    registry = ExperimentRegistry(tmp_path / "work/.gemexp")
    registry.register(ExperimentConfig([], {}, {"a": 1}, tags=["x"]))
    git("add", "-A", cwd="work")
    git("commit", "-q", "-m", "one", cwd="work")
    git("clone", "-q", "--bare", "work", "bare")
    other = ExperimentRegistry(tmp_path / "other")
    other.merge("bare")
    assert answers(other.root) == answers(registry.root)


class TestPlaces:
    @pytest.fixture
    def moved(self, ours, theirs, git):  # noqa: ARG002 - theirs is what is moved
        git("checkout", "-q", "theirs")
        git("mv", ".gemexp", "new")
        os.mkdir("a")
        git("mv", "new", "a/.gemexp")
        git("commit", "-q", "-m", "moved")
        git("checkout", "-q", "-f", "main")
        return ours

    def test_a_store_at_another_path_is_found_if_it_is_the_only_one(self, moved, theirs):
        merge = moved.merge("theirs")
        assert merge.source == "theirs:a/.gemexp"
        assert answers(moved.root) == theirs[1]

    @pytest.mark.parametrize("path", ["a/.gemexp", "a/.gemexp/", "./a//.gemexp"])
    def test_a_path_after_a_colon_names_the_store(self, moved, theirs, path):
        moved.merge(f"theirs:{path}")
        assert answers(moved.root) == theirs[1]

    def test_another_path_after_the_colon_is_not_found(self, moved):
        with pytest.raises(NotFound) as raised:
            moved.merge("theirs:b/.gemexp")
        assert "a/.gemexp" in raised.value.hint

    @pytest.mark.parametrize("path", ["../x", "/etc", "a/../../x"])
    def test_a_path_that_leads_outside_is_refused(self, moved, path):
        with pytest.raises(InvalidInput):
            moved.merge(f"theirs:{path}")

    def test_of_several_stores_elsewhere_none_is_guessed(self, moved, git):
        git("checkout", "-q", "theirs")
        os.mkdir("b")
        shutil.copytree("a/.gemexp", "b/.gemexp")
        git("add", "-f", "b")
        git("commit", "-q", "-m", "two")
        git("checkout", "-q", "-f", "main")
        with pytest.raises(NotFound) as raised:
            moved.merge("theirs")
        assert "'a/.gemexp', 'b/.gemexp'" in raised.value.hint
        moved.merge("theirs:b/.gemexp")
        assert len(moved) == 2

    def test_a_store_at_the_top_of_a_repository_is_named_by_a_colon(self, tmp_path, git, registry, ours):
        ExperimentRegistry(tmp_path / "top").register(CONFIGS[0])
        git("init", "-q", cwd=tmp_path / "top")
        git("add", "-A", cwd=tmp_path / "top")
        git("commit", "-q", "-m", "top", cwd=tmp_path / "top")
        git("fetch", "-q", tmp_path / "top", "HEAD:top")
        assert [one.config for one in ours.merge("top:").changes.added] == [CONFIGS[0].config_hash]
        assert len(registry) == 0

    def test_a_revision_without_a_store_is_told(self, ours, git):
        git("checkout", "-q", "--orphan", "empty")
        git("rm", "-rqf", "--cached", ".")
        git("commit", "-q", "--allow-empty", "-m", "nothing")
        with pytest.raises(NotFound, match="holds no store"):
            ours.merge("empty")

    @pytest.mark.parametrize("text", ["nosuch", "--help", "-x", "HEAD^{tree}", "a..b", ":/", "@{9}", "\n"])
    def test_what_is_neither_folder_nor_revision_is_not_found(self, ours, text):
        with pytest.raises(NotFound) as raised:
            ours.merge(text)
        assert "folder" in raised.value.hint
        assert "revision" in raised.value.hint

    def test_outside_a_repository_only_folders_are_found(self, registry, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
        with pytest.raises(NotFound, match="no git repository"):
            registry.merge("main")

    def test_a_folder_without_a_store_is_told(self, ours, tmp_path):
        (tmp_path / "empty").mkdir()
        with pytest.raises(NoStore):
            ours.merge(str(tmp_path / "empty"))

    def test_where_git_points_its_hooks_is_not_followed(self, ours, theirs, tmp_path, git, monkeypatch):
        git("init", "-q", tmp_path / "other")
        monkeypatch.setenv("GIT_DIR", str(tmp_path / "other/.git"))
        monkeypatch.setenv("GIT_WORK_TREE", str(tmp_path / "other"))
        monkeypatch.setenv("GIT_LITERAL_PATHSPECS", "1")
        ours.merge("theirs")
        monkeypatch.delenv("GIT_DIR")
        assert answers(ours.root) == theirs[1]


class TestBareRepositories:
    @pytest.fixture
    def bare(self, theirs, repository, git, tmp_path):  # noqa: ARG002 - theirs is what is cloned
        git("clone", "-q", "--bare", "--branch", "theirs", repository, tmp_path / "any name")
        return tmp_path / "any name"

    def test_its_head_is_merged(self, registry, bare, theirs):
        before = contents(bare)
        registry.merge(str(bare))
        assert answers(registry.root) == theirs[1]
        assert contents(bare) == before

    def test_one_without_a_commit_is_told(self, registry, git, tmp_path):
        git("init", "-q", "--bare", tmp_path / "new.git")
        with pytest.raises(NotFound, match="has no commit"):
            registry.merge(str(tmp_path / "new.git"))

    def test_one_that_is_owned_by_another_is_left_to_git_to_refuse(self, registry, bare):
        if os.geteuid() != 0:
            pytest.skip("only root can give files away")
        for folder, folders, names in os.walk(bare):
            for name in [*folders, *names, "."]:
                os.chown(os.path.join(folder, name), 12345, 12345)
        with pytest.raises(EngineFailed, match="dubious ownership"):
            registry.merge(str(bare))

    def test_objects_that_it_lacks_are_named_and_the_rest_is_taken(self, registry, bare, git):
        config = CONFIGS[0].config_hash
        path = layout.object_path(config)
        blob = git("rev-parse", f"HEAD:.gemexp/{path}", cwd=bare).strip()
        os.unlink(bare / "objects" / blob[:2] / blob[2:])
        merge = registry.merge(str(bare))
        assert [one.path for one in merge.files.bad] == [path]
        assert registry.get(CONFIGS[2].config_hash) is not None


class TestPartialClones:
    @pytest.fixture
    def partial(self, theirs, repository, git, tmp_path, monkeypatch):  # noqa: ARG002 - theirs is what is cloned
        git("config", "uploadpack.allowFilter", "true")
        git("config", "uploadpack.allowAnySHA1InWant", "true")
        git("clone", "-q", "--filter=blob:none", f"file://{repository}", tmp_path / "partial")
        monkeypatch.chdir(tmp_path / "partial")
        return ExperimentRegistry(tmp_path / "partial/.gemexp")

    def test_what_is_missing_is_fetched_at_once(self, partial, theirs, tmp_path, monkeypatch):
        monkeypatch.setenv("GIT_TRACE2_EVENT", str(tmp_path / "trace"))
        partial.merge("origin/theirs")
        monkeypatch.delenv("GIT_TRACE2_EVENT")
        assert answers(partial.root) == theirs[1]
        commands = [line for line in (tmp_path / "trace").read_text().splitlines() if '"cmd_name"' in line]
        assert len([line for line in commands if '"name":"fetch"' in line]) == 1

    def test_what_cannot_be_fetched_is_told_and_merging_later_takes_it(self, partial, theirs, repository):
        away = repository.with_name("away")
        os.rename(repository, away)
        with pytest.raises(EngineFailed) as raised:
            partial.merge("origin/theirs")
        assert "partial" in raised.value.hint
        os.rename(away, repository)
        partial.merge("origin/theirs")
        assert answers(partial.root) == theirs[1]

    def test_a_shallow_clone_of_a_branch_is_merged(self, registry, theirs, repository, git, tmp_path):
        git("clone", "-q", "--bare", "--depth=1", "-b", "theirs", f"file://{repository}", tmp_path / "shallow")
        registry.merge(str(tmp_path / "shallow"))
        assert answers(registry.root) == theirs[1]


class TestHostileRepositories:
    @pytest.fixture
    def trap(self, tmp_path):
        """A program that leaves a file behind; whether it is there tells whether it was run."""
        program = tmp_path / "trap"
        program.write_text(f"#!/bin/sh\ntouch '{tmp_path / 'run'}'\nexit 1\n")
        program.chmod(0o755)
        yield program
        assert not (tmp_path / "run").exists()

    @pytest.mark.parametrize("transport", ["file", "ext", "ssh", "vcs"])
    @pytest.mark.parametrize("lacks", ["blob:none", "tree:0"])
    def test_settings_of_a_bare_repository_run_nothing(
        self, registry, theirs, repository, git, tmp_path, trap, transport, lacks
    ):
        assert theirs
        git("config", "uploadpack.allowFilter", "true")
        git("clone", "-q", "--bare", "-b", "theirs", f"--filter={lacks}", f"file://{repository}", tmp_path / "bare")
        urls = {"file": f"file://{repository}", "ext": f"ext::{trap}", "ssh": "ssh://host/x", "vcs": "x"}
        settings_of_it = {
            "remote.origin.url": urls[transport],
            "remote.origin.uploadpack": str(trap),
            "core.sshCommand": str(trap),
            "core.fsmonitor": str(trap),
            "core.pager": str(trap),
            "core.editor": str(trap),
            "core.askPass": str(trap),
            "core.alternateRefsCommand": str(trap),
            "credential.helper": f"!{trap}",
            "diff.external": str(trap),
            "gpg.program": str(trap),
            "log.showSignature": "true",
            "protocol.allow": "always",
            "protocol.ext.allow": "always",
            "alias.cat-file": f"!{trap}",
            "alias.rev-parse": f"!{trap}",
            "alias.ls-tree": f"!{trap}",
            "filter.x.smudge": str(trap),
            "diff.x.textconv": str(trap),
            "core.hooksPath": str(tmp_path),
            **({"remote.origin.vcs": "ext"} if transport == "vcs" else {}),
        }
        for name, value in settings_of_it.items():
            git("config", name, value, cwd=tmp_path / "bare")
        with open(tmp_path / "bare/info/attributes", "w") as file:
            file.write("* filter=x diff=x\n")
        for hook in ("post-checkout", "reference-transaction", "post-index-change"):
            shutil.copy(trap, tmp_path / hook)
        with pytest.raises((StoreUnreadable, EngineFailed)):
            registry.merge(str(tmp_path / "bare"))
        assert contents(registry.root).keys() == {".gitattributes", ".gitignore", "format"}

    def commit(self, git, bare, entries, gemexp=b""):
        """Commit a tree that git would not make: (mode, name, hash of the content) in .gemexp."""
        raw = b"".join(mode + b" " + name + b"\0" + bytes.fromhex(blob) for mode, name, blob in entries)
        inner = git("hash-object", "-w", "-t", "tree", "--literally", "--stdin", cwd=bare, stdin=raw + gemexp).strip()
        top = b"40000 .gemexp\0" + bytes.fromhex(inner)
        tree = git("hash-object", "-w", "-t", "tree", "--literally", "--stdin", cwd=bare, stdin=top).strip()
        commit = git("commit-tree", "-m", "hostile", tree, cwd=bare).strip()
        git("update-ref", "HEAD", commit, cwd=bare)

    @pytest.fixture
    def bare(self, git, tmp_path):
        git("init", "-q", "--bare", "-b", "main", tmp_path / "bare")
        return tmp_path / "bare"

    def blob(self, git, bare, data):
        return git("hash-object", "-w", "--stdin", cwd=bare, stdin=data).strip()

    def test_names_that_lead_outside_are_left_behind(self, registry, git, bare, tmp_path):
        content = self.blob(git, bare, b"outside")
        form = self.blob(git, bare, layout.FORMAT)
        names = [b"..", b"../outside", b"a/../../outside", b"/etc/x", b".git", b"objects/../../outside", b"\xff\n"]
        entries = [(b"100644", name, content) for name in names] + [(b"100644", b"format", form)]
        self.commit(git, bare, entries)
        before = set(os.listdir(tmp_path))
        merge = registry.merge(str(bare))
        assert merge.files.files == 0
        assert len(merge.files.unknown) == len(names)
        assert set(os.listdir(tmp_path)) == before
        assert contents(registry.root).keys() == {".gitattributes", ".gitignore", "format"}

    @pytest.mark.parametrize("mode", [b"120000", b"160000", b"100644"])
    def test_links_submodules_and_files_in_the_place_of_folders_are_bad(self, registry, git, bare, mode):
        form, target = self.blob(git, bare, layout.FORMAT), self.blob(git, bare, b"/etc")
        self.commit(git, bare, [(b"100644", b"format", form), (mode, b"objects", target), (mode, b"refs", target)])
        merge = registry.merge(str(bare))
        assert {one.path for one in merge.files.bad} == {"objects", "refs"}

    @pytest.mark.parametrize("mode", [b"120000", b"160000", b"40000"])
    def test_links_submodules_and_folders_in_the_place_of_files_are_bad(self, registry, git, bare, mode):
        form, target = self.blob(git, bare, layout.FORMAT), self.blob(git, bare, b"/etc/passwd")
        name = "ab" * 32
        one = mode + b" " + name.encode() + b"\0" + bytes.fromhex(target)
        fan_out = git("hash-object", "-w", "-t", "tree", "--literally", "--stdin", cwd=bare, stdin=one).strip()
        top = b"40000 ab\0" + bytes.fromhex(fan_out)
        objects = git("hash-object", "-w", "-t", "tree", "--literally", "--stdin", cwd=bare, stdin=top).strip()
        self.commit(git, bare, [(b"100644", b"format", form), (b"40000", b"objects", objects)])
        merge = registry.merge(str(bare))
        assert [one.path for one in merge.files.bad] == [layout.object_path(name)]

    def test_a_tree_that_is_no_tree_is_no_store(self, registry, git, bare):
        top = b"40000 .gemexp\0" + bytes.fromhex(self.blob(git, bare, b"no tree"))
        tree = git("hash-object", "-w", "-t", "tree", "--literally", "--stdin", cwd=bare, stdin=top).strip()
        git("update-ref", "HEAD", git("commit-tree", "-m", "x", tree, cwd=bare).strip(), cwd=bare)
        with pytest.raises(StoreUnreadable):
            registry.merge(str(bare))

    @pytest.mark.parametrize("form", [b"gemexp 2 sha256\n", b"gemexp 1 blake3\n"])
    def test_a_newer_format_is_refused_and_nothing_taken(self, registry, git, bare, form):
        self.commit(git, bare, [(b"100644", b"format", self.blob(git, bare, form))])
        before = contents(registry.root)
        with pytest.raises(UnsupportedFormat):
            registry.merge(str(bare))
        assert contents(registry.root) == before

    def test_a_damaged_format_file_is_refused(self, registry, git, bare):
        self.commit(git, bare, [(b"100644", b"format", self.blob(git, bare, b"<<<<<<< HEAD\n"))])
        with pytest.raises(Corrupt):
            registry.merge(str(bare))


def test_a_store_with_packs_in_git_is_merged_as_a_loose_one(ours, theirs, repository, git, registry):
    git("checkout", "-q", "theirs")
    ours.pack(everything=True)
    git("add", "-A")
    git("commit", "-q", "-m", "packed")
    git("clone", "-q", "--bare", "--branch", "theirs", repository, repository.parent / "bare")
    git("checkout", "-q", "main")
    merge = registry.merge(str(repository.parent / "bare"))
    assert (merge.files.bad, merge.files.unknown) == ((), ())
    assert answers(registry.root) == theirs[1]
    assert os.listdir(f"{registry.root}/local/tmp") == []
    assert len(ours) == 0
    ours.merge("theirs")
    assert answers(ours.root) == theirs[1]


def test_git_that_ends_is_started_again_for_the_next_object(repository):
    reader = BlobReader(Repository(str(repository))._cat_file)
    blob = Repository(str(repository)).ask("rev-parse", "HEAD:.gemexp/format").decode().strip()
    assert reader.read(blob, 100) == layout.FORMAT
    reader._process.kill()
    reader._process.wait()
    assert reader.read(blob, 100) is None
    assert reader.read(blob, 100) == layout.FORMAT
    assert reader.read(blob, 100, kind="tree") is None
    with pytest.raises(Corrupt, match="larger than 3 bytes"):
        reader.read(blob, 3)
    assert reader.read(blob, 100) == layout.FORMAT
    reader.close()


def test_a_folder_in_a_commit_is_read_once_and_only_if_it_is_asked_for(repository, theirs, monkeypatch):  # noqa: ARG001
    reads = []
    read = BlobReader.read
    monkeypatch.setattr(BlobReader, "read", lambda *args, **options: reads.append(args[1]) or read(*args, **options))
    own = Repository(str(repository))
    with commit_tree(own, own.commit("theirs"), ".gemexp") as tree:
        for _ in range(3):
            assert tree.exists(layout.object_path(CONFIGS[0].config_hash))
            assert not tree.exists("objects/zz/x")
            assert tree.names_with_prefix("refs/tags/best", CONFIGS[0].config_hash[:4]) == [CONFIGS[0].config_hash]
    assert len(reads) == len(set(reads)) == 6, "the store, objects and one folder in it, refs, tags and one tag"
