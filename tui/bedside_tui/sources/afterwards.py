"""What is written into a log after its run is over: notes, a verdict, tags, by whoever looks at it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from bedside_protocol.records import Record
from bedside_protocol.runlog import Chunk, NewerFormat, read_log, scan_index

LOOK_EVERY: Final = 0.3
"""Seconds between two looks at the size of the file."""


class Afterwards:
    """Looks whether a log that has been read whole has grown. `size`: its bytes when it was read; `seq`: the last place that was."""

    def __init__(self, log: Path, size: int, seq: int) -> None:
        self._log = log
        self._size = size
        self._seq = seq

    def __repr__(self) -> str:
        return f"<Afterwards of {self._log} after record {self._seq}>"

    def poll(self) -> list[Record]:
        """What has come since last asked. A file that is gone, or cannot be read, has nothing to add."""
        try:
            size = os.stat(self._log).st_size
            if size == self._size:
                return []
            self._size = size
            records = records_after(self._log, self._seq)
        except (OSError, NewerFormat):
            return []
        self._seq = records[-1].seq if records else self._seq
        return records


def records_after(log: Path, seq: int) -> list[Record]:
    """The records of a log behind place `seq`. Raises `OSError`, `NewerFormat`.

    Chunks before it are hopped over by their heads, unless there is damage among them.
    """
    with open(log, "rb") as file:
        file.seek(next((head.offset for head in scan_index(file) if head.next_seq > seq + 1), 0))
        return [record for piece in read_log(file) if isinstance(piece, Chunk) for record in piece.records if record.seq > seq]
