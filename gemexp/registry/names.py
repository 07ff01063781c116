"""Names: pointers to one configuration each, such as ``production``, that can be moved and remember where they were."""

from __future__ import annotations

from datetime import timedelta

from gemexp.config import instant
from gemexp.digest import short
from gemexp.errors import NotFound
from gemexp.registry.opened import OpenedStore
from gemexp.store import names
from gemexp.store.names import Move, Pointer
from gemexp.store.standing import is_deleted

_DATE_DIGITS = len("2024-01-31")
_ALMOST_A_DAY = timedelta(days=1, microseconds=-1)


class Names(OpenedStore):
    """Named pointers of an opened store."""

    def names(self) -> dict[str, str]:
        """Return the configuration that each name points to; names that were taken away are left out."""
        found = {name: pointer.config for name, pointer in self.pointers().items()}
        return {name: config for name, config in found.items() if config is not None}

    def pointers(self) -> dict[str, Pointer]:
        """Return all names with their moves, sorted by name; those that were taken away too."""
        return names.pointers(self._folder)

    def names_of(self, config_hash: str) -> list[str]:
        """Return the names that point to a configuration now, sorted."""
        return [name for name, config in self.names().items() if config == config_hash]

    def pointer(self, name: str) -> Pointer:
        """Return a name with its moves; with none of them if there is no such name."""
        return names.pointer(self._folder, name)

    def name_at(self, name: str, when: str) -> Move:
        """Return the move of a name that was the newest at a time.

        Args:
            name: The name.
            when: ISO 8601; a day without a time means its end.

        Raises:
            InvalidInput: It is not a time.
            NotFound: The name pointed nowhere then.
        """
        moment = instant(when) + (_ALMOST_A_DAY if len(when) <= _DATE_DIGITS else timedelta())
        pointer = self._existing(name)
        move = pointer.at(moment)
        if move is None or move.config is None:
            hint = f"gemexp name --history {name} lists its moves"
            raise NotFound(f"'{name}' pointed nowhere at {when}", subject=name, hint=hint)
        return move

    def move_name(self, name: str, rev: str) -> Move | None:
        """Point a name to a configuration; return the move, or None if it pointed there and had no rivals.

        Raises:
            InvalidInput: It cannot be a name.
            NotFound, AmbiguousPrefix: See `gemexp.revision.resolve`.
        """
        names.check_name(name)
        return self._move(self.pointer(name), self.resolve(rev))

    def drop_name(self, name: str) -> Move:
        """Take a name away; its history stays, and `rollback_name` brings it back.

        Raises:
            NotFound: It points nowhere.
        """
        pointer = self._existing(name)
        if pointer.config is None and not pointer.rivals:
            raise self._taken_away(name)
        return self._write(pointer, None)

    def rollback_name(self, name: str) -> Move:
        """Point a name to where it pointed before; doing so again goes back further.

        Raises:
            NotFound: Nothing was before, or the configuration is not there any more.
        """
        pointer = self._existing(name)
        earlier = pointer.before()
        if earlier is None:
            hint = f"gemexp name --history {name} lists its moves"
            raise NotFound(f"'{name}' pointed nowhere else before", subject=name, hint=hint)
        return self._write(pointer, earlier.config, restores=earlier.record)

    def settle_name(self, name: str, rev: str | None = None) -> Move | None:
        """Leave a name one place to point to, after a merge; return the move, or None if there is nothing to settle.

        Args:
            name: The name.
            rev: Where to; where the newest move led if not given.

        Raises:
            NotFound: There is no such name, or its configuration is not there any more.
        """
        pointer = self._existing(name)
        return self._move(pointer, pointer.config if rev is None else self.resolve(rev))

    def _existing(self, name: str) -> Pointer:
        pointer = self.pointer(name)
        if not pointer.heads:
            raise NotFound(f"no config has the name '{name}'", subject=name, hint="gemexp name lists all names")
        return pointer

    def _taken_away(self, name: str) -> NotFound:
        hint = f"gemexp name --rollback {name} brings it back"
        return NotFound(f"the name '{name}' was taken away", subject=name, hint=hint)

    def _move(self, pointer: Pointer, config_hash: str | None) -> Move | None:
        if pointer.config == config_hash and not pointer.rivals:
            return None
        return self._write(pointer, config_hash)

    def _write(self, pointer: Pointer, config_hash: str | None, *, restores: str | None = None) -> Move:
        from gemexp import environment

        if config_hash is not None:
            self._require(pointer.name, config_hash)
        with self._folder.batch() as batch:
            record_hash = names.move(
                batch,
                pointer.name,
                config_hash,
                by=environment.user(),
                supersedes=pointer.heads,
                restores=restores,
            )
        return names.read(self._folder, pointer.name, record_hash)

    def _require(self, name: str, config_hash: str) -> None:
        """Raise what keeps a name from pointing to a configuration."""
        if is_deleted(self._folder, config_hash):
            raise NotFound(
                f"'{name}' cannot point to '{short(config_hash)}': it was deleted",
                subject=config_hash,
                hint=f"gemexp restore {short(config_hash)} brings it back",
            )
        try:
            self.load(config_hash)
        except NotFound:
            raise NotFound(
                f"'{name}' cannot point to '{short(config_hash)}': its object is missing",
                subject=config_hash,
                hint=f"point it to another: gemexp name {name} REV",
            ) from None
