"""The bytes of a pack: keys, frames, and reading around damage."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemexp.errors import Corrupt, InvalidInput
from gemexp.store import layout, pack_format
from gemexp.store.pack_format import MAGIC, MARK, MAX_DATA_BYTES, MAX_KEY_BYTES

A, B = "ab" * 32, "0c" * 32
PATHS = {
    f"index/ab/{A}-{B}": b"\x80" + bytes.fromhex(A + B),
    f"index/ab/ab12-{B}": b"\x80" + bytes.fromhex("ab12".ljust(64, "0") + B) + b"\x04",
    f"index/ab/ab123-{B}": b"\x80" + bytes.fromhex("ab123".ljust(64, "0") + B) + b"\x05",
    f"index/ab/{A[:63]}-{B}": b"\x80" + bytes.fromhex(A[:63] + "0" + B) + b"\x3f",
    f"objects/ab/{A}": b"\x81" + bytes.fromhex(A),
    f"refs/deleted/{A}": b"\x82" + bytes.fromhex(A),
    f"refs/deleted/{A}.12": b"\x82" + bytes.fromhex(A) + b".12",
    f"refs/migrated/{A}-{B}": b"\x83" + bytes.fromhex(A + B),
    f"refs/migrated/{A}-{B}.2": b"\x83" + bytes.fromhex(A + B) + b".2",
    f"refs/names/prod%2F1/{A}": b"\x84prod%2F1/" + bytes.fromhex(A),
    f"refs/tags/k=5/{A}": b"\x85k=5/" + bytes.fromhex(A),
    f"refs/tags/k=5/{A}.999999999": b"\x85k=5/" + bytes.fromhex(A) + b".999999999",
}
NO_FILES = [
    "",
    "format",
    ".gitignore",
    f"objects/{A}",
    f"objects/cd/{A}",
    f"objects/ab/{A.upper()}",
    f"objects/ab/{A}.2",
    f"objects/ab/../ab/{A}",
    f"index/cd/{A}-{B}",
    f"index/ab/{A}",
    f"index/ab/abc-{B}",
    f"refs/deleted/{A}.1",
    f"refs/deleted/{A}.02",
    f"refs/deleted/{A}-{B}",
    f"refs/migrated/{A}",
    f"refs/names/x/{A}.2",
    f"refs/names/%61/{A}",
    f"refs/tags/A/{A}",
    f"refs/tags/../{A}",
    f"refs/tags/x/y/{A}",
    f"refs/tags/x/{A}.1000000000",
    f"refs/other/x/{A}",
    f"packs/{A}.gxp",
    f"local/tmp/{A}",
]
HASHES = st.binary(min_size=32, max_size=32)
SUFFIXES = st.sampled_from([b"", b".2", b".1", b".02", b".999999999", b".1000000000", b".x", b"2", b".\xb2"])
KEYS = st.one_of(
    st.binary(max_size=80),
    st.builds(
        lambda kind, folder, rest, suffix: bytes([kind]) + folder + rest + suffix,
        st.integers(0x7F, 0x87),
        st.sampled_from([b"", b"a/", b"k=5/", b"%61/", b"%2F/", b"/", b"a/b/", b"\xc3\xa9/", b"../"]),
        st.one_of(HASHES, st.builds(bytes.__add__, HASHES, HASHES), st.binary(min_size=31, max_size=33)),
        st.one_of(SUFFIXES, st.binary(max_size=1)),
    ),
    st.builds(
        lambda digits, record, size: b"\x80" + bytes.fromhex(digits.ljust(64, "0")) + record + bytes([size]),
        st.text("0123456789abcdef", max_size=64),
        HASHES,
        st.integers(0, 70),
    ),
)


@pytest.mark.parametrize("path", PATHS)
def test_each_kind_of_file_has_its_key(path):
    assert pack_format.to_key(path) == PATHS[path]
    assert pack_format.to_path(PATHS[path]) == path
    assert pack_format.path_unchecked(PATHS[path]) == path
    assert pack_format.file_name(PATHS[path]) == path.rpartition("/")[2]
    assert pack_format.is_key(PATHS[path])
    assert pack_format.is_path(path)


@pytest.mark.parametrize("path", NO_FILES)
def test_what_is_no_shared_file_of_a_store_has_no_key(path):
    assert not pack_format.is_path(path)
    with pytest.raises(InvalidInput, match="not a file that a pack can hold"):
        pack_format.to_key(path)


def test_keys_are_in_the_order_of_their_folders():
    keys = [pack_format.to_key(path) for path in PATHS]
    kinds = [path.rpartition("/")[0] for path in PATHS]
    assert [kind for _, kind in sorted(zip(keys, kinds, strict=True))] == sorted(kinds)


@given(key=KEYS)
def test_bytes_are_a_key_or_corrupt_and_nothing_else(key):
    try:
        path = pack_format.to_path(key)
    except Corrupt:
        assert not pack_format.is_key(key)
    else:
        assert pack_format.is_key(key)
        assert pack_format.to_key(path) == key
        assert ".." not in path.split("/")


@given(number=st.integers(1, 999_999_999), name=st.text(min_size=1, max_size=20), digest=HASHES)
def test_every_member_of_every_tag_has_a_key(number, name, digest):
    try:
        folder = layout.tag_folder(name)
    except InvalidInput:
        return
    path = layout.member_path(folder, digest.hex(), number)
    assert pack_format.to_path(pack_format.to_key(path)) == path
    assert pack_format.to_key(path).startswith(pack_format.tag_key(name))


KEY = PATHS[f"objects/ab/{A}"]


@pytest.mark.parametrize("size", [0, 1, 127, 128, 16383, 16384, 2**21 - 1, 2**21])
def test_a_frame_holds_data_of_any_size(size):
    data = bytes(size)
    framed = pack_format.frame(KEY, data)
    found = pack_format.read_frame(framed, 0)
    assert (found.key, framed[found.data : found.end], found.end) == (KEY, data, len(framed))
    assert pack_format.read_frame(b"before" + framed + b"after", 6) == found._replace(
        start=6, data=found.data + 6, end=found.end + 6
    )


@given(
    prefix=st.binary(min_size=1, max_size=130),
    entries=st.lists(st.tuples(st.binary(min_size=32, max_size=32), st.binary(max_size=150)), min_size=1),
)
def test_frames_that_are_made_together_are_those_that_are_made_one_by_one(prefix, entries):
    rests, contents = zip(*entries, strict=True)
    expected = [pack_format.frame(prefix + rest, data) for rest, data in entries]
    assert pack_format.frames_alike(prefix, rests, contents) == expected


SETS = st.one_of(
    st.text(min_size=1, max_size=16).map(pack_format.tag_key),
    st.sampled_from([b"\x80", b"\x81", b"\x82", b"", b"\x85x"]),
)
MEMBERS = st.lists(HASHES, min_size=1, max_size=20)


def hashes_of_entries(pack):
    return b"".join(frame.key[-32:] for frame in pack_format.entries(pack, 0, len(pack)))


@given(folder=st.text(min_size=1, max_size=16).map(pack_format.tag_key), members=MEMBERS, step=st.integers(60, 500))
def test_hashes_of_members_that_were_added_once_are_read_at_once(folder, members, step):
    pack = b"".join(pack_format.frames_alike(folder, sorted(set(members)), [b""] * len(set(members))))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pack_format, "_STEP_BYTES", max(step, len(pack) // len(set(members))))
        assert pack_format.hashes_alike(pack, 0, len(pack)) == b"".join(sorted(set(members)))


@given(
    folder=SETS,
    members=MEMBERS,
    suffix=st.sampled_from([b"", b"", b".2"]),
    data=st.sampled_from([b"", b"", b"data"]),
    ordered=st.booleans(),
    other=st.none() | st.tuples(SETS, HASHES),
    damage=st.none() | st.tuples(st.integers(0), st.integers(1, 255)),
)
def test_or_not_at_all_where_that_is_not_all(folder, members, suffix, data, ordered, other, damage):
    keys = [folder + member + suffix for member in (sorted(set(members)) if ordered else members)]
    keys += [other[0] + other[1]] if other else []
    pack = bytearray(b"".join(pack_format.frame(key, data) for key in keys))
    if damage:
        pack[damage[0] % len(pack)] ^= damage[1]
    found = pack_format.hashes_alike(bytes(pack), 0, len(pack))
    assert found in (None, hashes_of_entries(bytes(pack)))
    assert found is None or not (suffix or data or len(found) != 32 * len(keys))


THREE = [bytes([number]) * 32 for number in (1, 2, 3)]


def test_nor_where_a_bit_is_turned():
    pack = b"".join(pack_format.frames_alike(b"\x85a/", THREE, [b""] * 3))
    assert pack_format.hashes_alike(pack, 0, len(pack)) == b"".join(THREE)
    for at in range(len(pack)):
        for bit in range(8):
            damaged = pack[:at] + bytes([pack[at] ^ (1 << bit)]) + pack[at + 1 :]
            assert pack_format.hashes_alike(damaged, 0, len(pack)) is None, (at, bit)


@pytest.mark.parametrize("members", [THREE[::-1], [THREE[0], THREE[0]], [*THREE, THREE[1]]])
def test_nor_where_they_are_not_in_order(members):
    pack = b"".join(pack_format.frames_alike(b"\x85a/", members, [b""] * len(members)))
    assert pack_format.hashes_alike(pack, 0, len(pack)) is None


@pytest.mark.parametrize("other", [b"\x85b/", b"\x82"])
def test_nor_where_one_is_of_another_set(other):
    pack = pack_format.frame(b"\x85a/" + THREE[0], b"") + pack_format.frame(other + THREE[1], b"")
    assert pack_format.hashes_alike(pack, 0, len(pack)) is None


@pytest.mark.parametrize("size", [1, 127, 128, MAX_KEY_BYTES])
def test_a_frame_holds_keys_of_any_size(size):
    framed = pack_format.frame(b"k" * size, b"data")
    assert pack_format.read_frame(framed, 0).key == b"k" * size


def test_a_frame_that_is_cut_anywhere_is_none():
    framed = pack_format.frame(KEY, b"data" * 50)
    for end in range(len(framed)):
        assert pack_format.read_frame(framed[:end], 0) is None
    for start in range(1, len(framed) + 2):
        assert pack_format.read_frame(framed, start) is None


def test_a_frame_with_any_bit_of_its_head_or_key_turned_is_none():
    framed = pack_format.frame(KEY, b"data" * 50)
    for at in range(framed.index(b"data")):
        for bit in range(8):
            damaged = framed[:at] + bytes([framed[at] ^ (1 << bit)]) + framed[at + 1 :]
            assert pack_format.read_frame(damaged, 0) is None, (at, bit)


def framed_as(lengths, key, data):
    """Return a frame whose lengths are written otherwise than ours would be, with a checksum that is right."""
    from zlib import crc32

    return MARK + crc32(lengths + key).to_bytes(4, "little") + lengths + key + data


@pytest.mark.parametrize(
    ("lengths", "key"),
    [
        (b"\x00\x01", b""),  # no key
        (b"\xa1\x00\x01", KEY),  # the key's length in two bytes where one will do
        (b"\x21\x81\x00", KEY),  # the same of the data's
        (b"\x21\x80\x80\x80\x80\x80\x01", KEY),  # a length that never ends
        (b"\x81\x08\x01", b"k" * (MAX_KEY_BYTES + 1)),
        (b"\x21\x81\x80\x80\x80\x01", KEY),  # one more than an entry may have
        (b"\x21\xff\xff\xff\xff\x7f", KEY),
    ],
)
def test_a_frame_whose_lengths_are_not_as_they_must_be_is_none(lengths, key):
    assert pack_format.read_frame(framed_as(lengths, key, b"d" * 300), 0) is None


def test_a_length_is_believed_only_as_far_as_the_pack_goes():
    lengths = b"\x21\x80\x80\x80\x80\x01"  # 256 MiB
    assert pack_format.read_frame(framed_as(lengths, KEY, b"d" * 300), 0) is None
    assert MAX_DATA_BYTES == 1 << 28


@given(data=st.binary(max_size=200), start=st.integers(0, 50))
def test_any_bytes_are_a_frame_or_none(data, start):
    found = pack_format.read_frame(MARK + data, 0)
    assert found is None or found.end <= len(data) + 2
    assert pack_format.read_frame(data, start) is None or MARK in data
    for entry in pack_format.frames(data, 0, len(data)):
        assert 0 <= entry.start < entry.data <= entry.end <= len(data)


def pack_of(*parts):
    return MAGIC + b"".join(parts)


NUMBERED = [pack_format.frame(pack_format.object_key(f"{n:064x}"), f"data {n}".encode() * 9) for n in range(6)]


@given(
    order=st.lists(st.integers(0, 5), max_size=10),
    rubbish=st.dictionaries(st.integers(0, 9), st.sampled_from([b"x", MARK, MARK * 3, MAGIC, bytes(40)])),
)
def test_frames_are_found_between_whatever_else_there_is(order, rubbish):
    pack = pack_of(*(rubbish.get(at, b"") + NUMBERED[n] for at, n in enumerate(order)))
    found = [int(frame.key[1:].hex(), 16) for frame in pack_format.frames(pack, len(MAGIC), len(pack))]
    assert found == order
    counted = [int(frame.key[1:].hex(), 16) for frame in pack_format.entries(pack, len(MAGIC), len(pack))]
    assert counted == [n for at, n in enumerate(order) if all(n > before for before in order[:at])]


@given(order=st.lists(st.integers(0, 5), min_size=1, max_size=8))
def test_a_reader_that_begins_in_the_middle_counts_the_same_entries(order):
    pack = pack_of(*(NUMBERED[n] for n in order))
    found = list(pack_format.entries(pack, len(MAGIC), len(pack)))
    for at, frame in enumerate(found):
        assert list(pack_format.entries(pack, frame.start, len(pack))) == found[at:]


def test_a_frame_within_the_data_of_another_is_no_entry():
    outer = pack_format.frame(KEY, NUMBERED[0] + NUMBERED[1])
    pack = pack_of(outer, NUMBERED[2])
    assert [frame.start for frame in pack_format.frames(pack, 8, len(pack))] == [8, 8 + len(outer)]
