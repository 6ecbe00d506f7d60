"""The median of the last n values, kept as they come."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from math import nan


class RollingMedian:
    """The median of at most the last `size` values. A push costs one insertion into a sorted list of `size`."""

    __slots__ = ("_recent", "_sorted", "full", "size", "value")

    def __init__(self, size: int) -> None:
        self.size = size
        self.full = False
        """Whether there have been `size` values."""
        self.value = nan
        """The median, the upper of the two middle values for an even count, NaN before the first."""
        self._recent: deque[float] = deque()
        self._sorted: list[float] = []

    def __len__(self) -> int:
        return len(self._recent)

    def __repr__(self) -> str:
        return f"<RollingMedian {self.value:.4g} of {len(self)}/{self.size}>"

    def push(self, value: float) -> float:
        """Takes one finite value and returns the median including it."""
        recent, ordered = self._recent, self._sorted
        recent.append(value)
        if self.full:
            del ordered[bisect_left(ordered, recent.popleft())]
        else:
            self.full = len(recent) == self.size
        insort(ordered, value)
        self.value = median = ordered[len(ordered) >> 1]
        return median
