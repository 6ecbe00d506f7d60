"""The file of a run, written on a thread of its own: a slow disk delays the recording, never the conversation.

Appends whole chunks; says how far it came and wakes the hub. A chunk that cannot be written is counted as lost, and what was half written
is cut away. `fdatasync` once a second runs on another thread, so that a slow one does not hold up the next chunk.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import queue
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

SYNC_EVERY: Final = 1.0
_TRIES, _BETWEEN = 10, 0.02  # a viewer that asks whether the lock is held holds it for a moment itself


class AnotherWriter(OSError):
    """Another hub writes this run."""


@dataclass(frozen=True, slots=True)
class Written:
    """How far the recording has come. `trouble` is the last failure in words, empty while all is written."""

    end: int
    counters: dict[int, int]
    lost: int
    trouble: str
    flushed: int
    """Number of chunks dealt with, written or lost."""

    def last_of(self, rank: int) -> int:
        """The counter of the last record of this speaker; 0 before its first."""
        return self.counters.get(rank, 0)


class Recorder:
    """Appends chunks to one file. `append` only puts them in line; `written` says what became of them."""

    def __init__(self, path: Path, end: int, counters: Mapping[int, int], size_cap: int) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        self._end = end
        self._cap = size_cap
        self._given = 0
        self._line: queue.SimpleQueue[tuple[bytes, int, dict[int, int]] | None] = queue.SimpleQueue()
        self.written = Written(end, dict(counters), 0, "", 0)
        self.unsafe = 0
        """Times that the disk did not confirm what is written: the kernel says so once, and the next write may well succeed."""
        self.wake_reader, self._wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._unsynced = threading.Event()
        self._closing = threading.Event()
        self._writer = threading.Thread(target=self._write_all, name="recorder", daemon=True)
        self._syncer = threading.Thread(target=self._sync_all, name="syncer", daemon=True)
        self._writer.start()
        self._syncer.start()

    def __repr__(self) -> str:
        return f"<Recorder at byte {self._end}, {self._line.qsize()} chunks in line>"

    def append(self, chunk: bytes, records: int, counters: dict[int, int]) -> None:
        """Put a chunk of `records` records in line; `counters` are the agents' newest in it."""
        self._given += 1
        self._line.put((chunk, records, counters))

    @property
    def is_idle(self) -> bool:
        """Whether every chunk put in line has been dealt with."""
        return self.written.flushed >= self._given

    def read(self, offset: int, limit: int) -> bytes:
        """Bytes of what is written, at most `limit`; empty at the end. From the page cache, as a rule."""
        end = self.written.end
        return os.pread(self._file, max(0, min(limit, end - offset)), offset) if 0 <= offset < end else b""

    def wait(self, chunks: int, seconds: float) -> bool:
        """Wait until `chunks` chunks are dealt with, at most `seconds`."""
        self._line.put(None)
        self._writer.join(seconds)
        return self.written.flushed >= chunks

    def close(self) -> None:
        """Write what is in line (at most two seconds), sync, close."""
        self.wait(0, 2.0)
        self._closing.set()
        self._unsynced.set()
        self._syncer.join(2.0)
        if not self._writer.is_alive() and not self._syncer.is_alive():
            os.close(self._file)

    def _write_all(self) -> None:
        while (item := self._line.get()) is not None:
            chunk, records, counters = item
            last = self.written
            trouble = self._write(chunk)
            self.written = Written(
                self._end, {**last.counters, **counters}, last.lost + (records if trouble else 0), trouble, last.flushed + 1
            )
            with contextlib.suppress(OSError):  # full of wakes that nobody has read yet, as a rule
                os.write(self._wake, b"\0")

    def _write(self, chunk: bytes) -> str:
        """Append one chunk whole, or not at all and say why."""
        if self._end + len(chunk) > self._cap:
            return f"the recording has reached its size cap of {self._cap / 1e9:.1f} GB"
        done = 0
        try:
            while done < len(chunk):
                done += os.pwrite(self._file, chunk[done:], self._end + done)
        except OSError as error:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, self._end)
            return f"the recording cannot be written: {error.strerror}"
        self._end += done
        self._unsynced.set()
        return ""

    def _sync_all(self) -> None:
        while True:
            self._unsynced.wait()
            self._unsynced.clear()
            self._sync()
            if self._closing.wait(SYNC_EVERY):
                self._sync()
                return

    def _sync(self) -> None:
        try:
            os.fdatasync(self._file)
        except OSError:
            self.unsafe += 1


def take_lock(path: Path) -> int:
    """Become the only writer of a run for as long as this process lives. Raises `AnotherWriter`."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    for _ in range(_TRIES):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return handle
        except OSError:
            time.sleep(_BETWEEN)
    os.close(handle)
    raise AnotherWriter(f"another hub writes {path.parent}")
