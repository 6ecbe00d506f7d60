"""The rows of a file in the order in which the run said them, and what is to be told of how that order was found.

Nothing is thrown away: a step that comes twice is there twice, and steps that go back are a run that went back to a checkpoint, as far as
times tell. Where they do not, the order is that of the steps. Values stay where they are; only the order of rows is made.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bedside_tui.importing.points import Kept

_PART: Final = 1 << 14
"""Values looked at together: as Python's numbers all of them would be five times as large."""
_EPOCH_FROM: Final = 1e8
"""Seconds from which a time is one of the calendar: no training has lasted three years."""
_EPOCH_TO: Final = 1e10
_MILLISECONDS_FROM: Final = 1e11

Order = NDArray[np.int64] | None
"""Numbers of rows; None: as they stand."""


class Row(NamedTuple):
    """What a run said at one moment. `time` is in seconds since its beginning."""

    step: int
    time: float
    values: dict[str, float]


@dataclass(frozen=True, slots=True)
class InOrder:
    """The rows of a run. `begun` is the calendar's second of time 0, None where no time tells it."""

    kept: Kept
    order: Order
    timed: bool
    """Whether times are the file's own; else a row's time is its number, in seconds."""
    anew: bool
    """Whether the file's times are a stopwatch's that began anew while steps went on: they tell no order and are not used."""
    begun: float | None
    scale: float
    """How many units of the file's times make a second."""
    unordered: int
    """Values that stood behind one of a later time (or step, where there are no times)."""
    repeated: int
    """Values of a metric at the step at which it had its last one."""
    apart: bool
    """Whether values that were told one by one and have times of their own are rows of their own."""

    @property
    def span(self) -> tuple[float, float]:
        """Time of the first row and of the last one, by the file's times."""
        ends = np.array([0, -1]) if self.order is None else self.order[[0, -1]]
        first, last = self._seconds(ends).tolist()
        return first, last

    def rows(self) -> Iterator[Row]:
        """Row by row. A metric that comes again begins another row, and the last value of a row tells its time."""
        row: dict[str, float] = {}
        at, when, number = 0, 0.0, 0
        for step, time, places, values in self._lists():
            joins = self.kept.alone and step == at and (not self.apart or time == when)
            for place, value in zip(places, values, strict=True):
                name = self.kept.names[place]
                if row and (not joins or name in row):
                    yield Row(at, when if self.timed else float(number), row)
                    row, number = {}, number + 1
                row[name] = value
                at, when, joins = step, time, True
        if row:
            yield Row(at, when if self.timed else float(number), row)

    def _lists(self) -> Iterator[tuple[int, float, list[int], list[float]]]:
        """Step, time, places and values of each row of the file."""
        for rows, counts, at in _parts(self.kept, self.order):
            places, values = self.kept.place[at].tolist(), self.kept.values[at].tolist()
            first = 0
            for step, time, count in zip(self.kept.steps[rows].tolist(), self._seconds(rows).tolist(), counts.tolist(), strict=True):
                yield step, time, places[first : first + count], values[first : first + count]
                first += count

    def _seconds(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        times = self.kept.times[rows]
        return times if self.begun is None else np.round(times / self.scale - self.begun, 6)


def in_order(kept: Kept, *, together: bool, begun: float | None = None) -> InOrder:
    """By time, where every row has one that tells an order, else by step.

    `together`: values that were told one by one and are of one step are one row, whatever their times. `begun`: the calendar's second at
    which the run began, where the file tells it; else it began with its first row.
    """
    known = bool(np.isfinite(kept.times).all())
    order = _sorted(kept.times, kept.steps) if known else None
    anew = known and order is not None and _begins_anew(kept, order)
    timed = known and not anew
    if not timed:
        order = _sorted(kept.steps, kept.steps)
    second, scale = _beginning(kept.times[0 if order is None else order[0]]) if timed and kept.steps.size else (None, 1.0)
    if second is not None and begun is not None and begun <= second:
        second = begun
    _, repeated = _against_last(kept, order)
    unordered = 0 if order is None else _late(kept.times if timed else kept.steps, kept.ends)
    return InOrder(kept, order, timed, anew, second, scale, unordered, repeated, apart=timed and not together)


def _sorted(by: NDArray[Any], then: NDArray[np.int64]) -> Order:
    """The stable order by these columns, None where the rows stand in it."""
    before, after = by[:-1], by[1:]
    if bool(np.all((before < after) | ((before == after) & (then[:-1] <= then[1:])))):
        return None
    return np.lexsort((then, by))


def _late(by: NDArray[Any], ends: NDArray[np.uint32]) -> int:
    """How many values stand behind one of a greater key."""
    count, highest, begun = 0, by[0], 0
    for first in range(0, by.size, _PART):
        keys, last = by[first : first + _PART], ends[first : first + _PART].astype(np.int64)
        reached = np.maximum(np.maximum.accumulate(keys), highest)
        count += int(np.diff(last, prepend=begun)[keys < reached].sum())
        highest, begun = reached[-1], last[-1]
    return count


def _beginning(first: float) -> tuple[float | None, float]:
    """The calendar's second of this time and how many of its units make a second; None where it is no calendar's."""
    scale = 1000.0 if first > _MILLISECONDS_FROM else 1.0
    return (float(first) / scale, scale) if _EPOCH_FROM < first / scale < _EPOCH_TO else (None, 1.0)


def _begins_anew(kept: Kept, by_time: Order) -> bool:
    """Whether times that are no calendar's would put a metric's steps into worse order than they stand in; a few may be out of it."""
    if kept.times.min() > _EPOCH_FROM:
        return False
    return _against_last(kept, by_time)[0] > _against_last(kept, None)[0] + kept.values.size // 100


def _against_last(kept: Kept, order: Order) -> tuple[int, int]:
    """How many values are of a lower step than their metric's value before them, and how many of the same."""
    last = np.full(len(kept.names), np.iinfo(np.int64).min)
    falls = repeats = 0
    for rows, counts, at in _parts(kept, order):
        place = kept.place[at]
        by = np.argsort(place, kind="stable")
        steps, place = np.repeat(kept.steps[rows], counts)[by], place[by]
        begins = np.append(True, place[1:] != place[:-1])
        before = np.where(begins, last[place], np.roll(steps, 1))
        falls += int(np.count_nonzero(steps < before))
        repeats += int(np.count_nonzero(steps == before))
        last[place] = steps
    return falls, repeats


def _parts(kept: Kept, order: Order) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]]:
    """Some rows at a time: their numbers, how many values each has, and where these stand."""
    total = kept.steps.size
    many = max(1, _PART * total // max(1, kept.values.size))
    for first in range(0, total, many):
        rows = np.arange(first, min(first + many, total)) if order is None else order[first : first + many]
        begins = np.where(rows > 0, kept.ends[rows - 1], 0).astype(np.int64)
        counts = kept.ends[rows] - begins
        yield rows, counts, np.arange(int(counts.sum())) + np.repeat(begins - (np.cumsum(counts) - counts), counts)
