"""What objects and records say, as lines of text for people. Pure, and cheap to import: git starts it for every file.

The lines depend on nothing but the value. They are what git compares and keeps, so whatever changes them has to raise
`VERSION`.
"""

from __future__ import annotations

from gemexp.notation import flatten, format_path, inline, visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping
    from typing import Any

VERSION = 2

_SHORT_DIGITS = 12
_SECTIONS = ("feature_names", "feature_transformations", "feature_weights", "hyperparameters")


def describe(value: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of a decoded object or record; those of an unknown kind are its fields.

    Fields that are missing are left out, and those that are not known are shown as they are: what git compares must
    not hide anything but what is too long to read.
    """
    describer = _DESCRIBERS.get(value["$"])
    if describer is None:
        yield f"{visible(value['$'])}, which this version does not know"
        yield from _others(value, ())
    else:
        yield from describer(value)


def config_lines(config: Mapping[str, Any]) -> Iterator[str]:
    """Yield a configuration's sections as ``path = value`` lines."""
    for section in _SECTIONS:
        if section in config:
            yield from _values(config[section], (section,))
    yield from _others(config, _SECTIONS)


def text_lines(text: str) -> Iterator[str]:
    """Yield the lines of a text with what a terminal would obey escaped, tabs excepted."""
    for line in text.removesuffix("\n").split("\n"):
        yield "\t".join(map(visible, line.split("\t")))


def damage(data: bytes, expected: str, digest: Callable[[bytes], str]) -> str:
    """Say how a file was damaged, where that can be seen from its content.

    Args:
        data: What it holds.
        expected: The hash that it should have.
        digest: Returns the hash of bytes.
    """
    if not data:
        return "it is empty"
    if b"<<<<<<< " in data and b">>>>>>> " in data:
        return "it holds the conflict markers of a merge"
    if b"\r\n" in data and digest(data.replace(b"\r\n", b"\n")) == expected:
        return "its line ends were converted"
    return "its content has another hash"


def move_line(name: Any, old: Collection[str | None], new: Any) -> str:
    """Return the line that says where a name moved.

    Args:
        name: What moved.
        old: The configs it pointed to; more than one after a merge.
        new: The config it points to now; None where it was taken away.
    """
    before = ", ".join(sorted("(nowhere)" if one is None else _hash(one) for one in old))
    return f"{_plain(name)}: {before or '(nowhere)'} -> {'(nowhere)' if new is None else _hash(new)}"


def provenance(record: Mapping[str, Any]) -> Iterator[str]:
    """Yield who made a record, and when."""
    for label, field in (("date", "created_at"), ("by", "by")):
        if record.get(field) is not None:
            yield f"{label}: {_plain(record[field])}"


def _put(record: Mapping[str, Any]) -> Iterator[str]:
    yield f"registered {_hash(record.get('config'))}"
    yield from provenance(record)
    yield from _hashes("from", record.get("parents"))
    yield from _others(record, ("config", "created_at", "by", "parents", "description"))
    if record.get("description") != "":
        yield from _indented(record.get("description"))


def _description(record: Mapping[str, Any]) -> Iterator[str]:
    yield f"described {_hash(record.get('config'))}"
    yield from provenance(record)
    yield from _hashes("supersedes", record.get("supersedes"))
    yield from _others(record, ("config", "created_at", "by", "supersedes", "description"))
    yield from _indented(record.get("description") or "(no description)")


def _run(record: Mapping[str, Any]) -> Iterator[str]:
    yield f"ran {_hash(record.get('config'))}"
    yield from provenance(record)
    for field in ("outcome", "verifies", "data"):
        if record.get(field) is not None:
            yield f"{field}: {_hash(record[field])}"
    if record.get("duration") is not None:
        yield f"duration: {_plain(record['duration'])} s"
    known = ["config", "created_at", "by", "outcome", "verifies", "data", "duration"]
    code = record.get("code")
    if isinstance(code, dict) and sorted(code) == ["commit", "dirty"]:
        yield f"commit: {_hash(code['commit'])}{' with changes' if code['dirty'] else ''}"
        known.append("code")
    yield from _others({key: value for key, value in record.items() if value is not None}, known)


def _signature(record: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is said to be signed; whether it was is for `gemexp verify --signatures`."""
    yield f"signed outcome {_hash(record.get('outcome'))} of {_hash(record.get('config'))}"
    yield from provenance(record)
    statement = record.get("statement")
    if isinstance(statement, dict):
        told = {"$", "config", "created_at", "outcome"}
        same = [name for name in told if statement.get(name) == record.get(name) or name == "$"]
        yield from _others(statement, same)
    else:
        yield from _values(statement, ("statement",))
    yield from _others(record, ("config", "created_at", "by", "outcome", "signature", "statement"))
    yield from _indented(record.get("signature"))


def _check(record: Mapping[str, Any]) -> Iterator[str]:
    yield f"checked {_plain(record.get('pipeline'))} on {_hash(record.get('config'))}"
    yield from provenance(record)
    verdicts = record.get("verdicts")
    known = ["config", "created_at", "by", "pipeline"]
    if isinstance(verdicts, dict):
        known.append("verdicts")
        for name in sorted(verdicts):
            one = verdicts[name]
            if isinstance(one, dict):
                yield f"{visible(name)}: {_plain(one.get('verdict'))}"
                yield from (f"  {line}" for line in _others(one, ("verdict",)))
            else:
                yield from _values(one, (name,))
    yield from _others({key: value for key, value in record.items() if value is not None}, known)


def _alias(record: Mapping[str, Any]) -> Iterator[str]:
    yield f"alias {_plain(record.get('alias'))} of {_hash(record.get('config'))}"
    yield from provenance(record)
    yield from _others(record, ("alias", "config", "created_at", "by"))


def _move(record: Mapping[str, Any]) -> Iterator[str]:
    """Yield a move as it is in itself; `gemexp.moved` knows what it changed."""
    yield f"{_plain(record.get('name'))} -> {_hash(record.get('config'))}"
    yield from provenance(record)
    yield from _hashes("supersedes", record.get("supersedes"))
    if record.get("restores") is not None:
        yield f"restores: {_hash(record['restores'])}"
    yield from _others(record, ("name", "config", "created_at", "by", "supersedes", "restores"))


def _outcome(outcome: Mapping[str, Any]) -> Iterator[str]:
    yield f"outcome of {_hash(outcome.get('config'))}"
    metrics, artifacts, details = (outcome.get(part) for part in ("metrics", "artifacts", "details"))
    if isinstance(metrics, dict):
        for name in sorted(metrics):
            yield f"{format_path((name,))} = {inline(metrics[name])}"
    if outcome.get("data") is not None:
        yield from _values(outcome["data"], ("data",))
    if isinstance(artifacts, dict):
        for name in sorted(artifacts):
            yield f"artifact {visible(name)} {_hash(artifacts[name])}"
    if isinstance(details, dict) and details:
        count = sum(1 for _ in flatten(details))
        yield f"details: {count} value{'s' * (count != 1)} in {', '.join(map(visible, sorted(details)))}"
    shown = [part for part in ("metrics", "artifacts", "details") if isinstance(outcome.get(part), dict)]
    yield from _others(outcome, ("config", "data", *shown))


# Beside each kind stands what describes it; the kinds themselves are in gemexp.store.kinds, config and outcome.
_DESCRIBERS: dict[str, Callable[[Mapping[str, Any]], Iterator[str]]] = {
    "gemexp/config@1": config_lines,
    "gemexp/outcome@1": _outcome,
    "gemexp/put@1": _put,
    "gemexp/description@1": _description,
    "gemexp/run@1": _run,
    "gemexp/alias@1": _alias,
    "gemexp/signature@1": _signature,
    "gemexp/check@1": _check,
    "gemexp/move@1": _move,
}


def _others(fields: Mapping[str, Any], shown: Collection[str]) -> Iterator[str]:
    """Yield what a map holds beside its kind and the fields that are shown already."""
    for key in sorted(fields):
        if key != "$" and key not in shown:
            yield from _values(fields[key], (key,))


def _values(value: Any, path: tuple[str | int, ...]) -> Iterator[str]:
    for place, leaf in flatten(value, path):
        yield f"{format_path(place)} = {inline(leaf)}"


def _hashes(label: str, hashes: Any) -> Iterator[str]:
    for one in hashes if isinstance(hashes, list) else ():
        yield f"{label}: {_hash(one)}"


def _indented(text: Any) -> Iterator[str]:
    yield ""
    for line in text_lines(text) if isinstance(text, str) else (inline(text),):
        yield f"    {line}".rstrip()


def _hash(value: Any) -> str:
    return "(none)" if value is None else _plain(value[:_SHORT_DIGITS] if isinstance(value, str) else value)


def _plain(value: Any) -> str:
    return visible(value) if isinstance(value, str) else inline(value)
