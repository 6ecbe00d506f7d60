"""Whether a loss explodes at the very beginning of its training, before any level is known.

From scratch only: the first value is the reference. One value is a spike and no explosion; two of three are red. It is over once the
level is below the first value again: a median gets used to anything.
"""

from __future__ import annotations

from math import inf, nan

from bedside_protocol.alerts.levels import AMBER, OK, RED, UNCHECKED, Facts
from bedside_protocol.alerts.surroundings import Surroundings


class Explosion:
    """Bad: a value above `factor` times the median of the values before it and above the first one."""

    __slots__ = ("_away", "_bad_before", "_first", "_reference", "_value", "around", "factor")

    def __init__(self, factor: float, around: Surroundings) -> None:
        self.factor = factor
        self.around = around
        self._value = self._reference = self._first = nan
        self._bad_before = (False, False)
        self._away = False

    def __repr__(self) -> str:
        return f"<Explosion {self._value:.4g} against {self._reference:.4g}>"

    @property
    def waiting(self) -> str:
        return f"fewer than {self.around.windows.level} values"

    def facts(self) -> Facts:
        times = self._value / self._reference if self._reference else inf
        return {"value": self._value, "reference": self._reference, "times": times, "above": f"above the start {self._first:.4g}"}

    def see(self, step: int, value: float) -> int:
        if self._first != self._first:
            self._first = value
        median = self.around.median_before
        if median != median:  # healthy trainings wobble by such factors in their first ten steps
            return UNCHECKED
        bad = value > self._first and value - median > (self.factor - 1.0) * abs(median)
        one, two = self._bad_before
        self._bad_before = (two, bad)
        if bad and (one or two):
            self._value, self._reference = value, median
            self._away = True
            return RED
        self._away = self._away and median > self._first
        return AMBER if self._away else OK
