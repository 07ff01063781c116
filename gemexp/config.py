"""What a configuration is: four sections that make its hash, and the description, tags and time that don't."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from gemexp import canonical
from gemexp.digest import hash_bytes, short
from gemexp.errors import Corrupt, InvalidInput, InvalidValue
from gemexp.notation import inline, visible

CONFIG_KIND = "gemexp/config@1"
SECTIONS = ("feature_names", "feature_transformations", "feature_weights", "hyperparameters")
MAX_DESCRIPTION_BYTES = 64 * 1024
# Each configuration's object begins so: a map of five keys, of which the kind is the first.
_HEAD = b"\x85\xa1$\xaf" + CONFIG_KIND.encode()
METADATA = ("description", "tags", "created_at", "config_hash")


class _Stored:
    """Holds the bytes that a configuration was read from, until its sections are asked for."""

    __slots__ = ("_stored",)
    _stored: bytes


class ExperimentConfig(_Stored):
    """One experiment's configuration.

    Its hash covers `feature_names` (as a set), `feature_weights`, `feature_transformations` and `hyperparameters`,
    and nothing else. Values are copied and normalised when handed in, so that what is stored is what was given.

    Args:
        feature_names: The features used, each once. Order does not matter to the hash.
        feature_weights: Weight by feature; stored as floats. Need not match `feature_names`.
        hyperparameters: Anything `gemexp.canonical.normalise` takes, nested as deep as needed.
        feature_transformations: Transformation by feature, such as ``"log"``.
        description: Free text.
        tags: Labels; repeated ones count once.
        created_at: ISO 8601 time; now if not given. A time without a zone is taken as UTC.
        config_hash: If given, must be the hash that the rest has.

    Raises:
        InvalidValue: A part cannot be stored, or `config_hash` is another configuration's.
    """

    __slots__ = (
        "created_at",
        "description",
        "feature_names",
        "feature_transformations",
        "feature_weights",
        "hyperparameters",
        "tags",
    )
    __hash__ = None  # type: ignore[assignment]  # mutable: use config_hash as a key

    def __init__(
        self,
        feature_names: Iterable[str],
        feature_weights: Mapping[str, float],
        hyperparameters: Mapping[str, Any] | None = None,
        feature_transformations: Mapping[str, Any] | None = None,
        description: str = "",
        tags: Iterable[str] = (),
        created_at: str | datetime | None = None,
        config_hash: str | None = None,
    ) -> None:
        self.feature_names = _names(feature_names)
        self.feature_weights = _weights(feature_weights)
        self.hyperparameters = _map(hyperparameters, "hyperparameters")
        self.feature_transformations = _map(feature_transformations, "feature_transformations")
        self.description = check_description(description)
        self.tags = sorted(set(_texts(tags, "tags")))
        self.created_at = _timestamp(created_at)
        if config_hash is not None and not isinstance(config_hash, str):
            raise InvalidValue(f"is {type(config_hash).__name__}, not text", path=("config_hash",), hint="quote it")
        if config_hash is not None and config_hash != self.compute_hash():
            raise InvalidValue(
                f"is {inline(config_hash)}, but the configuration's hash is {self.compute_hash()}",
                path=("config_hash",),
                hint="the configuration was edited after it was hashed; remove config_hash to track it as a new one",
            )

    @property
    def config_hash(self) -> str:
        """The hash of the configuration as it is now."""
        return self.compute_hash()

    def compute_hash(self) -> str:
        """Return the SHA-256 of the canonical bytes, 64 hexadecimal digits."""
        return hash_bytes(self.to_bytes())

    def to_bytes(self) -> bytes:
        """Return the canonical bytes: the content of this configuration's object file."""
        stored = self._untouched()
        if stored is not None:
            return stored
        for section in ("feature_transformations", "hyperparameters"):
            if not isinstance(getattr(self, section), Mapping):
                raise InvalidValue(
                    f"is {type(getattr(self, section)).__name__}, not a map", path=(section,), hint="set it to a dict"
                )
        weights = self.feature_weights
        return canonical.encode(
            {
                "$": CONFIG_KIND,
                "feature_names": sorted(_names(self.feature_names)),
                "feature_transformations": self.feature_transformations,
                "feature_weights": weights if _are_floats(weights) else _weights(weights),
                "hyperparameters": self.hyperparameters,
            }
        )

    def check_metadata(self) -> None:
        """Check description, tags and time, which someone may have changed in place; `to_bytes` checks the rest.

        Raises:
            InvalidValue: One of them cannot be stored.
        """
        check_description(self.description)
        _texts(self.tags, "tags")
        if self.created_at and _timestamp(self.created_at) != self.created_at:
            raise InvalidValue("is not text", path=("created_at",), hint="write ISO 8601")

    @classmethod
    def from_bytes(
        cls,
        data: bytes,
        *,
        description: str = "",
        tags: Iterable[str] = (),
        created_at: str = "",
    ) -> ExperimentConfig:
        """Read a configuration's object, with the metadata that the store keeps beside it.

        Raises:
            Corrupt: The bytes are not canonical, or not a configuration's.
        """
        value = canonical.decode(data)
        if object_kind(value) != CONFIG_KIND:
            raise Corrupt("is not a configuration", expected=CONFIG_KIND, actual=object_kind(value))
        _check_sections(value)
        # Decoded data is plain, canonical and nobody else's: it needs no second normalisation.
        config = cls.__new__(cls)
        config.feature_names = value["feature_names"]
        config.feature_transformations = value["feature_transformations"]
        config.feature_weights = value["feature_weights"]
        config.hyperparameters = value["hyperparameters"]
        config.description = description
        config.tags = sorted(tags)
        config.created_at = created_at
        return config

    @classmethod
    def from_proven_bytes(cls, data: bytes, description: str, tags: list[str], created_at: str) -> ExperimentConfig:
        """Return what `from_bytes` would, of bytes that it accepted before, as their hash shows.

        Sections are decoded when the first of them is asked for: many configurations are only listed.

        Args:
            data: The object's bytes.
            description: What the store says of it.
            tags: What it carries, sorted.
            created_at: When it was registered.
        """
        config = cls.__new__(cls)
        config._stored = data  # noqa: SLF001 - it is one of these
        config.description = description
        config.tags = tags[:]
        config.created_at = created_at
        return config

    if not TYPE_CHECKING:  # else every attribute would seem to be there

        def __getattr__(self, name: str) -> Any:
            """Decode the sections of a configuration that still has its bytes."""
            if name not in SECTIONS:
                raise AttributeError(f"'{type(self).__name__}' has no attribute '{name}'")
            value = canonical.decode_proven(self._stored)
            _check_sections(value)
            for section in SECTIONS:
                if not self._has(section):
                    setattr(self, section, value[section])
            del self._stored
            return getattr(self, name)

    def _has(self, attribute: str) -> bool:
        """Tell whether an attribute is set, without having it decoded."""
        try:
            object.__getattribute__(self, attribute)
        except AttributeError:
            return False
        return True

    def _untouched(self) -> bytes | None:
        """Return the canonical bytes that this was read from, if no section was decoded or set since; else None."""
        return self._stored if self._has("_stored") and not any(map(self._has, SECTIONS)) else None

    def to_dict(self) -> dict[str, Any]:
        """Return all eight fields as plain data that shares nothing with this configuration."""
        return {
            "feature_names": list(self.feature_names),
            "feature_weights": dict(self.feature_weights),
            "hyperparameters": canonical.normalise(self.hyperparameters),
            "feature_transformations": canonical.normalise(self.feature_transformations),
            "description": self.description,
            "tags": list(self.tags),
            "created_at": self.created_at or None,
            "config_hash": self.config_hash,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ExperimentConfig:
        """Read what `to_dict` returns; sections and metadata that are missing are empty.

        Raises:
            InvalidValue: A key is unknown, or a part cannot be stored.
        """
        if not isinstance(data, Mapping):
            raise InvalidValue(f"is {type(data).__name__}, not a map")
        known = (*SECTIONS, *METADATA)
        for key in data:
            if key not in known:
                from difflib import get_close_matches

                close = get_close_matches(str(key), known, n=1)
                hint = f"did you mean '{close[0]}'?" if close else f"known are {', '.join(known)}"
                raise InvalidValue("is not a part of an experiment configuration", path=(str(key),), hint=hint)
        given = {key: value for key, value in data.items() if value is not None or key in ("created_at", "config_hash")}
        return cls(given.pop("feature_names", ()), given.pop("feature_weights", {}), **given)

    def to_json(self) -> str:
        """Return all eight fields as strict JSON, indented, keys sorted."""
        from gemexp import formats

        return formats.dumps(self.to_dict(), "json", indent=2)

    @classmethod
    def from_json(cls, text: str) -> ExperimentConfig:
        """Read what `to_json` returns.

        Raises:
            InvalidText: It is not JSON.
            InvalidValue: As `from_dict`.
        """
        from gemexp import formats

        return cls.from_dict(formats.loads(text, "json"))

    def summary(self) -> str:
        """Describe the configuration for people, in several lines; weights to four decimals, no control characters."""
        lines = [
            f"Experiment Configuration: {short(self.config_hash)}",
            f"Created: {visible(self.created_at)}",
            f"Description: {visible(self.description) or '(none)'}",
            f"Tags: {', '.join(map(visible, self.tags)) or '(none)'}",
            "",
            f"Features ({len(self.feature_names)}):",
        ]
        for name in sorted(self.feature_names):
            weight = self.feature_weights.get(name, 0.0)
            transform = self.feature_transformations.get(name, "none")
            lines.append(f"  - {visible(name)}: weight={weight:.4f}, transform={_shown(transform)}")
        if self.hyperparameters:
            lines += ["", "Hyperparameters:"]
            lines += [f"  - {visible(key)}: {_shown(value)}" for key, value in sorted(self.hyperparameters.items())]
        return "\n".join(lines)

    def __eq__(self, other: object) -> bool:
        """Equal configurations with equal description, tags and time."""
        if not isinstance(other, ExperimentConfig):
            return NotImplemented
        return (
            self.description == other.description
            and self.tags == other.tags
            and self.created_at == other.created_at
            and self.to_bytes() == other.to_bytes()
        )

    def __repr__(self) -> str:
        return f"<ExperimentConfig {short(self.config_hash)} {self.description!r}>"

    def _repr_html_(self) -> str:
        """Return a table for notebooks; all text in it is escaped."""
        from gemexp import html

        return html.config_table(self)


def untouched(config: ExperimentConfig) -> bytes | None:
    """Return the canonical bytes that a configuration was read from, if they are not decoded yet; else None."""
    return config._untouched()  # noqa: SLF001 - asking for a section would decode them


def config_from_value(value: Any, *, params: bool = False) -> ExperimentConfig:
    """Make a configuration from what a file holds.

    A map that has any of the four sections is an experiment configuration; one that has none becomes
    ``hyperparameters`` whole, so that any framework's file can be tracked as it is.

    Args:
        value: What the file holds.
        params: Take the map as hyperparameters even if it has sections.

    Raises:
        InvalidValue: It is not a map, a key beside the sections is unknown, or a part cannot be stored.
    """
    if not isinstance(value, Mapping):
        name = "nothing" if value is None else type(value).__name__
        raise InvalidValue(f"is {name}, not a map", hint="a configuration is a map of names to values")
    if params or not any(section in value for section in SECTIONS):
        return ExperimentConfig((), {}, hyperparameters=value)
    return ExperimentConfig.from_dict(value)


def create_experiment_from_scoring_config(
    weights: Mapping[str, float],
    features: Iterable[str],
    hyperparameters: Mapping[str, Any] | None = None,
    description: str = "",
    tags: Iterable[str] | None = None,
) -> ExperimentConfig:
    """Make a configuration from a scoring's weights, such as `gemexp.scoring.WEIGHTS`."""
    return ExperimentConfig(
        feature_names=features,
        feature_weights=weights,
        hyperparameters=hyperparameters,
        description=description,
        tags=tags or (),
    )


def peek(data: bytes, sections: Collection[str]) -> dict[str, Any]:
    """Return some sections out of a configuration's object, in a fraction of the time that `from_bytes` takes.

    Not all is checked. For searching: what is found is read again.

    Raises:
        Corrupt: The bytes are not a configuration's.
    """
    if not is_config(data):
        raise Corrupt("is not a configuration", expected=CONFIG_KIND)
    found = canonical.peek(data, sections)
    for section in sections:
        if type(found.get(section)) is not (list if section == "feature_names" else dict):
            raise Corrupt(f"does not have the section '{section}'")
    return found


def is_config(data: bytes) -> bool:
    """Tell whether an object's bytes begin as all configurations do, and no other kind."""
    return data.startswith(_HEAD)


def object_kind(value: Any) -> str | None:
    """Return the kind that an object's ``$`` entry gives, such as ``gemexp/config@1``."""
    kind = value.get("$") if isinstance(value, dict) else None
    return kind if isinstance(kind, str) else None


def instant(created_at: str) -> datetime:
    """Return the moment an ISO 8601 text means; without a zone it is UTC.

    Raises:
        InvalidInput: It is not ISO 8601.
    """
    try:
        moment = datetime.fromisoformat(created_at)
        return moment.replace(tzinfo=UTC) if moment.utcoffset() is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidInput(
            f"{inline(created_at)} is not a time", hint="write ISO 8601, such as 2024-01-31T09:00:00Z"
        ) from None


def _shown(value: Any) -> str:
    return visible(value) if isinstance(value, str) else inline(value)


def now() -> str:
    """Return the current time as ISO 8601 in UTC, to the microsecond."""
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _check_sections(value: dict[str, Any]) -> None:
    if sorted(value) != ["$", *SECTIONS]:
        raise Corrupt(f"does not have exactly the sections {', '.join(SECTIONS)}")
    names = value["feature_names"]
    if type(names) is not list or not set(map(type, names)) <= {str} or sorted(set(names)) != names:
        raise Corrupt("is not a valid configuration: 'feature_names' is not a sorted list of different names")
    for section in SECTIONS[1:]:
        if type(value[section]) is not dict:
            raise Corrupt(f"is not a valid configuration: '{section}' is not a map")
    if not set(map(type, value["feature_weights"].values())) <= {float}:
        raise Corrupt("is not a valid configuration: 'feature_weights' holds something that is not a float")


def _timestamp(created_at: str | datetime | None) -> str:
    if created_at is None:
        return now()
    text = created_at.isoformat() if isinstance(created_at, datetime) else created_at
    if not isinstance(text, str):
        raise InvalidValue(
            f"is {type(text).__name__}, not text", path=("created_at",), hint="write ISO 8601, in quotes"
        )
    try:
        instant(text)
    except InvalidInput as error:
        raise InvalidValue(f"is not a time: {error.message}", path=("created_at",), hint=error.hint) from None
    return text


def check_description(description: Any) -> str:
    """Return a description that can be stored.

    Raises:
        InvalidValue: It is not text, or longer than 64 KiB.
    """
    if not isinstance(description, str):
        raise InvalidValue(f"is {type(description).__name__}, not text", path=("description",), hint="quote it")
    try:
        plain: str = canonical.normalise(description)
    except InvalidValue as error:
        raise error.inside("description") from None
    if len(plain.encode()) > MAX_DESCRIPTION_BYTES:
        raise InvalidValue(
            f"is longer than {MAX_DESCRIPTION_BYTES} bytes",
            path=("description",),
            hint="a description is for people; keep reports beside the store",
        )
    return plain


def _texts(texts: Any, field: str) -> list[str]:
    if isinstance(texts, (str, bytes, Mapping)) or not isinstance(texts, Iterable):
        raise InvalidValue(f"is {type(texts).__name__}, not a list of text", path=(field,), hint="write a list")
    result = list(texts)
    if set(map(type, result)) <= {str} and "".join(result).isascii():
        return result
    for position, text in enumerate(result):
        if not isinstance(text, str):
            raise InvalidValue(f"is {type(text).__name__}, not text", path=(field, position), hint="quote it")
        try:
            result[position] = canonical.normalise(text)
        except InvalidValue as error:
            raise error.inside(position).inside(field) from None
    return result


def _names(names: Any) -> list[str]:
    result = _texts(names, "feature_names")
    if len(set(result)) != len(result):
        seen: set[str] = set()
        for position, name in enumerate(result):
            if name in seen:
                raise InvalidValue(
                    f"repeats the name {inline(name)}", path=("feature_names", position), hint="remove one"
                )
            seen.add(name)
    return result


def _map(mapping: Any, field: str) -> dict[str, Any]:
    if mapping is None:
        return {}
    try:
        plain = canonical.normalise(mapping)
        if not isinstance(plain, dict):
            raise InvalidValue(f"is {type(mapping).__name__}, not a map", hint="write a map of names to values")
    except InvalidValue as error:
        raise error.inside(field) from None
    return plain


def _weights(weights: Any) -> dict[str, float]:
    plain = _map(weights, "feature_weights")
    if _are_floats(plain):
        return plain
    for name, weight in plain.items():
        if type(weight) is not float:
            if type(weight) is not int:
                raise InvalidValue(
                    f"is {inline(weight)}, not a number", path=("feature_weights", name), hint="write it as a number"
                )
            plain[name] = float(weight)
    return plain


def _are_floats(weights: Any) -> bool:
    return isinstance(weights, dict) and set(map(type, weights.values())) <= {float}
