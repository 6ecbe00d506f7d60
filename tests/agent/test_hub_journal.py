"""The order of the log: every record once, findings behind their causes, and the same again after a restart."""

from __future__ import annotations

import io

import numpy as np

from bedside.hub.journal import Journal
from bedside_protocol.alerts.engine import Engine
from bedside_protocol.codec import encode_record
from bedside_protocol.records import HUB_RANK, AlertChanged, Event, Metrics, Note, Problem, Record, RunStarted, Tick, Unknown
from bedside_protocol.runlog import TARGET_CHUNK, Chunk, read_log

READ = 1 << 20
"""Bytes a viewer gets at most in one answer: a chunk larger than that would never reach it."""


def row(counter: int, value: float = 1.0, rank: int = 0, names: tuple[str, ...] = ("loss",), rows: int = 1) -> Record:
    steps = np.arange(counter, counter + rows)
    return Record(counter / 10, Metrics(names, steps, steps / 10, np.full((len(names), rows), value)), rank, counter)


def event(counter: int, size: int = 10, rank: int = 0) -> Record:
    return Record(counter / 10, Event("e", counter, {"text": np.random.default_rng(counter).bytes(size // 2).hex()}), rank, counter)


def journal() -> Journal:
    return Journal(Engine())


def take(into: Journal, *records: Record) -> list[bool]:
    return [into.take(record, 100) for record in records]


def log(*flushes: list[tuple[bytes, int, dict[int, int], list[Record]]]) -> bytes:
    return b"".join(chunk for flush in flushes for chunk, *_ in flush)


def chunks_of(data: bytes) -> list[Chunk]:
    pieces = list(read_log(io.BytesIO(data)))
    assert all(isinstance(piece, Chunk) for piece in pieces)
    return [piece for piece in pieces if isinstance(piece, Chunk)]


def reborn(data: bytes) -> Journal:
    again = journal()
    for piece in chunks_of(data):
        again.replay(piece.records, dict(piece.counters))
    return again


def spoken(data: bytes, rank: int = 0) -> list[int]:
    return [record.counter for chunk in chunks_of(data) for record in chunk.records if record.rank == rank]


def test_each_record_gets_its_place_and_is_written_as_it_is_told() -> None:
    book = journal()
    take(book, Record(0.0, RunStarted("id", "n", "p", 0.0), 0, 1), event(2))
    book.say(0.5, Tick(0))
    ((data, count, counters, records),) = book.chunks()
    (chunk,) = chunks_of(data)
    assert repr(chunk.records) == repr(tuple(records))
    assert [record.seq for record in records] == list(range(1, count + 1))
    assert chunk.counters == counters == {0: 2, HUB_RANK: sum(record.rank == HUB_RANK for record in records)}
    assert book.chunks() == []


def test_a_log_begins_when_the_training_speaks_not_the_hub() -> None:
    book = journal()
    book.say(0.5, Tick(0))
    book.chunks()
    before = book.has_begun
    take(book, event(1))
    assert (before, book.has_begun) == (False, True)


def test_what_is_sent_twice_is_taken_once() -> None:
    book = journal()
    assert take(book, event(1), event(2), event(1), event(2), event(3)) == [True, True, False, False, True]
    first = book.chunks()
    assert take(book, event(2), event(3), event(4)) == [False, False, True]
    assert spoken(log(first, book.chunks())) == [1, 2, 3, 4]


def test_speakers_have_counters_of_their_own() -> None:
    book = journal()
    assert take(book, event(1, rank=0), event(1, rank=1), event(2, rank=1), event(2, rank=0)) == [True] * 4
    ((data, _, counters, _),) = book.chunks()
    assert (counters[0], counters[1]) == (2, 2)
    assert spoken(data, 1) == [1, 2]


def test_nothing_is_stepped_over() -> None:
    book = journal()
    assert take(book, event(1), event(3), event(4)) == [True, False, False]
    assert (book.lacks(0, 3), book.lacks(0, 2), book.lacks(0, 1)) == (True, False, False)
    assert take(book, event(2), event(3)) == [True, True]
    assert spoken(log(book.chunks())) == [1, 2, 3]


def test_what_will_never_come_is_counted_and_no_longer_waited_for() -> None:
    book = journal()
    take(book, event(1))
    assert book.skip_to(0, 5) == 4
    assert book.skip_to(0, 3) == 0
    assert take(book, event(5), event(6)) == [False, True]


def test_a_record_of_an_unknown_kind_is_passed_over() -> None:
    book = journal()
    assert take(book, event(1), Record(0.2, Unknown("later"), 0, 2), event(3)) == [True, False, True]
    assert spoken(log(book.chunks())) == [1, 3]


def test_rows_that_arrived_apart_are_written_as_one_block() -> None:
    book = journal()
    take(book, *(row(counter) for counter in range(1, 51)))
    ((_, _, counters, records),) = book.chunks()
    blocks = [(record.counter, record.body.steps.tolist()) for record in records if isinstance(record.body, Metrics)]
    assert blocks == [(50, list(range(1, 51)))]
    assert counters[0] == 50


def test_a_finding_follows_its_cause_in_the_same_chunk_and_the_same_log_finds_the_same() -> None:
    book = journal()
    flushes = []
    for counter in range(1, 400):
        take(book, row(counter, float("nan") if counter % 97 == 0 else 1.0), event(0))
        book.say(counter / 10, Tick(counter))
        if counter % 10 == 0:
            flushes.append(book.chunks())
    flushes.append(book.chunks())
    records = [record for chunk in chunks_of(log(*flushes)) for record in chunk.records]
    findings = [record.body for record in records if isinstance(record.body, AlertChanged)]
    assert any(finding.state == "firing" and finding.rule == "nonfinite" for finding in findings)
    engine = Engine()
    expected: list[Record] = []
    for record in records:
        if not isinstance(record.body, AlertChanged):
            expected += [record, *(Record(record.time, finding, HUB_RANK) for finding in engine.observe(record))]
    assert [repr(record.body) for record in records] == [repr(record.body) for record in expected]
    for chunk in chunks_of(log(*flushes)):
        assert not isinstance(chunk.records[0].body, AlertChanged)


def test_the_hubs_own_words_are_counted_in_the_order_of_the_log() -> None:
    book = journal()
    for counter in range(1, 30):
        take(book, row(counter, float("nan")))
        book.say(counter / 10, Tick(counter))
    data = log(book.chunks())
    own = spoken(data, HUB_RANK)
    assert own == list(range(1, len(own) + 1))


def test_a_flood_becomes_chunks_of_bounded_size_that_a_viewer_can_fetch() -> None:
    book = journal()
    take(book, *(event(counter, 40_000) for counter in range(1, 60)))
    take(book, event(60, 800_000), event(61, 40_000))
    take(book, *(row(counter, names=tuple(f"m{place}" for place in range(100)), rows=250) for counter in range(62, 90)))
    take(book, *(row(counter, counter / 7, names=("a",), rows=250) for counter in range(90, 2000)))
    assert book.is_full or len(chunks_of(log(book.chunks()))) > 1
    data = log(book.chunks())
    for chunk in chunks_of(data):
        assert chunk.head.end - chunk.head.offset < READ
        sizes = [len(encode_record(record)) for record in chunk.records]
        findings = sum(isinstance(record.body, AlertChanged) for record in chunk.records)
        assert sum(sizes) <= TARGET_CHUNK or len(sizes) == 1 + findings


def test_a_hub_that_died_between_two_chunks_of_one_flush_is_sent_exactly_the_rest() -> None:
    sent = [event(counter, 20_000) for counter in range(1, 30)]
    book = journal()
    take(book, *sent)
    flush = book.chunks()
    assert len(flush) > 3
    for written in range(len(flush) + 1):
        data = log(flush[:written])
        again = reborn(data)
        take(again, *sent)
        whole = data + log(again.chunks())
        assert spoken(whole) == list(range(1, 30))
        assert [record.seq for chunk in chunks_of(whole) for record in chunk.records] == list(range(1, 30))


def test_after_a_restart_places_counters_and_alarms_go_on() -> None:
    book = journal()
    take(book, *(row(counter) for counter in range(1, 6)), row(6, float("nan")))
    book.say(0.6, Tick(6))
    data = log(book.chunks())
    again = reborn(data)
    assert again.counters == book.counters
    assert [change.rule for change in again.engine.firing] == [change.rule for change in book.engine.firing] == ["nonfinite"]
    take(again, row(6, float("nan")), row(7, float("nan")))
    again.say(0.7, Tick(7))
    whole = data + log(again.chunks())
    records = [record for chunk in chunks_of(whole) for record in chunk.records]
    assert [record.seq for record in records] == list(range(1, len(records) + 1))
    own = spoken(whole, HUB_RANK)
    assert own == list(range(1, len(own) + 1))
    fired = [record for record in records if isinstance(record.body, AlertChanged) and record.body.state == "firing"]
    assert len(fired) == 1


def test_a_word_of_the_hubs_too_long_to_be_read_is_said_to_be_missing() -> None:
    book = journal()
    book.say(1.0, Note("x" * (1 << 20), "me", 5))
    book.say(1.1, Tick(5))
    ((data, *_),) = book.chunks()
    records = [record for chunk in chunks_of(data) for record in chunk.records]
    problem, tick = (record.body for record in records if not isinstance(record.body, AlertChanged))
    assert isinstance(problem, Problem)
    assert problem.text.startswith("a Note could not be recorded: ")
    assert tick == Tick(5)


def test_beyond_the_size_cap_values_are_left_out_and_counted_but_still_judged_and_acknowledged() -> None:
    book = journal()
    take(book, Record(0.0, RunStarted("id", "n", "p", 0.0), 0, 1), row(2, rows=3))
    before = book.chunks()
    book.words_only = True
    assert take(book, row(3, rows=5), event(4), row(5, value=float("nan"))) == [True, True, True]
    after = book.chunks()
    data = log(before, after)
    bodies = [record.body for chunk in chunks_of(data) for record in chunk.records]
    assert sum(body.steps.size for body in bodies if isinstance(body, Metrics)) == 3
    assert book.omitted == 6
    assert any(isinstance(body, AlertChanged) and (body.rule, body.state) == ("nonfinite", "firing") for body in bodies)
    assert after[-1][2][0] == 5


def test_a_greeting_is_no_beginning() -> None:
    book = journal()
    book.skip_to(0, 0)
    assert not book.has_begun
    take(book, Record(0.0, RunStarted("id", "n", "p", 0.0), 0, 1))
    assert book.has_begun
