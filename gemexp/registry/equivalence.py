"""Configurations that stand for each other: aliases of older hashes, and migrations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from gemexp.config import now
from gemexp.digest import HASH_DIGITS, MIN_PREFIX_DIGITS, is_prefix, short
from gemexp.errors import Conflict, InvalidInput, NotFound, UsageError
from gemexp.notation import inline
from gemexp.registry.opened import OpenedStore
from gemexp.store import aliases, layout, objects, records
from gemexp.store.aliases import Alias
from gemexp.store.standing import Standing

if TYPE_CHECKING:
    from gemexp.migrating import Change, Plan
    from gemexp.variants import Step


class Equivalence(OpenedStore):
    """Aliases and migrations of an opened store."""

    def aliases(self, prefix: str = "") -> list[Alias]:
        """Return the older hashes that mean configurations here, or those that begin with ``prefix``, sorted."""
        prefix = prefix.lower()
        found = aliases.every(self._folder) if len(prefix) < 2 else aliases.with_prefix(self._folder, prefix)
        return sorted(alias for alias in found if alias.old.startswith(prefix))

    def alias(self, old: str, rev: str, *, force: bool = False) -> bool:
        """Have an older hash mean a configuration; return whether it did not yet.

        Args:
            old: 4 to 64 hexadecimal digits, of whatever kind of hash.
            rev: What it means from now on.
            force: Take back what it meant.

        Raises:
            InvalidInput: It does not read as a hash.
            Conflict: It is the beginning of a configuration's own hash, or means another configuration.
            NotFound, AmbiguousPrefix: See `gemexp.revision.resolve`.
        """
        if not is_prefix(old):
            hint = f"a hash has {MIN_PREFIX_DIGITS} to {HASH_DIGITS} hexadecimal digits"
            raise InvalidInput(f"{inline(old)} cannot be an alias", hint=hint)
        old = old.lower()
        config_hash = self.resolve(rev)
        self._require_free(old)
        known = list(aliases.with_prefix(self._folder, old))
        others = [alias for alias in known if alias.config != config_hash]
        longer = next((alias for alias in others if alias.old != old), None)
        if longer is not None:
            raise Conflict(
                f"'{old}' begins '{longer.old}', an alias of {short(longer.config)}", hint="write more of its digits"
            )
        if others and not force:
            meanings = ", ".join(short(alias.config) for alias in others)
            raise Conflict(f"'{old}' is an alias of {meanings} already", hint="--force takes that back")
        is_new = all(alias.old != old for alias in known if alias.config == config_hash)
        with self._folder.batch() as batch:
            if is_new:
                aliases.add(self._folder, batch, old, config_hash, created_at=now())
            for alias in others:
                aliases.drop(self._folder, batch, alias)
        return is_new or bool(others)

    def unalias(self, old: str) -> list[str]:
        """Take an alias back; return the hashes of what it meant.

        Raises:
            NotFound: It is none.
        """
        found = [alias for alias in self.aliases(old) if alias.old == old.lower()]
        if not found:
            raise NotFound(f"there is no alias '{old}'", subject=old, hint="gemexp alias lists all aliases")
        with self._folder.batch() as batch:
            for alias in found:
                aliases.drop(self._folder, batch, alias)
        return [alias.config for alias in found]

    def _require_free(self, old: str) -> None:
        for config_hash in objects.with_prefix(self._folder, old):
            if records.metadata(self._folder, config_hash).puts:
                raise Conflict(
                    f"'{old}' is how the hash of config {short(config_hash)} begins",
                    hint="an alias is a hash that no config here has itself",
                )

    # Migrating

    def migrated_to(self, config_hash: str) -> list[str]:
        """Return the configurations that stand in the place of one that was migrated, sorted."""
        if not self._folder.exists(layout.MIGRATED):
            return []
        return Standing(self._folder).successors(config_hash)

    def migrated_from(self, config_hash: str) -> list[str]:
        """Return the configurations that one stands for since they were migrated, sorted."""
        if not self._folder.exists(layout.MIGRATED):
            return []
        return Standing(self._folder).predecessors(config_hash)

    def plan_migration(
        self, steps: Sequence[Step], *, revs: Iterable[str] | None = None, tag: str | None = None
    ) -> Plan:
        """Work out what steps make of configurations; nothing is written.

        Args:
            steps: `gemexp.variants.Default`, `Rename` and `Drop`, done in their order.
            revs: Which configurations; all if not given.
            tag: Only those that carry it; not with ``revs``.

        Raises:
            InvalidPath: A step can be done with no configuration.
            NotFound, AmbiguousPrefix: See `gemexp.revision.resolve`.
            UsageError: Both ``revs`` and ``tag`` are given.
        """
        from gemexp import migrating

        if revs is not None and tag is not None:
            raise UsageError("revisions and a tag exclude each other", hint="name one of them")
        if revs is None:
            configs = self._finder.newest(tag=tag)
        else:
            configs = [self.load(name) for name in dict.fromkeys(self.resolve(rev) for rev in revs)]
        return migrating.plan(self._folder, steps, configs)

    def migrate(self, changes: Iterable[Change]) -> None:
        """Register what configurations become, and have it take their place; tags and runs are taken over.

        Args:
            changes: Of a plan.

        Raises:
            InvalidInput: One cannot be carried out any more; nothing was written.
            StoreUnwritable: The file system refused; migrating again goes on.
        """
        from gemexp import migrating

        migrating.carry_out(self._folder, changes)
