"""Reading canonical bytes without msgpack, for the program that git starts once for every file.

Importing msgpack takes longer than reading a thousand small objects here. The result is that of `gemexp.canonical`,
which everything else uses: what it refuses is refused here too.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_MAX_DEPTH = 64
_MAX_BYTES = 4 * 1024 * 1024
_FLOAT_KEY = "$float"
_NAN = b"\x7f\xf8\0\0\0\0\0\0"
_ZERO = bytes(8)
# First byte -> number of bytes that hold a length, or an unsigned or a signed number, and the least that needs them.
_TEXT = {0xD9: (1, 32), 0xDA: (2, 1 << 8), 0xDB: (4, 1 << 16)}
_ARRAY = {0xDC: (2, 16), 0xDD: (4, 1 << 16)}
_MAP = {0xDE: (2, 16), 0xDF: (4, 1 << 16)}
_UNSIGNED = {0xCC: (1, 1 << 7), 0xCD: (2, 1 << 8), 0xCE: (4, 1 << 16), 0xCF: (8, 1 << 32)}
_SIGNED = {0xD0: (1, -(1 << 5)), 0xD1: (2, -(1 << 7)), 0xD2: (4, -(1 << 15)), 0xD3: (8, -(1 << 31))}
_CONSTANTS = {0xC0: None, 0xC2: False, 0xC3: True}


def unpack(data: bytes) -> Any:
    """Return the value that ``data`` is the canonical encoding of.

    Raises:
        ValueError: It is none.
    """
    if len(data) > _MAX_BYTES:
        raise ValueError(f"it is larger than {_MAX_BYTES} bytes")
    reader = _Reader(data)
    try:
        value = reader.value(1)
    except IndexError:
        raise ValueError("it ends too early") from None
    if reader.at != len(data):
        raise ValueError("something follows")
    return value


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0

    def value(self, depth: int) -> Any:
        first = self._data[self.at]
        self.at += 1
        if first < 0x80:
            return first
        if first >= 0xE0:
            return first - 0x100
        if 0xA0 <= first < 0xC0:
            return self._text(first & 0x1F)
        if first < 0x90:
            return self._map(first & 0x0F, depth)
        if first < 0xA0:
            return self._array(first & 0x0F, depth)
        return self._other(first, depth)

    def _other(self, first: int, depth: int) -> Any:
        if first == 0xCB:
            return self._float()
        if first in _CONSTANTS:
            return _CONSTANTS[first]
        if first in _TEXT:
            return self._text(self._number(*_TEXT[first]))
        if first in _UNSIGNED:
            return self._number(*_UNSIGNED[first])
        if first in _SIGNED:
            width, bound = _SIGNED[first]
            number = int.from_bytes(self._take(width), signed=True)
            if number >= bound:
                raise ValueError("a number takes more bytes than it needs")
            return number
        if first in _ARRAY:
            return self._array(self._number(*_ARRAY[first]), depth)
        if first in _MAP:
            return self._map(self._number(*_MAP[first]), depth)
        raise ValueError(f"the byte {first:02x} begins nothing")

    def _take(self, count: int) -> bytes:
        taken = self._data[self.at : self.at + count]
        if len(taken) != count:
            raise IndexError
        self.at += count
        return taken

    def _number(self, width: int, least: int) -> int:
        number = int.from_bytes(self._take(width))
        if number < least:
            raise ValueError("a number takes more bytes than it needs")
        return number

    def _text(self, length: int) -> str:
        return self._take(length).decode()

    def _float(self) -> float:
        packed = self._take(8)
        number: float = memoryview(packed if sys.byteorder == "big" else packed[::-1]).cast("d")[0]
        if (number != number and packed != _NAN) or (not number and packed != _ZERO):
            raise ValueError("it holds -0.0, or a NaN with other bits than the one allowed")
        return number

    def _array(self, length: int, depth: int) -> list[Any]:
        if depth > _MAX_DEPTH:
            raise ValueError("it is nested too deeply")
        return [self.value(depth + 1) for _ in range(length)]

    def _map(self, length: int, depth: int) -> dict[str, Any]:
        if depth > _MAX_DEPTH:
            raise ValueError("it is nested too deeply")
        found: dict[str, Any] = {}
        last = None
        for _ in range(length):
            key = self.value(depth + 1)
            if type(key) is not str or (last is not None and key <= last):
                raise ValueError("a map's keys are not text, or not in order")
            found[key] = self.value(depth + 1)
            last = key
        if length == 1 and last == _FLOAT_KEY:
            raise ValueError("a map has a single key that is not allowed")
        return found
