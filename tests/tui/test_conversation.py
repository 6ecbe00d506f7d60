"""A viewer's side of the talk about a run, without anything that carries it."""

from __future__ import annotations

from bedside_protocol.messages import Answer, Bytes
from bedside_protocol.records import CommandChanged, Note, Record
from bedside_protocol.runlog import encode_chunk
from bedside_tui.sources.conversation import Conversation, LiveControl
from bedside_tui.sources.live import status_of

CHUNKS = [
    encode_chunk([Record(float(place), Note(f"note {place}", "me", place), 0, place + 1)], place + 1, {0: place + 1}) for place in range(3)
]
LOG = b"".join(CHUNKS)


def test_bytes_are_read_on_from_the_last_one_that_came_and_again_from_the_last_whole_chunk_after_a_break() -> None:
    talk = Conversation(None)
    half = len(CHUNKS[0]) + 5
    assert [record.seq for record in talk.take(0, LOG[:half])] == [1]
    assert talk.next_read().offset == half
    assert talk.take(0, LOG) == []  # not what was asked for
    assert talk.next_read().offset == len(CHUNKS[0])
    assert [record.seq for record in talk.take(len(CHUNKS[0]), LOG[len(CHUNKS[0]) :])] == [2, 3]
    assert talk.reached == len(LOG)


def test_a_way_that_is_lost_in_the_middle_of_the_history_does_not_make_it_whole() -> None:
    talk = Conversation(None)
    talk.take(0, CHUNKS[0])
    before = status_of(Bytes(0, CHUNKS[0], len(LOG), 0.0), talk)
    lost = talk.away("unreachable", "no word from elsewhere")
    assert (lost.state, lost.detail, lost.complete) == ("unreachable", "no word from elsewhere", False)
    assert (lost.heard, lost.progress) == (before.heard, len(CHUNKS[0]) / len(LOG))


def test_a_command_is_given_once_and_its_refusal_is_told_once() -> None:
    control = LiveControl()
    talk = Conversation(control)
    pause, stop = control.send("pause", {}), control.send("stop", {})
    for wanted in talk.wanted():
        talk.sent(wanted)
    assert (list(talk.wanted()), talk.refused("too late")) == ([], [])
    assert talk.answered(Answer(stop, True)) == []
    (told,) = talk.answered(Answer(pause, False, "no"))
    assert isinstance(told.body, CommandChanged)
    assert (told.body.id, told.body.state, told.body.detail) == (pause, "refused", "no")
    assert talk.answered(Answer(pause, False, "no")) == []
