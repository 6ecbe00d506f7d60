"""What a script's author expects of a metric, in one line: `loss < 0.05 after 5000`, `val/accuracy > 0.9 by 2000`.

`after`: from that step on each level must be so. `by`: some level must have been so by that step. Both: from `after` on, and first by then.
"""

from __future__ import annotations

from bedside_protocol.alerts.conditions import Expects
from bedside_protocol.alerts.levels import AMBER, OK, UNCHECKED, Facts


class Expectation:
    """One metric against one expectation."""

    __slots__ = ("_value", "limits")

    def __init__(self, limits: Expects) -> None:
        self.limits = limits
        self._value = 0.0

    def __repr__(self) -> str:
        return f"<Expectation {self.limits!r}>"

    @property
    def waiting(self) -> str:
        step = self.limits.after if self.limits.by is None else self.limits.by
        return f"before step {step or 0:,}"

    def facts(self) -> Facts:
        return {"value": self._value}

    def see(self, step: int, value: float) -> int:
        limits, self._value = self.limits, value
        if step < (limits.after or limits.by or 0):
            return UNCHECKED
        good = (limits.below is None or value < limits.below) and (limits.above is None or value > limits.above)
        return OK if good else AMBER
