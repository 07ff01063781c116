"""Values to canonical bytes and back: the one place that decides what is equal, and the sole importer of msgpack.

The format is specified in ``docs/spec/canonical.md``: a strict subset of MessagePack in which every value has
exactly one encoding.
"""

from __future__ import annotations

import re
import struct
import sys
from collections.abc import Callable, Collection, Mapping
from datetime import date, datetime
from enum import Enum
from typing import Any, Final, TypedDict

import msgpack

from gemexp.errors import Corrupt, InvalidValue

MAX_DEPTH = 64
MAX_BYTES = 4 * 1024 * 1024
MIN_INT = -(2**63)
MAX_INT = 2**64 - 1
FLOAT_KEY = "$float"
_SMALL_BYTES = 4096
_ONLY_STR = {str}
_SCALARS = {type(None), bool, int, float, str}

# One fixed bit pattern: float("nan") may carry another payload or a sign on some platforms.
_NAN_BITS = bytes.fromhex("7ff8000000000000")
_NAN = struct.unpack(">d", _NAN_BITS)[0]
_CANONICAL_SPECIALS = (_NAN_BITS, bytes(8))
# Where a float may be -0.0 or a NaN; text may hold such bytes by chance.
_MAYBE_SPECIAL = re.compile(rb"\xcb(?:\x80\x00|[\x7f\xff][\xf0-\xff])")


def normalise(value: Any) -> Any:
    """Turn ``value`` into plain data: None, bool, int, float, str, list, and dict with sorted str keys.

    Tuples become lists; numpy scalars and arrays of numbers, dates and aware datetimes, pure paths, enums,
    dataclasses, attrs and pydantic instances and OmegaConf containers become what they stand for. The result
    shares nothing mutable with ``value``.

    Raises:
        InvalidValue: Something in it has no place in a configuration; ``path`` leads to it.
    """
    return _Normaliser().value(value, 1)


def encode(value: Any) -> bytes:
    """Return the canonical bytes of ``value``, which is normalised first.

    Raises:
        InvalidValue: As `normalise`, or the encoding is larger than 4 MiB.
    """
    data = _pack_plain(value)
    if data is None:
        data = _pack(normalise(value))
    if len(data) > MAX_BYTES:
        raise _too_large()
    return data


def is_plain(value: Any) -> bool:
    """Tell whether a part of a map is such as `normalise` returns it, but for the order of keys, and for floats."""
    return _fault(value, 2, [MAX_BYTES], ordered=False) is None


def has_special_floats(data: bytes) -> bool:
    """Tell whether canonical bytes may hold -0.0 or a NaN, which are written in one of their forms only."""
    return _MAYBE_SPECIAL.search(data) is not None


def decode(data: bytes) -> Any:
    """Return the value that ``data`` is the canonical encoding of.

    Raises:
        Corrupt: ``data`` is not canonical: msgpack's readers accept much that `encode` never writes.
    """
    value = _unpack(data)
    fault = _fault(value, 1, [MAX_BYTES]) or _deviant_float(value, data)
    if fault is not None:
        raise Corrupt(f"is not canonical: {fault}")
    if _pack(value) != data:
        raise Corrupt("is not canonical: the same value encodes to other bytes")
    return value


def decode_proven(data: bytes) -> Any:
    """Return the value of bytes that `decode` accepted before, which their hash has just shown to be the same ones.

    Raises:
        Corrupt: They are not MessagePack after all.
    """
    return _unpack(data)


def peek(data: bytes, keys: Collection[str]) -> dict[str, Any]:
    """Return the values of some keys of the map in ``data``, without proving that ``data`` is canonical.

    A fifth of the work of `decode`, for searching: what is found is decoded afterwards.

    Raises:
        Corrupt: There is no map in it that could be read.
    """
    try:
        reader = msgpack.Unpacker(max_buffer_size=MAX_BYTES, read_size=1, **_READING)
        reader.feed(data)
        reader.skip()  # so that a declared length of 4 GiB allocates nothing
        reader.feed(data)
        found = {}
        for _ in range(reader.read_map_header()):
            key = reader.unpack()
            if key in keys:
                found[key] = reader.unpack()
            else:
                reader.skip()
    except (ValueError, TypeError, OverflowError, msgpack.UnpackException) as error:
        raise _not_canonical(error) from None
    return found


class _Reading(TypedDict):
    """Options of msgpack's readers."""

    raw: bool
    strict_map_key: bool
    use_list: bool
    ext_hook: Callable[[int, bytes], Any]


class _Normaliser:
    """One walk over one value; ``room`` bounds it where aliases would make a small text enormous."""

    __slots__ = ("room",)

    def __init__(self) -> None:
        self.room = MAX_BYTES

    def value(self, value: Any, depth: int) -> Any:
        kind = type(value)
        if kind is str:
            return self._text(value)
        if kind is float:
            if value != value:
                return _NAN
            return value + 0.0  # -0.0 + 0.0 is 0.0
        if kind is int:
            if MIN_INT <= value <= MAX_INT:
                return value
            raise InvalidValue("is an integer outside -2^63 to 2^64-1", hint="write it as a string")
        if value is None or kind is bool:
            return value
        if kind is dict:
            return self._map(value, depth)
        if kind is list or kind is tuple:
            return self._array(value, depth)
        return self._other(value, depth)

    def _text(self, text: str) -> str:
        self.room -= len(text)
        if self.room < 0:
            raise _too_large()
        if not text.isascii():
            try:
                text.encode()
            except UnicodeEncodeError as error:
                raise InvalidValue(
                    f"holds the lone surrogate U+{ord(text[error.start]):04X}", hint="it is not text; decode it first"
                ) from None
        return text

    def _enter(self, size: int, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise InvalidValue(f"is nested deeper than {MAX_DEPTH} levels", hint="does it contain itself?")
        self.room -= size
        if self.room < 0:
            raise _too_large()

    def _array(self, items: list[Any] | tuple[Any, ...], depth: int) -> list[Any]:
        self._enter(len(items), depth)
        if self._are_plain(items):
            return list(items)
        result = []
        for position, item in enumerate(items):
            try:
                result.append(self.value(item, depth + 1))
            except InvalidValue as error:
                raise error.inside(position)  # noqa: B904 - the same error, on its way out
        return result

    def _map(self, mapping: Mapping[Any, Any], depth: int) -> dict[str, Any]:
        self._enter(2 * len(mapping), depth)
        items = self._items(mapping)
        if FLOAT_KEY in items and len(items) == 1:
            raise InvalidValue(f"has '{FLOAT_KEY}' as its only key, which JSON needs for nan and inf", hint="rename it")
        # Code points of text without surrogates sort as their UTF-8 bytes do.
        if self._are_plain(items.values()):
            return dict(sorted(items.items()))
        result = {}
        for key in sorted(items):
            try:
                result[key] = self.value(items[key], depth + 1)
            except InvalidValue as error:
                raise error.inside(key)  # noqa: B904 - the same error, on its way out
        return result

    def _are_plain(self, items: Collection[Any]) -> bool:
        """Tell whether items are scalars that stay as they are, by looking at all of them at once."""
        kinds = set(map(type, items))
        if not kinds <= _SCALARS or 0.0 in items:  # 0.0 may be -0.0
            return False
        if float in kinds:
            total = sum([item for item in items if type(item) is float])
            if total - total != 0.0:  # a NaN among them, or an infinity
                return False
        if int in kinds:
            numbers = [item for item in items if type(item) is int]
            if min(numbers) < MIN_INT or max(numbers) > MAX_INT:
                return False
        if str in kinds:
            texts = [item for item in items if type(item) is str]
            size = sum(map(len, texts))
            if size > self.room:  # the walk finds out which; joined here, one text that is there often takes all memory
                return False
            if not "".join(texts).isascii():
                return False
            self.room -= size
        return True

    def _items(self, mapping: Mapping[Any, Any]) -> Mapping[str, Any]:
        if set(map(type, mapping)) <= _ONLY_STR:  # all keys at once, in the common case
            text = "".join(mapping)
            if text.isascii():
                self._text(text)
                return mapping
        items = {self._key(key): value for key, value in mapping.items()}
        if len(items) != len(mapping):
            raise InvalidValue("has two keys that are the same text")
        return items

    def _key(self, key: Any) -> str:
        if type(key) is not str:
            if not isinstance(key, str):
                raise InvalidValue(
                    f"has the key {_shown(key)} of type {type(key).__name__}", hint="quote it: keys are text"
                )
            key = str.__str__(key)
        return self._text(key)

    def _other(self, value: Any, depth: int) -> Any:
        if isinstance(value, Enum):
            return self.value(value.value, depth)
        numpy = sys.modules.get("numpy")
        if numpy is not None and isinstance(value, (numpy.generic, numpy.ndarray)):
            return self._numpy(value, depth)
        if isinstance(value, (str, int, float, date, *_pure_paths())):
            return self.value(_plain_scalar(value), depth)
        if _is_omegaconf(value):
            return self.value(_resolve_omegaconf(value), depth)
        if isinstance(value, Mapping):
            return self._map(value, depth)
        if isinstance(value, (list, tuple)):
            return self._array(list(value), depth)
        if _is_root_model(value):
            return self.value(value.root, depth)
        fields = _fields(value)
        if fields is not None:
            return self._map(fields, depth)
        raise _unsupported(value)

    def _numpy(self, value: Any, depth: int) -> Any:
        if hasattr(value, "mask"):
            raise InvalidValue("is a masked array, whose missing values a list cannot hold", hint="fill them first")
        if value.dtype.kind not in "biuf" and not (value.dtype.kind == "U" and value.ndim == 0):
            raise InvalidValue(f"is numpy data of dtype {value.dtype}", hint="turn it into numbers or strings first")
        if value.dtype.kind == "f" and value.dtype.itemsize > 8:
            raise InvalidValue(f"is numpy data of dtype {value.dtype}", hint="convert it to float64 first")
        items = 1
        for length in value.shape:
            items *= length or 1  # an array of nothing is still a list of empty lists
        if items > MAX_BYTES:
            raise _too_large()
        return self.value(value.item() if value.ndim == 0 else value.tolist(), depth)


def _pack_plain(value: Any) -> bytes | None:
    """Return the canonical bytes of a value that is normal already, as it mostly is; None where that is not certain."""
    if _fault(value, 1, [MAX_BYTES]) is not None:
        return None
    try:
        data = _pack(value)
    except (OverflowError, UnicodeEncodeError, ValueError):
        return None
    return None if has_special_floats(data) else data


def _fault(value: Any, depth: int, room: list[int], *, ordered: bool = True) -> str | None:
    """Say what `encode` never writes in a value of plain data, floats aside; None if there is nothing.

    ``room`` is how many items there may be: what is many times in one container is looked at as often. Unless
    ``ordered``, the keys of maps may come in any order.
    """
    kind = type(value)
    if kind is dict:
        keys = list(value)
        if not _ONLY_STR.issuperset(map(type, keys)) or (ordered and keys != sorted(keys)) or keys == [FLOAT_KEY]:
            return "a map's keys are not text, not in order, or not allowed"
        items = value.values()
    else:
        items = value if kind is list else (value,)
    room[0] -= len(items)
    if room[0] < 0:
        return "it is too large"
    if depth > MAX_DEPTH and (kind is dict or kind is list):
        return f"it is nested deeper than {MAX_DEPTH} levels"
    if _SCALARS.issuperset(map(type, items)):
        return None
    for item in items:
        kind = type(item)
        if kind is dict or kind is list:
            fault = _fault(item, depth + 1, room, ordered=ordered)
            if fault is not None:
                return fault
        elif kind not in _SCALARS:
            return f"it holds {kind.__name__}, which is none of the seven types"
    return None


def _deviant_float(value: Any, data: bytes) -> str | None:
    """Say that a value that ``data`` decodes to holds a float with other bits than `encode` writes."""
    left = [value] if _MAYBE_SPECIAL.search(data) else []
    while left:
        item = left.pop()
        if type(item) is dict:
            left.extend(item.values())
        elif type(item) is list:
            left.extend(item)
        elif type(item) is float and (item != item or not item) and struct.pack(">d", item) not in _CANONICAL_SPECIALS:
            return "it holds -0.0, or a NaN with other bits than the one allowed"
    return None


def _plain_scalar(value: Any) -> str | int | float:
    """Return what an instance of a subclass of a scalar type, a date or a path stands for."""
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int.__int__(value)
    if isinstance(value, float):
        return float.__float__(value)
    if isinstance(value, date):
        # pandas.NaT is a datetime that is not equal to itself.
        if isinstance(value, datetime) and (value.utcoffset() is None or value != value):
            raise InvalidValue("is a datetime without a time zone", hint="give it one, or write it as a string")
        return value.isoformat()
    posix: str = value.as_posix()
    return posix


def _pure_paths() -> tuple[type, ...]:
    """Return the base of all paths, if one can exist: importing pathlib would cost more than the rest of this."""
    pathlib = sys.modules.get("pathlib")
    return (pathlib.PurePath,) if pathlib is not None else ()


def _fields(value: Any) -> Mapping[str, Any] | None:
    """Return the fields of a dataclass, attrs or pydantic instance, or None."""
    if isinstance(value, type):
        return None
    if hasattr(type(value), "__dataclass_fields__"):
        from dataclasses import fields

        return _attributes(value, [field.name for field in fields(value)])
    attributes = getattr(type(value), "__attrs_attrs__", None)
    if attributes is not None:
        return _attributes(value, [attribute.name for attribute in attributes])
    pydantic = sys.modules.get("pydantic")
    if pydantic is not None and isinstance(value, pydantic.BaseModel):
        return dict(value)
    return None


def _attributes(value: Any, names: list[str]) -> dict[str, Any]:
    unset = [name for name in names if not hasattr(value, name)]
    if unset:
        raise InvalidValue(f"is a {type(value).__name__} whose field '{unset[0]}' is not set", hint="set it first")
    return {name: getattr(value, name) for name in names}


def _shown(key: Any) -> str:
    """Return a key as text, without running code of its own or converting a number of a million digits."""
    if type(key) in (bool, float, type(None)) or (type(key) is int and MIN_INT <= key <= MAX_INT):
        return repr(key)
    return key.isoformat() if type(key) is date else "…"


def _is_root_model(value: Any) -> bool:
    pydantic = sys.modules.get("pydantic")
    return pydantic is not None and isinstance(value, getattr(pydantic, "RootModel", ()))


def _is_omegaconf(value: Any) -> bool:
    omegaconf = sys.modules.get("omegaconf")
    return omegaconf is not None and bool(omegaconf.OmegaConf.is_config(value))


def _resolve_omegaconf(value: Any) -> Any:
    omegaconf = sys.modules["omegaconf"]
    try:
        return omegaconf.OmegaConf.to_container(value, resolve=True, throw_on_missing=True)
    except RecursionError:
        raise InvalidValue(f"is nested deeper than {MAX_DEPTH} levels") from None
    except (omegaconf.errors.OmegaConfBaseException, omegaconf.errors.GrammarParseError) as error:
        key = getattr(error, "full_key", None)
        where = f" at {key}" if key else ""
        raise InvalidValue(f"cannot be resolved{where}: {str(error).splitlines()[0]}") from None


def _unsupported(value: Any) -> InvalidValue:
    if isinstance(value, type):
        return InvalidValue(f"is the class {value.__name__}", hint="write its name as a string")
    return InvalidValue(f"is of type {type(value).__name__}, which a configuration cannot hold", hint=_remedy(value))


def _remedy(value: Any) -> str:
    if isinstance(value, (bytes, bytearray, memoryview)):
        return "decode it to text, or store its hash"
    if isinstance(value, (set, frozenset)):
        return "a set has no order; use a sorted list"
    return "use numbers, text, true, false, null, lists and maps with text keys"


def _too_large() -> InvalidValue:
    return InvalidValue(
        f"takes more than {MAX_BYTES} bytes when encoded",
        hint="keep data out of configurations: store it as a file, and its hash here",
    )


def _pack(value: Any) -> bytes:
    # strict_types: nothing is encoded as its base class; use_bin_type: str has its own type, with 8-bit lengths.
    packed: bytes = msgpack.packb(value, use_bin_type=True, use_single_float=False, strict_types=True)
    return packed


def _unpack(data: bytes) -> Any:
    if len(data) > MAX_BYTES:
        raise Corrupt(f"is larger than {MAX_BYTES} bytes")
    try:
        if len(data) > _SMALL_BYTES:
            # Walks the bytes without building anything, so that declared lengths allocate nothing. What a reader
            # allocates ahead is bounded by the number of bytes at each depth: little for an ordinary object.
            walker = msgpack.Unpacker(max_buffer_size=MAX_BYTES, read_size=1)
            walker.feed(data)
            walker.skip()
        return msgpack.unpackb(data, **_READING)
    except (ValueError, TypeError, OverflowError, msgpack.UnpackException) as error:
        raise _not_canonical(error) from None


def _refuse_extension(code: int, _data: bytes) -> Any:
    raise ValueError(f"it holds the extension type {code}")


def _not_canonical(error: Exception) -> Corrupt:
    return Corrupt(f"is not canonical: {error or type(error).__name__}")


_READING: Final[_Reading] = {
    "raw": False,
    "strict_map_key": True,
    "use_list": True,
    "ext_hook": _refuse_extension,
}
