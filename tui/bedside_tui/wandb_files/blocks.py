"""Records in a file of blocks: a record that does not fit into what is left of a block goes on in the next ones.

A piece of a record has a checksum (CRC-32 of its kind and its data), a length, a kind and the data; numbers are little-endian. Where one is
damaged the rest of its block is passed over, and the file is read on from the next.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO, Final, NamedTuple

HEAD: Final = b":W&B\xe1\xbe\x00"
"""What every file begins with: the name, a number and the version of the format."""
BLOCK: Final = 1 << 15
_PIECE: Final = struct.Struct("<IHB")
_KIND: Final = 6
"""Where in a piece the part that the checksum covers begins."""
_PADDING, _FULL, _FIRST, _MIDDLE, _LAST = range(5)


class Broken(NamedTuple):
    """At byte `offset` something cannot be read. `torn`: the file ends there, as that of a run that goes on or was killed may."""

    offset: int
    torn: bool


class _Piece(NamedTuple):
    offset: int
    kind: int
    data: bytes


def read_records(file: BinaryIO) -> Iterator[bytes | Broken]:
    """Every record of a file that stands at its beginning; what cannot be read is told in its place."""
    held: list[bytes] = []
    begun, told = 0, False
    for piece in _pieces(file):
        if isinstance(piece, Broken):
            yield piece
            held, told = [], True
        elif piece.kind in (_FULL, _FIRST):
            if held:
                yield Broken(begun, torn=False)
            held, begun, told = [piece.data], piece.offset, False
        elif held:
            held.append(piece.data)
        elif not told:  # the rest of a record whose beginning is missing
            yield Broken(piece.offset, torn=False)
            told = True
        if held and isinstance(piece, _Piece) and piece.kind in (_FULL, _LAST):
            yield b"".join(held)
            held = []
    if held:
        yield Broken(begun, torn=True)


def _pieces(file: BinaryIO) -> Iterator[_Piece | Broken]:
    base = 0
    while block := file.read(BLOCK):
        at = 0 if base else len(HEAD)
        while at + _PIECE.size <= len(block):
            checksum, length, kind = _PIECE.unpack_from(block, at)
            end = at + _PIECE.size + length
            if kind == _PADDING and not length:
                break
            if end > len(block) or kind > _LAST or zlib.crc32(block[at + _KIND : end]) != checksum:
                yield Broken(base + at, torn=end > len(block) < BLOCK)
                at = len(block)
                break
            yield _Piece(base + at, kind, block[at + _PIECE.size : end])
            at = end
        if len(block) < BLOCK and any(block[at:]):
            yield Broken(base + at, torn=True)
        base += len(block)
