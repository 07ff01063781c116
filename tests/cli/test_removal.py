"""``gemexp delete`` and ``gemexp restore``."""

import pytest
from surroundings import contents, snapshot


@pytest.fixture
def one(add):
    return add({"a": 1}, "-d", "precious", "-t", "best")


@pytest.mark.parametrize("answer", ["y\n", "Y\n", "yes\n", " y \n"])
def test_it_asks_what_and_which_tags_and_deletes_after_yes(gemexp, one, answer):
    result = gemexp("delete", one[:8], stdin=answer)
    assert one[:12] in result.err
    assert "precious" in result.err
    assert "best" in result.err
    assert result.out == f"deleted {one[:12]}\n"
    gemexp("show", one, code=3)


@pytest.mark.parametrize("answer", ["n\n", "\n", "", "yep\n", "no", "N\ny\n"])
def test_anything_else_deletes_nothing(gemexp, one, store, answer):
    before = snapshot(store().root)
    result = gemexp("delete", one, stdin=answer, code=1)
    assert "nothing was deleted" in result.err
    assert snapshot(store().root) == before


def test_force_does_not_ask(gemexp, one):
    assert gemexp("delete", one, "--force").err == ""
    gemexp("restore", one)
    assert gemexp("delete", one, "-f", "--json").json == {"config_hash": one, "deleted": True}


def test_with_json_standard_error_stays_one_document(gemexp, one, store):
    before = snapshot(store().root)
    assert gemexp("delete", one, "--json", code=None).error["message"]
    assert snapshot(store().root) == before


def test_several_are_deleted_together_or_none(gemexp, one, add, store):
    other = add({"a": 2})
    before = snapshot(store().root)
    gemexp("delete", one, "abcdef", "-f", code=3)
    assert snapshot(store().root) == before
    result = gemexp("delete", one, other, one, stdin="y\n")
    assert result.out.splitlines() == [f"deleted {one[:12]}", f"deleted {other[:12]}"]
    assert gemexp("list", "--json").json == []


def test_a_deleted_one_is_told_from_one_that_never_was(gemexp, one):
    gemexp("delete", one, "-f")
    for command in (["show", one[:8]], ["delete", one, "-f"]):
        result = gemexp(*command, code=3)
        assert "deleted" in result.err
        assert "gemexp restore" in result.err


def test_restore_brings_it_back_whole(gemexp, one, store):
    before = gemexp("show", one, "--json").json
    held = contents(store().root)
    gemexp("delete", one, "-f")
    assert gemexp("restore", one[:6]).out == f"restored {one[:12]}\n"
    assert gemexp("show", "best", "--json").json == before
    assert held.items() <= contents(store().root).items()
    gemexp("delete", one, "-f")
    assert gemexp("restore", one, "--json").json == {"config_hash": one, "restored": True}
    gemexp("restore", one, code=3)
    gemexp("restore", "abcdef", code=3)


def test_an_ambiguous_or_short_or_empty_revision_deletes_nothing(gemexp, one, store):
    before = snapshot(store().root)
    for rev in ("", one[:3], "tag:", "../..", "*"):
        gemexp("delete", rev, "-f", code=3)
    gemexp("delete", "-f", code=2)
    assert snapshot(store().root) == before
