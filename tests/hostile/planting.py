"""What attacks have in common: links in the place of files, and the commands that are to meet them."""

import json
import os
import time
from pathlib import Path

LONG_AGO = time.time() - 400 * 24 * 3600


def commands(rev):
    """Return the commands to run and what they read: reading first, then writing, then tidying up."""
    lines = json.dumps({"hyperparameters": {"line": 1}}) + "\n"
    reading = [
        *(("list",), ("list", "--json", "--all"), ("list", "--tag", "all"), ("search", "all")),
        *(("search", "--where", "k >= 0 and tag = all"), ("tag",), ("name",), ("name", "--history", "production")),
        *(("show", rev), ("show", rev, "--json"), ("show", "production"), ("log", "--graph"), ("runs",)),
        *(("best", "--metric", "loss"), ("diff", rev, "production"), ("export", "--all", "-"), ("alias",)),
        *(("export", "--tag", "all", "exported"), ("index", "status"), ("undo", "--dry-run"), ("gc", "--dry-run")),
    ]
    writing = [
        *(("add", "new.json", "-t", "all", "-t", "fresh"), ("tag", rev, "new"), ("describe", rev, "anew")),
        *(("record", rev, "-m", "loss=0.1", "-a", "result.txt"), ("name", "candidate", rev), ("tag", "-d", rev, "all")),
        *(("delete", "--force", rev), ("restore", rev), ("undo",), ("index", "build"), ("list",), ("pack",)),
        *(("gc", "--grace", "0s"), ("fsck",), ("fsck", "--repair"), ("gc", "--grace", "0s"), ("index", "drop")),
    ]
    return [*((one, "") for one in reading), (("add", "--jsonl", "-"), lines), *((one, "") for one in writing)]


def plant(link, target):
    """Put a link in the place of whatever is there."""
    link = Path(link)
    if link.is_dir() and not link.is_symlink():
        link.rename(link.with_name(f"{link.name}.was"))
    elif os.path.lexists(link):
        link.unlink()
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(target)
