"""The end of a recording, and a word more after it: how a viewer writes into the log of a run that is over.

Only where no hub owns the log, as its lock tells; under that lock, so that two writers cannot interleave; a whole chunk, with the next
place and counters, or nothing. What is there stays as it is, but for a torn end, which is cut away as a hub would. The file keeps its time:
it is the one at which the run was last heard.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from bedside_protocol.lifecycle import OVER
from bedside_protocol.places import LOCK_NAME, LOG_NAME
from bedside_protocol.records import HUB_RANK, Body, Metrics, Record, Tick
from bedside_protocol.runlog import Chunk, NewerFormat, encode_chunk, read_log
from bedside_tui.liveness import LastWord
from bedside_tui.output import Unwritable
from bedside_tui.places import Unreadable

_WAIT, _BETWEEN = 5.0, 0.02
_TRIES: Final = 20
"""How often the end is looked for anew, where others write at the same time."""


class Owned(Exception):
    """The log has an owner, or may have one: it is not for others to write into. The text says why."""


@dataclass(frozen=True, slots=True)
class LogEnd:
    """Where a log ends and what its next writer goes on from. `offset` is behind the last whole chunk, `size` that of the file."""

    offset: int
    size: int
    changed: int
    """When the file was last written to, in nanoseconds since the epoch."""
    next_seq: int
    counters: Mapping[int, int]
    time: float
    step: int
    word: LastWord


def append_word(log: Path, say: Callable[[LogEnd], Body]) -> Body:
    """Append what `say` says at the end of a log, as its hub's word. Raises `Owned`, `Unreadable`, `Unwritable`."""
    path = Path(os.path.realpath(log))
    try:
        for _ in range(_TRIES):
            end = read_end(path)
            _refuse_living(path, end)
            with _lock(path), open(path, "r+b", buffering=0) as file:
                found = os.fstat(file.fileno())
                if (found.st_size, found.st_mtime_ns) != (end.size, end.changed):
                    continue
                body = say(end)
                _append(file.fileno(), end, body)
                return body
    except OSError as error:
        raise Unwritable(f"cannot write into {path}: {error.strerror or error}") from error
    raise Owned(f"others write into {path} all the time: try again")


def read_end(log: Path) -> LogEnd:
    """The end of a log. Raises `Unreadable` where no record can be read."""
    word, chunk, last, step = LastWord(), None, 0.0, 0
    try:
        with _regular(log) as file:
            found = os.fstat(file.fileno())
            for piece in read_log(file):
                if isinstance(piece, Chunk):
                    chunk, last = piece, max(last, piece.head.last_time)
                    word.take(piece.records)
                    step = next((told for record in reversed(piece.records) if (told := _step_of(record)) is not None), step)
    except NewerFormat as error:
        raise Unreadable(f"cannot read {log}: {error}") from error
    except OSError as error:
        raise Unreadable(f"cannot read {log}: {error.strerror or error}") from error
    if chunk is None:
        raise Unreadable(f"{log} holds no records: is it a recording?")
    head = chunk.head
    return LogEnd(head.end, found.st_size, found.st_mtime_ns, head.next_seq, chunk.counters, last, step, word)


def _regular(log: Path) -> BinaryIO:
    if not stat.S_ISREG(os.stat(log).st_mode):
        raise OSError("it is no file")
    return open(log, "rb")


def _step_of(record: Record) -> int | None:
    match record.body:
        case Metrics(steps=steps) if steps.size and record.rank in (0, HUB_RANK):
            return int(steps[-1])
        case Tick(step=step):
            return step
    return None


def _refuse_living(log: Path, end: LogEnd) -> None:
    state, why = end.word.now(log.parent, max(0.0, time.time() - end.changed / 1e9))
    if state not in OVER:
        raise Owned(f"{log.parent.name} is {state}{f' ({why})' if why else ''}, and no hub of it can be asked from here")


@contextlib.contextmanager
def _lock(log: Path) -> Iterator[None]:
    """Be the only writer: by the lock of the run's hubs, or by the file itself where it lies alone. Raises `Owned`."""
    path = log.with_name(LOCK_NAME) if log.name == LOG_NAME else log
    handle = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | (os.O_CREAT if path != log else 0), 0o600)
    try:
        until = time.monotonic() + _WAIT
        while not _locked(handle):
            if time.monotonic() > until:
                raise Owned(f"another process writes into {log}")
            time.sleep(_BETWEEN)
        yield
    finally:
        os.close(handle)


def _locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _append(handle: int, end: LogEnd, body: Body) -> None:
    counter = end.counters.get(HUB_RANK, 0) + 1
    chunk = encode_chunk([Record(end.time, body, HUB_RANK, counter)], end.next_seq, {**end.counters, HUB_RANK: counter})
    os.ftruncate(handle, end.offset)
    done = 0
    try:
        while done < len(chunk):
            done += os.pwrite(handle, chunk[done:], end.offset + done)
        os.fdatasync(handle)
    except OSError:
        os.ftruncate(handle, end.offset)
        raise
    with contextlib.suppress(OSError):  # a file of another's: it is newer now, and nothing worse
        os.utime(handle, ns=(end.changed, end.changed))
