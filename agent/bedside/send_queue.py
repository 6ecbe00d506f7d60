"""What waits between the training thread and the uplink thread.

The training thread only appends, to a `deque` and nothing else: no lock (a `queue.Queue` whose lock was held at fork deadlocked every
forked child), no wake-up (a blocking consumer costs 3–10 % of a fast loop). The uplink thread drains at its own pace. When full, the
oldest row goes and is counted. Nothing here knows a socket or a tensor.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

import numpy as np

from bedside_protocol.records import Array, Body, Metrics, Record, Snapshot

from .tensors import MAX_NAME, label

MAX_ROWS: Final = 16_384
MAX_CELLS: Final = 1 << 17
"""Values in all waiting rows: some 8 MiB. With what is kept unacknowledged, the training grows by less than 16 MiB however long its
hub is away."""
MAX_SNAPSHOT_BYTES: Final = 6 << 20
DRAIN: Final = 256
"""Rows taken at once: packing a larger backlog in one call held the interpreter lock for up to 29 ms, this for 0.4."""

MAX_NAMES: Final = 5_000
"""Metrics in one row; the rest is not recorded, and said so."""
_NAMES: Final = 400
"""Names in one block: of the longest names, more would not fit a frame."""
MAX_DISTINCT: Final = 10_000
"""Metric names a run may have: each is a series with its own rules, in the hub and on the screen."""
_VALUES: Final = 1 << 15
"""Values in one block of columns, likewise."""
MAX_STEP: Final = 1 << 62

Row: TypeAlias = tuple[float, int, dict[str, float]]
Entry: TypeAlias = Row | tuple[float, Body]


class SendQueue:
    """Rows and other bodies in the order they were said, bounded in number and bytes."""

    def __init__(self, bad: Callable[[str], None], rows: int = MAX_ROWS, snapshot_bytes: int = MAX_SNAPSHOT_BYTES) -> None:
        self._bad = bad
        self._names: set[str] = set()
        self._entries: deque[Entry] = deque()
        self._room = rows
        self._cells_in = 0  # values in rows put and not pushed out, counted by the training thread
        self._cells_out = 0  # values in rows drained, counted by the uplink thread
        self._tickets = itertools.count(1)  # `next` on it is one atomic operation, also between threads
        self._reads = 0
        self._drained = 0
        self._dropped = 0
        self._snapshot_limit = snapshot_bytes
        self._snapshots_in = 0  # bytes put and not pushed out, counted by the training thread
        self._snapshots_out = 0  # bytes drained, counted by the uplink thread
        self._snapshots_refused = 0

    def __repr__(self) -> str:
        return f"<SendQueue {len(self._entries)}/{self._room} waiting, {self._dropped} dropped>"

    def __len__(self) -> int:
        return len(self._entries)

    def append_row(self, time: float, step: int, values: dict[str, float]) -> None:
        """One `log` call. The caller gives the dict away."""
        self._cells_in += len(values)
        if len(self._entries) >= self._room or self._cells_in - self._cells_out > MAX_CELLS:
            self._push_out()
        self._entries.append((time, step, values))
        next(self._tickets)

    def append(self, time: float, body: Body) -> None:
        """Anything else the run says. A snapshot that would not fit is refused and counted: a newer one comes."""
        if isinstance(body, Snapshot):
            size = _bytes_of(body)
            if self._snapshots_in - self._snapshots_out + size > self._snapshot_limit:
                self._snapshots_refused += 1
                return
            self._snapshots_in += size
        if len(self._entries) >= self._room:
            self._push_out()
        self._entries.append((time, body))
        next(self._tickets)

    def _push_out(self) -> None:
        """Let the oldest go. `dropped` finds out by itself: they were appended, and neither drained nor waiting."""
        while self._entries and (len(self._entries) >= self._room or self._cells_in - self._cells_out > MAX_CELLS):
            try:
                gone = self._entries.popleft()
            except IndexError:  # the uplink thread was quicker
                return
            if len(gone) == 3:
                self._cells_in -= len(gone[2])
            elif isinstance(gone[1], Snapshot):
                self._snapshots_in -= _bytes_of(gone[1])

    def drain(self, limit: int = DRAIN) -> list[Record]:
        """At most `limit` entries as records without counters; neighbouring rows of the same names become one block.

        Only the uplink thread calls this.
        """
        taken: list[Entry] = []
        while len(taken) < limit and self._entries:
            try:
                taken.append(self._entries.popleft())
            except IndexError:  # the training thread's overflow took the last one
                break
        self._drained += len(taken)
        self._cells_out += sum(len(entry[2]) for entry in taken if len(entry) == 3)
        if not self._entries:
            self._cells_out = self._cells_in  # threads that log at once may have counted one row for another: begin anew
        self._snapshots_out += sum(_bytes_of(entry[1]) for entry in taken if len(entry) == 2 and isinstance(entry[1], Snapshot))
        return self._records(taken)

    def _records(self, entries: list[Entry]) -> list[Record]:
        records: list[Record] = []
        rows: list[Row] = []
        for entry in entries:
            if rows and not (len(entry) == 3 and entry[2].keys() == rows[0][2].keys()):
                records.extend(self._blocks(rows))
                rows = []
            if len(entry) == 3:
                if abs(entry[1]) < MAX_STEP:
                    rows.append(entry)
                else:
                    self._bad("log: a step is a 62-bit integer")
            else:
                records.append(Record(entry[0], entry[1]))
        if rows:
            records.extend(self._blocks(rows))
        return records

    def _blocks(self, rows: list[Row]) -> list[Record]:
        names: dict[str, str] = {}
        for name in rows[0][2]:
            if not isinstance(name, str) or not name:
                self._bad(f"{label(name)} names no metric: names are text, not empty")
            elif (short := name[:MAX_NAME].encode("utf-8", "backslashreplace").decode()) in names:
                self._bad(f"{label(name)} is the same as another name in its first {MAX_NAME} characters")
            elif self._is_known(short):
                names[short] = name
        if len(names) > MAX_NAMES:
            self._bad(f"a log of {len(names):,} metrics at once: only the first {MAX_NAMES:,} are recorded")
            names = dict(list(names.items())[:MAX_NAMES])
        shown = list(names.items())
        groups = (dict(shown[start : start + _NAMES]) for start in range(0, len(shown), _NAMES))
        return [block for group in groups for block in _sized_blocks(group, rows)]

    def _is_known(self, name: str) -> bool:
        if name not in self._names:
            if len(self._names) >= MAX_DISTINCT:
                self._bad(
                    f"more than {MAX_DISTINCT:,} different metric names: further ones are not recorded (is a step or an id in a name?)"
                )
                return False
            self._names.add(name)
        return True

    @property
    def dropped(self) -> int:
        """Entries that were pushed out or refused. Never too high; exact whenever nobody is appending. Only one thread asks."""
        appended = next(self._tickets) - 1 - self._reads  # the only exact count of several threads' appends; asking takes a ticket too
        self._reads += 1  # and the tickets are read before the length: a row appended in between is not taken for a lost one
        self._dropped = max(self._dropped, appended - self._drained - len(self._entries))
        return self._dropped + self._snapshots_refused


def _sized_blocks(names: dict[str, str], rows: Sequence[Row]) -> list[Record]:
    many = max(1, _VALUES // (len(names) + 2))
    return [_block(tuple(names), tuple(names.values()), rows[start : start + many]) for start in range(0, len(rows), many)]


def _block(names: tuple[str, ...], kept: tuple[str, ...], rows: Sequence[Row]) -> Record:
    """Rows as one block of columns: `kept` names of the rows become `names`."""
    columns = np.array([[row[2][name] for row in rows] for name in kept], np.float64).reshape(len(kept), len(rows))
    steps = np.array([row[1] for row in rows], np.int64)
    times = np.array([round(row[0], 6) for row in rows], np.float64)  # microseconds are stored as differences of integers
    return Record(rows[-1][0], Metrics(names, steps, times, columns))


def _bytes_of(snapshot: Snapshot) -> int:
    def size(array: Array) -> int:
        return array.values.nbytes + sum(map(len, array.labels))

    return 200 + sum(map(size, snapshot.arrays.values())) + sum(len(text) for texts in snapshot.texts.values() for text in texts)
