"""The file of a run, whole and harmed: what is whole is read, what is harmed is reported, and nothing is ever made up."""

from __future__ import annotations

import io
import itertools
import random
import struct
import time
import tracemalloc
import zlib
from collections.abc import Iterable, Mapping, Sequence
from functools import cache

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bedside_protocol.codec import CodecError, encode_record, pack_list
from bedside_protocol.records import CommandChanged, Event, Metrics, Note, Record, Tick
from bedside_protocol.runlog import (
    FORMAT,
    HEAD_SIZE,
    MARK,
    TARGET_CHUNK,
    Chunk,
    Damage,
    Decoder,
    NewerFormat,
    encode_chunk,
    merge_metrics,
    read_log,
    read_records,
    scan_index,
    seal_chunk,
)

FEW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def block(first: int, rows: int, names: Sequence[str] = ("loss", "lr"), rank: int = 0, seed: int = 0) -> Record:
    steps = np.arange(first, first + rows)
    values = np.random.default_rng(first + seed).random((len(names), rows))
    return Record(first / 8, Metrics(tuple(names), steps, steps / 8, values), rank, first)


@cache
def log_of(size: int, rows: int) -> tuple[bytes, ...]:
    """The chunks of a log of about `size` bytes: three records each, one of them `rows` rows of random numbers."""
    chunks: list[bytes] = []
    seq, step = 1, 1
    while sum(map(len, chunks)) < size:
        records = [block(step, rows), Record(step / 8, Tick(step), -1, seq), Record(step / 8, Event("mark", step, {"n": step}))]
        chunks.append(encode_chunk(records, seq, {0: step, -1: seq}))
        seq, step = seq + 3, step + rows
    return tuple(chunks)


def read(data: bytes) -> tuple[list[Chunk], list[Damage]]:
    pieces = list(read_log(io.BytesIO(data)))
    return [piece for piece in pieces if isinstance(piece, Chunk)], [piece for piece in pieces if isinstance(piece, Damage)]


def firsts(chunks: Iterable[Chunk]) -> list[int]:
    return [chunk.head.first_seq for chunk in chunks]


def forged(payload: bytes, count: int = 1, first_seq: int = 1, version: int = FORMAT) -> bytes:
    """A chunk with sound checksums around any payload."""
    head = struct.pack("<8sBBHIQIddqI", MARK, version, 0, 0, len(payload), first_seq, count, 0.0, 0.0, -1, zlib.crc32(payload))
    return head + struct.pack("<I", zlib.crc32(head)) + payload


def test_what_is_written_is_read_with_its_places_and_counters() -> None:
    records = [block(1, 50), Record(7.0, Note("all well", "me", 50), 0, 51), Record(7.5, Tick(50), -1, 1)]
    (chunk,), damage = read(encode_chunk(records, 11, {0: 51, -1: 1}))
    assert damage == []
    assert [(record.seq, record.body) for record in chunk.records] == [(11, records[0].body), (12, records[1].body), (13, records[2].body)]
    assert chunk.counters == {0: 51, -1: 1}
    head = chunk.head
    assert (head.first_seq, head.next_seq, head.first_time, head.last_time, head.last_step) == (11, 14, 0.125, 7.5, 50)


def test_the_last_step_of_a_chunk_is_the_newest_that_is_one() -> None:
    command = Record(1.0, CommandChanged("c", "pause", "requested"))
    (chunk,), _ = read(encode_chunk([block(1, 9), command], 1, {}))
    assert chunk.head.last_step == 9
    (chunk,), _ = read(encode_chunk([command, Record(1.0, Tick(2**63))], 1, {}))
    assert chunk.head.last_step == -1


# --- cut


def test_a_log_cut_at_any_byte_gives_every_whole_chunk_before_the_cut_and_nothing_else() -> None:
    """A decoder that has read whole chunks holds nothing but its place, so each cut is tried on the chunk it falls in; the cuts below
    read whole files."""
    chunks = log_of(256 << 10, 300)
    data = b"".join(chunks)
    assert len(data) >= 256 << 10
    decoder = Decoder()
    start = 0
    for number, chunk in enumerate(chunks):
        assert repr(decoder) == f"<Decoder at byte {start}, 0 waiting, next record {3 * number + 1 if number else '?'}>"
        for cut in range(1, len(chunk)):
            torn = Decoder(start)
            assert not [*torn.feed(chunk[:cut])]
            (damage,) = torn.finish()
            assert isinstance(damage, Damage)
            assert (damage.offset, damage.size, damage.lost) == (start, cut, 0)
        (whole,) = decoder.feed(chunk)
        assert isinstance(whole, Chunk)
        start += len(chunk)
    assert not [*decoder.finish()]


def test_a_file_cut_anywhere_reads_as_the_chunks_before_the_cut() -> None:
    chunks = log_of(256 << 10, 300)
    data = b"".join(chunks)
    ends = np.cumsum([len(chunk) for chunk in chunks])
    expected, _ = read(data)
    for cut in [*range(0, len(data), 4093), *ends.tolist()]:
        found, damage = read(data[:cut])
        whole = int((ends <= cut).sum())
        assert found == expected[:whole]
        torn = cut - (int(ends[whole - 1]) if whole else 0)
        assert [(piece.offset, piece.size) for piece in damage] == ([(cut - torn, torn)] if torn else [])


# --- changed


def test_a_flipped_bit_costs_at_most_its_chunk_and_says_how_much_was_lost() -> None:
    chunks = log_of(4 << 10, 40)
    data = b"".join(chunks)
    expected, _ = read(data)
    ends = np.cumsum([len(chunk) for chunk in chunks]).tolist()
    dice = random.Random(4)
    for _ in range(2000):
        bit = dice.randrange(8 * len(data))
        harmed = bytearray(data)
        harmed[bit // 8] ^= 1 << (bit % 8)
        found, damage = read(bytes(harmed))
        hit = next(place for place, end in enumerate(ends) if bit // 8 < end)
        assert found == expected[:hit] + expected[hit + 1 :]
        last = hit == len(chunks) - 1
        assert [(piece.offset, piece.size, piece.lost) for piece in damage] == [
            (ends[hit] - len(chunks[hit]), len(chunks[hit]), 0 if last else 3)
        ]


def test_junk_between_chunks_is_passed_over_and_reported() -> None:
    first, second, *_ = log_of(12 << 10, 40)
    for junk in (b"\0", b"junk" * 50, MARK, MARK * 3, MARK[:5], first[:HEAD_SIZE], first[: HEAD_SIZE - 1], second[:-1]):
        found, damage = read(junk + first + junk + second + junk)
        assert firsts(found) == [1, 4], junk
        assert sum(piece.size for piece in damage) == 3 * len(junk)
        assert [piece.lost for piece in damage] == [0, 0, 0]


def test_bytes_cut_out_or_put_in_cost_at_most_the_chunks_they_touch() -> None:
    chunks = log_of(12 << 10, 40)
    data = b"".join(chunks)
    expected, _ = read(data)
    ends = np.cumsum([len(chunk) for chunk in chunks]).tolist()
    starts = [0, *ends[:-1]]
    dice = random.Random(9)
    for _ in range(400):
        at, size = dice.randrange(len(data)), dice.randrange(1, 700)
        if dice.random() < 0.5:
            harmed, until = data[:at] + data[at + size :], at + size
        else:
            harmed, until = data[:at] + dice.randbytes(size) + data[at:], at
        found, _ = read(harmed)
        untouched = [chunk for chunk, start, end in zip(expected, starts, ends, strict=True) if end <= at or start >= until]
        assert [chunk.records for chunk in found] == [chunk.records for chunk in untouched]


def test_missing_chunks_are_counted_by_the_chunk_that_follows() -> None:
    chunks = log_of(12 << 10, 40)
    found, damage = read(b"".join(chunks[:2] + chunks[5:]))
    assert firsts(found)[:3] == [1, 4, 16]
    assert [(piece.size, piece.lost) for piece in damage] == [(0, 9)]


def test_a_part_of_a_log_begins_where_it_begins() -> None:
    chunks = log_of(12 << 10, 40)
    found, damage = read(b"".join(chunks[4:]))
    assert firsts(found)[0] == 13
    assert damage == []


def test_a_torn_chunk_followed_by_short_ones_costs_only_itself() -> None:
    long = encode_chunk([block(1, 2000)], 1, {0: 1})
    short = [encode_chunk([Record(9.0, Tick(9), -1, 2)], seq, {}) for seq in (2, 3)]
    assert len(long) > 4 * len(short[0])
    found, damage = read(long[: len(long) // 3] + b"".join(short))
    assert firsts(found) == [2, 3]
    assert [(piece.size, piece.lost) for piece in damage] == [(len(long) // 3, 1)]


def test_a_chunk_that_stands_twice_is_read_once() -> None:
    chunks = log_of(12 << 10, 40)
    found, damage = read(b"".join([*chunks[:3], chunks[1], *chunks[3:]]))
    assert firsts(found) == firsts(read(b"".join(chunks))[0])
    assert [(piece.size, piece.lost) for piece in damage] == [(len(chunks[1]), 0)]


HARM = st.lists(st.tuples(st.integers(0, 6 << 10), st.integers(1, 255)), max_size=3)


@FEW
@given(HARM, st.lists(st.integers(1, 3000), min_size=1, max_size=6))
def test_pieces_of_any_size_read_as_the_whole_does(harm: list[tuple[int, int]], sizes: list[int]) -> None:
    harmed = bytearray(b"".join(log_of(6 << 10, 20)))
    for place, change in harm:
        harmed[place] ^= change
    expected = list(read_log(io.BytesIO(bytes(harmed))))
    decoder = Decoder()
    pieces: list[Chunk | Damage] = []
    at = 0
    for size in itertools.cycle(sizes):
        pieces += decoder.feed(bytes(harmed[at : at + size]))
        at += size
        if at >= len(harmed):
            break
    assert [*pieces, *decoder.finish()] == expected


def test_a_follower_that_forgets_reads_the_same_again_from_its_offset() -> None:
    data = b"".join(log_of(12 << 10, 40))
    expected, _ = read(data)
    decoder = Decoder()
    found: list[Chunk | Damage] = []
    while decoder.offset < len(data):
        decoder.forget()
        found += decoder.feed(data[decoder.offset : decoder.offset + 2000])
    assert found == expected


def test_records_are_read_with_damage_passed_over() -> None:
    first, *others = log_of(12 << 10, 40)
    whole = [one for piece in read_log(io.BytesIO(first + b"".join(others))) if isinstance(piece, Chunk) for one in piece.records]
    assert list(read_records(io.BytesIO(first + b"junk" + b"".join(others)))) == whole
    assert repr(Decoder(8)) == "<Decoder at byte 8, 0 waiting, next record ?>"


# --- index and versions


def test_the_index_is_what_reading_finds_also_where_the_tail_is_torn() -> None:
    data = b"".join(log_of(12 << 10, 40))
    for cut in (len(data), len(data) - 1, len(data) // 2, HEAD_SIZE - 1, 0):
        found, _ = read(data[:cut])
        assert list(scan_index(io.BytesIO(data[:cut]))) == [chunk.head for chunk in found]


def test_a_newer_format_is_refused_in_one_sentence() -> None:
    newer = forged(b"anything", version=FORMAT + 1)
    for reader in (read_log, read_records, scan_index):
        with pytest.raises(NewerFormat) as caught:
            list(reader(io.BytesIO(newer)))
        assert str(caught.value) == f"this recording has format {FORMAT + 1}; this bedside reads up to {FORMAT}: upgrade bedside"


def test_an_empty_file_has_nothing_in_it() -> None:
    assert read(b"") == ([], [])


# --- hostile chunks whose checksums are right


def envelope(pairs: object, frames: object) -> bytes:
    return zlib.compress(pack_list([pairs, frames]))


TICK = encode_record(Record(0.0, Tick(1)))


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"not zlib",
        zlib.compress(b""),
        zlib.compress(b"\xc1"),
        zlib.compress(pack_list([1, 2, 3])),
        envelope([], 3),
        envelope([], "x"),
        envelope([], [3]),
        envelope([], ["tick"]),
        envelope([], [TICK, TICK]),
        envelope([], []),
        envelope([], [b""]),
        envelope([[0]], [TICK]),
        envelope([[0, "1"]], [TICK]),
        envelope([[float("inf"), 1]], [TICK]),
        envelope({"0": 1}, [TICK]),
        zlib.compress(pack_list([[], [TICK]]))[:-2],
    ],
    ids=lambda payload: repr(payload[:20]),
)
def test_a_sound_envelope_around_nonsense_is_damage(payload: bytes) -> None:
    good = encode_chunk([Record(1.0, Tick(2))], 2, {})
    found, damage = read(forged(payload) + good)
    assert firsts(found) == [2]
    assert [(piece.offset, piece.size, piece.lost) for piece in damage] == [(0, HEAD_SIZE + len(payload), 1)]


@pytest.mark.parametrize("filling", [b"\x90", b"\x80", b"\x00", b"\xc4\x00"], ids=repr)
def test_a_payload_that_swells_is_refused_in_bounded_time_and_memory(filling: bytes) -> None:
    bomb = forged(zlib.compress(b"\xdd\x0f\xff\xff\xff" + filling * (40 << 20), 9))
    assert len(bomb) < 1 << 20
    fitting = forged(zlib.compress(b"\xdd\x00\xff\xff\xff" + filling * ((16 << 20) // len(filling) - 5), 9))
    tracemalloc.start()
    began = time.process_time()
    found, damage = read(bomb + fitting)
    spent, (_, peak) = time.process_time() - began, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (found, len(damage)) == ([], 1)
    assert spent < 1.0
    assert peak < 64 << 20


def test_a_chunk_no_reader_would_take_is_not_written() -> None:
    with pytest.raises(CodecError, match="20,000 values"):
        encode_chunk([Record(0.0, Tick(1))] * 20_001, 1, {})
    noise = [Record(0.0, Event("x", 1, {"t": random.Random(i).randbytes(400_000).hex()})) for i in range(25)]
    with pytest.raises(CodecError, match="too much for one chunk"):
        encode_chunk(noise, 1, {})


def test_equal_records_without_end_are_read_up_to_what_so_few_bytes_may_hold() -> None:
    """They compress a thousandfold: what a log costs is in proportion to its size."""
    many = 19_000
    ticks = [Record(0.0, Tick(1))] * many
    log = b"".join(seal_chunk([TICK] * many, ticks, 1 + many * place, {}) for place in range(11))
    found, damage = read(log)
    assert 0 < len(found) < 10
    assert [(piece.offset, piece.size) for piece in damage] == [(found[-1].head.end, len(log) - found[-1].head.end)]
    assert "than so few bytes of a log may hold" in damage[0].why


# --- merging


Points = Mapping[tuple[int, str], list[tuple[int, float, float]]]


def points(records: Iterable[Record]) -> Points:
    """Every point of every metric in the order of the log."""
    found: dict[tuple[int, str], list[tuple[int, float, float]]] = {}
    for record in records:
        if isinstance(record.body, Metrics):
            for name, row in zip(record.body.names, record.body.values, strict=True):
                found.setdefault((record.rank, name), []).extend(
                    zip(record.body.steps.tolist(), record.body.times.tolist(), row.tolist(), strict=True)
                )
    return found


NAMES = st.sampled_from([("a",), ("b",), ("a", "b"), ("b", "a")])
BLOCKS = st.builds(block, st.integers(0, 50), st.integers(0, 5), NAMES, st.integers(0, 1), st.integers(0, 9))
RECORDS = st.lists(st.one_of(BLOCKS, st.builds(lambda step: Record(step / 8, Tick(step), -1), st.integers(0, 50))), max_size=12)


@FEW
@given(RECORDS)
def test_merging_keeps_every_point_and_every_order(records: list[Record]) -> None:
    merged = merge_metrics(records)
    assert points(merged) == points(records)
    assert [record for record in merged if isinstance(record.body, Tick)] == [record for record in records if isinstance(record.body, Tick)]
    assert {record.rank: record.counter for record in merged} == {record.rank: record.counter for record in records}
    assert sum(isinstance(record.body, Metrics) for record in merged) <= sum(isinstance(record.body, Metrics) for record in records)


def test_merging_joins_neighbours_but_never_makes_more_than_a_chunk_should_hold() -> None:
    records = [block(1 + 100 * place, 100, ("a", "b", "c")) for place in range(200)]
    merged = merge_metrics(records)
    assert points(merged) == points(records)
    assert len(merged) < 20
    assert all(len(encode_record(record)) <= TARGET_CHUNK for record in merged)
