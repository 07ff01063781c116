"""The benchmarks run from end to end, and what they write is what the page on performance has a place for.

How fast anything is, is no test: time is noise.
"""

import os
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from documents import ROOT

BENCH = ROOT / "tests/bench"
PAGE = ROOT / "docs/explanation/performance.md"
TABLES = re.compile(r"(?<=<!-- tables: written by tests/bench/run.py -->).*(?=<!-- end of tables -->)", re.DOTALL)
INSTALLED_BESIDE = re.compile("signac|mlflow|MLflow|dvc")
SIZE = 40


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Return what a quick run without installed peers printed, and the page that it wrote into."""
    folder = tmp_path_factory.mktemp("bench")
    page = Path(shutil.copy(PAGE, folder))
    command = [sys.executable, str(BENCH / "run.py"), "--sizes", str(SIZE), "--rows", "quick", "--variants", "many"]
    command += ["--environment", str(folder / "none"), "--folder", str(folder), "--write", str(page)]
    environment = {**os.environ, "TMPDIR": str(folder)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not list(folder.glob("gemexp-bench-*")), "the stores are gone afterwards"
    return done.stdout, page.read_text("utf-8")


def cells(text):
    """Return the cells of all rows of figures, by what was measured and beside what."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in TABLES.search(text)[0].splitlines()]
    return {(row[0], row[1]): row[2:] for row in rows if len(row) > 2 and row[0] not in ("what", "---")}


def test_every_row_is_measured_or_says_why_not(written):
    found = cells(written[1])
    catalogue = runpy.run_path(str(BENCH / "catalogue.py"))["ROWS"]
    among_several_sizes = {(row.what, row.beside) for row in catalogue if row.beside.startswith("itself")}
    assert {(row.what, row.beside) for row in catalogue} - found.keys() <= among_several_sizes
    for (what, beside), (figure, *_) in found.items():
        if INSTALLED_BESIDE.match(beside):
            assert figure in ("not installed", "not in this version"), (what, beside)
        else:
            assert re.fullmatch(r"[\d.,]+( \([\d.,]+\))?|not in this version|no index", figure), (what, beside)


def test_only_the_tables_of_the_page_are_written(written):
    printed, text = written
    assert TABLES.sub("", text) == TABLES.sub("", PAGE.read_text("utf-8"))
    assert f"| {SIZE} |" in TABLES.search(text)[0]
    assert f"{SIZE:>9} many " in printed
