"""Records that the hub has not written yet: numbered, encoded, kept in order and sent again.

Bounded in bytes by whoever fills it; knows no socket and no clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from bedside_protocol.codec import CodecError, encode_message, encode_record
from bedside_protocol.messages import Batch
from bedside_protocol.records import Metrics, Record

_BATCH_BYTES: Final = 256 << 10


class Unacked:
    """What one rank has said and not seen acknowledged."""

    def __init__(self, rank: int, problem: Callable[[str], None]) -> None:
        self.rank = rank
        self.counter = 0
        """Of the newest record."""
        self.acked = 0
        """Of the newest that is written."""
        self.sent = 0
        """Of the newest that went out; set back to `acked`, all go out again."""
        self.bytes = 0
        self.origin = 0.0
        """What is taken from a record's time: a rank that came before it knew when its run began speaks in its clock's own seconds."""
        self._problem = problem
        self._frames: deque[tuple[int, bytes]] = deque()

    def __repr__(self) -> str:
        return f"<Unacked {len(self._frames)} of {self.counter}, {self.bytes} bytes>"

    def __len__(self) -> int:
        return len(self._frames)

    @property
    def frames(self) -> list[bytes]:
        """All that is not acknowledged, in order."""
        return [frame for _, frame in self._frames]

    def keep(self, record: Record) -> None:
        """Number a record and keep it; one that cannot be encoded is a problem, and has no number."""
        try:
            frame = encode_record(self._placed(record))
        except CodecError as error:
            self._problem(f"a {type(record.body).__name__.lower()} could not be recorded: {error}")
            return
        self.counter += 1
        self._frames.append((self.counter, frame))
        self.bytes += len(frame)

    def _placed(self, record: Record) -> Record:
        body, time = record.body, record.time
        if self.origin:
            time = round(time - self.origin, 6)
            if isinstance(body, Metrics):
                body = replace(body, times=(body.times - self.origin).round(6))
        return Record(time, body, self.rank, self.counter + 1)

    def acknowledged(self, counter: int) -> bool:
        """All up to `counter` is written; whether that was news."""
        if counter <= self.acked:
            return False
        self.acked = min(counter, self.counter)
        self.sent = max(self.sent, self.acked)
        while self._frames and self._frames[0][0] <= self.acked:
            self.bytes -= len(self._frames.popleft()[1])
        return True

    def next_batch(self) -> tuple[int, bytes] | None:
        """How many records are to go out next, and the message with them; None where all have."""
        if self.sent >= self.counter:
            return None
        place = self.sent + 1 - self._frames[0][0]
        frames: list[bytes] = []
        size = 0
        while place < len(self._frames) and size < _BATCH_BYTES:
            frames.append(self._frames[place][1])
            size += len(frames[-1])
            place += 1
        return len(frames), encode_message(Batch(self.rank, tuple(frames)))
