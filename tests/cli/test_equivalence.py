"""``gemexp alias`` and ``gemexp migrate``."""

import shutil

import pytest
from seed_format import old_row, write_registry
from surroundings import contents, merge, snapshot

from gemexp import ExperimentConfig, ExperimentRegistry
from gemexp.store import check
from gemexp.store.files import Folder

MD5 = "d41d8cd98f00b204e9800998ecf8427e"


@pytest.fixture
def one(add):
    return add({"a": 1}, "-d", "first", "-t", "best")


class TestAlias:
    def test_an_old_hash_means_a_config_wherever_a_revision_is_taken(self, gemexp, one):
        assert gemexp("alias", MD5.upper(), "best").out == f"{MD5} -> {one[:12]}  first\n"
        for rev in (MD5, MD5[:7], MD5.upper(), f"hash:{MD5}"):
            assert gemexp("show", f"{rev}:config_hash").out.strip() == one
        gemexp("tag", MD5[:4], "x")
        assert gemexp("show", one, "--json").json["tags"] == ["best", "x"]

    def test_all_are_listed_those_of_an_import_too(self, gemexp, one, project):
        assert gemexp("alias").out == ""
        write_registry(project / "old.sqlite", [old_row("1" * 64)])
        gemexp("import", "--sqlite", "old.sqlite")
        gemexp("alias", MD5, one)
        found = gemexp("alias", "--json").json
        assert [(alias["alias"], alias["description"]) for alias in found] == [("1" * 64, "k is 10"), (MD5, "first")]
        assert gemexp("alias", "d41d").out == f"{MD5} -> {one[:12]}  first\n"
        gemexp("alias", "d42d", code=3)

    def test_doing_it_again_writes_nothing(self, gemexp, one, store):
        assert gemexp("alias", MD5, one, "--json").json == {"alias": MD5, "config_hash": one, "changed": True}
        before = snapshot(store().root)
        assert gemexp("alias", MD5, one, "--json").json["changed"] is False
        gemexp("alias", MD5, one, "--force")
        assert snapshot(store().root) == before

    @pytest.mark.parametrize("old", ["abc", "xyz1", "g" * 32, "1" * 65, "tag:dead", " dead"])
    def test_what_is_no_hash_is_refused(self, gemexp, one, old):
        assert "cannot be an alias" in gemexp("alias", old, one, code=1).err

    def test_a_hash_of_a_config_here_is_refused(self, gemexp, one, add, store):
        other = add({"b": 1})
        gemexp("delete", other, "-f")
        before = snapshot(store().root)
        for old in (one, one[:8], other[:4]):
            assert gemexp("alias", old, "best", "--json", code=4).error["kind"] == "conflict"
        assert snapshot(store().root) == before

    def test_another_meaning_needs_force(self, gemexp, one, add):
        other = add({"b": 1})
        gemexp("alias", MD5, one)
        assert one[:12] in gemexp("alias", MD5, other, code=4).err
        assert "write more" in gemexp("alias", MD5[:5], other, code=4).err
        gemexp("alias", MD5[:5], one)
        gemexp("alias", MD5, other, "--force", code=0)
        assert gemexp("show", f"{MD5}:config_hash").out.strip() == other
        gemexp("undo")
        assert gemexp("show", f"{MD5}:config_hash").out.strip() == one

    def test_it_is_taken_back(self, gemexp, one, store):
        gemexp("alias", MD5, one)
        assert gemexp("alias", "-d", MD5).out == f"{MD5} means nothing any more\n"
        gemexp("show", MD5, code=3)
        gemexp("alias", "-d", MD5, code=3)
        assert gemexp("alias", "--json").json == []
        assert check.check(Folder(store().root)).problems == []
        gemexp("alias", MD5, one)
        gemexp("show", MD5)

    def test_two_meanings_after_a_merge_are_ambiguous_and_force_settles_them(self, gemexp, one, add, store, project):
        other = add({"b": 1})
        shutil.copytree(store().root, project / "clone")
        ExperimentRegistry(project / "clone").alias(MD5, other)
        gemexp("alias", MD5, one)
        merge(project / "clone", store().root)
        assert set(gemexp("show", MD5, "--json", code=3).error["candidates"]) == {one, other}
        assert len(gemexp("alias").out.splitlines()) == 2
        gemexp("alias", MD5, other, code=4)
        gemexp("alias", MD5, other, "-f")
        assert gemexp("show", f"{MD5}:config_hash").out.strip() == other

    def test_what_makes_no_sense_is_a_usage_error(self, gemexp, one):
        for arguments in (["-d"], ["-d", MD5, one], ["-f", MD5], ["-f"], [MD5, one, "more"]):
            gemexp("alias", *arguments, code=2)
        gemexp("alias", MD5, "nosuch", code=3)


DEFAULT = ["--default", "hyperparameters.seed=0"]


class TestMigrate:
    def test_it_shows_asks_and_migrates(self, gemexp, one):
        new = ExperimentConfig([], {}, {"a": 1, "seed": 0}).config_hash
        result = gemexp("migrate", *DEFAULT, stdin="y\n")
        assert result.err.splitlines() == [
            f"{one[:12]} -> {new[:12]}  first",
            "  + hyperparameters.seed = 0",
            "1 would change, 0 unchanged, 0 refused",
            "migrate this config? [y/N] ",
        ]
        assert result.out.splitlines() == [f"{one[:12]} -> {new[:12]}  first", "1 changed, 0 unchanged, 0 refused"]
        assert f"\nmigrated to {new[:12]}\n" in gemexp("show", one).out
        assert f"\nmigrated from {one[:12]}\n" in gemexp("show", new).out
        assert "\nfrom " not in gemexp("show", new).out

    @pytest.mark.parametrize("answer", ["n\n", "", "\n", "yo\n"])
    @pytest.mark.usefixtures("one")
    def test_without_a_yes_nothing_is_migrated(self, gemexp, store, answer):
        before = snapshot(store().root)
        assert "nothing was migrated" in gemexp("migrate", *DEFAULT, stdin=answer, code=1).err
        assert snapshot(store().root) == before
        assert gemexp("migrate", *DEFAULT, "--json", code=2).error["kind"] == "usage"

    def test_a_dry_run_shows_and_writes_nothing(self, gemexp, one, store):
        before = snapshot(store().root)
        assert gemexp("migrate", *DEFAULT, "--dry-run").out.splitlines()[1:] == [
            "  + hyperparameters.seed = 0",
            "1 would change, 0 unchanged, 0 refused",
        ]
        value = gemexp("migrate", *DEFAULT, "--dry-run", "--json").json
        assert (value["dry_run"], value["unchanged"], value["refused"], value["names"]) == (True, 0, [], {})
        assert [(change["old"], change["description"]) for change in value["changed"]] == [(one, "first")]
        assert value["changed"][0]["differences"][0]["path"] == "hyperparameters.seed"
        assert snapshot(store().root) == before

    def test_steps_of_all_kinds_are_done_in_the_order_given(self, gemexp, one):
        steps = [
            "--rename=hyperparameters.a=hyperparameters.b",
            "--default=hyperparameters.a=2",
            "--drop=hyperparameters.b",
            "--default=hyperparameters.b=3",
            "--rename=hyperparameters.a=hyperparameters.c",
        ]
        gemexp("migrate", *steps, "-f", one)
        (config,) = gemexp("list", "--json").json
        assert config["hyperparameters"] == {"b": 3, "c": 2}

    @pytest.mark.usefixtures("one")
    def test_configs_are_chosen_by_revision_or_tag(self, gemexp, add):
        other = add({"a": 2})
        gemexp("migrate", *DEFAULT, "-f", "--tag", "best")
        assert [len(config["hyperparameters"]) for config in gemexp("list", "--json").json] == [1, 2]
        gemexp("migrate", *DEFAULT, "-f", other[:8], other)
        assert [len(config["hyperparameters"]) for config in gemexp("list", "--json").json] == [2, 2]
        gemexp("migrate", *DEFAULT, "-f", "--tag", "best", other, code=2)
        gemexp("migrate", *DEFAULT, "nosuch", "-f", code=3)

    @pytest.mark.usefixtures("one")
    def test_what_cannot_be_migrated_is_said_and_the_rest_is(self, gemexp, add):
        bad = add({"a": 2, "b": 3})
        result = gemexp("migrate", "--rename", "hyperparameters.a=hyperparameters.b", "-f", code=1)
        assert f"{bad[:12]} stays: 'hyperparameters.b' is there already" in result.out
        assert result.out.endswith("1 changed, 0 unchanged, 1 refused\n")
        again = gemexp("migrate", "--rename", "hyperparameters.a=hyperparameters.b", code=1)
        assert (again.err, again.out.splitlines()[-1]) == ("", "0 changed, 1 unchanged, 1 refused")
        assert gemexp("migrate", "--drop", "hyperparameters.x").out == "0 changed, 2 unchanged, 0 refused\n"

    @pytest.mark.parametrize(
        ("arguments", "code"),
        [
            ([], 2),
            (["--drop", "hyperparameters"], 1),
            (["--drop", "x.y"], 1),
            (["--drop", "a..b"], 1),
            (["--default", "hyperparameters.a"], 1),
            (["--default", "hyperparameters.a={"], 1),
            (["--rename", "hyperparameters.a"], 1),
            (["--rename", "=hyperparameters.a"], 1),
            (["--drop"], 2),
        ],
    )
    @pytest.mark.usefixtures("one")
    def test_a_bad_step_is_refused_with_a_hint(self, gemexp, store, arguments, code):
        before = snapshot(store().root)
        assert "hint: " in gemexp("migrate", "-f", *arguments, code=code).err
        assert snapshot(store().root) == before

    def test_a_name_stays_where_it_points_and_is_told(self, gemexp, one):
        gemexp("name", "production", one)
        new = ExperimentConfig([], {}, {"a": 1, "seed": 0}).config_hash
        line = f"'production' goes on pointing to {one[:12]}: gemexp name production {new[:12]} moves it"
        assert line in gemexp("migrate", *DEFAULT, "-f").out.splitlines()
        assert gemexp("show", "production:config_hash").out.strip() == one

    def test_a_long_plan_is_cut_short_before_asking(self, gemexp, store):
        store().add_many([ExperimentConfig([], {}, {"n": number}) for number in range(30)])
        result = gemexp("migrate", *DEFAULT, stdin="y\n")
        assert result.err.count(" -> ") == 20
        assert "and 10 more, which --dry-run shows" in result.err
        assert gemexp("migrate", "--drop", "hyperparameters.seed", "--dry-run").out.count(" -> ") == 30


class TestWhatIsTakenOver:
    @pytest.fixture
    def new(self, gemexp, one):
        gemexp("record", one, "-m", "loss=0.5", "--data", "panel")
        gemexp("migrate", *DEFAULT, "-f")
        return ExperimentConfig([], {}, {"a": 1, "seed": 0}).config_hash

    def test_tags_are_there_without_being_copied(self, gemexp, new, store):
        assert [(config["config_hash"], config["tags"]) for config in gemexp("list", "--json").json] == [
            (new, ["best"])
        ]
        assert [config["config_hash"] for config in gemexp("search", "best", "--json").json] == [new]
        assert gemexp("tag", "--json").json == {"best": 1}
        assert gemexp("show", "best:config_hash").out.strip() == new
        assert [path for path in contents(store().root) if path.startswith("refs/tags/") and new in path] == []

    def test_runs_are_there_and_count_as_its_own(self, gemexp, new, one):
        assert [run["metrics"] for run in gemexp("runs", new, "--json").json] == [{"loss": 0.5}]
        (best,) = gemexp("best", "--metric", "loss", "--json").json
        assert (best["config_hash"], best["value"]) == (new, 0.5)
        assert "loss=0.5" in gemexp("show", new).out
        gemexp("record", new, "-m", "loss=0.4", "--data", "panel")
        assert len(gemexp("runs", new, "--json").json) == 2
        assert len(gemexp("runs", one, "--json").json) == 1
        for command in (["list"], ["show", new], ["best", "--metric", "loss"], ["runs"]):
            assert "not reproducible" not in gemexp(*command).out  # two configs, an outcome each
        found = gemexp("compare", one, new, "--json").json["metrics"]
        assert (found["config1"], found["config2"]) == ({"loss": 0.5}, {"loss": 0.4})

    def test_different_outcomes_of_the_old_one_are_told_of_the_new(self, gemexp, new, one):
        gemexp("record", one, "-m", "loss=0.6", "--data", "panel")
        assert "not reproducible" in gemexp("list").out
        assert "not reproducible" in gemexp("show", new).out

    def test_what_is_tagged_later_under_the_old_hash_shows_and_can_be_removed(self, gemexp, new, one, store, project):
        clone = project / "clone"
        shutil.copytree(store().root, clone, ignore=shutil.ignore_patterns("migrated"))
        other = ExperimentRegistry(clone)
        other.tag(one, ["late"])
        merge(clone, store().root)
        assert gemexp("tag", "--json").json == {"best": 1, "late": 1}
        assert gemexp("show", "late:config_hash").out.strip() == new
        gemexp("tag", "-d", new, "late")
        gemexp("tag", "-d", new, "best")
        assert gemexp("tag", "--json").json == {}
        assert gemexp("show", one, "--json").json["tags"] == ["best", "late"]
        gemexp("undo")
        assert gemexp("tag", new).out == "best\n"

    def test_old_hashes_stay_valid(self, gemexp, new, one, store):
        assert gemexp("show", f"{one[:8]}:hyperparameters", "--json").json == {"a": 1}
        assert gemexp("diff", one, new).out.startswith("+ hyperparameters.seed = 0\n")
        assert "migrated from" in gemexp("log").out
        assert f"migrated to {new[:12]}" in gemexp("log", one).out
        gemexp("alias", MD5, one)
        assert gemexp("show", f"{MD5}:config_hash").out.strip() == one
        assert check.check(Folder(store().root)).problems == []

    @pytest.mark.usefixtures("one")
    def test_two_people_who_migrate_the_same_agree(self, gemexp, new, store, project):
        clone = project / "clone"
        shutil.copytree(store().root, clone, ignore=shutil.ignore_patterns("migrated"))
        gemexp("--store", clone, "migrate", *DEFAULT, "-f")
        merge(clone, store().root)
        assert [config["config_hash"] for config in gemexp("list", "--json").json] == [new]
        assert gemexp("tag", "--json").json == {"best": 1}
        assert check.check(Folder(store().root)).problems == []
