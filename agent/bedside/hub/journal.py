"""The order of things: what goes into the log next, each record once, judged as it is written.

Pure: records and times in, chunks out. Agents' records are taken once by their counters, metrics merged to columns, the alert engine
reads exactly what is written, and its findings follow the records that caused them, in the same chunk, so the same engine over the same
file finds the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from bedside_protocol.alerts.engine import Engine
from bedside_protocol.codec import CodecError, encode_record
from bedside_protocol.records import HUB_RANK, AlertChanged, Body, Metrics, Problem, Record, Snapshot, Unknown
from bedside_protocol.runlog import TARGET_CHUNK, merge_metrics, seal_chunk

_SPLIT = 512
"""Records in one chunk at most."""


class Journal:
    """The tail of one log, before it is written."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.counters: dict[int, int] = {}
        self.step = 0
        self.words_only = False
        """Whether the recording has reached its size: metrics and snapshots are then left out and counted, everything else goes on."""
        self.omitted = 0
        self._next_seq = 1
        self._own = 0
        self._sealed: dict[int, int] = {}
        self._pending: list[Record] = []
        self._pending_bytes = 0

    def __repr__(self) -> str:
        return f"<Journal next record {self._next_seq}, {len(self._pending)} pending>"

    @property
    def has_begun(self) -> bool:
        """Whether any agent's record has been taken."""
        return any(counter > 0 for rank, counter in self.counters.items() if rank != HUB_RANK)

    @property
    def has_pending(self) -> bool:
        """Whether something waits to be written."""
        return bool(self._pending)

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
        self._sealed.update(counters)
        self._own = self.counters.get(HUB_RANK, 0)

    def take(self, record: Record, size: int) -> bool:
        """An agent's record; False where it is not the next of its speaker, or is of a kind unknown here and cannot be kept."""
        if record.counter != self.counters.get(record.rank, 0) + 1:
            return False
        self.counters[record.rank] = record.counter
        if isinstance(record.body, Unknown):
            return False
        if self.words_only and isinstance(record.body, (Metrics, Snapshot)):
            self.omitted += record.body.steps.size if isinstance(record.body, Metrics) else 1
            self._pending += [Record(record.time, found, HUB_RANK) for found in self.engine.observe(record)]  # still judged
            return True
        self._pending.append(record)
        self._pending_bytes += size
        return True

    def lacks(self, rank: int, counter: int) -> bool:
        """Whether something this speaker said before its record `counter` never came: it must be sent again, not stepped over."""
        return counter > self.counters.get(rank, 0) + 1

    def skip_to(self, rank: int, counter: int) -> int:
        """Do not wait for this speaker's records up to `counter`: they will not come (again). How many there are."""
        missing = max(0, counter - self.counters.get(rank, 0))
        self.counters[rank] = self.counters.get(rank, 0) + missing
        return missing

    def say(self, time: float, body: Body) -> None:
        """The hub's own word."""
        self._pending.append(Record(time, body, HUB_RANK))

    def chunks(self) -> list[tuple[bytes, int, dict[int, int], list[Record]]]:
        """What is pending as chunks ready to append: bytes, number of records, newest counters so far, and the records themselves.

        Each chunk tells the counters of what stands in it and before it: a hub that finds only the first of them knows what is missing.
        """
        pending, self._pending, self._pending_bytes = merge_metrics(self._pending), [], 0
        made = []
        part: list[tuple[Record, bytes]] = []
        size = 0
        for record in pending:
            group = [self._placed(record), *(self._placed(Record(record.time, found, HUB_RANK)) for found in self.engine.observe(record))]
            more = sum(len(frame) for _, frame in group)
            if part and (size + more > TARGET_CHUNK or len(part) + len(group) > _SPLIT):
                made.append(self._chunk(part))
                part, size = [], 0
            part += group
            size += more
        if part:
            self._sealed.update(self.counters)  # what was taken and left out has been dealt with too
            made.append(self._chunk(part))
        return made

    def _placed(self, record: Record) -> tuple[Record, bytes]:
        """The record with its place in the log (the hub's own with its counter too), and its bytes."""
        if record.rank == HUB_RANK:
            self._own += 1
            self.counters[HUB_RANK] = self._own
            record = replace(record, counter=self._own)
        record = replace(record, seq=self._next_seq)
        self._next_seq += 1
        try:
            return record, encode_record(record)
        except CodecError as error:  # a word of the hub's too long to be read again: said to be missing rather than written
            record = replace(record, body=Problem(f"a {type(record.body).__name__} could not be recorded: {error}", 1, "hub"))
            return record, encode_record(record)

    def _chunk(self, part: list[tuple[Record, bytes]]) -> tuple[bytes, int, dict[int, int], list[Record]]:
        records = [record for record, _ in part]
        for record in records:
            self._sealed[record.rank] = max(record.counter, self._sealed.get(record.rank, 0))
        counters = dict(self._sealed)
        return seal_chunk([frame for _, frame in part], records, records[0].seq, counters), len(records), counters, records
