"""Which of a recording's values an export is of: metrics by name, and a span of steps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

import numpy as np

from bedside_protocol.metrics import grouped, split_group
from bedside_protocol.records import Metrics, Record, Snapshot, Tick


@dataclass(frozen=True, slots=True)
class Selection:
    """`globs`: names of metrics, all where there is none. `first` and `last` are steps, both included; None is no limit."""

    globs: tuple[str, ...] = ()
    first: int | None = None
    last: int | None = None

    def record(self, record: Record) -> Record | None:
        """The record with what is selected of it. Metrics, snapshots and ticks of other steps are left out; what the run says of itself
        stays."""
        match record.body:
            case Metrics() as block:
                chosen = self._of(block)
                return record if chosen is block else None if chosen is None else replace(record, body=chosen)
            case Snapshot(step=step) | Tick(step=step) if not self._has(step):
                return None
        return record

    def blocks(self, records: Iterable[Record]) -> Iterator[Metrics]:
        """The selected values of all records, metrics of other ranks than 0 named so: `loss [rank=1]`."""
        for record in records:
            if isinstance(record.body, Metrics) and (block := self._of(record.body)) is not None:
                yield block if record.rank <= 0 else replace(block, names=tuple(of_rank(name, record.rank) for name in block.names))

    def _of(self, block: Metrics) -> Metrics | None:
        """None where nothing of the block is selected. A block that is selected whole stays as it is, also one without values."""
        if self == Selection():
            return block
        kept = [at for at, name in enumerate(block.names) if not self.globs or any(fnmatchcase(name, glob) for glob in self.globs)]
        low = block.steps >= self.first if self.first is not None else np.ones(block.steps.shape, bool)
        rows = low & (block.steps <= self.last) if self.last is not None else low
        if not kept or not rows.any():
            return None
        return Metrics(tuple(block.names[at] for at in kept), block.steps[rows], block.times[rows], block.values[kept][:, rows])

    def _has(self, step: int) -> bool:
        return (self.first is None or step >= self.first) and (self.last is None or step <= self.last)


def of_rank(name: str, rank: int) -> str:
    """The series of another rank, as a group of the metric."""
    base, group = split_group(name)
    return grouped(base, {**group, "rank": rank})
