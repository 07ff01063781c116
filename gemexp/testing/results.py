"""What a pipeline gave back, in a form that can be compared, hashed and sent from one process to another.

A form is plain data (None, bool, int, float, str, list, dict with text as keys) with these leaves beside it: `Array`,
`Blob`, `File`, `Other` and `Raised`. Nothing in it depends on where it was made.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import sys
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import date, datetime, time, timedelta
from enum import Enum
from pathlib import Path, PurePath
from typing import Any

from gemexp import canonical
from gemexp.config import METADATA, ExperimentConfig
from gemexp.digest import hash_bytes
from gemexp.errors import InvalidInput, InvalidValue
from gemexp.testing import tables

Form = Any
MAX_DEPTH = 64
_WITH_TEXT = (complex, date, datetime, time, timedelta, range)
# As those, but a process that has not imported their modules has none of them.
_WITH_TEXT_ELSEWHERE = (("decimal", "Decimal"), ("fractions", "Fraction"), ("uuid", "UUID"))


@dataclasses.dataclass(frozen=True, slots=True)
class Array:
    """An array: its type in numpy's words such as ``<f8``, its shape, and its elements' bytes in C order."""

    dtype: str
    shape: tuple[int, ...]
    data: bytes


@dataclasses.dataclass(frozen=True, slots=True)
class Blob:
    """Bytes."""

    data: bytes


@dataclasses.dataclass(frozen=True, slots=True)
class File:
    """A file's content by its SHA-256; where it lay does not count."""

    digest: str
    size: int


@dataclasses.dataclass(frozen=True, slots=True)
class Other:
    """A value of a type that JSON lacks, such as a date, by its type and text."""

    type: str
    text: str


@dataclasses.dataclass(frozen=True, slots=True)
class Raised:
    """An exception that ended the pipeline."""

    type: str
    message: str


def comparable(value: Any) -> Form:
    """Return the form of what a pipeline returned.

    Paths stand for what lies there now: a file's content, or a folder's files by name. Sets have no order, maps
    neither; a generator, a model or anything else without a value of its own is refused.

    Raises:
        InvalidValue: Something in it cannot be compared; ``path`` leads to it.
    """
    return _form(value, 1)


def raised(error: BaseException) -> Raised:
    """Return the form of an exception."""
    return Raised(type(error).__qualname__, str(error))


def dumps(form: Form) -> str:
    """Write a form as one line of JSON, maps sorted: equal forms have equal text."""
    return json.dumps(_tagged(form), separators=(",", ":"), sort_keys=True)


def loads(text: str) -> Form:
    """Read what `dumps` wrote."""
    return _untagged(json.loads(text))


def digest(form: Form) -> str:
    """Return the SHA-256 that names a form: equal outcomes have equal digests, in every process."""
    return hash_bytes(dumps(form).encode())


def _form(value: Any, depth: int) -> Form:
    if depth > MAX_DEPTH:
        raise InvalidValue(f"is nested deeper than {MAX_DEPTH}", hint="return less, or break the cycle")
    if value is None or type(value) in (bool, int, float, str):
        return value
    simple = _leaf(value)
    if simple is not None:
        return simple
    mapping = _mapping(value)
    if mapping is not None:
        return {name: _step(item, name, depth) for name, item in mapping.items()}
    if isinstance(value, (list, tuple)):
        return [_step(item, position, depth) for position, item in enumerate(value)]
    if isinstance(value, AbstractSet):
        return sorted((_form(item, depth + 1) for item in value), key=dumps)
    if isinstance(value, PurePath):
        return _files(Path(value))
    table = tables.plain(value)
    if table is not None:
        return _form(table, depth + 1)
    if hasattr(value, "__array__") and "numpy" in sys.modules:
        return _array(value, depth)
    return _container(value)


def _leaf(value: Any) -> Form:
    """Return the form of what holds nothing else; None if this is none."""
    if isinstance(value, Enum):
        return Other(type(value).__qualname__, value.name)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return Blob(bytes(value))
    if isinstance(value, _WITH_TEXT) or (type(value).__module__, type(value).__name__) in _WITH_TEXT_ELSEWHERE:
        return Other(type(value).__name__, str(value))
    for plain in (int, float, str):
        # numpy's float64 is a float, and prints as one.
        if isinstance(value, plain):
            return plain(value)
    return None


def _step(value: Any, step: str | int, depth: int) -> Form:
    try:
        return _form(value, depth + 1)
    except InvalidValue as error:
        raise error.inside(step) from None


def _mapping(value: Any) -> dict[str, Any] | None:
    """Return what has parts by name as a map with text as keys; None if this has none."""
    if isinstance(value, ExperimentConfig):
        return {key: item for key, item in value.to_dict().items() if key not in METADATA}
    if isinstance(value, Mapping):
        return {key if type(key) is str else f"{key} ({type(key).__name__})": item for key, item in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return dict(value._asdict())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    return None


def _array(value: Any, depth: int) -> Form:
    import numpy as np

    array = np.asanyarray(value)
    if isinstance(array, np.ma.MaskedArray):
        return {"data": _array(array.filled(), depth), "mask": _array(np.ma.getmaskarray(array), depth)}
    if array.dtype.names:
        return {name: _array(array[name], depth) for name in array.dtype.names}
    if array.ndim == 0 and array.dtype.kind in "biuf" and array.dtype.itemsize <= 8:
        return array.item()
    if array.dtype.hasobject:
        return _form(array.tolist(), depth + 1)
    return Array(array.dtype.str, array.shape, np.ascontiguousarray(array).tobytes())


def _files(path: Path) -> Form:
    try:
        if path.is_dir():
            return {each.name: _files(each) for each in path.iterdir()}
        content = path.read_bytes()
    except OSError as error:
        hint = "return the path of a file that is there when the pipeline ends, or text"
        raise InvalidValue(f"cannot be read: {error.strerror or error}", hint=hint) from None
    return File(hash_bytes(content), len(content))


def _container(value: Any) -> Form:
    """Return the form of an attrs or pydantic instance or an OmegaConf container, which a config may hold too."""
    try:
        return canonical.normalise(value)
    except InvalidValue:
        hint = "return numbers, text, arrays, frames, paths of files, or maps and lists of these"
        raise InvalidValue(f"is {type(value).__qualname__}, which cannot be compared", hint=hint) from None


def _tagged(form: Form) -> Any:
    """Return JSON in which every container is a map of one key that says what it is."""
    kind = type(form)
    if kind is dict:
        return {"m": {key: _tagged(item) for key, item in form.items()}}
    if kind is list:
        return {"l": [_tagged(item) for item in form]}
    if kind is Array:
        return {"a": [form.dtype, list(form.shape), base64.b64encode(form.data).decode()]}
    if kind is Blob:
        return {"b": base64.b64encode(form.data).decode()}
    if kind is float and form != form:
        return {"n": 0}
    if kind in (File, Other, Raised):
        return {kind.__name__[0]: list(dataclasses.astuple(form))}
    return form


def _untagged(value: Any) -> Form:
    if not isinstance(value, dict):
        return value
    ((tag, inner),) = value.items()
    if tag == "m":
        return {key: _untagged(item) for key, item in inner.items()}
    if tag == "l":
        return [_untagged(item) for item in inner]
    if tag == "a":
        return Array(inner[0], tuple(inner[1]), base64.b64decode(inner[2]))
    if tag == "b":
        return Blob(base64.b64decode(inner))
    if tag == "n":
        return float("nan")
    kinds = {"F": File, "O": Other, "R": Raised}
    if tag not in kinds:
        raise InvalidInput(f"'{tag}' is not a kind of outcome")
    return kinds[tag](*inner)
