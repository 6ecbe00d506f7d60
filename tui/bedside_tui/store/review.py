"""The remarks on a run that is over, as they were known at any moment after its end.

They need the whole run once, so they are made when somebody looks, of what the store has kept anyway: reading a log costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import overload

from bedside_protocol.alerts.remark import Remark
from bedside_protocol.lifecycle import OVER
from bedside_protocol.records import CheckpointSaved, Ended, LifecycleChanged, MetricDefined, Metrics, Record, RunStarted, Snapshot, Tick
from bedside_protocol.sanitise import text
from bedside_tui.store.ledger import Ledger
from bedside_tui.store.metrics import MetricsFold

_LONG = 300
"""Characters of a remark: a line or two."""

_ROWS = 4096
"""Values that are reviewed at a time: the review makes a dozen copies of them."""


class Remarks(Sequence[Remark]):
    """The remarks on one end of a run, made at the first look and kept."""

    __slots__ = ("_made", "_make")

    def __init__(self, make: Callable[[], tuple[Remark, ...]]) -> None:
        self._make = make
        self._made: tuple[Remark, ...] | None = None

    def __repr__(self) -> str:
        return "<Remarks, not looked at yet>" if self._made is None else f"<Remarks {self._made}>"

    def __len__(self) -> int:
        return len(self._all)

    @overload
    def __getitem__(self, index: int) -> Remark: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Remark]: ...
    def __getitem__(self, index: int | slice) -> Remark | Sequence[Remark]:
        return self._all[index]

    @property
    def _all(self) -> tuple[Remark, ...]:
        if self._made is None:
            self._made = self._make()
        return self._made


class ReviewFold:
    """What a review needs beside the metrics, and the remarks on each end: a run that is continued ends again."""

    __slots__ = ("_ends", "_metrics", "_told")

    def __init__(self, metrics: MetricsFold) -> None:
        self._metrics = metrics
        self._told: Ledger[tuple[int, Record]] = Ledger()
        self._ends: Ledger[Remarks] = Ledger()

    def take(self, position: int, record: Record) -> None:
        """A record of the log, made safe; those of metrics are kept elsewhere."""
        body = record.body
        if isinstance(body, RunStarted | MetricDefined | Snapshot | CheckpointSaved | LifecycleChanged | Ended):
            self._told.add(position, (position, record))
        if isinstance(body, Ended) or (isinstance(body, LifecycleChanged) and body.state in OVER):
            self._ends.add(position, Remarks(lambda: self._reviewed(position)))

    def at(self, position: int) -> Sequence[Remark]:
        """The remarks on the end that was known last at `position`."""
        remarks = self._ends.last_at(position)
        return () if remarks is None else remarks  # asking whether there are any would make them

    def _reviewed(self, end: int) -> tuple[Remark, ...]:
        """What begins and defines metrics stands where it stood among their values; all else may come before them."""
        from bedside_protocol.alerts.review import Review  # only here: a living run is not reviewed

        review, seen = Review(), 0
        for position, record in self._told.upto(end):
            if isinstance(record.body, RunStarted | MetricDefined) or position == end:
                for block in self._metrics.logged_between(seen, position):
                    for part in _parts(block):
                        review.take(Record(float(part.times[-1]), part))
                seen = position
            if isinstance(record.body, Ended | LifecycleChanged):
                review.take(replace(record, body=Tick(record.body.step)))
            review.take(record)
        return tuple(replace(remark, text=text(remark.text, _LONG)) for remark in review.remarks)


def _parts(block: Metrics) -> Iterator[Metrics]:
    for begin in range(0, len(block.steps), _ROWS):
        rows = slice(begin, begin + _ROWS)
        yield Metrics(block.names, block.steps[rows], block.times[rows], block.values[:, rows])
