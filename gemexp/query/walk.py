"""Going through many configs in order of hash, folder by folder, so that memory does not grow with the store.

What is held is what one of the 256 fan-out folders has, and 40 bytes for each tag that a config carries.
"""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from itertools import groupby
from struct import Struct
from typing import Final, NamedTuple

from gemexp.config import ExperimentConfig
from gemexp.errors import Corrupt, DamageWarning, NotFound
from gemexp.query import scan
from gemexp.store import layout, objects, records, sets
from gemexp.store.records import Metadata
from gemexp.store.standing import Standing
from gemexp.store.tree import Tree

# Up to so many configs, or so many times as there are tags, asking each tag's folder about each config is cheaper than
# reading all the folders.
_FEW_CONFIGS: Final = 32
_FEW_QUESTIONS: Final = 4000
# Larger objects are read one by one, and so is what goes beyond the second number.
_READ_AHEAD_BYTES: Final = 64 * 1024
_READ_AHEAD_ALL_BYTES: Final = 32 * 1024 * 1024
# Reading a folder as a whole costs no more than this part of its records one by one.
_WHOLE_FROM: Final = 1 / 4


class Entry(NamedTuple):
    """A config that is listed.

    Args:
        config_hash: Its hash.
        metadata: What its records say.
        config: The config with description, tags and time.
    """

    config_hash: str
    metadata: Metadata
    config: ExperimentConfig


class Carried:
    """The tags of all configs that carry any, those that are taken over by migration too.

    Args:
        tree: The store.
        standing: Which configs count.
        among: Only the tags of these.
    """

    _MARK = Struct(">32sII")  # the config, the tag's number, and the causal length that a file stands for

    def __init__(self, tree: Tree, standing: Standing, *, among: Collection[str] | None = None) -> None:
        self._tags: list[str] = []
        self._marks: defaultdict[str, bytearray] = defaultdict(bytearray)
        for number, (tag, path) in enumerate(sorted(scan.tag_folders(tree))):
            self._tags.append(tag)
            for config_hash, length in _members(tree, standing, path):
                if among is None or config_hash in among:
                    self._marks[config_hash[:2]] += self._MARK.pack(bytes.fromhex(config_hash), number, length)

    def within(self, fan_out: str) -> dict[str, list[str]]:
        """Return the tags, sorted, by the hashes of the configs that begin with two digits."""
        lengths: dict[str, dict[int, set[int]]] = {}
        for config, number, length in self._MARK.iter_unpack(self._marks.get(fan_out, b"")):
            lengths.setdefault(config.hex(), {}).setdefault(number, set()).add(length)
        return {
            config_hash: [self._tags[number] for number, found in by_tag.items() if _is_member(found)]
            for config_hash, by_tag in lengths.items()
        }

    def all(self) -> dict[str, list[str]]:
        """Return the tags, sorted, of all configs that carry any, by hash."""
        found = (item for fan_out in sorted(self._marks) for item in self.within(fan_out).items())
        return {config_hash: tags for config_hash, tags in found if tags}


def entries(tree: Tree, *, among: Collection[str] | None = None, labelled: bool = True) -> Iterator[Entry]:
    """Yield all listed configs, in order of hash; or those among some hashes, in their order.

    One that is damaged is warned of, and passed over: one bad file must not hide all the others.

    Args:
        tree: The store.
        among: Only these.
        labelled: With their tags; without, the configs have none.
    """
    standing = Standing(tree)
    few = among is not None and are_few(tree, len(among))
    carried = None if few or not labelled else Carried(tree, standing)
    for fan_out, wanted in _groups(tree, among):
        known = _metadata(tree, fan_out, wanted)
        order = known if wanted is None else wanted
        listed = [name for name in order if name in known and known[name].puts and standing.is_listed(name)]
        ahead = {} if few else _read_ahead(tree, fan_out, set(listed))
        tags = {} if carried is None else carried.within(fan_out)
        for name in listed:
            own = scan.tags_of(tree, name, standing) if few and labelled else tags.get(name, [])
            config = load_whole(tree, name, known[name], own, data=ahead.pop(name, None))
            if config is not None:
                yield Entry(name, known[name], config)


def metadata(tree: Tree, among: Iterable[str]) -> Iterator[tuple[str, Metadata]]:
    """Yield what the records say of some configs, in order of hash; those that there are none about are left out."""
    for fan_out, wanted in _groups(tree, sorted(among)):
        known = _metadata(tree, fan_out, wanted)
        yield from ((name, known[name]) for name in wanted or () if name in known)


def are_few(tree: Tree, configs: int) -> bool:
    """Tell whether the tags of so many configs are looked up one by one, instead of reading the folders of all tags."""
    if configs < _FEW_CONFIGS:
        return True
    return configs * len(tree.names_with_prefix(layout.TAGS, "")) <= _FEW_QUESTIONS


def load_whole(
    tree: Tree, config_hash: str, metadata: Metadata, tags: list[str], *, data: bytes | None = None
) -> ExperimentConfig | None:
    """Return a config if it is whole; warn if it is damaged.

    Args:
        tree: The store.
        config_hash: Its hash.
        metadata: What its records say.
        tags: Its tags.
        data: Its object, if that was read already; not checked yet.
    """
    try:
        data = objects.get(tree, config_hash) if data is None else objects.check(config_hash, data)
        return scan.decoded(config_hash, data, metadata, tags)
    except NotFound:
        return None  # a record whose object did not come along: fsck names it
    except Corrupt as error:
        warnings.warn(f"{error}; it was passed over, and gemexp fsck tells more", DamageWarning, stacklevel=4)
        return None


def _groups(tree: Tree, among: Iterable[str] | None) -> Iterator[tuple[str, list[str] | None]]:
    """Yield fan-out folders with what is wanted of each; None for all."""
    if among is None:
        yield from ((fan_out, None) for fan_out in sorted(filter(layout.parse_fan_out, tree.names(layout.INDEX))))
    else:
        yield from ((fan_out, list(group)) for fan_out, group in groupby(among, key=lambda name: name[:2]))


def _metadata(tree: Tree, fan_out: str, wanted: list[str] | None) -> dict[str, Metadata]:
    if wanted is not None:
        recorded = len(tree.names_with_prefix(f"{layout.INDEX}/{fan_out}", "")) if len(wanted) > 1 else 1
        if len(wanted) < recorded * _WHOLE_FROM or recorded == 1:
            found = ((name, records.readable(tree, name)) for name in wanted)
            return {name: records.summarise(known) for name, known in found if known}
    return dict(records.metadata_within(tree, fan_out))


def _read_ahead(tree: Tree, fan_out: str, wanted: set[str]) -> dict[str, bytes]:
    """Return objects of a folder, in the order in which they are read fastest, as far as they fit into memory."""
    found: dict[str, bytes] = {}
    size = 0
    for name, data in tree.contents(f"{layout.OBJECTS}/{fan_out}", _READ_AHEAD_BYTES):
        if data is not None and name in wanted:
            found[name] = data
            size += len(data)
            if size > _READ_AHEAD_ALL_BYTES:
                break
    return found


def _members(tree: Tree, standing: Standing, set_folder: str) -> Iterator[tuple[str, int]]:
    """Yield (config, causal length) of a tag's set, each length that there is a file for."""
    if standing.migrated:
        yield from ((config_hash, 1) for config_hash in standing.carried(sets.lengths(tree, set_folder)))
        return
    for name in tree.each_name(set_folder):
        member = layout.parse_member_name(name)
        if member:
            yield member


def _is_member(lengths: set[int]) -> bool:
    return lengths == {1} or sets.reached_length(lengths.__contains__) % 2 == 1
