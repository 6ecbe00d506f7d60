"""Messages of protocol buffers, field by field, without their schema. What is no message raises `ValueError`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

VARINT: Final = 0
EIGHT: Final = 1
BYTES: Final = 2
FOUR: Final = 5
"""Wire types: an integer of variable size, eight bytes, bytes with their length in front, four bytes."""

Field = tuple[int, int, int | bytes]


def fields_of(message: bytes) -> Iterator[Field]:
    """Number, wire type and value of each field: an integer, or the bytes of the others."""
    at = 0
    while at < len(message):
        key, at = _read_varint(message, at)
        wire = key & 7
        if wire == VARINT:
            value, at = _read_varint(message, at)
            yield key >> 3, wire, value
            continue
        if wire == BYTES:
            length, at = _read_varint(message, at)
        elif wire in (EIGHT, FOUR):
            length = 8 if wire == EIGHT else 4
        else:
            raise ValueError(f"wire type {wire} is none of those in use")
        if at + length > len(message):
            raise ValueError("a message ends within a field")
        yield key >> 3, wire, message[at : at + length]
        at += length


def _read_varint(message: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            raise ValueError("a message ends within a number")
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & (1 << 64) - 1, at
    raise ValueError("a number is longer than 64 bits")


def varints(packed: bytes) -> list[int]:
    at, found = 0, []
    while at < len(packed):
        value, at = _read_varint(packed, at)
        found.append(value)
    return found


def signed(value: int | bytes) -> int:
    if isinstance(value, bytes):
        raise ValueError("a number is missing")
    return value - (1 << 64) if value >= 1 << 63 else value


def as_bytes(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise ValueError("bytes are missing")
    return value


def key(number: int, wire: int) -> bytes:
    return varint(number << 3 | wire)


def field(number: int, value: bytes) -> bytes:
    return key(number, BYTES) + varint(len(value)) + value


def varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
