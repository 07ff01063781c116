"""JSON and plain data to canonical bytes the short way: by compiled code, where nothing takes a closer look.

What is taken here comes to what `gemexp.formats` and `gemexp.canonical` would make of it, for a fraction of the work;
anything that might not is left to them. It is the sole importer of msgspec.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from gemexp.canonical import FLOAT_KEY, MAX_BYTES, MAX_DEPTH, has_special_floats

_NAMED_FLOAT: Final = FLOAT_KEY.encode()
_read_json = msgspec.json.Decoder().decode
_write_json = msgspec.json.Encoder().encode
_pack = msgspec.msgpack.Encoder(order="deterministic").encode


def loads(text: bytes) -> Any:
    """Read JSON.

    Returns:
        What `gemexp.formats.loads` would; None where that takes a closer look, or refuses.
    """
    # An escape may be half of a character, or a colon.
    if len(text) > MAX_BYTES or b"\\" in text or _NAMED_FLOAT in text:
        return None
    try:
        value = _read_json(text)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    # Of a key that is there twice the first is dropped, and its colon with it.
    if text.count(b":") != _write_json(value).count(b":"):
        return None
    return None if text.count(b"{") + text.count(b"[") > MAX_DEPTH and _is_deeper(value, MAX_DEPTH) else value


def dumps(value: Any) -> bytes | None:
    """Return the canonical bytes of what `loads` returned, of what `canonical.is_plain`, or of a map of such values.

    Returns:
        What `gemexp.canonical.encode` would; None where that takes a closer look, or refuses.
    """
    try:
        data = _pack(value)
    except (OverflowError, ValueError, RecursionError):  # an integer is too large, or text is half a character
        return None
    return None if len(data) > MAX_BYTES or has_special_floats(data) else data


def _is_deeper(value: Any, depth: int) -> bool:
    if type(value) is dict:
        return not depth or any(_is_deeper(item, depth - 1) for item in value.values())
    return type(value) is list and (not depth or any(_is_deeper(item, depth - 1) for item in value))
