"""Whether memory grows, how fast, and when it ends: a robust slope over the last minutes of readings.

What leaks does so at each step, or all the time: a growth is steady where it is so by either. Times, steps, bytes used and bytes left are
arguments. Nothing here reads a clock or a machine, and nothing judges whether a growth matters.
"""

from __future__ import annotations

import math
from collections import deque
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

LEAST_READINGS: Final = 20
"""Below this many a slope is the noise of an allocator."""
_KEPT: Final = 600
"""Readings looked back on: ten minutes of one a second."""
_THINNED: Final = 100
"""Readings a slope is made of: 4,950 pairs, a fraction of a millisecond."""
_SIGMAS: Final = 3.0
_BLOCKS: Final = 4
_EVEN: Final = 0.25
"""The least share of the mean rise from block to block that each of them must have: a single jump is no growth."""
_WINDOWS: Final = (30, 120, _KEPT)
"""Readings an end is projected from: a steep leak that begins late must be told before ten minutes are full of it."""
_REACH: Final = 10.0
"""Times its own length that a growth is projected: four minutes left take 24 seconds of it, an hour six minutes. A cache that fills less
than a tenth of the room has no end then."""
_SLOWING: Final = 0.7
"""The last rise over the first below which a growth slows down, and is not projected: an allocator or a cache that fills."""


class MemoryTrend:
    """The growth of one memory. Fed and read by one thread."""

    def __init__(self) -> None:
        self._readings: deque[tuple[float, float, float]] = deque(maxlen=_KEPT)
        self._room = math.inf

    def note(self, seconds: float, used: float, room: float, steps: int = 0) -> None:
        """At `seconds` and after `steps` there were `used` bytes in use and `room` bytes left to take. What is not finite is left out."""
        if math.isfinite(seconds) and math.isfinite(used):
            self._readings.append((seconds, used, float(steps)))
            self._room = room

    def slope(self) -> float | None:
        """Bytes an hour, negative where memory shrinks, 0 unless `significant_slope` finds one; None below 20 readings."""
        if len(self._readings) < LEAST_READINGS:
            return None
        readings = thinned(np.array(self._readings, np.float64))
        return 3600.0 * significant_slope(readings[:, 0], readings[:, 1])

    def hours_left(self) -> float | None:
        """Hours until the room is used up at this pace; None where memory does not grow, or not for long enough to say so."""
        if not math.isfinite(self._room):
            return None
        readings = np.array(self._readings, np.float64)
        left = [hours for window in _WINDOWS if (hours := self._left_by(readings, window)) is not None]
        return min(left, default=None)

    def _left_by(self, readings: NDArray[np.float64], window: int) -> float | None:
        """Hours left by the last readings, as many as `window`: where they rise steadily, above all that was before them."""
        before, last = readings[:-window], readings[-window:]
        if len(last) < LEAST_READINGS:
            return None
        last = thinned(last)
        seconds, used, steps = last.T
        peak = float(before[:, 1].max()) if len(before) else -math.inf
        steady = any(significant_slope(x, used) > 0.0 and not slows_down(x, used) for x in (seconds, steps))
        slope = theil_sen(seconds, used)
        if not steady or slope <= 0.0 or float(np.median(used[: len(used) // _BLOCKS])) < peak:
            return None
        left = max(0.0, self._room) / slope
        return left / 3600.0 if left <= _REACH * (seconds[-1] - seconds[0]) else None

    def __repr__(self) -> str:
        return f"<MemoryTrend {len(self._readings)} readings, {self._room:.3g} bytes left>"


def thinned(readings: NDArray[np.float64]) -> NDArray[np.float64]:
    """Every so many-th of them (n, 3), at most `_THINNED` and the newest always."""
    stride = -(-len(readings) // _THINNED)
    return readings[(len(readings) - 1) % stride :: stride]


def theil_sen(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """The median slope over all pairs of points (Theil 1950, Sen 1968): up to 29 % of the points may be anything. 0 without two x."""
    first, second = np.triu_indices(len(x), 1)
    apart = x[second] - x[first]
    rises = y[second] - y[first]
    return float(np.median(rises[apart > 0] / apart[apart > 0])) if np.any(apart > 0) else 0.0


def significant_slope(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """The Theil–Sen slope, or 0 where it may be chance or a single jump.

    No chance: Mann's test of a trend (Mann 1945, Kendall 1975) at three sigmas. No jump: of four successive blocks each median lies
    beyond the one before, by a quarter of the mean rise at least.
    """
    count = len(x)
    if count < _BLOCKS:
        return 0.0
    first, second = np.triu_indices(count, 1)
    concordance = float(np.sign(y[second] - y[first]).sum())
    deviation = math.sqrt(count * (count - 1) * (2 * count + 5) / 18)
    if abs(concordance) <= _SIGMAS * deviation:
        return 0.0
    direction = math.copysign(1.0, concordance)
    rises = [direction * rise for rise in block_rises(x, y)]
    if min(rises) <= _EVEN * sum(rises) / len(rises):
        return 0.0
    return theil_sen(x, y)


def slows_down(x: NDArray[np.float64], y: NDArray[np.float64]) -> bool:
    """Whether what rises does so ever more slowly: the last of its rises from block to block is far smaller than the first."""
    first, *_, last = block_rises(x, y)
    return last < _SLOWING * first


def block_rises(x: NDArray[np.float64], y: NDArray[np.float64]) -> list[float]:
    """What the medians of four successive blocks rise by, from each to the next, for each unit of x; 0 where x does not."""
    mid_x, mid_y = ([float(np.median(block)) for block in np.array_split(values, _BLOCKS)] for values in (x, y))
    pairs = zip(pairwise(mid_x), pairwise(mid_y), strict=True)
    return [(high - low) / (later - earlier) if later > earlier else 0.0 for (earlier, later), (low, high) in pairs]
