"""``gemexp diff A..B`` and ``gemexp git status``: what one state has over another, printed."""

import json
import os
from html import unescape

import pytest
from histories import CONFIGS, perform
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from gemexp import ExperimentConfig
from gemexp.markdown import text
from gemexp.notation import visible
from gemexp.store import layout

HASHES = [config.config_hash for config in CONFIGS]
MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


@pytest.fixture
def feature(ours, commit, git):
    ours.register(ExperimentConfig(**CONFIGS[0].to_dict() | {"description": "base", "tags": ["baseline"]}))
    commit()
    git("checkout", "-q", "-b", "feature")
    hostile = {"description": "<b>x</b> | `y` [z](http://e.x) @user #1", "tags": ["a|b"]}
    ours.register(ExperimentConfig(**CONFIGS[1].to_dict() | hostile), parents=[HASHES[0]])
    for action in (("tag", 0, "best"), ("describe", 0, "mine"), ("name", 0, "production"), ("record", 0, 0.25)):
        perform(ours, *action)
    commit()


def test_a_range_is_shown_as_text(feature, cli):  # noqa: ARG001
    out, _ = cli("diff", "main..feature")
    for line in (
        "1 new experiment:",
        f"  {HASHES[1][:12]}  2024-01-02  <b>x</b> | `y` [z](http://e.x) @user #1  [a|b]",
        f"    from {HASHES[0][:12]}",
        "    ~ hyperparameters.k: 0 -> 1 (+1)",
        f"  {HASHES[0][:12]}  mine  +best",
        f'  {HASHES[0][:12]}  "base" -> "mine"',
        f"  production  (nowhere) -> {HASHES[0][:12]}",
        f"  {HASHES[0][:12]}  mine: loss = 0.25",
    ):
        assert line in out.splitlines()


def test_a_range_is_shown_as_json(feature, cli):  # noqa: ARG001
    found = json.loads(cli("diff", "main..feature", "--json")[0])
    assert found == json.loads(cli("diff", "main..feature", "--format=json")[0])
    assert found["added"][0]["config_hash"] == HASHES[1]
    assert found["added"][0]["differences"][0]["path"] == "hyperparameters.k"
    assert found["runs"][0]["metrics"] == {"loss": 0.25}
    assert found["names"][0]["new"] == HASHES[0]


def test_markdown_shows_text_of_the_store_and_lets_no_markup_through(feature, cli):  # noqa: ARG001
    out, _ = cli("diff", "main..feature", "--format=md")
    html = MARKDOWN.render(out)
    assert "<td>&lt;b&gt;x&lt;/b&gt; | `y` [z](http:\u2060//e.x) @\u2060user #\u20601</td>" in html
    assert "<td>a|b</td>" in html
    assert f"<li><code>{HASHES[0][:12]}</code> mine: +best</li>" in html
    assert "<a " not in html
    assert len(out) < 2000


def test_the_exit_code_says_whether_there_is_a_difference(feature, cli):  # noqa: ARG001
    assert cli("diff", "main..feature", "--exit-code", code=1)[0]
    assert cli("diff", "feature..feature", "--exit-code")[0] == ""


def test_calls_that_make_no_sense_are_refused(feature, cli):  # noqa: ARG001
    for arguments in (
        ("main",),
        ("main..feature", "--json", "--format=md"),
        (HASHES[0][:8], HASHES[1][:8], "--format=md"),
        ("main..feature", "--format=html"),
    ):
        out, err = cli("diff", *arguments, code=2)
        assert out == ""
        assert "hint" in err


def test_two_configs_are_compared_as_before(feature, cli):  # noqa: ARG001
    text = cli("diff", HASHES[0][:8], HASHES[1][:8])[0]
    assert text == cli("diff", HASHES[0][:8], HASHES[1][:8], "--format=text")[0]
    assert "hyperparameters.k: 0 -> 1" in text
    as_json = cli("diff", HASHES[0][:8], HASHES[1][:8], "--format=json")[0]
    assert as_json == cli("diff", HASHES[0][:8], HASHES[1][:8], "--json")[0]


def test_status_in_words_and_as_json(ours, cli, commit):
    perform(ours, "add", 0, "first")
    out, err = cli("git", "status")
    assert out.splitlines()[:2] == ["not committed yet: 2 files not staged", "1 new experiment:"]
    assert err == ""
    commit()
    assert cli("git", "status")[0] == "all of the store is committed\n"
    os.unlink(f"{ours.root}/{layout.object_path(HASHES[0])}")
    out, err = cli("git", "status")
    assert f"'{layout.object_path(HASHES[0])}', which git knows, is gone" in err
    found = json.loads(cli("git", "status", "--json")[0])
    assert found["deleted"] == [layout.object_path(HASHES[0])]
    assert (found["staged"], found["unstaged"]) == (0, 0)


def test_a_name_whose_rivals_were_settled_is_not_said_to_move(ours, cli, commit, git):
    for action in (("add", 0, "one"), ("add", 1, "two"), ("add", 2, "three")):
        perform(ours, *action)
    base = commit()
    git("checkout", "-q", "-b", "other")
    perform(ours, "name", 0, "production")
    commit()
    git("checkout", "-q", "-b", "mine", base)
    perform(ours, "name", 1, "production")
    alone = commit()
    cli("merge", "other")
    current, rival = (move.config for move in (ours.pointer("production").heads[0], *ours.pointer("production").rivals))
    arrow = f"{HASHES[1][:12]} -> " * (current != HASHES[1])
    out = cli("git", "status")[0]
    assert f"  production  {arrow}{current[:12]}\n    ! a merge left rivals: {rival[:12]}; " in out
    merged = commit()

    ours.settle_name("production")
    out = cli("git", "status")[0]
    assert f"  production  {current[:12]}\n    settled; a merge had left rivals: {rival[:12]}\n" in out
    (told,) = json.loads(cli("diff", f"{merged}..{commit()}", "--json")[0])["names"]
    assert told["old"] == told["new"] == current
    assert (told["rivals"], told["settled"]) == ([], [rival])
    out = cli("diff", f"{merged}..HEAD", "--format=md")[0]
    assert f"production: `{current[:12]}`; settled, rivals were `{rival[:12]}`" in out
    assert "settled" not in cli("diff", f"{alone}..{merged}", "--json")[0]


def test_merging_a_revision_in_words(feature, cli, git):  # noqa: ARG001
    git("checkout", "-q", "main")
    out, _ = cli("merge", "feature", "--dry-run")
    assert out.startswith("feature: would take 9 files: 1 new experiment, ")
    assert cli("merge", "feature")[0] == out.replace("would take", "took")
    assert cli("merge", "feature")[0] == "feature: already up to date\n"


@given(st.text() | st.text(st.sampled_from("<>&`*_[]()!|~$@#:/\\\"'-+=.x1 \n\t\u202e")))
def test_any_text_is_shown_as_it_is_and_nothing_else(value):
    shown = visible(value)
    (cell,) = MARKDOWN.render(f"| a |\n|---|\n| x{text(value)}x |").split("<td>")[1:]
    content = cell.partition("</td>")[0]
    assert "<" not in content
    assert unescape(content).replace("\u2060", "") == f"x{shown}x"


@pytest.mark.parametrize(
    "value", ["@user", "a#12", "!12", "GH-12", ":smile:", "https://e.org", "www.e.org", "a@b.org", "$x$", "me/repo#1"]
)
def test_what_hosts_make_links_of_is_broken_by_a_joiner(value):
    assert "\u2060" in unescape(text(value))
