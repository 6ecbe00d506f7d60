"""Small changes to bytes, the same for the same seed: what a fuzzer without a view of the code does."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from typing import Final

MOST: Final = 4096
"""Bytes of the longest input made."""
_TELLING: Final = (
    b"\x00", b"\xff", b"\x7f", b"\x80", b"\x90", b"\xa0", b"\xc0", b"\xc1", b"\xc4\x00", b"\xd4\x01\x02", b"\x91" * 20,
    b"\xca\x7f\xc0\0\0", b"\xcb\x7f\xf0\0\0\0\0\0\0", b"\xcf" + b"\xff" * 8, b"\xd3\x80" + bytes(7),
    b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff", b"nan", b"1e999", b"-1", b"null", b'"', b"{", b"[", b",", b"\n", b"\r",
    b"\x1b[2J", b"\xe2\x80\xae", b"\xed\xa0\x80",
)  # fmt: skip
"""Values at the ends of what formats hold, heads that lie about length, and characters that separate."""


def mutations(corpus: Sequence[bytes], count: int, seed: int) -> Iterator[bytes]:
    """`count` inputs, each one of the corpus changed in one to four places, or joined from two."""
    dice = random.Random(seed)
    for _ in range(count):
        data = bytearray(dice.choice(corpus))
        if dice.random() < 0.1:
            other = dice.choice(corpus)
            data[dice.randint(0, len(data)) :] = other[dice.randint(0, len(other)) :]
        for _ in range(dice.randint(1, 4)):
            dice.choice(_CHANGES)(data, dice)
        yield bytes(data[:MOST])


def _flip(data: bytearray, dice: random.Random) -> None:
    if data:
        data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)


def _replace(data: bytearray, dice: random.Random) -> None:
    if data:
        data[dice.randrange(len(data))] = dice.randrange(256)


def _delete(data: bytearray, dice: random.Random) -> None:
    at = dice.randint(0, len(data))
    del data[at : at + dice.randint(1, 16)]


def _insert(data: bytearray, dice: random.Random) -> None:
    at = dice.randint(0, len(data))
    data[at:at] = dice.choice(_TELLING)


def _overwrite(data: bytearray, dice: random.Random) -> None:
    at, what = dice.randint(0, len(data)), dice.choice(_TELLING)
    data[at : at + len(what)] = what


def _repeat(data: bytearray, dice: random.Random) -> None:
    at = dice.randint(0, len(data))
    data[at:at] = data[at : at + dice.randint(1, 32)] * dice.randint(1, 8)


_CHANGES: Final[tuple[Callable[[bytearray, random.Random], None], ...]] = (_flip, _replace, _delete, _insert, _overwrite, _repeat)
