"""``gemexp tag`` and ``gemexp describe``."""

import pytest
from surroundings import contents, snapshot


def test_tags_are_added_removed_and_counted(gemexp, add):
    first, second = add({"a": 1}, "-t", "x"), add({"a": 2})
    assert gemexp("tag", first[:8], "best", "a/b").out == f"{first[:12]}  [a/b, best, x]\n"
    gemexp("tag", second, "best")
    assert gemexp("tag").out.splitlines() == ["1  a/b", "2  best", "1  x"]
    assert gemexp("tag", "--json").json == {"a/b": 1, "best": 2, "x": 1}
    assert gemexp("tag", first).out.split() == ["a/b", "best", "x"]
    assert gemexp("tag", first, "--json").json == ["a/b", "best", "x"]
    found = gemexp("tag", "-d", first, "best", "x", "--json").json
    assert found == {"config_hash": first, "changed": ["best", "x"], "tags": ["a/b"]}
    assert gemexp("tag", "--json").json == {"a/b": 1, "best": 1}


def test_tagging_again_rewrites_nothing(gemexp, add, store):
    config_hash = add({"a": 1}, "-t", "x")
    before = snapshot(store().root)
    assert gemexp("tag", config_hash, "x", "--json").json["changed"] == []
    assert snapshot(store().root) == before


def test_a_tag_is_renamed_everywhere(gemexp, add):
    first, second = add({"a": 1}, "-t", "old"), add({"a": 2}, "-t", "old")
    assert gemexp("tag", "--rename", "old", "new", "--json").json == {"renamed": "old", "to": "new", "count": 2}
    assert gemexp("tag", "--json").json == {"new": 2}
    assert {config["config_hash"] for config in gemexp("search", "new", "--json").json} == {first, second}
    gemexp("tag", "--rename", "old", "new", code=3)
    gemexp("tag", "--rename", "new", "", code=1)
    gemexp("tag", "--rename", "new", code=2)
    gemexp("tag", "--rename", "new", "a", "b", code=2)


@pytest.mark.parametrize(
    "tag", ["../../evil", "/etc/passwd", ".", "..", "a/../../b", "con", "Best", "ü", " ", "a\nb", "%00"]
)
def test_no_tag_leaves_its_folder(gemexp, add, project, tag):
    config_hash = add({"a": 1})
    gemexp("tag", config_hash, tag)
    assert gemexp("tag", "--json").json == {tag: 1}
    assert sorted(path.name for path in project.iterdir()) == [".gemexp"]
    new = [path for path in contents(project / ".gemexp") if path.startswith("refs/tags/")]
    assert len(new) == 1
    assert new[0].count("/") == 3


@pytest.mark.parametrize("tag", ["", "x" * 201, "\udc80"])
def test_a_tag_that_cannot_be_stored_is_refused(gemexp, add, store, tag):
    config_hash = add({"a": 1})
    before = snapshot(store().root)
    assert "tag" in gemexp("tag", config_hash, "good", tag, code=1).err
    assert snapshot(store().root) == before


def test_removing_a_tag_that_is_not_there_changes_nothing(gemexp, add, store):
    config_hash = add({"a": 1}, "-t", "x")
    before = snapshot(store().root)
    gemexp("tag", "-d", config_hash, "y", code=None)
    assert snapshot(store().root) == before


def test_what_makes_no_sense_is_a_usage_error(gemexp, add):
    config_hash = add({"a": 1})
    gemexp("tag", "-d", code=2)
    gemexp("tag", "-d", config_hash, code=2)
    gemexp("tag", "-d", "--rename", "a", "b", code=2)


def test_descriptions_are_replaced(gemexp, add):
    config_hash = add({"a": 1}, "-d", "first")
    assert gemexp("describe", config_hash[:8], "second").out == f"{config_hash[:12]}  second\n"
    found = gemexp("describe", config_hash, "third", "--json").json
    assert found == {"config_hash": config_hash, "description": "third", "changed": True}
    assert gemexp("show", config_hash, "--json").json["description"] == "third"
    assert gemexp("describe", config_hash, "third", "--json").json["changed"] is False
    gemexp("describe", config_hash, "")
    assert gemexp("show", config_hash, "--json").json["description"] == ""


def test_a_revision_that_is_not_there_is_not_found(gemexp, add, store):
    add({"a": 1})
    before = snapshot(store().root)
    gemexp("tag", "abcdef", "x", code=3)
    gemexp("tag", "abcdef", code=3)
    gemexp("describe", "abcdef", "x", code=3)
    assert snapshot(store().root) == before


def test_a_revision_that_looks_like_a_tag_of_digits_needs_its_kind(gemexp, add):
    config_hash = add({"a": 1}, "-t", "2024")
    result = gemexp("show", "2024", code=3)
    assert "tag:2024" in result.err
    assert gemexp("show", "tag:2024:config_hash").out.strip() == config_hash
