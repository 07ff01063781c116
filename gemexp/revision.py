"""Revisions: what people write for a config, to its hash.

``REV`` is 4 to 64 hexadecimal digits (a hash or its beginning), or else a name, or a tag that exactly one config
carries; ``hash:x``, ``name:x`` and ``tag:x`` force a kind. ``REV:path.to.value`` selects inside. Never a position in a
list, never an empty prefix, never the first of several.
"""

import warnings
from collections.abc import Iterable
from typing import NamedTuple

from gemexp import canonical
from gemexp.config import CONFIG_KIND, object_kind
from gemexp.digest import HASH_DIGITS, MIN_PREFIX_DIGITS, is_prefix, short
from gemexp.errors import AmbiguousPrefix, Corrupt, InvalidInput, NotFound, RivalWarning
from gemexp.paths import Path, parse_path
from gemexp.store import aliases, layout, names, objects, records, sets
from gemexp.store.names import Pointer
from gemexp.store.standing import Standing, is_deleted
from gemexp.store.tree import Tree

_TAG = "tag:"
_HASH = "hash:"
_NAME = "name:"


class Revision(NamedTuple):
    """A config, and a path inside it that may be empty."""

    config_hash: str
    path: Path


def resolve(tree: Tree, text: str, *, deleted: bool = False) -> str:
    """Return the hash of the config that ``text`` means.

    Args:
        tree: The store.
        text: A revision without a path.
        deleted: Look among deleted configs instead of among the others.

    Raises:
        NotFound: Nothing answers to it.
        AmbiguousPrefix: Several configs do.
    """
    if not isinstance(text, str):
        raise InvalidInput(f"a revision is text, not {type(text).__name__}")
    wanted = _Wanted(tree, deleted=deleted)
    if text.startswith(_HASH):
        prefix = text[len(_HASH) :]
        if not is_prefix(prefix):
            raise NotFound(
                f"'{text}' is not a hash",
                subject=text,
                hint=f"a hash or its beginning has {MIN_PREFIX_DIGITS} to {HASH_DIGITS} hexadecimal digits",
            )
        return wanted.by_prefix(prefix)
    if text.startswith(_TAG):
        return wanted.by_tag(text[len(_TAG) :])
    if text.startswith(_NAME):
        return wanted.by_name(names.pointer(tree, text[len(_NAME) :]))
    if is_prefix(text):
        return wanted.by_prefix(text)
    pointer = names.pointer(tree, text)
    if pointer.config is not None or pointer.rivals:
        return wanted.by_name(pointer)
    return wanted.by_tag(text, only_if_tag=True)


def resolve_with_path(tree: Tree, text: str) -> Revision:
    """Read ``REV`` or ``REV:path`` and resolve it.

    A tag may hold colons itself: the longest part that resolves is the revision.

    Raises:
        NotFound, AmbiguousPrefix: As `resolve`.
        InvalidPath: What follows the revision is not a path.
    """
    kind = next((prefix for prefix in (_TAG, _HASH, _NAME) if text.startswith(prefix)), "")
    ends = [at for at in range(len(kind), len(text)) if text[at] == ":"]
    if ends and (kind == _HASH or is_prefix(text[: ends[0]])):
        ends = ends[:1]
    else:
        ends.append(len(text))
    for end in reversed(ends[1:]):
        try:
            return Revision(resolve(tree, text[:end]), _path_after(text, end))
        except NotFound:
            continue
    return Revision(resolve(tree, text[: ends[0]]), _path_after(text, ends[0]))


def _path_after(text: str, end: int) -> Path:
    return parse_path(text[end + 1 :]) if end < len(text) else ()


def tagged(tree: Tree, tag: str) -> set[str]:
    """Return the listed configs that carry a tag; none if nobody uses the tag."""
    try:
        lengths = sets.lengths(tree, layout.tag_folder(tag))
    except InvalidInput:
        return set()
    if not tree.exists(layout.MIGRATED):
        return {config for config, length in lengths.items() if length % 2 == 1 and not is_deleted(tree, config)}
    standing = Standing(tree)
    return set(filter(standing.is_listed, standing.carried(lengths)))


class _Wanted:
    """Looks for configs in one state: deleted, or not."""

    def __init__(self, tree: Tree, *, deleted: bool) -> None:
        self._tree = tree
        self._deleted = deleted

    def by_prefix(self, prefix: str) -> str:
        found, prefix = self._find(prefix)
        # As git does: where a config is wanted, objects of other kinds are no candidates.
        matches = [
            config_hash
            for config_hash in found
            if is_deleted(self._tree, config_hash) == self._deleted and self._is_config(config_hash)
        ]
        if len(matches) == 1:
            return matches[0]
        if matches:
            raise AmbiguousPrefix(
                f"'{prefix}' is ambiguous: {len(matches)} configs begin with it",
                subject=prefix,
                candidates=matches,
                hint="write more digits",
            )
        raise self._missing(prefix, found)

    def _find(self, prefix: str) -> tuple[set[str], str]:
        prefix = prefix.lower()
        if len(prefix) == HASH_DIGITS and objects.exists(self._tree, prefix):
            return {prefix}, prefix
        found = set(objects.with_prefix(self._tree, prefix))
        found |= {alias.config for alias in aliases.with_prefix(self._tree, prefix, known=frozenset(found))}
        return found, prefix

    def by_tag(self, tag: str, *, only_if_tag: bool = False) -> str:
        try:
            folder = layout.tag_folder(tag)
        except InvalidInput:
            raise _not_found(tag) from None
        if self._deleted:
            members = [one for one in sets.members(self._tree, folder) if is_deleted(self._tree, one)]
        else:
            members = sorted(tagged(self._tree, tag))
        if len(members) == 1:
            return members[0]
        if members:
            raise AmbiguousPrefix(
                f"'{tag}' is ambiguous: {len(members)} configs carry the tag",
                subject=tag,
                candidates=members,
                hint="name one of them by its hash",
            )
        if only_if_tag:
            raise _not_found(tag)
        raise NotFound(f"no config carries the tag '{tag}'", subject=tag, hint="gemexp tag lists all tags")

    def by_name(self, pointer: Pointer) -> str:
        name = pointer.name
        if pointer.config is None:
            hint = "gemexp name lists all names"
            if pointer.rivals:
                hint = f"it was taken away on one side of a merge and not on the other: see gemexp name {name}"
            elif pointer.history:
                hint = f"it was taken away; gemexp name --rollback {name} brings it back"
            raise NotFound(f"no config has the name '{name}'", subject=name, hint=hint)
        if is_deleted(self._tree, pointer.config) != self._deleted:
            hint = "it is not deleted" if self._deleted else f"gemexp restore {short(pointer.config)} brings it back"
            what = f"{'not ' * self._deleted}deleted"
            raise NotFound(f"the config that '{name}' points to is {what}", subject=name, hint=hint)
        if not self._deleted and not objects.exists(self._tree, pointer.config):
            hint = "gemexp fsck --repair --from OTHER takes a copy from another store"
            raise NotFound(f"the config that '{name}' points to is missing", subject=name, hint=hint)
        if pointer.rivals:
            told = f"'{name}' was moved to different places before a merge, and the newest move counts"
            settle = f"gemexp name {name} shows them, and gemexp name --resolve {name} settles it"
            warnings.warn(f"{told}; {settle}", RivalWarning, stacklevel=4)
        return pointer.config

    def _is_config(self, object_hash: str) -> bool:
        """Tell by its records, or where there are none, as for outcomes and artifacts, by the object itself."""
        if any(True for _ in records.names_with_prefix(self._tree, f"{object_hash}-")):
            return True
        try:
            data = objects.get(self._tree, object_hash)
        except (Corrupt, NotFound):
            return True  # it may have been one, and what reads it tells what is wrong with it
        try:
            return object_kind(canonical.decode(data)) == CONFIG_KIND
        except Corrupt:
            return False  # an artifact, of whatever content

    def _missing(self, prefix: str, found: Iterable[str]) -> NotFound:
        hint: str | None = None
        if any(True for _ in found):
            hint = "it is not deleted" if self._deleted else f"it was deleted; gemexp restore {prefix} brings it back"
        elif self._has_tag(prefix):
            hint = f"for the tag of that name write tag:{prefix}"
        what = "deleted config" if self._deleted else "config"
        return NotFound(f"no {what} has a hash that begins with '{prefix}'", subject=prefix, hint=hint)

    def _has_tag(self, tag: str) -> bool:
        return bool(sets.members(self._tree, layout.tag_folder(tag)))


def _not_found(text: str) -> NotFound:
    hint = (
        f"a hash needs at least {MIN_PREFIX_DIGITS} digits"
        if len(text) < MIN_PREFIX_DIGITS
        else "gemexp list shows all"
    )
    return NotFound(f"there is no config, name or tag '{text}'", subject=text, hint=hint)
