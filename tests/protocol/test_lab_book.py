"""The lab book: what may be written into it, what becomes of it in the log, and what an older reader makes of that."""

from __future__ import annotations

import io

import msgpack
import pytest

from bedside_protocol import codec
from bedside_protocol.codec import decode_record
from bedside_protocol.lab_book import (
    MAX_TAG,
    MAX_VERDICT,
    MOST_NOTES,
    BadEntry,
    Book,
    entry_of,
    note_arguments,
    said_of,
    tag_arguments,
    tags_between,
    verdict_arguments,
)
from bedside_protocol.records import Body, Note, Record, Scalar, TagsChanged, Tick, Unknown, VerdictGiven
from bedside_protocol.runlog import encode_chunk, read_records


def book_of(*bodies: Body) -> Book:
    book = Book()
    for time, body in enumerate(bodies):
        book = book.having(Record(float(time), body))
    return book


def test_what_is_asked_for_becomes_one_record() -> None:
    assert entry_of(note_arguments(" the lr? ", 40, 1.5), "ann", 99) == Note("the lr?", "ann", 40, 1.5)
    assert entry_of(note_arguments("here"), "ann", 99, 5.0) == Note("here", "ann", 99, None, 5.0)
    assert entry_of(verdict_arguments(" good \n enough "), "ann", 99) == VerdictGiven("good enough", "ann")
    assert entry_of(tag_arguments(["vq", "vq", "lr=3e-4"], ["old"]), "ann", 99, 5.0) == TagsChanged(("vq", "lr=3e-4"), ("old",), "ann", 5.0)


@pytest.mark.parametrize("arguments", [verdict_arguments("good"), verdict_arguments(""), tag_arguments(["a"], ["b"])], ids=repr)
def test_whoever_knows_notes_alone_has_the_words_for_one(arguments: dict[str, Scalar]) -> None:
    assert arguments["text"]


@pytest.mark.parametrize("tag", ["", "two words", "a,b", "+a", "-a", "x" * (MAX_TAG + 1), "a\x1bb", "a\u00a0b"])
def test_what_is_no_tag_is_refused_where_it_is_asked_for_and_where_it_is_written(tag: str) -> None:
    with pytest.raises(BadEntry):
        tag_arguments([tag])
    with pytest.raises(BadEntry):
        tag_arguments(["fine"], [tag])


@pytest.mark.parametrize(
    "arguments",
    [
        {"text": " "}, {}, {"text": None}, {"verdict": "v" * (MAX_VERDICT + 1)}, {"added": ""}, {"added": "a,b"},
        {"removed": "-x"}, {"added": " ".join(f"t{number}" for number in range(65))},
    ],
)  # fmt: skip
def test_a_stranger_s_arguments_are_written_as_they_may_be_or_refused_in_words(arguments: dict[str, Scalar]) -> None:
    with pytest.raises(BadEntry) as refused:
        entry_of(arguments, "ann", 1)
    assert str(refused.value)


@pytest.mark.parametrize("at", ["soon", None, float("nan"), float("inf"), True])
def test_a_note_at_no_moment_stands_where_it_is_written(at: Scalar) -> None:
    assert entry_of({"text": "x", "at": at, "step": "9"}, "ann", 7) == Note("x", "ann", 7, None)


def test_the_newest_word_counts_and_an_empty_one_takes_it_back() -> None:
    book = book_of(
        VerdictGiven("good", "ann"), TagsChanged(("a", "b"), (), "ann"), VerdictGiven("broken", "bo"), TagsChanged(("c",), ("a",), "bo")
    )
    assert (book.verdict, book.verdict_by, book.tags) == ("broken", "bo", ("b", "c"))
    book = book.having(Record(9.0, VerdictGiven("", "ann"))).having(Record(9.0, TagsChanged(("a", "b"), ("c",), "ann")))
    assert (book.verdict, book.verdict_by, book.tags) == ("", "", ("b", "a"))


def test_notes_are_told_with_their_moment_and_the_oldest_of_many_are_only_counted() -> None:
    book = book_of(Note("now", "ann", 3), Tick(4), Note("pinned", "ann", 1, 0.5, 1e9))
    assert [(note.text, note.step, note.time, note.wall) for note in book.notes] == [("now", 3, 0.0, 0.0), ("pinned", 1, 0.5, 1e9)]
    many = book_of(*(Note(str(number), "ann", number) for number in range(MOST_NOTES + 5)))
    assert (many.written, len(many.notes), many.notes[0].text) == (MOST_NOTES + 5, MOST_NOTES, "5")


def test_a_line_of_tags_says_which_come_and_which_go() -> None:
    assert tags_between(("a", "b"), " b, c d ") == tag_arguments(["c", "d"], ["a"])
    assert tags_between(("a",), "a") is None
    assert tags_between(("a",), "") == tag_arguments([], ["a"])


def test_what_was_written_is_said_in_words() -> None:
    entries = (VerdictGiven("good", ""), VerdictGiven("", ""), TagsChanged(("a", "b"), ("c",), ""), Note("x", "", 1))
    assert [said_of(entry) for entry in entries] == ["verdict good", "no verdict", "tags +a +b -c", ""]


def test_a_reader_that_knows_neither_verdicts_nor_tags_reads_everything_else(monkeypatch: pytest.MonkeyPatch) -> None:
    bodies: list[Body] = [Tick(1), VerdictGiven("good", "ann"), TagsChanged(("a",), (), "ann"), Tick(2)]
    chunk = encode_chunk([Record(1.0, body) for body in bodies], 1, {})
    monkeypatch.setattr(codec, "BODIES", {kind: body for kind, body in codec.BODIES.items() if kind not in ("verdict", "tags")})
    assert [record.body for record in read_records(io.BytesIO(chunk))] == [Tick(1), Unknown("verdict"), Unknown("tags"), Tick(2)]


def test_a_note_of_before_there_were_pins_stands_at_its_record() -> None:
    old = decode_record(msgpack.packb(["note", 4.0, -1, 3, {"text": "x", "author": "ann", "step": 7}]))
    assert old.body == Note("x", "ann", 7)
    assert Book().having(old).notes[0].time == 4.0


def test_tags_that_are_none_change_nothing_and_that_is_refused() -> None:
    with pytest.raises(BadEntry, match="no tag was named"):
        tag_arguments([], [])
