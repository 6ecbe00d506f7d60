"""The median of the last n values, kept as they come."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from math import nan


class RollingMedian:
    """The median of at most the last `size` values. A push costs one insertion into a sorted list of `size`."""

    __slots__ = ("_recent", "_sorted", "size")

    def __init__(self, size: int) -> None:
        self.size = size
        self._recent: deque[float] = deque()
        self._sorted: list[float] = []

    def __len__(self) -> int:
        return len(self._recent)

    def __repr__(self) -> str:
        return f"<RollingMedian {self.value:.4g} of {len(self)}/{self.size}>"

    @property
    def full(self) -> bool:
        return len(self._recent) == self.size

    @property
    def value(self) -> float:
        """The median, the upper of the two middle values for an even count, nan before the first."""
        return self._sorted[len(self._sorted) >> 1] if self._sorted else nan

    def push(self, value: float) -> float:
        """Takes one finite value and returns the median including it."""
        ordered = self._sorted
        self._recent.append(value)
        if len(self._recent) > self.size:
            oldest = self._recent.popleft()
            del ordered[bisect_left(ordered, oldest)]
        insort(ordered, value)
        return ordered[len(ordered) >> 1]
