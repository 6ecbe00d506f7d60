"""A recording as it is written by an import: records in whole chunks, each followed by what the rules find in it, as a hub's are."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, Final

from bedside_protocol.alerts.defaults import DEFAULT_RULES
from bedside_protocol.alerts.engine import Engine
from bedside_protocol.alerts.judge import Verdict, recorded_verdict
from bedside_protocol.alerts.rules import Rule
from bedside_protocol.codec import encode_record
from bedside_protocol.places import LOG_NAME
from bedside_protocol.records import HUB_RANK, AlertChanged, Body, Record
from bedside_protocol.runlog import TARGET_CHUNK, seal_chunk
from bedside_tui.output import Unwritable, whole_file

_MOST_RECORDS: Final = 512
"""Records in one chunk."""


class LogWriter:
    """Appends records to a file in whole chunks. A record without a place is given the next one."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._records: list[Record] = []
        self._frames: list[bytes] = []
        self._size = 0
        self._counters: dict[int, int] = {}
        self.next_seq = 1

    def __repr__(self) -> str:
        return f"<LogWriter next record {self.next_seq}, {len(self._records)} waiting>"

    def append(self, record: Record) -> None:
        """One record. Raises `CodecError` where it cannot be written, and then nothing of it is."""
        frame = encode_record(record)
        if record.seq > self.next_seq or self._size + len(frame) > TARGET_CHUNK or len(self._records) >= _MOST_RECORDS:
            self.flush()  # a chunk's records stand in a row
        self.next_seq = record.seq or self.next_seq
        self._records.append(replace(record, seq=self.next_seq))
        self._frames.append(frame)
        self._size += len(frame)
        self._counters[record.rank] = max(record.counter, self._counters.get(record.rank, 0))
        self.next_seq += 1

    def flush(self) -> None:
        """Write what waits; to be called at the end."""
        if self._records:
            self._file.write(seal_chunk(self._frames, self._records, self._records[0].seq, self._counters))
        self._records, self._frames, self._size = [], [], 0


class JudgedLog:
    """What is said, and after each word the alarms that it causes."""

    def __init__(self, file: BinaryIO, rules: Sequence[Rule] = DEFAULT_RULES) -> None:
        self._log = LogWriter(file)
        self._engine = Engine(rules)
        self._rules = rules
        self._counters = {0: 0, HUB_RANK: 0}
        self._changes: list[AlertChanged] = []

    def __repr__(self) -> str:
        return f"<JudgedLog {self._log!r}>"

    @property
    def verdict(self) -> Verdict:
        """The worst that has fired so far."""
        return recorded_verdict(self._changes, self._rules)

    def say(self, time: float, body: Body, rank: int = 0) -> None:
        """One record of the run (`rank` 0) or of the one who writes it (`HUB_RANK`)."""
        record = self._counted(time, body, rank)
        self._log.append(record)
        for change in self._engine.observe(record):
            self._changes.append(change)
            self._log.append(self._counted(time, change, HUB_RANK))

    def close(self) -> None:
        """Write what waits."""
        self._log.flush()

    def _counted(self, time: float, body: Body, rank: int) -> Record:
        self._counters[rank] += 1
        return Record(time, body, rank, self._counters[rank])


@contextlib.contextmanager
def new_run(out: Path, id: str) -> Iterator[BinaryIO]:
    """The file of a run that is not there yet, below `out`. Where the block fails nothing stays, directories included. Raises
    `Unwritable`."""
    directory = out / id
    if (directory / LOG_NAME).exists():
        raise Unwritable(f"{directory} is there already: this has been imported before (`bedside rm` deletes it)")
    made = [path for path in (directory, *directory.parents) if not path.exists()]
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        _remove(made)
        raise Unwritable(f"cannot make {directory}: {error.strerror or error}") from error
    try:
        with whole_file(directory / LOG_NAME) as file:
            yield file
    except BaseException:
        _remove(made)
        raise


def _remove(directories: Sequence[Path]) -> None:
    """Remove directories that are empty, the innermost first."""
    for path in directories:
        with contextlib.suppress(OSError):
            path.rmdir()
