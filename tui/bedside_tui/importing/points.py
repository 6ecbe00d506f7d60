"""Values as a file has them, in any order, and the rows of a run that they make.

Kept as flat columns: a day-long run has ten million values. Nothing is thrown away: a step that comes twice is there twice, and steps that
go back are a run that went back to a checkpoint, as far as times tell. Where they do not, the order is that of the steps.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

MOST_METRICS: Final = 2000
"""Metrics taken: as many as a viewer keeps. A file with a step or an id in its names has millions."""
MOST_NAME: Final = 500
LARGEST_STEP: Final = 2**53
_PART: Final = 1 << 16
_EPOCH_FROM: Final = 1e8
"""Seconds from which a time is one of the calendar: no training has lasted three years."""
_EPOCH_TO: Final = 1e10
_MILLISECONDS_FROM: Final = 1e11


class Row(NamedTuple):
    """What a run said at one moment. `time` is in seconds since its beginning."""

    step: int
    time: float
    values: dict[str, float]


@dataclass(frozen=True, slots=True)
class Timeline:
    """The values in order. `place` are indices into `names`; `begun` is the calendar's second of time 0, None where no time tells it."""

    steps: NDArray[np.int64]
    times: NDArray[np.float64]
    place: NDArray[np.int32]
    values: NDArray[np.float64]
    names: tuple[str, ...]
    timed: bool
    """Whether times are the file's own; else a row's time is its number, in seconds."""
    anew: bool
    """Whether the file's times are a stopwatch's that began anew while steps went on: they tell no order and are not used."""
    begun: float | None
    unordered: int
    """Values that stood behind one of a later time (or step, where there are no times)."""
    repeated: int
    """Values of a metric at the step at which it had its last one."""
    begins: NDArray[np.bool_]
    """Whether a value begins a row."""

    def rows(self) -> Iterator[Row]:
        """Row by row. A metric that comes again begins another row, and the last value of a row tells its time."""
        row: dict[str, float] = {}
        at, when, number = 0, 0.0, 0
        for step, time, place, value, begins in self._points():
            name = self.names[place]
            if row and (begins or name in row):
                yield Row(at, when if self.timed else float(number), row)
                row, number = {}, number + 1
            row[name] = value
            at, when = step, time
        if row:
            yield Row(at, when if self.timed else float(number), row)

    def _points(self) -> Iterator[tuple[int, float, int, float, bool]]:
        """Value by value, a part of the columns at a time: as Python's numbers they are five times as large."""
        columns = (self.steps, self.times, self.place, self.values, self.begins)
        for first in range(0, self.values.size, _PART):
            yield from zip(*(column[first : first + _PART].tolist() for column in columns), strict=True)


class Points:
    """Values as they are read. `renamed` is from a file's names to those in the recording. `together`: the file tells the time of each
    value, not of each row."""

    def __init__(self, renamed: Mapping[str, str] | None = None, *, together: bool = False) -> None:
        self._renamed = dict(renamed or {})
        self._together = together
        self._names: dict[str, int] = {}
        self._read: dict[str, int] = {}
        """The place of each name that was read, which several may share."""
        self._steps = array("q")
        self._times = array("d")
        self._place = array("i")
        self._values = array("d")
        self._ends = array("q")

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"<Points {len(self):,} of {len(self._names)} metrics>"

    @property
    def names(self) -> tuple[str, ...]:
        """The metrics as the file names them."""
        return tuple(self._read)

    def add(self, step: int, time: float, name: str, value: float) -> bool:
        """One value; `time` is NaN where it is not known. False where there are too many metrics for one more."""
        place = self._read.get(name)
        if place is None:
            if len(self._read) >= MOST_METRICS:
                return False
            called = self._renamed.get(name, name)[:MOST_NAME]
            place = self._read[name] = self._names.setdefault(called, len(self._names))
        self._steps.append(step)
        self._times.append(time)
        self._place.append(place)
        self._values.append(value)
        return True

    def end_row(self) -> None:
        """The values since the last row are a row of the file. Where none is told so, values of one step and time are one."""
        self._ends.append(len(self._values))

    def timeline(self) -> Timeline:
        """All of them in order: by time, where every one has a time that tells an order, else by step."""
        steps, times = _column(self._steps, np.int64), _column(self._times, np.float64)
        place, values = _column(self._place, np.int32), _column(self._values, np.float64)
        known = bool(np.isfinite(times).all())
        anew = known and _begins_anew(steps, times, place)
        timed = known and not anew
        by = times if timed else steps
        unordered = int(np.count_nonzero(by < np.maximum.accumulate(by))) if by.size else 0
        row = self._rows()
        order = np.lexsort((steps, times)) if timed else np.argsort(steps, kind="stable")
        steps, times, place, values, row = steps[order], times[order], place[order], values[order], row[order]
        begins = np.ones(steps.shape, bool)
        begins[1:] = (np.diff(steps) != 0) | (np.diff(row) != 0)
        if timed and not self._together and not len(self._ends):
            begins[1:] |= np.diff(times) != 0
        begun = _begun(times) if timed and times.size else None
        if begun is not None:
            times = np.round(times / begun.scale - begun.second, 6)
        repeated = _repeated(steps, place)
        second = None if begun is None else begun.second
        return Timeline(steps, times, place, values, tuple(self._names), timed, anew, second, unordered, repeated, begins)

    def _rows(self) -> NDArray[np.int64]:
        """The number of the file's row that each value stands in; 0 where rows are not told."""
        if not len(self._ends):
            return np.zeros(len(self), np.int64)
        return np.repeat(np.arange(len(self._ends)), np.diff(_column(self._ends, np.int64), prepend=0))


class _Beginning(NamedTuple):
    """The calendar's second of the first value, and how many units of the times make a second."""

    second: float
    scale: float


def _begun(times: NDArray[np.float64]) -> _Beginning | None:
    """When the first of these times was, None where they are no calendar's."""
    first = float(times[0])
    scale = 1000.0 if first > _MILLISECONDS_FROM else 1.0
    return _Beginning(first / scale, scale) if _EPOCH_FROM < first / scale < _EPOCH_TO else None


def _begins_anew(steps: NDArray[np.int64], times: NDArray[np.float64], place: NDArray[np.int32]) -> bool:
    """Whether times that are no calendar's would put a metric's steps into worse order than they stand in; a few may be out of it."""
    if not times.size or times.min() > _EPOCH_FROM:
        return False
    by_time = np.lexsort((steps, times))
    return _falls(steps[by_time], place[by_time]) > _falls(steps, place) + steps.size // 100


def _falls(steps: NDArray[np.int64], place: NDArray[np.int32]) -> int:
    """How often a metric's steps go back."""
    order = np.argsort(place, kind="stable")
    return int(np.count_nonzero((np.diff(steps[order]) < 0) & (np.diff(place[order]) == 0)))


def _column(values: array[Any], dtype: type[np.generic]) -> NDArray[Any]:
    return np.frombuffer(values, dtype) if len(values) else np.empty(0, dtype)


def _repeated(steps: NDArray[np.int64], place: NDArray[np.int32]) -> int:
    """How many values have the metric and the step of the metric's value before them."""
    order = np.argsort(place, kind="stable")
    steps, place = steps[order], place[order]
    return int(np.count_nonzero((np.diff(steps) == 0) & (np.diff(place) == 0)))
