"""Records appended to a new recording, in whole chunks as a hub writes them. Who opens the file is not known here."""

from __future__ import annotations

from dataclasses import replace
from typing import BinaryIO, Final

from bedside_protocol.codec import encode_record
from bedside_protocol.records import Record
from bedside_protocol.runlog import TARGET_CHUNK, seal_chunk

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
