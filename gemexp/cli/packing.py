"""``gemexp pack``: many files of a store as one."""

from __future__ import annotations

import sys

import click

from gemexp.cli import report
from gemexp.cli.output import echo_json
from gemexp.cli.session import Session, json_option, pass_session
from gemexp.store import layout


@click.command()
@click.option("--all", "everything", is_flag=True, help="Pack files that git tracks too.")
@click.option("-q", "--quiet", is_flag=True, help="Print the pack's hash alone.")
@json_option
@pass_session
def pack_command(session: Session, *, everything: bool, quiet: bool, as_json: bool) -> int:
    """Put the store's files into one pack.

    Files, and packs that are there already, are replaced by one pack that is read as if they were still there. Those
    that git tracks stay unless --all is given: git would see them as removed.
    """
    from gemexp.cli import EXIT_CORRUPT

    registry = session.open(writing=True)
    shown = not quiet and sys.stderr is not None and sys.stderr.isatty()
    packed = registry.pack(everything=everything, progress=_show if shown else lambda _: None)
    if shown:
        click.echo("\r\x1b[K", err=True, nl=False)
    path = None if packed.pack is None else layout.pack_path(packed.pack)
    if as_json:
        echo_json({**packed._asdict(), "path": path}, indent=2)
    elif quiet:
        if packed.pack is not None:
            click.echo(packed.pack)
    elif path is None:
        click.echo("nothing to pack")
    else:
        click.echo(f"packed {_number(packed.files, 'file')} into {path} ({packed.size} bytes)")
        replaced = [_number(*one) for one in ((packed.loose, "file"), (packed.packs, "pack")) if one[0]]
        if replaced:
            click.echo(f"replaced {' and '.join(replaced)}")
    if packed.tracked:
        report.removed(packed.tracked)
    if packed.damaged:
        report.warning(f"left {_number(packed.damaged, 'damaged file')} as found; gemexp fsck tells more")
    return EXIT_CORRUPT if packed.damaged else 0


def _show(count: int) -> None:
    click.echo(f"\rpacked {count:,} files", err=True, nl=False)


def _number(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"
