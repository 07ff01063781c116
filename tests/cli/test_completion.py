"""Completion, through the protocol that shells speak."""

import os
import subprocess
import sys
import sysconfig

import pytest


@pytest.fixture
def complete(process):
    """Complete the last of some words as bash asks for it; return the values."""

    def run(*words, asked_by="bash", env=None):
        if asked_by == "fish":
            variables = {"COMP_WORDS": " ".join(["gemexp", *words]), "COMP_CWORD": words[-1]}
        else:
            variables = {"COMP_WORDS": " ".join(["gemexp", *words]), "COMP_CWORD": str(len(words))}
        result = process(script=True, env={**variables, "_GEMEXP_COMPLETE": f"{asked_by}_complete", **(env or {})})
        assert (result.code, result.err) == (0, "")
        if asked_by == "zsh":
            lines = result.out.splitlines()
            return list(zip(lines[1::3], lines[2::3], strict=True))
        return [line.partition(",")[2] for line in result.out.splitlines() if line]

    return run


def test_commands_and_options_are_completed(complete):
    assert "show" in complete("")
    assert complete("sh") == ["show"]
    assert "--json" in complete("show", "--")
    assert "--store" in complete("--")


@pytest.mark.parametrize(
    "command", [["show"], ["diff"], ["explain"], ["compare"], ["tag"], ["describe"], ["delete"], ["add", "--from"]]
)
def test_hashes_and_tags_are_completed_where_a_revision_is_meant(complete, add, command):
    first, second = add({"a": 1}, "-t", "best"), add({"a": 2}, "-t", "2024")
    assert set(complete(*command, "")) == {first[:12], second[:12], "best", "tag:2024"}
    assert complete(*command, first[:3]) == [first[:12]]
    assert complete(*command, first[:20]) == [first[:20]] or complete(*command, first[:20]) == [first]
    assert complete(*command, "be") == ["best"]
    assert complete(*command, "zzz") == []


@pytest.mark.parametrize("command", [["show"], ["diff"], ["describe"], ["name", "NAME"], ["add", "--from"]])
def test_names_are_completed_where_a_revision_is_meant(complete, add, gemexp, command):
    config_hash = add({"a": 1}, "-t", "best", "-t", "production")
    gemexp("name", "production", config_hash)
    gemexp("name", "gone", config_hash)
    gemexp("name", "-d", "gone")
    found = complete(*command, "")
    assert sorted(found) == sorted([config_hash[:12], "best", "production"])
    assert complete(*command, "pro") == ["production"]


def test_names_are_completed_where_a_name_is_meant_those_that_are_gone_too(complete, add, gemexp):
    config_hash = add({"a": 1}, "-t", "best")
    for name in ("production", "gone", "evil\x1b[31m"):
        gemexp("name", name, config_hash)
    gemexp("name", "-d", "gone")
    for options in ([], ["--rollback"], ["--history"], ["-d"], ["--resolve"]):
        assert complete("name", *options, "") == ["gone", "production"]
    assert ("production", f"name of {config_hash[:12]}") in complete("name", "", asked_by="zsh")
    assert ("gone", "taken away") in complete("name", "", asked_by="zsh")


def test_deleted_ones_are_completed_for_restore_alone(complete, add, gemexp):
    first, second = add({"a": 1}), add({"a": 2})
    gemexp("delete", first, "-f")
    assert complete("show", "") == [second[:12]]
    assert first[:12] in complete("restore", "")
    assert second[:12] not in complete("restore", "")


@pytest.mark.parametrize(
    "command", [["search"], ["list", "--tag"], ["add", "-t"], ["export", "--tag"], ["tag", "REV"], ["tag", "-d", "REV"]]
)
def test_tags_are_completed_where_a_tag_is_meant(complete, add, command):
    add({"a": 1}, "-t", "best", "-t", "2024")
    assert set(complete(*command, "")) == {"best", "2024"}
    assert complete(*command, "b") == ["best"]


def test_descriptions_help_to_choose_where_the_shell_shows_them(complete, add):
    config_hash = add({"a": 1}, "-d", "the baseline")
    assert (config_hash[:12], "the baseline") in complete("show", "", asked_by="zsh")
    assert any("the baseline" in item for item in complete("show", "", asked_by="fish"))


def test_foreign_text_neither_breaks_the_protocol_nor_reaches_the_terminal(process, add):
    add({"a": 1}, "-t", "evil\x1b[31m", "-t", "two\nlines", "-t", "good", "-d", "\x1b]0;x\x07\nplain,injected")
    for shell in ("bash", "zsh", "fish"):
        words = {"COMP_WORDS": "gemexp show ", "COMP_CWORD": "2" if shell != "fish" else ""}
        out = process(script=True, env={**words, "_GEMEXP_COMPLETE": f"{shell}_complete"}).out
        assert "good" in out
        assert "\x1b" not in out
        assert "\x07" not in out
        assert "\ninjected" not in out
        assert "\nlines" not in out


def test_global_options_name_the_store(complete, add, project, gemexp):  # noqa: ARG001
    gemexp("init", "other")
    config_hash = gemexp("-C", "other", "add", "-", "-q", stdin="b: 1").out.strip()
    os.chdir(project)
    assert complete("-C", "other", "show", "") == [config_hash[:12]]
    assert complete("--store", "other/.gemexp", "show", "") == [config_hash[:12]]
    assert complete("show", "", env={"GEMEXP_DIR": "other/.gemexp"}) == [config_hash[:12]]


def test_without_a_store_or_with_a_bad_one_nothing_is_said(complete, project):
    assert complete("show", "") == []
    (project / ".gemexp").mkdir()
    (project / ".gemexp" / "format").write_text("gemexp 9 sha256\n")
    assert complete("show", "") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_for_each_shell_is_printed(gemexp, shell):
    text = gemexp("completion", shell).out
    assert "_GEMEXP_COMPLETE" in text
    assert f"{shell}_complete" in text


def test_bash_completes_with_the_script(project, add):
    config_hash = add({"a": 1})
    scripts = sysconfig.get_path("scripts")
    typed = (
        'eval "$(gemexp completion bash)"; COMP_WORDS=(gemexp show ""); COMP_CWORD=2; '
        'COMP_LINE="gemexp show "; COMP_POINT=12; _gemexp_completion gemexp "" show; echo "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash", "--norc", "-c", typed],
        capture_output=True,
        text=True,
        check=True,
        cwd=project,
        env={
            **os.environ,
            "PATH": f"{scripts}{os.pathsep}{os.path.dirname(sys.executable)}{os.pathsep}{os.environ['PATH']}",
        },
    )
    assert config_hash[:12] in done.stdout
