"""The golden vectors of packs: what each file's key is, what packs are, and what a reader makes of damaged ones.

Spelled out byte by byte, without gemexp; `make_vectors` writes them.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator
from typing import Any

MAGIC = bytes.fromhex("89475850 0d0a1a0a")
MARK = bytes.fromhex("c167")
HELLO, EMPTY = hashlib.sha256(b"hello").digest(), hashlib.sha256(b"").digest()
ONE, TWO = bytes.fromhex("ab" * 32), bytes.fromhex("0c" * 32)


def files() -> dict[str, Iterator[dict[str, Any]]]:
    """Return the vectors of each file, by its name."""
    return {
        "keys.json": ({"path": path, "key": key.hex()} for path, key in keys()),
        "refused-keys.json": ({"why": why, "key": key.hex()} for why, key in refused_keys()),
        "refused-paths.json": ({"why": why, "path": path} for why, path in refused_paths()),
        "packs.json": (_pack(name, held) for name, held in packs()),
        "damaged-packs.json": (
            {"why": why, "hex": data.hex(), "files": _files(held)} for why, data, held in damaged_packs()
        ),
    }


def keys() -> Iterator[tuple[str, bytes]]:
    """Yield (path, key)."""
    one, two = ONE.hex(), TWO.hex()
    yield f"index/ab/{one}-{two}", b"\x80" + ONE + TWO
    yield f"index/ab/abcd-{two}", b"\x80\xab\xcd" + bytes(30) + TWO + b"\x04"
    yield f"index/ab/abcde-{two}", b"\x80\xab\xcd\xe0" + bytes(29) + TWO + b"\x05"
    yield f"index/ab/{one[:63]}-{two}", b"\x80" + ONE[:31] + b"\xa0" + TWO + b"\x3f"
    yield f"objects/0c/{two}", b"\x81" + TWO
    yield f"refs/deleted/{one}", b"\x82" + ONE
    yield f"refs/deleted/{one}.2", b"\x82" + ONE + b".2"
    yield f"refs/migrated/{one}-{two}", b"\x83" + ONE + TWO
    yield f"refs/migrated/{one}-{two}.10", b"\x83" + ONE + TWO + b".10"
    yield f"refs/names/production/{one}", b"\x84production/" + ONE
    yield f"refs/names/%41%2Fb/{one}", b"\x84%41%2Fb/" + ONE
    yield f"refs/tags/k=5/{one}", b"\x85k=5/" + ONE
    yield f"refs/tags/%C3%A9/{one}.999999999", b"\x85%C3%A9/" + ONE + b".999999999"


def refused_keys() -> Iterator[tuple[str, bytes]]:
    """Yield (why, key)."""
    yield "nothing", b""
    yield "a code that is not used", b"\x86" + ONE
    yield "a code below the first", b"\x7f" + ONE
    yield "a code alone", b"\x81"
    yield "an object's hash, a byte short", b"\x81" + ONE[:31]
    yield "an object's hash, a byte long", b"\x81" + ONE + b"\x00"
    yield "a record without its own hash", b"\x80" + ONE
    yield "a whole hash that says how long it is", b"\x80" + ONE + TWO + b"\x40"
    yield "an alias of three digits", b"\x80\xab\xc0" + bytes(30) + TWO + b"\x03"
    yield "an alias that is not filled with zeros", b"\x80\xab\xcd\x01" + bytes(29) + TWO + b"\x04"
    yield "an alias with two lengths", b"\x80\xab\xcd" + bytes(30) + TWO + b"\x04\x04"
    yield "length 1 written out", b"\x82" + ONE + b".1"
    yield "length 0", b"\x82" + ONE + b".0"
    yield "a length with a leading zero", b"\x82" + ONE + b".02"
    yield "a length without its dot", b"\x82" + ONE + b"2"
    yield "a length of ten digits", b"\x82" + ONE + b".1000000000"
    yield "a length of other digits", b"\x82" + ONE + ".\u0662".encode()
    yield "a pair's first half", b"\x83" + ONE
    yield "a tag without its name", b"\x85/" + ONE
    yield "a tag without a slash", b"\x85v1" + ONE[:31]
    yield "a tag that no name is escaped to", b"\x85%61/" + ONE
    yield "a tag in capitals", b"\x85V1/" + ONE
    yield "a tag that leads elsewhere", b"\x85../" + ONE
    yield "a tag within a tag", b"\x85a/b/" + ONE
    yield "a tag that is not escaped", b"\x85\xc3\xa9/" + ONE
    yield "a move with a length", b"\x84production/" + ONE + b".2"


def refused_paths() -> Iterator[tuple[str, str]]:
    """Yield (why, path): no pack holds it."""
    one, two = ONE.hex(), TWO.hex()
    yield "a file at the top", "format"
    yield "an object in another's folder", f"objects/0c/{one}"
    yield "an object in capitals", f"objects/AB/{one.upper()}"
    yield "an object without its folder", f"objects/{one}"
    yield "a record in another's folder", f"index/0c/{one}-{two}"
    yield "a pack", f"packs/{one}.gxp"
    yield "what is never shared", f"local/tmp/{one}"
    yield "a tag that no name is escaped to", f"refs/tags/%61/{one}"
    yield "a member with content in its name", f"refs/tags/v1/{one}.orig"
    yield "a folder of tags", "refs/tags/v1"


def entry(key: bytes, data: bytes) -> bytes:
    """Return an entry."""
    head = _leb128(len(key)) + _leb128(len(data))
    return MARK + zlib.crc32(head + key).to_bytes(4, "little") + head + key + data


def _leb128(number: int) -> bytes:
    out = b""
    while number > 127:
        out += bytes([number % 128 + 128])
        number //= 128
    return out + bytes([number])


OBJECT, NOTHING = b"\x81" + HELLO, b"\x81" + EMPTY
TAG, UNTAGGED = b"\x85v1/" + HELLO, b"\x85v1/" + HELLO + b".2"


def packs() -> Iterator[tuple[str, dict[bytes, bytes]]]:
    """Yield (name, what it holds by key, in order)."""
    yield "nothing", {}
    yield "an object", {OBJECT: b"hello"}
    yield "an empty object", {NOTHING: b""}
    yield "objects in order of their hashes", {OBJECT: b"hello", NOTHING: b""}
    yield "a tag and what became of it", {OBJECT: b"hello", TAG: b"", UNTAGGED: b""}
    yield "an object of 127 bytes", {b"\x81" + hashlib.sha256(bytes(127)).digest(): bytes(127)}
    yield "an object of 128 bytes", {b"\x81" + hashlib.sha256(bytes(128)).digest(): bytes(128)}
    inner = MAGIC + entry(OBJECT, b"hello")
    yield "an object that is a pack", {b"\x81" + hashlib.sha256(inner).digest(): inner}
    long = "a" * 200
    yield "the longest tag", {b"\x85" + long.encode() + b"/" + ONE + b".999999999": b""}


def damaged_packs() -> Iterator[tuple[str, bytes, dict[bytes, bytes]]]:
    """Yield (why, bytes, what a reader reads of it)."""
    first, second, third = entry(OBJECT, b"hello"), entry(TAG, b""), entry(UNTAGGED, b"")
    whole = {OBJECT: b"hello", TAG: b"", UNTAGGED: b""}
    yield "cut within the last entry", (MAGIC + first + second + third)[:-1], {OBJECT: b"hello", TAG: b""}
    yield "a line feed at the end", MAGIC + first + second + third + b"\n", whole
    yield "bytes between entries", MAGIC + first + b"<<<<<<<" + second + third, whole
    yield "marks between entries", MAGIC + first + MARK * 9 + second + third, whole
    yield "a wrong check", MAGIC + first + second[:2] + bytes(4) + second[6:] + third, {OBJECT: b"hello", UNTAGGED: b""}
    long = MARK + zlib.crc32(b"\xa1\x00\x05" + OBJECT).to_bytes(4, "little") + b"\xa1\x00\x05" + OBJECT + b"hello"
    yield "a length in more bytes than it needs", MAGIC + long + second, {TAG: b""}
    far = MARK + zlib.crc32(b"\x21\xff\xff\xff\x7f" + OBJECT).to_bytes(4, "little") + b"\x21\xff\xff\xff\x7f" + OBJECT
    yield "a length that leads beyond the end", MAGIC + far + second, {TAG: b""}
    yield "an entry twice", MAGIC + first + first + second, {OBJECT: b"hello", TAG: b""}
    yield "entries in another order", MAGIC + second + first + third, {TAG: b"", UNTAGGED: b""}
    yield "a key that is none", MAGIC + entry(b"\x81", b"x") + second, {TAG: b""}
    yield "an empty key", MAGIC + entry(b"", b"x") + second, {TAG: b""}
    yield "the greatest key, which is none, first", MAGIC + entry(b"\xff", b"x") + second, {TAG: b""}


def _pack(name: str, held: dict[bytes, bytes]) -> dict[str, Any]:
    data = MAGIC + b"".join(entry(key, content) for key, content in held.items())
    return {"name": name, "files": _files(held), "hex": data.hex(), "sha256": hashlib.sha256(data).hexdigest()}


def _files(held: dict[bytes, bytes]) -> dict[str, str]:
    return {_path(key): data.hex() for key, data in held.items()}


def _path(key: bytes) -> str:
    if key[0] == 0x81:
        return f"objects/{key[1:2].hex()}/{key[1:].hex()}"
    tag, _, rest = key[1:].partition(b"/")
    return f"refs/tags/{tag.decode()}/{rest[:32].hex()}{rest[32:].decode()}"
