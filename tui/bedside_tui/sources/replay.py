"""A recording on disk: read once, or followed while it grows. No socket; view only."""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

from bedside_protocol.places import LOCK_NAME
from bedside_protocol.records import Lost, Record
from bedside_protocol.runlog import Chunk, Damage, Decoder, NewerFormat

from bedside_tui.sources.source import SourceState, SourceStatus, Update

_PIECE: Final = 256 << 10


class Follower:
    """Reads what has been appended to a file since last asked, from where a decoder stands."""

    def __init__(self, path: Path, decoder: Decoder) -> None:
        self._path = path
        self._decoder = decoder
        self.at_end = False

    def __repr__(self) -> str:
        return f"<Follower of {self._path}, {self._decoder!r}>"

    def poll(self) -> Iterator[Chunk | Damage]:
        """What one more piece of the file completes. A file that is not there has nothing new."""
        self._decoder.forget()  # a writer that starts again may cut away what was half written
        try:
            with open(self._path, "rb") as file:
                size = os.fstat(file.fileno()).st_size
                while True:
                    file.seek(self._decoder.offset)
                    data = file.read(_PIECE)
                    before = self._decoder.offset
                    yield from self._decoder.feed(data)
                    while self._decoder.offset == before and len(data) == _PIECE and (more := file.read(_PIECE)):
                        yield from self._decoder.feed(more)  # a chunk larger than a piece
                    self.at_end = len(data) < _PIECE or self._decoder.offset >= size
                    self._decoder.forget()
                    return
        except OSError:
            self.at_end = True


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

    def start(self, deliver: Callable[[Update], None]) -> None:
        self._thread = threading.Thread(target=self._main, args=(deliver,), name="replay-source", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(2.0)

    def _main(self, deliver: Callable[[Update], None]) -> None:
        decoder = Decoder()
        follower = Follower(self._log, decoder)
        last = 0.0
        try:
            while not self._stop.is_set():
                records = records_of(follower.poll(), last)
                last = records[-1].time if records else last
                going_on = self._follow and writer_lives(self._log.parent)
                state: SourceState = "following" if going_on or not follower.at_end else "ended"
                size = max(self._log.stat().st_size, 1)
                heard = time.monotonic() if records else None
                deliver(Update(records, SourceStatus(state, "", heard, follower.at_end, decoder.offset / size)))
                if follower.at_end and not going_on:
                    return
                if follower.at_end:
                    self._stop.wait(0.2)
        except NewerFormat as error:
            deliver(Update((), SourceStatus("unreachable", str(error))))
        except OSError as error:
            deliver(Update((), SourceStatus("unreachable", f"cannot read {self._log}: {error.strerror}")))


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


def writer_lives(directory: Path) -> bool:
    """Whether some process holds the run's writer lock. Only a process on this machine can be told so."""
    try:
        handle = os.open(directory / LOCK_NAME, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(handle)
    return False
