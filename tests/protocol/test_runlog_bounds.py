"""What the worst log costs to read: in proportion to its bytes, whatever its heads claim and however well it compresses."""

from __future__ import annotations

import zlib
from io import BytesIO
from typing import Final

import pytest

from bedside_protocol.codec import Allowance, encode_record, pack_list
from bedside_protocol.records import Event, Record
from bedside_protocol.runlog import HEAD_SIZE, Chunk, Damage, encode_chunk, read_log, seal_chunk

MIB: Final = 1 << 20
ONE: Final = Record(0.0, Event("e", 1), 0, 1)


def read(*chunks: bytes) -> tuple[list[Chunk], list[str]]:
    """The chunks of a log, and why its other bytes are none."""
    pieces = list(read_log(BytesIO(b"".join(chunks))))
    return [piece for piece in pieces if isinstance(piece, Chunk)], [piece.why for piece in pieces if isinstance(piece, Damage)]


def head_claiming(payload: int) -> bytes:
    """The head of a chunk of so many bytes, which do not match."""
    head = bytearray(encode_chunk([ONE], 1, {0: 1})[:HEAD_SIZE])
    head[12:16] = payload.to_bytes(4, "little")
    head[-4:] = zlib.crc32(bytes(head[:-4])).to_bytes(4, "little")
    return bytes(head)


def test_heads_that_each_claim_all_that_follows_are_not_each_summed_to_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nine thousand of them in half a mebibyte, each of half of that: 2 GB to be summed."""
    size = MIB // 2 // HEAD_SIZE * HEAD_SIZE
    heads = [head_claiming(size - at - HEAD_SIZE) for at in range(0, size, HEAD_SIZE)]
    summed = 0
    crc32 = zlib.crc32

    def counting(data: bytes) -> int:
        nonlocal summed
        summed += len(data)
        return crc32(data)

    monkeypatch.setattr(zlib, "crc32", counting)
    chunks, why = read(*heads, encode_chunk([ONE], 1, {0: 1}))
    assert [chunk.records for chunk in chunks] == [(Record(0.0, Event("e", 1), 0, 1, seq=1),)]
    assert why == ["a chunk's payload does not match its checksum"]
    assert summed < 64 * MIB + 20 * size


def test_what_unfolds_to_a_million_values_out_of_a_few_bytes_is_damage_and_what_follows_is_read() -> None:
    """Compressed, a mebibyte holds 8 million records that differ by nothing."""
    lists = pack_list(["later", 0.0, 0, 1, [None] * 19_000])
    used_up = [seal_chunk([lists], [ONE], 1 + place, {0: 1}) for place in range(55)]
    equal = seal_chunk([encode_record(ONE)] * 15_000, [ONE] * 15_000, 56, {0: 1})
    small, more = encode_chunk([ONE], 15_056, {0: 1}), seal_chunk([lists] * 5, [ONE] * 5, 15_057, {0: 1})
    chunks, why = read(*used_up, equal, small, more)
    assert [chunk.head.first_seq for chunk in chunks] == [*range(1, 56), 15_056]
    assert why == [
        "a chunk could not be read: more records than so few bytes of a log may hold",
        "a chunk could not be read: more values than so few bytes of a log may hold",
    ]


def test_records_that_differ_by_time_and_counter_alone_are_all_read() -> None:
    starts = range(1, 20_000, 1_000)
    real = [[Record(number / 1e6, Event("e", 1), 0, number) for number in range(first, first + 1_000)] for first in starts]
    chunks, why = read(*(encode_chunk(records, records[0].counter, {0: records[-1].counter}) for records in real))
    assert [len(chunk.records) for chunk in chunks] == [1_000] * len(starts)
    assert why == []


def test_an_allowance_shows_what_is_left() -> None:
    allowance = Allowance(2_000_000)
    allowance.take(1)
    assert repr(allowance) == "<Allowance of 1,999,999 values>"
