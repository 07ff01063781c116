"""Signatures by SSH keys: the one place that starts ``ssh-keygen``, as git does for commits."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from gemexp.errors import EngineFailed, InvalidInput
from gemexp.notation import inline

NAMESPACE = "gemexp"
MAX_SIGNATURE_CHARACTERS = 64 * 1024

_BEGIN, _END = "-----BEGIN SSH SIGNATURE-----", "-----END SSH SIGNATURE-----"
_SECONDS = 60.0
# What would have OpenSSH open a window to ask for a passphrase.
_WINDOWS = ("DISPLAY", "WAYLAND_DISPLAY", "SSH_ASKPASS", "SSH_ASKPASS_REQUIRE")


class Finding(NamedTuple):
    """What looking at a signature came to.

    Args:
        valid: Some key signed these very bytes, for this purpose.
        signer: Who that is, as the allowed signers say; None if they do not name the key.
        key: Its type and fingerprint, such as ``ED25519 SHA256:...``; empty if the signature is not valid.
        problem: What is wrong; empty if nothing is.
    """

    valid: bool
    signer: str | None
    key: str
    problem: str


def sign(data: bytes, key: str, *, ask: bool = False) -> str:
    """Return a signature of bytes.

    Args:
        data: What to sign.
        key: Path of the private key; or of the public one, if ``ssh-agent`` has the private.
        ask: A passphrase may be asked for on the terminal.

    Raises:
        InvalidInput: There is no such key, or it is encrypted and cannot be asked for.
        EngineFailed: ssh-keygen is missing, or cannot sign with it.
    """
    if not os.path.isfile(key):
        raise InvalidInput("there is no such key", source=key, hint="name the file of an SSH key: ssh-keygen makes one")
    done = _ssh_keygen(["-q", "-Y", "sign", "-n", NAMESPACE, "-f", os.path.abspath(key)], data, ask=ask)
    told = done.stderr.decode("utf-8", "replace").strip()
    if done.returncode == 0:
        signature = done.stdout.decode("ascii", "replace").strip()
        if is_signature(signature):
            return signature
    if "passphrase" in told and not ask:
        hint = "load it with ssh-add and name its public key, or sign at a terminal"
        raise InvalidInput("the key is encrypted, and there is nobody to ask for its passphrase", source=key, hint=hint)
    reason = told.splitlines()[0] if told else "it gave no reason"
    raise EngineFailed(f"ssh-keygen cannot sign with '{key}': {reason}")


def verify(data: bytes, signature: str, allowed_signers: str, when: datetime) -> Finding:
    """Say who signed bytes.

    Args:
        data: What is said to be signed.
        signature: The signature.
        allowed_signers: Path of a file as ``ssh-keygen`` reads it: who may sign, with which key, and when.
        when: When it was signed: a key counts if it did then.

    Raises:
        EngineFailed: ssh-keygen is missing.
    """
    from tempfile import TemporaryDirectory

    if not is_signature(signature):
        return Finding(valid=False, signer=None, key="", problem="it is no SSH signature")
    with TemporaryDirectory(prefix="gemexp-") as folder:
        path = os.path.join(folder, "signature")
        with open(path, "w", encoding="ascii") as file:
            file.write(f"{signature}\n")
        plain = ("-n", NAMESPACE, "-s", path)
        done = _ssh_keygen(["-Y", "check-novalidate", *plain], data)
        if done.returncode:
            return Finding(valid=False, signer=None, key="", problem="it is not a signature of this")
        key = _key(done.stdout)
        signers = os.path.abspath(allowed_signers)
        moment = f"-Overify-time={when.astimezone(UTC):%Y%m%d%H%M%S}"
        found = _ssh_keygen(["-Y", "find-principals", "-f", signers, "-s", path, moment], b"")
        for signer in found.stdout.decode("utf-8", "replace").splitlines() if found.returncode == 0 else ():
            done = _ssh_keygen(["-Y", "verify", "-f", signers, "-I", signer, *plain, moment], data)
            if done.returncode == 0:
                return Finding(valid=True, signer=signer, key=key, problem="")
    return Finding(valid=True, signer=None, key=key, problem="the allowed signers do not name its key")


def is_signature(text: str) -> bool:
    """Tell whether a text has the form of an SSH signature."""
    lines = text.strip().split("\n")
    whole = text.isascii() and len(text) <= MAX_SIGNATURE_CHARACTERS and len(lines) > 2
    return whole and (lines[0], lines[-1]) == (_BEGIN, _END)


def _key(told: bytes) -> str:
    """Return a key's type and fingerprint out of ``Good "gemexp" signature with ED25519 key SHA256:...``."""
    words = told.decode("utf-8", "replace").split()
    return f"{words[-3]} {words[-1]}" if len(words) > 3 and words[-2] == "key" else ""


def _ssh_keygen(arguments: Sequence[str], data: bytes, *, ask: bool = False) -> subprocess.CompletedProcess[bytes]:
    # Time zone and language are fixed, since times are handed over and answers are read. Without a terminal of its own
    # the program cannot wait for a passphrase.
    environment = {name: value for name, value in os.environ.items() if ask or name not in _WINDOWS}
    environment |= {"LC_ALL": "C", "TZ": "UTC"} | ({} if ask else {"SSH_ASKPASS_REQUIRE": "never"})
    try:
        return subprocess.run(  # noqa: S603 - the arguments are ours
            ["ssh-keygen", *arguments],  # noqa: S607 - found on the path, as git is
            env=environment,
            input=data,
            capture_output=True,
            timeout=None if ask else _SECONDS,
            check=False,
            start_new_session=not ask,
        )
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise EngineFailed(f"cannot run ssh-keygen: {reason}", hint="install OpenSSH's client") from None
    except subprocess.TimeoutExpired:
        raise EngineFailed(f"ssh-keygen {inline(arguments[1])} took longer than {_SECONDS:.0f} seconds") from None
