"""One quantity over a run: what was logged, in the order in which it was logged, readable at any width.

A `Series` only ever grows. Its reader is a `SeriesHistory`: the first `n` points, for ever the same, so that a screen looking back
sees what was known then. `columns` reduces a history to at most `width` columns of low, high, mean and last, at a cost of about
the width. Columns keep their meaning while a run grows: each covers 2**k steps (or 2**k milliseconds-and-a-bit) beginning at a
multiple of that, the newest fills up, the older ones stand still, and when the width is full two become one.

NaN and infinities are data: they mark their column and never bend the scale. A decreasing step (a resumed run) starts a new
segment. Steps and times are `rows`' matter, and may be those of many series. This file refuses to know names, units and drawing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bedside_protocol.columns import Axis, Columns, column_shift, no_columns, smoothed
from bedside_protocol.layout import layout_of
from bedside_protocol.pyramid import Floats, Growing, Ints, Pyramid
from bedside_protocol.rows import TICKS, Rows

__all__ = ["TICKS", "Axis", "Columns", "Series", "SeriesHistory", "column_shift", "no_columns", "smoothed"]


class Series:
    """Append-only (step, time, value) points. Times never decrease: each is at least its predecessor's, whatever a clock said.

    Series that get a value in each of the same rows may be given one `Rows`: it is extended once, then each series by its values.
    """

    __slots__ = ("_highs", "_lows", "_pyramid", "_settled", "_values", "rows")

    def __init__(self, rows: Rows | None = None) -> None:
        self.rows = Rows() if rows is None else rows
        self._values = Growing(np.float64)
        self._pyramid = Pyramid()
        self._lows = Growing(np.int64)
        self._highs = Growing(np.int64)
        self._settled = 0

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"<Series {len(self)} points>"

    def extend(self, steps: NDArray[np.int64], times: NDArray[np.float64], values: NDArray[np.float64]) -> None:
        """Append n points, given as three arrays of length n, to a series that has its rows alone. Summaries are made when somebody
        reads."""
        if not len(steps) == len(times) == len(values):
            raise ValueError(f"steps, times and values differ in length: {len(steps)}, {len(times)}, {len(values)}")
        self.rows.extend(steps, times)
        self._values.extend(values)

    def take(self, values: NDArray[np.float64]) -> None:
        """Append the values of rows that were added before."""
        if len(self) + len(values) > len(self.rows):
            raise ValueError(f"{len(values)} values are more than rows without one: {len(self.rows) - len(self)}")
        self._values.extend(values)

    def append(self, step: int, time: float, value: float) -> None:
        """Append one point."""
        self.extend(np.array([step], np.int64), np.array([time]), np.array([value]))

    def upto(self, size: int) -> SeriesHistory:
        """The first `size` points (all of them where there are fewer)."""
        return SeriesHistory(self, max(0, min(size, len(self))))

    def history(self) -> SeriesHistory:
        """Everything so far."""
        return SeriesHistory(self, len(self))

    def settle(self) -> None:
        """Bring the summaries up to the newest point."""
        old, size = self._settled, len(self)
        if old == size:
            return
        values = self._values.all
        self.rows.settle()
        self._pyramid.grow(values)
        fresh = values[old:]
        finite = np.isfinite(fresh)
        self._lows.extend(_records(np.where(finite, fresh, np.inf), self._best(self._lows, np.inf)) + old)
        self._highs.extend(_records(-np.where(finite, fresh, -np.inf), -self._best(self._highs, -np.inf)) + old)
        self._settled = size

    def _best(self, records: Growing, otherwise: float) -> float:
        return float(self._values.all[records.all[-1]]) if len(records) else otherwise


def _records(values: Floats, best: float) -> Ints:
    """Indices at which `values` fall below everything before them and below `best`."""
    before = np.minimum.accumulate(np.concatenate([[best], values]))[:-1]
    return np.flatnonzero(values < before)


@dataclass(frozen=True, slots=True)
class SeriesHistory:
    """The first `size` points of a series. Shares the series; copies nothing."""

    series: Series
    size: int

    def __len__(self) -> int:
        return self.size

    def __repr__(self) -> str:
        return f"<SeriesHistory {self.size} of {len(self.series)} points>"

    @property
    def steps(self) -> Ints:
        """Steps of all points, in the order logged."""
        return self.series.rows.steps[: self.size]

    @property
    def times(self) -> Floats:
        """Seconds of all points, never decreasing."""
        return self.series.rows.times[: self.size]

    @property
    def values(self) -> Floats:
        """Values of all points, NaN and infinities included."""
        return self.series._values.all[: self.size]

    @property
    def last(self) -> tuple[int, float, float]:
        """(step, time, value) of the newest point; (0, 0.0, nan) when empty."""
        if not self.size:
            return 0, 0.0, math.nan
        at, series = self.size - 1, self.series
        return int(series.rows.steps[at]), float(series.rows.times[at]), float(series._values.all[at])

    @property
    def lowest(self) -> tuple[int, float] | None:
        """(step, value) of the smallest finite value, the earliest of equals; None where no value is finite."""
        self.series.settle()
        return self._record(self.series._lows)

    @property
    def highest(self) -> tuple[int, float] | None:
        """(step, value) of the largest finite value, the earliest of equals; None where no value is finite."""
        self.series.settle()
        return self._record(self.series._highs)

    @property
    def bad_since(self) -> int | None:
        """The step of the first of the newest points without a finite value; None where the newest point is finite."""
        if not self.size or math.isfinite(self.last[2]):
            return None
        self.series.settle()
        newest = self.series._pyramid.newest(self.size, self.values)
        return int(self.steps[newest + 1])

    def _record(self, records: Growing) -> tuple[int, float] | None:
        place = int(np.searchsorted(records.all, self.size)) - 1
        if place < 0:
            return None
        at = records.all[place]
        return int(self.series.rows.steps[at]), float(self.series._values.all[at])

    def value_at(self, step: float) -> tuple[int, float] | None:
        """(step, value) of the last point at or before `step` in the newest segment that begins at or before it; else None."""
        if not self.size or not step >= -(2.0**63):
            return None
        self.series.settle()
        wanted = np.int64(math.floor(step) if step < 2.0**63 else 2**63 - 1)
        steps = self.steps
        breaks = self.series.rows.breaks(self.size)
        begins = np.concatenate([[0], breaks])
        open_ = np.flatnonzero(steps[begins] <= wanted)
        if not len(open_):
            return None
        segment = int(open_[-1])
        begin = int(begins[segment])
        end = int(begins[segment + 1]) if segment + 1 < len(begins) else self.size
        at = begin + int(np.searchsorted(steps[begin:end], wanted, side="right")) - 1
        return int(steps[at]), float(self.values[at])

    def columns(self, width: int, *, axis: Axis = "step", smoothing: float = 0.0) -> Columns:
        """At most `width` columns, and no more than there are points; see the module's docstring and `column_shift`.

        `smoothing` in [0, 1) gives a line instead: low, high, mean and last are then the bias-corrected exponential average of
        the points, taking each column's points as equal to its mean.
        """
        if not self.size or width < 1:
            return no_columns(axis)
        self.series.settle()
        pyramid = self.series._pyramid
        columns = layout_of(self.series.rows, self.size, pyramid.levels, min(width, self.size), axis).fold(pyramid, self.values)
        return smoothed(columns, smoothing) if smoothing > 0 else columns
