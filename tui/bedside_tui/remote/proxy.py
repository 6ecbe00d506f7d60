"""The far end of a link: it stands beside the run, gives a viewer what the hub's socket would, and has the keys so that they never travel.

While the hub answers, frames are passed on as they are. While none does, or there is none any more, the bytes come from the file, and
commands are refused. One thread, no memory of what was sent: a viewer asks by place in the log.
"""

from __future__ import annotations

import os
import select
import signal
import time
from typing import Final

from bedside_protocol.codec import CodecError, OtherVersion, decode_message, encode_message
from bedside_protocol.framing import Frames, framed, greeting
from bedside_protocol.messages import Answer, Ask, Bytes, Here, Judge, Judged, Kept, Message, Read, Refusal
from bedside_protocol.runlog import Decoder, NewerFormat
from bedside_tui.liveness import LastWord, boot_id
from bedside_tui.places import RunPlace
from bedside_tui.remote.hub_line import HubLine
from bedside_tui.sources.live import UNREACHABLE
from bedside_tui.sources.replay import Follower, cannot_read, records_of

BEAT_EVERY: Final = 1.0
LONG_POLL: Final = 1.0
"""Seconds a question at the end of the file waits for more."""
ASK_WITHIN: Final = 2.0
"""Seconds a command waits for a hub that has not answered yet: the proxy has just begun, or the hub has."""
DESERTED: Final = 60
"""Seconds without a word from the viewer after which nobody is thought to be there: a link that died in silence leaves no proxy behind."""
MOST: Final = 1 << 20
"""Bytes of the log in one answer."""
_ROUND: Final = 50


class Proxy:
    """Serves one viewer of one run over two file descriptors, until the viewer leaves."""

    def __init__(self, place: RunPlace, *, read_only: bool, reader: int, writer: int) -> None:
        self._place = place
        self._boot = boot_id()
        self._reader, self._writer = reader, writer
        self._frames = Frames(greeted=False)
        self._hub = HubLine(place.id, may_command=not read_only)
        self._read: Read | None = None
        self._since = 0.0
        self._beaten = float("-inf")
        self._asks: list[tuple[str, bytes, float]] = []
        self._judging = False
        self._log = Follower(place.log, Decoder())
        self._word = LastWord()

    def __repr__(self) -> str:
        return f"<Proxy of {self._place.id}, {self._hub!r}>"

    def serve(self) -> None:
        """Stay until the viewer is gone. Raises `BrokenPipeError` where it goes while spoken to, `CodecError` for what is no frame."""
        signal.signal(signal.SIGALRM, signal.SIG_DFL)  # ends this process wherever it hangs, in a write above all
        signal.alarm(DESERTED)
        try:
            self._put(greeting())
            while self._round():
                pass
        finally:
            signal.alarm(0)
            self._hub.close()

    def _round(self) -> bool:
        """Wait for what comes, and answer; whether the viewer is still there."""
        ready = self._hub.wait(self._reader, _ROUND)
        now = time.monotonic()
        if ready and not self._hear(now):
            return False
        if now - self._beaten >= BEAT_EVERY:
            self._beaten = now
            self._say(Here(self._place.id, self._boot, now))
        for frame in self._hub.heard(now):
            self._from_hub(frame)
        self._answer(now)
        self._ask(now)
        if self._judging:
            self._judge()
        return True

    def _hear(self, now: float) -> bool:
        data = os.read(self._reader, 1 << 16)
        if not data:
            return False
        signal.alarm(DESERTED)
        for frame in self._frames.feed(data):
            self._from_viewer(frame, now)
        return True

    def _from_viewer(self, frame: bytes, now: float) -> None:
        try:
            message = decode_message(frame)
        except OtherVersion as error:
            self._say(Refusal(str(error)))
            return
        match message:
            case Read() as read:
                self._read, self._since = read, now
            case Ask(id=id):
                self._asks.append((id, frame, now))
            case Judge():
                self._judging = True
            case _:
                raise CodecError("a viewer asks, and nothing else")

    def _from_hub(self, frame: bytes) -> None:
        try:
            message = decode_message(frame)
        except CodecError:
            return
        if isinstance(message, Refusal):  # a hub of another version: its file can be read all the same
            self._hub.doubt()
            return
        if isinstance(message, Bytes):
            if self._read is None or message.offset != self._read.offset:
                return  # to a question that has been answered from the file
            self._read = None
        self._put(framed(frame))

    def _answer(self, now: float) -> None:
        """Hand the question on to the hub; without one, or one that sleeps, answer it from the file."""
        if self._read is None or self._hub.read(encode_message(self._read), now):
            return
        try:
            kept = self._from_file(self._read)
        except OSError as error:
            self._read = None
            self._say(Refusal(cannot_read(self._place.log, error)))
            return
        if kept.data or now - self._since >= LONG_POLL:
            self._read = None
            self._say(kept)

    def _ask(self, now: float) -> None:
        """Hand commands on, in their order; one that no hub takes for a moment is refused."""
        while self._asks:
            id, frame, since = self._asks[0]
            if not self._hub.ask(frame):
                if now - since < ASK_WITHIN:
                    return
                self._say(Answer(id, False, UNREACHABLE))
            del self._asks[0]

    def _from_file(self, read: Read) -> Kept:
        with open(self._place.log, "rb") as file:
            stat = os.fstat(file.fileno())
            file.seek(read.offset)
            data = file.read(min(read.limit, MOST))
        return Kept(read.offset, data, stat.st_size, max(0.0, time.time() - stat.st_mtime))

    def _judge(self) -> None:
        """Read on towards the end of the log, a piece each round, and say there how the run is to a reader here."""
        try:
            self._word.take(records_of(self._log.poll(), 0.0))
        except (OSError, NewerFormat):
            self._log.at_end = True
        if self._log.at_end:
            self._judging = False
            self._say(Judged(*self._word.now(self._place.directory, self._log.silence)))

    def _say(self, message: Message) -> None:
        self._put(framed(encode_message(message)))

    def _put(self, data: bytes) -> None:
        put_whole(self._writer, data)


def put_whole(writer: int, data: bytes) -> None:
    """Write all of it, also to an end that does not wait."""
    left = memoryview(data)
    while left:
        try:
            left = left[os.write(writer, left) :]
        except BlockingIOError:
            select.select([], [writer], [])


def say_once(writer: int, message: Message) -> None:
    """Greet, say one thing, and be done."""
    put_whole(writer, greeting() + framed(encode_message(message)))
