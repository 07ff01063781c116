"""Index records: immutable metadata about a config, named by the config and by their own SHA-256.

Six kinds, each a canonical map:

- ``gemexp/put@1``: someone registered the config, at this time, with this description, as a variant of these parents.
- ``gemexp/description@1``: someone changed the description; names the records it supersedes.
- ``gemexp/run@1``: someone ran the config, with this outcome.
- ``gemexp/signature@1``: someone signed an outcome of the config.
- ``gemexp/check@1``: someone checked properties of a pipeline on the config.
- ``gemexp/alias@1``: an older hash means this config; filed under the older hash.

The current description is the one that no other record supersedes. Two such, after a merge, are both kept; the
newest is shown, and the next change supersedes both.
"""

from collections.abc import Collection, Iterator
from typing import Any, NamedTuple, TypeVar

from gemexp import canonical
from gemexp.config import instant, now
from gemexp.digest import hash_bytes
from gemexp.errors import Corrupt
from gemexp.store import kinds, layout
from gemexp.store.batch import Batch
from gemexp.store.tree import Tree


class Run(NamedTuple):
    """One execution of a config.

    Args:
        config: Hash of the config.
        outcome: Hash of its outcome.
        created_at: When it started, ISO 8601.
        data: Key of the data it ran on, see `gemexp.outcome.data_key`; None if not said.
        duration: In seconds; None if not measured.
        environment: Versions of Python and of packages.
        code: Commit of the code, and whether files differed from it; None outside git.
        by: Who ran it, as git knows them.
        verifies: The outcome that this run was to give again; None for an ordinary run.
        command: How it can be run again, see `gemexp.executing.Command`; None if not said.
        installed: Hash of the object that lists the installed packages; None if not said.
        patch: Hash of the object that says how files differed from the commit; None if not kept.
        record: Hash of the record, which names the run; empty before it is recorded.
    """

    config: str
    outcome: str
    created_at: str
    data: str | None
    duration: float | None
    environment: dict[str, Any]
    code: dict[str, Any] | None
    by: str | None
    verifies: str | None
    command: dict[str, Any] | None = None
    installed: str | None = None
    patch: str | None = None
    record: str = ""

    @property
    def objects(self) -> list[str]:
        """The objects that it names beside the outcome and its artifacts."""
        return [name for name in (self.installed, self.patch) if name]


class Signature(NamedTuple):
    """Someone's signature under an outcome.

    Args:
        config: Hash of the config.
        outcome: Hash of the outcome.
        created_at: When it was signed, as the signer says.
        statement: What was signed: the bytes are its canonical encoding.
        signature: As ``ssh-keygen -Y sign`` writes it.
        record: Hash of the record.
    """

    config: str
    outcome: str
    created_at: str
    statement: dict[str, Any]
    signature: str
    record: str = ""


class Check(NamedTuple):
    """What checking properties of a pipeline on a config came to.

    Args:
        config: Hash of the config.
        created_at: When the check began, ISO 8601.
        pipeline: ``module:function``.
        settings: How it was checked: number of runs, tolerances and so on.
        verdicts: Map of what each property came to, by its name.
        environment: As of a run.
        code: As of a run.
        by: As of a run.
        installed: As of a run.
        record: Hash of the record.
    """

    config: str
    created_at: str
    pipeline: str
    settings: dict[str, Any]
    verdicts: dict[str, Any]
    environment: dict[str, Any]
    code: dict[str, Any] | None
    by: str | None
    installed: str | None = None
    record: str = ""

    @property
    def answers(self) -> dict[str, str]:
        """The verdict on each property by its name: ``holds``, ``failed`` or ``error``."""
        told = {name: one.get("verdict") for name, one in self.verdicts.items() if isinstance(one, dict)}
        return {name: verdict for name, verdict in sorted(told.items()) if isinstance(verdict, str)}

    @property
    def objects(self) -> list[str]:
        """The objects that it names."""
        return [self.installed] if self.installed else []


_Made = TypeVar("_Made", Run, Signature, Check)


class Metadata(NamedTuple):
    """What the records say of a config.

    Args:
        created_at: The earliest registration; empty if none is recorded.
        description: The current description.
        other_descriptions: Those that a merge left beside it, newest first.
        parents: Configs it was made from, in the order recorded.
        heads: Hashes of the description records that none supersedes.
        puts: Hashes of all put records.
        runs: Its runs, oldest first.
        signatures: The signatures under its outcomes, oldest first.
        checks: What was checked with it, oldest first.
    """

    created_at: str = ""
    description: str = ""
    other_descriptions: tuple[str, ...] = ()
    parents: tuple[str, ...] = ()
    heads: tuple[str, ...] = ()
    puts: tuple[str, ...] = ()
    runs: tuple[Run, ...] = ()
    signatures: tuple[Signature, ...] = ()
    checks: tuple[Check, ...] = ()

    @property
    def disputed(self) -> frozenset[str]:
        """The keys of data on which one config has had more than one outcome: on those it is not reproducible."""
        outcomes: dict[tuple[str, str], set[str]] = {}
        for run in self.runs:
            if run.data is not None:
                outcomes.setdefault((run.config, run.data), set()).add(run.outcome)
        return frozenset(data for (_, data), found in outcomes.items() if len(found) > 1)


def put(batch: Batch, config_hash: str, *, created_at: str, description: str, parents: list[str]) -> str:
    """Have the batch record a registration; return the record's hash."""
    return _write(batch, config_hash, put_value(config_hash, created_at, description, parents))


def put_value(config_hash: str, created_at: str, description: str, parents: list[str]) -> dict[str, Any]:
    """Return what a record of a registration holds."""
    return {
        "$": kinds.PUT,
        "config": config_hash,
        "created_at": created_at,
        "description": description,
        "parents": parents,
    }


def describe(
    batch: Batch, config_hash: str, description: str, supersedes: Collection[str], *, created_at: str | None = None
) -> str:
    """Have the batch record a new description, of now if no time is given; return the record's hash."""
    return _write(
        batch,
        config_hash,
        {
            "$": kinds.DESCRIPTION,
            "config": config_hash,
            "created_at": created_at or now(),
            "description": description,
            "supersedes": sorted(supersedes),
        },
    )


def run(batch: Batch, run: Run) -> str:
    """Have the batch record a run; return the record's hash."""
    return _write(batch, run.config, _fields(kinds.RUN, run))


def sign(batch: Batch, signature: Signature) -> str:
    """Have the batch record a signature; return the record's hash."""
    return _write(batch, signature.config, _fields(kinds.SIGNATURE, signature))


def check(batch: Batch, check: Check) -> str:
    """Have the batch record what a check came to; return the record's hash."""
    return _write(batch, check.config, _fields(kinds.CHECK, check))


def alias(batch: Batch, old_hash: str, config_hash: str, *, created_at: str) -> str:
    """Have the batch record that an older hash means a config; return the record's hash."""
    return _write(
        batch, old_hash, {"$": kinds.ALIAS, "alias": old_hash, "config": config_hash, "created_at": created_at}
    )


def keep(tree: Tree, batch: Batch, config_hash: str, record_hash: str) -> None:
    """Have the batch sync a record that is there already, in case its writer has not done so yet."""
    path = layout.record_path(config_hash, record_hash)
    data = tree.read(path, canonical.MAX_BYTES)
    if data is not None:
        batch.create(path, data)


def metadata(tree: Tree, config_hash: str) -> Metadata:
    """Read a config's records; damaged ones are passed over, and named by ``fsck``."""
    return summarise(readable(tree, config_hash))


def readable(tree: Tree, config_hash: str) -> dict[str, dict[str, Any]]:
    """Return a config's records by their hashes; damaged ones are passed over."""
    found = {}
    for name in names_with_prefix(tree, f"{config_hash}-"):
        record = _read_or_none(tree, name)
        if record and record["$"] != kinds.ALIAS:
            found[name.record] = record
    return found


def summarise(found: dict[str, dict[str, Any]]) -> Metadata:
    """Say what records (hash -> record) amount to."""
    if len(found) == 1:
        ((name, record),) = found.items()
        if record["$"] == kinds.PUT:  # as of most configs
            description, names = record["description"], (name,)
            heads = names if description else ()
            parents = tuple(dict.fromkeys(record["parents"]))
            return Metadata(record["created_at"], description, (), parents, heads, names)
    puts = {name: record for name, record in found.items() if record["$"] == kinds.PUT}
    superseded = {old for record in found.values() for old in record.get("supersedes", ())}
    current = [
        (instant(record["created_at"]), name, record["description"])
        for name, record in found.items()
        if name not in superseded and (record.get("description") or record["$"] == kinds.DESCRIPTION)
    ]
    current.sort(reverse=True)
    texts = list(dict.fromkeys(description for _, _, description in current))
    by_time = [puts[name] for name in sorted(puts, key=lambda name: (instant(puts[name]["created_at"]), name))]
    return Metadata(
        created_at=by_time[0]["created_at"] if by_time else "",
        description=texts[0] if texts else "",
        other_descriptions=tuple(texts[1:]),
        parents=tuple(dict.fromkeys(parent for record in by_time for parent in record["parents"])),
        heads=tuple(name for _, name, _ in current),
        puts=tuple(puts),
        runs=tuple(_of_kind(found, kinds.RUN, Run)),
        signatures=tuple(_of_kind(found, kinds.SIGNATURE, Signature)),
        checks=tuple(_of_kind(found, kinds.CHECK, Check)),
    )


def read(tree: Tree, name: layout.RecordName) -> dict[str, Any]:
    """Return one record.

    Raises:
        Corrupt: It is missing, damaged, of an unknown kind, or about another config than its name says.
    """
    path = layout.record_path(*name)
    data = tree.read(path, canonical.MAX_BYTES)
    if data is None:
        raise kinds.Gone("is missing", path=path)
    try:
        return from_bytes(data, name)
    except Corrupt as error:
        error.path = path
        raise


def from_bytes(data: bytes, name: layout.RecordName) -> dict[str, Any]:
    """Return the record that a file of that name holds.

    Raises:
        Corrupt: It is damaged, of an unknown kind or one that is filed elsewhere, or about another config.
    """
    record = kinds.read(data, name.record, name.config)
    if record["$"] == kinds.MOVE:
        raise kinds.Misstated("is a move of a name, which belongs in another folder")
    return record


def names_with_prefix(tree: Tree, prefix: str) -> Iterator[layout.RecordName]:
    """Yield the names of the records about hashes that begin with ``prefix``, at least two digits."""
    for file_name in tree.names_with_prefix(f"{layout.INDEX}/{prefix[:2]}", prefix):
        name = layout.parse_record_name(file_name)
        if name:
            yield name


def all_names(tree: Tree) -> Iterator[layout.RecordName]:
    """Yield the names of all records, fan-out folder by fan-out folder."""
    for fan_out in sorted(tree.names(layout.INDEX)):
        if layout.parse_fan_out(fan_out):
            yield from names_with_prefix(tree, fan_out)


def all_metadata(tree: Tree) -> Iterator[tuple[str, Metadata]]:
    """Yield every recorded config's hash with what its records say, fan-out folder by fan-out folder."""
    for fan_out in sorted(tree.names(layout.INDEX)):
        if layout.parse_fan_out(fan_out):
            yield from metadata_within(tree, fan_out)


def metadata_within(tree: Tree, fan_out: str) -> Iterator[tuple[str, Metadata]]:
    """Yield the hashes of the configs recorded in one fan-out folder, sorted, with what their records say."""
    by_config: dict[str, dict[str, dict[str, Any]]] = {}
    for name, record in _within(tree, fan_out):
        if record["$"] != kinds.ALIAS:
            by_config.setdefault(name.config, {})[name.record] = record
    for config_hash in sorted(by_config):
        yield config_hash, summarise(by_config[config_hash])


def _within(tree: Tree, fan_out: str) -> Iterator[tuple[layout.RecordName, dict[str, Any]]]:
    """Yield the records in one fan-out folder, in no order; damaged ones are passed over."""
    for file_name, data in tree.contents(f"{layout.INDEX}/{fan_out}", canonical.MAX_BYTES):
        name = layout.parse_record_name(file_name)
        if name is not None and name.config.startswith(fan_out):
            try:
                yield name, read(tree, name) if data is None else from_bytes(data, name)
            except Corrupt as error:
                kinds.pass_over(error, layout.record_path(*name))
                continue


def _write(batch: Batch, about: str, value: dict[str, Any]) -> str:
    data = canonical.encode(value)
    record_hash = hash_bytes(data)
    batch.create(layout.record_path(about, record_hash), data)
    return record_hash


def _fields(kind: str, value: Run | Signature | Check) -> dict[str, Any]:
    """Return a record's fields: those that it may lack only where there is something to say."""
    optional = type(value)._field_defaults
    fields = {name: field for name, field in value._asdict().items() if name not in optional or field is not None}
    fields.pop("record")
    return {"$": kind, **fields}


def _of_kind(found: dict[str, dict[str, Any]], kind: str, made: type[_Made]) -> Iterator[_Made]:
    """Yield what records (hash -> record) of one kind say, oldest first."""
    mine = {name: record for name, record in found.items() if record["$"] == kind}
    for name in sorted(mine, key=lambda name: (instant(mine[name]["created_at"]), name)):
        fields = {field: mine[name][field] for field in made._fields if field in mine[name]}
        yield made(**{**fields, "record": name})


def _read_or_none(tree: Tree, name: layout.RecordName) -> dict[str, Any] | None:
    try:
        return read(tree, name)
    except Corrupt as error:
        kinds.pass_over(error, layout.record_path(*name))
        return None
