"""Hashes: SHA-256 in lower-case hexadecimal, and their prefixes."""

from __future__ import annotations

import hashlib
import re

HASH_DIGITS = 64
SHORT_DIGITS = 12
MIN_PREFIX_DIGITS = 4

_HEX = re.compile(r"[0-9a-fA-F]{4,64}")
_HASH = re.compile(r"[0-9a-f]{64}")


def hash_bytes(data: bytes) -> str:
    """Return the hash that names ``data``, as ``sha256sum`` prints it."""
    return hashlib.sha256(data).hexdigest()


def is_hash(text: str) -> bool:
    """Tell whether ``text`` is a whole hash as this project writes it."""
    return _HASH.fullmatch(text) is not None


def is_prefix(text: str) -> bool:
    """Tell whether ``text`` reads as a hash or the beginning of one: 4 to 64 hexadecimal digits."""
    return _HEX.fullmatch(text) is not None


def short(config_hash: str) -> str:
    """Return the first 12 digits, for people."""
    return config_hash[:SHORT_DIGITS]
