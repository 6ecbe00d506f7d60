"""Records in a TFRecord file: length, checksum of the length, data, checksum of the data; numbers little-endian.

A checksum is CRC-32C (Castagnoli), rotated and shifted by a constant, so that a file that holds checksums has other ones of its own.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

_LENGTH: Final = struct.Struct("<Q")
_CRC: Final = struct.Struct("<I")
HEAD: Final = _LENGTH.size + _CRC.size
_LARGEST: Final = 1 << 30
"""Bytes of the largest record taken: one with a checksum that fits, and longer than this, is no event."""
_POLYNOMIAL: Final = 0x82F63B78
_MASK: Final = 0xA282EAD8


@dataclass(frozen=True, slots=True)
class Frame:
    """One record of a file, at byte `offset`. `data` has not been compared with `checksum`: most records of a file hold no scalar."""

    offset: int
    data: bytes
    checksum: int

    @property
    def is_whole(self) -> bool:
        return masked_crc(self.data) == self.checksum


@dataclass(frozen=True, slots=True)
class Broken:
    """From byte `offset` on nothing can be read. `torn`: the file ends within a record, as that of a writer that was killed does."""

    offset: int
    torn: bool


def read_frames(file: BinaryIO) -> Iterator[Frame | Broken]:
    """Every record from the file's position to its end, or to where it is broken."""
    offset = file.tell()
    while head := file.read(HEAD):
        length = length_in(head)
        if length is None:
            yield Broken(offset, torn=len(head) < HEAD)
            return
        data = file.read(length)
        crc = file.read(_CRC.size)
        if len(data) < length or len(crc) < _CRC.size:
            yield Broken(offset, torn=True)
            return
        yield Frame(offset, data, _CRC.unpack(crc)[0])
        offset += HEAD + length + _CRC.size


def length_in(head: bytes) -> int | None:
    """The length a record's head tells, None where these bytes are no head."""
    if len(head) < HEAD or _CRC.unpack_from(head, _LENGTH.size)[0] != masked_crc(head[: _LENGTH.size]):
        return None
    length: int = _LENGTH.unpack_from(head)[0]
    return length if length <= _LARGEST else None


def framed(data: bytes) -> bytes:
    """The record of these bytes."""
    length = _LENGTH.pack(len(data))
    return length + _CRC.pack(masked_crc(length)) + data + _CRC.pack(masked_crc(data))


def masked_crc(data: bytes) -> int:
    """The checksum of these bytes as the format stores it."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    crc ^= 0xFFFFFFFF
    return (((crc >> 15) | (crc << 17)) + _MASK) & 0xFFFFFFFF


def _entry(byte: int) -> int:
    for _ in range(8):
        byte = (byte >> 1) ^ (_POLYNOMIAL if byte & 1 else 0)
    return byte


_TABLE: Final = tuple(_entry(byte) for byte in range(256))
