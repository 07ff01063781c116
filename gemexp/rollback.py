"""Rollback journals of SQLite that somebody else may have written. Pure, and below everything else."""

from __future__ import annotations

import os

# What begins such a journal; at its end it says that the name of another stands before it.
_MAGIC = bytes.fromhex("d9d505f920a163d7")


def names_another(journal: str) -> bool:
    """Tell whether a journal names another one: whoever plays it back deletes the file of that name, whatever it is.

    Source: https://www.sqlite.org/fileformat2.html#the_rollback_journal, "super-journal".
    """
    with open(journal, "rb") as file:
        file.seek(0, os.SEEK_END)
        file.seek(max(0, file.tell() - len(_MAGIC)))
        return file.read() == _MAGIC
