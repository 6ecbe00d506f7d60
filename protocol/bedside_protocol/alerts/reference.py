"""Whether a metric stays where it was in healthy runs of the same training: an envelope over their seeds.

Below it is told as well as above: a collapsed model may end at a lower loss than a healthy one. How an envelope is made: `reference_runs`.
"""

from __future__ import annotations

from bisect import bisect_right
from math import nan

from bedside_protocol.alerts.conditions import Leaves
from bedside_protocol.alerts.levels import OK, RED, UNCHECKED, Facts
from bedside_protocol.alerts.median import RollingMedian


class Envelope:
    """The level of one metric against the lowest and highest that the reference runs allow at its step."""

    __slots__ = ("_bounds", "_level", "limits")

    def __init__(self, limits: Leaves) -> None:
        self.limits = limits
        self._level = RollingMedian(limits.window)
        self._bounds = (nan, nan)

    def __repr__(self) -> str:
        return f"<Envelope {self._bounds}>"

    @property
    def waiting(self) -> str:
        return "outside the steps of the reference runs" if self._level.full else f"fewer than {self._level.size} values"

    def facts(self) -> Facts:
        low, high = self._bounds
        return {"value": self._level.value, "low": low, "high": high}

    def see(self, step: int, value: float) -> int:
        limits = self.limits
        level = self._level.push(value)
        place = bisect_right(limits.steps, step) - 1
        if place < 0 or not self._level.full or step > limits.steps[-1]:
            return UNCHECKED
        self._bounds = limits.low[place], limits.high[place]
        return OK if limits.low[place] <= level <= limits.high[place] else RED
