"""What a later bedside writes: of a later minor all that is known is read and the rest is counted, a later major is one sentence."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import msgpack
import pytest
from golden import versions
from later import LATER, later_major, later_minor, later_words

from bedside_protocol import messages
from bedside_protocol.codec import CodecError, OtherVersion, decode_logged, decode_message, decode_record
from bedside_protocol.messages import VERSION, Hello, Read, Refusal
from bedside_protocol.records import CommandChanged, LifecycleChanged, Record, Unknown
from bedside_protocol.runlog import FORMAT, Chunk, NewerFormat, read_log, read_records, scan_index
from bedside_tui.record_json import json_line
from bedside_tui.store.store import Store

LOGS = [version / name for version in versions() for name in ("every.bedside", "training.bedside")]
each_log = pytest.mark.parametrize("log", LOGS, ids=lambda path: f"{path.parent.name}-{path.stem}")


def read(data: bytes) -> list[Record]:
    """The records of a log in which nothing is damaged."""
    pieces = list(read_log(io.BytesIO(data)))
    assert all(isinstance(piece, Chunk) for piece in pieces)
    return [record for piece in pieces if isinstance(piece, Chunk) for record in piece.records]


def known(records: list[Record]) -> list[str]:
    """What is understood of the records; their places differ where others stand between them."""
    return [json_line(Record(one.time, one.body, one.rank, one.counter)) for one in records if not isinstance(one.body, Unknown)]


@each_log
def test_of_a_later_minor_everything_known_is_read_and_the_rest_is_counted(log: Path) -> None:
    chunks = len(list(read_log(io.BytesIO(log.read_bytes()))))
    before, after = read(log.read_bytes()), read(later_minor(log.read_bytes()))
    assert known(after) == known(before)
    assert [record.body for record in after if isinstance(record.body, Unknown)] == [Unknown("dream")] * chunks
    store = Store()
    store.feed(after)
    said = {text: count for text, count in store.at().problems.items() if "newer" in text}
    assert said == {"a record of a newer bedside is not shown here: dream": chunks}
    assert [mark.text for mark in store.marks if "dream" in mark.text] == [
        "recording: a record of a newer bedside is not shown here: dream"
    ]


@pytest.mark.parametrize(("kind", "body"), [("command", CommandChanged), ("lifecycle", LifecycleChanged)])
def test_a_word_that_is_no_choice_today_costs_its_record_and_none_beside_it(kind: str, body: type) -> None:
    for log in LOGS:
        before, after = read(log.read_bytes()), read(later_words(log.read_bytes(), kind))
        assert known(after) == known([record for record in before if not isinstance(record.body, body)])
        assert [record.body for record in after if isinstance(record.body, Unknown)] == [Unknown(kind)] * (len(before) - len(known(after)))
        assert any(isinstance(record.body, Unknown) for record in after) == any(isinstance(record.body, body) for record in before)


@each_log
def test_of_a_later_major_nothing_is_read_and_one_sentence_says_so(log: Path) -> None:
    data = later_major(log.read_bytes())
    for reader in (read_log, read_records, scan_index):
        with pytest.raises(NewerFormat) as caught:
            list(reader(io.BytesIO(data)))
        assert str(caught.value) == f"this recording has format {FORMAT + 1}; this bedside reads up to {FORMAT}: upgrade bedside"


@each_log
def test_a_log_that_a_later_major_went_on_with_is_read_up_to_there(log: Path) -> None:
    before = log.read_bytes()
    pieces = read_log(io.BytesIO(before + later_major(before)))
    found = [next(pieces) for _ in read_log(io.BytesIO(before))]
    assert [piece.head for piece in found if isinstance(piece, Chunk)] == list(scan_index(io.BytesIO(before)))
    with pytest.raises(NewerFormat):
        next(pieces)


def test_a_record_whose_body_cannot_be_read_is_known_by_its_head_in_a_log_and_refused_from_a_speaker() -> None:
    for frame in (msgpack.packb(LATER), msgpack.packb(["tick", 0.0, 0, 0, {"step": "dreaming"}])):
        assert isinstance(decode_logged(frame, 7).body, Unknown)
        assert decode_logged(frame, 7).seq == 7
    with pytest.raises(CodecError, match="not a record"):
        decode_record(msgpack.packb(["tick", 0.0, 0, 0, {"step": "dreaming"}]))
    for nonsense in (b"", b"\xc1", msgpack.packb(["tick", 0.0, 0]), msgpack.packb(["tick", "0", 0, 0, {"step": 1}])):
        with pytest.raises(CodecError):
            decode_logged(nonsense, 7)


# --- greetings


def greeting(kind: str, **fields: Any) -> bytes:
    return bytes(msgpack.packb([kind, fields]))


@pytest.mark.parametrize("kind", ["hello", "read"])
@pytest.mark.parametrize("fields", [{}, {"of": "another form"}], ids=["bare", "of another form"])
def test_a_greeting_of_another_version_is_known_as_such_whatever_else_it_says(kind: str, fields: dict[str, Any]) -> None:
    for version in (VERSION - 1, VERSION + 1, 99):
        with pytest.raises(OtherVersion) as caught:
            decode_message(greeting(kind, version=version, **fields))
        assert str(caught.value) == (
            f"this is version {version} of the conversation, the other end speaks {VERSION}: use the bedside of the run"
        )


def test_who_names_no_version_speaks_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    assert decode_message(greeting("read", offset=1, limit=2)) == Read(1, 2, 1)
    monkeypatch.setattr(messages, "VERSION", 2)
    with pytest.raises(OtherVersion, match="this is version 1 of the conversation, the other end speaks 2"):
        decode_message(greeting("read", offset=1, limit=2))


@pytest.mark.parametrize("version", ["2", 2.0, None, [2], True])
def test_what_is_no_version_is_a_malformed_greeting(version: Any) -> None:
    with pytest.raises(CodecError) as caught:
        decode_message(greeting("read", offset=1, limit=2, version=version))
    assert not isinstance(caught.value, OtherVersion)


def test_a_refusal_is_the_same_in_every_version_and_a_message_of_an_unknown_kind_is_refused_by_name() -> None:
    assert decode_message(greeting("refusal", why="no", version=99, later=1)) == Refusal("no")
    assert decode_message(greeting("hello", run="r", rank=0, version=VERSION, pid=2, pid_start=3, later=1)) == Hello("r", 0, VERSION, 2, 3)
    with pytest.raises(CodecError, match="not a message of this version: 'dream'"):
        decode_message(greeting("dream", version=99))
