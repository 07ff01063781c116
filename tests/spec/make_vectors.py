"""Write the golden vectors of ``docs/spec/vectors/``.

Every encoding here is spelled out byte by byte, and nothing of gemexp is imported: the vectors say what the format is,
not what this implementation does. Run it after a change::

    python tests/spec/make_vectors.py
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pack_vectors

VECTORS = Path(__file__).parents[2] / "docs" / "spec" / "vectors"

# Longer encodings are given by length, beginning and hash only.
MAX_HEX_BYTES = 1024
MAX_BYTES = 4 * 1024 * 1024

NIL = b"\xc0"
MAX_FLOAT = "7fefffffffffffff"
FEATURE_TRANSFORMATIONS = b"\xb7feature_transformations"
FEATURE_WEIGHTS = b"\xaffeature_weights"
HYPERPARAMETERS = b"\xafhyperparameters"
CONFIG_HEAD = b"\x85\xa1$\xafgemexp/config@1\xadfeature_names"


def files() -> dict[str, str]:
    """Return the text of each file, by its name."""
    return {
        "valid.json": _lines(_valid(name, value, data) for name, value, data in valid()),
        "configs.json": _lines(_valid(name, value, data) for name, value, data in configs()),
        "refused-values.json": _lines({"name": name, "value": value} for name, value in refused_values()),
        "refused-bytes.json": _lines({"name": name, **_bytes(runs)} for name, *runs in refused_bytes()),
        "refused-configs.json": _lines({"name": name, "hex": data.hex()} for name, data in refused_configs()),
        "names.json": _lines({"name": name, "escaped": escaped} for name, escaped in names()),
        "refused-names.json": _lines({"why": why, "name": name} for why, name in refused_names()),
        "refused-escapes.json": _lines({"why": why, "escaped": escaped} for why, escaped in refused_escapes()),
        **{name: _lines(vectors) for name, vectors in pack_vectors.files().items()},
    }


def valid() -> Iterator[tuple[str, Any, bytes]]:
    """Yield (name, value, encoding)."""
    yield "nil", None, b"\xc0"
    yield "false", False, b"\xc2"
    yield "true", True, b"\xc3"
    yield from _ints()
    yield from _floats()
    yield from _texts()
    yield from _arrays()
    yield from _maps()
    yield from _limits()


def _ints() -> Iterator[tuple[str, Any, bytes]]:
    for number, encoding in (
        (0, "00"),
        (1, "01"),
        (127, "7f"),
        (128, "cc 80"),
        (255, "cc ff"),
        (256, "cd 0100"),
        (65535, "cd ffff"),
        (65536, "ce 00010000"),
        (2**32 - 1, "ce ffffffff"),
        (2**32, "cf 0000000100000000"),
        (2**53 - 1, "cf 001fffffffffffff"),
        (2**53, "cf 0020000000000000"),
        (2**53 + 1, "cf 0020000000000001"),
        (2**63 - 1, "cf 7fffffffffffffff"),
        (2**63, "cf 8000000000000000"),
        (2**64 - 1, "cf ffffffffffffffff"),
        (-1, "ff"),
        (-32, "e0"),
        (-33, "d0 df"),
        (-127, "d0 81"),
        (-128, "d0 80"),
        (-129, "d1 ff7f"),
        (-32767, "d1 8001"),
        (-32768, "d1 8000"),
        (-32769, "d2 ffff7fff"),
        (-(2**31) + 1, "d2 80000001"),
        (-(2**31), "d2 80000000"),
        (-(2**31) - 1, "d3 ffffffff7fffffff"),
        (-(2**53) - 1, "d3 ffdfffffffffffff"),
        (-(2**63) + 1, "d3 8000000000000001"),
        (-(2**63), "d3 8000000000000000"),
    ):
        yield f"int {number}", _int(number), bytes.fromhex(encoding)


def _floats() -> Iterator[tuple[str, Any, bytes]]:
    for name, bits in (
        ("0.0", "0000000000000000"),
        ("1.0 is not 1", "3ff0000000000000"),
        ("-1.0", "bff0000000000000"),
        ("0.1", "3fb999999999999a"),
        ("0.3", "3fd3333333333333"),
        ("0.1 + 0.2", "3fd3333333333334"),
        ("1/3", "3fd5555555555555"),
        ("1e16", "4341c37937e08000"),
        ("2^53", "4340000000000000"),
        ("2^63", "43e0000000000000"),
        ("2^64", "43f0000000000000"),
        ("1e23, which many printers get wrong", "44b52d02c7e14af6"),
        ("float32's largest", "47efffffe0000000"),
        ("largest", MAX_FLOAT),
        ("-largest", "ffefffffffffffff"),
        ("smallest normal", "0010000000000000"),
        ("largest subnormal", "000fffffffffffff"),
        ("smallest subnormal", "0000000000000001"),
        ("-smallest subnormal", "8000000000000001"),
        ("inf", "7ff0000000000000"),
        ("-inf", "fff0000000000000"),
        ("nan", "7ff8000000000000"),
    ):
        yield f"float {name}", _float(bits), b"\xcb" + bytes.fromhex(bits)
    yield "float -0.0 becomes 0.0", _float("8000000000000000"), b"\xcb" + bytes(8)
    for name, bits in (
        ("negative", "fff8000000000000"),
        ("quiet with a payload", "7ff8000000000001"),
        ("quiet with every bit", "7fffffffffffffff"),
        ("signalling", "7ff0000000000001"),
        ("signalling, other half", "7ff7ffffffffffff"),
        ("negative signalling", "fff0000000000001"),
    ):
        yield f"float nan, {name}, becomes the one nan", _float(bits), bytes.fromhex("cb 7ff8000000000000")


def _texts() -> Iterator[tuple[str, Any, bytes]]:
    for name, text, encoding in (
        ("empty", "", b"\xa0"),
        ("ASCII", "abc", b"\xa3abc"),
        ("a numeral is no int", "1", b"\xa11"),
        ("a word is no bool", "true", b"\xa4true"),
        ("NUL", "\0", b"\xa1\0"),
        ("a line's end is kept", "a\r\nb", b"\xa4a\r\nb"),
        ("DEL", "\x7f", b"\xa1\x7f"),
        ("U+0080", "\x80", b"\xa2\xc2\x80"),
        ("U+07FF", "\u07ff", b"\xa2\xdf\xbf"),
        ("U+0800", "\u0800", b"\xa3\xe0\xa0\x80"),
        ("U+D7FF, below the surrogates", "\ud7ff", b"\xa3\xed\x9f\xbf"),
        ("U+E000, above the surrogates", "\ue000", b"\xa3\xee\x80\x80"),
        ("U+FEFF is kept, though it could be a byte order mark", "\ufeffa", b"\xa4\xef\xbb\xbfa"),
        ("U+FFFD, the replacement character", "\ufffd", b"\xa3\xef\xbf\xbd"),
        ("U+FFFF, a noncharacter", "\uffff", b"\xa3\xef\xbf\xbf"),
        ("U+10000", "\U00010000", b"\xa4\xf0\x90\x80\x80"),
        ("U+1F600, two UTF-16 units", "\U0001f600", b"\xa4\xf0\x9f\x98\x80"),
        ("U+10FFFF", "\U0010ffff", b"\xa4\xf4\x8f\xbf\xbf"),
        ("U+2028, a line separator", "\u2028", b"\xa3\xe2\x80\xa8"),
        ("U+202E, right to left", "\u202e", b"\xa3\xe2\x80\xae"),
        ("e acute, composed (NFC)", "\u00e9", b"\xa2\xc3\xa9"),
        ("e acute, decomposed (NFD), is another text", "e\u0301", b"\xa3e\xcc\x81"),
        ("A with ring", "\u00c5", b"\xa2\xc3\x85"),
        ("the Angstrom sign is another text", "\u212b", b"\xa3\xe2\x84\xab"),
        ("the ligature fi is not two letters", "\ufb01", b"\xa3\xef\xac\x81"),
        ("combining marks keep their order", "a\u0323\u0302", b"\xa5a\xcc\xa3\xcc\x82"),
        ("joined emoji", "\U0001f468\u200d\U0001f467", b"\xab\xf0\x9f\x91\xa8\xe2\x80\x8d\xf0\x9f\x91\xa7"),
    ):
        yield f"str {name}", text, encoding
    for length, head in (
        (31, b"\xbf"),
        (32, b"\xd9\x20"),
        (255, b"\xd9\xff"),
        (256, b"\xda\x01\x00"),
        (65535, b"\xda\xff\xff"),
        (65536, b"\xdb\x00\x01\x00\x00"),
    ):
        yield f"str of {length} bytes", _repeat("a", length), head + b"a" * length
    yield "str of 16 characters in 32 bytes", _repeat("\u00e9", 16), b"\xd9\x20" + b"\xc3\xa9" * 16
    yield "str of 64 characters in 256 bytes", _repeat("\U0001f600", 64), b"\xda\x01\x00" + b"\xf0\x9f\x98\x80" * 64


def _arrays() -> Iterator[tuple[str, Any, bytes]]:
    yield "array, empty", _array(), b"\x90"
    yield "array keeps its order", _array(_int(3), _int(1), _int(2)), b"\x93\x03\x01\x02"
    yield "array keeps what is there twice", _array("a", "a"), b"\x92\xa1a\xa1a"
    yield "array of an empty array and an empty map", _array(_array(), _map()), b"\x92\x90\x80"
    one = b"\x94\x01\xcb\x3f\xf0\x00\x00\x00\x00\x00\x00\xc3\xa11"
    yield "array of 1, 1.0, true, and '1'", _array(_int(1), _float("3ff0000000000000"), True, "1"), one
    every = _array(None, False, _int(-1), _float("bff8000000000000"), "a", _array(None), _map(("a", None)))
    yield "array of every type", every, b"\x97\xc0\xc2\xff\xcb\xbf\xf8\0\0\0\0\0\0\xa1a\x91\xc0\x81\xa1a\xc0"
    for count, head in (
        (15, b"\x9f"),
        (16, b"\xdc\x00\x10"),
        (65535, b"\xdc\xff\xff"),
        (65536, b"\xdd\x00\x01\x00\x00"),
    ):
        yield f"array of {count} items", {"fill": [None, count]}, head + NIL * count


def _maps() -> Iterator[tuple[str, Any, bytes]]:
    yield "map, empty", _map(), b"\x80"
    yield "map of nil is not an empty map", _map(("a", None)), b"\x81\xa1a\xc0"
    yield "map of an empty array and an empty map", _map(("b", _map()), ("a", _array())), b"\x82\xa1a\x90\xa1b\x80"
    for name, unordered, encoding in (
        ("by letter", ["b", "c", "a"], b"\x83\xa1a\xc0\xa1b\xc0\xa1c\xc0"),
        ("the empty key first", ["a", ""], b"\x82\xa0\xc0\xa1a\xc0"),
        ("a prefix first", ["ab", "a"], b"\x82\xa1a\xc0\xa2ab\xc0"),
        ("not the shortest first", ["b", "aa"], b"\x82\xa2aa\xc0\xa1b\xc0"),
        ("capitals first", ["a", "B", "_"], b"\x83\xa1B\xc0\xa1_\xc0\xa1a\xc0"),
        ("numerals as text", ["10", "9", "1"], b"\x83\xa11\xc0\xa210\xc0\xa19\xc0"),
        ("non-ASCII last", ["\u00e9", "z"], b"\x82\xa1z\xc0\xa2\xc3\xa9\xc0"),
        (
            "by UTF-8, where UTF-16 sorts otherwise",
            ["\U0001f600", "\uff61"],
            b"\x82\xa3\xef\xbd\xa1\xc0\xa4\xf0\x9f\x98\x80\xc0",
        ),
        (
            "U+FFFF before U+10000",
            ["\U00010000", "\uffff", "\ue000"],
            b"\x83\xa3\xee\x80\x80\xc0\xa3\xef\xbf\xbf\xc0\xa4\xf0\x90\x80\x80\xc0",
        ),
        ("composed and decomposed are two keys", ["\u00e9", "e\u0301"], b"\x82\xa3e\xcc\x81\xc0\xa2\xc3\xa9\xc0"),
        ("combining marks", ["a\u0301", "a", "b"], b"\x83\xa1a\xc0\xa3a\xcc\x81\xc0\xa1b\xc0"),
        ("longer than 31 bytes", ["b", "a" * 32], b"\x82\xd9\x20" + b"a" * 32 + b"\xc0\xa1b\xc0"),
        ("names that languages treat specially", ["a", "__proto__"], b"\x82\xa9__proto__\xc0\xa1a\xc0"),
    ):
        yield f"map keys: {name}", _map(*((key, None) for key in unordered)), encoding
    nested = _map(("b", _map(("d", _int(1)), ("c", _int(2)))), ("a", _array(_map(("f", None), ("e", None)))))
    yield "map keys: in order at every level", nested, b"\x82\xa1a\x91\x82\xa1e\xc0\xa1f\xc0\xa1b\x82\xa1c\x02\xa1d\x01"
    yield "map with '$float' and another key", _map(("a", None), ("$float", "nan")), b"\x82\xa6$float\xa3nan\xa1a\xc0"
    yield "map with the sole key '$floats'", _map(("$floats", "nan")), b"\x81\xa7$floats\xa3nan"
    for count, head in (
        (15, b"\x8f"),
        (16, b"\xde\x00\x10"),
        (65535, b"\xde\xff\xff"),
        (65536, b"\xdf\x00\x01\x00\x00"),
    ):
        yield (
            f"map of {count} entries",
            {"count": count},
            head + b"".join(b"\xa5%05d\xc0" % key for key in range(count)),
        )


def _limits() -> Iterator[tuple[str, Any, bytes]]:
    yield "depth: 64 arrays", _nest("array", 63, _array()), b"\x91" * 63 + b"\x90"
    yield "depth: a scalar in 64 arrays", _nest("array", 64, None), b"\x91" * 64 + NIL
    yield "depth: 64 maps", _nest("map", 63, _map()), b"\x81\xa1a" * 63 + b"\x80"
    yield "depth: a scalar in 64 maps", _nest("map", 64, None), b"\x81\xa1a" * 64 + NIL
    both = _nest("array", 32, _nest("map", 32, None))
    yield "depth: 32 arrays and 32 maps", both, b"\x91" * 32 + b"\x81\xa1a" * 32 + NIL
    twice = _array(_nest("array", 63, None), _nest("array", 63, None))
    yield "depth: 64 levels, twice side by side", twice, b"\x92" + (b"\x91" * 63 + NIL) * 2
    text = MAX_BYTES - 5
    yield "size: a str of exactly 4 MiB", _repeat("a", text), b"\xdb\x00\x3f\xff\xfb" + b"a" * text
    inside = _array(_repeat("\u00e9", (MAX_BYTES - 6) // 2))
    yield (
        "size: a non-ASCII str in exactly 4 MiB",
        inside,
        b"\x91\xdb\x00\x3f\xff\xfa" + b"\xc3\xa9" * ((MAX_BYTES - 6) // 2),
    )
    item = _repeat("a", 59)
    wide = b"\xdd\x00\x01\x0c\x97" + (b"\xd9\x3b" + b"a" * 59) * 68_759
    yield "size: an array of exactly 4 MiB", {"fill": [item, 68_759]}, wide


def configs() -> Iterator[tuple[str, Any, bytes]]:
    """Yield (name, config object, encoding)."""
    empty = (
        CONFIG_HEAD
        + b"\x90"
        + FEATURE_TRANSFORMATIONS
        + b"\x80"
        + FEATURE_WEIGHTS
        + b"\x80"
        + HYPERPARAMETERS
        + b"\x80"
    )
    yield "empty", _config(), empty
    yield (
        "the worked example of canonical.md",
        _config(
            feature_names=_array("momentum"),
            feature_weights=_map(("momentum", _float("3fe0000000000000"))),
            hyperparameters=_map(("window", _int(20))),
        ),
        CONFIG_HEAD
        + b"\x91\xa8momentum"
        + FEATURE_TRANSFORMATIONS
        + b"\x80"
        + FEATURE_WEIGHTS
        + b"\x81\xa8momentum\xcb\x3f\xe0\x00\x00\x00\x00\x00\x00"
        + HYPERPARAMETERS
        + b"\x81\xa6window\x14",
    )
    yield (
        "every section, with extremes",
        _config(
            feature_names=_array("Size", "momentum", "\uff61", "\U0001f600"),
            feature_transformations=_map(("momentum", "log"), ("Size", _map(("clip", _float("4008000000000000"))))),
            feature_weights=_map(("\U0001f600", _float("fff0000000000000")), ("\uff61", _float("8000000000000000"))),
            hyperparameters=_map(
                ("seed", _int(2**64 - 1)),
                ("missing", _float("fff8000000000001")),
                ("layers", _array(_int(64), _int(32))),
                ("early_stopping", None),
                ("shuffle", True),
            ),
        ),
        CONFIG_HEAD
        + b"\x94\xa4Size\xa8momentum\xa3\xef\xbd\xa1\xa4\xf0\x9f\x98\x80"
        + FEATURE_TRANSFORMATIONS
        + b"\x82\xa4Size\x81\xa4clip\xcb\x40\x08\x00\x00\x00\x00\x00\x00\xa8momentum\xa3log"
        + FEATURE_WEIGHTS
        + b"\x82\xa3\xef\xbd\xa1\xcb\x00\x00\x00\x00\x00\x00\x00\x00"
        + b"\xa4\xf0\x9f\x98\x80\xcb\xff\xf0\x00\x00\x00\x00\x00\x00"
        + HYPERPARAMETERS
        + b"\x85\xaeearly_stopping\xc0\xa6layers\x92\x40\x20\xa7missing\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00"
        + b"\xa4seed\xcf\xff\xff\xff\xff\xff\xff\xff\xff\xa7shuffle\xc3",
    )


def refused_values() -> Iterator[tuple[str, Any]]:
    """Yield (name, value)."""
    for number in (2**64, -(2**63) - 1, 10**30, -(10**30)):
        yield f"int {number}", _int(number)
    yield "int 2^64 inside a map", _map(("a", _array(_int(2**64))))
    yield "str with a lone high surrogate", {"utf16": "d83d"}
    yield "str with a lone low surrogate", {"utf16": "0061de00"}
    yield "str with surrogates in the wrong order", {"utf16": "de00d83d"}
    yield "key with a lone surrogate", _map(({"utf16": "d800"}, None))
    yield "map with the sole key '$float'", _map(("$float", "nan"))
    yield "map with the sole key '$float', of another value", _map(("$float", None))
    yield "map with the sole key '$float', inside", _array(_map(("a", _map(("$float", "inf")))))
    yield "map with a key twice", _map(("a", _int(1)), ("a", _int(2)))
    yield "map with a key twice, of the same value", _map(("a", None), ("b", None), ("a", None))
    yield "depth: 65 arrays", _nest("array", 64, _array())
    yield "depth: 65 maps", _nest("map", 64, _map())
    yield "depth: 33 arrays and 32 maps", _nest("array", 33, _nest("map", 32, None))
    yield "depth: 100000 arrays", _nest("array", 100_000, None)
    yield "size: a str of one byte more than 4 MiB", _repeat("a", MAX_BYTES - 4)
    yield "size: a str of fewer characters than 4 Mi, but more bytes", _repeat("\u00e9", (MAX_BYTES - 4) // 2)
    yield "size: an array of one byte more than 4 MiB", {"fill": [None, MAX_BYTES - 4]}
    yield "size: a hundred strs that are too large together", {"fill": [_repeat("a", 50_000), 100]}


def refused_bytes() -> Iterator[tuple[Any, ...]]:
    """Yield (name, bytes or (bytes, times), ...)."""
    yield "no bytes at all", b""
    yield "0xc1, which MessagePack never uses", b"\xc1"
    yield "0xc1 inside an array", b"\x91\xc1"
    yield from _refused_ints()
    yield from _refused_floats()
    yield from _refused_texts()
    yield from _refused_types()
    yield from _refused_containers()
    yield from _refused_endings()
    yield from _refused_sizes()


def _refused_ints() -> Iterator[tuple[Any, ...]]:
    for number, encoding in (
        (0, "cc 00"),
        (127, "cc 7f"),
        (0, "cd 0000"),
        (127, "cd 007f"),
        (255, "cd 00ff"),
        (255, "ce 000000ff"),
        (65535, "ce 0000ffff"),
        (65535, "cf 000000000000ffff"),
        (2**32 - 1, "cf 00000000ffffffff"),
        (0, "cf 0000000000000000"),
        (-1, "d0 ff"),
        (-32, "d0 e0"),
        (-1, "d1 ffff"),
        (-128, "d1 ff80"),
        (-128, "d2 ffffff80"),
        (-32768, "d2 ffff8000"),
        (-32768, "d3 ffffffffffff8000"),
        (-(2**31), "d3 ffffffff80000000"),
        (-1, "d3 ffffffffffffffff"),
        (0, "d0 00"),
        (127, "d0 7f"),
        (128, "d1 0080"),
        (32767, "d1 7fff"),
        (65536, "d2 00010000"),
        (2**31 - 1, "d2 7fffffff"),
        (2**32, "d3 0000000100000000"),
        (2**63 - 1, "d3 7fffffffffffffff"),
    ):
        yield f"int {number} as {encoding}", bytes.fromhex(encoding)
    yield "int 1 as cc 01, inside a map", bytes.fromhex("81 a161 cc01")


def _refused_floats() -> Iterator[tuple[Any, ...]]:
    yield "float32 1.0", bytes.fromhex("ca 3f800000")
    yield "float32 nan", bytes.fromhex("ca 7fc00000")
    yield "float -0.0", bytes.fromhex("cb 8000000000000000")
    yield "float -0.0 inside an array", bytes.fromhex("91 cb 8000000000000000")
    for bits in (
        "fff8000000000000",
        "7ff8000000000001",
        "7fffffffffffffff",
        "ffffffffffffffff",
        "7ff0000000000001",
        "7ff7ffffffffffff",
        "fff0000000000001",
    ):
        yield f"float nan as {bits}", bytes.fromhex(f"cb {bits}")


def _refused_texts() -> Iterator[tuple[Any, ...]]:
    yield "str of 0 bytes in str8", b"\xd9\x00"
    yield "str of 31 bytes in str8", b"\xd9\x1f" + b"a" * 31
    yield "str of 0 bytes in str16", b"\xda\x00\x00"
    yield "str of 255 bytes in str16", b"\xda\x00\xff" + b"a" * 255
    yield "str of 1 byte in str32", b"\xdb\x00\x00\x00\x01a"
    yield "str of 65535 bytes in str32", b"\xdb\x00\x00\xff\xff", (b"a", 65535)
    yield "key in str8 that fits fixstr", b"\x81\xd9\x01a\xc0"
    for name, data in (
        ("a byte that never occurs", b"\xff"),
        ("a lone continuation byte", b"\x80"),
        ("a sequence cut short", b"\xe2\x82"),
        ("a sequence cut short by a letter", b"\xe2\x82a"),
        ("overlong NUL", b"\xc0\x80"),
        ("overlong slash in three bytes", b"\xe0\x80\xaf"),
        ("overlong in four bytes", b"\xf0\x80\x80\xaf"),
        ("a high surrogate", b"\xed\xa0\x80"),
        ("a low surrogate", b"\xed\xbf\xbf"),
        ("a surrogate pair (CESU-8)", b"\xed\xa0\xbd\xed\xb8\x80"),
        ("U+110000", b"\xf4\x90\x80\x80"),
        ("a sequence of five bytes", b"\xf8\x88\x80\x80\x80"),
        ("Latin-1", b"caf\xe9"),
    ):
        yield f"str not UTF-8: {name}", bytes([0xA0 + len(data)]) + data
    yield "key not UTF-8", b"\x81\xa1\xff\xc0"


def _refused_types() -> Iterator[tuple[Any, ...]]:
    for name, data in (
        ("bin8, empty", "c4 00"),
        ("bin8", "c4 01 61"),
        ("bin16", "c5 0001 61"),
        ("bin32", "c6 00000001 61"),
        ("fixext1", "d4 01 00"),
        ("fixext2", "d5 01 0000"),
        ("fixext4", "d6 01 00000000"),
        ("fixext8", "d7 01 0000000000000000"),
        ("fixext16", "d8 01 00000000000000000000000000000000"),
        ("ext8, empty", "c7 00 01"),
        ("ext8", "c7 01 01 00"),
        ("ext16", "c8 0001 01 00"),
        ("ext32", "c9 00000001 01 00"),
        ("timestamp 32", "d6 ff 00000000"),
        ("timestamp 64", "d7 ff 0000000100000000"),
        ("timestamp 96", "c7 0c ff 00000000 ffffffffffffffff"),
        ("timestamp 96 with too many nanoseconds", "c7 0c ff ffffffff 0000000000000000"),
    ):
        encoding = bytes.fromhex(data)
        yield name, encoding
        yield f"{name}, inside an array", b"\x91" + encoding
        yield f"{name}, inside a map", b"\x81\xa1a" + encoding
        yield f"{name}, as a key", b"\x81" + encoding + NIL


def _refused_containers() -> Iterator[tuple[Any, ...]]:
    yield "array of 0 items in array16", b"\xdc\x00\x00"
    yield "array of 15 items in array16", b"\xdc\x00\x0f" + NIL * 15
    yield "array of 16 items in array32", b"\xdd\x00\x00\x00\x10" + NIL * 16
    yield "array of 65535 items in array32", b"\xdd\x00\x00\xff\xff", (NIL, 65535)
    yield "map of 0 entries in map16", b"\xde\x00\x00"
    yield "map of 1 entry in map16", b"\xde\x00\x01\xa1a\xc0"
    yield "map of 1 entry in map32", b"\xdf\x00\x00\x00\x01\xa1a\xc0"
    for name, key in (
        ("nil", b"\xc0"),
        ("bool", b"\xc3"),
        ("int", b"\x01"),
        ("float", b"\xcb" + bytes(8)),
        ("array", b"\x90"),
        ("map", b"\x80"),
    ):
        yield f"key of type {name}", b"\x81" + key + NIL
        yield f"key of type {name} after a str", b"\x82\xa1a\xc0" + key + NIL
    yield "keys out of order", b"\x82\xa1b\xc0\xa1a\xc0"
    yield "keys out of order, inside", b"\x91\x81\xa1a\x82\xa1c\xc0\xa1b\xc0"
    yield "keys with the shortest first", b"\x82\xa1b\xc0\xa2aa\xc0"
    yield "keys with a prefix last", b"\x82\xa2ab\xc0\xa1a\xc0"
    yield "keys in the order of UTF-16", b"\x82\xa4\xf0\x9f\x98\x80\xc0\xa3\xef\xbd\xa1\xc0"
    yield "keys in the order of numbers", b"\x82\xa19\xc0\xa210\xc0"
    yield "keys in the order of a dictionary", b"\x82\xa1a\xc0\xa1B\xc0"
    yield "a key twice", b"\x82\xa1a\xc0\xa1a\xc0"
    yield "a key twice, of different values", b"\x82\xa1a\x01\xa1a\x02"
    yield "a key twice, not side by side", b"\x83\xa1a\xc0\xa1b\xc0\xa1a\xc0"
    yield "the empty key twice", b"\x82\xa0\xc0\xa0\xc0"
    yield "a map with the sole key '$float'", b"\x81\xa6$float\xa3nan"
    yield "a map with the sole key '$float', of another value", b"\x81\xa6$float\xc0"
    yield "a map with the sole key '$float', inside", b"\x91\x81\xa1a\x81\xa6$float\xa3inf"


def _refused_endings() -> Iterator[tuple[Any, ...]]:
    yield "a value after the value", b"\xc0\xc0"
    yield "a line's end after the value", b"\xc0\n"
    yield "a NUL after the value", b"\x80\x00"
    yield "an unused byte after the value", b"\xc0\xc1"
    yield "a second map", b"\x81\xa1a\xc0\x81\xa1a\xc0"
    for name, data in (
        ("uint8 without its byte", "cc"),
        ("uint16 cut short", "cd 01"),
        ("uint32 cut short", "ce 000100"),
        ("uint64 cut short", "cf 00000001000000"),
        ("int8 without its byte", "d0"),
        ("int16 cut short", "d1 ff"),
        ("int32 cut short", "d2 ffff7f"),
        ("int64 cut short", "d3 ffffffff7fffff"),
        ("float cut short", "cb 3ff00000000000"),
        ("float without its bytes", "cb"),
        ("fixstr without its text", "a1"),
        ("fixstr cut short", "a3 6161"),
        ("str8 without its length", "d9"),
        ("str16 with half its length", "da 01"),
        ("str32 with half its length", "db 0001"),
        ("fixarray without its item", "91"),
        ("fixarray cut short", "93 c0c0"),
        ("array16 without its length", "dc"),
        ("array32 with half its length", "dd 0001"),
        ("fixmap without its entry", "81"),
        ("fixmap without its value", "81 a161"),
        ("fixmap cut short", "82 a161 c0"),
        ("map16 with half its length", "de 00"),
        ("map32 with half its length", "df 0001"),
        ("ext8 cut short", "c7"),
    ):
        yield f"truncated: {name}", bytes.fromhex(data)
    yield "truncated: str8 cut short", b"\xd9\x20" + b"a" * 31
    yield "truncated: str16 cut short", b"\xda\x01\x00" + b"a" * 255
    yield "truncated: array16 cut short", b"\xdc\x00\x10" + NIL * 15


def _refused_sizes() -> Iterator[tuple[Any, ...]]:
    for name, head in (
        ("str32", b"\xdb"),
        ("array32", b"\xdd"),
        ("map32", b"\xdf"),
        ("bin32", b"\xc6"),
        ("ext32", b"\xc9"),
    ):
        yield f"{name} of 4 GiB, nothing there", head + b"\xff" * 4
        yield f"{name} of 4 GiB, a little there", head + b"\xff" * 4, (NIL, 100)
        yield f"{name} of 2 GiB", head + b"\x7f" + b"\xff" * 3
    yield "array32 of 4 GiB, nested", (b"\xdd" + b"\xff" * 4, 60)
    yield "map32 of 4 GiB, nested", (b"\xdf" + b"\xff" * 4 + b"\xa1a", 60)
    yield "depth: 65 arrays", b"\x91" * 64 + b"\x90"
    yield "depth: a scalar in 65 arrays", b"\x91" * 65 + NIL
    yield "depth: 65 maps", b"\x81\xa1a" * 64 + b"\x80"
    yield "depth: 33 arrays and 32 maps", b"\x91" * 33 + b"\x81\xa1a" * 32 + NIL
    yield "depth: 1000 arrays", (b"\x91", 1000), NIL
    yield "depth: as many arrays as fit", (b"\x91", MAX_BYTES - 1), NIL
    yield "depth: as many maps as fit", (b"\x81\xa1a", (MAX_BYTES - 1) // 3), NIL
    yield "size: a str of one byte more than 4 MiB", b"\xdb\x00\x3f\xff\xfc", (b"a", MAX_BYTES - 4)
    yield "size: an array of one byte more than 4 MiB", b"\xdd\x00\x3f\xff\xfc", (NIL, MAX_BYTES - 4)


def refused_configs() -> Iterator[tuple[str, bytes]]:
    """Yield (name, bytes that are canonical, but no config)."""
    transformations = FEATURE_TRANSFORMATIONS + b"\x80"
    weights = FEATURE_WEIGHTS + b"\x80"
    hyperparameters = HYPERPARAMETERS + b"\x80"
    tail = transformations + weights + hyperparameters
    yield "nil", NIL
    yield "an empty map", b"\x80"
    yield "an array", b"\x90"
    yield "no $ entry", b"\x84\xadfeature_names\x90" + tail
    yield "another kind", b"\x85\xa1$\xafgemexp/config@2\xadfeature_names\x90" + tail
    yield "a kind that is no text", b"\x85\xa1$\x01\xadfeature_names\x90" + tail
    yield "a section missing", b"\x84\xa1$\xafgemexp/config@1\xadfeature_names\x90" + transformations + weights
    yield "a sixth key", b"\x86\xa1$\xafgemexp/config@1\xabdescription\xa0\xadfeature_names\x90" + tail
    yield "feature_names not sorted", CONFIG_HEAD + b"\x92\xa1b\xa1a" + tail
    yield "feature_names sorted by UTF-16", CONFIG_HEAD + b"\x92\xa4\xf0\x9f\x98\x80\xa3\xef\xbd\xa1" + tail
    yield "feature_names with one twice", CONFIG_HEAD + b"\x92\xa1a\xa1a" + tail
    yield "feature_names with an int", CONFIG_HEAD + b"\x91\x01" + tail
    yield "feature_names a map", CONFIG_HEAD + b"\x80" + tail
    yield "feature_names nil", CONFIG_HEAD + NIL + tail
    head = CONFIG_HEAD + b"\x90"
    yield "feature_transformations an array", head + FEATURE_TRANSFORMATIONS + b"\x90" + weights + hyperparameters
    yield "feature_weights nil", head + transformations + FEATURE_WEIGHTS + NIL + hyperparameters
    yield "a weight that is an int", head + transformations + FEATURE_WEIGHTS + b"\x81\xa1a\x01" + hyperparameters
    yield "a weight that is a text", head + transformations + FEATURE_WEIGHTS + b"\x81\xa1a\xa11" + hyperparameters
    yield "hyperparameters an array", head + transformations + weights + HYPERPARAMETERS + b"\x90"


def names() -> Iterator[tuple[str, str]]:
    """Yield (a tag's name, its folder's name)."""
    yield from (
        ("a", "a"),
        ("2024", "2024"),
        ("v1.0_rc-2=x+y@z", "v1.0_rc-2=x+y@z"),
        ("Production", "%50roduction"),
        ("ABC", "%41%42%43"),
        ("a b", "a%20b"),
        ("a/b", "a%2Fb"),
        ("a\\b", "a%5Cb"),
        ("a:b", "a%3Ab"),
        ("a*?b", "a%2A%3Fb"),
        ("~a", "%7Ea"),
        ("%", "%25"),
        ("%41", "%2541"),
        ("\0", "%00"),
        ("\n", "%0A"),
        (".", "%2E"),
        ("..", "%2E%2E"),
        ("...", "%2E.%2E"),
        ("../../etc", "%2E.%2F..%2Fetc"),
        (".hidden", "%2Ehidden"),
        ("a.", "a%2E"),
        ("a..", "a.%2E"),
        ("a.b", "a.b"),
        ("-f", "-f"),
        ("con", "%63on"),
        ("con.txt", "%63on.txt"),
        ("con.", "%63on%2E"),
        ("CON", "%43%4F%4E"),
        ("Con", "%43on"),
        ("config", "config"),
        ("con-1", "con-1"),
        ("prn", "%70rn"),
        ("aux", "%61ux"),
        ("nul.tar.gz", "%6Eul.tar.gz"),
        ("com0", "%63om0"),
        ("com9", "%63om9"),
        ("com10", "com10"),
        ("lpt1", "%6Cpt1"),
        ("\u00e9", "%C3%A9"),
        ("e\u0301", "e%CC%81"),
        ("\U0001f600", "%F0%9F%98%80"),
        ("a" * 200, "a" * 200),
        ("A" * 66 + "ab", "%41" * 66 + "ab"),
    )


def refused_names() -> Iterator[tuple[str, Any]]:
    """Yield (why, a tag's name)."""
    yield "it is empty", ""
    yield "it takes 201 bytes", "a" * 201
    yield "it takes 201 bytes when escaped", "A" * 67
    yield "its last dot makes it 201 bytes", "a" * 198 + "."
    yield "it holds a lone surrogate", {"utf16": "0061d800"}


def refused_escapes() -> Iterator[tuple[str, str]]:
    """Yield (why, a folder's name that no tag has)."""
    yield from (
        ("it is empty", ""),
        ("a capital is escaped", "A"),
        ("a space is escaped", "a b"),
        ("non-ASCII is escaped", "\u00e9"),
        ("it is hidden", ".a"),
        ("it is another folder", ".."),
        ("it ends in a dot", "a."),
        ("it is a device of Windows", "con"),
        ("it is a device of Windows", "lpt1.txt"),
        ("a small letter is not escaped", "%61"),
        ("a dot inside is not escaped", "a%2Eb"),
        ("all three dots need not be escaped", "%2E%2E%2E"),
        ("hexadecimal digits are capitals", "%c3%a9"),
        ("the escape has one digit", "a%4"),
        ("the escape has no digits", "%"),
        ("the escape has other letters", "%GG"),
        ("it is not UTF-8", "%C3"),
        ("it is a surrogate", "%ED%A0%80"),
        ("it is overlong UTF-8", "%C0%AF"),
        ("it takes 201 bytes", "a" * 201),
        ("a backup's tilde is escaped", "a~"),
    )


def _int(number: int) -> dict[str, Any]:
    return {"int": str(number)}


def _float(bits: str) -> dict[str, Any]:
    return {"float": bits}


def _array(*items: Any) -> dict[str, Any]:
    return {"array": list(items)}


def _map(*pairs: tuple[Any, Any]) -> dict[str, Any]:
    return {"map": [list(pair) for pair in pairs]}


def _repeat(text: str, times: int) -> dict[str, Any]:
    return {"repeat": [text, times]}


def _nest(kind: str, levels: int, innermost: Any) -> dict[str, Any]:
    return {"nest": [kind, levels, innermost]}


def _config(**sections: Any) -> dict[str, Any]:
    """Return the config object with its keys out of order; sections not given are empty."""
    return _map(
        ("hyperparameters", sections.get("hyperparameters", _map())),
        ("feature_weights", sections.get("feature_weights", _map())),
        ("feature_transformations", sections.get("feature_transformations", _map())),
        ("feature_names", sections.get("feature_names", _array())),
        ("$", "gemexp/config@1"),
    )


def _valid(name: str, value: Any, data: bytes) -> dict[str, Any]:
    sha256 = hashlib.sha256(data).hexdigest()
    if len(data) <= MAX_HEX_BYTES:
        return {"name": name, "value": value, "hex": data.hex(), "sha256": sha256}
    return {"name": name, "value": value, "length": len(data), "begins": data[:16].hex(), "sha256": sha256}


def _bytes(runs: list[Any]) -> dict[str, Any]:
    if all(isinstance(run, bytes) for run in runs):
        return {"hex": b"".join(runs).hex()}
    pairs = [(run, 1) if isinstance(run, bytes) else run for run in runs]
    return {"runs": [[piece.hex(), times] for piece, times in pairs]}


def _lines(vectors: Iterator[dict[str, Any]]) -> str:
    """Write a JSON array with one vector a line, so that a change shows as the lines it touches."""
    return "[\n" + ",\n".join(map(json.dumps, vectors)) + "\n]\n"


if __name__ == "__main__":
    for file_name, text in files().items():
        (VECTORS / file_name).write_text(text, encoding="ascii", newline="\n")
