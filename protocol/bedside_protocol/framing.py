"""Messages over a stream of bytes, such as the ends of an `ssh`: a greeting, then frames with their length in front.

A shell at the other end may print before the program it starts: what comes before the greeting is passed over, counted and its beginning
kept. Nothing here reads or writes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from .codec import MAX_FRAME, CodecError

VERSION: Final = 1
"""Of what proxy and viewer say to each other. A viewer reads those up to its own."""
MAX_NOISE: Final = 1 << 20
"""Bytes before the greeting after which none is expected any more."""
_MARK: Final = b"\x00\x00bedside proxy "  # no text has zero bytes
_LENGTH: Final = 4
_LONGEST_VERSION: Final = 8
_TOLD: Final = 200


class NewerProxy(CodecError):
    """The other end speaks a later version; the text says what to do."""


def greeting(version: int = VERSION) -> bytes:
    """What a proxy says first."""
    return _MARK + b"%d\n" % version


def framed(frame: bytes) -> bytes:
    """A frame as it stands in the stream."""
    return len(frame).to_bytes(_LENGTH, "big") + frame


class Frames:
    """Cuts a stream into frames. `greeted`: whether the stream has a greeting in front, which then must come first."""

    def __init__(self, *, greeted: bool) -> None:
        self._buffer = bytearray()
        self._waits = greeted
        self.skipped = 0
        """Bytes before the greeting."""
        self.noise = b""
        """How they began."""

    def __repr__(self) -> str:
        return f"<Frames {'before the greeting, ' if self._waits else ''}{len(self._buffer)} bytes waiting>"

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The frames that these bytes complete. Raises `CodecError` where they are none, and `NewerProxy`."""
        self._buffer += data
        if self._waits and not self._greet():
            return
        while len(self._buffer) >= _LENGTH:
            length = int.from_bytes(self._buffer[:_LENGTH], "big")
            if length > MAX_FRAME:
                raise CodecError(f"a frame of {length:,} bytes is over the limit of {MAX_FRAME:,}: something else writes into the link")
            if len(self._buffer) < _LENGTH + length:
                return
            frame = bytes(self._buffer[_LENGTH : _LENGTH + length])
            del self._buffer[: _LENGTH + length]
            yield frame

    def _greet(self) -> bool:
        at = self._buffer.find(_MARK)
        self._skip(max(0, len(self._buffer) - len(_MARK) + 1) if at < 0 else at)
        if self.skipped > MAX_NOISE:
            raise CodecError(f"{self.skipped:,} bytes came and no greeting of bedside among them")
        head, line_end, _ = self._buffer[len(_MARK) : len(_MARK) + _LONGEST_VERSION].partition(b"\n")
        if at < 0 or (not line_end and len(head) < _LONGEST_VERSION):
            return False
        if not line_end or not head.isdigit():
            raise CodecError("the greeting of bedside is damaged")
        if (version := int(head)) > VERSION:
            raise NewerProxy(f"the bedside there speaks version {version}, this one reads up to {VERSION}: upgrade bedside here")
        del self._buffer[: len(_MARK) + len(head) + 1]
        self._waits = False
        return True

    def _skip(self, count: int) -> None:
        self.noise += bytes(self._buffer[: min(count, _TOLD - len(self.noise))])
        self.skipped += count
        del self._buffer[:count]
