"""Signed statements: who vouches that a configuration, with this code on this data, had this outcome."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from gemexp import canonical, signing
from gemexp.config import instant, now
from gemexp.errors import Corrupt, DamageWarning, NotFound
from gemexp.outcome import StoredOutcome
from gemexp.store import kinds, layout, objects, records
from gemexp.store.files import Folder
from gemexp.store.kinds import UnknownKind
from gemexp.store.records import Run, Signature
from gemexp.store.tree import Tree

STATEMENT_KIND = "gemexp/statement@1"

GOOD, UNKNOWN, BAD = "good", "unknown signer", "bad"


class Attested(NamedTuple):
    """What looking at a signature under an outcome came to.

    Args:
        signature: The signature.
        verdict: ``good``, ``unknown signer`` or ``bad``.
        signer: Who signed, as the allowed signers say.
        key: Type and fingerprint of the key.
        problem: What is wrong; empty where nothing is.
    """

    signature: Signature
    verdict: str
    signer: str | None
    key: str
    problem: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {
            "config_hash": self.signature.config,
            "outcome_hash": self.signature.outcome,
            "created_at": self.signature.created_at,
            "signature": self.signature.record,
            **{name: value for name, value in self._asdict().items() if name != "signature"},
        }


def statement_of(tree: Tree, run: Run) -> dict[str, Any]:
    """Return what is signed: that a run of a configuration had an outcome, with this code on this data.

    Raises:
        NotFound, Corrupt: The outcome is not there, or is damaged.
    """
    outcome = StoredOutcome.from_bytes(objects.get(tree, run.outcome))
    return {
        "$": STATEMENT_KIND,
        "code": run.code,
        "config": run.config,
        "created_at": now(),
        "data": outcome.data,
        "metrics": outcome.metrics,
        "outcome": run.outcome,
        "patch": run.patch,
        "run": run.record,
    }


def attest(folder: Folder, run: Run, key: str, *, ask: bool = False) -> Signature:
    """Sign what came out of a run, and record the signature.

    Args:
        folder: The store.
        run: The run.
        key: Path of an SSH key, see `gemexp.signing.sign`.
        ask: A passphrase may be asked for on the terminal.

    Raises:
        NotFound, Corrupt: The outcome is not there, or is damaged.
        InvalidInput, EngineFailed: It cannot be signed with this key.
    """
    statement = statement_of(folder, run)
    text = signing.sign(canonical.encode(statement), key, ask=ask)
    signature = Signature(run.config, run.outcome, statement["created_at"], statement, text)
    with folder.batch() as batch:
        record = records.sign(batch, signature)
    return signature._replace(record=record)


def signatures(tree: Tree, config_hash: str | None = None) -> list[Signature]:
    """Return the signatures under outcomes of a configuration, or of all, newest first.

    A damaged record, which may have been one, is warned of.
    """
    found = records.all_names(tree) if config_hash is None else records.names_with_prefix(tree, f"{config_hash}-")
    return sorted(_read(tree, found), key=lambda one: (instant(one.created_at), one.record), reverse=True)


def verify(tree: Tree, found: Iterable[Signature], allowed_signers: str) -> list[Attested]:
    """Check signatures.

    Args:
        tree: The store.
        found: The signatures.
        allowed_signers: Path of the file that says whose keys count, as ``ssh-keygen`` reads it.

    Raises:
        EngineFailed: ssh-keygen is missing.
    """
    return [_verified(tree, one, allowed_signers) for one in found]


def _verified(tree: Tree, signature: Signature, allowed_signers: str) -> Attested:
    data = canonical.encode(signature.statement)
    finding = signing.verify(data, signature.signature, allowed_signers, instant(signature.created_at))
    problem = finding.problem
    verdict = GOOD if finding.signer is not None else UNKNOWN if finding.valid else BAD
    untrue = _untruth(tree, signature)
    if finding.valid and untrue:
        verdict, problem = BAD, untrue
    return Attested(signature, verdict, finding.signer, finding.key, problem)


def _untruth(tree: Tree, signature: Signature) -> str:
    """Say what of a statement is not what the store holds; nothing if all is."""
    statement = signature.statement
    if statement.get("$") != STATEMENT_KIND:
        return "what was signed is no statement that this version knows"
    for name in ("config", "outcome", "created_at"):
        if statement.get(name) != getattr(signature, name):
            return f"what was signed says another {name} than its record"
    try:
        outcome = StoredOutcome.from_bytes(objects.get(tree, signature.outcome))
    except NotFound:
        return "the outcome that was signed is not there"
    except Corrupt:
        return "the outcome that was signed is damaged"
    told = {name: statement.get(name) for name in ("config", "data", "metrics")}
    held = {"config": outcome.config, "data": outcome.data, "metrics": outcome.metrics}
    if canonical.encode(told) != canonical.encode(held):
        return "what was signed says something else than the outcome"
    return ""


def _read(tree: Tree, names: Iterable[layout.RecordName]) -> Iterator[Signature]:
    for name in names:
        try:
            record = records.read(tree, name)
        except UnknownKind:
            continue
        except Corrupt as error:
            warnings.warn(f"{error}; it was passed over, and may have been a signature", DamageWarning, stacklevel=3)
            continue
        if record["$"] == kinds.SIGNATURE:
            fields = {field: record[field] for field in Signature._fields if field in record}
            yield Signature(**{**fields, "record": name.record})
