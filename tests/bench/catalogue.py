"""All rows: what is measured, beside what, and how well it is to do."""

from __future__ import annotations

from typing import NamedTuple

THOUSAND, MILLION = 1_000, 1_000_000
HUNDRED_THOUSAND = 100 * THOUSAND
_BULK = (HUNDRED_THOUSAND, MILLION)
_MIDDLE = (HUNDRED_THOUSAND,)
_LARGEST = (MILLION,)


class Row(NamedTuple):
    """What is measured beside a peer, or within a limit.

    Args:
        family: What it is asked for by, with ``--rows``.
        what: What is done.
        beside: The peer, or the limit.
        least: How many times as fast as the peer it is to be; None if that is told for comparison only.
        sizes: With how many configurations that is required; with any if this is empty.
        limited: It is no peer but a limit: the figure is the share of it that is used, at most 1.
    """

    family: str
    what: str
    beside: str
    least: float | None = None
    sizes: tuple[int, ...] = ()
    limited: bool = False

    def holds(self, figure: float) -> bool:
        return figure <= 1 if self.limited else self.least is None or figure >= self.least


def _within(family: str, what: str, limit: str, sizes: tuple[int, ...] = ()) -> Row:
    return Row(family, what, limit, 1, sizes, limited=True)


_FULL, _EXTRA = "SQLite registry, FULL", "SQLite registry, EXTRA"
_SEED, _SIGNAC = "SQLite registry", "signac"

_ONE = "register one, durable"
REGISTER_FULL = Row("register", _ONE, _FULL, 1)
REGISTER_EXTRA = Row("register", _ONE, _EXTRA, 1)
REGISTER_GIT = Row("register", _ONE, "git hash-object, the object alone")
REGISTER_MLFLOW = Row("register", _ONE, "MLflow on SQLite")

_LINES, _MANY = "gemexp add --jsonl, durable", "add_many, durable"
LINES_GIT = Row("bulk", _LINES, "git fast-import, blobs alone", 1.5, _BULK)
LINES_FULL = Row("bulk", _LINES, _FULL, 30, _BULK)
LINES_EXTRA = Row("bulk", _LINES, _EXTRA, 30, _BULK)
MANY_GIT = Row("bulk", _MANY, "git fast-import, blobs alone", 1.5, _BULK)
MANY_FULL = Row("bulk", _MANY, _FULL, 30, _BULK)
MANY_EXTRA = Row("bulk", _MANY, _EXTRA, 30, _BULK)

_PACKED, _LOOSE = "get by 10 digits, packed", "get by 10 digits, loose"
PACKED_GIT = Row("get", _PACKED, "git cat-file --batch, packed", 1, _MIDDLE)
PACKED_SEED = Row("get", _PACKED, _SEED, 150, _MIDDLE)
PACKED_SIGNAC = Row("get", _PACKED, _SIGNAC, 150, _MIDDLE)
PACKED_TENTH = Row("get", _PACKED, "itself, among a tenth of the configs", 1 / 1.5, _LARGEST)
LOOSE_GIT = Row("get", _LOOSE, "git cat-file --batch, loose", 1 / 4, _MIDDLE)
LOOSE_SEED = Row("get", _LOOSE, _SEED, 150, _MIDDLE)
LOOSE_SIGNAC = Row("get", _LOOSE, _SIGNAC, 150, _MIDDLE)

_SHOW, _SHOW_INDEXED = "gemexp show PREFIX", "gemexp show PREFIX, with an index"
_SCRIPT, _SMALLEST = "script: click, msgpack, one file", "itself, among the fewest configs"
SHOW_SCRIPT = Row("show", _SHOW, _SCRIPT, 1 / 1.5)
SHOW_INDEXED_SCRIPT = Row("show", _SHOW_INDEXED, _SCRIPT, 1 / 1.5)
SHOW_SMALLEST = Row("show", _SHOW, _SMALLEST, 0.8)
SHOW_INDEXED_SMALLEST = Row("show", _SHOW_INDEXED, _SMALLEST, 0.8)
SHOW_SIGNAC = Row("show", _SHOW, "signac statepoint", 3)
SHOW_MLFLOW = Row("show", _SHOW, "mlflow --version", 50)
SHOW_DVC = Row("show", _SHOW, "dvc --version")
SHOW_GIT = Row("show", _SHOW, "git rev-parse PREFIX")

_NEWEST, _NEWEST_INDEXED = "newest 100, whole", "newest 100, whole, with an index"
NEWEST_INDEXED_SEED = Row("newest", _NEWEST_INDEXED, _SEED, 1, _MIDDLE)
NEWEST_SEED = Row("newest", _NEWEST, _SEED)
NEWEST_LIMIT = _within("newest", _NEWEST, "15 us a config in the store", _BULK)

_TAG, _TAG_INDEXED = "all of one tag, whole", "all of one tag, whole, with an index"
_FOR_EACH_REF = "git for-each-ref into cat-file"
TAG_INDEXED_GIT = Row("tag", _TAG_INDEXED, _FOR_EACH_REF, 3, _MIDDLE)
TAG_INDEXED_SEED = Row("tag", _TAG_INDEXED, _SEED, 8, _MIDDLE)
TAG_GIT = Row("tag", _TAG, _FOR_EACH_REF)
TAG_SEED = Row("tag", _TAG, _SEED)

_WHERE, _WHERE_INDEXED = "k = 10 and lr > 0.1", "k = 10 and lr > 0.1, with an index"
_JSON_EXTRACT = "json_extract in the SQLite registry"
WHERE_INDEXED_SEED = Row("where", _WHERE_INDEXED, _JSON_EXTRACT, 10, _MIDDLE)
WHERE_INDEXED_SIGNAC = Row("where", _WHERE_INDEXED, "signac, warm", 100, _MIDDLE)
WHERE_SEED = Row("where", _WHERE, _JSON_EXTRACT)
WHERE_SIGNAC = Row("where", _WHERE, "signac, warm")
WHERE_LIMIT = _within("where", _WHERE, "15 us a config: 1.5 s for 100,000", _MIDDLE)

INDEX_TIME = _within("index", "building the SQLite index, time", "60 us a config: 60 s for 1,000,000", _LARGEST)
INDEX_SIZE = _within("index", "the SQLite index on disk", "400 B a config: 400 MB for 1,000,000", _LARGEST)

DISK_PACKED = _within("disk", "a packed store on disk", "1.3 times the bytes of objects and records", _MIDDLE)
DISK_LOOSE = _within("disk", "files of a loose store", "objects, records and tags", ())

MEMORY = {
    what: _within("memory", f"memory of gemexp {what}", limit, _LARGEST)
    for what, limit in (
        ("add --jsonl", "512 MB"),
        ("pack", "512 MB"),
        ("search", "512 MB"),
        ("search, with an index", "512 MB"),
        ("export to .jsonl", "512 MB"),
        ("export to .parquet", "512 MB"),
        ("index build", "512 MB"),
        ("list -n 100", "100 MB"),
        ("list -n 100, with an index", "100 MB"),
    )
}

ROWS = [*(value for value in list(globals().values()) if isinstance(value, Row)), *MEMORY.values()]
FAMILIES = list(dict.fromkeys(row.family for row in ROWS))
