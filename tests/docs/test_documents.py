"""Every document does what it shows, and says nothing that leads nowhere."""

import re

import documents
import pytest
from documents import DOCUMENTS, ROOT, Shell, examples, fences, matches, name_of, prepare, session, without_fences

LANGUAGES = {"console", "python", "sh", "json", "yaml", "toml", "text", "gitignore", "html"}
MACHINE_PATH = re.compile(r"(?<![\w./~-])/(?:home|Users|root|work|tmp|opt|usr|var|mnt)\b[/\w.-]*")

each_document = pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)


@each_document
def test_every_block_does_what_it_shows(path, tmp_path, monkeypatch):
    prepare(tmp_path)
    monkeypatch.chdir(tmp_path)
    for name in ("GEMEXP_DIR", "GEMEXP_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    shell = Shell(tmp_path)
    try:
        for example in examples(path):
            example.namespace["shell"] = shell
            example.evaluate()
    finally:
        shell.close()


@each_document
def test_every_fence_is_of_a_known_language_and_found_by_sybil(path):
    starts = [example.region.start for example in examples(path)]
    for language, span in fences(path.read_text("utf-8")):
        assert language in LANGUAGES
        assert any(start in span for start in starts) == (language in ("console", "python")), span


@each_document
def test_every_link_within_the_project_leads_somewhere(path):
    text = without_fences(path.read_text("utf-8"))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        goal = (path.parent / file).resolve() if file else path
        assert goal.exists(), target
        assert goal.is_relative_to(ROOT), target
        if anchor:
            assert anchor in anchors(goal.read_text("utf-8")), target


def anchors(text):
    """Return what a heading is linked by: lower case, signs dropped, spaces as hyphens."""
    headings = re.findall(r"^#+ +(.+?) *$", without_fences(text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize(
    "path",
    [*DOCUMENTS, *sorted(path for path in (ROOT / "docs").rglob("*") if path.suffix in (".py", ".yaml", ".json"))],
    ids=name_of,
)
def test_no_document_names_a_place_on_someones_machine(path):
    assert not MACHINE_PATH.findall(path.read_text("utf-8"))


@pytest.mark.parametrize("path", sorted(documents.EXAMPLES.glob("*.py")), ids=name_of)
def test_example_script_runs(path, tmp_path):
    shell = Shell(tmp_path)
    try:
        printed = shell.run(f"python -W error '{path}'; echo exit code $?")
    finally:
        shell.close()
    assert printed.endswith("exit code 0\n"), printed
    assert not list(tmp_path.iterdir()), "the example left something behind"


def test_every_document_is_reachable_from_the_readme():
    reached, left = set(), [ROOT / "README.md"]
    while left:
        path = left.pop()
        if path not in reached:
            reached.add(path)
            for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", without_fences(path.read_text("utf-8"))):
                if re.match(r"[a-z]+:", target):
                    continue
                goal = (path.parent / target).resolve()
                left += goal.glob("*.md") if goal.is_dir() else [goal] if goal.suffix == ".md" else []
    assert {name_of(path) for path in DOCUMENTS} <= {name_of(path) for path in reached}


def test_readme_sets_up_with_two_commands_that_can_be_extracted():
    text = (ROOT / "README.md").read_text("utf-8")
    blocks = dict(re.findall(r"^### (Run|Test)\n\n```sh\n(.+?)\n```$", text, re.MULTILINE | re.DOTALL))
    assert sorted(blocks) == ["Run", "Test"]
    assert [info for info, _ in fences(text)].count("sh") == 2
    for command in blocks.values():
        assert command.startswith("python3 -m venv .venv &&")
        assert all(line.endswith("\\") for line in command.splitlines()[:-1]), "one command each"


def test_console_blocks_fail_when_output_differs(tmp_path):
    shell = Shell(tmp_path)
    try:
        assert shell.run("echo a; (exit 3)") == "a\n"
        assert shell.run("echo $?") == "3\n"
        assert shell.run("cd ..; export X=1; printf b >&2") == "b"
        assert shell.run('echo "$X" "$PWD"') == f"1 {tmp_path.parent}\n"
    finally:
        shell.close()
    assert session("$ cat <<E\n> x\n> E\nx\n$ true\n") == [("cat <<E\nx\nE", "x\n"), ("true", "")]
    assert matches("a ... c\n", "a b c\n")
    assert matches("a\n...\nd\n", "a\nb\nc\nd\n")
    assert not matches("a ... c\n", "a b\nb c\n")
    assert not matches("a\n", "b\n")
    assert not matches("", "b\n")
