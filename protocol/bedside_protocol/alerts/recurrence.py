"""Whether spikes come back: each soon after an event the script has marked, or at equal distances.

One spike is a bad batch; three after the same event are what that event does. Events and values of one step may stand in the log in
either order, so a spike is looked at once it has passed.
"""

from __future__ import annotations

from typing import Final

from bedside_protocol.alerts.circumstances import Marks
from bedside_protocol.alerts.conditions import Recurs
from bedside_protocol.alerts.level import DENSE, Windows
from bedside_protocol.alerts.levels import AMBER, OK, UNCHECKED, Facts
from bedside_protocol.alerts.spike import Surroundings

_SOON: Final = 3
"""Points after an event within which a spike is its consequence."""
_EVEN: Final = 0.1
"""Distances are equal within this share of their mean."""
_KEPT: Final = 20


class Recurrence:
    """Amber from the spike that completes the pattern until one is missing."""

    __slots__ = ("_around", "_marks", "_spikes", "_value", "_why", "limits")

    def __init__(self, limits: Recurs, marks: Marks, windows: Windows = DENSE) -> None:
        self.limits = limits
        self._marks = marks
        self._around = Surroundings(windows)
        self._spikes: list[tuple[int, float]] = []
        self._why = ""
        self._value = 0.0

    def __repr__(self) -> str:
        return f"<Recurrence {len(self._spikes)} spikes {self._why}>"

    @property
    def waiting(self) -> str:
        return self._around.waiting

    def facts(self) -> Facts:
        return {**self._around.facts(), "spikes": float(len(self._spikes)), "why": self._why}

    def see(self, step: int, value: float) -> int:
        out = self._around.stands_out(value, self.limits.factor, self.limits.noise)
        if out is None:
            return UNCHECKED
        return AMBER if self._why else OK
