"""What can be said of configurations without changing their hashes: tags, descriptions, names, deletions."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final, NamedTuple

from gemexp import revision
from gemexp.config import check_description
from gemexp.digest import is_prefix
from gemexp.errors import NotFound
from gemexp.query import scan
from gemexp.registry.opened import OpenedStore
from gemexp.store import layout, records, sets
from gemexp.store.batch import Batch
from gemexp.store.standing import Standing

if TYPE_CHECKING:
    from gemexp.query.syntax import Query

# Large enough to share the cost of durability, small enough for a million configs in little memory.
_BATCH_CONFIGS: Final = 4096


class TagChange(NamedTuple):
    """What `Labels.tag_where` came to.

    Args:
        matching: Hashes of the configurations that match, sorted.
        changed: Those of them that did not carry all of the tags, or of tags to remove, carried one.
    """

    matching: list[str]
    changed: list[str]


class Labels(OpenedStore):
    """Tags, descriptions and deletions of an opened store."""

    def tags(self) -> dict[str, int]:
        """Return how many configurations carry each tag, by tag; tags that none carries are left out."""
        return self._finder.tag_counts()

    def tags_of(self, config_hash: str) -> list[str]:
        """Return the tags of a configuration, sorted."""
        return scan.tags_of(self._folder, config_hash)

    def tag(self, rev: str, tags: Iterable[str]) -> list[str]:
        """Add tags to a configuration; return those it did not have."""
        return self._turn_tags([self.resolve(rev)], add=tags)

    def was_tagged(self, config_hash: str, tag: str) -> bool:
        """Tell whether a configuration carries a tag of its own, or ever did."""
        return sets.length(self._folder, layout.tag_folder(tag), config_hash) > 0

    def untag(self, rev: str, tags: Iterable[str]) -> list[str]:
        """Remove tags from a configuration; return those it had."""
        return self._turn_tags([self.resolve(rev)], remove=tags)

    def tag_where(
        self, where: "str | Query", tags: Iterable[str], *, remove: bool = False, dry_run: bool = False
    ) -> TagChange:
        """Add tags to all configurations that match an expression, or remove them.

        They are written in batches: if it is interrupted, running it again does the rest.

        Args:
            where: The expression, see `select`.
            tags: What to add.
            remove: Remove them instead.
            dry_run: Only tell; nothing is written.

        Raises:
            InvalidQuery: The expression cannot be read.
            InvalidInput: A tag cannot be stored; nothing was written.
        """
        tags = list(dict.fromkeys(tags))
        for tag in tags:
            layout.tag_folder(tag)
        matching = self.select(where)
        carriers = [revision.tagged(self._folder, tag) for tag in tags]
        changed = [one for one in matching if any((one in carrying) == remove for carrying in carriers)]
        for start in range(0, 0 if dry_run else len(changed), _BATCH_CONFIGS):
            batch = changed[start : start + _BATCH_CONFIGS]
            self._turn_tags(batch, **{"remove" if remove else "add": tags})
        return TagChange(matching, changed)

    def rename_tag(self, old: str, new: str) -> list[str]:
        """Put one tag in another's place on every configuration that carries it; return their hashes."""
        layout.tag_folder(new)
        members = sorted(revision.tagged(self._folder, old))
        if not members:
            raise NotFound(f"no config carries the tag '{old}'", subject=old, hint="gemexp tag lists all tags")
        if old != new:
            self._turn_tags(members, add=[new])  # durable before the other goes: interrupted, they have both
            self._turn_tags(members, remove=[old])
        return members

    def describe(self, rev: str, description: str) -> bool:
        """Replace a configuration's description, and any that a merge left beside it; return whether it changed."""
        description = check_description(description)
        config_hash = self.resolve(rev)
        known = self.metadata(config_hash)
        if description == known.description and not known.other_descriptions:
            return False
        with self._folder.batch() as batch:
            records.describe(batch, config_hash, description, known.heads)
        return True

    def _turn_tags(self, hashes: list[str], add: Iterable[str] = (), remove: Iterable[str] = ()) -> list[str]:
        turns = [(True, tag, layout.tag_folder(tag)) for tag in dict.fromkeys(add)]
        turns += [(False, tag, layout.tag_folder(tag)) for tag in dict.fromkeys(remove)]
        standing = Standing(self._folder) if self._folder.exists(layout.MIGRATED) else None
        with self._folder.batch() as batch:
            return [
                tag
                for config_hash in hashes
                for present, tag, set_folder in turns
                if self._turn_tag(batch, set_folder, config_hash, standing, present=present)
            ]

    def _turn_tag(
        self, batch: Batch, set_folder: str, config_hash: str, standing: Standing | None, *, present: bool
    ) -> bool:
        length = sets.length(self._folder, set_folder, config_hash)
        if not length and standing is not None and standing.carries(self._folder, set_folder, config_hash):
            if present:
                return False
            length = 1  # what it takes over is taken away by a mark of its own
        return sets.turn(batch, set_folder, config_hash, length, present=present)

    # Deleting

    def delete(self, rev: str) -> bool:
        """Mark a configuration as deleted; `restore` brings it back. Return whether there was one."""
        try:
            config_hash = self.resolve(rev)
        except NotFound:
            return False
        with self._folder.batch() as batch:
            return sets.add(self._folder, batch, layout.DELETED, config_hash)

    def restore(self, rev: str) -> str:
        """Bring a configuration back, looked for among the deleted ones and in the trash; return its hash.

        Raises:
            NotFound, AmbiguousPrefix: See `gemexp.revision.resolve`.
        """
        from gemexp.store import reviving

        config_hash = self.resolve_deleted(rev)
        reviving.revive(self._folder, config_hash)
        return config_hash

    def resolve_deleted(self, rev: str) -> str:
        """Return the hash of a deleted configuration, looked for in the trash too, out of which it is taken.

        Raises:
            NotFound, AmbiguousPrefix: See `gemexp.revision.resolve`.
        """
        try:
            return self.resolve(rev, deleted=True)
        except NotFound:
            if not is_prefix(rev):
                raise
            from gemexp.store import gc

            if not gc.recover(self._folder, rev.lower()):
                raise
            return self.resolve(rev, deleted=True)
