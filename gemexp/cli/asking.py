"""Asking before something is done that is not easily taken back."""

from __future__ import annotations

import sys

import click

from gemexp.errors import InvalidInput


def confirm(question: str, *, otherwise: str, option: str = "--force") -> None:
    """Ask on standard error, and go on only after a yes.

    Args:
        question: What to ask.
        otherwise: What to say after any other answer.
        option: What saves the question.

    Raises:
        InvalidInput: The answer was no, or none.
    """
    click.echo(f"{question} [y/N] ", nl=False, err=True)
    answer = sys.stdin.readline() if sys.stdin is not None else ""
    if not answer.endswith("\n"):
        click.echo(err=True)
    if answer.strip().lower() not in ("y", "yes"):
        raise InvalidInput(otherwise, hint=f"answer y, or use {option}")
