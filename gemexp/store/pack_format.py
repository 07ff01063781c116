"""The bytes of a pack: many files of a store in one, in the order of their keys, each in a frame of its own.

A key is a file's path in the store, shortened: its folder is one byte, and hashes are binary. A frame is checked by
itself, so that a damaged pack can be read around the damage.

Source: ``docs/spec/pack.md``.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from mmap import MADV_DONTNEED, PAGESIZE, mmap
from struct import Struct
from typing import NamedTuple
from zlib import crc32

from gemexp.digest import HASH_DIGITS, is_hash
from gemexp.errors import Corrupt, InvalidInput
from gemexp.store import layout

MAGIC = b"\x89GXP\r\n\x1a\n"  # a conversion of line ends anywhere changes these bytes already
MARK = b"\xc1\x67"  # 0xc1 begins no value of MessagePack, and is in no UTF-8 text
MAX_KEY_BYTES = 1024
MAX_DATA_BYTES = 256 * 1024 * 1024
_HEAD_BYTES = 16
# The mark, the checksum, the lengths of key and data, or the first digits of that; no frame is shorter.
_LEAST = Struct("<2sIBBB")
# What of a mapped pack is held at once by whoever goes through it; there may be many packs, and all are gone through.
_STEP_BYTES = 1 << 20
_LAST_STEP_BYTES = 1 << 16
_ONE_BYTE = [bytes([number]) for number in range(0x80)]

# What a key begins with, in the order of the folders' names.
RECORD, OBJECT, DELETED, MIGRATED, NAME, TAG = range(0x80, 0x86)
OBJECT_CODE = bytes([OBJECT])
RECORD_CODE = bytes([RECORD])
_OBJECT_PATH, _RECORD_PATH = 75, 138  # lengths of paths of whole hashes
_RECORD, _OBJECT, _DELETED, _MIGRATED, _NAME, _TAG = (bytes([kind]) for kind in range(0x80, 0x86))


class Frame(NamedTuple):
    """Where an entry of a pack is.

    Args:
        key: Its path, shortened.
        start: Where its frame begins.
        data: Where its data begins.
        end: Where its data ends, and the next frame begins.
    """

    key: bytes
    start: int
    data: int
    end: int


def to_key(path: str) -> bytes:
    """Return the key of a path in the store.

    Raises:
        InvalidInput: It is not the path of a shared file that is named by a hash.
    """
    key = _common_key(path)
    if key is not None:
        return key
    parts = path.split("/")
    name = parts[-1]
    key = b""
    if path == layout.object_path(name):
        key = object_key(name)
    elif parts[0] == layout.INDEX:
        record = layout.parse_record_name(name)
        key = record_key(*record) if record and path == layout.record_path(*record) else b""
    elif path == f"{layout.DELETED}/{name}":
        key = member_key(bytes([DELETED]), name)
    elif path == f"{layout.MIGRATED}/{name}":
        pair = layout.parse_member_name(name, pairs=True)
        key = _pair_key(pair) if pair else b""
    elif len(parts) == 4 and layout.unescape_name(parts[2]) is not None:
        folder = f"{parts[2]}/".encode()
        if path.startswith(f"{layout.TAGS}/"):
            key = member_key(bytes([TAG]) + folder, name)
        elif path.startswith(f"{layout.NAMES}/") and layout.parse_object_name(name):
            key = bytes([NAME]) + folder + bytes.fromhex(name)
    if not key:
        raise InvalidInput(f"'{path}' is not a file that a pack can hold")
    return key


def is_path(path: str) -> bool:
    """Tell whether this is the path of a file that a pack can hold: any shared file of a store but those at its top."""
    try:
        return bool(to_key(path))
    except InvalidInput:
        return False


def _common_key(path: str) -> bytes | None:
    """Return the key of a path of a common form, for a fraction of the price; None if it is of another."""
    if len(path) == _OBJECT_PATH and path.startswith("objects/"):
        name = path[11:]
        return OBJECT_CODE + bytes.fromhex(name) if path[8:11] == f"{name[:2]}/" and is_hash(name) else None
    if len(path) == _RECORD_PATH and path.startswith("index/") and path[73] == "-":
        about, record = path[9:73], path[74:]
        if path[6:9] == f"{about[:2]}/" and is_hash(about) and is_hash(record):
            return RECORD_CODE + bytes.fromhex(about) + bytes.fromhex(record)
        return None
    if path.startswith("refs/tags/"):
        folder, _, name = path[10:].partition("/")
        if is_hash(name) and layout.unescape_name(folder) is not None:
            return b"%c%s/%s" % (TAG, folder.encode(), bytes.fromhex(name))
    return None


def object_key(object_hash: str) -> bytes:
    """Return the key of an object; empty if that is no hash."""
    return bytes([OBJECT]) + bytes.fromhex(object_hash) if layout.parse_object_name(object_hash) else b""


def record_key(about: str, record_hash: str) -> bytes:
    """Return the key of a record; one about an alias, which may be shorter than a hash, says how long it is."""
    short = bytes([len(about)]) if len(about) < HASH_DIGITS else b""
    return b"".join((bytes([RECORD]), bytes.fromhex(about.ljust(HASH_DIGITS, "0")), bytes.fromhex(record_hash), short))


def tag_key(tag: str) -> bytes:
    """Return what the keys of a tag's members begin with; their hashes follow.

    Raises:
        InvalidInput: The tag is empty or too long.
    """
    return bytes([TAG]) + layout.escape_name(tag, "tag").encode() + b"/"


def member_key(folder: bytes, name: str) -> bytes:
    """Return the key of a member of a set; empty if ``name`` is no member's."""
    member = layout.parse_member_name(name)
    return folder + bytes.fromhex(member.config) + name[HASH_DIGITS:].encode() if member else b""


def _pair_key(member: layout.MemberName) -> bytes:
    old, _, new = member.config.partition("-")
    suffix = f".{member.length}" if member.length > 1 else ""
    return bytes([MIGRATED]) + bytes.fromhex(old + new) + suffix.encode()


def to_path(key: bytes) -> str:
    """Return the path that a key stands for.

    Raises:
        Corrupt: It is not a key that `to_key` writes: no reader is led elsewhere by what a pack says.
    """
    try:
        path = _to_path(key)
        if to_key(path) == key:
            return path
    except (InvalidInput, ValueError, IndexError):
        pass
    raise Corrupt("holds an entry that is no file of a store")


def is_key(key: bytes) -> bool:
    """Tell whether `to_path` would return a path, for a tenth of its price."""
    kind, size = key[:1], len(key)
    if kind == _OBJECT:
        return size == 33
    if kind == _RECORD and size == 65:
        return True
    if kind == _DELETED:
        return size >= 33 and _is_suffix(key[33:])
    if kind == _MIGRATED:
        return size >= 65 and _is_suffix(key[65:])
    at = key.find(b"/") + 1
    if at and kind in (_NAME, _TAG) and _is_folder(key[1 : at - 1]):
        return size == at + 32 if kind == _NAME else size >= at + 32 and _is_suffix(key[at + 32 :])
    try:
        return bool(to_path(key))
    except Corrupt:
        return False


def _is_suffix(suffix: bytes) -> bool:
    """Tell whether this is what follows a hash in a member's name: nothing, or a length but 1."""
    if not suffix:
        return True
    length = suffix[1:]
    return suffix[:1] == b"." and length.isdigit() and length[:1] != b"0" and length != b"1" and len(length) <= 9


@lru_cache(maxsize=8192)
def _is_folder(escaped: bytes) -> bool:
    return escaped.isascii() and layout.unescape_name(escaped.decode("ascii")) is not None


def _to_path(key: bytes) -> str:
    kind, rest = key[0], key[1:]
    if kind == OBJECT:
        return layout.object_path(rest.hex())
    if kind == RECORD:
        about, record, length = rest[:32].hex(), rest[32:64].hex(), rest[64] if len(rest) > 64 else HASH_DIGITS
        return layout.record_path(about[:length], record)
    if kind == DELETED:
        return f"{layout.DELETED}/{rest[:32].hex()}{rest[32:].decode('ascii')}"
    if kind == MIGRATED:
        return f"{layout.MIGRATED}/{rest[:32].hex()}-{rest[32:64].hex()}{rest[64:].decode('ascii')}"
    at = rest.index(b"/")
    folder = f"{layout.NAMES if kind == NAME else layout.TAGS}/{rest[:at].decode('ascii')}"
    return f"{folder}/{rest[at + 1 : at + 33].hex()}{rest[at + 33 :].decode('ascii')}"


def file_name(key: bytes) -> str:
    """Return the file name within a key's path, unchecked."""
    kind = key[0]
    if kind == OBJECT:
        return key[1:].hex()
    if kind == RECORD:
        about = key[1:33].hex()
        return f"{about if len(key) == 65 else about[: key[65]]}-{key[33:65].hex()}"
    return _to_path(key).rpartition("/")[2]


def path_unchecked(key: bytes) -> str:
    """Return the path that a key stands for where whoever asks checks it, or compares it with one that is known.

    Raises:
        ValueError: It is no key at all.
    """
    return _to_path(key)


def name_start(key: bytes) -> int:
    """Return where in a key the hash begins that the file's name begins with."""
    return key.index(b"/") + 1 if key[0] >= NAME else 1


def frame(key: bytes, data: bytes) -> bytes:
    """Return an entry with its frame around it."""
    size = len(data)
    head = _varint(len(key)) + (bytes((size & 0x7F | 0x80, size >> 7)) if 0x80 <= size < 0x4000 else _varint(size))
    return b"".join((MARK, crc32(key, crc32(head)).to_bytes(4, "little"), head, key, data))


def frames_alike(prefix: bytes, rests: Sequence[bytes], contents: Iterable[bytes]) -> list[bytes]:
    """Return the frames of entries whose keys begin alike, for half the price of `frame` for each.

    Args:
        prefix: What all keys begin with.
        rests: What follows in each, of one length.
        contents: The data of each.
    """
    key_bytes = _varint(len(prefix) + len(rests[0]))
    starts: dict[int, tuple[int, bytes]] = {}  # by size of the data
    found = []
    for rest, data in zip(rests, contents, strict=False):
        size = len(data)
        if size not in starts:
            head = key_bytes + _varint(size) + prefix
            starts[size] = crc32(head), head
        begun, head = starts[size]
        found.append(b"".join((MARK, crc32(rest, begun).to_bytes(4, "little"), head, rest, data)))
    return found


def read_frame(pack: bytes | mmap, start: int) -> Frame | None:
    """Return the frame that begins at ``start``, or None if no whole one does."""
    if start + _LEAST.size > len(pack):
        return None
    mark, check, key_bytes, size, more = _LEAST.unpack_from(pack, start)
    if mark != MARK:
        return None
    after = start + 8
    if key_bytes < 0x80 <= size and 0 < more < 0x80:  # as of most objects and records
        size, after = size & 0x7F | more << 7, start + 9
    elif key_bytes >= 0x80 or size >= 0x80:
        lengths = _read_varints(pack[start : start + _HEAD_BYTES])
        if lengths is None:
            return None
        key_bytes, size, after = lengths[0], lengths[1], start + lengths[2]
    at = after + key_bytes
    end = at + size
    if not 0 < key_bytes <= MAX_KEY_BYTES or size > MAX_DATA_BYTES or end > len(pack):
        return None
    if crc32(pack[start + 6 : at]) != check:
        return None
    return Frame(pack[after:at], start, at, end)


def frames(pack: bytes | mmap, start: int, end: int) -> Iterator[Frame]:
    """Yield the whole frames between two places of a pack, in order; damage is passed over.

    What was read of a mapped file is given back now and then, so that memory stays small however large the pack is.
    """
    return _frames(pack, start, end, counting=False)


def entries(pack: bytes | mmap, start: int, end: int) -> Iterator[Frame]:
    """Yield the frames that count between two places: those of files of a store, each key greater than those before.

    A reader that begins at such a frame passes over the same ones as a reader that began before it.
    """
    return _frames(pack, start, end, counting=True)


def _frames(pack: bytes | mmap, start: int, end: int, *, counting: bool) -> Iterator[Frame]:
    at = kept = start
    last = b""
    while 0 <= at < end:
        found = read_frame(pack, at)
        if found is None:
            at = pack.find(MARK, at + 1, end)
        else:
            key, _, _, at = found
            if not counting:
                yield found
            elif key > last and is_key(key):
                last = key
                yield found
        if at - kept > _STEP_BYTES:
            kept = release(pack, kept, at)
    if at - kept > _LAST_STEP_BYTES:
        release(pack, kept, at)


def hashes_alike(pack: bytes | mmap, start: int, end: int) -> bytes | None:
    """Return what the keys of the entries between two places end with, for a tenth of the price of `entries`.

    Returns:
        Hashes of 32 bytes one after the other, in order. None where an entry has data, or a key that begins otherwise
        than the first, or goes on after the hash; and where not all is whole and in order.
    """
    first = read_frame(pack, start)
    if first is None or first.end > end or not is_key(first.key) or len(first.key) != name_start(first.key) + 32:
        return None
    head = pack[start + 6 : first.end - 32]
    begun, entry = crc32(head), Struct(f"<2sI{len(head)}s32s")
    if first.end != first.data or (end - start) % entry.size:
        return None
    found, last = [], b""
    step = _STEP_BYTES // entry.size * entry.size
    for at in range(start, end, step):
        hashes = []
        upto = min(at + step, end)
        for mark, check, alike, rest in entry.iter_unpack(pack[at:upto]):
            if mark != MARK or alike != head or rest <= last or crc32(rest, begun) != check:
                return None
            hashes.append(rest)
            last = rest
        found.append(b"".join(hashes))
        release(pack, at, upto)
    return b"".join(found)


def each_hash(hashes: bytes) -> Iterator[bytes]:
    """Yield each of the hashes that `hashes_alike` returned."""
    return (hashes[at : at + 32] for at in range(0, len(hashes), 32))


def release(pack: bytes | mmap, start: int, end: int) -> int:
    """Give back the memory that holds a part of a mapped file; return where it ends."""
    first, last = start // PAGESIZE * PAGESIZE, end // PAGESIZE * PAGESIZE
    if isinstance(pack, mmap) and hasattr(pack, "madvise") and last > first:
        pack.madvise(MADV_DONTNEED, first, last - first)
    return end


def _varint(number: int) -> bytes:
    if number < 0x80:
        return _ONE_BYTE[number]
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _read_varints(head: bytes) -> tuple[int, int, int] | None:
    """Read the two lengths of a frame's head; return them and where the key begins."""
    numbers, at = [], 6
    for _ in range(2):
        number = shift = 0
        while True:
            if at >= len(head) or shift > 28:
                return None
            byte = head[at]
            number |= (byte & 0x7F) << shift
            shift += 7
            at += 1
            if byte < 0x80:
                break
        if not byte and shift > 7:
            return None  # a shorter form says the same
        numbers.append(number)
    return (numbers[0], numbers[1], at)
