"""A recording as a later bedside might have written it, made of the bytes of one of today's: a later minor is read, a later major refused.

Knows the bytes by itself, with `struct`, `zlib` and msgpack alone: code that is tried out must not be its own judge.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Any, Final

import msgpack

# mark, format, flags, reserved, payload bytes, first place, records, first time, last time, last step, payload CRC; then the head's CRC
_HEAD: Final = struct.Struct("<8sBBHIQIddqI")
_CRC: Final = struct.Struct("<I")
_SIZE: Final = _HEAD.size + _CRC.size
LATER: Final = ["dream", 0.0, 0, 0, {"of": ["something", {"new": 1}]}]
"""A record of a kind that is not known today."""
_WORDS: Final = {"command": "verb", "lifecycle": "state", "ended": "outcome"}


def later_major(data: bytes) -> bytes:
    """The same chunks in the format after today's, their payloads of a form that nobody knows yet."""
    return b"".join(_chunk([head[0], head[1] + 1, *head[2:]], b"\xc1" + payload) for head, payload in _chunks(data))


def later_minor(data: bytes) -> bytes:
    """The same chunks with what a minor may add: flags in the heads, a field in every record, and to each chunk a record of a new kind."""

    def change(records: list[Any]) -> list[Any]:
        return [*map(_field_added, records), LATER]

    return b"".join(_more(head, payload, change, place) for place, (head, payload) in enumerate(_chunks(data)))


def later_words(data: bytes, kind: str) -> bytes:
    """The same chunks, in which records of this kind say something that was no choice today."""

    def change(record: list[Any]) -> list[Any]:
        return [*record[:4], {**record[4], _WORDS[kind]: "dreaming"}] if record[0] == kind else record

    return b"".join(_more(head, payload, lambda records: list(map(change, records)), 0) for head, payload in _chunks(data))


def _field_added(record: list[Any]) -> list[Any]:
    return [*record[:4], {**record[4], "later": {"x": [1, None]}}]


def _more(head: list[Any], payload: bytes, change: Callable[[list[Any]], list[Any]], before: int) -> bytes:
    """A chunk with its records changed; `before`: how many records were added in front of it."""
    counters, frames = msgpack.unpackb(zlib.decompress(payload), strict_map_key=False)
    records = change([msgpack.unpackb(frame) for frame in frames])
    packed = zlib.compress(msgpack.packb([counters, [msgpack.packb(record) for record in records]]))
    return _chunk([*head[:2], 0x80, 7, 0, head[5] + before, len(records), *head[7:]], packed)


def _chunk(head: list[Any], payload: bytes) -> bytes:
    packed = _HEAD.pack(*head[:4], len(payload), *head[5:10], zlib.crc32(payload))
    return packed + _CRC.pack(zlib.crc32(packed)) + payload


def _chunks(data: bytes) -> Iterator[tuple[list[Any], bytes]]:
    while data:
        head = list(_HEAD.unpack_from(data))
        yield head, data[_SIZE : _SIZE + head[4]]
        data = data[_SIZE + head[4] :]
