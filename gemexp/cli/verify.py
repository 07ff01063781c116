"""``gemexp verify``: a recorded backtest or command run again, or the signatures under outcomes checked."""

from __future__ import annotations

import click

from gemexp.cli.completion import complete_revision
from gemexp.cli.session import Session, json_option, pass_session
from gemexp.errors import UsageError

# What is told by an option that goes with one way of verifying, and which way that is.
_GO_WITH = {
    "data": "a backtest",
    "sort": "a backtest",
    "arguments": "--rerun",
    "rtol": "--rerun",
    "atol": "--rerun",
    "yes": "--rerun",
    "signers": "--signatures",
}
_NAMES = {"arguments": "a COMMAND", "signers": "--allowed-signers"}


@click.command()
@click.argument("rev", required=False, shell_complete=complete_revision)
@click.argument("arguments", metavar="[-- COMMAND...]", nargs=-1, type=click.UNPROCESSED)
@click.option("--data", metavar="PANEL", type=click.Path(), help="The backtest's panel; by default the sample.")
@click.option("--sort", is_flag=True, help="Accept a panel that is not in order of date and asset.")
@click.option("--rerun", is_flag=True, help="Run the command again that is recorded with REV, or COMMAND.")
@click.option(
    "--rtol", type=click.FloatRange(min=0), default=0.0, help="With --rerun, how far a metric may be off, relatively."
)
@click.option("--atol", type=click.FloatRange(min=0), default=0.0, help="With --rerun, how far a metric may be off.")
@click.option("--yes", is_flag=True, help="With --rerun, do not ask before the recorded command is run.")
@click.option("--signatures", is_flag=True, help="Check the signatures under outcomes of REV, or of all.")
@click.option(
    "--allowed-signers",
    "signers",
    metavar="FILE",
    type=click.Path(),
    help="Whose signatures count; by default what git's gpg.ssh.allowedSignersFile names.",
)
@json_option
@pass_session
def verify_command(
    session: Session,
    *,
    rev: str | None,
    arguments: tuple[str, ...],
    data: str | None,
    sort: bool,
    rerun: bool,
    rtol: float,
    atol: float,
    yes: bool,
    signatures: bool,
    signers: str | None,
    as_json: bool,
) -> int:
    """Run what is recorded again and say whether the same comes out, or check signatures.

    Of a backtest, configuration and parameters are taken from the store, and the panel that has the recorded digest.
    With --rerun, the recorded command is run in a clean work tree of the recorded commit, after you were asked, and
    its metrics and artifacts are compared. Exits with 0 if the outcome is the same, and with 1, after a diff of the
    figures, if it is not. The verdict is recorded as a run.

    With --signatures, exits with 1 if a signature is bad or an unknown signer's, and with 3 if there is none.

    \b
    gemexp verify 3f2a9c --data prices.csv
    gemexp verify --rerun 3f2a9c -- python train.py
    gemexp verify --signatures --allowed-signers signers
    """
    if rerun and signatures:
        raise UsageError("--rerun and --signatures exclude each other", hint="name one of them")
    way = "--rerun" if rerun else "--signatures" if signatures else "a backtest"
    given = {
        "data": data,
        "sort": sort,
        "arguments": arguments,
        "rtol": rtol,
        "atol": atol,
        "yes": yes,
        "signers": signers,
    }
    for name, value in given.items():
        if value and _GO_WITH[name] != way:
            raise UsageError(f"{_NAMES.get(name, f'--{name}')} goes with {_GO_WITH[name]}, not with {way}")
    if signatures:
        from gemexp.cli.attest import verify_signatures

        return verify_signatures(session, rev, signers, as_json=as_json)
    if rev is None:
        raise click.UsageError("Missing argument 'REV'.", click.get_current_context())
    if rerun:
        from gemexp.cli import running

        return running.rerun(session, rev, arguments, rtol=rtol, atol=atol, yes=yes, as_json=as_json)
    from gemexp.cli.backtest import verify

    return verify(session, rev, data, sort=sort, as_json=as_json)
