"""Texts of a store that would act where they are shown: on a terminal, in a browser, on a forge, in a spreadsheet."""

import csv
import io
import json
import os
import re

import numpy as np
import pytest

from gemexp import ExperimentConfig, ExperimentRegistry, canonical, notation
from gemexp.backtest import Panel
from gemexp.backtest.report import windows_csv
from gemexp.cli import main
from gemexp.digest import hash_bytes
from gemexp.store import kinds, layout

# A title, colours, an order turned round, nothing that is seen, a line of its own, markup of three kinds, a formula.
EVIL = (
    "=1+1\x1b]0;owned\x07\x1b[31m\x9b2J\u202e\u200b\u2066\r\nx | <img src=x onerror=y> [a](javascript:b) `c` @d\x7f\0"
)
TAG = EVIL[:60]
ARG = EVIL.replace("\0", "")  # no argument of a program holds that


@pytest.fixture
def evil(project):
    """A store all of whose texts are evil, whatever they say."""
    registry = ExperimentRegistry(project / ".gemexp")
    values = {EVIL: {EVIL: [EVIL, {EVIL: 1}]}, "k": EVIL}
    hashes = [
        registry.register(
            ExperimentConfig(
                [EVIL], {EVIL: number}, {**values, "n": number}, {EVIL: EVIL}, description=EVIL, tags=[TAG]
            )
        )
        for number in range(2)
    ]
    registry.untag(hashes[1], [TAG])
    registry.tag(hashes[1], [TAG, TAG[5:]])
    for number in range(2):
        registry.record(
            hashes[0], {EVIL: number / 3, "loss": 1.0}, artifacts={"a.txt": EVIL.encode()}, data={EVIL: EVIL}
        )
    registry.register(ExperimentConfig([], {}, {"child": EVIL}), parents=hashes[:1])
    _forge(registry, hashes)
    return registry, hashes


def _forge(registry, hashes):
    """Write records that no gemexp would write."""
    moves = []
    for number, config in enumerate(hashes):
        move = {"$": kinds.MOVE, "by": EVIL, "config": config, "created_at": f"2024-01-0{number + 1}", "name": TAG}
        data = canonical.encode({**move, "restores": None, "supersedes": []})
        moves.append(hash_bytes(data))
        _write(registry, layout.move_path(TAG, moves[-1]), data)
    outcome = {"$": "gemexp/outcome@1", "artifacts": {EVIL: hashes[0]}, "config": hashes[0], "data": EVIL}
    outcome |= {"details": {EVIL: EVIL, "result_digest": EVIL, "summary": [EVIL]}, "metrics": {EVIL: 1, "loss": 0.5}}
    data = canonical.encode(outcome)
    name = hash_bytes(data)
    _write(registry, layout.object_path(name), data)
    run = {"$": kinds.RUN, "by": EVIL, "code": {"commit": EVIL, "dirty": EVIL}, "config": hashes[0], "data": name}
    run |= {"created_at": "2024-01-01", "duration": 1.5, "environment": {EVIL: EVIL, "packages": EVIL}, "outcome": name}
    run |= {"verifies": None}
    data = canonical.encode(run)
    _write(registry, layout.record_path(hashes[0], hash_bytes(data)), data)
    strange = canonical.encode({"$": f"gemexp/{EVIL}", EVIL: EVIL})
    _write(registry, layout.object_path(hash_bytes(strange)), strange)
    _write(registry, layout.record_path(hashes[0], hash_bytes(strange)), strange)
    for path in (f"objects/{EVIL[:20].replace('/', '')}", f"refs/{TAG[4:30].replace('/', '')}", "packs/\x1b[31m.gxp"):
        _write(registry, path.replace("\0", ""), EVIL.encode())
    entry = {"id": EVIL, "time": EVIL, "command": ["add", EVIL], "created": {EVIL: [EVIL]}}
    _write(registry, f"local/journal/{os.getuid()}.jsonl", f"{json.dumps(entry)}\n".encode())


def _write(registry, path, data):
    place = f"{registry.root}/{path}"
    os.makedirs(os.path.dirname(place), exist_ok=True)
    with open(place, "wb") as file:
        file.write(data)


def harmless(text, allowed="\n"):
    return not any(notation._is_unseen(char) for char in text if char not in allowed)


def commands(first, second):
    return [
        *(
            ("list",),
            ("list", "--json"),
            ("list", "--sort", "hyperparameters.k"),
            ("show", first),
            ("show", "--yaml", first),
        ),
        *(("show", "--json", first), ("show", f"{first}:hyperparameters"), ("show", f"{first}:hyperparameters.k")),
        *(("diff", first, second), ("diff", "--json", first, second), ("diff", "--format", "md", first, second)),
        *(("compare", first, second), ("explain", first, second), ("tag",), ("tag", "--json"), ("name",), ("log",)),
        *(("name", "--history", TAG), ("name", TAG), ("show", TAG), ("show", TAG[5:]), ("log", "--graph"), ("runs",)),
        *(("runs", "--json"), ("runs", first), ("best", "--metric", "loss"), ("best", "--metric", ARG)),
        *(("best", "--metric", "nothing"), ("search", TAG), ("search", ARG), ("search", "--where", f"k = {ARG}")),
        *(("search", "--where", "k like '%1%'"), ("list", "--tag", ARG), ("fsck",), ("fsck", "--json"), ("undo",)),
        *(
            ("undo", "--dry-run"),
            ("show", ARG),
            ("show", f"{first}:{ARG}"),
            ("tag", first, ARG),
            ("describe", first, ARG),
        ),
        *(("delete", first), ("delete", "--force", "--json", first), ("restore", first), ("name", ARG, first)),
        *(("name", "--resolve", TAG), ("export", "--all", "-"), ("export", first, f"{ARG[:9]}.json"), ("add", ARG)),
        *(
            ("add", "-", "-d", ARG, "-t", TAG),
            ("add", "--jsonl", "-"),
            ("import", ARG),
            ("merge", ARG),
            ("alias", ARG),
        ),
        *(("index", "build"), ("list",), ("index", "status"), ("pack",), ("list",), ("fsck", "--repair"), ("gc",)),
        *(
            ("migrate", first, "--set", f"{ARG}=1"),
            (ARG,),
            ("list", ARG),
            ("--store", ARG, "list"),
            ("-C", ARG, "list"),
        ),
        *(("record", first, "-m", f"{ARG}=1"), ("record", first, "-m", ARG), ("record", first, "-a", ARG)),
        *(("verify", first), ("plot", "--metric", "loss", "--x", ARG), ("backtest", "--data", ARG)),
    ]


def test_no_command_prints_what_a_terminal_obeys(evil, gemexp):
    _, (first, second) = evil
    shown, acting = 0, []
    for arguments in commands(first, second):
        for extra in ((), ("--json",)):
            found = gemexp(*arguments, *(extra if "--json" not in arguments else ()), stdin=json.dumps({EVIL: EVIL}))
            acting += [(arguments, text) for text in (found.out, found.err) if not harmless(text)]
            shown += "owned" in found.out + found.err
    assert acting == []
    assert shown > 80, "what is said is shown, in letters"


def test_a_shell_completes_nothing_that_acts(evil, capfd, monkeypatch):
    for line in ("show ", "tag ", "name ", "list --tag ", "search ", "name --history ", "diff ", "restore ", "export "):
        monkeypatch.setenv("_GEMEXP_COMPLETE", "bash_complete")
        monkeypatch.setenv("COMP_WORDS", f"gemexp {line}")
        monkeypatch.setenv("COMP_CWORD", str(len(line.split()) + 1))
        with pytest.raises(SystemExit):
            main([])
        assert harmless(capfd.readouterr().out), line
    assert evil


def test_tables_for_notebooks_hold_no_markup_of_the_stores(evil):
    registry, (first, second) = evil
    for page in (registry.load(first)._repr_html_(), registry.diff(first, second)._repr_html_()):
        assert set(re.findall("<[^>]*>", page)) <= {
            *("<table>", "</table>", "<thead>", "</thead>", "<tbody>", "</tbody>", "<tr>", "</tr>", "<td>", "</td>"),
            *("<th>", "</th>", "<caption>", "</caption>"),
        }
        assert harmless(page)


def test_markdown_holds_no_markup_of_the_stores(evil, gemexp):
    _, (first, second) = evil
    page = gemexp("diff", "--format", "md", first, second).out
    assert "<img" not in page
    assert "](java" not in page
    assert "@d" not in page


def test_no_asset_is_a_formula_in_a_table(evil, gemexp, project):
    days = np.arange("2020-01-01", "2022-06-01", dtype="datetime64[D]")
    names = ['=HYPERLINK("http://x")', "+a", "-b", "@c", "\td"]
    close = 100 + np.cumsum(np.random.default_rng(1).normal(0, 1, (len(days), len(names))), axis=0) / 50
    panel = Panel.from_arrays(days, names, close)
    (project / "panel.csv").write_text(panel.to_csv())
    found = gemexp(
        "backtest", "--data", "panel.csv", "--start", "2020-12-01", "--end", "2022-03-01", "--k", "1", code=0
    )
    assert harmless(found.out)
    (table,) = [path.read_text() for path in (project / "reports").rglob("windows.csv")]
    cells = [cell for row in csv.reader(io.StringIO(table)) for cell in row]
    assert any(cell.startswith(("'=HYPER", "'+a", "'-b")) for cell in cells)
    for cell in cells:
        assert not cell.startswith(("=", "+", "@")), cell
        assert not cell.startswith("-") or float(cell) < 0
    assert windows_csv
    assert evil
