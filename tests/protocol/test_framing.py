"""Frames in a stream of bytes: whatever comes before the greeting, and wherever the stream is cut into pieces."""

from __future__ import annotations

import pytest

from bedside_protocol.codec import MAX_FRAME, CodecError
from bedside_protocol.framing import MAX_NOISE, Frames, NewerProxy, framed, greeting

FRAMES = [b"first", b"", b"\x00\x00bedside proxy 1\n", b"x" * 300]
STREAM = greeting() + b"".join(map(framed, FRAMES))


@pytest.mark.parametrize("noise", [b"", b"Welcome!\n", b"\x00\x00bedside pro", b"\x00" * 50, b"bedside proxy 1\n"])
@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_the_frames_are_those_that_were_sent_whatever_a_shell_printed_before(noise: bytes, size: int) -> None:
    stream = noise + STREAM
    frames = Frames(greeted=True)
    assert [frame for at in range(0, len(stream), size) for frame in frames.feed(stream[at : at + size])] == FRAMES
    assert (frames.skipped, frames.noise) == (len(noise), noise)


def test_without_a_greeting_to_wait_for_the_first_byte_is_a_frames() -> None:
    assert list(Frames(greeted=False).feed(framed(b"one") + framed(b"two")[:-1])) == [b"one"]


def test_of_much_noise_the_beginning_is_kept_and_then_patience_ends() -> None:
    frames = Frames(greeted=True)
    assert list(frames.feed(b"quota " * 1000)) == []
    assert frames.noise == (b"quota " * 1000)[:200]
    with pytest.raises(CodecError, match="no greeting of bedside among them"):
        list(frames.feed(b"x" * MAX_NOISE))


@pytest.mark.parametrize(
    ("greets", "error", "said"),
    [
        (greeting(2), NewerProxy, "speaks version 2, this one reads up to 1: upgrade bedside here"),
        (greeting(1)[:-1] + b"x\n", CodecError, "the greeting of bedside is damaged"),
        (greeting(1)[:-2] + b"\n", CodecError, "the greeting of bedside is damaged"),
        (greeting(1)[:-1] + b"00000000", CodecError, "the greeting of bedside is damaged"),
    ],
)
def test_a_greeting_that_is_none_of_ours_is_refused_in_one_line(greets: bytes, error: type[CodecError], said: str) -> None:
    with pytest.raises(error) as raised:
        list(Frames(greeted=True).feed(greets))
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_length_no_frame_has_is_told_before_anything_is_waited_for() -> None:
    with pytest.raises(CodecError, match="something else writes into the link"):
        list(Frames(greeted=False).feed((MAX_FRAME + 1).to_bytes(4, "big")))
    assert list(Frames(greeted=False).feed(MAX_FRAME.to_bytes(4, "big"))) == []


def test_frames_say_what_they_wait_for() -> None:
    frames = Frames(greeted=True)
    assert list(frames.feed(b"quota")) == []
    assert repr(frames).startswith("<Frames before the greeting, ")
    assert list(frames.feed(greeting() + b"\0")) == []
    assert repr(frames) == "<Frames 1 bytes waiting>"
