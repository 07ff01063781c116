"""Parsed panels on disk: reading a large CSV takes far longer than backtesting it.

A cache entry is an ``.npz`` archive, named by whoever calls by the hash of the file it was parsed from. It can be
deleted at any time; one that cannot be read is parsed anew.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import zipfile

import numpy as np

from gemexp.backtest.panel import KNOWN_COLUMNS, Panel

_FORMAT = "gemexp/panel-cache@1"


def save(panel: Panel, path: str) -> None:
    """Write ``panel`` to ``path``, whole or not at all. A cache that cannot be written is no error."""
    tables = {name: getattr(panel, name) for name in KNOWN_COLUMNS if name not in ("asset", "date")}
    named = {name: table for name, table in {**tables, **panel.columns}.items() if table is not None}
    about = {"format": _FORMAT, "names": list(named), "assets": panel.assets, "ignored": panel.ignored}
    about["digest"] = panel.digest
    arrays = {f"table{position}": table for position, table in enumerate(named.values())}
    folder = os.path.dirname(path)
    with contextlib.suppress(OSError):
        os.makedirs(folder, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=folder, suffix=".tmp")
        try:
            with os.fdopen(handle, "wb") as file:
                # Names of columns are data, so they go into `about` rather than into names inside the archive.
                np.savez(file, days=panel.days, about=np.frombuffer(json.dumps(about).encode(), np.uint8), **arrays)
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise


def load(path: str) -> Panel | None:
    """Return the panel that `save` wrote to ``path``; None if there is none, or none that can be read."""
    try:
        # Opened here, because numpy leaves a file that it cannot read to the garbage collector.
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            about = json.loads(archive["about"].tobytes())
            if about["format"] != _FORMAT:
                return None
            values = {name: archive[f"table{position}"] for position, name in enumerate(about["names"])}
            panel = Panel(archive["days"], tuple(about["assets"]), values, ignored=about["ignored"])
    except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile):
        return None
    # The archive's own checksums vouch for it; computing the digest again would take as long as parsing.
    panel.__dict__["digest"] = about["digest"]
    return panel
