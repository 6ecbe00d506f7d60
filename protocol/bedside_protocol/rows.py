"""The steps and times of points in the order logged: what metrics that are logged together have in common, kept once for all of them.

`Rows` only ever grow, and whoever reads them says how many of them. A step smaller than the one before begins a segment; times never
decrease, whatever a clock said. This file refuses to know values and names.
"""

from __future__ import annotations

from bisect import bisect_left

import numpy as np

from bedside_protocol.pyramid import FANOUT, Floats, Growing, Ints, cover

TICKS = 1024
"""Positions a second on the time axis: the narrowest column of time, about a millisecond, as a power of two."""

_LONGEST = float(1 << 52)
"""Seconds beyond which a time is taken for damage; its ticks still fit 63 bits."""


class Rows:
    """Append-only (step, time), and the range of steps within every whole block of 16, 256, … of them."""

    __slots__ = ("_breaks", "_firsts", "_lasts", "_settled", "_steps", "_times")

    def __init__(self) -> None:
        self._steps = Growing(np.int64)
        self._times = Growing(np.float64)
        self._breaks = Growing(np.int64)
        self._firsts: list[Growing] = []
        self._lasts: list[Growing] = []
        self._settled = 0

    def __len__(self) -> int:
        return len(self._steps)

    def __repr__(self) -> str:
        return f"<Rows {len(self)}>"

    @property
    def steps(self) -> Ints:
        """All steps, as a view."""
        return self._steps.all

    @property
    def times(self) -> Floats:
        """All times, as a view; never decreasing."""
        return self._times.all

    def extend(self, steps: Ints, times: Floats) -> None:
        """Append rows, given as two arrays of one length. Times are mended: each is at least its predecessor's."""
        floor = float(self._times.all[-1]) if len(self) else -_LONGEST
        self._steps.extend(steps)
        self._times.extend(times if _ascending(times, floor) else _made_ascending(times, floor))

    def copy(self, size: int) -> Rows:
        """The first `size` rows as rows of their own."""
        rows = Rows()
        rows.extend(self.steps[:size], self.times[:size])
        return rows

    def settle(self) -> None:
        """Bring the summaries up to the newest row."""
        if self._settled == len(self):
            return
        steps = self.steps
        seen = max(self._settled - 1, 0)
        self._breaks.extend(np.flatnonzero(steps[seen + 1 :] < steps[seen:-1]) + seen + 1)  # a difference may overflow
        self._settled = len(self)
        low, high, level = steps, steps, 0
        while len(low) >= FANOUT:
            if level == len(self._firsts):
                self._firsts.append(Growing(np.int64))
                self._lasts.append(Growing(np.int64))
            begin, end = len(self._firsts[level]) * FANOUT, len(low) // FANOUT * FANOUT
            self._firsts[level].extend(low[begin:end].reshape(-1, FANOUT).min(axis=1))
            self._lasts[level].extend(high[begin:end].reshape(-1, FANOUT).max(axis=1))
            low, high, level = self._firsts[level].all, self._lasts[level].all, level + 1

    def breaks(self, size: int) -> Ints:
        """Indices at which segments after the first begin, of the first `size` rows."""
        return self._breaks.all[: bisect_left(self._breaks.all, size)]

    def step_range(self, size: int) -> tuple[int, int]:
        """The lowest and highest step of the first `size` ≥ 1 rows."""
        spans = [self.by_step(level, np.arange(begin, end)) for level, begin, end in cover(size, len(self._firsts))]
        return min(int(first.min()) for first, _ in spans), max(int(last.max()) for _, last in spans)

    def by_step(self, level: int, index: Ints) -> tuple[Ints, Ints]:
        """The lowest and the highest step inside each of these blocks of `FANOUT`**level rows."""
        if level == 0:
            steps = self.steps[index]
            return steps, steps
        return self._firsts[level - 1].all[index], self._lasts[level - 1].all[index]

    def by_time(self, level: int, index: Ints) -> tuple[Ints, Ints]:
        """The same in ticks of time."""
        size = FANOUT**level
        return ticks(self.times[index * size]), ticks(self.times[index * size + (size - 1)])


def ticks(times: Floats) -> Ints:
    """Positions on the time axis."""
    return np.floor(times * TICKS).astype(np.int64)


def _ascending(times: Floats, floor: float) -> bool:
    """Whether times need no mending; NaN and infinities do."""
    if not len(times):
        return True
    return floor <= times[0] and times[-1] < _LONGEST and bool((times[1:] >= times[:-1]).all())


def _made_ascending(times: Floats, floor: float) -> Floats:
    clean = np.where(np.abs(times) < _LONGEST, times, -_LONGEST)  # NaN compares false
    return np.asarray(np.maximum.accumulate(np.maximum(clean, floor)), dtype=np.float64)
