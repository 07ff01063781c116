"""``gemexp attest`` and ``gemexp verify --signatures``: who vouches for an outcome."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from gemexp.cli.completion import complete_revision
from gemexp.cli.output import echo_json, page
from gemexp.cli.session import Session, json_option, pass_session
from gemexp.digest import short
from gemexp.errors import InvalidInput, NotFound, UsageError
from gemexp.notation import visible

if TYPE_CHECKING:
    from gemexp.attesting import Attested

_COLOURS = {"good": "green", "unknown signer": "yellow", "bad": "red"}


@click.command()
@click.argument("run", metavar="REV", shell_complete=complete_revision)
@click.option(
    "--key",
    metavar="FILE",
    type=click.Path(),
    help="The SSH key; its public half if ssh-agent has it. By default what git's user.signingKey names.",
)
@json_option
@pass_session
def attest_command(session: Session, *, run: str, key: str | None, as_json: bool) -> None:
    """Sign what came out of a configuration with an SSH key.

    Signs that the newest run of REV, or the run of that name, had its outcome: configuration, commit of the code, data
    and metrics. The signature is stored with the run, and verify --signatures checks it.

    \b
    gemexp attest 3f2a9c --key ~/.ssh/id_ed25519
    """
    registry = session.open(writing=True)
    found = registry.find_run(run)
    path = key or _setting("user.signingKey")
    if path is None:
        raise UsageError("there is no key to sign with", hint="name it with --key, or in git's user.signingKey")
    signature = registry.attest(found, path, ask=sys.stdin is not None and sys.stdin.isatty())
    if as_json:
        names = {"config_hash": found.config, "outcome_hash": found.outcome, "run": found.record}
        echo_json({**names, "signature": signature.record})
    else:
        click.echo(f"{short(found.config)}  outcome {short(found.outcome)}  signed")


def verify_signatures(session: Session, rev: str | None, signers: str | None, *, as_json: bool) -> int:
    """Check signatures; return the exit code."""
    path = signers or _setting("gpg.ssh.allowedSignersFile")
    if path is None:
        hint = "name it with --allowed-signers, or in git's gpg.ssh.allowedSignersFile"
        raise UsageError("no file says whose signatures count", hint=hint)
    if not os.path.isfile(path):
        raise InvalidInput("there is no such file of allowed signers", source=path)
    found = session.open().verify_signatures(rev, allowed_signers=path)
    if not found:
        what = "no outcome" if rev is None else f"no outcome of '{rev}'"
        raise NotFound(f"{what} is signed", subject=rev or "signatures", hint="gemexp attest signs one")
    if as_json:
        echo_json([one.to_dict() for one in found], indent=2)
    else:
        page(_lines(found))
    return int(any(one.verdict != "good" for one in found))


def _setting(name: str) -> str | None:
    from gemexp.git import Repository

    return Repository(os.curdir).setting(name)


def _lines(found: list[Attested]) -> Iterator[str]:
    for one in found:
        signature = one.signature
        what = f"{click.style(short(signature.config), fg='yellow')}  outcome {short(signature.outcome)}"
        day = visible(signature.created_at[:10])
        who = f"  {visible(one.signer)}" if one.signer is not None else ""
        key = f"  {visible(one.key)}" if one.key else ""
        problem = f": {visible(one.problem)}" if one.problem else ""
        verdict = click.style(one.verdict, fg=_COLOURS[one.verdict])
        yield f"{what}  {day}  {verdict}{problem}{who}{key}"
