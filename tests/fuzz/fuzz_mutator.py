"""Inputs made of good ones: bits flipped, cut, spliced, lengths edited; and random bytes."""

import struct

_NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 2**63, 2**64 - 1)
INTERESTING = (
    b"\x00",
    b"\xff" * 8,
    b"\xc1",
    b"\xdd\xff\xff\xff\xff",  # an array of 4 Gi items, as MessagePack declares it
    b"\xdf\xff\xff\xff\xff",
    b"\xdb\xff\xff\xff\xff",
    b"\xc9\xff\xff\xff\xff\x00",
    b"\x91" * 70,
    b"\x81\xa1a" * 70,
    b"\xcb\x80" + bytes(7),
    b"\xcb\x7f\xf8" + bytes(6),
    b"\xed\xa0\x80",  # a lone surrogate
    b"\xf4\x90\x80\x80",
    b"\xc0\x80",
    b"\xe2\x80\xae",
    b"\x1b[2J",
    b"\r\n",
    b"../",
    b"/etc/passwd",
    b"%2F",
    b"%00",
    b"9" * 5000,
    b"1e999999999",
    b"\xef\xbb\xbf",
)


class Mutator:
    """Makes inputs, the same ones for the same draws.

    Args:
        draws: A `random.Random`.
        corpus: Inputs to begin with.
        tokens: What means something in the language of the target.
    """

    def __init__(self, draws, corpus, tokens=()):
        self._draws = draws
        self._corpus = list(corpus) or [b""]
        self._tokens = [*INTERESTING, *tokens, *tokens, *tokens]
        self._steps = (
            self._flip,
            self._flip,
            self._set_byte,
            self._set_number,
            self._set_number,
            self._cut,
            self._drop,
            self._repeat,
            self._insert,
            self._insert,
            self._insert,
            self._splice,
            self._swap,
            self._count,
        )

    def input(self):
        """Return the next input."""
        draws = self._draws
        if draws.random() < 0.03:
            return draws.randbytes(draws.choice((1, 2, 4, 8, 16, 64, 300)))
        data = bytearray(draws.choice(self._corpus))
        for _ in range(draws.choice((1, 1, 1, 2, 2, 3, 5, 9))):
            draws.choice(self._steps)(data)
        return bytes(data[: 1 << 20])

    def _place(self, data):
        return self._draws.randrange(len(data)) if data else 0

    def _span(self, data):
        start = self._place(data)
        return start, min(len(data), start + self._draws.choice((1, 2, 4, 8, 32, 128)))

    def _flip(self, data):
        if data:
            data[self._place(data)] ^= 1 << self._draws.randrange(8)

    def _set_byte(self, data):
        if data:
            data[self._place(data)] = self._draws.randrange(256)

    def _set_number(self, data):
        """Put a number where a length may be, in any width and either order of bytes."""
        number = self._draws.choice(_NUMBERS) if self._draws.random() < 0.7 else len(data) + self._draws.randint(-3, 3)
        form = self._draws.choice((">B", ">H", "<H", ">I", "<I", ">Q", "<Q"))
        size = struct.calcsize(form)
        at = self._place(data)
        data[at : at + size] = struct.pack(form, number % (1 << 8 * size))

    def _cut(self, data):
        del data[self._place(data) :]

    def _drop(self, data):
        start, end = self._span(data)
        del data[start:end]

    def _repeat(self, data):
        start, end = self._span(data)
        data[start:start] = data[start:end] * self._draws.choice((1, 2, 3, 70))

    def _insert(self, data):
        at = self._place(data)
        data[at:at] = self._draws.choice(self._tokens)

    def _splice(self, data):
        other = self._draws.choice(self._corpus)
        data[self._place(data) :] = other[self._place(other) :]

    def _swap(self, data):
        start, end = self._span(data)
        at = self._place(data)
        part = data[start:end]
        data[at : at + len(part)] = part

    def _count(self, data):
        """Add to a byte: lengths are there as often as anything."""
        if data:
            at = self._place(data)
            data[at] = (data[at] + self._draws.choice((-1, 1, 2, 16))) % 256
