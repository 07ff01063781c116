"""Hashes: SHA-256 in lower-case hexadecimal, and their prefixes."""

from __future__ import annotations

import hashlib

HASH_DIGITS = 64
SHORT_DIGITS = 12
MIN_PREFIX_DIGITS = 4

_HEX_DIGITS = "0123456789abcdef"


def hash_bytes(data: bytes) -> str:
    """Return the hash that names ``data``, as ``sha256sum`` prints it."""
    return hashlib.sha256(data).hexdigest()


def is_hash(text: str) -> bool:
    """Tell whether ``text`` is a whole hash as this project writes it."""
    return len(text) == HASH_DIGITS and is_hex(text)


def is_hex(text: str) -> bool:
    """Tell whether ``text`` is nothing but lower-case hexadecimal digits."""
    return not text.strip(_HEX_DIGITS)


def is_prefix(text: str) -> bool:
    """Tell whether ``text`` reads as a hash or the beginning of one: 4 to 64 hexadecimal digits."""
    return MIN_PREFIX_DIGITS <= len(text) <= HASH_DIGITS and text.isascii() and is_hex(text.lower())


def short(config_hash: str) -> str:
    """Return the first 12 digits, for people."""
    return config_hash[:SHORT_DIGITS]
