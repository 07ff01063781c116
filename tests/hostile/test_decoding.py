"""What is small and claims to be large: decoding takes no more memory, depth and time than the bytes that are there."""

import json
import os
import resource
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from packed_stores import the_pack
from seed_format import old_row, write_registry

from gemexp import ExperimentConfig, ExperimentRegistry, canonical
from gemexp.digest import hash_bytes
from gemexp.errors import Corrupt, GemexpError, InvalidInput
from gemexp.legacy import read_experiments
from gemexp.query.matching import like
from gemexp.query.where import parse
from gemexp.store import kinds, layout, pack_format
from gemexp.store.pack import Pack

MIB = 1 << 20
RIVALS = int(os.environ.get("GEMEXP_RIVALS", "2000"))
DECLARED = {
    "array of 4 Gi": b"\xdd\xff\xff\xff\xff",
    "map of 4 Gi": b"\xdf\xff\xff\xff\xff",
    "text of 4 GiB": b"\xdb\xff\xff\xff\xffabc",
    "bytes of 4 GiB": b"\xc6\xff\xff\xff\xffabc",
    "extension of 4 GiB": b"\xc9\xff\xff\xff\xff\x01abc",
    "arrays of 4 Gi in each other": b"\xdd\xff\xff\xff\xff" * 1000,
    "arrays of 64 Ki in each other": b"\xdc\xff\xff" * 60,
    "a million arrays": b"\x91" * 1_000_000,
    "a million maps": b"\x81\xa1a" * 300_000,
    "empty maps": b"\xdd\x00\x0f\xff\xfa" + b"\x80" * (MIB - 6),
    "nil": b"\xdd\x00\x0f\xff\xfa" + b"\xc0" * (MIB - 6),
}

# In a process of its own, which may take so much memory more than it has when all is loaded.
LIMITED = """
import os, resource, sys
from gemexp.cli import main
from gemexp import canonical, formats, registry, outcome
from gemexp.store import check, merge
import gemexp.formats.yaml, gemexp.formats.json
with open("/proc/self/statm") as file:
    now = int(file.read().split()[0]) * os.sysconf("SC_PAGESIZE")
resource.setrlimit(resource.RLIMIT_AS, (now + {room}, now + {room}))
resource.setrlimit(resource.RLIMIT_CPU, ({seconds}, {seconds}))
sys.exit(main(sys.argv[1:]))
"""


def limited(*arguments, room=400 * MIB, seconds=60, data=b""):
    """Run a command that may take little more memory than it has, and so much time of the processor's at most."""
    program = LIMITED.format(room=room, seconds=seconds)
    command = [sys.executable, "-c", program, *map(str, arguments)]
    done = subprocess.run(command, input=data, capture_output=True, check=False)
    assert b"Traceback" not in done.stderr, done.stderr.decode()
    assert b"bug" not in done.stderr, done.stderr.decode()
    assert done.returncode in range(7), (done.returncode, done.stderr)
    return done


def put(registry, path, data):
    place = f"{registry.root}/{path}"
    os.makedirs(os.path.dirname(place), exist_ok=True)
    with open(place, "wb") as file:
        file.write(data)
    return place


@pytest.mark.parametrize("data", DECLARED.values(), ids=DECLARED)
def test_what_bytes_declare_is_not_allocated(data):
    for wrap in (b"%s", b"\x82\xa1$\xafgemexp/config@1\xa1a%s"):
        for read in (canonical.decode, ExperimentConfig.from_bytes, lambda data: canonical.peek(data, ("a",))):
            try:
                read(wrap % data)
            except GemexpError:
                continue


def test_objects_and_records_that_declare_much_are_told_as_damage_within_little_memory(registry, project):
    (project / ".gemexp").symlink_to(registry.root)
    known = registry.register(ExperimentConfig([], {}, {"a": 1}))
    for data in list(DECLARED.values())[:8]:
        whole = b"\x82\xa1$\xafgemexp/config@1\xa1a" + data
        put(registry, layout.object_path(hash_bytes(whole)), whole)
        put(registry, layout.record_path(known, hash_bytes(whole)), whole)
        put(registry, f"refs/names/production/{hash_bytes(whole)}", whole)
    assert limited("list").stdout.count(b"\n") == 1
    assert limited("show", known).returncode in (0, 5)
    found = limited("fsck")
    assert found.returncode == 5
    assert found.stdout.count(b"objects/") >= 8


def test_a_pack_that_claims_much_holds_what_is_in_it(registry):
    registry.add_many(ExperimentConfig([], {}, {"n": number}) for number in range(5))
    registry.pack()
    content = Path(f"{registry.root}/{the_pack(registry.root)}").read_bytes()
    first = next(pack_format.frames(content, 8, len(content)))
    huge = bytearray(pack_format.frame(first.key, b"x"))
    forged = [
        content + pack_format.MARK + b"\0\0\0\0\x21\xff\xff\xff\x7f" + first.key,
        content + bytes(huge) * 1000,
        content + content[8:] * 50,  # all entries again: no reader sees those that are not in order
        pack_format.MAGIC + pack_format.MARK * 400_000,
        pack_format.MAGIC + b"".join(pack_format.frame(b"\x85../../x/" + bytes(32), b"") for _ in range(1000)),
        pack_format.MAGIC + b"".join(pack_format.frame(b"\x81" + bytes([byte]) * 32, b"x") for byte in range(256)),
        pack_format.MAGIC
        + pack_format.frame(b"\x85/" + bytes(32), b"")
        + pack_format.frame(b"\x85%00/" + bytes(32), b""),
    ]
    for data in forged:
        began = time.process_time()
        pack = Pack(hash_bytes(data), data)
        paths = [path for path, _ in pack.paths()]
        assert len(paths) == len(set(paths))
        assert all(pack_format.is_path(path) and ".." not in path.split("/") for path in paths)
        assert time.process_time() - began < 30


def test_thousands_of_rivals_and_records_of_four_mib_are_read(registry, project):
    (project / ".gemexp").symlink_to(registry.root)
    config = registry.register(ExperimentConfig([], {}, {"a": 1}))
    folder = f"{registry.root}/refs/names/production"
    os.makedirs(folder)
    move = {"$": kinds.MOVE, "by": None, "config": config, "created_at": "2024-01-01", "name": "production"}
    for number in range(RIVALS):
        data = canonical.encode({**move, "by": str(number), "restores": None, "supersedes": []})
        with open(f"{folder}/{hash_bytes(data)}", "wb") as file:
            file.write(data)
    for text in ("x" * (4 * MIB - 400), ""):
        note = {"$": kinds.DESCRIPTION, "config": config, "created_at": "2024-01-01", "description": text}
        data = canonical.encode({**note, "supersedes": [config] * (0 if text else 60_000)})
        put(registry, layout.record_path(config, hash_bytes(data)), data)
    assert limited("show", "production", seconds=120).returncode in (0, 5)
    assert limited("name", seconds=120).returncode in (0, 5)
    assert limited("list", seconds=120).returncode in (0, 5)


def _laughs():
    return "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 10))


def _merges():
    lines = [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}], k{n}: 1}}\n" for n in range(1, 30)]
    return "a0: &a0 {x: 1}\n" + "".join(lines)


BOMBS = {
    "laughs.yaml": _laughs(),
    "merges.yaml": _merges(),
    "itself.yaml": "a: &a [*a]\n",
    "itself-merged.yaml": "a: &a {<<: *a}\n",
    "key.yaml": "? &a [*a]\n: 1\n",
    "nested.yaml": "[" * 20_000,
    "nested-maps.yaml": "".join(" " * n + "a:\n" for n in range(500)),
    "nested.json": "[" * 1_000_000,
    "nested-maps.json": '{"a":' * 300_000,
    "nested.toml": "a = " + "[" * 100_000,
    "keys.toml": ".".join("a" * 20_000) + " = 1\n",
    "tables.toml": "".join(f"[{'.'.join('a' * n)}]\n" for n in range(1, 200)),
    "digits.json": '{"a": ' + "9" * 1_000_000 + "}",
    "digits.yaml": "a: " + "9" * 1_000_000,
    "digits.toml": "a = " + "9" * 1_000_000,
    "hexadecimal.yaml": "a: 0x" + "f" * 1_000_000,
    "hexadecimal.toml": "a = 0x" + "f" * 1_000_000,
    "sexagesimal.yaml": "%YAML 1.1\n---\na: " + "1:" * 100_000 + "1",
    "exponent.json": '{"a": 1e999999999}',
    "exponent.yaml": "a: 1e999999999",
    "exponent.toml": "a = 1e999999999",
    "objects.yaml": "a: !!python/object/apply:os.system ['touch canary']\n",
    "modules.yaml": "a: !!python/name:os.system\n",
    "many.json": "{" + ",".join(f'"{n}":1' for n in range(100_000)) + "}",
    "same.json": "{" + ",".join('"a":1' for n in range(100_000)) + "}",
    "documents.yaml": "a: 1\n---\n" * 2_000,
    "flow.yaml": "a: " + "{a: " * 2_000,
    "quotes.yaml": 'a: "' + "\\x41" * 20_000,
    "dashes.yaml": "- " * 2_000,
}


def test_texts_that_grow_end_in_an_answer(gemexp, project):
    gemexp("init")
    for name, text in BOMBS.items():
        (project / name).write_text(text)
    done = limited("add", *BOMBS, seconds=120)
    assert done.returncode == 1, "the first bad one is told, and nothing was added"
    program = Path(__file__).with_name("reading_bombs.py")
    done = subprocess.run([sys.executable, program, *BOMBS], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    assert not (project / "canary").exists()


def test_patterns_take_no_exponential_time():
    text = "a" * 3000
    for pattern in (
        "%a" * 30 + "b",
        "%_" * 200 + "b",
        "%a%a%a%a%a%a%ab",
        "_%" * 500,
        "%" * 1000,
        "%aa" * 100,
        "(a+)+$" * 10,
    ):
        began = time.process_time()
        assert like(pattern)(text) in (True, False)
        assert time.process_time() - began < 30, pattern


@pytest.mark.parametrize(
    "text",
    [
        "(" * 20_000,
        "(" * 5_000 + "a = 1" + ")" * 5_000,
        "not " * 5_000 + "a = 1",
        " and ".join(["a = 1"] * 4_000),
        " or ".join(["(a = 1 and b = 2)"] * 2_000),
        f"a in [{', '.join(['1'] * 10_000)}]",
        "a" + ".b" * 100_000 + " = 1",
        "a" + "[0]" * 100_000 + " = 1",
        f"a = {'9' * 100_000}",
        "a = 1e999999999",
        f"created_at > now - {'9' * 50_000}d",
        'a = "' + "\\u0041" * 50_000 + '"',
        'a = "' + "\\" * 100_001,
        "a like '" + "%_" * 5_000 + "'",
    ],
    ids=lambda text: text[:12],
)
def test_long_questions_get_an_answer(registry, text):
    registry.register(ExperimentConfig([], {}, {"a": 1, "b": {"c": "x"}}, tags=["t"]))
    try:
        registry.select(text)
        str(parse(text))
    except GemexpError as error:
        assert str(error)  # noqa: PT017 - either is an answer


def test_numbers_of_a_million_digits_are_no_lengths(registry, gemexp, project):
    (project / ".gemexp").symlink_to(registry.root)
    config = registry.register(ExperimentConfig([], {}, {"a": 1}, tags=["t"]))
    for name in (f"{config}.999999999", f"{config}.{'9' * 180}", f"{config}.1", f"{config}.02", f"{config}.\u0663"):
        put(registry, f"refs/tags/t/{name}", b"")
        put(registry, f"refs/deleted/{name}", b"")
    assert "[t]" in gemexp("list").out
    assert gemexp("fsck").code == 5


# SQLite files


def test_a_view_that_never_ends_is_no_table(tmp_path):
    path = tmp_path / "old.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(
            "CREATE VIEW experiments AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
            "SELECT i AS config_hash, '{}' AS config_json, i AS created_at FROM n"
        )
        connection.execute("CREATE TABLE experiment_tags (config_hash, tag)")
        connection.commit()
    with pytest.raises(InvalidInput, match="no table 'experiments'"):
        read_experiments(str(path))


def test_what_is_computed_when_it_is_read_is_no_column(tmp_path):
    path = tmp_path / "old.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(
            "CREATE TABLE experiments (config_hash TEXT, config_json TEXT AS (hex(zeroblob(1000000))) VIRTUAL)"
        )
        connection.execute("INSERT INTO experiments (config_hash) VALUES ('abcd')")
        connection.commit()
    with pytest.raises(InvalidInput, match="no table 'experiments'"):
        read_experiments(str(path))


def test_triggers_and_virtual_tables_run_nothing(tmp_path):
    path = tmp_path / "old.sqlite"
    write_registry(path, [old_row("abcd1234")])
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TRIGGER t AFTER INSERT ON experiments BEGIN DELETE FROM experiments; END")
        connection.execute("DROP TABLE experiment_tags")
        connection.execute("CREATE VIRTUAL TABLE experiment_tags USING fts4(config_hash, tag)")
        connection.execute("INSERT INTO experiment_tags VALUES ('abcd1234', 'theirs')")
        connection.commit()
    before = path.read_bytes()
    (found,) = read_experiments(str(path))
    assert "theirs" not in found.config.tags
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["old.sqlite"]


def _with_a_journal_that_names(path, victim):
    """Make a database with a rollback journal that SQLite would play back, and that names a file."""
    child = os.fork()
    if not child:
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute("PRAGMA cache_size = 1")
        connection.execute("BEGIN")
        connection.execute("CREATE TABLE big (x)")
        for _ in range(200):
            connection.execute("INSERT INTO big VALUES (zeroblob(2000))")
        os._exit(0)
    os.waitpid(child, 0)
    name = os.fsencode(victim)
    size = int.from_bytes(path.read_bytes()[16:18])
    parts = (0x40000000 // size + 1).to_bytes(4), name, len(name).to_bytes(4), sum(name).to_bytes(4)
    with open(f"{path}-journal", "ab") as journal:
        journal.write(b"".join(parts) + bytes.fromhex("d9d505f920a163d7"))


def test_a_journal_has_no_file_deleted(tmp_path):
    victim, path = tmp_path / "victim", tmp_path / "old.sqlite"
    victim.write_text("precious")
    write_registry(path, [old_row("abcd1234")])
    _with_a_journal_that_names(path, victim)
    with pytest.raises(InvalidInput, match="journal"):
        read_experiments(str(path))
    assert victim.exists()
    with closing(sqlite3.connect(path)) as connection:  # the danger is there: SQLite itself
        connection.execute("SELECT * FROM experiments").fetchall()
    assert not victim.exists()


def test_a_journal_beside_the_index_has_no_file_deleted(registry, gemexp, project, tmp_path):
    (project / ".gemexp").symlink_to(registry.root)
    registry.register(ExperimentConfig([], {}, {"a": 1}))
    victim, index = tmp_path / "victim", registry.root
    victim.write_text("precious")
    gemexp("index", "build", code=0)
    _with_a_journal_that_names(Path(index) / "local/index.sqlite", victim)
    assert gemexp("list", code=0).out.count("\n") == 1
    gemexp("search", "--where", "a = 1", code=0)
    assert victim.exists()


def test_an_index_that_a_store_came_with_is_not_believed_nor_waited_for(registry, gemexp, project):
    (project / ".gemexp").symlink_to(registry.root)
    registry.register(ExperimentConfig([], {}, {"a": 1}))
    with closing(sqlite3.connect(f"{registry.root}/local/index.sqlite")) as connection:
        connection.execute(
            "CREATE VIEW facts AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
            "SELECT i AS name, i AS value FROM n"
        )
        connection.commit()
    assert gemexp("list", code=0).out.count("\n") == 1
    assert gemexp("search", "--where", "a = 1", code=0).out.count("\n") == 1
    gemexp("index", "status")


def test_a_journal_that_is_a_device_is_not_copied(tmp_path):
    path = tmp_path / "old.sqlite"
    write_registry(path, [old_row("abcd1234")])
    for name in ("/dev/zero", str(tmp_path / "pipe")):
        if name.endswith("pipe"):
            os.mkfifo(name)
        os.symlink(name, f"{path}-wal")
        with pytest.raises(InvalidInput, match="journal"):
            read_experiments(str(path))
        os.unlink(f"{path}-wal")


def test_what_is_imported_has_the_hash_that_it_says(gemexp, project):
    gemexp("init")
    config = ExperimentConfig([], {}, {"a": 1}).to_dict()
    for name, text in (
        ("one.json", json.dumps({**config, "hyperparameters": {"a": 2}})),
        ("two.jsonl", json.dumps({**config, "config_hash": "0" * 64}) + "\n"),
        ("three.json", json.dumps({**config, "config_hash": "../../x"})),
    ):
        (project / name).write_text(text)
        assert gemexp("import", name, code=1).err.count("config_hash")
    assert gemexp("list").out == ""


def test_limits_are_those_of_this_process():
    with pytest.raises(Corrupt):
        canonical.decode(bytes(5 * MIB))
    assert resource.getrlimit(resource.RLIMIT_AS)[0] != 400 * MIB
    assert ExperimentRegistry
