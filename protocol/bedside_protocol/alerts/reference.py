"""Whether a metric stays where it was in healthy runs of the same training: an envelope over their seeds."""

from __future__ import annotations

from bisect import bisect_right
from math import nan

from bedside_protocol.alerts.conditions import Leaves
from bedside_protocol.alerts.levels import AMBER, OK, UNCHECKED, Facts
from bedside_protocol.alerts.median import RollingMedian


class Envelope:
    """The level of one metric against the lowest and highest of the reference runs."""

    __slots__ = ("_bounds", "_level", "limits")

    def __init__(self, limits: Leaves, window: int = 11) -> None:
        self.limits = limits
        self._level = RollingMedian(window)
        self._bounds = (nan, nan)

    def __repr__(self) -> str:
        return f"<Envelope {self._bounds}>"

    @property
    def waiting(self) -> str:
        return "outside the steps of the reference runs"

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
        return OK if limits.low[place] <= level <= limits.high[place] else AMBER
