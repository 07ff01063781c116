"""Outcomes: what came out of a configuration on some data, as an immutable object.

Nothing in it depends on when, where or how fast it was computed, so that the same configuration on the same data
has the same outcome hash, or is not reproducible.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from gemexp import canonical
from gemexp.digest import hash_bytes, is_hash
from gemexp.errors import Corrupt, InvalidValue

OUTCOME_KIND = "gemexp/outcome@1"


class StoredOutcome(NamedTuple):
    """An outcome as the store holds it.

    Args:
        config: Hash of the configuration.
        metrics: Number by name; None where it is not defined.
        data: What it was computed on, such as a panel's digest; None if not said.
        artifacts: Hash of the artifact's object by file name.
        details: Whatever else came out, as plain data.
    """

    config: str
    metrics: dict[str, float | None]
    data: Any
    artifacts: dict[str, str]
    details: dict[str, Any]

    def to_bytes(self) -> bytes:
        """Return the canonical bytes: the content of the outcome's object file.

        Raises:
            InvalidValue: A part cannot be stored, or a metric is no number.
        """
        return canonical.encode({"$": OUTCOME_KIND, **self._asdict(), "metrics": check_metrics(self.metrics)})

    @property
    def outcome_hash(self) -> str:
        """The hash that names it."""
        return hash_bytes(self.to_bytes())

    @classmethod
    def from_bytes(cls, data: bytes) -> StoredOutcome:
        """Read an outcome's object.

        Raises:
            Corrupt: The bytes are not canonical, or not an outcome's.
        """
        value = canonical.decode(data)
        if not isinstance(value, dict) or value.pop("$", None) != OUTCOME_KIND:
            raise Corrupt("is not an outcome", expected=OUTCOME_KIND)
        if sorted(value) != sorted(cls._fields):
            raise Corrupt(f"does not have exactly the parts {', '.join(cls._fields)}")
        artifacts, metrics, details = value["artifacts"], value["metrics"], value["details"]
        if not all(isinstance(part, dict) for part in (artifacts, metrics, details)):
            raise Corrupt("is not a valid outcome: its artifacts, metrics or details are not a map")
        if not all(isinstance(name, str) and is_hash(name) for name in (value["config"], *artifacts.values())):
            raise Corrupt("is not a valid outcome: its configuration or an artifact is not a hash")
        try:
            check_metrics(metrics)
        except InvalidValue as error:
            raise Corrupt(f"is not a valid outcome: {error}") from None
        return cls(**value)


def check_metrics(metrics: Any) -> dict[str, float | None]:
    """Return metrics as plain data.

    Raises:
        InvalidValue: They are no map, or one is neither a number nor None.
    """
    if not isinstance(metrics, Mapping):
        raise InvalidValue(f"is {type(metrics).__name__}, not a map", path=("metrics",))
    try:
        plain: dict[str, float | None] = canonical.normalise(metrics)
    except InvalidValue as error:
        raise error.inside("metrics") from None
    for name, value in plain.items():
        if value is not None and type(value) not in (int, float):
            message = f"is {type(value).__name__}, not a number"
            raise InvalidValue(message, path=("metrics", name), hint="what is no number goes into details")
    return plain


def data_key(data: Any) -> str | None:
    """Return the hash that tells one kind of data from another; None where it was not said."""
    return None if data is None else hash_bytes(canonical.encode(data))
