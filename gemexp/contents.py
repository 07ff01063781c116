"""What is in a pack, as lines of text: how many files of which kinds, and a line for each config it says something of.

A config's line is what this pack alone knows: another may describe it anew, or take a tag away.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from mmap import mmap

from gemexp.digest import short
from gemexp.errors import Corrupt
from gemexp.notation import visible
from gemexp.store import kinds, layout, pack_format, records
from gemexp.store.pack_format import Frame

_MOST_CONFIGS = 1000
_MOST_TAGS = 100
_MOST_CHARACTERS = 100

_WORDS = {
    b"gemexp/config@1": "configs",
    b"gemexp/outcome@1": "outcomes",
    b"gemexp/put@1": "registrations",
    b"gemexp/description@1": "descriptions",
    b"gemexp/run@1": "runs",
    b"gemexp/alias@1": "aliases",
    b"gemexp/signature@1": "signatures",
    b"gemexp/check@1": "checks",
    b"gemexp/move@1": "moves of names",
}
_MEMBERS = {pack_format.TAG: "tags", pack_format.DELETED: "deletions", pack_format.MIGRATED: "migrations"}
_ARTIFACTS, _UNKNOWN = "artifacts", "of kinds that this version does not know"
_ORDER = [*_WORDS.values(), _ARTIFACTS, *_MEMBERS.values(), _UNKNOWN]
_HASH_BYTES = 32


def lines(data: bytes | mmap) -> Iterator[str]:
    """Yield a pack's table of contents."""
    counted: Counter[str] = Counter()
    tags: Counter[str] = Counter()
    configs = set()
    for frame in _frames(data):
        word = _word(data, frame)
        counted[word] += 1
        if frame.key[0] == pack_format.TAG:
            tags[_tag(frame)] += 1
        if word == "configs" or (frame.key[0] in (pack_format.RECORD, pack_format.TAG) and word != "aliases"):
            configs.add(_config(frame))
    yield f"pack of {counted.total()} file{'s' * (counted.total() != 1)}"
    yield from (f"{word}: {counted[word]}" for word in _ORDER if counted[word])
    yield from (f"tag {visible(tag)}: {number}" for tag, number in sorted(tags.items())[:_MOST_TAGS])
    if len(tags) > _MOST_TAGS:
        yield f"... and {len(tags) - _MOST_TAGS} more tags"
    shown = sorted(configs)[:_MOST_CONFIGS]
    yield from _config_lines(data, shown)
    if len(configs) > len(shown):
        yield f"... and {len(configs) - len(shown)} more configs"


def _frames(data: bytes | mmap) -> Iterator[Frame]:
    return pack_format.entries(data, len(pack_format.MAGIC), len(data))


def _config_lines(data: bytes | mmap, shown: list[bytes]) -> Iterator[str]:
    """Yield ``hash  description  [tags]`` for each config."""
    about: dict[bytes, list[Frame]] = {config: [] for config in shown}
    for frame in _frames(data):
        if frame.key[0] in (pack_format.RECORD, pack_format.TAG):
            config = _config(frame)
            if config in about:
                about[config].append(frame)
    for config, found in about.items():
        name = config.hex()
        parts = [short(name), _description(name, data, found), _tags(found)]
        yield "  ".join(filter(None, parts))


def _description(config: str, data: bytes | mmap, found: list[Frame]) -> str:
    held = {}
    for frame in found:
        name = (
            layout.parse_record_name(pack_format.file_name(frame.key)) if frame.key[0] == pack_format.RECORD else None
        )
        if name is not None and name.config == config:
            try:
                record = kinds.read(data[frame.data : frame.end], name.record, config)
            except Corrupt:
                continue
            if record["$"] != kinds.ALIAS:
                held[name.record] = record
    text = visible(records.summarise(held).description)
    return text if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]}..."


def _tags(found: list[Frame]) -> str:
    lengths: dict[str, set[int]] = {}
    for frame in found:
        member = layout.parse_member_name(pack_format.file_name(frame.key))
        if frame.key[0] == pack_format.TAG and member is not None:
            lengths.setdefault(_tag(frame), set()).add(member.length)
    carried = [tag for tag, numbers in lengths.items() if max(numbers) % 2]
    return f"[{', '.join(map(visible, sorted(carried)))}]" if carried else ""


def _config(frame: Frame) -> bytes:
    start = pack_format.name_start(frame.key)
    return frame.key[start : start + _HASH_BYTES]


def _tag(frame: Frame) -> str:
    path = pack_format.path_unchecked(frame.key)
    return layout.unescape_name(path.split("/")[2]) or ""


def _word(data: bytes | mmap, frame: Frame) -> str:
    """Return what an entry is counted as: the kind that its bytes begin with says it, without reading it."""
    code = frame.key[0]
    if code in _MEMBERS:
        return _MEMBERS[code]
    # A map's head, the key "$", and a text of at most 31 bytes: so begins every object and record of ours.
    head = data[frame.data : min(frame.end, frame.data + 64)]
    kind = head[4 : 4 + head[3] - 0xA0] if head[1:3] == b"\xa1$" and len(head) > 3 else b""
    ours = kind.startswith(b"gemexp/")
    return _WORDS.get(kind, _UNKNOWN if ours or code != pack_format.OBJECT else _ARTIFACTS)
