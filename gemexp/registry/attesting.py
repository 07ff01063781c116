"""Who vouches for outcomes, and what was checked: signatures and checks of an opened store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gemexp.registry.opened import OpenedStore
from gemexp.store.records import Check, Run, Signature

if TYPE_CHECKING:
    from gemexp.attesting import Attested
    from gemexp.environment import Surroundings
    from gemexp.query.syntax import Query


class Attesting(OpenedStore):
    """Signatures under outcomes of an opened store, and what properties of pipelines were found to hold."""

    def attest(self, run: Run, key: str, *, ask: bool = False) -> Signature:
        """Sign what came out of a run with an SSH key, and record the signature.

        Args:
            run: The run, as `find_run` returns it.
            key: Path of the private key; or of the public one, if ``ssh-agent`` has the private.
            ask: A passphrase may be asked for on the terminal.

        Raises:
            InvalidInput: There is no such key, or it is encrypted and cannot be asked for.
            EngineFailed: ssh-keygen is missing, or cannot sign with it.
            NotFound, Corrupt: The outcome is not there, or is damaged.
        """
        from gemexp import attesting

        return attesting.attest(self._folder, run, key, ask=ask)

    def verify_signatures(self, rev: str | None = None, *, allowed_signers: str) -> list[Attested]:
        """Check the signatures under outcomes of a configuration, or of all; newest first, none if there are none.

        Args:
            rev: The configuration.
            allowed_signers: Path of the file that says whose keys count, as ``ssh-keygen`` reads it.

        Raises:
            EngineFailed: ssh-keygen is missing.
        """
        from gemexp import attesting

        found = attesting.signatures(self._folder, None if rev is None else self.resolve(rev))
        return attesting.verify(self._folder, found, allowed_signers)

    def record_check(
        self,
        config: str,
        pipeline: str,
        verdicts: Mapping[str, Mapping[str, Any]],
        *,
        settings: Mapping[str, Any],
        started: str | None = None,
        surroundings: Surroundings | None = None,
    ) -> str:
        """Record what checking properties of a pipeline on a configuration came to; return the record's hash.

        Args:
            config: The configuration's whole hash.
            pipeline: ``module:function``.
            verdicts: Of each property by name: ``verdict`` (``holds``, ``failed``, ``error``), and what else there is
                to say.
            settings: How it was checked, such as tolerances.
            started: When it began, ISO 8601; now if not given.
            surroundings: What it ran in; what is so now if not given.

        Raises:
            InvalidValue: A verdict is none, or something cannot be stored.
            NotFound: The configuration is not there.
        """
        from gemexp import checking

        return checking.record(
            self._folder, config, pipeline, verdicts, settings=settings, started=started, surroundings=surroundings
        )

    def checks(self, rev: str | None = None, *, where: str | Query | None = None) -> list[Check]:
        """Return what was checked with a configuration, with those that match an expression, or with all; newest first.

        Raises:
            InvalidQuery: ``where`` cannot be read.
        """
        from gemexp import checking

        among = None if rev is None else {self.resolve(rev)}
        if where is not None:
            found = set(self.select(where))
            among = found if among is None else found & among
        return checking.checks(self._folder, among)
