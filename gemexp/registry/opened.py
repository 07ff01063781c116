"""What every part of the registry stands on: an opened store, and finding configurations in it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from gemexp import revision
from gemexp.config import ExperimentConfig
from gemexp.errors import UsageError
from gemexp.index import Finders, is_index
from gemexp.query import scan
from gemexp.store import layout, location, objects, records
from gemexp.store.files import Folder
from gemexp.store.location import Location
from gemexp.store.records import Metadata

if TYPE_CHECKING:
    from gemexp.query.finder import Finder
    from gemexp.query.syntax import Query


class OpenedStore:
    """An opened store; `gemexp.registry.ExperimentRegistry` says how it is opened."""

    def __init__(
        self, path: str | os.PathLike[str] | Location | None = None, *, create: bool = True, damaged: bool = False
    ) -> None:
        where = path if isinstance(path, Location) else location.locate(path)
        self._folder = Folder(where.root)
        self._database = where.database
        self._finders = Finders(self._folder, where.database)
        unseen = None
        if where.database is not None and os.path.exists(where.database) and not is_index(where.database):
            from gemexp import importing

            unseen = importing.find_unseen(self._folder, where.database)
        left = damaged and os.path.isdir(os.path.join(where.root, layout.OBJECTS))
        if not location.is_store(where.root) and not left and (create or unseen is not None):
            location.init(where.root)
        location.check(where.root, damaged=damaged)
        if unseen is not None:
            importing.import_unseen(self._folder, unseen)

    @property
    def root(self) -> str:
        """The store's folder, absolute."""
        return self._folder.root

    def resolve(self, rev: str, *, deleted: bool = False) -> str:
        """Return the hash that a revision means.

        Raises:
            NotFound, AmbiguousPrefix: See `gemexp.revision.resolve`.
        """
        return revision.resolve(self._folder, rev, deleted=deleted)

    def resolve_with_path(self, rev: str) -> revision.Revision:
        """Return the hash and the path that ``REV:path`` means.

        Raises:
            NotFound, AmbiguousPrefix: See `gemexp.revision.resolve`.
            InvalidPath: What follows the revision is not a path.
        """
        return revision.resolve_with_path(self._folder, rev)

    def select(self, where: str | Query | None = None, *, tag: str | None = None) -> list[str]:
        """Return the hashes of the configurations that match an expression, carry a tag, or both; sorted.

        Args:
            where: The expression, such as ``lr > 0.01 and tag = best``; or what `gemexp.query.where.parse` made of it.
            tag: Only those that carry it.

        Raises:
            InvalidQuery: The expression cannot be read.
            UsageError: Neither is given.
        """
        from gemexp.query.syntax import Compare, Field, conjunction

        if isinstance(where, str):
            from gemexp.query.where import parse

            where = parse(where)
        tagged = None if tag is None else Compare(Field("tag"), "=", tag)
        parts = [part for part in (tagged, where) if part is not None]
        if not parts:
            raise UsageError("nothing to select by", hint="give an expression or a tag; list_all returns all")
        return self._finder.matching(conjunction(*parts))

    @property
    def _finder(self) -> Finder:
        """What finds configurations: by the index if there is one."""
        return self._finders.get()

    def load(self, config_hash: str) -> ExperimentConfig:
        """Return the configuration of a whole hash, deleted or not.

        Raises:
            NotFound: There is no such object.
            Corrupt: It is damaged, or not a configuration.
        """
        return scan.load(self._folder, config_hash)

    def data(self, config_hash: str) -> bytes:
        """Return an object's bytes as they are stored, checked against its hash."""
        return objects.get(self._folder, config_hash)

    def metadata(self, config_hash: str) -> Metadata:
        """Return what the records say of a configuration."""
        return records.metadata(self._folder, config_hash)

    def hashes_with_prefix(self, prefix: str, *, deleted: bool = False) -> list[str]:
        """Return the hashes of configurations, or of deleted ones, that begin with ``prefix``; sorted."""
        return scan.hashes_with_prefix(self._folder, prefix, deleted=deleted)

    def _config(self, config: ExperimentConfig | str) -> ExperimentConfig:
        return self.load(self.resolve(config)) if isinstance(config, str) else config
