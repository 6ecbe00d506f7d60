"""What the worst frame of a mebibyte costs to read, or to refuse: no more than an honest one of as many values, and little memory."""

from __future__ import annotations

import contextlib
import time
import tracemalloc
from typing import Any, Final

import msgpack
import pytest

from bedside_protocol.codec import CodecError, decode_message, decode_record

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
