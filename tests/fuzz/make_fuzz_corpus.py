"""Write the good inputs of the corpus; what once did harm lies beside them, and is left alone.

Run it by hand after a change of a format: ``python tests/fuzz/make_fuzz_corpus.py``.
"""

import json
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path += [str(Path(__file__).parents[1])]

from fuzz_targets import CORPUS
from packed_stores import fill, the_pack
from seed_format import old_row, write_registry

from gemexp import ExperimentConfig, ExperimentRegistry, canonical

VALUES = Path(__file__).parents[2] / "docs/spec/vectors/valid.json"
TEXTS = {
    "json/config.json": '{"hyperparameters": {"lr": 1e-3, "n": [1, 2.5, null, true, "x"]}, "feature_names": ["a"]}',
    "json/params.json": '{"a": {"b": [{"c": "\\u00e9\\n"}]}, "n": NaN, "f": {"$float": "inf"}, "i": 9007199254740993}',
    "toml/params.toml": 'a = 1\nf = 1.5\nt = "x"\nd = 2024-01-31\n[b]\nc = [1, 2]\n[[b.d]]\ne = """x\ny"""\n',
    "yaml/config.yaml": "hyperparameters:\n  lr: 0.001\n  n: [1, 2.5, ~, true, 'x']\nfeature_names: [a, b]\n",
    "yaml/anchors.yaml": "a: &x {b: 1, c: [d]}\ne: *x\nf:\n  <<: *x\n  g: |\n    text\n    more\n",
    "yaml/kinds.yaml": '%YAML 1.2\n---\n"q": 0x1f\no: 0o17\ne: -1.5e+3\ni: .inf\n? k\n: !!str 5\n...\n',
    "text/one.txt": "a: 1\nb: [2, 3]\n",
    "text/two.txt": "a = 1\n[b]\nc = 2\n",
    "text/three.txt": '{"a": 1, "b": {"c": "d"}}',
    "journal/two.jsonl": "".join(
        json.dumps(line) + "\n"
        for line in (
            {"id": "a1", "time": "2024-01-31T09:00:00Z", "command": ["add"], "created": {"index": ["x"]}},
            {"id": "a1", "time": "2024-01-31T09:00:01Z", "command": ["add"], "created": {"refs/tags/t": ["y", "z.2"]}},
            {"undoes": "a1", "time": "2024-01-31T09:00:02Z", "created": {"refs/deleted": ["x"]}},
            {"id": "a2", "time": "2024-01-31T09:00:03Z", "command": ["add", "-"], "complete": False},
        )
    ),
    "revision/prefix.txt": "c589",
    "revision/path.txt": "production:hyperparameters.model.layers[1]",
    "revision/tag.txt": "tag:a:b:feature_names",
    "path/nested.txt": 'hyperparameters.a."b c\\n"[3].d',
    "path/set.txt": "a.b=c.d",
    "where/numbers.txt": "lr > 0.01 and (tag = best or metric.loss >= 1) and not flag = true",
    "where/text.txt": "description like '%number_%' or model.name in [\"x\", xx] and model.layers[0] = 1",
    "where/times.txt": "created_at >= now - 3d and created_at != 2024-01 or exists model.name or runs > 0",
    "where/hashes.txt": "hash = c589 or parent = c589 and name = production and data.panel = x and tag not in [a, b]",
    "like/some.txt": "%a_b\\%c%",
    "panel/small.csv": "date,asset,close,volume,market_cap,size\n2020-01-02,A,1.5,10,,1\n2020-01-02,B,2,0,5e9,\n"
    "2020-01-03,A,1.25,7,1,2.5\n",
    "panel/quoted.csv": '\ufeffdate,"asset",close,note\n2020-01-02,"A ""B"", c",1.5,x\n',
    "names/tag.txt": "a%2Fb",
    "names/words.txt": "Production \u00e9..con.",
    "names/member.txt": f"{'ab' * 32}.12",
    "names/record.txt": f"index/ab/{'ab' * 32}-{'cd' * 32}",
    "output/text.txt": "a *bold* [link](http://x) <b>&amp;</b> @user #12 `code` | $x$ \u202e\x1b[31m",
    "output/formula.txt": '=HYPERLINK("http://x";"y")\n+1\n-1\n@SUM(A1)',
}


def main():
    for name, text in TEXTS.items():
        _write(name, text.encode())
    typed = json.loads(VALUES.read_text())
    chosen = sorted((bytes.fromhex(one["hex"]) for one in typed if "hex" in one), key=len)
    for number, data in enumerate([*chosen[:12], *chosen[-12:]]):
        if len(data) < 3000:
            _write(f"canonical/vector{number:02}.bin", data)
    with TemporaryDirectory() as scratch:
        _stores(Path(scratch))
        _databases(Path(scratch))
    tree = b"".join(
        b"%s %s\0%s" % (mode, name, bytes(range(20))) for mode, name in ((b"100644", b"a"), (b"40000", b"b"))
    )
    _write("git-tree/two.bin", tree)


def _stores(scratch):
    registry = ExperimentRegistry(scratch / "store")
    hashes = fill(registry)
    for number, path in enumerate(sorted((scratch / "store/objects").rglob("*"))):
        if path.is_file():
            _write(f"object/object{number:02}.bin", path.read_bytes())
    for folder in ("index", "refs/names"):
        for number, path in enumerate(sorted((scratch / "store" / folder).rglob("*"))):
            if path.is_file():
                _write(f"record/{folder.replace('/', '-')}{number:02}.bin", path.read_bytes())
    alias = {"$": "gemexp/alias@1", "alias": "abcd", "config": hashes[0], "created_at": "2024-01-31T09:00:00Z"}
    _write("record/alias.bin", canonical.encode(alias))
    configs = [registry.load(one) for one in hashes]
    _write("exported/three.jsonl", "".join(f"{json.dumps(one.to_dict())}\n" for one in configs).encode())
    _write("exported/one.json", json.dumps([configs[0].to_dict()]).encode())
    registry.pack()
    path = the_pack(registry.root)
    _write("pack/store.gxp", (Path(registry.root) / path).read_bytes())
    (index,) = (scratch / "store/local/packs").iterdir()
    _write("pack-index/store.gxi", index.read_bytes())
    one = ExperimentRegistry(scratch / "one")
    one.register(ExperimentConfig([], {}, {"a": 1}, tags=["x"], created_at="2024-01-31T09:00:00Z"))
    one.pack()
    _write("pack/one.gxp", (Path(one.root) / the_pack(one.root)).read_bytes())


def _databases(scratch):
    place = scratch / "old.sqlite"
    with closing(sqlite3.connect(place)) as connection:
        connection.execute("PRAGMA page_size = 512")
        connection.commit()
    write_registry(place, [old_row("ab" * 32), old_row("abcd12", k=2)], [("abcd12", "best")])
    _write("sqlite/two.sqlite", place.read_bytes())


def _write(name, data):
    place = CORPUS / name
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(data)


if __name__ == "__main__":
    main()
