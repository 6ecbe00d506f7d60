"""A recording's records around a moment, and of those before it what the screens at that moment are made of.

Before the window everything stays that the run, the hub or a person said: who it is, definitions, rules, probes, alarms, commands,
checkpoints, events, notes. After it, of what people wrote later: the verdict, the tags, and the notes that are pinned to a moment before
its end. Of what was measured stays each probe's last snapshot, and a thinned history of each probe and metric.
Records get new places, so that nothing seems to be missing; times and counters are those of the recording. A clip that does not hold
the recording's end has one of its own, which says so. Two things at the moment are reckoned from what is left and may differ: since
when a metric has been rising or flat, and what share of the time probes took.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from heapq import merge
from typing import Final

import numpy as np

from bedside_protocol.lifecycle import OVER
from bedside_protocol.records import (
    HUB_RANK,
    Body,
    LifecycleChanged,
    Metrics,
    Note,
    Record,
    Snapshot,
    TagsChanged,
    Tick,
    Unknown,
    VerdictGiven,
)
from bedside_protocol.runlog import merge_metrics
from bedside_tui.clip.thinned import Rows, ThinnedHistory
from bedside_tui.clip.window import Window
from bedside_tui.liveness import LastWord

_SHOTS: Final = 32
"""Snapshots of a probe kept from before the window, at least, where there are so many."""
_SMALL: Final = 1024
"""Numbers in an array that is kept of them: the usage of a codebook, and no picture."""
_Placed = tuple[int, Record]


def clipped(records: Iterable[Record], window: Window) -> Iterator[Record]:
    """The records of a clip, in order, without places."""
    before = _Before()
    word = LastWord()
    last, counter, step = Record(0.0, Tick(0)), 0, 0
    beyond = 0
    later: list[Record] = []
    for position, record in enumerate(records):
        word.take((record,))
        if isinstance(record.body, Unknown):
            continue  # what a newer bedside said cannot be written again
        if window.end is not None and position >= window.end:
            beyond = max(beyond, _step_of(record))
            if _speaks_of(last.time, record.body):
                later.append(record)
            continue
        counter = record.counter if record.rank == HUB_RANK else counter
        if position < window.first:
            before.take(position, record)
            continue
        if position == window.first:
            yield from before.records()
        last, step = record, max(step, _step_of(record))
        yield replace(record, seq=0)
    if window.end is not None:
        ended = word.lifecycle if word.lifecycle in OVER else "goes on"
        for record in later:
            counter += record.rank == HUB_RANK
            yield replace(record, time=last.time, seq=0, counter=counter if record.rank == HUB_RANK else record.counter)
        why = f"the clip ends here; the run went on to step {max(beyond, step):,} ({ended})"
        yield Record(last.time, LifecycleChanged("stopped", why, step), HUB_RANK, counter + 1)


def _speaks_of(until: float, body: Body) -> bool:
    """Whether it was written about the run as a whole, or about a moment up to `until`."""
    return isinstance(body, (VerdictGiven, TagsChanged)) or (isinstance(body, Note) and body.at is not None and body.at <= until)


class _Before:
    """What stood before the window."""

    def __init__(self) -> None:
        self._said: list[_Placed] = []
        self._histories: dict[tuple[int, tuple[str, ...]], ThinnedHistory] = {}
        self._shots: dict[tuple[int, str], _Shots] = {}
        self._tick: list[_Placed] = []

    def take(self, position: int, record: Record) -> None:
        match record.body:
            case Metrics(names=names, steps=steps) as block if steps.size:
                history = self._histories.setdefault((record.rank, names), ThinnedHistory(names))
                history.add(position, record, block)
            case Snapshot(probe=probe):
                self._shots.setdefault((record.rank, probe), _Shots()).take(position, record)
            case Tick():
                self._tick = [(position, record)]
            case Metrics():
                pass
            case _:
                self._said.append((position, record))

    def records(self) -> Iterator[Record]:
        """All of it in the order of the log."""
        shots = [shots.placed for shots in self._shots.values()]
        rows = [_blocks(rank, history.names, history.rows()) for (rank, _), history in self._histories.items()]
        yield from merge_metrics([replace(record, seq=0) for _, record in merge(self._said, self._tick, *shots, *rows, key=_place)])


class _Shots:
    """A probe's snapshots: the last whole, of those before it a few, without what takes room and is only looked at when it is new."""

    def __init__(self) -> None:
        self.placed: list[_Placed] = []

    def take(self, position: int, record: Record) -> None:
        if self.placed:
            at, last = self.placed.pop()
            self.placed.append((at, replace(last, body=_without_large_arrays(last.body))))
        if len(self.placed) >= 2 * _SHOTS:
            self.placed = self.placed[1::2]
        self.placed.append((position, record))


def _without_large_arrays(body: Body) -> Body:
    if not isinstance(body, Snapshot):
        return body
    return replace(body, arrays={name: each for name, each in body.arrays.items() if each.values.size <= _SMALL})


def _place(placed: _Placed) -> int:
    return placed[0]


def _blocks(rank: int, names: tuple[str, ...], rows: Rows) -> Iterator[_Placed]:
    """A record for the rows that are left of each."""
    cuts = np.flatnonzero(np.diff(rows.position)) + 1
    for part in np.split(np.arange(rows.position.size), cuts):
        kept = rows.at(part)
        body = Metrics(names, kept.steps, kept.times, kept.values)
        yield int(kept.position[-1]), Record(float(kept.said[-1]), body, rank)


def _step_of(record: Record) -> int:
    match record.body:
        case Metrics(steps=steps) if steps.size:
            return int(steps.max())
        case Tick(step=step) | Snapshot(step=step):
            return step
    return 0
