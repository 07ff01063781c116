"""What is fed with hostile bytes: each target takes an input, and may raise nothing but errors of gemexp's own.

A target is made for a folder of its own, where it may leave files. ``inputs`` is how many of them a run tries.
"""

import contextlib
import io
import os
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

from gemexp import ExperimentConfig, ExperimentRegistry, canonical, contents, formats, html, lines, markdown, notation
from gemexp.backtest.panel_text import parse_csv
from gemexp.config import config_from_value, peek
from gemexp.digest import hash_bytes
from gemexp.errors import Corrupt, GemexpError
from gemexp.legacy import read_experiments
from gemexp.outcome import StoredOutcome
from gemexp.paths import parse_assignment, parse_pair, parse_path
from gemexp.query.matching import like
from gemexp.query.where import parse
from gemexp.sources import read_configs, read_exported
from gemexp.store import (
    check,
    git_tree,
    journal,
    kinds,
    layout,
    names,
    pack_check,
    pack_format,
    pack_index,
    records,
    salvage,
)
from gemexp.store.pack import Pack
from gemexp.texts import text as shown_by_git
from gemexp.unpacking import unpack

CORPUS = Path(__file__).parent / "corpus"
HASH = "c58910ad1120938c60b02a715fd3700b00f4535178e3942031988cb6c0dc9e08"
STORES = [".gemexp"]

Run = Callable[[bytes], object]


class Target(NamedTuple):
    name: str
    make: Callable[[Path], Run]
    inputs: int
    tokens: tuple[bytes, ...] = ()

    def corpus(self):
        """Return what is kept in the repository: good inputs, and those that once did harm."""
        return [path.read_bytes() for path in sorted((CORPUS / self.name).iterdir())]


def canonical_bytes(_folder):
    def run(data):
        with contextlib.suppress(GemexpError):
            canonical.peek(data, ("a", "$"))
        with contextlib.suppress(ValueError):  # all that whoever calls it expects
            unpack(data)
        value = canonical.decode(data)
        assert canonical.encode(value) == data

    return run


def objects(_folder):
    def run(data):
        with contextlib.suppress(GemexpError):
            peek(data, ("hyperparameters", "feature_names"))
        for read in (ExperimentConfig.from_bytes, StoredOutcome.from_bytes, check.kind_of):
            with contextlib.suppress(GemexpError):
                found = read(data)
                if isinstance(found, ExperimentConfig):
                    assert found.to_bytes() == data
                    _harmless(found.summary(), html.config_table(found), allowed="\n")
        name = hash_bytes(data)
        for path in (f"objects/{name[:2]}/{name}", f"objects/{HASH[:2]}/{HASH}", "index/aa/x"):
            _harmless(shown_by_git(path, data, STORES).decode(), allowed="\n\t")

    return run


def record(_folder):
    def run(data):
        name = hash_bytes(data)
        with contextlib.suppress(Corrupt):
            value = canonical.decode(data)
            about = value.get("alias", value.get("name", value.get("config"))) if isinstance(value, dict) else ""
            found = kinds.read(data, name, about)
            if found["$"] == kinds.MOVE:
                move = names.from_value(name, found)
                pointer = names.assemble(move.name, [move, move._replace(record=HASH, supersedes=(name,))])
                pointer.before()
            elif found["$"] != kinds.ALIAS:
                metadata = records.summarise({name: found, HASH: found})
                assert isinstance(metadata.disputed, frozenset)
        _harmless(shown_by_git(f"index/aa/{HASH}-{name}", data, STORES).decode(), allowed="\n\t")

    return run


def pack(_folder):
    def run(data):
        name = hash_bytes(data)
        found = Pack(name, data)
        _use_pack(found)
        list(pack_check.walk(data))
        for key, content in salvage._whole_entries(data, []):
            assert pack_format.frame(key, content) in data
        _harmless("\n".join(contents.lines(data)), allowed="\n")

    return run


def _use_pack(found):
    for folder in ("", "objects", "index", "refs", "refs/tags", "refs/names", "refs/deleted", "objects/aa"):
        for name in found.names(folder, ""):
            assert name
        found.has_folder(folder)
    for path, _ in found.paths():
        assert pack_format.is_path(path)
        assert ".." not in path.split("/")
        assert not path.startswith(("/", "local"))
        found.find(path)
        folder = path.rpartition("/")[0]
        found.has_folder(folder)
        list(found.entries(folder))
        list(found.names(folder, path.rpartition("/")[2][:5]))
    list(found.memberships(HASH))
    list(found.keyed())


def planted_index(folder):
    """An index in ``local/`` that a store came with: its checksums are right, as whoever made it can compute them."""
    content = (CORPUS / "pack" / "store.gxp").read_bytes()
    name = hash_bytes(content)
    (folder / "packs").mkdir()
    (folder / "local/packs").mkdir(parents=True)
    (folder / layout.pack_path(name)).write_bytes(content)
    planted = folder / layout.pack_index_path(name)

    def run(data):
        planted.unlink(missing_ok=True)
        planted.write_bytes(sealed(data, name))
        _use_pack(Pack.open(str(folder), name))

    return run


def sealed(data, pack):
    """Return an index with the checksums that belong to its content, as far as it can be read at all."""
    words_at, end = pack_index._WORDS_AT, pack_index._HEADER_BYTES
    if len(data) < end:
        return data
    head = bytearray(data[:end])
    head[: len(pack_index._MAGIC)] = pack_index._MAGIC
    head[len(pack_index._MAGIC) : words_at] = bytes.fromhex(pack)
    head[words_at : words_at + 8] = pack_index._ORDER.to_bytes(8, sys.byteorder)
    for _ in range(2):  # first so that it can be read, then with the sums of what is read
        head[-8:] = crc32(bytes(head[:-8])).to_bytes(8, sys.byteorder)
        with contextlib.suppress(ValueError, IndexError, TypeError):
            index = pack_index.PackIndex(bytes(head) + data[end:], pack)
            sums = [index._sum(section) for section in range(len(index._sums))]
            head[-8 - 8 * len(sums) : -8] = b"".join(one.to_bytes(8, sys.byteorder) for one in sums)
    return bytes(head) + data[end:]


def journals(folder):
    (folder / "local/journal").mkdir(parents=True)
    place = folder / f"local/journal/{os.getuid()}.jsonl"

    def run(data):
        place.write_bytes(data)
        journal.last(str(folder))

    return run


def text_of(format_):
    def make(_folder):
        def run(data):
            config = config_from_value(formats.loads(data, format_))
            stored = config.to_bytes()
            assert ExperimentConfig.from_bytes(stored).to_bytes() == stored
            assert ExperimentConfig.from_json(config.to_json()).to_bytes() == stored

        return run

    return make


def any_text(_folder):
    def run(data):
        for source in read_configs(io.BytesIO(data), "input"):
            source.config.to_bytes()

    return run


def exported(_folder):
    def run(data):
        for format_ in ("json", "jsonl"):
            with contextlib.suppress(GemexpError):
                read_exported(io.BytesIO(data), "input", format=format_)
        for _ in lines.read(io.BytesIO(data), lines.Changes(exported=True)):
            pass

    return run


def _small_store(folder):
    registry = ExperimentRegistry(folder / "store")
    for number in range(3):
        registry.register(
            ExperimentConfig(
                ["a", "b"],
                {"a": 0.5},
                {"lr": number / 7, "model": {"name": "x" * number, "layers": [1, 2]}, "flag": True},
                description=f"number {number}",
                tags=["all", f"t{number}", "a:b"],
                created_at=f"2024-01-0{number + 1}T00:00:00Z",
            )
        )
    first = registry.list_all()[0].config_hash
    registry.record(first, {"loss": 0.5}, data={"panel": "x"})
    registry.move_name("production", first)
    return registry


def revision(folder):
    registry = _small_store(folder)

    def run(data):
        text = data.decode("utf-8", "surrogateescape")
        registry.resolve_with_path(text)

    return run


def path(_folder):
    def run(data):
        text = data.decode("utf-8", "surrogateescape")
        for read in (parse_assignment, parse_pair):
            with contextlib.suppress(GemexpError):
                read(text)
        found = parse_path(text)
        assert parse_path(notation.format_path(found)) == found

    return run


def where(folder):
    registry = _small_store(folder)

    def run(data):
        query = parse(data.decode("utf-8", "surrogateescape"))
        assert parse(str(query)) == query or "now" in str(query)
        registry.select(query)

    return run


def pattern(_folder):
    subject = "".join(chr(0x20 + number % 0x50) for number in range(3000)) + "a" * 3000

    def run(data):
        like(data.decode("utf-8", "replace"))(subject)

    return run


def panel(_folder):
    def run(data):
        found = parse_csv(data, "input", sort=True)
        assert parse_csv(found.to_csv().encode(), "again").digest == found.digest

    return run


def names_of_files(_folder):
    def run(data):
        text = data.decode("utf-8", "surrogateescape")
        found = layout.unescape_name(text)
        assert found is None or layout.escape_name(found, "name") == text
        for parse_name in (
            layout.parse_record_name,
            layout.parse_member_name,
            layout.parse_pair,
            layout.parse_pack_name,
            layout.parse_object_name,
        ):
            parse_name(text)
        pack_format.is_path(text)
        with contextlib.suppress(GemexpError):
            escaped = layout.escape_name(text, "tag")
            assert not set(escaped) & set('/\\:*?"<>| \0\n')
            assert escaped.strip(".") == escaped
            assert layout.unescape_name(escaped) == text
        with contextlib.suppress(GemexpError):
            names.check_name(text)
        with contextlib.suppress(GemexpError):
            assert pack_format.is_path(pack_format.to_path(data))

    return run


def old_registry(folder):
    place = folder / "experiments.sqlite"

    def run(data):
        place.write_bytes(data)
        read_experiments(str(place))

    return run


def tree_of_git(_folder):
    def run(data):
        for name, entry in git_tree._entries(data, 20):
            assert "\0" not in name
            assert entry.blob == "" or int(entry.blob, 16) >= 0

    return run


def output(_folder):
    """Text of a store as it is printed: nothing that a terminal, a browser or a forge would obey is left of it."""

    def run(data):
        text = data.decode("utf-8", "replace")
        _harmless(notation.visible(text), notation.quote(text), notation.inline({text: [text]}))
        _harmless(notation.format_path((text, 1, text)))
        cell = html._cell(text)
        _harmless(cell)
        assert not set("<>\"'") & set(cell)
        shown = markdown.text(text)
        _harmless(shown)
        assert not set("<>[]`*_|!\\~") & set(shown)
        _harmless(formats.dumps({"key": text, "x": [text]}, "yaml"), allowed="\n")
        assert formats.dumps({"key": text}, "json").isascii()

    return run


def _harmless(*texts, allowed=""):
    for one in texts:
        kept = one.translate({ord(char): None for char in allowed})
        assert not any(notation._is_unseen(char) for char in kept), repr(one)


def _tokens(*texts):
    return tuple(text.encode() for text in texts)


_STRUCTURE = _tokens("{", "}", "[", "]", '"', ":", ",", "\n")
_QUERY = _tokens(
    *(" and ", " or ", "not ", "(", ")", "[", "]", " in ", " like ", "'%'", "=", "!=", "<=", "lr", "tag", '"', "\\"),
    *("exists ", "now - 3d", "2024-01", "metric.loss", "data", "runs", "parent", "nan", "null", "created_at", "hash"),
)
_YAML = _tokens(
    *("&a ", "*a", "!!python/object:os.system ", "<<: *a", "? ", "- ", "|\n", ">-\n", "%YAML 1.1\n---\n", "!!int "),
    *("!!binary ", "!!set ", "!!timestamp ", "0o777", "0x_f", ".nan", "---\n", "...\n", "\t", "  ", "# ", "!<x> "),
)
_CSV = _tokens(",", "\n", '"', "nan", "1e400", "-1", "2020-01-01", "9999-12-31", "0000-00-00", "date", "asset", "close")
_KINDS = _tokens(*(f"gemexp/{kind}@1" for kind in ("put", "move", "run", "alias", "config", "outcome", "description")))
_RECORD = (*_KINDS, *_tokens(HASH, "2024-01-31T09:00:00Z", "0001-01-01T00:00:00+23:59"), b"\xc0", b"\x90", b"\x80")
_SQL = _tokens("SQLite format 3\x00", "WITH RECURSIVE", "CREATE VIEW", "experiments", "config_json")
_MARKUP = _tokens("=1+1", "<script>", "](http://x)", "@user", "\u200b", "\x1b]0;x\x07", "```", "\u202e", "|")

TARGETS = (
    Target("canonical", canonical_bytes, 16_000),
    Target("object", objects, 5_000, _RECORD),
    Target("record", record, 7_000, _RECORD),
    Target("pack", pack, 2_500, (pack_format.MARK, pack_format.MAGIC, b"\x85", b"\x80", b"/")),
    Target("pack-index", planted_index, 1_500),
    Target("journal", journals, 5_000, (b'"undoes":', b'"created":', b'"id":', b"null", b"../../x", *_STRUCTURE)),
    Target("json", text_of("json"), 9_000, (b"NaN", b'{"$float":"nan"}', b"\\ud800", b"[" * 3000, *_STRUCTURE)),
    Target("toml", text_of("toml"), 4_000, (b"[[a]]\n", b"[a.b]\n", b"'''", b"=", b"1979-05-27", b"inf", *_STRUCTURE)),
    Target("yaml", text_of("yaml"), 2_000, (*_YAML, *_STRUCTURE)),
    Target("text", any_text, 1_500, (*_YAML, *_STRUCTURE)),
    Target("exported", exported, 4_000, (b'"config_hash":', b'"tags":', b'"created_at":', *_STRUCTURE)),
    Target("revision", revision, 6_000, (b"tag:", b"name:", b"hash:", b":", b"..", b"production", b"0" * 64, b"[0]")),
    Target("path", path, 12_000, (b".", b"[0]", b'"', b"\\u0000", b"=", b"[99999999999999999999]")),
    Target("where", where, 3_000, _QUERY),
    Target("like", pattern, 1_500, (b"%", b"_", b"\\", b"%a", b"%_" * 50, b"(a+)+$")),
    Target("panel", panel, 4_000, _CSV),
    Target("names", names_of_files, 16_000, (b"%2E", b"%2F", b".gxp", b"-", b".2", b"refs/tags/", b"objects/", b"con")),
    Target("sqlite", old_registry, 1_200, _SQL),
    Target("git-tree", tree_of_git, 6_000, (b"100644 ", b"40000 ", b"\0")),
    Target(
        "output",
        output,
        2_500,
        (b"=1+1", b"<script>", b"](http://x)", b"@user", b"\xe2\x80\x8b", b"\x1b]0;x\x07", b"```"),
    ),
)

# What they may raise. SQLite's errors are none of them: they stay inside.
EXPECTED = (GemexpError,)
assert not issubclass(sqlite3.Error, EXPECTED)
