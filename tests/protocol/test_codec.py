"""Records and messages as bytes: what goes in comes out, and hostile bytes are only ever refused."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import msgpack
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bedside_protocol.codec import (
    BODIES,
    MAX_FRAME,
    MAX_RECORD,
    MESSAGES,
    Allowance,
    CodecError,
    decode_logged,
    decode_message,
    decode_place,
    decode_record,
    encode_message,
    encode_record,
    pack_list,
    unpack_list,
)
from bedside_protocol.messages import Ask, Batch, Hello
from bedside_protocol.records import Array, Event, Metrics, Record, RunStarted, Snapshot, Tick, Unknown

Instances = Callable[[type], st.SearchStrategy[Any]]
FEW = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
METRICS = Metrics(("loss", "lr"), np.arange(5), np.arange(5) / 10, np.random.default_rng(0).random((2, 5)))
PICTURE = Snapshot("vq", "codebook", 50, {"used": 12.0}, {"usage": Array("histogram", np.arange(16), ("a", "b"))}, {"none": ("w",)}, 0.1)


def same(left: object, right: object) -> bool:
    """Equality in which NaN equals itself: by representation, for the values differ in nothing else."""
    return repr(left) == repr(right) and (left == right or "nan" in repr(left))


@pytest.mark.parametrize("kind", BODIES.values(), ids=BODIES)
def test_every_body_comes_back_as_it_went(instances: Instances, kind: type) -> None:
    @FEW
    @given(instances(kind), st.floats(), st.integers(-1, 2**31), st.integers(0, 2**63 - 1))
    def check(body: Any, when: float, rank: int, counter: int) -> None:
        back = decode_record(encode_record(Record(when, body, rank, counter)), seq=7)
        assert same(back, Record(when, body, rank, counter, 7))

    check()


@pytest.mark.parametrize("kind", MESSAGES.values(), ids=MESSAGES)
def test_every_message_comes_back_as_it_went(instances: Instances, kind: type) -> None:
    @FEW
    @given(instances(kind))
    def check(message: Any) -> None:
        assert same(decode_message(encode_message(message)), message)

    check()


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), float("-inf"), -0.0, 5e-324, 1e308, -1e308, 0.1, 1.5, float(2**63)], ids=repr
)
def test_a_metric_keeps_every_bit_of_its_value(value: float) -> None:
    block = Metrics(("x",), np.array([1, 2]), np.array([0.0, 0.5]), np.array([[value, 1.0]]))
    back = decode_record(encode_record(Record(0.0, block))).body
    assert isinstance(back, Metrics)
    assert back.values.tobytes() == block.values.tobytes()


@pytest.mark.parametrize("steps", [[-(2**63)], [2**63 - 1], [-(2**63), 2**63 - 1], [2**62, -(2**62)], [5, 5, 3, 10**12, -1], []])
def test_steps_are_exact_to_the_ends_of_64_bits(steps: list[int]) -> None:
    block = Metrics((), np.array(steps, np.int64), np.zeros(len(steps)), np.zeros((0, len(steps))))
    assert decode_record(encode_record(Record(0.0, block))).body == block


def test_an_array_without_dimensions_keeps_none() -> None:
    body = Snapshot("p", "k", 1, {}, {"x": Array("matrix", np.array(3.0))})
    back = decode_record(encode_record(Record(0.0, body))).body
    assert isinstance(back, Snapshot)
    assert back.arrays["x"].values.shape == ()


def test_bytes_in_the_other_order_are_the_same_numbers() -> None:
    body = Snapshot("p", "k", 1, {}, {"x": Array("matrix", np.arange(6, dtype=">i4").reshape(2, 3)[:, ::-1])})
    back = decode_record(encode_record(Record(0.0, body))).body
    assert isinstance(back, Snapshot)
    assert back.arrays["x"].values.tolist() == [[2, 1, 0], [5, 4, 3]]


def test_half_a_surrogate_pair_is_written_so_that_it_can_be_read() -> None:
    started = RunStarted("id", "na\udc80me", "", 0.0, argv=("train\udcff.py",), config={"k\ud800": "v\udfff"})
    back = decode_record(encode_record(Record(0.0, started))).body
    assert isinstance(back, RunStarted)
    assert (back.name, back.argv, back.config) == ("na\\udc80me", ("train\\udcff.py",), {"k\\ud800": "v\\udfff"})
    ask = decode_message(encode_message(Ask("r", "i", "note", "who\udc80")))
    assert isinstance(ask, Ask)
    assert ask.who == "who\\udc80"


@pytest.mark.parametrize(
    "body",
    [
        Tick(2**64),
        Event("x", 1, {"k": object()}),  # type: ignore[dict-item]
        Event("x", 1, {"k" * 257: 1}),
        Event("x", 1, {3: 1}),  # type: ignore[dict-item]
        Event("x", 1, {"text": "a" * (MAX_RECORD + 1)}),
        Snapshot("p", "k", 1, {str(i): 0.0 for i in range(20_001)}),
        Snapshot("p", "k", 1, {}, {"x": Array("matrix", np.zeros(2, complex))}),
        Snapshot("p", "k", 1, {}, {"x": Array("matrix", np.zeros((1,) * 9))}),
        Snapshot("p", "k", 1, {}, {"x": Array("matrix", np.array(["text"]))}),
        Snapshot("p", "k", 1, {}, {"x": Array("image", np.random.default_rng(0).random((400, 400)))}),
        Metrics(("a",), np.arange(2), np.arange(2.0), np.zeros((2, 2))),
        Unknown("later"),
        "no body at all",
    ],
    ids=lambda body: repr(body)[:40],
)
def test_what_could_not_be_read_again_is_not_written(body: Any) -> None:
    with pytest.raises(CodecError):
        encode_record(Record(0.0, body))


def test_the_largest_record_travels_in_a_batch_behind_a_full_one() -> None:
    largest = encode_record(Record(0.0, Event("x", 1, {"text": "a" * (MAX_RECORD - 100)})))
    batch = Batch(0, (bytes(256 << 10), largest))
    assert decode_message(encode_message(batch)) == batch


def test_numpy_numbers_count_as_numbers() -> None:
    body = Snapshot("p", "k", 1, {"a": np.float32(0.5), "b": np.int64(3), "c": np.float64(2.5)})  # type: ignore[dict-item]
    back = decode_record(encode_record(Record(np.float64(1.5), body))).body
    assert isinstance(back, Snapshot)
    assert back.scalars == {"a": 0.5, "b": 3.0, "c": 2.5}


def test_a_kind_not_known_here_is_unknown_and_a_field_not_known_is_passed_over() -> None:
    assert decode_record(msgpack.packb(["later", 1.0, 0, 4, {"x": [1]}])) == Record(1.0, Unknown("later"), 0, 4)
    assert decode_record(msgpack.packb(["tick", 1, 0, 4, {"step": 3, "later": {"a": [1, None]}}])) == Record(1.0, Tick(3), 0, 4)
    assert decode_message(msgpack.packb(["hello", {"run": "r", "rank": 0, "version": 1, "pid": 2, "pid_start": 3, "later": 1}])) == Hello(
        "r", 0, 1, 2, 3
    )


def test_the_place_of_a_record_is_known_also_where_its_body_cannot_be_read() -> None:
    assert decode_place(msgpack.packb(["later", 1.0, 3, 4, {"x": [1]}])) == (3, 4)
    assert decode_place(msgpack.packb(["tick", 1.0, -1, 9, "no body"])) == (-1, 9)
    with pytest.raises(CodecError, match="not a record"):
        decode_place(msgpack.packb(["tick", 1.0, 3, 4]))


def test_a_field_that_is_missing_takes_its_default_or_is_refused() -> None:
    assert decode_record(msgpack.packb(["event", 1.0, 0, 4, {"name": "e", "step": 3}])).body == Event("e", 3)
    for kind in BODIES:
        with pytest.raises(CodecError):
            decode_record(msgpack.packb([kind, 1.0, 0, 4, {}]))


# --- hostile bytes


def refused(frame: bytes) -> bool:
    """Whether both decoders refuse these bytes, or take them; anything else they might raise fails the test."""
    refusals = 0
    for decode in (decode_record, decode_message, unpack_list):
        try:
            decode(frame)
        except CodecError:
            refusals += 1
    return refusals == 3


FRAMES = [
    encode_record(Record(1.5, METRICS, 0, 3)),
    encode_record(Record(1.5, PICTURE, 0, 3)),
    encode_record(Record(1.5, RunStarted("id", "name", "p", 0.0, argv=("a",), config={"lr": 0.1, "n": None}))),
    encode_message(Ask("run", "id", "checkpoint", "me", {"step": 4})),
    encode_message(Batch(0, (b"abc", b""))),
]


def test_a_frame_cut_anywhere_is_refused() -> None:
    for frame in FRAMES:
        for end in range(len(frame)):
            assert refused(frame[:end]), (frame, end)


def test_a_frame_with_more_behind_it_is_refused() -> None:
    for frame in FRAMES:
        assert refused(frame + b"\0")


def test_random_changes_never_raise_anything_but_the_codecs_own_error() -> None:
    dice = random.Random(20)
    for _ in range(12_000):
        frame = bytearray(dice.choice(FRAMES))
        for _ in range(dice.randint(1, 6)):
            place = dice.randrange(len(frame))
            match dice.randrange(3):
                case 0:
                    frame[place] = dice.randrange(256)
                case 1:
                    del frame[place : place + dice.randrange(1, 9)]
                    frame = frame or bytearray(b"\xc1")
                case _:
                    frame[place:place] = bytes(dice.choice([0x91, 0x81, 0xC0, 0xC4, 0xDD, 0xFF]) for _ in range(dice.randint(1, 9)))
        refused(bytes(frame))


@given(st.binary(max_size=200))
@settings(max_examples=300, deadline=None)
def test_arbitrary_bytes_never_raise_anything_but_the_codecs_own_error(frame: bytes) -> None:
    refused(frame)


LIST = msgpack.packb  # of anything, without the checks of ours


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"\xc1",
        b"\xdd\xff\xff\xff\xff",  # a list of four thousand million
        b"\xdf\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
        b"\x91" * 17 + b"\xc0",
        b"\x91" * 1025 + b"\xc0",
        b"\x91" * 100_000 + b"\xc0",
        b"\x81\xa1a" * 17 + b"\xc0",
        b"\xa2\xff\xfe",  # not UTF-8
        b"\x95\xa4tick\x00\x00\x01\x81\xc4\x04step\x01",  # a key of bytes
        b"\x95\xa4tick\x00\x00\x01\x81\x01\x01",
        b"\x95\xa4tick\x00\x00\x01\xc7\x00\x05",  # an extension of no bytes
        b"\x95\xa4tick\x00\x00\x01\xd6\xff\x00\x00\x00\x00",  # a timestamp
        b"\x95\xa4tick\x00\x00\x01\x81\xa4step\xc7\x00\x05",
        LIST(["tick", 0, 0, 1, {"k" * 300: 1, "step": 1}]),
        LIST(["tick", "0", 0, 1, {"step": 1}]),
        LIST(["tick", 0, 0.0, 1, {"step": 1}]),
        LIST(["tick", 0, 0, True, {"step": 1}]),
        LIST([7, 0, 0, 1, {"step": 1}]),
        LIST(["tick", 0, 0, 1, [1]]),
        LIST(["tick", 0, 0, 1]),
        LIST(["metrics", 0, 0, 1, [1]]),
        LIST(["metrics", 0, 0, 1, {"names": "ab"}]),
        LIST({"tick": 1}),
        LIST(5),
        LIST("tick!"),
    ],
    ids=lambda frame: repr(frame[:24]),
)
def test_bytes_that_lie_are_refused(frame: bytes) -> None:
    with pytest.raises(CodecError):
        decode_record(frame)
    with pytest.raises(CodecError):
        decode_message(frame)


ARRAY = {"t": "<f8", "s": [2], "e": 1, "d": bytes(16)}


@pytest.mark.parametrize(
    "change",
    [
        {"t": "<c16"}, {"t": "O"}, {"t": [1]}, {"t": "|b1", "d": b"\2\2"}, {"t": "<f8", "d": bytes(15)},
        {"s": [3]}, {"s": [-2]}, {"s": [2.0]}, {"s": [True, 2]}, {"s": "2"}, {"s": [2**40]}, {"s": [1] * 9},
        {"s": [0, 4_000_000, 4_000_000, 4_000_000, 4_000_000], "d": b""},
        {"e": 0}, {"e": 3}, {"e": None}, {"e": 2}, {"e": 2, "t": "<i8", "s": [3], "first": 2**63},
        {"e": 2, "t": "<i8", "s": [0], "first": 0},
        {"e": 2, "t": "<i8", "s": [3], "first": "0"}, {"d": "text"}, {"micros": {"micros": 3}},
    ],
    ids=repr,
)  # fmt: skip
def test_an_array_that_lies_is_refused(change: dict[str, Any]) -> None:
    for fields in (
        {"probe": "p", "kind": "k", "step": 1, "scalars": {}, "arrays": {"x": {"meaning": "matrix", "values": ARRAY | change}}},
        {"names": ["a"], "steps": ARRAY | {"t": "<i8"}, "times": ARRAY, "values": ARRAY | change},
    ):
        with pytest.raises(CodecError):
            decode_record(msgpack.packb(["snapshot" if "probe" in fields else "metrics", 0.0, 0, 1, fields]))


@pytest.mark.parametrize("names", ["ab", [1, 2], None, [["a"]]])
def test_metrics_whose_names_are_no_texts_are_refused(names: object) -> None:
    fields = {"names": names, "steps": ARRAY | {"t": "<i8"}, "times": ARRAY, "values": ARRAY}
    with pytest.raises(CodecError, match="names are not text"):
        decode_record(msgpack.packb(["metrics", 0.0, 0, 1, fields]))


@pytest.mark.parametrize("names", [[], ["a", "b"]])
def test_metrics_whose_columns_do_not_fit_their_names_are_refused(names: list[str]) -> None:
    steps = {"t": "<i8", "s": [2], "e": 1, "d": bytes(16)}
    fields = {"names": names, "steps": steps, "times": ARRAY, "values": ARRAY | {"s": [1, 2]}}
    with pytest.raises(CodecError, match="columns do not fit"):
        decode_record(msgpack.packb(["metrics", 0.0, 0, 1, fields]))


@pytest.mark.parametrize("value", [{}, 5, "text", None])
def test_an_envelope_that_is_no_list_is_refused(value: Any) -> None:
    with pytest.raises(CodecError, match="not a list"):
        unpack_list(msgpack.packb(value))


def test_a_record_of_a_log_holds_no_more_values_than_are_left() -> None:
    allowance = Allowance(50)
    tick = encode_record(Record(0.0, Tick(1)))
    assert decode_logged(tick, 3, allowance).seq == 3
    assert 0 < allowance.left < 50
    assert repr(allowance) == f"<Allowance of {allowance.left:,} values>"
    with pytest.raises(CodecError, match="more values than so few bytes of a log may hold"):
        decode_logged(encode_record(Record(0.0, Event("x", 1, {str(number): number for number in range(60)}))), 4, allowance)


@pytest.mark.parametrize(
    "bomb",
    [
        b"\x90" * (MAX_FRAME - 5),
        b"\x80" * (MAX_FRAME - 5),
        b"\xc0" * (MAX_FRAME - 5),
        b"\xa0" * (MAX_FRAME - 5),
        b"\x91\x90" * (MAX_FRAME // 2 - 5),
        (b"\xdc\x01\x00" + b"\xc3" * 256) * (MAX_FRAME // 259 - 5),
    ],
    ids=lambda bomb: repr(bomb[:4]),
)
def test_a_frame_of_millions_of_values_is_refused_before_they_are_made(bomb: bytes) -> None:
    frame = b"\xdd" + (len(bomb)).to_bytes(4, "big") + bomb
    with pytest.raises(CodecError, match="20,000 values"):  # what refusing costs: tests/fuzz/test_bounds.py
        decode_record(frame)


def test_a_frame_over_the_limit_is_refused_unread() -> None:
    with pytest.raises(CodecError, match="over the limit"):
        decode_message(bytes(MAX_FRAME + 1))


@given(
    st.lists(
        st.one_of(st.none(), st.binary(max_size=300), st.text(max_size=300), st.integers(-(2**63), 2**64 - 1), st.floats(allow_nan=False))
    )
)
@settings(max_examples=60, deadline=None)
def test_a_large_frame_of_few_values_is_counted_rightly(values: list[Any]) -> None:
    values = [*values, {"a": {"b": [1.5, b"x" * 70_000, "y" * 300]}}, [list(range(20))] * 20, *({str(i): i} for i in range(20))]
    packed = msgpack.packb(values, unicode_errors="backslashreplace")
    assert unpack_list(packed) == msgpack.unpackb(packed)


def test_a_list_of_frames_has_room_for_a_chunks_worth() -> None:
    values = [[[0, 5]], [bytes(40)] * 19_000]
    assert unpack_list(pack_list(values)) == values
