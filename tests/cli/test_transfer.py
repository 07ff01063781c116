"""``gemexp export`` and ``gemexp import``."""

import json
import os
import threading

import pytest
from seed_format import old_row, write_registry
from surroundings import snapshot

FULL = {
    "feature_names": ["a"],
    "feature_weights": {"a": 0.5},
    "feature_transformations": {},
    "hyperparameters": {"x": {"$float": "nan"}, "n": None, "é": "\u2028", "big": 2**64 - 1},
    "description": "with\ntwo lines",
    "tags": ["a/b", "best"],
    "created_at": "2024-01-31T09:00:00+02:00",
}


@pytest.fixture
def full(add):
    return add(FULL)


def shown(gemexp, config_hash, *options):
    return gemexp(*options, "show", config_hash, "--json").json


@pytest.mark.parametrize("name", ["x.json", "x.yaml", "x.yml", "x.jsonl", "x"])
def test_export_then_import_keeps_hash_description_tags_and_time(gemexp, full, project, name):
    gemexp("export", full[:8], name)
    gemexp("init", "other")
    options = ["-C", str(project / "other")]
    assert gemexp(*options, "import", f"../{name}", "-q").out.strip() == full
    assert shown(gemexp, full, *options) == gemexp("-C", project, "show", full, "--json").json


def test_standard_output_and_input_work(gemexp, full, project):
    text = gemexp("export", full, "-").out
    assert json.loads(text)["config_hash"] == full
    gemexp("init", "other")
    assert gemexp("-C", project / "other", "import", "-", "-q", stdin=text).out.strip() == full


def test_all_are_exported_as_json_lines_and_imported(gemexp, add, project):
    hashes = {add({"n": number}, "-t", "t") for number in range(5)} | {add(FULL)}
    assert gemexp("export", "--all", "all.jsonl", "--json").json == {"exported": 6, "target": "all.jsonl"}
    lines = [json.loads(line) for line in (project / "all.jsonl").read_text().splitlines()]
    assert {line["config_hash"] for line in lines} == hashes
    gemexp("init", "other")
    found = gemexp("-C", project / "other", "import", "../all.jsonl", "--json").json_lines
    assert {line["config_hash"] for line in found} == hashes
    before = {config["config_hash"]: config for config in gemexp("-C", project, "list", "--json").json}
    after = {config["config_hash"]: config for config in gemexp("-C", project / "other", "list", "--json").json}
    assert before == after
    assert all(not line["created"] for line in gemexp("import", "../all.jsonl", "--json").json_lines)


def test_those_with_a_tag_are_exported_into_a_folder(gemexp, add, project):
    hashes = {add({"n": number}, "-t", "t") for number in range(3)}
    add({"other": 1})
    gemexp("export", "--tag", "t", "out/deep")
    assert {path.name for path in (project / "out" / "deep").iterdir()} == {f"{one}.json" for one in hashes}
    gemexp("init", "other")
    assert set(gemexp("-C", project / "other", "import", "../out/deep", "-q").out.split()) == hashes
    gemexp("-C", project, "export", "--tag", "none", "out2", code=3)
    assert not (project / "out2").exists()


def test_an_existing_file_is_replaced_whole_or_not_at_all(gemexp, full, project):
    (project / "x.json").write_text("old")
    gemexp("export", "abcdef", "x.json", code=3)
    assert (project / "x.json").read_text() == "old"
    gemexp("export", full, "x.json")
    assert json.loads((project / "x.json").read_text())["config_hash"] == full
    assert sorted(path.name for path in project.iterdir()) == [".gemexp", "x.json"]


def test_a_pipe_is_written_into_and_stays_a_pipe(gemexp, full, project):
    os.mkfifo(project / "pipe")
    received = []

    def read():
        with open(project / "pipe") as file:
            received.append(file.read())

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    gemexp("export", full, "pipe")
    reader.join(timeout=20)
    assert json.loads(received[0])["config_hash"] == full
    assert (project / "pipe").is_fifo()


@pytest.mark.parametrize("target", ["x.toml", "none/x.json", ".gemexp", ""])
def test_what_cannot_be_written_is_bad_input(gemexp, full, project, target):
    before = sorted(path.name for path in project.iterdir())
    assert gemexp("export", full, target, code=1).err.startswith("error: ")
    assert sorted(path.name for path in project.iterdir()) == before


@pytest.mark.parametrize("chosen", [["--tag", "t"], ["--where", "tag = t"], ["--tag", "t", "--where", "n < 9"]])
def test_some_are_written_as_lines_where_the_target_holds_lines(gemexp, add, project, chosen):
    hashes = sorted(add({"n": number}, "-t", "t") for number in range(3))
    add({"n": 1, "other": 1})
    printed = gemexp("export", *chosen, "-")
    assert [line["config_hash"] for line in printed.json_lines] == hashes
    assert gemexp("export", *chosen, "some.jsonl").out == "exported 3 configs to some.jsonl\n"
    assert (project / "some.jsonl").read_text() == printed.out
    assert gemexp("export", "--tag", "none", "-", code=3).out == ""


@pytest.mark.parametrize(
    "arguments", [[], ["x"], ["a", "b", "c"], ["--all"], ["--all", "--tag", "t", "x"], ["--all", "x.json"]]
)
def test_wrong_arguments_are_usage_errors(gemexp, full, arguments):  # noqa: ARG001
    gemexp("export", *arguments, code=2)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("x.json", '{"lr": 1}', "not an exported configuration"),
        ("x.json", "[]", None),
        ("x.json", '{"feature_names": [], "config_hash": "abc"}', "config_hash"),
        ("x.json", '[{"feature_names": ["ok"]}, {"feature_names": ["a", "a"]}]', "x.json[1]"),
        ("x.jsonl", '{"feature_names": ["ok"]}\n{', "x.jsonl:2"),
        ("x.jsonl", '{"feature_names": ["ok"]}\n{"feature_names": [], "tags": [""]}', "tag"),
        ("x.yaml", "a: [", "x.yaml"),
    ],
)
def test_a_bad_import_imports_nothing(gemexp, store, project, name, text, words):
    (project / name).write_text(text)
    (project / "good.json").write_text('{"feature_names": ["good"]}')
    before = snapshot(store().root)
    if words is None:
        gemexp("import", name, code=None)
    else:
        assert words in gemexp("import", "good.json", name, code=1).err
    assert snapshot(store().root) == before


def test_an_edited_export_does_not_pass_as_the_original(gemexp, full, project):
    gemexp("export", full, "x.json")
    value = json.loads((project / "x.json").read_text())
    value["feature_weights"]["a"] = 0.51
    (project / "x.json").write_text(json.dumps(value))
    for command in ("import", "add"):
        result = gemexp(command, "x.json", code=1)
        assert "'x.json': 'config_hash'" in result.err
        assert "edited" in result.err


def test_an_empty_folder_and_nothing_at_all_are_refused(gemexp, store, project):  # noqa: ARG001
    (project / "empty").mkdir()
    gemexp("import", "empty", code=1)
    gemexp("import", code=2)
    gemexp("import", "none.json", code=1)


class TestSqlite:
    OLD = "abcd" * 16

    @pytest.fixture
    def database(self, project):
        write_registry(project / "experiments.sqlite", [old_row(self.OLD, 10), old_row("dcba" * 16, 20)])
        return project / "experiments.sqlite"

    def test_old_hashes_keep_working(self, gemexp, store, database):  # noqa: ARG002
        before = database.read_bytes()
        found = gemexp("import", "--sqlite", "experiments.sqlite", "--json").json_lines
        assert {line["old_hash"] for line in found} == {self.OLD, "dcba" * 16}
        new = next(line["config_hash"] for line in found if line["old_hash"] == self.OLD)
        assert gemexp("show", f"{self.OLD[:6]}:config_hash").out.strip() == new
        assert gemexp("show", self.OLD, "--json").json["config_hash"] == new
        assert gemexp("show", new[:8], "--json").json["description"] == "k is 10"
        assert database.read_bytes() == before

    def test_opening_it_by_db_imports_it_once(self, gemexp, database, project):
        for _ in range(2):
            found = gemexp("--db", "experiments.sqlite", "list", "--json").json
            assert {config["description"] for config in found} == {"k is 10", "k is 20"}
        assert (project / "experiments.gemexp" / "format").exists()
        assert not (project / ".gemexp").exists()
        assert gemexp("--db", database, "show", f"{self.OLD[:4]}:hyperparameters.k").out == "10\n"

    def test_what_is_no_such_registry_is_bad_input(self, gemexp, store, project, database):
        (project / "text.sqlite").write_text("hello")
        (project / "cut.sqlite").write_bytes(database.read_bytes()[:5000])
        before = snapshot(store().root)
        for name in ("text.sqlite", "cut.sqlite", "none.sqlite", "."):
            result = gemexp("import", "--sqlite", name, code=1)
            assert name in result.err
        assert snapshot(store().root) == before

    def test_a_bad_database_beside_a_good_file_imports_nothing(self, gemexp, store, project):
        (project / "text.sqlite").write_text("hello")
        (project / "good.json").write_text('{"feature_names": ["good"]}')
        before = snapshot(store().root)
        gemexp("import", "good.json", "--sqlite", "text.sqlite", code=1)
        assert snapshot(store().root) == before
