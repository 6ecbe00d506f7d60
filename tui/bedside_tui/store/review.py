"""The remarks on a run that is over, as they were known at any moment after its end.

The review looks at a block of values with a few medians; a log has many small blocks. So blocks of the same metrics are joined first.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bedside_protocol.alerts.review import Remark, Review
from bedside_protocol.lifecycle import OVER
from bedside_protocol.records import Ended, LifecycleChanged, MetricDefined, Metrics, Record, RunStarted
from bedside_protocol.sanitise import text
from bedside_tui.store.ledger import Ledger

_LONG = 300
"""Characters of a remark: a line or two."""

_ROWS = 4096
"""Rows that are joined at most."""


class ReviewFold:
    """What the review of the run says at each of its ends: a run that is continued ends again."""

    __slots__ = ("_remarks", "_review", "_rows", "_waiting")

    def __init__(self) -> None:
        self._review = Review()
        self._remarks: Ledger[tuple[Remark, ...]] = Ledger()
        self._waiting: dict[tuple[str, ...], list[Record]] = {}
        self._rows = 0

    def take(self, position: int, record: Record) -> None:
        """A record of the log, as it was written: what is said of it is made safe."""
        body = record.body
        if isinstance(body, Metrics):
            if record.rank <= 0:
                self._wait(record, body)
            return
        if isinstance(body, RunStarted | MetricDefined | Ended | LifecycleChanged):
            self._settle()
        self._review.take(record)
        if isinstance(body, Ended) or (isinstance(body, LifecycleChanged) and body.state in OVER):
            self._remarks.add(position, tuple(_safe(remark) for remark in self._review.remarks))

    def at(self, position: int) -> tuple[Remark, ...]:
        """The remarks on the end that was known last at `position`."""
        return self._remarks.last_at(position) or ()

    def _wait(self, record: Record, body: Metrics) -> None:
        """Blocks that share a metric with others keep their order."""
        if body.names not in self._waiting and not all(set(body.names).isdisjoint(names) for names in self._waiting):
            self._settle()
        self._waiting.setdefault(body.names, []).append(record)
        self._rows += len(body.steps)
        if self._rows >= _ROWS:
            self._settle()

    def _settle(self) -> None:
        for records in self._waiting.values():
            self._review.take(_joined(records))
        self._waiting = {}
        self._rows = 0


def _joined(records: list[Record]) -> Record:
    blocks = [record.body for record in records if isinstance(record.body, Metrics)]
    steps, times = (np.concatenate([getattr(block, name) for block in blocks]) for name in ("steps", "times"))
    return replace(records[-1], body=Metrics(blocks[0].names, steps, times, np.concatenate([block.values for block in blocks], axis=1)))


def _safe(remark: Remark) -> Remark:
    return replace(remark, target=text(remark.target), text=text(remark.text, _LONG))
