"""TOML 1.0, read only: the standard library reads it, and TOML cannot write null."""

from __future__ import annotations

import re
import tomllib
from typing import Any

from gemexp.canonical import MAX_DEPTH
from gemexp.errors import InvalidText
from gemexp.formats.faults import parse_float, raise_first

_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")
_BARE = r"[A-Za-z0-9_-]++"
_QUOTED = r"""(?:"(?:[^"\\\n]|\\.)*+"|'[^'\n]*+')"""
_OPEN = r"""(?:"(?:[^"\\\n]|\\.)*+"?|'[^'\n]*+'?)"""  # where the end may be missing
# Parts of a key, each with a dot behind it, or whatever else: it looks at everything once, or twice.
_TOKENS = re.compile(rf"""((?:(?:{_BARE}|{_QUOTED})[ \t]*+\.[ \t]*+)++)|{_BARE}|{_OPEN}|[^A-Za-z0-9_"'-]++""")
_MOST_DOTS = 100
_ENDLESS_INTEGER = re.compile(r"[0-9_]{1000}")


def loads(text: str) -> dict[str, Any]:
    """Read TOML.

    Raises:
        InvalidText: It is not TOML, which includes a key given twice, or it holds nothing.
    """
    _refuse_long_keys(text)
    try:
        value = tomllib.loads(text, parse_float=parse_float)
    except tomllib.TOMLDecodeError as error:
        message = str(error)
        place = _PLACE.search(message)
        line = int(place[1]) if place and place[1] else text.count("\n") + 1 if place else None
        what = message[: place.start()] if place else message
        column = f" at column {place[2]}" if place and place[2] else ""
        raise InvalidText(f"is not TOML: {what[:1].lower()}{what[1:]}{column}", line=line) from None
    except ValueError:  # Python converts no more than 4,300 digits
        endless = _ENDLESS_INTEGER.search(text)
        line = text.count("\n", 0, endless.start()) + 1 if endless else None
        raise InvalidText("has an integer too large to store", line=line, hint="write it as a string") from None
    raise_first(value)
    if not value:
        raise InvalidText("holds nothing", hint="a configuration is a map of names to values")
    return value


def _refuse_long_keys(text: str) -> None:
    """Refuse a key of so many parts that the standard library, which takes the square of it, takes all memory."""
    if text.count(".") > _MOST_DOTS:
        for found in _TOKENS.finditer(text):
            if found[1] is not None and found[1].count(".") > _MOST_DOTS:
                line = text.count("\n", 0, found.start()) + 1
                hint = f"at most {MAX_DEPTH} levels can be stored"
                raise InvalidText("has a key of too many parts", line=line, hint=hint)
