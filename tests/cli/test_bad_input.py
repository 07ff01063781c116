"""Bad input gives one clear line with file, key and hint, and leaves the store byte for byte as it was."""

import json
import os

import pytest
from surroundings import make_read_only, make_writable, obey_permissions, snapshot, write_nothing

FIVE_MIB = 5 * 2**20
DEEP = '{"a":' * 70 + "1" + "}" * 70
VERY_DEEP = "[" * 5_000 + "]" * 5_000

# name, content, what the message must name, the line if there is one
BAD_FILES = [
    ("broken.json", '{"a": 1,\n "b": }', ["broken.json:2", "not JSON"]),
    ("cut.json", '{"hyperparameters": {"a": 1', ["cut.json:1", "not JSON"]),
    ("broken.yaml", "a: 1\nb: [1,\n", ["broken.yaml:", "not YAML"]),
    ("tabs.yaml", "a:\n\t- 1\n", ["tabs.yaml:2", "not YAML"]),
    ("broken.toml", "a = 1\nb =\n", ["broken.toml:2", "not TOML"]),
    ("twice.json", '{"a": {"lr": 1, "lr": 2}}', ["twice.json", '"lr"', "'a'"]),
    ("twice.yaml", "a:\n  lr: 1\n  lr: 2\n", ["twice.yaml:3", "lr"]),
    ("twice.toml", "[a]\nlr = 1\nlr = 2\n", ["twice.toml:3"]),
    ("bytes.yaml", "a:\n  b: !!binary aGk=\n", ["bytes.yaml", "hyperparameters.a.b", "bytes"]),
    ("set.yaml", "a: !!set {x, y}\n", ["set.yaml", "hyperparameters.a", "set"]),
    ("key.yaml", "a:\n  1: x\n", ["key.yaml", "hyperparameters.a", "int"]),
    ("time.toml", "[a]\nb = 09:00:00\n", ["time.toml", "hyperparameters.a.b", "time"]),
    ("naive.toml", "a = 2024-01-31T09:00:00\n", ["naive.toml", "hyperparameters.a", "zone"]),
    ("tag.yaml", "a: 1\nb: !!python/object/apply:os.system [x]\n", ["tag.yaml:2"]),
    ("surrogate.json", '{"a": ["\\ud800"]}', ["surrogate.json", "hyperparameters.a[0]", "U+D800"]),
    ("surrogate_key.json", '{"a": {"\\udfff": 1}}', ["surrogate_key.json", "U+DFFF"]),
    ("large.json", '{"a": {"n": 18446744073709551616}}', ["large.json", "hyperparameters.a.n", "integer"]),
    ("larger.json", '{"a": {"n": ' + "9" * 5000 + "}}", ["larger.json", "a.n", "integer"]),
    ("larger.yaml", "a:\n  n: " + "9" * 5000 + "\n", ["larger.yaml", "integer"]),
    ("larger.toml", "[a]\nn = " + "9" * 5000 + "\n", ["larger.toml", "integer"]),
    ("negative.yaml", "n: -9223372036854775809\n", ["negative.yaml", "hyperparameters.n", "integer"]),
    ("float.json", '{"a": [1e999]}', ["float.json", "a[0]", "1e999"]),
    ("deep.json", DEEP, ["deep.json", "hyperparameters.a.a", "nested"]),
    ("deeper.json", f'{{"a": {VERY_DEEP}}}', ["deeper.json", "nested"]),
    ("deeper.yaml", VERY_DEEP, ["deeper.yaml", "nested"]),
    ("deeper.toml", f"a = {VERY_DEEP}", ["deeper.toml", "nested"]),
    ("five.json", json.dumps({"a": {"b": "x" * FIVE_MIB}}), ["five.json", "hyperparameters.a.b", "4194304"]),
    ("numbers.json", json.dumps({"a": [1.5] * 600_000}), ["numbers.json", "4194304"]),
    ("five.yaml", "a: " + "x" * FIVE_MIB, ["five.yaml", "4194304"]),
    ("five.toml", f'a = "{"x" * FIVE_MIB}"', ["five.toml", "hyperparameters.a", "4194304"]),
    (
        "unknown.yaml",
        "hyperparameters: {}\nhyperparamters: {}\n",
        ["unknown.yaml", "'hyperparamters'", "hyperparameters"],
    ),
    ("hash.json", '{"hyperparameters": {}, "config_hash": "' + "0" * 64 + '"}', ["hash.json", "config_hash"]),
    ("weights.yaml", "feature_weights: {a: high}\n", ["weights.yaml", "feature_weights.a"]),
    ("names.yaml", "feature_names: [a, b, a]\n", ["names.yaml", "feature_names[2]"]),
    ("floats.json", '{"hyperparameters": {"x": {"$float": "one"}}}', ["floats.json", "hyperparameters.x", "$float"]),
    ("list.json", "[1, 2]", ["list.json", "not a map"]),
    ("text.yaml", "just text\n", ["text.yaml", "not a map"]),
    ("empty.json", "", ["empty.json"]),
    ("empty.yaml", "", ["empty.yaml"]),
    ("empty.toml", "", ["empty.toml"]),
    ("documents.yaml", "a: 1\n---\nb: 2\n", ["documents.yaml", "document"]),
    ("binary.yaml", bytes(range(256)) * 4, ["binary.yaml", "UTF-8"]),
    ("binary.json", b"\x89PNG\r\n\x1a\n\x00\x00", ["binary.json", "UTF-8"]),
    ("zeros.json", bytes(1000), ["zeros.json", "not JSON"]),
    ("utf16.json", '{"a": 1}'.encode("utf-16"), ["utf16.json", "UTF-8"]),
    ("sweep.jsonl", '{"a": 1}\n{"a": 2}\n{"a":\n', ["sweep.jsonl:3"]),
    ("created.json", '{"hyperparameters": {}, "created_at": "yesterday"}', ["created.json", "created_at"]),
    ("tags.json", '{"hyperparameters": {}, "tags": "best"}', ["tags.json", "tags"]),
    ("tag.json", '{"hyperparameters": {}, "tags": [""]}', ["tag.json", "tag"]),
]


@pytest.fixture
def kept(add, store):
    """A store with something in it, and what it looks like."""
    add({"kept": 1}, "-d", "kept", "-t", "kept")
    return snapshot(store().root)


def told(result):
    """Return the one error line, checked for its form."""
    assert result.out == ""
    lines = result.err.splitlines()
    assert 1 <= len(lines) <= 2
    assert lines[0].startswith("error: ")
    assert not lines[0].endswith(".")
    assert len(lines[0]) < 600
    assert len(lines) == 2, f"no hint: {result.err}"
    assert lines[1].startswith("hint: ")
    return lines[0]


@pytest.mark.parametrize(("name", "content", "words"), BAD_FILES, ids=[name for name, _, _ in BAD_FILES])
def test_a_bad_file_is_told_by_name_and_key_and_nothing_changes(gemexp, store, kept, project, name, content, words):
    (project / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    (project / "good.yaml").write_text("good: 1\n")
    result = gemexp("add", "good.yaml", name, "-t", "x", code=1)
    assert told(result)
    for word in words:
        assert word in result.err
    error = gemexp("add", name, "--json", code=1).error
    assert error["kind"].startswith("invalid")
    assert error["hint"]
    assert name in error["message"]
    assert snapshot(store().root) == kept


@pytest.mark.parametrize("name", ["folder", "none.json", "none/c.json", "good.yaml/c.json", "/dev/zero", "dangling"])
def test_what_is_no_file_is_told_by_name_and_nothing_changes(gemexp, store, kept, project, name):
    (project / "folder").mkdir()
    (project / "good.yaml").write_text("good: 1\n")
    os.symlink("nowhere", project / "dangling")
    message = told(gemexp("add", "good.yaml", name, code=1))
    assert f"'{name}'" in message
    assert snapshot(store().root) == kept


def test_a_file_that_may_not_be_read_is_told_by_name(process, gemexp, store, kept, project):  # noqa: ARG001
    (project / "secret.yaml").write_text("a: 1\n")
    (project / "secret.yaml").chmod(0)
    message = told(process("add", "secret.yaml", preexec_fn=obey_permissions))
    assert "'secret.yaml'" in message
    assert snapshot(store().root) == kept


@pytest.mark.parametrize("name", ["new\nline.json", "\x1b[31mred.json", "quote'.json", "ü.json"])
def test_odd_file_names_are_told_on_one_line(gemexp, store, kept, project, name):
    (project / name).write_text("{")
    message = told(gemexp("add", name, code=1))
    assert "\x1b" not in message
    assert snapshot(store().root) == kept


def test_file_names_that_are_not_utf_8_are_told(process, store, kept, project):
    name = b"\xff\xfe.json"
    with open(os.fsencode(project) + b"/" + name, "wb") as file:
        file.write(b"{")
    result = process("add", name)
    assert result.code == 1
    told(result)
    with open(os.fsencode(project) + b"/" + name, "wb") as file:
        file.write(b'{"a": 1}')
    assert snapshot(store().root) == kept
    assert process("add", name).code == 0
    assert process("add", name, "--json").json_lines


WRITES = [
    ["add", "good.yaml"],
    ["add", "--from", "kept", "--set", "hyperparameters.x=1"],
    ["tag", "kept", "more"],
    ["tag", "-d", "kept", "kept"],
    ["tag", "--rename", "kept", "other"],
    ["describe", "kept", "other"],
    ["delete", "kept", "--force"],
    ["import", "exported.json"],
]


@pytest.fixture
def files(project):
    (project / "good.yaml").write_text("good: 1\n")
    (project / "exported.json").write_text('{"feature_names": ["new"]}')


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("command", WRITES, ids=lambda command: " ".join(command[:2]))
def test_a_read_only_store_is_told_and_can_be_read(process, store, kept, project, command):  # noqa: ARG001
    make_read_only(project / ".gemexp")
    before = snapshot(store().root)
    try:
        result = process(*command, preexec_fn=obey_permissions)
        assert result.code == 1
        assert "cannot write to the store" in told(result)
        assert json.loads(process(*command, "--json", preexec_fn=obey_permissions).err)["error"]["kind"] == "unwritable"
        assert snapshot(store().root) == before
        for reading in (["list"], ["show", "kept"], ["fsck"], ["tag"], ["search", "kept"], ["export", "--all", "-"]):
            assert process(*reading, preexec_fn=obey_permissions).code == 0
    finally:
        make_writable(project / ".gemexp")


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("command", WRITES, ids=lambda command: " ".join(command[:2]))
def test_a_disk_that_takes_no_byte_is_told_or_not_needed(process, store, kept, command):
    result = process(*command, preexec_fn=write_nothing)
    if result.code == 0:  # tags and deletions are names alone
        assert command[0] in ("tag", "delete")
        return
    assert result.code == 1
    assert "cannot write to the store" in result.err.splitlines()[0]
    assert "Traceback" not in result.err
    local_alone = {name: kind for name, kind in snapshot(store().root).items() if name not in kept}
    assert all(name.startswith("local/") for name in local_alone)
    assert {name: kind for name, kind in snapshot(store().root).items() if name in kept} == kept


def test_a_store_that_may_not_be_read_is_not_taken_for_an_empty_or_corrupt_one(process, kept, project):  # noqa: ARG001
    for folder in ("index", "objects", "refs/tags"):
        (project / ".gemexp" / folder).chmod(0)
        try:
            result = process("list", preexec_fn=obey_permissions)
            assert result.code == 1, folder
            assert "read" in told(result)
        finally:
            (project / ".gemexp" / folder).chmod(0o755)
