"""The typed JSON of ``docs/spec/vectors/``: values written so that no JSON reader can lose anything of them."""

from __future__ import annotations

import struct
from typing import Any


class Twin(str):
    """Text that equals nothing but itself, so that a dict can be handed one key twice."""

    __slots__ = ()
    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other


def read(notation: Any) -> Any:
    """Return the value that a notation stands for; a key given twice is there twice."""
    if not isinstance(notation, dict):
        if isinstance(notation, str) or notation is None or isinstance(notation, bool):
            return notation
        raise ValueError(f"{notation!r} is not in the notation")
    ((form, content),) = notation.items()
    return _READERS[form](content)


def write(value: Any) -> Any:
    """Return the notation of plain data, generators not used; what is not plain data is a `TypeError`."""
    kind = type(value)
    if value is None or kind is bool:
        return value
    if kind is int:
        return {"int": str(value)}
    if kind is float:
        return {"float": struct.pack(">d", value).hex()}
    if kind is str:
        return value if _is_well_formed(value) else {"utf16": value.encode("utf-16-be", "surrogatepass").hex()}
    if kind is list:
        return {"array": [write(item) for item in value]}
    if kind is dict and all(type(key) is str for key in value):
        return {"map": [[write(key), write(item)] for key, item in value.items()]}
    raise TypeError(f"{value!r} is not plain data")


def read_bytes(vector: dict[str, Any]) -> bytes:
    """Return the bytes that a vector gives as ``hex`` or as ``runs``."""
    if "hex" in vector:
        return bytes.fromhex(vector["hex"])
    return b"".join(bytes.fromhex(piece) * times for piece, times in vector["runs"])


def _is_well_formed(text: str) -> bool:
    return not any("\ud800" <= char <= "\udfff" for char in text)


def _read_map(pairs: list[list[Any]]) -> dict[str, Any]:
    keys = [read(key) for key, _ in pairs]
    if len(set(keys)) != len(keys):
        keys = [Twin(key) for key in keys]
    return {key: read(item) for key, (_, item) in zip(keys, pairs, strict=True)}


def _read_nest(content: list[Any]) -> Any:
    kind, levels, innermost = content
    value = read(innermost)
    for _ in range(levels):
        value = [value] if kind == "array" else {"a": value}
    return value


_READERS = {
    "int": int,
    "float": lambda bits: struct.unpack(">d", bytes.fromhex(bits))[0],
    "utf16": lambda units: bytes.fromhex(units).decode("utf-16-be", "surrogatepass"),
    "array": lambda items: [read(item) for item in items],
    "map": _read_map,
    "repeat": lambda content: content[0] * content[1],
    "fill": lambda content: [read(content[0])] * content[1],
    "count": lambda number: {f"{key:05}": None for key in reversed(range(number))},
    "nest": _read_nest,
}
