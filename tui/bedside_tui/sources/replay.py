"""A recording on disk: read once, or followed while it grows, and looked at again for what is said of it later. No socket; view only."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

from bedside_protocol.lifecycle import OVER
from bedside_protocol.records import LifecycleChanged, Lost, Record
from bedside_protocol.runlog import Chunk, Damage, Decoder, NewerFormat
from bedside_tui.liveness import LastWord
from bedside_tui.places import RunPlace
from bedside_tui.sources.afterwards import LOOK_EVERY, Afterwards
from bedside_tui.sources.source import SourceState, SourceStatus, Update

_PIECE: Final = 256 << 10


class Follower:
    """Reads what has been appended to a file since last asked, from where a decoder stands."""

    def __init__(self, path: Path, decoder: Decoder) -> None:
        self._path = path
        self._decoder = decoder
        self.at_end = False
        self.size = 0
        """Bytes of the file when last looked at."""
        self.silence = 0.0
        """Seconds since the file had last been written to, by the clock of its disk."""

    def __repr__(self) -> str:
        return f"<Follower of {self._path}, {self._decoder!r}>"

    @property
    def heard(self) -> float:
        """When the file had last been written to, by the monotonic clock."""
        return time.monotonic() - self.silence

    @property
    def progress(self) -> float:
        """The share of the file that has been read."""
        return self._decoder.offset / self.size if self.size else 1.0

    def poll(self) -> Iterator[Chunk | Damage]:
        """What one more piece of the file completes; nothing where there is no file. Raises `OSError` for one that cannot be read."""
        self._decoder.forget()  # a writer that starts again may cut away what was half written
        try:
            file = open(self._path, "rb")  # noqa: SIM115 - closed below
        except FileNotFoundError:
            self.at_end = True
            return
        with file:
            stat = os.fstat(file.fileno())
            self.size, self.silence = stat.st_size, max(0.0, time.time() - stat.st_mtime)
            before = self._decoder.offset
            file.seek(before)
            data = file.read(_PIECE)
            yield from self._decoder.feed(data)
            while self._decoder.offset == before and len(data) == _PIECE and (more := file.read(_PIECE)):
                yield from self._decoder.feed(more)  # a chunk larger than a piece
            self.at_end = len(data) < _PIECE or self._decoder.offset >= self.size
            self._decoder.forget()

    def finish(self) -> Iterator[Chunk | Damage]:
        """The last of a file that will not grow any more: chunks behind a torn one, and what damage there is up to its end."""
        self._decoder.forget()
        try:
            with open(self._path, "rb") as file:
                file.seek(self._decoder.offset)
                while data := file.read(_PIECE):
                    yield from self._decoder.feed(data)
        except FileNotFoundError:
            return
        yield from self._decoder.finish()


class ReplaySource:
    """A recording, read whole. With `follow`, reading goes on for as long as its writer lives."""

    def __init__(self, log: Path, *, follow: bool = False) -> None:
        self._log = log
        self._follow = follow
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def __repr__(self) -> str:
        return f"<ReplaySource {self._log}>"

    @property
    def live(self) -> bool:
        return self._follow

    @property
    def control(self) -> None:
        return None

    @property
    def place(self) -> RunPlace:
        return RunPlace(self._log.parent.name, self._log)

    def start(self, deliver: Callable[[Update], None]) -> None:
        self._thread = threading.Thread(target=self._main, args=(deliver,), name="replay-source", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(2.0)

    def _main(self, deliver: Callable[[Update], None]) -> None:
        try:
            self._log.stat()
            self._read(deliver)
        except NewerFormat as error:
            deliver(Update((), SourceStatus("unreachable", str(error))))
        except OSError as error:
            deliver(Update((), SourceStatus("unreachable", cannot_read(self._log, error))))

    def _read(self, deliver: Callable[[Update], None]) -> None:
        follower = Follower(self._log, Decoder())
        word = LastWord()
        last, seq = 0.0, 0
        ended = False
        while not ended and not self._stop.is_set():
            records = records_of(follower.poll(), last)
            word.take(records)
            ended = follower.at_end and not (self._follow and word.now(self._log.parent, follower.silence)[0] not in OVER)
            last = records[-1].time if records else last
            if ended:
                records += last_records(follower, word, self._log.parent, last)
            seq = max((record.seq for record in records), default=seq)
            state: SourceState = "ended" if ended else "following"
            heard = follower.heard if records else None
            deliver(Update(records, SourceStatus(state, "", heard, follower.at_end, 1.0 if ended else follower.progress)))
            if follower.at_end and not ended:
                self._stop.wait(0.2)
        if word.now(self._log.parent, follower.silence)[0] in OVER:
            self._read_on(Afterwards(self._log, follower.size, seq), deliver)

    def _read_on(self, afterwards: Afterwards, deliver: Callable[[Update], None]) -> None:
        while not self._stop.wait(LOOK_EVERY):
            if records := afterwards.poll():
                deliver(Update(records, SourceStatus("ended")))


def last_records(follower: Follower, word: LastWord, directory: Path, last_time: float) -> list[Record]:
    """What remains to be told of a log that will not grow: its torn end, and the ending that nobody was left to write."""
    if word.now(directory, follower.silence)[0] not in OVER:
        return []  # it grows while we look: an end that is torn now is whole in a moment
    records = records_of(follower.finish(), last_time)
    word.take(records)
    state, reason = word.now(directory, follower.silence)
    if state == "lost" and word.lifecycle != "lost" and word.run is not None:
        records.append(Record(records[-1].time if records else last_time, LifecycleChanged(state, reason)))
    return records


def records_of(pieces: Iterable[Chunk | Damage], last_time: float) -> list[Record]:
    """The records of these pieces, damage among them as what was lost."""
    records: list[Record] = []
    for piece in pieces:
        if isinstance(piece, Chunk):
            records.extend(piece.records)
        else:
            at = records[-1].time if records else last_time
            records.append(Record(at, Lost(max(piece.lost, 1), f"damage in the recording at byte {piece.offset:,}: {piece.why}")))
    return records


def cannot_read(path: Path, error: OSError) -> str:
    """Why a recording cannot be read, in one sentence."""
    return f"cannot read {path}: {error.strerror or error}"
