"""Where the run was when: the step at each record, how fast it went, and which step came at what time."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left, bisect_right

from bedside_tui.store.ledger import Moment

WINDOW = 10.0
"""Seconds of running time over which steps per second are taken: long enough to be calm, short enough to see a change of pace."""

_SHORTEST = 0.2
"""Seconds of running time below which a pace says nothing."""


class Trail:
    """Steps in the order of the log. A step smaller than the one before begins a new segment: the run went back to a checkpoint."""

    __slots__ = ("_begins", "_positions", "_running", "_steps", "_times")

    def __init__(self) -> None:
        self._positions = array("q")
        self._times = array("d")
        self._running = array("d")
        self._steps = array("q")
        self._begins = array("q")
        """Indices at which segments begin."""

    def __len__(self) -> int:
        return len(self._steps)

    def add(self, moment: Moment) -> None:
        """The step a record told."""
        if not self._steps or moment.step < self._steps[-1]:
            self._begins.append(len(self._steps))
        self._positions.append(moment.position)
        self._times.append(moment.time)
        self._running.append(moment.running)
        self._steps.append(moment.step)

    def step_at(self, position: int) -> int:
        """The step known at `position`, 0 before any."""
        size = bisect_right(self._positions, position)
        return self._steps[size - 1] if size else 0

    def steps_per_second(self, position: int) -> float:
        """Over the last `WINDOW` seconds of running time, within the newest segment; nan before it can be known."""
        size = bisect_right(self._positions, position)
        if size < 2:
            return math.nan
        last = size - 1
        begin = self._begins[bisect_right(self._begins, last) - 1]
        first = max(begin, bisect_right(self._running, self._running[last] - WINDOW, 0, size) - 1)
        seconds = self._running[last] - self._running[first]
        return (self._steps[last] - self._steps[first]) / seconds if seconds >= _SHORTEST else math.nan

    def time_of(self, step: float) -> float | None:
        """When `step` was reached, in the newest segment that has it; None where no segment does."""
        end = len(self._steps)
        for begin in reversed(self._begins):
            if end > begin and self._steps[begin] <= step <= self._steps[end - 1]:
                return self._times[bisect_left(self._steps, step, begin, end)]
            end = begin
        return None
