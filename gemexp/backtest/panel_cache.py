"""Parsed panels on disk: reading a large CSV takes far longer than backtesting it.

A cache entry is an ``.npz`` archive, named by whoever calls by the hash of the file it was parsed from. It can be
deleted at any time; one that cannot be read is parsed anew. So is one that was not written here: what a store that came
from elsewhere has in its cache might be other prices than those of the file.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
import tempfile
import zipfile
from typing import BinaryIO
from zlib import crc32

import numpy as np

from gemexp.backtest.panel import KNOWN_COLUMNS, Panel
from gemexp.store import durable

_FORMAT = "gemexp/panel-cache@1"
_FIRST_SEAL = 315_532_800
_SEALS = 400_000_000


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
            moment = _sealed_time(os.lstat(temporary), path)
            os.utime(temporary, ns=(moment, moment))
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise


def load(path: str) -> Panel | None:
    """Return the panel that `save` wrote to ``path``; None if there is none, or none that can be read."""
    try:
        # Opened here, because numpy leaves a file that it cannot read to the garbage collector.
        with open(os.open(path, durable.READ_FLAGS), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode) or status.st_mtime_ns != _sealed_time(status, path):
                return None
            return _read(file)
    except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile):
        return None


def _read(file: BinaryIO) -> Panel | None:
    with np.load(file, allow_pickle=False) as archive:
        about = json.loads(archive["about"].tobytes())
        if about["format"] != _FORMAT:
            return None
        values = {name: archive[f"table{position}"] for position, name in enumerate(about["names"])}
        panel = Panel(archive["days"], tuple(about["assets"]), values, ignored=about["ignored"])
    # The archive's own checksums vouch for it; computing the digest again would take as long as parsing.
    panel.__dict__["digest"] = about["digest"]
    return panel


def _sealed_time(status: os.stat_result, path: str) -> int:
    """Return when an entry that was written here was last changed: a moment from 1980 to 2005, in even seconds.

    It follows from the file's number, which nobody knows before the file is there; git gives files no time but the
    current one.
    """
    number = crc32(f"{status.st_ino} {os.path.basename(path)}".encode()) % _SEALS
    return (_FIRST_SEAL + 2 * number) * 1_000_000_000
