"""Hashes: SHA-256 in lower-case hexadecimal, and their prefixes."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

HASH_DIGITS = 64
SHORT_DIGITS = 12
MIN_PREFIX_DIGITS = 4

_HEX_DIGITS = "0123456789abcdef"
# Loading OpenSSL takes longer than all else that a short command does. Beyond this it is worth it.
_LEAN_BYTES = 64 * 1024
_lean_calls_left = [200]
_chosen: list[Any] = []


def hash_bytes(data: bytes) -> str:
    """Return the hash that names ``data``, as ``sha256sum`` prints it."""
    digest: str = (_chosen[0] if _chosen else _choose(len(data)))(data).hexdigest()
    return digest


def _choose(size: int) -> Any:
    """Return OpenSSL's SHA-256; while there is little to hash, what hashlib falls back to itself, as random.py does."""
    if size <= _LEAN_BYTES and _lean_calls_left[0] > 0 and "_hashlib" not in sys.modules:
        _lean_calls_left[0] -= 1
        try:
            return __import__("_sha2" if sys.version_info >= (3, 12) else "_sha256").sha256
        except ImportError:
            pass
    from hashlib import sha256

    _chosen.append(sha256)
    return sha256


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
