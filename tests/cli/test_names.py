"""``gemexp name``, and what other commands say of names."""

import json
import shutil

import pytest
from surroundings import merge, snapshot
from written_moves import write_move


@pytest.fixture(autouse=True)
def _ann(monkeypatch, tmp_path):
    settings = tmp_path / "gitconfig"
    settings.write_text("[user]\n\tname = Ann\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))


@pytest.fixture
def three(add):
    return [add({"k": number}, "-d", text) for number, text in enumerate(["first", "second", "third"])]


@pytest.fixture
def moved(store, three):
    """A name that was moved in January and in March, by Ann and Bob."""
    one = write_move(store().root, "production", three[0], "2024-01-10T12:00:00Z", by="Ann")
    two = write_move(store().root, "production", three[1], "2024-03-10T12:00:00Z", by="Bob", supersedes=[one])
    return one, two


@pytest.fixture
def rivals(store, three, moved):
    """Another side moved it too, in February, and both were brought together."""
    return write_move(store().root, "production", three[2], "2024-02-10T12:00:00Z", supersedes=[moved[0]])


def test_a_name_is_moved_and_stands_where_a_revision_does(gemexp, three):
    one, two, _ = three
    assert gemexp("name", "production", one[:8]).out == f"production  (nowhere) -> {one[:12]}  first\n"
    assert gemexp("name", "production", two).out == f"production  {one[:12]} -> {two[:12]}  second\n"
    assert gemexp("name", "production", two).out == f"production  {two[:12]}  second\n"
    assert gemexp("name", "production", "-q").out == f"{two}\n"
    assert gemexp("name", "candidate", "production", "-q").out == f"{two}\n"
    assert gemexp("show", "production:hyperparameters.k").out == "1\n"
    assert gemexp("show", "name:production:config_hash").out == f"{two}\n"
    assert gemexp("diff", "production", one[:8]).out.startswith("~ hyperparameters.k")


def test_in_json_a_move_says_what_it_changed(gemexp, three):
    one, two, _ = three
    expected = {"name": "production", "config_hash": one, "previous": [], "changed": True}
    assert gemexp("name", "production", one, "--json").json == expected
    expected |= {"previous": [one], "changed": False}
    assert gemexp("name", "production", one, "--json").json == expected
    expected |= {"config_hash": two, "changed": True}
    assert gemexp("name", "production", two, "--json").json == expected
    found = gemexp("name", "--rollback", "production", "--json").json
    assert found == {"name": "production", "config_hash": one, "previous": [two], "changed": True}
    found = gemexp("name", "-d", "production", "--json").json
    assert found == {"name": "production", "config_hash": None, "previous": [one], "changed": True}


def test_all_names_are_listed(gemexp, three, moved, store):  # noqa: ARG001
    write_move(store().root, "x", three[2], "2024-02-01")
    gone = write_move(store().root, "gone", three[2], "2024-02-01")
    write_move(store().root, "gone", None, "2024-02-02", supersedes=[gone])
    assert gemexp("name").out.splitlines() == [
        f"production  {three[1][:12]}  2024-03-10  second",
        f"x           {three[2][:12]}  2024-02-01  third",
    ]
    found = gemexp("name", "--json").json
    assert [(one["name"], one["config_hash"], one["description"]) for one in found] == [
        ("production", three[1], "second"),
        ("x", three[2], "third"),
    ]
    assert (found[0]["by"], found[0]["created_at"], found[0]["rivals"]) == ("Bob", "2024-03-10T12:00:00Z", [])


def test_without_names_nothing_is_listed(gemexp, three):  # noqa: ARG001
    assert gemexp("name").out == ""
    assert gemexp("name", "--json").json == []


def test_a_name_shows_where_it_points_since_when_and_by_whom(gemexp, three, moved):  # noqa: ARG001
    assert gemexp("name", "production").out == f"{three[1][:12]}  2024-03-10 12:00:00  Bob  second\n"
    found = gemexp("name", "production", "--json").json
    assert found == {
        "name": "production",
        "config_hash": three[1],
        "description": "second",
        "created_at": "2024-03-10T12:00:00Z",
        "by": "Bob",
        "state": None,
        "rivals": [],
    }


def test_a_name_is_what_it_was(gemexp, three, moved):  # noqa: ARG001
    for when, number in [("2024-02-01", 0), ("2024-03-10T11:00:00Z", 0), ("2024-03-10", 1), ("2030-01-01", 1)]:
        assert gemexp("name", "production", "--at", when, "-q").out == f"{three[number]}\n"
    assert gemexp("name", "production", "--at", "2024-02-01").out.endswith("Ann  first\n")
    assert gemexp("name", "production", "--at", "2024-02-01", "--json").json["config_hash"] == three[0]
    assert "pointed nowhere" in gemexp("name", "production", "--at", "2024-01-09", code=3).err
    assert "is not a time" in gemexp("name", "production", "--at", "last month", code=1).err


def test_the_history_tells_each_move_newest_first(gemexp, three, moved):  # noqa: ARG001
    one, two, _ = (config[:12] for config in three)
    gemexp("name", "--rollback", "production")
    gemexp("name", "-d", "production")
    lines = gemexp("name", "--history", "production").out.splitlines()
    assert lines[0].endswith(f"  Ann  {one} first -> (nowhere)")
    assert lines[1].endswith(f"  Ann  {two} second -> {one} first  (rollback)")
    assert lines[2:] == [
        f"2024-03-10 12:00:00  Bob  {one} first -> {two} second",
        f"2024-01-10 12:00:00  Ann  (nowhere) -> {one} first",
    ]


def test_the_history_in_json(gemexp, three, moved):
    found = gemexp("name", "--history", "production", "--json").json
    assert found[0] == {
        "name": "production",
        "move": moved[1],
        "config_hash": three[1],
        "description": "second",
        "previous": [three[0]],
        "created_at": "2024-03-10T12:00:00Z",
        "by": "Bob",
        "state": None,
        "rollback": False,
        "rival": False,
    }
    assert (found[1]["move"], found[1]["previous"]) == (moved[0], [])
    gemexp("name", "--rollback", "production")
    assert [one["rollback"] for one in gemexp("name", "--history", "production", "--json").json] == [True, False, False]


def test_going_back_goes_back_until_the_beginning(gemexp, three, moved, store):  # noqa: ARG001
    assert gemexp("name", "--rollback", "production").out.endswith(f"-> {three[0][:12]}  first\n")
    before = snapshot(store().root)
    assert "hint: " in gemexp("name", "--rollback", "production", code=3).err
    assert snapshot(store().root) == before


def test_going_back_to_a_deleted_config_is_refused_with_the_remedy(gemexp, three, moved):  # noqa: ARG001
    gemexp("delete", three[0], "-f")
    assert f"gemexp restore {three[0][:12]}" in gemexp("name", "--rollback", "production", code=3).err
    gemexp("restore", three[0])
    gemexp("name", "--rollback", "production")


def test_a_name_that_was_taken_away_is_gone_and_can_be_brought_back(gemexp, three, moved):  # noqa: ARG001
    assert gemexp("name", "-d", "production").out == f"production  {three[1][:12]} -> (nowhere)\n"
    assert "--history" in gemexp("name", "production", code=3).err
    gemexp("name", "production", "-q", code=3)
    gemexp("name", "-d", "production", code=3)
    gemexp("show", "production", code=3)
    gemexp("name", "--rollback", "production")
    assert gemexp("name", "production", "-q").out == f"{three[1]}\n"


@pytest.mark.parametrize("action", [[], ["--history"], ["--rollback"], ["--resolve"], ["-d"], ["--at", "2024-01-01"]])
def test_a_name_that_never_was_is_not_found(gemexp, three, store, action):  # noqa: ARG001
    before = snapshot(store().root)
    assert gemexp("name", "none", *action, "--json", code=3).error["subject"] == "none"
    assert snapshot(store().root) == before


@pytest.mark.parametrize(
    "arguments",
    [
        ["-d"],
        ["--history"],
        ["--rollback"],
        ["--resolve"],
        ["--at", "2024-01-01"],
        ["-q"],
        ["production", "-d", "REV"],
        ["production", "--history", "REV"],
        ["production", "--rollback", "REV"],
        ["production", "--at", "2024-01-01", "REV"],
        ["production", "-d", "--rollback"],
        ["production", "--history", "--at", "2024-01-01"],
        ["production", "-q", "--json"],
        ["production", "-q", "-d"],
        ["production", "-q", "--history"],
        ["production", "REV", "more"],
    ],
)
def test_what_makes_no_sense_is_a_usage_error_and_writes_nothing(gemexp, three, moved, store, arguments):  # noqa: ARG001
    before = snapshot(store().root)
    gemexp("name", *[three[2] if one == "REV" else one for one in arguments], code=2)
    assert snapshot(store().root) == before


@pytest.mark.parametrize("name", ["beef", "2024", "a:b", "x..y", " x", ""])
def test_a_name_that_would_be_read_as_something_else_is_refused(gemexp, three, store, name):
    before = snapshot(store().root)
    assert "hint: " in gemexp("name", name, three[0], code=1).err
    assert snapshot(store().root) == before


def test_a_revision_that_is_not_there_moves_nothing(gemexp, three, moved, store):  # noqa: ARG001
    before = snapshot(store().root)
    for rev in ("none", "abcdef", ""):
        gemexp("name", "production", rev, code=3)
    assert snapshot(store().root) == before


class TestRivals:
    def test_a_name_shows_its_rivals(self, gemexp, three, rivals):  # noqa: ARG002
        assert gemexp("name", "production").out.splitlines() == [
            f"{three[1][:12]}  2024-03-10 12:00:00  Bob  second",
            f"{three[2][:12]}  2024-02-10 12:00:00  (unknown)  third  ! rival",
        ]
        assert gemexp("name").out == f"production  {three[1][:12]}  2024-03-10  second  ! a merge left rivals\n"
        (found,) = gemexp("name", "--json").json
        assert found == gemexp("name", "production", "--json").json
        assert [(one["config_hash"], one["by"]) for one in found["rivals"]] == [(three[2], None)]
        assert gemexp("name", "production", "-q").out == f"{three[1]}\n"
        assert "note: 'refs/names/production'" in gemexp("fsck").out

    def test_the_history_marks_them_and_what_settled_them(self, gemexp, three, rivals):  # noqa: ARG002
        lines = gemexp("name", "--history", "production").out.splitlines()
        assert [line.endswith("  ! rival") for line in lines] == [True, True, False]
        assert [one["rival"] for one in gemexp("name", "--history", "production", "--json").json] == [True, True, False]
        gemexp("name", "--resolve", "production")
        lines = gemexp("name", "--history", "production").out.splitlines()
        both = f"{three[1][:12]} second | {three[2][:12]} third -> {three[1][:12]} second"
        assert lines[0].endswith(f"{both}  (after a merge)")
        assert not any("rival" in line for line in lines)

    @pytest.mark.parametrize(("rev", "number"), [([], 1), ([0], 0), ([1], 1), ([2], 2)])
    def test_settling_leaves_one(self, gemexp, three, rivals, rev, number):  # noqa: ARG002
        found = gemexp("name", "--resolve", "production", *(three[one] for one in rev), "--json").json
        assert (found["config_hash"], found["previous"], found["changed"]) == (three[number], three[1:], True)
        assert gemexp("name", "production", "--json").json["rivals"] == []
        assert gemexp("show", "production:config_hash").err == ""
        before = gemexp("name", "--resolve", "production", "--json").json
        assert before["changed"] is False

    def test_a_revision_warns_on_standard_error_and_leaves_json_clean(self, gemexp, three, rivals):  # noqa: ARG002
        for command in (["show", "production"], ["show", "production", "--json"], ["runs", "production", "--json"]):
            result = gemexp(*command)
            assert result.err.count("\n") == 1
            if "--json" in command:
                assert result.json is not None
                assert result.told[0]["warning"]["message"].startswith("'production'")
            else:
                assert result.err.startswith("warning: 'production'")
        assert gemexp("show", "production", "--json").json["config_hash"] == three[1]

    def test_a_name_that_one_side_took_away_is_shown_until_it_is_settled(self, gemexp, store, three, moved):
        write_move(store().root, "production", None, "2024-04-10", supersedes=[moved[0]])
        assert gemexp("name").out == "production  (nowhere)  2024-04-10  ! a merge left rivals\n"
        assert gemexp("name", "production").out.splitlines()[0].startswith("(nowhere)")
        gemexp("name", "production", "-q", code=3)
        gemexp("show", "production", code=3)
        out = gemexp("name", "--resolve", "production", three[1]).out
        assert out == f"production  (nowhere) | {three[1][:12]} -> {three[1][:12]}  second\n"

    def test_two_copies_that_moved_it_apart_agree_once_united(self, gemexp, store, three, project):
        gemexp("name", "production", three[0])
        shutil.copytree(store().root, project / "copy")
        gemexp("name", "production", three[1])
        gemexp("--store", "copy", "name", "production", three[2])
        merge(project / "copy", store().root)
        merge(store().root, project / "copy")
        shown = [gemexp(*where, "name", "production", "--json").json for where in ([], ["--store", "copy"])]
        assert shown[0] == shown[1]
        assert shown[0]["config_hash"] == three[2]
        assert [one["config_hash"] for one in shown[0]["rivals"]] == [three[1]]


class TestElsewhere:
    def test_show_says_which_names_point_to_a_config(self, gemexp, three, moved):  # noqa: ARG002
        gemexp("name", "candidate", three[1])
        assert "names   candidate, production\n" in gemexp("show", three[1]).out
        assert "names  " not in gemexp("show", three[0]).out
        assert len(gemexp("show", three[1], "--json").json) == 8

    def test_delete_asks_with_the_names(self, gemexp, three, moved):  # noqa: ARG002
        assert "name" not in gemexp("delete", three[0], stdin="n\n", code=1).err
        result = gemexp("delete", "production", stdin="y\n")
        assert "the name 'production' points to it" in result.err
        assert f"gemexp restore {three[1][:12]}" in gemexp("show", "production", code=3).err
        assert gemexp("name").out == f"production  {three[1][:12]}  2024-03-10  second  ! deleted\n"
        assert gemexp("name", "production", "--json").json["state"] == "deleted"

    def test_a_name_of_a_migrated_config_stays_and_is_marked(self, gemexp, three, moved):  # noqa: ARG002
        gemexp("migrate", "--default", "hyperparameters.seed=0", "--force")
        assert gemexp("name", "production", "-q").out == f"{three[1]}\n"
        assert gemexp("name").out == f"production  {three[1][:12]}  2024-03-10  second  ! migrated\n"
        assert gemexp("name", "production", "--json").json["state"] == "migrated"

    def test_a_name_of_a_missing_config_is_marked(self, gemexp, three, moved, store):  # noqa: ARG002
        shutil.move(f"{store().root}/objects/{three[1][:2]}/{three[1]}", f"{store().root}/local/lost")
        assert gemexp("name", "production").out.endswith("second  ! missing\n")
        gemexp("fsck", code=5)

    def test_foreign_text_is_shown_escaped(self, gemexp, three, store):
        write_move(store().root, "evil\x1b[31m", three[0], "2024-01-01", by="\x1b]0;x\x07")
        for command in (["name"], ["name", "evil\x1b[31m"], ["name", "--history", "evil\x1b[31m"], ["show", three[0]]):
            out = gemexp(*command).out
            assert "\x1b" not in out
            assert "\x07" not in out
        assert json.loads(gemexp("name", "--json").out)[0]["name"] == "evil\x1b[31m"
