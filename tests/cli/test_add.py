"""``gemexp add``."""

import hashlib
import json

import pytest
from surroundings import contents, snapshot

from gemexp import ExperimentConfig, ExperimentRegistry

CONFIG = {
    "feature_names": ["Sentiment", "Depth"],
    "feature_weights": {"Sentiment": 0.6, "Depth": 0.4},
    "hyperparameters": {"k": 10, "lr": 0.001},
    "feature_transformations": {"Depth": "log"},
}


@pytest.fixture
def config_file(project):
    (project / "c.json").write_text(json.dumps(CONFIG))
    return "c.json"


def test_a_line_gives_twelve_digits_and_the_file_or_description(gemexp, store, config_file):
    result = gemexp("add", config_file)
    config_hash = store().list_all()[0].config_hash
    assert result.out == f"{config_hash[:12]}  c.json\n"
    assert result.err == ""
    assert gemexp("add", config_file, "-d", "a baseline").out == f"{config_hash[:12]}  a baseline\n"


def test_quiet_gives_the_whole_hash_alone_and_the_file_has_that_sha256(gemexp, store, config_file):
    config_hash = gemexp("add", config_file, "-q").out.strip()
    with open(f"{store().root}/objects/{config_hash[:2]}/{config_hash}", "rb") as file:
        assert hashlib.sha256(file.read()).hexdigest() == config_hash


def test_json_gives_a_line_for_each(gemexp, store, config_file, project):
    (project / "d.yaml").write_text("lr: 1\n")
    found = gemexp("add", config_file, "d.yaml", config_file, "--json").json_lines
    assert [sorted(line) for line in found] == [["config_hash", "created", "source"]] * 3
    assert [line["created"] for line in found] == [True, True, False]
    assert [line["source"] for line in found] == ["c.json", "d.yaml", "c.json"]
    assert {line["config_hash"] for line in found} == {config.config_hash for config in store()}


def test_description_and_tags_are_stored(gemexp, store, config_file):
    gemexp("add", config_file, "-d", "text", "-t", "best", "--tag", "a/b", "-t", "best")
    found = store().list_all()[0]
    assert (found.description, found.tags) == ("text", ["a/b", "best"])


def test_adding_again_rewrites_nothing(gemexp, store, config_file):
    first = gemexp("add", config_file, "-d", "text", "-t", "best", "-q")
    before = snapshot(store().root)
    assert gemexp("add", config_file, "-d", "text", "-t", "best", "-q") == first
    assert gemexp("add", config_file, "-q") == first
    assert snapshot(store().root) == before


def test_every_format_gives_the_same_hash(gemexp, store, project):  # noqa: ARG001
    texts = {
        "a.json": '{"hyperparameters": {"lr": 0.1, "no": "no", "day": "2024-01-31"}}',
        "b.yaml": "hyperparameters: {lr: 0.1, no: no, day: 2024-01-31}",
        "c.toml": '[hyperparameters]\nlr = 0.1\nno = "no"\nday = 2024-01-31\n',
        "d.yml": "lr: 1.0e-1\nno: 'no'\nday: 2024-01-31\n",
        "e.jsonl": '{"day": "2024-01-31", "no": "no", "lr": 1e-1}\n',
    }
    for name, text in texts.items():
        (project / name).write_text(text)
    assert len(set(gemexp("add", "-q", *texts).out.split())) == 1


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"lr": 0.1}', 0.1),
        ("lr: 0.1\n", 0.1),
        ("lr = 0.1\n", 0.1),
        ("\ufefflr: 0.1\n", 0.1),
        ("[lr]\nx = 1\n", {"x": 1}),
    ],
)
def test_standard_input_is_read_as_what_it_is(gemexp, store, text, value):
    assert gemexp("add", "-", stdin=text).out.endswith("  -\n")
    assert store().list_all()[0].hyperparameters == {"lr": value}


def test_the_format_of_standard_input_can_be_given(gemexp, store):
    gemexp("add", "-", "--format", "toml", stdin="a = 1")
    assert store().list_all()[0].hyperparameters == {"a": 1}


@pytest.mark.parametrize("text", ["", " \n", "# nothing\n", "null", "[]", "5", "text"])
def test_standard_input_that_holds_no_configuration_adds_none(gemexp, store, text):
    result = gemexp("add", "-", stdin=text, code=1)
    assert result.err.startswith("error: ")
    assert len(store()) == 0


def test_standard_input_is_one_configuration_even_if_named_twice(gemexp, store):
    gemexp("add", "-", "-", stdin='{"a": 1}', code=1)
    assert len(store()) == 0


def test_a_sweep_of_json_lines_is_bulk(gemexp, store, project):
    lines = "".join(json.dumps({"lr": number}) + "\n" for number in range(300))
    assert len(gemexp("add", "-", "--jsonl", "-t", "sweep", "-q", stdin=lines).out.split()) == 300
    assert store().tags() == {"sweep": 300}
    (project / "s.jsonl").write_text('{"a": 1}\n\n{"a": 2}\n')
    found = gemexp("add", "s.jsonl", "--json").json_lines
    assert [line["source"] for line in found] == ["s.jsonl:1", "s.jsonl:3"]


@pytest.mark.parametrize(
    "bad", ['{"a": ', '{"a": {"b": 18446744073709551616}}', '{"hyperparameters": {}, "x": 1}', "[1]"]
)
def test_a_bad_line_late_in_a_file_means_nothing_was_added(gemexp, store, project, bad):
    lines = "".join(json.dumps({"lr": number}) + "\n" for number in range(299)) + bad + "\n"
    (project / "s.jsonl").write_text(lines)
    before = snapshot(store().root)
    assert "s.jsonl:300" in gemexp("add", "s.jsonl", code=1).err
    assert "-:300" in gemexp("add", "-", "--format", "jsonl", stdin=lines, code=1).err
    assert snapshot(store().root) == before


@pytest.mark.parametrize(
    "bad", ['{"a": ', '{"a": {"b": 18446744073709551616}}', '{"hyperparameters": {}, "x": 1}', "[1]"]
)
def test_a_bad_line_of_a_stream_is_named_and_stops_nothing(gemexp, store, bad):
    lines = [json.dumps({"lr": number}) for number in range(20)]
    lines.insert(7, bad)
    result = gemexp("add", "-", "--jsonl", "-q", stdin="\n".join(lines), code=1)
    assert "'-:8'" in result.err
    assert "20 of 21 lines were added" in result.err
    assert len(result.out.split()) == len(store()) == 20
    told = [
        json.loads(line)["error"]
        for line in gemexp("add", "-", "--jsonl", "--json", stdin=bad, code=1).err.splitlines()
    ]
    assert [error["message"].startswith("'-:1'") for error in told] == [True, False]


def test_a_stream_stops_at_the_first_bad_line_when_asked_to(gemexp, store):
    lines = "".join(json.dumps({"lr": number}) + "\n" for number in range(5))
    assert "'-:6'" in gemexp("add", "-", "--jsonl", "--strict", stdin=f'{lines}[1]\n{{"lr": 9}}', code=1).err
    assert len(store()) == 5
    gemexp("add", "-", "--strict", stdin="{}", code=2)


def test_many_lines_become_a_pack_and_are_as_if_added_one_by_one(gemexp, store, project, tmp_path):
    values = [
        {"hyperparameters": {"n": number}, "description": f"run {number}", "tags": [f"k={number % 7}"]}
        for number in range(1203)
    ]
    values += [{**values[3], "description": "once more", "tags": ["again"]}, values[4]]
    for value in values:
        value["created_at"] = "2026-01-01T00:00:00Z"
    lines = "".join(json.dumps(value) + "\n" for value in values)
    told = gemexp("add", "-", "--jsonl", "-t", "all", "--json", stdin=lines).json_lines
    assert [one["created"] for one in told] == [True] * 1203 + [False] * 2
    assert [one["source"] for one in told[:2]] == ["-:1", "-:2"]
    assert len(list((project / ".gemexp/packs").iterdir())) == 1
    other = ExperimentRegistry(tmp_path / "other")
    for value in values:
        other.register(ExperimentConfig.from_dict({**value, "tags": [*value["tags"], "all"]}))
    assert [one.to_dict() for one in store()] == [one.to_dict() for one in other]
    assert store().tags() == other.tags()
    assert store().check().problems == []
    before = contents(store().root)
    unchanged = "".join(json.dumps(value) + "\n" for value in values[4:1203])
    told = gemexp("add", "-", "--jsonl", "-t", "all", "--json", stdin=unchanged).json_lines
    assert not any(one["created"] for one in told)
    assert contents(store().root).keys() - before.keys() == set(), "what is there costs no new file"


def test_a_description_too_long_to_store_late_in_a_sweep_means_nothing_was_added(gemexp, store):
    lines = [{"hyperparameters": {"lr": number}} for number in range(299)]
    lines.append({"hyperparameters": {}, "description": "x" * (4 * 2**20 - 100)})
    before = snapshot(store().root)
    gemexp("add", "-", "--format", "jsonl", stdin="\n".join(map(json.dumps, lines)), code=1)
    assert snapshot(store().root) == before


def test_a_bad_file_or_tag_among_good_ones_means_nothing_was_added(gemexp, store, config_file, project):
    (project / "bad.yaml").write_text("a: 1\na: 2\n")
    before = snapshot(store().root)
    assert "bad.yaml:2" in gemexp("add", config_file, "bad.yaml", code=1).err
    gemexp("add", config_file, "-t", "", code=1)
    gemexp("add", config_file, "-t", "x" * 201, code=1)
    gemexp("add", config_file, "none.json", code=1)
    assert snapshot(store().root) == before


def test_params_takes_a_file_with_sections_as_hyperparameters(gemexp, store, config_file):
    gemexp("add", config_file, "--params")
    assert store().list_all()[0].hyperparameters == {**CONFIG, "feature_names": ["Sentiment", "Depth"]}


def test_an_unknown_key_beside_the_sections_is_an_error_and_params_is_the_way_round(gemexp, store, project):
    (project / "c.yaml").write_text("hyperparameters: {}\nlearning_rate: 1\n")
    result = gemexp("add", "c.yaml", code=1)
    assert "'c.yaml': 'learning_rate'" in result.err
    assert "hint: " in result.err
    gemexp("add", "c.yaml", "--params")
    assert len(store()) == 1


class TestVariants:
    def test_set_changes_what_a_file_holds(self, gemexp, store, config_file):
        settings = [
            "feature_weights.Sentiment=0.25",
            "hyperparameters.model.layers=[64, 32]",
            "hyperparameters.name=no",
        ]
        gemexp("add", config_file, *(part for text in settings for part in ("--set", text)))
        found = store().list_all()[0]
        assert found.feature_weights == {"Sentiment": 0.25, "Depth": 0.4}
        assert found.hyperparameters == {"k": 10, "lr": 0.001, "model": {"layers": [64, 32]}, "name": "no"}

    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("1", 1),
            ("1.0", 1.0),
            ("1e-3", 0.001),
            ("true", True),
            ("'1'", "1"),
            ("", None),
            ("null", None),
            ("a=b", "a=b"),
            ("{a: [1]}", {"a": [1]}),
            ("2024-01-31", "2024-01-31"),
            (".inf", float("inf")),
        ],
    )
    def test_values_are_yaml(self, gemexp, store, config_file, text, value):
        gemexp("add", config_file, "--set", f"hyperparameters.new={text}")
        found = store().list_all()[0].hyperparameters["new"]
        assert found == value
        assert type(found) is type(value)

    def test_a_variant_of_a_revision_records_its_parent_and_leaves_metadata_behind(self, gemexp, store, config_file):
        base = gemexp("add", config_file, "-d", "base", "-t", "best", "-q").out.strip()
        for rev in (base[:8], "best"):
            variant = gemexp("add", "--from", rev, "--set", "feature_weights.Sentiment=0.25", "-q").out.strip()
        found = store().get(variant)
        assert (found.description, found.tags) == ("", [])
        assert found.feature_weights["Sentiment"] == 0.25
        assert store().metadata(variant).parents == (base,)
        assert base[:12] in gemexp("show", variant).out

    def test_files_can_be_variants_too(self, gemexp, store, config_file, add):
        base = add({"x": 1})
        variant = gemexp("add", config_file, "--from", base[:8], "-q").out.strip()
        assert store().metadata(variant).parents == (base,)

    @pytest.mark.parametrize(
        ("setting", "words"),
        [
            ("lr=1", "'lr' is in no section"),
            ("hyperparameters.lr", "PATH=VALUE"),
            ("=1", "PATH=VALUE"),
            ("", "PATH=VALUE"),
            ("hyperparameters..x=1", "PATH=VALUE"),
            ("hyperparameters.lr.x=1", "hyperparameters.lr.x"),
            ("hyperparameters.x={a: ", "not YAML"),
            ("hyperparameters.x=!!binary aGk=", "bytes"),
            ("feature_weights.Sentiment=high", "feature_weights.Sentiment"),
            ("feature_names[9]=x", "feature_names[9]"),
            ("feature_names=Sentiment", "feature_names"),
            ("hyperparameters=5", "hyperparameters"),
            ("hyperparameters.n=18446744073709551616", "hyperparameters.n"),
        ],
    )
    def test_a_setting_that_cannot_be_made_is_refused(self, gemexp, store, config_file, setting, words):
        before = snapshot(store().root)
        result = gemexp("add", config_file, "--set", setting, code=1)
        assert words in result.err
        assert "hint: " in result.err
        assert snapshot(store().root) == before

    def test_a_base_that_is_not_there_is_not_found(self, gemexp, store, config_file):
        gemexp("add", "--from", "abcdef", code=3)
        gemexp("add", config_file, "--from", "nope", code=3)
        assert len(store()) == 0


def test_without_anything_to_add_it_is_a_usage_error(gemexp, store):  # noqa: ARG001
    assert "nothing to add" in gemexp("add", code=2).err
    gemexp("add", "--format", "xml", "x", code=2)


def test_yaml_that_uses_an_anchor_twice_adds_quietly(gemexp, store, project):
    (project / "c.yaml").write_text("a: &x 1\nb: &x 2\nc: *x\n")
    assert gemexp("add", "c.yaml").err == ""
    assert store().list_all()[0].hyperparameters == {"a": 1, "b": 2, "c": 2}


def test_a_hash_is_printed_only_once_object_record_and_tags_are_named_in_order_and_synced(
    gemexp, store, config_file, monkeypatch
):
    import os

    import click

    events, original_sync, original_link, original_echo = [], os.fsync, os.link, click.echo
    root = store().root

    def fsync(descriptor):
        original_sync(descriptor)
        events.append(("sync", os.path.realpath(f"/proc/self/fd/{descriptor}")))

    def link(source, target):
        original_link(source, target)
        events.append(("name", os.path.realpath(target)))

    original_open = os.open

    def opened(path, flags, *arguments, **options):
        descriptor = original_open(path, flags, *arguments, **options)
        if flags & os.O_CREAT and "/local/" not in path:
            events.append(("name", os.path.realpath(path)))
        return descriptor

    def echo(message=None, *arguments, **options):
        events.append(("print", message))
        original_echo(message, *arguments, **options)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "link", link)
    monkeypatch.setattr(os, "open", opened)
    monkeypatch.setattr(click, "echo", echo)
    config_hash = gemexp("add", config_file, "-d", "d", "-t", "best", "-q").out.strip()
    root = os.path.realpath(root)
    printed = events.index(("print", config_hash))
    names = [path for kind, path in events if kind == "name"]
    assert [os.path.relpath(path, root).split("/")[0] for path in names] == ["objects", "index", "refs"]
    for path in names:
        named = events.index(("name", path))
        folders = [os.path.dirname(path), os.path.dirname(os.path.dirname(path))]
        synced = [next(at for at in range(named, len(events)) if events[at] == ("sync", folder)) for folder in folders]
        assert named < min(synced)
        assert max(synced) < printed
