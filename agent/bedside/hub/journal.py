"""The order of things: what goes into the log next, each record once, judged as it is written.

Pure: records and times in, chunks out. Agents' records are taken once by their counters, metrics merged to columns, the alert engine reads exactly what
is written, and its findings follow the records that caused them, so the same engine over the same file finds the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from bedside_protocol.alerts.engine import Engine
from bedside_protocol.records import HUB_RANK, AlertChanged, Body, Record
from bedside_protocol.runlog import TARGET_CHUNK, encode_chunk, merge_metrics

_SPLIT = 512
"""Records in one chunk at most."""


class Journal:
    """The tail of one log, before it is written."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.counters: dict[int, int] = {}
        self.step = 0
        self._next_seq = 1
        self._own = 0
        self._pending: list[Record] = []
        self._pending_bytes = 0

    def __repr__(self) -> str:
        return f"<Journal next record {self._next_seq}, {len(self._pending)} pending>"

    @property
    def has_begun(self) -> bool:
        """Whether any agent's record has been taken."""
        return any(rank != HUB_RANK for rank in self.counters)

    @property
    def is_full(self) -> bool:
        """Whether enough waits for a chunk of its own."""
        return self._pending_bytes >= TARGET_CHUNK

    def replay(self, records: Iterable[Record], counters: dict[int, int]) -> None:
        """Take in what an earlier hub wrote: the engine's memory, the counters, the places."""
        for record in records:
            if not isinstance(record.body, AlertChanged):
                self.engine.observe(record)
            self._next_seq = record.seq + 1
        self.counters.update(counters)
        self._own = self.counters.get(HUB_RANK, 0)

    def take(self, record: Record, size: int) -> bool:
        """An agent's record; False where it was taken before."""
        if record.counter <= self.counters.get(record.rank, 0):
            return False
        self.counters[record.rank] = record.counter
        self._pending.append(record)
        self._pending_bytes += size
        return True

    def say(self, time: float, body: Body) -> None:
        """The hub's own word."""
        self._own += 1
        self.counters[HUB_RANK] = self._own
        self._pending.append(Record(time, body, HUB_RANK, self._own))

    def chunks(self) -> list[tuple[bytes, int, dict[int, int], list[Record]]]:
        """What is pending as chunks ready to append: bytes, number of records, counters, and the records themselves."""
        if not self._pending:
            return []
        pending, self._pending, self._pending_bytes = merge_metrics(self._pending), [], 0
        judged: list[Record] = []
        for record in pending:
            judged.append(record)
            for finding in self.engine.observe(record):
                self._own += 1
                judged.append(Record(record.time, finding, HUB_RANK, self._own))
        self.counters[HUB_RANK] = self._own
        counters = dict(self.counters)
        made = []
        for start in range(0, len(judged), _SPLIT):
            part = [replace(record, seq=self._next_seq + place) for place, record in enumerate(judged[start : start + _SPLIT])]
            last = start + _SPLIT >= len(judged)
            chunk = encode_chunk(part, self._next_seq, counters if last else {})
            made.append((chunk, len(part), counters if last else {}, part))
            self._next_seq += len(part)
        return made
