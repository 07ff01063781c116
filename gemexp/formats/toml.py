"""TOML 1.0, read only: the standard library reads it, and TOML cannot write null."""

from __future__ import annotations

import math
import re
import tomllib
from typing import Any

from gemexp.errors import InvalidText

_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


def loads(text: str) -> dict[str, Any]:
    """Read TOML.

    Raises:
        InvalidText: It is not TOML, which includes a key given twice.
    """
    try:
        return tomllib.loads(text, parse_float=_parse_float)
    except tomllib.TOMLDecodeError as error:
        message = str(error)
        place = _PLACE.search(message)
        line = int(place[1]) if place and place[1] else text.count("\n") + 1 if place else None
        what = message[: place.start()] if place else message
        column = f" at column {place[2]}" if place and place[2] else ""
        raise InvalidText(f"is not TOML: {what[:1].lower()}{what[1:]}{column}", line=line) from None
    except ValueError as error:  # an integer of more digits than Python converts
        raise InvalidText(f"is not TOML: {error}", hint="write the number as a string") from None


def _parse_float(text: str) -> float:
    number = float(text)
    if math.isinf(number) and "inf" not in text:
        raise InvalidText(f"the number {text[:40]} is beyond what a 64-bit float holds", hint="write it as a string")
    return number
