"""Names of files inside a store, and how tags are written in them."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemexp.errors import Corrupt, InvalidInput, UnsupportedFormat
from gemexp.store import layout

HASH = "ab" * 32
OTHER = "cd" * 32
RESERVED = {"con", "prn", "aux", "nul", *(f"com{n}" for n in range(10)), *(f"lpt{n}" for n in range(10))}
texts = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20),
    st.sampled_from(
        ["con", "CON", "con.txt", "aux.", "..", ".", "a.", "a ", " ", "a/b", "%41", "%", "nul", "NUL.x", "~"]
    ),
    st.text("aAbB.%/ é", min_size=1, max_size=6),
)


FOLDERS = {"tags": layout.tag_folder, "names": layout.name_folder}
each_kind = pytest.mark.parametrize("kind", FOLDERS)


def file_name(kind, name):
    """Return what the folder of a tag or a name is called; None if it is too long for one."""
    try:
        parent, _, escaped = FOLDERS[kind](name).rpartition("/")
    except InvalidInput:
        return None
    assert parent == f"refs/{kind}"
    return escaped


@each_kind
@given(one=texts, other=texts, change=st.sampled_from([str.lower, str.upper, str.title, str.swapcase, str.strip]))
def test_different_names_stay_different_even_where_case_is_ignored(kind, one, other, change):
    for another in (other, change(one)):
        if another:
            folders = [file_name(kind, name).lower() for name in (one, another)]
            assert (folders[0] == folders[1]) == (one == another)


@each_kind
@given(st.one_of(texts, st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=220)))
def test_an_escaped_name_is_safe_everywhere_and_reads_back(kind, name):
    escaped = file_name(kind, name)
    if escaped is None:  # the first and the last character may be escaped besides
        assert len(re.sub("[^a-z0-9._=+@-]", "%xx", name.encode().decode("latin-1"))) > 195
        return
    assert re.fullmatch(r"(?:[a-z0-9._\-=+@]|%[0-9A-F]{2})+", escaped)
    assert escaped[0] != "."
    assert escaped[-1] not in ". "
    assert escaped.split(".")[0].lower() not in RESERVED
    assert len(escaped.encode()) <= 200, "of the 255 that file systems take"
    assert layout.unescape_name(escaped) == name


@given(st.text())
def test_a_file_name_that_is_never_written_is_not_read(file_name):
    name = layout.unescape_name(file_name)
    assert name is None or layout.escape_name(name, "tag") == file_name


@pytest.mark.parametrize(
    ("name", "escaped"),
    [
        ("best", "best"),
        ("k=5+x@y_z-1.0", "k=5+x@y_z-1.0"),
        ("Best", "%42est"),
        ("a/b", "a%2Fb"),
        ("../../etc/passwd", "%2E.%2F..%2Fetc%2Fpasswd"),
        (".hidden", "%2Ehidden"),
        ("con", "%63on"),
        ("aux.txt", "%61ux.txt"),
        ("console", "console"),
        ("é", "%C3%A9"),
        ("100%", "100%25"),
        ("a b", "a%20b"),
        ("a\x00b", "a%00b"),
        ("x.", "x%2E"),
    ],
)
def test_names_are_escaped_as_specified(name, escaped):
    assert layout.escape_name(name, "tag") == escaped


@pytest.mark.parametrize("name", ["", "a" * 201, "A" * 67, "é" * 34, "\udc80"])
def test_names_that_cannot_be_written_are_refused(name):
    with pytest.raises(InvalidInput, match="tag"):
        layout.tag_folder(name)


@pytest.mark.parametrize("name", ["a" * 200, "A" * 66, "é" * 33])
def test_names_up_to_200_bytes_are_taken(name):
    assert layout.unescape_name(layout.escape_name(name, "tag")) == name


@pytest.mark.parametrize(
    "file_name", ["", "A", "%41", "%zz", "%6", "a%2fb", ".x", "con", "a.", "%FF", "x~", "#x#", "%61"]
)
def test_file_names_of_others_are_no_tags(file_name):
    if file_name == "%41":
        assert layout.unescape_name(file_name) == "A"
    else:
        assert layout.unescape_name(file_name) is None


class TestNamesOfFiles:
    def test_paths_are_those_of_the_specification(self):
        assert layout.object_path(HASH) == f"objects/ab/{HASH}"
        assert layout.record_path(HASH, OTHER) == f"index/ab/{HASH}-{OTHER}"
        assert layout.tag_folder("best") == "refs/tags/best"
        assert layout.member_path("refs/deleted", HASH, 1) == f"refs/deleted/{HASH}"
        assert layout.member_path("refs/deleted", HASH, 2) == f"refs/deleted/{HASH}.2"

    @pytest.mark.parametrize("name", [HASH[:-1], HASH + "0", HASH.upper(), f".{HASH}.Xa1", f"{HASH}~", f"{HASH}\n", ""])
    def test_files_with_other_names_are_no_objects(self, name):
        assert layout.parse_object_name(name) is None
        assert layout.parse_object_name(HASH) == HASH

    @pytest.mark.parametrize(
        "name", [HASH, f"{HASH}-{OTHER}~", f"{HASH}-{OTHER[:-1]}", f"abc-{OTHER}", f"{HASH}-{OTHER}\n"]
    )
    def test_files_with_other_names_are_no_records(self, name):
        assert layout.parse_record_name(name) is None
        assert layout.parse_record_name(f"{HASH}-{OTHER}") == (HASH, OTHER)

    @pytest.mark.parametrize(
        "suffix", [".1", ".0", ".02", ".-2", ".x", ".2 ", ".2.3", ".", ".2\n", ".99999999999999999999"]
    )
    def test_files_with_other_names_are_no_members(self, suffix):
        assert layout.parse_member_name(HASH + suffix) is None
        assert layout.parse_member_name(HASH) == (HASH, 1)
        assert layout.parse_member_name(f"{HASH}.17") == (HASH, 17)


class TestFormat:
    def test_this_version_is_accepted(self):
        layout.check_format(b"gemexp 1 sha256\n", "format")

    @pytest.mark.parametrize(
        "line",
        [b"gemexp 2 sha256\n", b"gemexp 1 sha512\n", b"gemexp 10 blake3\n", b"gemexp 2 sha256 packs\n", b"gemexp 3\n"],
    )
    def test_another_version_is_told_from_damage(self, line):
        with pytest.raises(UnsupportedFormat) as caught:
            layout.check_format(line, "format")
        assert "upgrade" in caught.value.hint

    @pytest.mark.parametrize("line", [b"", b"\x00" * 16, b"gemexp", b"git 1 sha256\n", b"gemexp x sha256\n"])
    def test_damage_is_corrupt(self, line):
        with pytest.raises(Corrupt):
            layout.check_format(line, "format")
