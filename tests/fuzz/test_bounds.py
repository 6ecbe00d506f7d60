"""What the worst frame of a mebibyte costs to read, or to refuse: no more than an honest one of as many values, and little memory.
What the worst log costs: in proportion to its bytes."""

from __future__ import annotations

import contextlib
import time
import tracemalloc
import zlib
from io import BytesIO
from typing import Any, Final

import msgpack
import pytest

from bedside_protocol.codec import CodecError, decode_message, decode_record, encode_record
from bedside_protocol.records import Event, Record
from bedside_protocol.runlog import HEAD_SIZE, Chunk, Damage, encode_chunk, read_log, seal_chunk

MIB: Final = 1 << 20
MOST_MEMORY: Final = 64 << 20
DEARER: Final = 4
"""Times what an honest frame costs. The dearest measured, 1,900 arrays, costs as much: each is checked."""


def packed(what: str, **fields: Any) -> bytes:
    frame: bytes = msgpack.packb([what, 0.0, 0, 1, fields])
    return frame


def zeros(count: int) -> dict[str, Any]:
    """An array that takes eight times its bytes when it is read."""
    return {"t": "|b1", "s": [count], "e": 1, "d": bytes(count), "o": "<f8"}


def deltas(count: int) -> dict[str, Any]:
    return {"t": "|i1", "s": [count], "e": 2, "d": bytes(count - 1), "first": 0}


def metrics(names: int, rows: int) -> bytes:
    values = zeros(names * rows) | {"s": [names, rows]}
    columns = {"steps": deltas(rows), "times": {"micros": deltas(rows)}, "values": values}
    return packed("metrics", names=[f"m{number}" for number in range(names)], **columns)


SNAPSHOT: Final = {"probe": "p", "kind": "k", "step": 1, "scalars": {}}
HONEST: Final = packed("snapshot", **SNAPSHOT | {"scalars": {f"s{number}": number / 3 for number in range(19_000)}})
WORST: Final = {
    "empty lists": b"\xdd" + (MIB - 5).to_bytes(4, "big") + b"\x90" * (MIB - 5),
    "lists in lists": b"\x91\x90" * (MIB // 2),
    "many maps": b"\xdc\x10\x00" + (b"\xde\x01\x00" + b"".join(msgpack.packb(f"{n:04}") + b"\xc0" for n in range(256))) * 600,
    "many texts": packed("event", name="e", step=1, fields={f"k{number}": "x" * 100 for number in range(9_000)}),
    "one text": packed("note", text="é" * (MIB // 2 - 60), author="", step=1),
    "a text that is none": packed("note", text="a" * (MIB - 99)).replace(b"a" * 99, b"\xff" * 99),
    "long columns": metrics(1, MIB // 3),
    "many columns": metrics(9_000, 50),
    "many arrays": packed("snapshot", **SNAPSHOT, arrays={f"a{n}": {"meaning": "matrix", "values": zeros(200)} for n in range(1_900)}),
    "a batch": msgpack.packb(["batch", {"rank": 0, "frames": [b"x" * 40] * 19_900}]),
}


def decode(frame: bytes) -> None:
    for read in (decode_record, decode_message):
        with contextlib.suppress(CodecError):
            read(frame)


def cost(frame: bytes) -> float:
    """Processor seconds of reading a frame, the least of three."""
    spent = []
    for _ in range(3):
        began = time.process_time()
        decode(frame)
        spent.append(time.process_time() - began)
    return min(spent)


@pytest.fixture(scope="module")
def honest() -> float:
    """What a record with as many values as one may have costs."""
    return cost(HONEST)


@pytest.mark.parametrize("what", WORST)
def test_no_frame_of_a_mebibyte_costs_much_more_than_an_honest_one(what: str, honest: float) -> None:
    assert len(WORST[what]) <= MIB + 1024
    assert cost(WORST[what]) < DEARER * honest


@pytest.mark.parametrize("what", ["one text", "long columns", "many columns"])
def test_no_frame_of_a_mebibyte_takes_much_memory(what: str) -> None:
    tracemalloc.start()
    try:
        decode(WORST[what])
        assert tracemalloc.get_traced_memory()[1] < MOST_MEMORY
    finally:
        tracemalloc.stop()


# --- logs


def test_heads_that_each_claim_all_that_follows_are_not_each_summed_to_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nine thousand of them in half a mebibyte, each of half of that: 2 GB to be summed."""
    honest = encode_chunk([Record(0.0, Event("e", 1), 0, 1)], 1, {0: 1})
    heads = bytearray(MIB // 2)
    for at in range(0, len(heads) - HEAD_SIZE, HEAD_SIZE):
        heads[at : at + HEAD_SIZE] = head_of(len(heads) - at - HEAD_SIZE)
    summed = 0
    crc32 = zlib.crc32

    def counting(data: bytes, start: int = 0) -> int:
        nonlocal summed
        summed += len(data)
        return crc32(data, start)

    monkeypatch.setattr(zlib, "crc32", counting)
    *damage, chunk = read_log(BytesIO(bytes(heads) + honest))
    assert isinstance(chunk, Chunk)
    assert [piece.size for piece in damage if isinstance(piece, Damage)] == [len(heads)]
    assert summed < 64 * MIB + 20 * len(heads)


def head_of(payload: int) -> bytes:
    """The head of a chunk that claims so many bytes, which do not match."""
    whole = bytearray(encode_chunk([Record(0.0, Event("e", 1), 0, 1)], 1, {0: 1})[:HEAD_SIZE])
    whole[12:16] = payload.to_bytes(4, "little")
    whole[-4:] = zlib.crc32(bytes(whole[:-4])).to_bytes(4, "little")
    return bytes(whole)


def test_equal_records_by_the_million_are_damage_and_those_that_differ_are_read() -> None:
    """Compressed, a mebibyte holds 8 million records that differ by nothing; of real ones, each has its own time and counter."""
    equal = [Record(0.0, Event("e", 1), 0, 1)] * 15_000
    frames = [encode_record(equal[0])] * len(equal)
    chunks = [seal_chunk(frames, equal, 1 + len(equal) * place, {0: 1}) for place in range(12)]
    pieces = list(read_log(BytesIO(b"".join(chunks))))
    assert 0 < sum(len(piece.records) for piece in pieces if isinstance(piece, Chunk)) < 150_000
    assert ["so few bytes of a log" in piece.why for piece in pieces if isinstance(piece, Damage)] == [True]
    starts = range(1, 20_000, 1_000)
    real = [[Record(number / 1e6, Event("e", 1), 0, number) for number in range(first, first + 1_000)] for first in starts]
    log = b"".join(encode_chunk(records, records[0].counter, {0: records[-1].counter}) for records in real)
    assert [len(piece.records) for piece in read_log(BytesIO(log)) if isinstance(piece, Chunk)] == [1_000] * len(starts)
